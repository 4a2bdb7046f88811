"""Documents: the meaning of values and forms, and errors with their places."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from strategies import architectures

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError
from netbuilder.network.check import check_document

DOCUMENT = """\
name: small
input: [1, 28, 28]
layers:
  - Conv2d: [10, 3]
  - ReLU
  - MaxPool2d: 2
  - Flatten
  - Linear: 10
train:
  dataset: mnist
  epochs: 2
  optimizer: {SGD: {lr: 0.1}}
  scheduler: {StepLR: [3, 0.5]}
targets:
  parameters: {below: 8000}
notes: {target: words}
"""


def read(text: str, *overrides: str) -> Architecture:
    return parse_architecture(text, "a.yaml", overrides)


def layer(value: str) -> dict[str, Any]:
    """Return the arguments of the only layer of a document, in flow style."""
    return read(f"name: a\ninput: [4, 8, 8]\nlayers: [{value}]\n").layers[0].arguments()


def refusal(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError, match=r".") as error:
        read(text, *overrides)
    return str(error.value)


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1e-3", 0.001), ("1.e-3", 0.001), ("+1E3", 1000.0), ("010", 10.0), ("0x10", 16.0),
        ("0o10", 8.0), ("-1", -1.0), (".5", 0.5), ("5.", 5.0), ("3", 3.0),
    ],
)  # fmt: skip
def test_numbers_follow_yaml_1_2(value: str, number: float) -> None:
    """A leading zero does not mean octal, and an exponent needs no dot."""
    assert layer(f"LeakyReLU: {value}")["negative_slope"] == number


@pytest.mark.parametrize(
    ("value", "description"),
    [
        ("no", "the text 'no'"), ("on", "the text 'on'"), ("yes", "the text 'yes'"),
        ("y", "the text 'y'"), ("1:30", "the text '1:30'"), ("1_000", "the text '1_000'"),
        ('"3"', "the text '3'"), ("'0.1'", "the text '0.1'"), ("0b11", "the text '0b11'"),
        ("True", "true"), ("false", "false"), ("2024-01-01", "the text '2024-01-01'"),
        ("3 4", "the text '3 4'"), ("1e", "the text '1e'"), ("NaN", "the text 'NaN'"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_a_number_is_refused(value: str, description: str) -> None:
    """Words, booleans and quoted digits are not numbers."""
    text = f"name: a\ninput: [8]\nlayers:\n  - LeakyReLU: {value}\n"
    place = "a.yaml:4:5: layers[0].LeakyReLU.negative_slope"
    is_quoted = value[0] in "'\""
    assert refusal(text) == (
        f"{place}: found {description}; allowed: a number"
        + (f"; write {value[1:-1]}, without quotes" if is_quoted else "")
    )


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", ".NaN", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(value: str) -> None:
    """Infinities and NaN are refused in any notation."""
    text = f"name: a\ninput: [8]\nlayers: [LeakyReLU: {value}]\n"
    assert refusal(text).endswith("; allowed: a finite number")


@pytest.mark.parametrize("value", ["3.0", "3e0", "true", '"3"', "null", "0", "-1", "2147483648"])
def test_a_value_that_is_not_a_size_is_refused(value: str) -> None:
    """A size is a whole number from 1 to 2,147,483,647, and 3.0 is not a size."""
    text = f"name: a\ninput: [8]\nlayers: [{{Linear: {{out_features: {value}}}}}]\n"
    assert refusal(text).startswith("a.yaml:3:20: layers[0].Linear.out_features: found ")
    text = text.replace("Linear: {", "Conv2d: {kernel_size: 3, stride: 3, ")
    text = text.replace("out_features:", "out_channels: 1, dilation:")
    assert "layers[0].Conv2d.dilation: found " in refusal(text)


@pytest.mark.parametrize("value", ["010", "+10", "0xA", "0o12", "10"])
def test_a_size_may_have_any_notation_of_whole_numbers(value: str) -> None:
    """Decimal, hexadecimal and octal with 0o are accepted."""
    assert layer(f"{{Linear: {value}}}")["out_features"] == 10


@pytest.mark.parametrize(
    ("value", "right"),
    [("no", "false"), ("yes", "true"), ("on", "true"), ("off", "false"), ("0", "false"),
     ("1", "true"), ('"true"', "true")],
)  # fmt: skip
def test_only_true_and_false_are_booleans(value: str, right: str) -> None:
    """Words that are booleans in YAML 1.1, and numbers, are refused with what they mean."""
    text = f"name: a\ninput: [8]\nlayers: [{{ReLU: {value}}}]\n"
    assert refusal(text).endswith(f"; allowed: true or false; write {right}")


@pytest.mark.parametrize(
    "word", ["no", "on", "010x", "1:30", "1_000", "2024-99-99", "0b1", "=", "~x"]
)
def test_a_plain_word_is_text(word: str) -> None:
    """Booleans, times and dates of YAML 1.1 are text where text belongs."""
    assert read(DOCUMENT + f"title: {word}\n").title == word


@pytest.mark.parametrize("value", ["3", "true", "~", "0x10", "1e3", "[a]", "{a: b}"])
def test_a_value_that_is_not_text_is_refused(value: str) -> None:
    """Numbers, booleans, null, lists and mappings are refused where text belongs."""
    assert refusal(DOCUMENT + f"title: {value}\n").startswith("a.yaml:17:1: title: found ")


# --- grammar --------------------------------------------------------------------------------------


def test_the_forms_of_a_layer_are_equal() -> None:
    """A name, a scalar, positional arguments and named arguments give equal layers."""
    assert layer("ReLU") == layer("ReLU: ") == layer("ReLU: []") == layer("ReLU: {}")
    assert layer("ReLU") == layer("ReLU: false") == layer("{ReLU: {inplace: false}}")
    pooled = layer("MaxPool2d: 2")
    assert pooled == layer("MaxPool2d: [2]") == layer("{MaxPool2d: {kernel_size: [2, 2]}}")
    assert layer("Conv2d: [10, 3, 2]") == layer(
        "{Conv2d: {out_channels: 10, kernel_size: [3, 3], stride: 2}}"
    )


def test_a_name_with_an_empty_value_equals_the_name_alone() -> None:
    """``- ReLU:`` equals ``- ReLU``, and a missing required argument is reported."""
    assert read("name: a\ninput: [8]\nlayers:\n  - ReLU:\n").layers[0].kind == "ReLU"
    assert refusal("name: a\ninput: [8]\nlayers:\n  - Linear:\n") == (
        "a.yaml:4:5: layers[0].Linear.out_features: this field is required"
    )
    assert refusal("name: a\ninput: [8]\nlayers:\n  - Linear\n") == (
        "a.yaml:4:5: layers[0].Linear.out_features: this field is required"
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Relu", "layers[0]: unknown layer 'Relu'; did you mean ReLU?"),
        ("conv2d: 3", "layers[0]: unknown layer 'conv2d'; did you mean Conv2d?"),
        ("{ReLU: 1, Tanh: 2}", "layers[0]: found 2 keys ('ReLU', 'Tanh') where one layer belongs; "
         "write each layer as an item of its own"),
        ("{}", "layers[0]: found a mapping; a layer is written as Name, Name: scalar, "
         "Name: [positional] or Name: {field: value}"),
        ("3", "layers[0]: found the number 3; a layer is written as Name, Name: scalar, "
         "Name: [positional] or Name: {field: value}"),
        ("{Flatten: [1, 2, 3]}", "layers[0].Flatten: found 3 positional arguments; Flatten takes "
         "at most 2: start_dim, end_dim"),
        ("{Tanh: 1}", "layers[0].Tanh: found 1 positional argument; Tanh takes none"),
        ("{ReLU: {in_place: true}}", "layers[0].ReLU.in_place: unknown field; "
         "did you mean inplace?"),
        ("{Tanh: {x: 1}}", "layers[0].Tanh.x: unknown field; it has no options"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_component_is_explained(value: str, message: str) -> None:
    """The message names the mistake, with a suggestion where one is close."""
    text = f"name: a\ninput: [8]\nlayers:\n  - {value}\n"
    assert refusal(text).split(": ", 1)[1] == message


def test_an_unknown_key_is_refused_at_every_level() -> None:
    """A misspelled key is reported with its place, in every section."""
    text = """\
name: a
input: [1, 28, 28]
layers: [{Conv2d: {out_channels: 1, kernal_size: 3, kernel_size: 3}}]
titel: x
train:
  dataset: {mnist: {fall_back: mnist5k}}
  epoch: 3
  epochs: 3
  loss: {NLLLoss: {weigth: 1}}
  optimizer: {SGD: {learning_rate: 1}}
  scheduler: {StepLR: {step_size: 1, gama: 1}}
  augment: [{RandomRotation: {degree: 7, degrees: 7}}]
targets: {param: {below: 1}, parameters: {bellow: 1, below: 1}}
reference: {accuracy: 1}
notes: {analisys: x}
"""
    assert refusal(text).splitlines() == [
        "a.yaml:3:37: layers[0].Conv2d.kernal_size: unknown field; did you mean kernel_size?",
        "a.yaml:4:1: titel: unknown field; did you mean title?",
        "a.yaml:6:21: train.dataset.mnist.fall_back: unknown field; did you mean fallback?",
        "a.yaml:7:3: train.epoch: unknown field; did you mean epochs?",
        "a.yaml:9:20: train.loss.NLLLoss.weigth: unknown field; it has no options",
        "a.yaml:10:21: train.optimizer.SGD.learning_rate: unknown field; write lr",
        "a.yaml:11:38: train.scheduler.StepLR.gama: unknown field; did you mean gamma?",
        "a.yaml:12:31: train.augment[0].RandomRotation.degree: unknown field; "
        "did you mean degrees?",
        "a.yaml:13:11: targets.param: unknown field; did you mean parameters?",
        "a.yaml:13:43: targets.parameters.bellow: unknown field; did you mean below?",
        "a.yaml:14:13: reference.accuracy: unknown field; did you mean test_accuracy?",
        "a.yaml:15:9: notes.analisys: unknown field; did you mean analysis?",
    ]


def test_every_repeated_key_is_reported() -> None:
    """All repeated keys are reported at once, with the line of the first occurrence."""
    text = "name: a\nname: b\ninput: [8]\nlayers:\n  - Linear: {out_features: 1, out_features: 2}\n"
    end = "remove one of the two"
    assert refusal(text).splitlines() == [
        f"a.yaml:2:1: the key 'name' is repeated, first in line 1; {end}",
        f"a.yaml:5:31: the key 'out_features' is repeated, first in line 5; {end}",
    ]


def test_missing_required_fields_are_reported() -> None:
    """The place of a missing field is the mapping that lacks it."""
    assert refusal("title: x\n").splitlines() == [
        "a.yaml:1:1: input: this field is required",
        "a.yaml:1:1: layers: this field is required",
        "a.yaml:1:1: name: this field is required",
    ]
    assert refusal("- 1\n") == "a.yaml:1:1: a document is a mapping with name, input and layers"


def test_aliases_and_merges_expand_their_anchors() -> None:
    """An alias equals its anchor, and << adds the keys that a mapping lacks."""
    text = """\
name: a
input: [1, 28, 28]
layers:
  - Conv2d: &conv {out_channels: 4, kernel_size: 3, bias: false}
  - &act {LeakyReLU: 0.2}
  - Conv2d: {<<: *conv, kernel_size: 1}
  - *act
  - Conv2d: {<<: [{groups: 2}, *conv], stride: 2}
"""
    plain = text.replace("&conv ", "").replace("&act ", "").replace("*act", "{LeakyReLU: 0.2}")
    plain = plain.replace("<<: *conv", "out_channels: 4, bias: false")
    plain = plain.replace(
        "<<: [{groups: 2}, *conv]", "groups: 2, out_channels: 4, bias: false, kernel_size: 3"
    )
    assert read(text) == read(plain)
    wrong = text.replace("kernel_size: 1", "kernel_size: 0").replace("bias: false", "bias: no")
    places = [line.split(": ")[0] for line in refusal(wrong).splitlines()]
    assert places == ["a.yaml:4:53", "a.yaml:4:53", "a.yaml:4:53", "a.yaml:6:25"]


# --- round trip -----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(architectures())
def test_the_canonical_form_loads_to_an_equal_architecture(architecture: Architecture) -> None:
    """The dump and the text of a random architecture load to an equal one."""
    text = json.dumps(architecture.model_dump(mode="json"))
    assert read(text) == architecture
    assert read(architecture.text()) == architecture


def test_the_canonical_form_contains_every_section() -> None:
    """Training, targets and notes are equal after a round trip, as layers are."""
    document = read(DOCUMENT)
    loaded = read(json.dumps(document.model_dump(mode="json")))
    assert loaded == document
    assert loaded.train is not None
    assert loaded.train.scheduler[0].arguments() == {"step_size": 3, "gamma": 0.5}
    assert document.text() == DOCUMENT


def test_problems_of_every_stage_are_reported_at_once(tmp_path: Path) -> None:
    """Problems with keys, values, cross-checks and shapes do not hide one another."""
    text = (
        "name: a\nname: b\ninput: [1, 28, 28]\nlayers: [{Conv2d: [3, 99]}]\nnotes: {foo: x}\n"
        "train:\n  dataset: mnist\n  epochs: 1\n  optimizer: SGD\n"
        "  scheduler: [StepLR: 1, OneCycleLR: 0.1]\n  augment: [RandomCrop: 3]\n"
    )
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert [problem.line for problem in check_document(path).problems] == [2, 4, 5, 10, 10, 11]


@pytest.mark.parametrize(("count", "others"), [(150, "50"), (19_000, "18,900")])
def test_repeated_mistakes_are_reported_up_to_a_limit(count: int, others: str) -> None:
    """The error lists 100 unknown layers and the number of the others."""
    text = f"name: a\ninput: [1]\nlayers: [{'Foo, ' * count}]\n"
    with pytest.raises(ConfigError, match=f"… and {others} more problems after this one") as error:
        parse_architecture(text, "a.yaml")
    assert len(error.value.problems) == 101


@pytest.mark.parametrize(
    ("layer", "field"),
    [("Conv2d", "in_channels"), ("Linear", "in_features"), ("BatchNorm2d", "num_features")],
)
def test_an_inferred_argument_is_refused(layer: str, field: str) -> None:
    """The message states that the size is inferred from the layer before."""
    text = f"name: a\ninput: [1, 9, 9]\nlayers: [{{{layer}: {{{field}: 1}}}}]\n"
    with pytest.raises(ConfigError, match=f"{field}: it is inferred from the layer before"):
        parse_architecture(text, "a.yaml")


def test_an_architecture_can_be_hashed_copied_and_pickled() -> None:
    """Copies are equal and have the same hash."""
    text = (
        "name: a\ninput: [1, 28, 28]\nlayers: [Flatten, {Linear: 10}]\n"
        "train: {dataset: mnist, epochs: 1, optimizer: SGD, scheduler: {MultiStepLR: [[1]]}}\n"
    )
    architecture = parse_architecture(text, "a.yaml")
    for copied in (
        parse_architecture(text, "b.yaml"),
        copy.deepcopy(architecture),
        pickle.loads(pickle.dumps(architecture)),
    ):
        assert copied == architecture
        assert hash(copied) == hash(architecture)
