"""Containers: what they refuse, and with which message."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from nested import network
from torch import nn

from netbuilder.components.layers.containers import RESERVED_NAMES
from netbuilder.components.layers.modules import Parallel as ParallelModule
from netbuilder.config.json_schema import document_schema
from netbuilder.config.loader import parse_architecture
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build

pytestmark = pytest.mark.filterwarnings(
    "ignore:Implicit dimension choice:UserWarning", "ignore:Using padding=.same.:UserWarning"
)

CONV: dict[str, Any] = {"Conv2d": [4, 3, 1, 1]}


def test_a_fault_in_a_container_keeps_the_rows_before_it() -> None:
    """The analysis of a container with a fault has the rows of its layers up to the fault."""
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


def test_a_shape_conflict_of_branches_names_shapes_and_places() -> None:
    """The message contains the output shape and the place of each branch."""
    fault = analyse(parse_architecture(DOCUMENT, "net.yaml")).fault
    assert str(fault) == (
        "net.yaml:4:5: layers[0].Parallel: add cannot join 4x6x6 of one and 5x6x6 of two; "
        "it adds position by position: give both the same shape "
        "(net.yaml:7:9 and net.yaml:9:9)"
    )


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"Parallel": {"branches": {"a": []}}}, r"found 1 branch; allowed: at least 2"),
        ({"Parallel": {"branches": {"a": [], "b": None}}}, r"branches\.b: found nothing"),
        ({"Parallel": {"branches": {"a": [], "b.c": []}}}, r"the branch name 'b\.c'; allowed"),
        ({"Parallel": {"branches": {"a": [], "train": []}}}, r"not an attribute of torch modules"),
        ({"Residual": {}}, r"body: this field is required"),
        ({"Residual": {"body": [], "join": "concat"}}, r"join: found .*'add' or 'multiply'"),
        (
            {"Residual": {"body": ["Identity", {"ReLU": True}]}},
            r"body\[1\]\.ReLU\.inplace: inplace would change the input of the other branches",
        ),
        ({"Sequential": {"layers": ["Relu"]}}, r"layers\[0\]: unknown layer 'Relu'"),
    ],
)
def test_a_mistake_in_a_container_is_reported_with_its_field(
    container: dict[str, Any], message: str
) -> None:
    """The error message names the field and what is allowed."""
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
    ],
)
def test_inplace_is_refused_where_it_would_change_the_input(body: list[Any], place: str) -> None:
    """Layers that may return their own input do not protect it."""
    text = json.dumps({"name": "a", "input": [4], "layers": [{"Residual": {"body": body}}]})
    with pytest.raises(ConfigError, match=re.escape(f"Residual.{place}.inplace: inplace would")):
        parse_architecture(text, "net.yaml")


@pytest.mark.parametrize(
    "body",
    [
        ["Tanh", IN_PLACE],
        [{"Sequential": ["Identity", "Tanh"]}, IN_PLACE],
        [{"Residual": {"body": []}}, IN_PLACE],
    ],
)
def test_inplace_is_allowed_after_a_layer_with_a_new_output(body: list[Any]) -> None:
    """The network loads, and running it leaves its input unchanged."""
    model = build(network({"Residual": {"body": body}}, shape=(4,))).eval()
    x = torch.randn(2, 4)
    model(batch := x.clone())
    assert torch.equal(batch, x)


def test_an_uneven_split_is_refused() -> None:
    """A number of channels that the branches do not divide is a fault."""
    branches: dict[str, Any] = {"a": [], "b": [], "c": []}
    fault = analyse(network({"Parallel": {"branches": branches, "split": True}})).fault
    assert fault is not None
    assert fault.message.startswith("split cannot divide 4 channels evenly among 3 branches")


def test_a_branch_name_has_at_most_forty_characters() -> None:
    """A name of 40 characters is accepted, and one of 41 is refused."""
    assert network({"Parallel": {"branches": {"a" * 40: [], "b": []}}}).layers
    with pytest.raises(ValueError, match=r"found the branch name 'a+…?'"):
        network({"Parallel": {"branches": {"a" * 41: [], "b": []}}})


def test_attributes_of_torch_modules_are_reserved_names() -> None:
    """Every public attribute of the built module is reserved, so no branch hides a method."""
    module = ParallelModule({"a": nn.Identity(), "b": nn.Identity()}, "add", split=False)
    own = {name for name in dir(module) if not name.startswith("_")} - {"a", "b"}
    assert own <= RESERVED_NAMES


@pytest.mark.parametrize(
    ("branches", "shapes"),
    [
        ({"a": [], "b": [{"MaxPool2d": 2}]}, "4x8x8 of a and 4x4x4 of b"),
        ({"a": [], "b": ["Flatten"]}, "4x8x8 of a and 256 of b"),
    ],
)
def test_concat_requires_equal_shapes_except_for_channels(branches: Any, shapes: str) -> None:
    """Branches must have the same number of axes, and equal sizes along all but the first."""
    fault = analyse(network({"Parallel": {"branches": branches}})).fault
    assert fault is not None
    assert fault.message.startswith(f"concat cannot join {shapes}; it concatenates channels")


@pytest.mark.parametrize("join", ["add", "multiply"])
def test_a_vector_cannot_be_joined_with_an_image(join: str) -> None:
    """A flattened gate has fewer axes than the input, so positions do not correspond."""
    gate = [{"AdaptiveAvgPool2d": 1}, "Flatten"]
    fault = analyse(network({"Residual": {"body": gate, "join": join}})).fault
    assert fault is not None
    assert fault.message.startswith(f"{join} cannot join 4 of body and 4x8x8 of shortcut")


def test_multiply_broadcasts_only_axes_of_size_one() -> None:
    """A gate with 2 positions for the 8 of the input is refused."""
    body = [{"MaxPool2d": 4}]
    fault = analyse(network({"Residual": {"body": body, "join": "multiply"}})).fault
    assert fault is not None
    assert fault.message.startswith("multiply cannot join 4x2x2 of body and 4x8x8 of shortcut")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"Linear": 2**31 - 1}, "it needs a tensor of 4x8x2147483647 = 68,719,476,704 values"),
        ({"Conv2d": [2**30, 1]}, "it needs a tensor of 1073741824x8x8 = 68,719,476,736 values"),
    ],
)
def test_a_tensor_beyond_the_size_limit_is_refused(layer: Any, message: str) -> None:
    """Outputs and parameters of more than 2,147,483,647 values are a fault with their size."""
    fault = analyse(network(layer)).fault
    assert fault is not None
    assert fault.message.startswith(message)


@pytest.mark.parametrize(
    ("layer", "message"),
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
def test_ambiguous_positional_layers_are_refused_with_the_named_form(
    layer: str, message: str
) -> None:
    """The message shows the form to write instead, and the schema for editors refuses it too."""
    text = f"name: a\ninput: [4, 8, 8]\nlayers:\n  - {layer}\n"
    with pytest.raises(ConfigError, match=message):
        parse_architecture(text, "a.yaml")
    assert not Draft202012Validator(document_schema()).is_valid(parse(text, "a.yaml")[0].plain())


def test_a_mistake_in_a_positional_list_names_the_arguments() -> None:
    """The field of a mistake has the names of arguments where the document has positions."""
    layer = "Residual: [[{Repeat: {times: 2, layers: [ReLU, Relu]}}]]"
    text = f"name: a\ninput: [4, 8, 8]\nlayers:\n  - {layer}\n"
    place = r"a\.yaml:4:52: layers\[0\]\.Residual\.body\[0\]\.Repeat\.layers\[1\]: unknown layer"
    with pytest.raises(ConfigError, match=place):
        parse_architecture(text, "a.yaml")
