"""Layers that hold layers: what they compute, how they are summed up, and what they refuse."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from nested import network
from torch import Tensor, nn

from netbuilder.analysis import analyse
from netbuilder.builder import build
from netbuilder.contract import read_along, widest
from netbuilder.errors import ConfigError
from netbuilder.json_schema import document_schema
from netbuilder.layers.containers import TAKEN, Parallel, Residual
from netbuilder.layers.modules import Parallel as ParallelModule
from netbuilder.loader import parse_architecture
from netbuilder.receptive_field import ReceptiveField
from netbuilder.schema import Architecture
from netbuilder.shapes import Shape
from netbuilder.yaml_text import parse

pytestmark = pytest.mark.filterwarnings(
    "ignore:Implicit dimension choice:UserWarning", "ignore:Using padding=.same.:UserWarning"
)


def outputs(*layers: object, shape: Shape = (4, 8, 8)) -> tuple[Any, Tensor, Tensor]:
    """The built network, a batch and what comes of it."""
    torch.manual_seed(0)
    model = build(network(*layers, shape=shape)).eval()
    x = torch.randn(2, *shape)
    return model, x, model(x)


CONV: dict[str, Any] = {"Conv2d": [4, 3, 1, 1]}


def test_a_residual_adds_its_body_to_its_input() -> None:
    """Without a shortcut the input itself is added, and the activation comes behind."""
    model, x, y = outputs({"Residual": {"body": [CONV, "Tanh"], "activation": "ReLU"}})
    assert torch.equal(y, torch.relu(model[0].body(x) + x))


def test_a_shortcut_takes_the_place_of_the_input() -> None:
    """A shortcut reads the input beside the body, and may change its shape as the body does."""
    strided = {"body": [{"Conv2d": [6, 3, 2, 1]}], "shortcut": [{"Conv2d": [6, 1, 2]}]}
    model, x, y = outputs({"Residual": strided})
    assert torch.equal(y, model[0].body(x) + model[0].shortcut(x))


def test_a_gate_multiplies_every_position() -> None:
    """Multiplying takes a body of one position an image, which scales all of them."""
    gate = [{"AdaptiveAvgPool2d": 1}, {"Conv2d": [4, 1]}, "Sigmoid"]
    model, x, y = outputs({"Residual": {"body": gate, "join": "multiply"}})
    assert torch.equal(y, model[0].body(x) * x)


@pytest.mark.parametrize("how", ["concat", "add", "multiply", "mean"])
def test_branches_are_joined_in_their_order(how: str) -> None:
    """Each way to join is torch's operation on the branches' outputs."""
    branches = {"one": [CONV], "two": [], "three": [CONV, "ReLU"]}
    model, x, y = outputs({"Parallel": {"branches": branches, "join": how}})
    parts = torch.stack([model[0].one(x), x, model[0].three(x)])
    expected = {
        "concat": torch.cat(list(parts), dim=1),
        "add": parts.sum(0),
        "multiply": parts.prod(0),
        "mean": parts.mean(0),
    }
    torch.testing.assert_close(y, expected[how])


def test_a_split_gives_each_branch_its_share() -> None:
    """The channels are dealt out in order, each branch working on its own."""
    branches = {"left": [], "right": ["Tanh"]}
    _, x, y = outputs({"Parallel": {"branches": branches, "split": True}})
    assert torch.equal(y, torch.cat([x[:, :2], torch.tanh(x[:, 2:])], dim=1))


def test_rows_show_the_nesting_and_containers_sum_up() -> None:
    """A container's row stands before those inside it, and totals count each layer once."""
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
    one = 4 * 8 * 8 * 4
    assert analysis.activation_bytes == 6 * one, "five layers and the sum of the residual"


def test_folding_leaves_out_what_is_deeper() -> None:
    """With a depth, rows in more containers are left to the sums of theirs."""
    analysis = analyse(network({"Sequential": {"layers": [{"Residual": {"body": [CONV]}}]}}, CONV))
    assert [row.path for row in analysis.folded(0)] == ["0", "1"]
    assert [row.path for row in analysis.folded(1)] == ["0", "0.0", "1"]
    assert sum(row.parameters for row in analysis.folded(0)) == analysis.parameters


def test_a_fault_inside_leaves_the_rows_before_it() -> None:
    """What is known of an unfinished container are its layers up to the fault."""
    body = [CONV, {"Linear": 3}, {"Conv2d": [4, 9]}]
    analysis = analyse(network("ReLU", {"Residual": {"body": body}}, CONV))
    assert [row.path for row in analysis.rows] == ["0", "1.body.0", "1.body.1"]
    assert analysis.fault is not None
    assert analysis.fault.field == "layers[1].Residual.body[2].Conv2d"
    assert analysis.parameters == sum(row.parameters for row in analysis.rows)


DOCUMENT = """\
name: a
input: [4, 8, 8]
layers:
  - Parallel:
      join: add
      branches:
        one:
          - Conv2d: [4, 3]
        two:
          - Conv2d: [5, 3]
"""


def test_branches_that_do_not_fit_are_told_with_both_shapes_and_places() -> None:
    """The message holds what each branch gives and where it stands."""
    fault = analyse(parse_architecture(DOCUMENT, "net.yaml")).fault
    assert str(fault) == (
        "net.yaml:4:5: layers[0].Parallel: add cannot join 4x6x6 of one and 5x6x6 of two; "
        "it adds position by position: give both the same shape "
        "(net.yaml:7:9 and net.yaml:9:9)"
    )


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"Parallel": {"branches": {"a": []}}}, r"found 1 branches; allowed: at least 2"),
        ({"Parallel": {"branches": {"a": [], "b": None}}}, r"branches\.b: found nothing"),
        ({"Parallel": {"branches": {"a": [], "b.c": []}}}, r"the branch name 'b\.c'; allowed"),
        ({"Parallel": {"branches": {"a": [], "train": []}}}, r"not a name of torch modules"),
        ({"Residual": {}}, r"body: it is required and missing"),
        ({"Residual": {"body": [], "join": "concat"}}, r"join: found .*'add' or 'multiply'"),
        (
            {"Residual": {"body": ["Identity", {"ReLU": True}]}},
            r"body\[1\]\.ReLU\.inplace: inplace here would change what the other branches read",
        ),
        ({"Sequential": {"layers": ["Relu"]}}, r"layers\[0\]: unknown layer 'Relu'"),
    ],
)
def test_wrong_containers_are_refused(container: dict[str, Any], message: str) -> None:
    """Each mistake is told where it stands."""
    text = json.dumps({"name": "a", "input": [4, 8, 8], "layers": [container]})
    with pytest.raises(ConfigError, match=message):
        parse_architecture(text, "net.yaml")


IN_PLACE: dict[str, Any] = {"ReLU": True}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([IN_PLACE], "body[0].ReLU"),
        (["Dropout", "Flatten", IN_PLACE], "body[2].ReLU"),
        (["AlphaDropout", IN_PLACE], "body[1].ReLU"),
        ([{"StochasticDepth": [0.2, "row"]}, IN_PLACE], "body[1].ReLU"),
        ([{"Sequential": ["Identity", IN_PLACE]}], "body[0].Sequential.layers[1].ReLU"),
        ([{"Sequential": []}, IN_PLACE], "body[1].ReLU"),
        ([{"Sequential": [{"Sequential": ["Identity"]}]}, IN_PLACE], "body[1].ReLU"),
        (["Tanh", IN_PLACE], ""),
        ([{"Sequential": ["Identity", "Tanh"]}, IN_PLACE], ""),
        ([{"Residual": {"body": []}}, IN_PLACE], ""),
    ],
)
def test_in_place_is_refused_where_it_would_reach_the_input(body: list[Any], place: str) -> None:
    """What only hands its input on does not shield it; what makes a tensor of its own does."""
    text = json.dumps({"name": "a", "input": [4], "layers": [{"Residual": {"body": body}}]})
    if place:
        with pytest.raises(ConfigError, match=re.escape(f"Residual.{place}.inplace: inplace here")):
            parse_architecture(text, "net.yaml")
    else:
        model = build(parse_architecture(text, "net.yaml")).eval()
        x = torch.randn(2, 4)
        model(before := x.clone())
        assert torch.equal(before, x)


def test_uneven_splits_are_refused() -> None:
    """Channels that cannot be dealt out evenly are a fault of the shape."""
    branches: dict[str, Any] = {"a": [], "b": [], "c": []}
    fault = analyse(network({"Parallel": {"branches": branches, "split": True}})).fault
    assert fault is not None
    assert fault.message.startswith("split deals 4 channels out over 3 branches")


def test_the_activation_takes_what_is_joined() -> None:
    """Behind a body that widens, an activation with a weight a channel has those of the sum."""
    wide: dict[str, Any] = {"body": [{"Conv2d": [6, 1]}], "shortcut": [{"Conv2d": [6, 1]}]}
    residual = {"Residual": wide | {"activation": "BatchNorm2d"}}
    model, _, y = outputs(residual)
    assert model[0].activation.num_features == y.shape[1] == 6


def test_names_of_torch_modules_are_no_branches() -> None:
    """Whatever the built module has for itself is taken, so that no branch hides a method."""
    module = ParallelModule({"a": nn.Identity(), "b": nn.Identity()}, "add", split=False)
    own = {name for name in dir(module) if not name.startswith("_")} - {"a", "b"}
    assert own <= TAKEN


def test_layers_keep_what_is_written_behind_a_container_in_json() -> None:
    """The canonical form holds the layers inside, and reads back as the same."""
    before = network({"Parallel": {"branches": {"a": [CONV], "b": [{"Residual": {"body": []}}]}}})
    again = Architecture.model_validate(before.model_dump(mode="json"))
    assert again == before
    assert isinstance(before.layers[0], Parallel)
    assert isinstance(before.layers[0].branches["b"][0], Residual)


def test_the_widest_branch_is_the_field() -> None:
    """What a position sees through branches is all that one of them sees."""
    branches = {"a": [{"Conv2d": [1, 3, 1, 1]}], "b": [{"Conv2d": [1, [5, 1], 1, [2, 0]]}]}
    analysis = analyse(network({"Parallel": {"branches": branches}}))
    assert analysis.receptive_field == (5, 3)


def test_a_gate_sees_what_it_was_made_of_everywhere() -> None:
    """Each scaled position sees all that the gate saw, once, and nothing beyond the input."""
    gate = [{"AdaptiveAvgPool2d": 1}, {"Conv2d": [4, 1]}, "Sigmoid"]
    layers = [{"Residual": {"body": gate, "join": "multiply"}}, CONV]
    architecture = network(*layers)
    model, analysis = build(architecture), analyse(architecture)
    measured = [widest(read_along(model, (4, 8, 8), axis)) for axis in (0, 1)]
    assert list(analysis.receptive_field) == measured == [8, 8]


def test_a_branch_that_sees_a_part_is_joined_with_one_that_sees_all_of_another() -> None:
    """What sees everything left by a stride and what sees its own place see both together."""
    strided = [{"Conv2d": [4, 1, 3]}, {"AdaptiveAvgPool2d": 1}]
    architecture = network({"Residual": {"body": strided, "join": "multiply"}}, shape=(4, 6, 6))
    measured = widest(read_along(build(architecture), (4, 6, 6), 0))
    assert analyse(architecture).receptive_field == (measured, measured) == (6, 6)


@pytest.mark.parametrize("join", ["add", "concat"])
@pytest.mark.parametrize("branch", [[], [{"Linear": 4}]])
@pytest.mark.parametrize(
    ("shape", "before"), [((8,), []), ((2, 8, 3), [{"Flatten": [1, 2]}]), ((1, 8, 3), ["Flatten"])]
)
def test_each_share_of_a_split_is_of_other_positions(
    shape: Shape, before: list[Any], branch: list[Any], join: str
) -> None:
    """Where channels are positions, as behind Flatten, the branches see different ones."""
    split = {"branches": {"a": branch, "b": branch}, "join": join, "split": True}
    architecture = network(*before, {"Parallel": split}, "Identity", shape=shape)
    model = build(architecture)
    for axis, size in enumerate(analyse(architecture).receptive_field):
        assert size == widest(read_along(model, shape, axis))


def test_vectors_are_put_behind_one_another() -> None:
    """Behind Flatten, concat puts positions behind one another, each seeing what it saw."""
    branches = {"near": ["Flatten"], "far": [{"MaxPool2d": 4}, "Flatten"]}
    architecture = network({"Parallel": {"branches": branches}}, shape=(1, 8, 8))
    measured = widest(read_along(build(architecture), (1, 8, 8), 0))
    assert analyse(architecture).receptive_field == (measured, measured) == (4, 4)
    [first, *_, last] = _spans(architecture)
    assert (first, last) == ((0, 0), (4, 7))


def _spans(architecture: Architecture) -> list[tuple[int, int]]:
    """Rows that each position of the output of the only layer sees."""
    [layer], x = architecture.layers, architecture.input
    field = layer.receptive_field(x, ReceptiveField.of_input(x))
    return [field.windows[0].at(i) for i in range(layer.output_shape(x)[0])]


def test_columns_that_were_flattened_are_read_in_turns() -> None:
    """A window over rows laid behind one another sees columns at both ends of a row."""
    architecture = network({"Flatten": [2, 3]}, {"GLU": 2}, shape=(2, 3, 4))
    model, analysis = build(architecture), analyse(architecture)
    measured = tuple(widest(read_along(model, (2, 3, 4), axis)) for axis in (0, 1))
    assert analysis.receptive_field == measured == (3, 3)


@pytest.mark.parametrize(
    ("branches", "shapes"),
    [
        ({"a": [], "b": [{"MaxPool2d": 2}]}, "4x8x8 of a and 4x4x4 of b"),
        ({"a": [], "b": ["Flatten"]}, "4x8x8 of a and 256 of b"),
    ],
)
def test_only_channels_may_differ_where_they_are_joined(branches: Any, shapes: str) -> None:
    """concat asks for the same size along all other axes, and the same number of them."""
    fault = analyse(network({"Parallel": {"branches": branches}})).fault
    assert fault is not None
    assert fault.message.startswith(f"concat cannot join {shapes}; it puts channels")


@pytest.mark.parametrize("how", ["add", "multiply"])
def test_a_vector_and_an_image_are_joined_by_no_position(how: str) -> None:
    """Samples of different numbers of axes have no positions in common."""
    fault = analyse(network({"Residual": {"body": ["Flatten"], "join": how}})).fault
    assert fault is not None
    assert fault.message.startswith(f"{how} cannot join 256 of body and 4x8x8 of shortcut")


def test_a_gate_that_is_no_gate_is_refused() -> None:
    """multiply takes one position for all of an axis, but not two for eight."""
    body = [{"MaxPool2d": 4}]
    fault = analyse(network({"Residual": {"body": body, "join": "multiply"}})).fault
    assert fault is not None
    assert fault.message.startswith("multiply cannot join 4x2x2 of body and 4x8x8 of shortcut")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"Linear": 2**31 - 1}, "it makes a tensor of 4x8x2147483647 = 68,719,476,704 values"),
        ({"Conv2d": [2**30, 1]}, "it makes a tensor of 1073741824x8x8 = 68,719,476,736 values"),
    ],
)
def test_what_no_machine_holds_is_refused(layer: Any, message: str) -> None:
    """Outputs and parameters beyond 2,147,483,647 values are a fault, told with the number."""
    fault = analyse(network(layer)).fault
    assert fault is not None
    assert fault.message.startswith(message)


def test_a_bare_list_is_a_sequential_of_it() -> None:
    """As torch's own takes its modules by position; faults inside are told with their place."""
    assert network({"Sequential": ["ReLU", CONV]}) == network(
        {"Sequential": {"layers": ["ReLU", CONV]}}
    )
    text = """\
name: a
input: [1, 8, 8]
values: {n: 4}
layers:
  - Sequential:
      - Conv2d: ["${n}", 3]
      - Sequential: [ReLU, MaxPool2d: 9]
"""
    with pytest.raises(ConfigError) as caught:
        analyse(parse_architecture(text, "a.yaml")).require_sound()
    place = "a.yaml:7:28: layers[0].Sequential.layers[1].Sequential.layers[1].MaxPool2d: window 9x9"
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "Residual: [ReLU, Tanh]",
            r"found the text 'ReLU' by position; write Residual: \{body: \[",
        ),
        ("Residual: [{Conv2d: 3}]", r"found a mapping by position; write Residual: \{body: \["),
        ("Residual: ReLU", r"found the text 'ReLU' by position; write Residual: \{body: \["),
        ("Sequential: ReLU", r"found the text 'ReLU' by position; write Sequential: \[\.\.\.\]$"),
        (
            "Parallel: [ReLU, Tanh]",
            r"write Parallel: \{branches: \{a: \[\.\.\.\], b: \[",
        ),
        (
            "Parallel: [[ReLU], [Tanh]]",
            r"a list of 1 by position; write Parallel: \{branches",
        ),
        ("Repeat: [ReLU]", r"found a list of 1; write Repeat: \{times: 2, layers: \[\.\.\.\]\}"),
        ("Repeat: ReLU", r"found the text 'ReLU'; write Repeat: \{times: 2, layers: \["),
    ],
)
def test_layers_by_position_are_told_what_to_write_instead(written: str, message: str) -> None:
    """Where a list of layers would mean two things it is refused, as by the schema for editors."""
    text = f"name: a\ninput: [4, 8, 8]\nlayers:\n  - {written}\n"
    with pytest.raises(ConfigError, match=message):
        parse_architecture(text, "a.yaml")
    assert not Draft202012Validator(document_schema()).is_valid(parse(text, "a.yaml")[0].plain())


@pytest.mark.parametrize(
    "written",
    [
        "Sequential: [{Conv2d: [4, 3]}, ReLU]",
        "Sequential: []",
        "Residual: [[ReLU, {Repeat: {times: 2, layers: [Tanh]}}], [], multiply]",
        "Parallel: [{a: [{Repeat: {times: 2, layers: [Tanh]}}], b: ['${kind}']}, add]",
    ],
)
def test_containers_take_their_arguments_by_position(written: str) -> None:
    """Lists of layers that stand by position are written out as those that stand by name."""
    text = f"name: a\nvalues: {{kind: ReLU}}\ninput: [4, 8, 8]\nlayers:\n  - {written}\n"
    assert analyse(parse_architecture(text, "a.yaml")).fault is None
    assert Draft202012Validator(document_schema()).is_valid(parse(text, "a.yaml")[0].plain())


def test_faults_in_lists_by_position_are_told_with_the_names_of_the_arguments() -> None:
    """Inside a repetition in a body that stands by position, the place is that by name."""
    layer = "Residual: [[{Repeat: {times: 2, layers: [ReLU, Relu]}}]]"
    text = f"name: a\ninput: [4, 8, 8]\nlayers:\n  - {layer}\n"
    place = r"a\.yaml:4:52: layers\[0\]\.Residual\.body\[0\]\.Repeat\.layers\[1\]: unknown layer"
    with pytest.raises(ConfigError, match=place):
        parse_architecture(text, "a.yaml")
