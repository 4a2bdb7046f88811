"""Random architectures and values of documents."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

from netbuilder.components.layers.base import LAYERS
from netbuilder.components.layers.container import Container
from netbuilder.components.shapes import Shape
from netbuilder.config.schema import Architecture
from netbuilder.errors import ShapeError

LARGEST_SAMPLE = 4_000
MOST_AXES = 4
NAMES = tuple(name for name, kind in LAYERS.kinds.items() if not issubclass(kind, Container))
"""The kinds that are not containers."""


def per_axis(axes: int, low: int, high: int) -> st.SearchStrategy[Any]:
    """One number for all axes, or one per axis."""
    number = st.integers(low, high)
    return number | st.lists(number, min_size=axes, max_size=axes)


def _divisors(number: int) -> st.SearchStrategy[int]:
    return st.sampled_from([n for n in range(1, number + 1) if number % n == 0])


@st.composite
def _conv(draw: st.DrawFn, x: Shape, axes: int) -> dict[str, Any]:
    groups = draw(_divisors(x[0]))
    fields: dict[str, Any] = {
        "out_channels": groups * draw(st.integers(1, 3)),
        "kernel_size": draw(per_axis(axes, 1, 4)),
        "groups": groups,
        "dilation": draw(per_axis(axes, 1, 3)),
        "padding": draw(st.sampled_from(["same", "valid"]) | per_axis(axes, 0, 3)),
        "bias": draw(st.booleans()),
        "padding_mode": draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    }
    if fields["padding"] != "same":
        fields["stride"] = draw(per_axis(axes, 1, 3))
    return fields


@st.composite
def _conv_transpose(draw: st.DrawFn, x: Shape, axes: int) -> dict[str, Any]:
    groups, stride = draw(_divisors(x[0])), draw(st.integers(1, 3))
    return {
        "out_channels": groups * draw(st.integers(1, 2)),
        "kernel_size": draw(per_axis(axes, 1, 4)),
        "stride": stride,
        "padding": draw(per_axis(axes, 0, 2)),
        "output_padding": draw(st.integers(0, stride - 1)),
        "groups": groups,
        "bias": draw(st.booleans()),
        "dilation": draw(per_axis(axes, 1, 2)),
    }


@st.composite
def _pool(draw: st.DrawFn, kind: str, axes: int) -> dict[str, Any]:
    kernel = draw(per_axis(axes, 1, 4))
    smallest = min(kernel) if isinstance(kernel, list) else kernel
    fields: dict[str, Any] = {
        "kernel_size": kernel,
        "stride": draw(st.none() | per_axis(axes, 1, 4)),
        "ceil_mode": draw(st.booleans()),
    }
    if kind == "LPPool":
        return fields | {"norm_type": draw(st.sampled_from([1, 2, 3]))}
    fields["padding"] = draw(per_axis(axes, 0, smallest // 2))
    if kind == "MaxPool":
        return fields | {"dilation": draw(per_axis(axes, 1, 3))}
    return fields | {"count_include_pad": draw(st.booleans())}


@st.composite
def _upsample(draw: st.DrawFn, kind: str, x: Shape) -> dict[str, Any]:
    axes = max(1, len(x) - 1)
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries({"size": per_axis(axes, 1, 9)})
        | st.fixed_dictionaries({"scale_factor": st.sampled_from([0.5, 1, 1.5, 2, 3])})
    )
    if kind != "Upsample":
        return fields
    smooth = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}.get(axes, [])
    mode = draw(st.sampled_from(["nearest", "nearest-exact", *smooth]))
    if mode in smooth:
        fields["align_corners"] = draw(st.booleans())
    return fields | {"mode": mode}


@st.composite
def _fold(draw: st.DrawFn, x: Shape) -> dict[str, Any]:
    kernel = draw(st.sampled_from([n for n in (1, 2, 3) if x[0] % n**2 == 0]))
    length = x[1] if len(x) > 1 else 1
    rows = draw(_divisors(length))
    return {"output_size": [rows + kernel - 1, length // rows + kernel - 1], "kernel_size": kernel}


def arguments(kind: str, x: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Draw arguments of a kind by name, most of which fit a sample ``x``."""
    dims = st.integers(-len(x), len(x))
    numbered = kind[-1] == "d" and kind[-2].isdigit() and kind != "Softmax2d"
    stem, axes = (kind[:-2], int(kind[-2])) if numbered else (kind, 0)
    fixed = st.fixed_dictionaries
    match stem:
        case "Conv":
            return _conv(x, axes)
        case "ConvTranspose":
            return _conv_transpose(x, axes)
        case "MaxPool" | "AvgPool" | "LPPool":
            return _pool(stem, axes)
        case "AdaptiveAvgPool" | "AdaptiveMaxPool":
            size = st.integers(1, 7) if axes == 1 else st.none() | st.integers(1, 7)
            return fixed({"output_size": size | st.lists(size, min_size=axes, max_size=axes)})
        case "CircularPad" | "ReflectionPad" | "ReplicationPad" | "ZeroPad":
            return fixed({"padding": per_axis(2 * axes, 0, 3)})
        case "ConstantPad":
            return fixed({"padding": per_axis(2 * axes, -1, 3), "value": st.floats(-9, 9)})
        case "BatchNorm":
            return fixed({"affine": st.booleans(), "momentum": st.none() | st.floats(0, 1)})
        case "InstanceNorm":
            return fixed({"affine": st.booleans(), "track_running_stats": st.booleans()})
        case "Linear":
            return fixed({"out_features": st.integers(1, 7), "bias": st.booleans()})
        case "GroupNorm":
            return fixed({"num_groups": _divisors(x[0]), "affine": st.booleans()})
        case "LayerNorm" | "RMSNorm":
            ends = st.integers(1, len(x)).map(lambda count: list(x[-count:]))
            return fixed({"normalized_shape": ends, "elementwise_affine": st.booleans()})
        case "LocalResponseNorm":
            return fixed({"size": st.integers(1, 5)})
        case "PReLU":
            return fixed({"num_parameters": st.sampled_from([1, x[0]])})
        case "Softmax" | "LogSoftmax" | "Softmin":
            return fixed({"dim": st.none() | dims})
        case "GLU":
            return fixed({"dim": dims})
        case "Flatten":
            return fixed({}, optional={"start_dim": dims, "end_dim": dims})
        case "Unflatten":
            dim = st.integers(1, len(x))
            return dim.flatmap(
                lambda at: _divisors(x[at - 1]).map(
                    lambda part: {"dim": at, "unflattened_size": [part, -1]}
                )
            )
        case "Upsample" | "UpsamplingBilinear" | "UpsamplingNearest":
            return _upsample(stem, x)
        case "PixelShuffle":
            return fixed({"upscale_factor": st.integers(1, 2)})
        case "PixelUnshuffle":
            return fixed({"downscale_factor": st.integers(1, 3)})
        case "ChannelShuffle":
            return fixed({"groups": _divisors(x[0])})
        case "Unfold":
            return fixed(
                {"kernel_size": per_axis(2, 1, 3)},
                optional={"padding": per_axis(2, 0, 1), "stride": per_axis(2, 1, 2)},
            )
        case "Fold":
            return _fold(x)
        case "Permute":
            order = st.permutations(range(1, len(x) + 1))
            return fixed({"dims": order.map(lambda dims: [0, *dims])})
        case "SqueezeExcitation":
            return fixed({"squeeze_channels": st.integers(1, 3)})
        case "StochasticDepth":
            return fixed({"p": st.floats(0, 1), "mode": st.sampled_from(["batch", "row"])})
        case "Threshold":
            number = st.floats(-9, 9)
            return fixed({"threshold": number, "value": number})
    if "inplace" in LAYERS.kinds[kind].model_fields:
        return fixed({}, optional={"inplace": st.booleans()})
    return st.just({})


def inputs(smallest: int = 1, largest: int = 14) -> st.SearchStrategy[Shape]:
    """Vectors, sequences, images and volumes."""
    size = st.integers(smallest, largest)
    image = st.tuples(st.integers(1, 4), size, size)
    return st.one_of(
        st.tuples(size),
        st.tuples(st.integers(1, 4), size),
        image,
        image,  # twice, because most kinds take images
        st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    )


@st.composite
def documents(
    draw: st.DrawFn,
    shapes: st.SearchStrategy[Shape] | None = None,
    names: tuple[str, ...] = NAMES,
    longest: int = 8,
) -> dict[str, Any]:
    """Draw valid documents as plain values, without kinds that do not fit the shape."""
    x = draw(inputs() if shapes is None else shapes)
    layers: list[dict[str, Any]] = []
    document = {"name": "random", "input": list(x), "layers": layers}
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=longest)):
        fields = {name: draw(arguments(name, x))}
        layer = LAYERS.parse(fields)
        try:
            y = layer.output_shape(x)
        except ShapeError:
            continue
        if prod(y) <= LARGEST_SAMPLE and len(y) <= MOST_AXES:
            layers.append(fields)
            x = y
    return document if layers else document | {"layers": ["Identity"]}


def architectures(
    shapes: st.SearchStrategy[Shape] | None = None,
    names: tuple[str, ...] = NAMES,
    longest: int = 8,
) -> st.SearchStrategy[Architecture]:
    """Valid architectures."""
    return documents(shapes, names, longest).map(Architecture.model_validate)


plain_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 9)
    | st.sampled_from([2**31 - 1, 2**31, 10**39, -(10**38), 2**63])
    | st.floats()
    | st.floats(-2, 2)
    | st.text(max_size=12)
    | st.sampled_from(
        [*NAMES, "same", "valid", "zeros", "tanh", "mnist", "SGD", "<<", "-", "1:30"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=6) | st.sampled_from([*NAMES, "dim", "lr", "kernel_size"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
"""Values of every type that YAML has."""
