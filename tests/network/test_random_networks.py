"""Random networks and documents: the walk without torch says what torch says, or refuses."""

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
def test_the_walk_is_what_torch_does(architecture: Architecture) -> None:
    """Each row's shapes, parameters and multiply-accumulates are those of the built module."""
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
def test_rows_are_what_forward_hooks_see(architecture: Architecture) -> None:
    """In one pass through the whole network each layer takes and gives the shapes of its row."""
    seen: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def note(_: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        seen.append((tuple(given[0].shape), tuple(out.shape)))

    model = on_meta(architecture).eval()
    for layer in model:
        layer.register_forward_hook(note)
    model(torch.empty(2, *architecture.input, device="meta"))
    rows = analyse(architecture).rows
    assert seen == [((2, *row.input_shape), (2, *row.output_shape)) for row in rows]


@many
@given(architectures(inputs(1, 9)))
def test_no_output_reads_beyond_its_field(architecture: Architecture) -> None:
    """What is measured on the real network is never wider than the receptive field reported."""
    if any(_wraps(layer) for layer in architecture.layers):
        return  # a wrapped border reads the far side; the field is that of the inside
    analysis, model = analyse(architecture), build(architecture)
    for axis, size in enumerate(analysis.receptive_field):
        assert widest(read_along(model, architecture.input, axis)) <= size


DEALING = ("Fold", "PixelUnshuffle", "Unflatten", "Unfold")
ONE_TO_ONE = tuple(name for name in NAMES if name not in DEALING)
"""Kinds that deal no positions out over channels or axes, where one output is not a position."""


@many
@given(architectures(inputs(8, 20).filter(lambda x: len(x) == 3), ONE_TO_ONE, longest=5))
def test_the_field_is_the_measured_one(architecture: Architecture) -> None:
    """Where an output's field lies inside the input, it is exactly as wide as is measured."""
    if any(_wraps(layer) for layer in architecture.layers):
        return
    analysis, model = analyse(architecture), build(architecture)
    for axis, inside in enumerate(_has_inside(architecture)):
        measured = widest(read_along(model, architecture.input, axis))
        if inside:
            assert measured == analysis.receptive_field[axis]


def _wraps(layer: Layer) -> bool:
    """Whether its border is wrapped: it reads the far side, and the field is that of the inside."""
    padding = getattr(layer, "padding", ())
    wrapped = getattr(layer, "padding_mode", "") == "circular" or "Circular" in layer.kind
    return wrapped and padding != "valid" and any(padding)


def _field(architecture: Architecture) -> ReceptiveField:
    """What the last layer's positions see."""
    x = architecture.input
    field = ReceptiveField.of_input(x)
    for layer in architecture.layers:
        field, x = layer.receptive_field(x, field), layer.output_shape(x)
    return field


def _has_inside(architecture: Architecture) -> list[bool]:
    """For each axis, whether a position with the widest field reads no padding on its way."""
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
def test_adaptive_windows(size: int, bins: int) -> None:
    """Adaptive pooling's windows are those that its definition gives."""
    window = Window.adaptive(size, bins)
    for i in range(bins):
        assert window.span_at(i) == (i * size // bins, -(-(i + 1) * size // bins) - 1)


def test_channels_know_the_positions_that_were_flattened_into_them() -> None:
    """A layer that reads all channels behind a Flatten reads the rows among them."""
    document = {"name": "a", "input": [2, 5, 3], "layers": [{"Flatten": [1, 2]}, {"Softmax": 1}]}
    architecture = Architecture.model_validate(document)
    assert widest(read_along(build(architecture), (2, 5, 3), axis=0)) == 5
    assert analyse(architecture).receptive_field[0] == 5


def test_a_layer_that_reads_all_sees_all_behind_taps_out_of_order() -> None:
    """Behind a dilated transposed convolution, what reads the whole axis sees the whole input."""
    spread = {"ConvTranspose1d": [1, 4, 3, 0, 0, 1, True, 2]}
    document = {"name": "a", "input": [1, 12], "layers": [spread, {"Linear": 2}]}
    architecture = Architecture.model_validate(document)
    assert widest(read_along(build(architecture), (1, 12), axis=0)) == 12
    [size] = analyse(architecture).receptive_field
    assert size >= 12


def test_a_long_window_over_positions_in_no_order_is_answered_at_once() -> None:
    """What would take minutes to follow is said to see all that there is."""
    layers = ["Flatten", {"Unflatten": [1, [1, 60_000]]}, {"Conv1d": [1, 30_000]}]
    document = {"name": "a", "input": [4, 100, 150], "layers": layers}
    assert analyse(Architecture.model_validate(document)).receptive_field == (100, 150)


@pytest.mark.parametrize(
    "written",
    [[2, 2, 2, 3, 1, 1, True, 3], [2, 4, 4, 1, 1, 1, True, 3], [2, 4, 3, 1, 1, 1, True, 2]],
)
def test_all_turns_of_a_pattern_that_goes_back_are_read(written: list[object]) -> None:
    """Where neighbours of a transposed convolution read in no order, all that is read counts."""
    document = {"name": "a", "input": [2, 16], "layers": [{"ConvTranspose1d": written}]}
    document["layers"] = [*document["layers"], {"GroupNorm": 1}]
    architecture = Architecture.model_validate(document)
    measured = widest(read_along(build(architecture), (2, 16), axis=0))
    assert measured == min(16, analyse(architecture).receptive_field[0])


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear"])
@pytest.mark.parametrize("again", [False, True])
def test_scales_that_are_no_binary_fraction_round_as_torch_does(mode: str, again: bool) -> None:
    """Ten positions scaled by 0.7 are seven, and each reads what torch reads in float32."""
    for size, tenths in [*product(range(1, 21), range(3, 32)), (25, 28)]:
        written = {"scale_factor": tenths / 10, "mode": mode, "recompute_scale_factor": again}
        layer = LAYERS.parse({"Upsample": written})
        if size * tenths < 10:
            continue
        [window] = layer.receptive_field((1, size), ReceptiveField.of_input((1, size))).windows
        x = torch.where(torch.eye(size, dtype=torch.bool), torch.nan, 0.0)[:, None]
        read = layer.build((1, size))(x)[:, 0].isnan()
        assert layer.output_shape((1, size)) == (1, read.shape[1])
        step = size / read.shape[1] if again else 10 / tenths
        for position, rows in enumerate(read.T):
            at = (position + 0.5) * step - 0.5
            if mode == "linear" and abs(at - round(at)) < 1e-5:
                continue  # on which side of a position float32 puts it, builds of torch differ in
            found = rows.nonzero().flatten().tolist()
            assert (found[0], found[-1]) == window.span_at(position)


@pytest.mark.parametrize("kind", ["CircularPad1d", "ConstantPad1d", "ZeroPad1d"])
def test_an_end_that_is_cut_off_leaves_enough_to_pad(kind: str) -> None:
    """Where torch cuts more than there is, or wraps what it has cut off, the layer is refused."""
    value = {"value": 1.0} if kind == "ConstantPad1d" else {}
    for size, before, behind in product((1, 2, 4), range(-5, 5), range(-5, 5)):
        layer = LAYERS.parse({kind: {"padding": [before, behind], **value}})
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
def test_long_patterns_are_answered(layers: list[Any]) -> None:
    """However large the windows are; written out, these would take minutes or all memory."""
    document = {"name": "a", "input": [1, 9], "layers": layers}
    analysis = analyse(Architecture.model_validate(document))
    assert 1 <= analysis.receptive_field[0] <= 9


def test_batch_normalisation_is_counted_as_reading_its_own_position() -> None:
    """Statistics of a batch, which training reads from everywhere, are no part of the field."""
    for layer in (BatchNorm1d(), BatchNorm2d(track_running_stats=False)):
        field = ReceptiveField.of_input((4, 6))
        assert layer.receptive_field((4, 6), field) == field


# --- documents that are wrong ---------------------------------------------------------------------


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A document in which a few values, keys or forms were changed."""
    document: Any = copy.deepcopy(draw(documents()))
    for _ in range(draw(st.integers(1, 3))):
        here, path = document, draw(st.lists(st.integers(0, 30), min_size=1, max_size=4))
        for step in path[:-1]:
            inner = list(here.values()) if isinstance(here, dict) else here
            inner = [value for value in inner if isinstance(value, dict | list) and value]
            if not inner:
                break
            here = inner[step % len(inner)]
        if isinstance(here, list):
            here[path[-1] % len(here)] = draw(plain_values)
        elif draw(st.booleans()):
            here[draw(st.sampled_from(sorted(here, key=str)))] = draw(plain_values)
        else:
            here[
                draw(st.text(max_size=5) | st.sampled_from(["train", "targets", "Conv2d", "p"]))
            ] = draw(plain_values)
    return document


def _survives(text: str) -> Analysis | None:
    """The analysis of a document; None if it was refused as a user's mistake."""
    try:
        return analyse(parse_architecture(text, "random.yaml"))
    except NetbuilderError as error:
        for problem in getattr(error, "problems", []):
            assert str(problem).isprintable()
            assert problem.line > 0
        return None


@many
@given(mutated())
def test_a_wrong_document_is_refused_and_never_a_surprise(document: Any) -> None:
    """Whatever is changed in a document, it is analysed, faulted or refused as a user's mistake."""
    analysis = _survives(json.dumps(document, ensure_ascii=False, allow_nan=True))
    assert analysis is None or analysis.fault or len(analysis.rows) == len(document["layers"])


@many
@given(st.sampled_from(NAMES), plain_values, inputs())
def test_any_value_behind_a_kind_is_read_or_refused(name: str, value: Any, x: Any) -> None:
    """Whatever stands behind a kind's name, nothing but a user's mistake comes of it."""
    _survives(json.dumps({"name": "a", "input": x, "layers": [{name: value}]}))


@many
@given(st.data(), st.sampled_from(NAMES))
def test_huge_arguments_are_analysed_or_refused(data: st.DataObject, name: str) -> None:
    """Arguments of two thousand million and far more are answered without building anything."""
    x = data.draw(inputs())
    written = data.draw(arguments(name, x))
    huge = st.sampled_from([2**31 - 1, 2**31, 2**63, 10**39, -(2**31), 10.0**300, 0])
    written = {key: data.draw(huge | st.just(value)) for key, value in written.items()}
    _survives(json.dumps({"name": "a", "input": x, "layers": [{name: written}, "Flatten"]}))


@some
@given(st.text(max_size=60) | st.text("[]{}:,-&*!|>'\"#?%@ \n\tab1.", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text whatever makes anything but a user's mistake."""
    _survives(text)
