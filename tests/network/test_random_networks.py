"""Random networks and documents: the analysis matches torch, or the document is refused."""

from __future__ import annotations

import copy
import json
from itertools import product
from typing import Any

import pytest
import torch
from budgets import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import NAMES, architectures, arguments, documents, inputs, plain_values
from torch import Tensor, nn

from netbuilder.components.layers.base import LAYERS, Layer
from netbuilder.components.layers.norm import BatchNorm1d, BatchNorm2d
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.errors import NetbuilderError, ShapeError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.build import build
from netbuilder.network.testing import macs, output_shape, parameters, read_along, widest

pytestmark = pytest.mark.filterwarnings(
    "ignore:Implicit dimension choice:UserWarning", "ignore:Using padding=.same.:UserWarning"
)
slow_draws = settings(suppress_health_check=[HealthCheck.too_slow])
many = examples(100, 500, slow_draws)
some = examples(50, 200, slow_draws)


def on_meta(architecture: Architecture) -> nn.Sequential:
    with torch.device("meta"):
        return build(architecture)


@many
@given(architectures())
def test_the_analysis_matches_torch(architecture: Architecture) -> None:
    """Shapes, parameters and multiply-accumulates of rows equal those of the built modules."""
    analysis, model = analyse(architecture), on_meta(architecture)
    assert analysis.fault is None
    assert [row.kind for row in analysis.rows] == [type(layer).__name__ for layer in model]
    assert analysis.output_shape == output_shape(model, architecture.input)
    for row, (path, layer) in zip(analysis.rows, model.named_children(), strict=True):
        assert row.path == path
        assert row.output_shape == output_shape(layer, row.input_shape)
        shapes = LAYERS.parse({row.kind: row.arguments}).parameter_shapes(row.input_shape)
        assert list(shapes.items()) == parameters(layer)
        assert row.parameters == sum(value.numel() for value in layer.parameters())
    assert analysis.parameters == sum(value.numel() for value in model.parameters())
    assert analysis.macs == macs(model, architecture.input)


@examples(50, 100, slow_draws)
@given(architectures())
def test_shapes_of_rows_match_forward_hooks(architecture: Architecture) -> None:
    """In one forward pass, inputs and outputs of each layer have the shapes of its row."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def record(_: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        shapes.append((tuple(inputs[0].shape), tuple(out.shape)))

    model = on_meta(architecture).eval()
    for layer in model:
        layer.register_forward_hook(record)
    model(torch.empty(2, *architecture.input, device="meta"))
    rows = analyse(architecture).rows
    assert shapes == [((2, *row.input_shape), (2, *row.output_shape)) for row in rows]


@many
@given(architectures(inputs(1, 9)))
def test_no_output_reads_beyond_its_field(architecture: Architecture) -> None:
    """The measured field of the network is never wider than the reported one."""
    if any(_wraps(layer) for layer in architecture.layers):
        return  # a circular border reads the far side, which the field excludes
    analysis, model = analyse(architecture), build(architecture)
    for axis, size in enumerate(analysis.receptive_field):
        assert widest(read_along(model, architecture.input, axis)) <= size


SPLITTING = ("Fold", "PixelUnshuffle", "Unflatten", "Unfold")
ONE_TO_ONE = tuple(name for name in NAMES if name not in SPLITTING)
"""Kinds that do not spread positions over channels or axes, so that outputs are positions."""


@many
@given(architectures(inputs(8, 20).filter(lambda x: len(x) == 3), ONE_TO_ONE, longest=5))
def test_the_field_matches_the_measured_one(architecture: Architecture) -> None:
    """The field equals the measured one if that of some output is within the input."""
    if any(_wraps(layer) for layer in architecture.layers):
        return
    analysis, model = analyse(architecture), build(architecture)
    inner = _has_inner_window(architecture)
    measured = [widest(read_along(model, architecture.input, axis)) for axis in range(len(inner))]
    for axis, field in enumerate(analysis.receptive_field):
        # Outputs that read only padding along another axis read no pixel at all.
        others = [size for other, size in enumerate(measured) if other != axis]
        if inner[axis] and all(others):
            assert measured[axis] == field


def _wraps(layer: Layer) -> bool:
    """Return whether a layer has a circular border, which reads the far side."""
    padding = getattr(layer, "padding", ())
    wrapped = getattr(layer, "padding_mode", "") == "circular" or "Circular" in layer.kind
    return wrapped and padding != "valid" and any(padding)


def _field(architecture: Architecture) -> ReceptiveField:
    """Return the receptive field of the last layer."""
    x = architecture.input
    field = ReceptiveField.of_input(x)
    for layer in architecture.layers:
        field, x = layer.receptive_field(x, field), layer.output_shape(x)
    return field


def _has_inner_window(architecture: Architecture) -> list[bool]:
    """Return for each axis whether a position with the widest field reads no padding."""
    y, field = analyse(architecture).output_shape, _field(architecture)
    return [
        any(
            a >= 0 and b < size and b - a + 1 == window.size
            for a, b in (window.span_at(i) for i in range(y[axis]))
        )
        for size, axis, window in zip(field.input, field.axes, field.windows, strict=True)
    ]


@some
@given(st.integers(1, 400), st.integers(1, 400))
def test_adaptive_windows_match_their_definition(size: int, bins: int) -> None:
    """The span of each bin equals the formula of adaptive pooling."""
    window = Window.adaptive(size, bins)
    for i in range(bins):
        assert window.span_at(i) == (i * size // bins, -(-(i + 1) * size // bins) - 1)


def test_a_layer_over_flattened_channels_sees_their_rows() -> None:
    """A layer that reads all channels after Flatten sees the rows that they contain."""
    document = {"name": "a", "input": [2, 5, 3], "layers": [{"Flatten": [1, 2]}, {"Softmax": 1}]}
    architecture = Architecture.model_validate(document)
    assert widest(read_along(build(architecture), (2, 5, 3), axis=0)) == 5
    assert analyse(architecture).receptive_field[0] == 5


def test_a_global_layer_after_unordered_taps_sees_the_whole_input() -> None:
    """After a dilated transposed convolution, a layer over the axis sees the whole input."""
    spread = {"ConvTranspose1d": [1, 4, 3, 0, 0, 1, True, 2]}
    document = {"name": "a", "input": [1, 12], "layers": [spread, {"Linear": 2}]}
    architecture = Architecture.model_validate(document)
    assert widest(read_along(build(architecture), (1, 12), axis=0)) == 12
    [size] = analyse(architecture).receptive_field
    assert size >= 12


def test_a_long_window_over_unordered_positions_sees_the_whole_input() -> None:
    """The field is a bound where an exact one would take minutes."""
    layers = ["Flatten", {"Unflatten": [1, [1, 60_000]]}, {"Conv1d": [1, 30_000]}]
    document = {"name": "a", "input": [4, 100, 150], "layers": layers}
    assert analyse(Architecture.model_validate(document)).receptive_field == (100, 150)


@pytest.mark.parametrize(
    "arguments",
    [[2, 2, 2, 3, 1, 1, True, 3], [2, 4, 4, 1, 1, 1, True, 3], [2, 4, 3, 1, 1, 1, True, 2]],
)
def test_a_layer_after_an_unordered_pattern_sees_all_of_it(arguments: list[object]) -> None:
    """A global layer after unordered taps of a transposed convolution sees all that they read."""
    document = {"name": "a", "input": [2, 16], "layers": [{"ConvTranspose1d": arguments}]}
    document["layers"] = [*document["layers"], {"GroupNorm": 1}]
    architecture = Architecture.model_validate(document)
    measured = widest(read_along(build(architecture), (2, 16), axis=0))
    assert measured == min(16, analyse(architecture).receptive_field[0])


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear"])
@pytest.mark.parametrize("recompute", [False, True])
def test_upsampling_by_decimal_fractions_rounds_as_torch_does(mode: str, recompute: bool) -> None:
    """Output size and windows equal torch's for scale factors such as 0.7."""
    for size, tenths in [*product(range(1, 21), range(3, 32)), (25, 28)]:
        options = {"scale_factor": tenths / 10, "mode": mode, "recompute_scale_factor": recompute}
        layer = LAYERS.parse({"Upsample": options})
        if size * tenths < 10:
            continue
        [window] = layer.receptive_field((1, size), ReceptiveField.of_input((1, size))).windows
        x = torch.where(torch.eye(size, dtype=torch.bool), torch.nan, 0.0)[:, None]
        read = layer.build((1, size))(x)[:, 0].isnan()
        assert layer.output_shape((1, size)) == (1, read.shape[1])
        step = size / read.shape[1] if recompute else 10 / tenths
        for position, rows in enumerate(read.T):
            at = (position + 0.5) * step - 0.5
            if mode == "linear" and abs(at - round(at)) < 1e-5:
                continue  # builds of torch differ in which side float32 rounds to
            indices = rows.nonzero().flatten().tolist()
            assert (indices[0], indices[-1]) == window.span_at(position)


@pytest.mark.parametrize("kind", ["CircularPad1d", "ConstantPad1d", "ZeroPad1d"])
def test_negative_padding_matches_torch_or_is_refused(kind: str) -> None:
    """Where the layer accepts a negative padding, torch gives the same output shape."""
    value = {"value": 1.0} if kind == "ConstantPad1d" else {}
    for size, left, right in product((1, 2, 4), range(-5, 5), range(-5, 5)):
        layer = LAYERS.parse({kind: {"padding": [left, right], **value}})
        try:
            y = layer.output_shape((1, size))
        except ShapeError:
            continue
        assert layer.build((1, size))(torch.zeros(2, 1, size)).shape == (2, *y)


TWO_PATTERNS = [
    {"ConvTranspose1d": {"out_channels": 1, "kernel_size": 2, "stride": 9_000, "dilation": 9_001}},
    {"Conv1d": [1, 9_001]},
]


@pytest.mark.parametrize(
    "layers", [[{"ConvTranspose1d": [1, 30_000, 9_000]}], TWO_PATTERNS], ids=["taps", "patterns"]
)
def test_long_patterns_are_analyzed(layers: list[Any]) -> None:
    """Huge windows are analyzed without a table of their positions."""
    document = {"name": "a", "input": [1, 9], "layers": layers}
    analysis = analyse(Architecture.model_validate(document))
    assert 1 <= analysis.receptive_field[0] <= 9


def test_batch_normalization_does_not_widen_the_field() -> None:
    """Batch statistics, which read every position in training, do not count."""
    for layer in (BatchNorm1d(), BatchNorm2d(track_running_stats=False)):
        field = ReceptiveField.of_input((4, 6))
        assert layer.receptive_field((4, 6), field) == field


# --- invalid documents ----------------------------------------------------------------------------


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Generate a document with a few changed values or keys."""
    document: Any = copy.deepcopy(draw(documents()))
    for _ in range(draw(st.integers(1, 3))):
        part, path = document, draw(st.lists(st.integers(0, 30), min_size=1, max_size=4))
        for step in path[:-1]:
            inner = list(part.values()) if isinstance(part, dict) else part
            inner = [value for value in inner if isinstance(value, dict | list) and value]
            if not inner:
                break
            part = inner[step % len(inner)]
        if isinstance(part, list):
            part[path[-1] % len(part)] = draw(plain_values)
        elif draw(st.booleans()):
            part[draw(st.sampled_from(sorted(part, key=str)))] = draw(plain_values)
        else:
            part[
                draw(st.text(max_size=5) | st.sampled_from(["train", "targets", "Conv2d", "p"]))
            ] = draw(plain_values)
    return document


def analyze_or_refuse(text: str) -> Analysis | None:
    """Return the analysis of a document; None if it is refused as a user's mistake."""
    try:
        return analyse(parse_architecture(text, "random.yaml"))
    except NetbuilderError as error:
        for problem in getattr(error, "problems", []):
            assert str(problem).isprintable()
            assert problem.line > 0
        return None


@many
@given(mutated())
def test_a_mutated_document_is_analyzed_or_refused(document: Any) -> None:
    """Any change gives an analysis, a fault or an error message, and no other exception."""
    analysis = analyze_or_refuse(json.dumps(document, ensure_ascii=False, allow_nan=True))
    assert analysis is None or analysis.fault or len(analysis.rows) == len(document["layers"])


@many
@given(st.sampled_from(NAMES), plain_values, inputs())
def test_any_value_of_a_kind_is_analyzed_or_refused(name: str, value: Any, x: Any) -> None:
    """Any value after a kind's name gives an analysis or an error message."""
    analyze_or_refuse(json.dumps({"name": "a", "input": x, "layers": [{name: value}]}))


@many
@given(st.data(), st.sampled_from(NAMES))
def test_huge_arguments_are_analyzed_or_refused(data: st.DataObject, name: str) -> None:
    """Arguments beyond 32 bits give an analysis or an error message, without building."""
    x = data.draw(inputs())
    values = data.draw(arguments(name, x))
    huge = st.sampled_from([2**31 - 1, 2**31, 2**63, 10**39, -(2**31), 10.0**300, 0])
    values = {key: data.draw(huge | st.just(value)) for key, value in values.items()}
    analyze_or_refuse(json.dumps({"name": "a", "input": x, "layers": [{name: values}, "Flatten"]}))


@some
@given(st.text(max_size=60) | st.text("[]{}:,-&*!|>'\"#?%@ \n\tab1.", max_size=60))
def test_any_text_is_analyzed_or_refused(text: str) -> None:
    """Any text gives an analysis or an error message."""
    analyze_or_refuse(text)
