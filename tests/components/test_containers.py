"""Containers: what they compute, and how an analysis sums them up."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from nested import network
from torch import Tensor

from netbuilder.components.layers.containers import Parallel, Residual
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape
from netbuilder.config.json_schema import document_schema
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.network.testing import check_layer, read_along, widest

pytestmark = pytest.mark.filterwarnings(
    "ignore:Implicit dimension choice:UserWarning", "ignore:Using padding=.same.:UserWarning"
)


def outputs(*layers: object, shape: Shape = (4, 8, 8)) -> tuple[Any, Tensor, Tensor]:
    """Return the built network, a batch and the output for it."""
    torch.manual_seed(0)
    model = build(network(*layers, shape=shape)).eval()
    x = torch.randn(2, *shape)
    return model, x, model(x)


CONV: dict[str, Any] = {"Conv2d": [4, 3, 1, 1]}


def test_a_residual_adds_its_input_to_its_body() -> None:
    """Without a shortcut the input itself is added, and the activation follows the sum."""
    model, x, y = outputs({"Residual": {"body": [CONV, "Tanh"], "activation": "ReLU"}})
    assert torch.equal(y, torch.relu(model[0].body(x) + x))


def test_a_shortcut_replaces_the_input() -> None:
    """A shortcut is applied to the input, and may change its shape as the body does."""
    strided = {"body": [{"Conv2d": [6, 3, 2, 1]}], "shortcut": [{"Conv2d": [6, 1, 2]}]}
    model, x, y = outputs({"Residual": strided})
    assert torch.equal(y, model[0].body(x) + model[0].shortcut(x))


def test_a_gate_multiplies_all_positions() -> None:
    """A body with one position per image scales every position of the input."""
    gate = [{"AdaptiveAvgPool2d": 1}, {"Conv2d": [4, 1]}, "Sigmoid"]
    model, x, y = outputs({"Residual": {"body": gate, "join": "multiply"}})
    assert torch.equal(y, model[0].body(x) * x)


@pytest.mark.parametrize("join", ["concat", "add", "multiply", "mean"])
def test_branches_are_joined_by_the_operation_of_torch(join: str) -> None:
    """Each join equals torch's operation on the branch outputs, in their order."""
    branches = {"one": [CONV], "two": [], "three": [CONV, "ReLU"]}
    model, x, y = outputs({"Parallel": {"branches": branches, "join": join}})
    parts = torch.stack([model[0].one(x), x, model[0].three(x)])
    expected = {
        "concat": torch.cat(list(parts), dim=1),
        "add": parts.sum(0),
        "multiply": parts.prod(0),
        "mean": parts.mean(0),
    }
    torch.testing.assert_close(y, expected[join])


def test_a_split_divides_the_channels_among_branches() -> None:
    """Each branch reads its own consecutive part of the channels."""
    branches = {"left": [], "right": ["Tanh"]}
    _, x, y = outputs({"Parallel": {"branches": branches, "split": True}})
    assert torch.equal(y, torch.cat([x[:, :2], torch.tanh(x[:, 2:])], dim=1))


def test_a_container_has_a_row_with_the_totals_of_its_layers() -> None:
    """The row of a container precedes those of its layers, and totals count each layer once."""
    inner = {"Residual": {"body": [CONV, "BatchNorm2d"], "activation": "ReLU"}}
    analysis = analyse(network(CONV, {"Sequential": {"layers": [inner, CONV], "name": "stage"}}))
    assert [(row.depth, row.path, row.title) for row in analysis.rows] == [
        (0, "0", "Conv2d"),
        (0, "1", "stage"),
        (1, "1.0", "Residual"),
        (2, "1.0.body.0", "Conv2d"),
        (2, "1.0.body.1", "BatchNorm2d"),
        (2, "1.0.activation", "ReLU"),
        (1, "1.1", "Conv2d"),
    ]
    conv = 4 * 4 * 9 + 4
    assert [row.parameters for row in analysis.rows] == [
        conv, 2 * conv + 8, conv + 8, conv, 8, 0, conv,
    ]  # fmt: skip
    assert analysis.parameters == 3 * conv + 8
    activation = 4 * 8 * 8 * 4
    assert analysis.activation_bytes == 6 * activation, "five layers and the sum of the residual"


def test_folding_omits_rows_below_a_depth() -> None:
    """Rows deeper than the depth are omitted, and their containers include their totals."""
    analysis = analyse(network({"Sequential": {"layers": [{"Residual": {"body": [CONV]}}]}}, CONV))
    assert [row.path for row in analysis.folded(0)] == ["0", "1"]
    assert [row.path for row in analysis.folded(1)] == ["0", "0.0", "1"]
    assert sum(row.parameters for row in analysis.folded(0)) == analysis.parameters


def test_an_activation_takes_its_channels_from_the_joined_output() -> None:
    """An activation with one weight per channel has as many as the sum has channels."""
    wide: dict[str, Any] = {"body": [{"Conv2d": [6, 1]}], "shortcut": [{"Conv2d": [6, 1]}]}
    residual = {"Residual": wide | {"activation": "BatchNorm2d"}}
    model, _, y = outputs(residual)
    assert model[0].activation.num_features == y.shape[1] == 6


@pytest.mark.parametrize(
    "container",
    [
        {"Residual": {"body": [CONV, CONV], "activation": {"Conv2d": [3, [3, 2]]}}},
        {"Residual": {"body": [CONV], "shortcut": [{"Conv2d": [4, 1]}], "join": "multiply"}},
        {"Parallel": {"branches": {"a": [CONV], "b": ["Tanh"]}, "split": True}},
        {"Sequential": [CONV, {"Parallel": {"branches": {"a": [CONV, CONV], "b": []}}}]},
    ],
)
def test_containers_fulfill_the_contract_of_layers(container: dict[str, Any]) -> None:
    """Shape, parameters, multiply-accumulates, receptive field and canonical form match torch."""
    layer = network(container, shape=(4, 12, 10)).layers[0]
    check_layer(layer, (4, 12, 10))


def test_arguments_of_a_container_exclude_its_layers() -> None:
    """The arguments of a container state how it joins, since its layers have their own rows."""
    residual = {"body": [CONV], "activation": "ReLU", "join": "multiply"}
    parallel = {"branches": {"a": [], "b": []}, "split": True}
    layers = network(
        {"Residual": residual}, {"Parallel": parallel}, {"Sequential": ["ReLU"]}
    ).layers
    assert [layer.arguments() for layer in layers] == [
        {"join": "multiply"},
        {"join": "concat", "split": True},
        {"name": ""},
    ]


def test_the_canonical_form_of_a_container_contains_its_layers() -> None:
    """Nested layers are in the canonical form, which reads back as an equal architecture."""
    before = network({"Parallel": {"branches": {"a": [CONV], "b": [{"Residual": {"body": []}}]}}})
    after = Architecture.model_validate(before.model_dump(mode="json"))
    assert after == before
    assert isinstance(before.layers[0], Parallel)
    assert isinstance(before.layers[0].branches["b"][0], Residual)


def test_the_receptive_field_covers_every_branch() -> None:
    """The field along each axis is that of the widest branch."""
    branches = {"a": [{"Conv2d": [1, 3, 1, 1]}], "b": [{"Conv2d": [1, [5, 1], 1, [2, 0]]}]}
    analysis = analyse(network({"Parallel": {"branches": branches}}))
    assert analysis.receptive_field == (5, 3)


def test_the_field_of_a_gate_is_the_whole_input() -> None:
    """Each scaled position sees all that the gate sees, and nothing beyond the input."""
    gate = [{"AdaptiveAvgPool2d": 1}, {"Conv2d": [4, 1]}, "Sigmoid"]
    layers = [{"Residual": {"body": gate, "join": "multiply"}}, CONV]
    architecture = network(*layers)
    model, analysis = build(architecture), analyse(architecture)
    measured = [widest(read_along(model, (4, 8, 8), axis)) for axis in (0, 1)]
    assert list(analysis.receptive_field) == measured == [8, 8]


def test_joining_a_local_and_a_strided_global_branch_sees_both() -> None:
    """A pooled strided branch and the identity together see the whole input."""
    strided = [{"Conv2d": [4, 1, 3]}, {"AdaptiveAvgPool2d": 1}]
    architecture = network({"Residual": {"body": strided, "join": "multiply"}}, shape=(4, 6, 6))
    measured = widest(read_along(build(architecture), (4, 6, 6), 0))
    assert analyse(architecture).receptive_field == (measured, measured) == (6, 6)


@pytest.mark.parametrize("join", ["add", "concat"])
@pytest.mark.parametrize("branch", [[], [{"Linear": 4}]])
@pytest.mark.parametrize(
    ("shape", "before"), [((8,), []), ((2, 8, 3), [{"Flatten": [1, 2]}]), ((1, 8, 3), ["Flatten"])]
)
def test_split_branches_after_flatten_see_different_positions(
    shape: Shape, before: list[Any], branch: list[Any], join: str
) -> None:
    """Where channels are positions, as after Flatten, the field matches the measured one."""
    split = {"branches": {"a": branch, "b": branch}, "join": join, "split": True}
    architecture = network(*before, {"Parallel": split}, "Identity", shape=shape)
    model = build(architecture)
    for axis, size in enumerate(analyse(architecture).receptive_field):
        assert size == widest(read_along(model, shape, axis))


def test_concatenated_vectors_keep_the_fields_of_their_positions() -> None:
    """After Flatten, concat appends positions, and each keeps its own span."""
    branches = {"near": ["Flatten"], "far": [{"MaxPool2d": 4}, "Flatten"]}
    architecture = network({"Parallel": {"branches": branches}}, shape=(1, 8, 8))
    measured = widest(read_along(build(architecture), (1, 8, 8), 0))
    assert analyse(architecture).receptive_field == (measured, measured) == (4, 4)
    [first, *_, last] = _spans(architecture)
    assert (first, last) == ((0, 0), (4, 7))


def _spans(architecture: Architecture) -> list[tuple[int, int]]:
    """Return the rows that each output position of the only layer sees."""
    [layer], x = architecture.layers, architecture.input
    field = layer.receptive_field(x, ReceptiveField.of_input(x))
    return [field.windows[0].span_at(i) for i in range(layer.output_shape(x)[0])]


def test_a_window_over_flattened_rows_sees_both_ends_of_a_row() -> None:
    """A window over concatenated rows can span the end of a row and the start of the next."""
    architecture = network({"Flatten": [2, 3]}, {"GLU": 2}, shape=(2, 3, 4))
    model, analysis = build(architecture), analyse(architecture)
    measured = tuple(widest(read_along(model, (2, 3, 4), axis)) for axis in (0, 1))
    assert analysis.receptive_field == measured == (3, 3)


def test_a_sequential_accepts_a_bare_list_of_layers() -> None:
    """A list in place of the arguments is the argument `layers`."""
    assert network({"Sequential": ["ReLU", CONV]}) == network(
        {"Sequential": {"layers": ["ReLU", CONV]}}
    )


def test_a_fault_in_a_bare_list_names_its_place() -> None:
    """The field of a fault has the name `layers`, which the document omits."""
    text = """\
name: a
input: [1, 8, 8]
values: {n: 4}
layers:
  - Sequential:
      - Conv2d: ["${n}", 3]
      - Sequential: [ReLU, MaxPool2d: 9]
"""
    place = "a.yaml:7:28: layers[0].Sequential.layers[1].Sequential.layers[1].MaxPool2d: window 9x9"
    with pytest.raises(ConfigError, match=f"^{re.escape(place)}"):
        analyse(parse_architecture(text, "a.yaml")).require_sound()


@pytest.mark.parametrize(
    "layer",
    [
        "Sequential: [{Conv2d: [4, 3]}, ReLU]",
        "Sequential: []",
        "Residual: [[ReLU, {Repeat: {times: 2, layers: [Tanh]}}], [], multiply]",
        "Parallel: [{a: [{Repeat: {times: 2, layers: [Tanh]}}], b: ['${kind}']}, add]",
    ],
)
def test_containers_accept_arguments_by_position(layer: str) -> None:
    """Positional lists of layers are expanded as named ones are, and the schema allows them."""
    text = f"name: a\nvalues: {{kind: ReLU}}\ninput: [4, 8, 8]\nlayers:\n  - {layer}\n"
    assert analyse(parse_architecture(text, "a.yaml")).fault is None
    assert Draft202012Validator(document_schema()).is_valid(parse(text, "a.yaml")[0].plain())
