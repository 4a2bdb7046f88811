"""Random architectures and values, as documents write them."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

from netbuilder.errors import ShapeError
from netbuilder.layers import KINDS, LAYERS
from netbuilder.layers.containers import Container
from netbuilder.schema import Architecture
from netbuilder.shapes import Shape

LARGEST_SAMPLE = 4_000
NAMES = tuple(kind.kind for kind in KINDS if not issubclass(kind, Container))
"""The kinds that hold no others."""


def pair(low: int, high: int) -> st.SearchStrategy[Any]:
    """One number for both axes, or one for each."""
    one = st.integers(low, high)
    return one | st.lists(one, min_size=2, max_size=2)


def _divisors(number: int) -> st.SearchStrategy[int]:
    return st.sampled_from([n for n in range(1, number + 1) if number % n == 0])


@st.composite
def _conv(draw: st.DrawFn, x: Shape) -> dict[str, Any]:
    groups = draw(_divisors(x[0]))
    written: dict[str, Any] = {
        "out_channels": groups * draw(st.integers(1, 3)),
        "kernel_size": draw(pair(1, 4)),
        "groups": groups,
        "dilation": draw(pair(1, 3)),
        "padding": draw(st.sampled_from(["same", "valid"]) | pair(0, 3)),
        "bias": draw(st.booleans()),
        "padding_mode": draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    }
    return written if written["padding"] == "same" else written | {"stride": draw(pair(1, 3))}


@st.composite
def _pool(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    kernel = draw(pair(1, 4))
    smallest = min(kernel) if isinstance(kernel, list) else kernel
    written: dict[str, Any] = {
        "kernel_size": kernel,
        "stride": draw(st.none() | pair(1, 4)),
        "padding": draw(pair(0, smallest // 2)),
        "ceil_mode": draw(st.booleans()),
    }
    if kind == "MaxPool2d":
        return written | {"dilation": draw(pair(1, 3))}
    return written | {"count_include_pad": draw(st.booleans())}


def arguments(kind: str, x: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a kind that may fit a sample ``x``, by name."""
    dims = st.integers(-len(x), len(x))
    match kind:
        case "Conv2d":
            return _conv(x)
        case "MaxPool2d" | "AvgPool2d":
            return _pool(kind)
        case "AdaptiveAvgPool2d" | "AdaptiveMaxPool2d":
            size = st.none() | st.integers(1, 7)
            sizes = size | st.lists(size, min_size=2, max_size=2)
            return st.fixed_dictionaries({"output_size": sizes})
        case "Linear":
            return st.fixed_dictionaries({"out_features": st.integers(1, 7), "bias": st.booleans()})
        case "BatchNorm1d" | "BatchNorm2d":
            return st.fixed_dictionaries(
                {"affine": st.booleans(), "momentum": st.none() | st.floats(0, 1)}
            )
        case "PReLU":
            return st.fixed_dictionaries({"num_parameters": st.sampled_from([1, x[0]])})
        case "Softmax" | "LogSoftmax" | "Softmin":
            return st.fixed_dictionaries({"dim": st.none() | dims})
        case "GLU":
            return st.fixed_dictionaries({"dim": dims})
        case "Flatten":
            return st.fixed_dictionaries({}, optional={"start_dim": dims, "end_dim": dims})
        case "Threshold":
            number = st.floats(-9, 9)
            return st.fixed_dictionaries({"threshold": number, "value": number})
    if "inplace" in LAYERS.kinds[kind].model_fields:
        return st.fixed_dictionaries({}, optional={"inplace": st.booleans()})
    return st.just({})


def inputs(smallest: int = 1, largest: int = 14) -> st.SearchStrategy[Shape]:
    """Vectors, sequences, images and volumes."""
    size = st.integers(smallest, largest)
    image = st.tuples(st.integers(1, 4), size, size)
    return st.one_of(
        st.tuples(size),
        st.tuples(st.integers(1, 4), size),
        image,
        image,  # twice, for most kinds take images
        st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    )


@st.composite
def documents(
    draw: st.DrawFn,
    shapes: st.SearchStrategy[Shape] | None = None,
    names: tuple[str, ...] = NAMES,
    longest: int = 8,
) -> dict[str, Any]:
    """Valid documents, as plain values; kinds that a shape does not suit are left out."""
    x = draw(inputs() if shapes is None else shapes)
    layers: list[dict[str, Any]] = []
    document = {"name": "random", "input": list(x), "layers": layers}
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=longest)):
        written = {name: draw(arguments(name, x))}
        layer = LAYERS.read(written)
        try:
            y = layer.output_shape(x)
        except ShapeError:
            continue
        if prod(y) <= LARGEST_SAMPLE:
            layers.append(written)
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
