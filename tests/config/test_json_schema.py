"""The JSON Schema for editors, compared with the loader."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from paths import ARCHS
from strategies import NAMES, arguments, documents, inputs, plain_values

from netbuilder._text import LARGEST
from netbuilder.config.json_schema import document_schema, schema_text
from netbuilder.config.loader import parse_architecture
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError

SCHEMA = document_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
ARCHITECTURES = sorted(ARCHS.glob("*.yaml"))
SOUND = """\
name: a
input: [1, 28, 28]
layers: [{Conv2d: [4, 3]}, ReLU, {MaxPool2d: 2}]
train:
  dataset: mnist
  epochs: 1
  optimizer: SGD
"""


def allows(document: object) -> bool:
    valid: bool = VALIDATOR.is_valid(document)
    return valid


def loads(text: str) -> bool:
    try:
        parse_architecture(text, "a.yaml")
    except ConfigError:
        return False
    return True


def plain(text: str) -> Any:
    return parse(text, "a.yaml")[0].plain()


def test_the_schema_is_valid_by_its_draft() -> None:
    """The schema names its draft and is valid by it."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "netbuilder architecture"
    assert SCHEMA["required"] == ["name", "input", "layers"]


def test_the_schema_is_generated_without_torch() -> None:
    """Generating the schema does not import torch, so that it is fast."""
    code = (
        "import sys; from netbuilder.config.json_schema import document_schema; document_schema(); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", ARCHITECTURES, ids=lambda path: str(path.stem))
def test_every_document_of_the_repository_is_valid(path: Path) -> None:
    """The schema allows each document in archs/."""
    VALIDATOR.validate(plain(path.read_text(encoding="utf-8")))


def test_the_repository_has_documents() -> None:
    """The glob matches at least the ten iterations, so the test above is not empty."""
    assert len(ARCHITECTURES) >= 10


@pytest.mark.parametrize(
    "layer",
    [
        "ReLU", "ReLU: ", "ReLU: true", "ReLU: []", "ReLU: [true]", "{ReLU: {}}", "Sigmoid: []",
        "{ReLU: {inplace: true}}", "Linear: 3", "Linear: [3, false]", "Conv2d: [4, 3]",
        "Conv2d: [4, [3, 1], 1, same]", "{Conv2d: {out_channels: 4, kernel_size: [3, 3]}}",
        "MaxPool2d: 2", "MaxPool2d: [3, 3]", "MaxPool2d: [[3, 3], null, 1, 2]",
        "{MaxPool2d: {kernel_size: 2, ceil_mode: true}}", "AdaptiveAvgPool2d: 1",
        "AdaptiveAvgPool2d: [[2, null]]", "{AdaptiveAvgPool2d: {output_size: null}}",
        "GELU: tanh", "Softmax: 1", "Threshold: [0, 1]", "BatchNorm2d: [1.0e-3, null]",
    ],
)  # fmt: skip
def test_every_form_of_a_layer_is_allowed(layer: str) -> None:
    """Schema and loader allow names, scalars, positional and named arguments."""
    text = SOUND.replace("{Conv2d: [4, 3]}, ReLU, {MaxPool2d: 2}", layer)
    assert allows(plain(text))
    assert loads(text)


@pytest.mark.parametrize(
    "line",
    [
        "scheduler: LinearLR", "scheduler: {StepLR: 3}", "scheduler: [{StepLR: [3, 0.5]}]",
        "scheduler: [LinearLR, {CosineAnnealingLR: 3}]", "scheduler: []", "scheduler:",
        "scheduler: {MultiStepLR: {milestones: [3, 5]}}", "augment: []", "ema: 0.9", "ema:",
        "augment: [{RandomRotation: 7}, {RandomRotation: [[-7, 7]]}, RandomErasing]",
        "loss: {CrossEntropyLoss: {label_smoothing: 0.1}}", "loss: {MultiMarginLoss: 2}",
    ],
)  # fmt: skip
def test_every_form_of_the_training_section_is_allowed(line: str) -> None:
    """Schema and loader allow one scheduler, a list of up to two, and the kinds of each family."""
    text = f"{SOUND}  {line}\n"
    assert allows(plain(text))
    assert loads(text)


WRONG = [
    ("name: a", "name: -a"), ("name: a", "name: 3"), ("name: a\n", ""), ("name: a", "title: a"),
    ("[1, 28, 28]", "28"), ("[1, 28, 28]", "[]"), ("[1, 28, 28]", "[1, 2, 3, 4, 5]"),
    ("[1, 28, 28]", "[1, 0, 28]"), ("[1, 28, 28]", "[1, 28, 2147483648]"),
    ("[1, 28, 28]", "[1, true, 28]"), ("[1, 28, 28]", "[1, '28', 28]"), ("ReLU", "Relu"),
    ("ReLU", "3"), ("ReLU", "{}"), ("ReLU", "null"), ("ReLU", "[ReLU]"), ("ReLU", "{ReLU: 3}"),
    ("ReLU", "{ReLU: no}"), ("ReLU", "{ReLU: 1, Tanh: 1}"), ("ReLU", "{ReLU: {in_place: true}}"),
    ("ReLU", "{ReLU: [true, true]}"), ("ReLU", "Conv2d"), ("ReLU", "{Conv2d: 3}"),
    ("ReLU", "{Conv2d: [3]}"), ("ReLU", "{Conv2d: }"), ("ReLU", "{Sigmoid: 1}"),
    ("ReLU", "{Conv2d: {out_channels: 3}}"), ("ReLU", "{Conv2d: {kernel_size: 3}}"),
    ("ReLU", "{Linear: [[3]]}"), ("ReLU", "{Linear: {in_features: 3, out_features: 3}}"),
    ("ReLU", "{Conv2d: [3, 3, 1, full]}"), ("ReLU", "{GELU: erf}"), ("ReLU", "{Dropout: 1.5}"),
    ("{MaxPool2d: 2}", "{MaxPool2d: 0}"), ("{MaxPool2d: 2}", "{MaxPool2d: {kernel_size: [2]}}"),
    ("{MaxPool2d: 2}", "{MaxPool2d: [2, 2, 0, 1, true]}"), ("{MaxPool2d: 2}", "{MaxPool2d: [2.5]}"),
    ("[4, 3]", "[4, [3, 3, 3]]"), ("[{Conv2d: [4, 3]}, ReLU, {MaxPool2d: 2}]", "[]"),
    ("[{Conv2d: [4, 3]}, ReLU, {MaxPool2d: 2}]", "ReLU"), ("mnist", "imagenet"), ("mnist", "SGD"),
    ("mnist", "{mnist: mnist}"), ("SGD", "sgd"), ("SGD", "{SGD: -1}"), ("SGD", "{Adam: [1, 0.9]}"),
    ("SGD", "{Adam: [1, [0.9, 1]]}"), ("epochs: 1", "epochs: 1.5"), ("epochs: 1", "epoch: 1"),
    ("SGD", "SGD\n  scheduler: [LinearLR, LinearLR, LinearLR]"), ("SGD", "SGD\n  ema: 1"),
    ("SGD", "SGD\n  scheduler: StepLR"), ("SGD", "SGD\n  augment: RandomErasing"),
    ("SGD", "SGD\n  scheduler: {OneCycleLR: [0.1, 0.3]}"), ("SGD", "SGD\ntargets: {epochs: {}}"),
    ("SGD", "SGD\ntargets: {epochs: 3}"), ("SGD", "SGD\ntargets: {epochs: {below: null}}"),
    ("SGD", "SGD\ntargets: {epochs: {below: 3, for_last_epochs: 2}}"), ("SGD", "SGD\nnotes: x"),
    ("SGD", "SGD\nnotes: {target: 3}"), ("SGD", "SGD\nreference: {parameters: 0}"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_schema_and_loader_refuse_the_same_mistakes(right: str, wrong: str) -> None:
    """A mistake that depends on one value alone is an error in editors and commands."""
    assert right in SOUND
    text = SOUND.replace(right, wrong, 1)
    assert not loads(text)
    assert not allows(plain(text))


@settings(max_examples=300, deadline=None)
@given(documents())
def test_the_schema_allows_valid_documents(document: dict[str, Any]) -> None:
    """The schema allows any random document that is valid."""
    assert allows(document)


def _has_whole_float(value: object) -> bool:
    """Return whether a value contains 3.0 or NaN or alike, where JSON Schema and YAML differ."""
    if isinstance(value, float):
        return value.is_integer() or value - value != 0
    if isinstance(value, dict):
        return any(map(_has_whole_float, value.values()))
    return isinstance(value, list) and any(map(_has_whole_float, value))


CROSS_CHECKED = {
    *(f"{stem}{axes}d" for stem in ("Conv", "ConvTranspose", "MaxPool", "AvgPool")
      for axes in (1, 2, 3)),
    "RReLU", "Hardtanh", "Unflatten", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
}  # fmt: skip
"""Kinds that compare arguments with one another, which the schema cannot express."""


def _assert_agreement(layer: dict[str, Any]) -> None:
    document = {"name": "a", "input": [4], "layers": [layer]}
    text = json.dumps(document)
    assume(not _has_whole_float(layer))
    if CROSS_CHECKED.isdisjoint(layer):
        assert allows(document) == loads(text)
    else:
        assert allows(document) or not loads(text)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(NAMES), plain_values)
def test_schema_and_loader_agree_on_any_value_of_a_kind(name: str, value: object) -> None:
    """The schema allows a value after a layer's name if and only if the loader does."""
    _assert_agreement({name: value})


@settings(max_examples=500, deadline=None)
@given(st.data(), st.sampled_from(NAMES), inputs())
def test_schema_and_loader_agree_on_a_changed_argument(
    data: st.DataObject, name: str, x: Any
) -> None:
    """They agree on valid arguments with one change, by name and by position."""
    values = data.draw(arguments(name, x))
    if values:
        changed = data.draw(st.sampled_from(sorted(values)))
        values[changed] = data.draw(plain_values)
    _assert_agreement({name: values})
    _assert_agreement({name: list(values.values())})


def test_the_schema_has_descriptions_and_defaults() -> None:
    """Each kind has a description, and arguments have their default."""
    layers = SCHEMA["$defs"]["layer"]["anyOf"][1]["properties"]
    assert set(NAMES) < set(layers)
    assert all(layers[name] == {"$ref": f"#/$defs/{name}"} for name in NAMES)
    assert all(SCHEMA["$defs"][name]["description"] for name in NAMES)
    by_name = SCHEMA["$defs"]["MaxPool2d"]["anyOf"][0]
    assert by_name["properties"]["dilation"]["default"] == [1, 1]
    assert by_name["required"] == ["kernel_size"]


def references(schema: object) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].removeprefix("#/$defs/")
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def test_repeated_patterns_are_shared_definitions() -> None:
    """The file has less than 150 kB, and each of its definitions is used."""
    assert len(schema_text().encode()) < 150_000
    assert json.loads(schema_text()) == SCHEMA
    assert set(references(SCHEMA)) == set(SCHEMA["$defs"])


def test_only_annotations_accompany_a_reference() -> None:
    """A constraint next to a reference could hide another where editors merge the two."""

    def check(schema: object) -> None:
        if isinstance(schema, dict):
            assert "$ref" not in schema or schema.keys() <= {"$ref", "default", "description"}
            for part in schema.values():
                check(part)
        elif isinstance(schema, list):
            for part in schema:
                check(part)

    check(SCHEMA)


def test_definitions_have_descriptive_names() -> None:
    """Editors show these names, so they are words for the allowed values."""
    names = set(SCHEMA["$defs"])
    assert {"integer_from_1", "integer_from_1_or_list_of_2", "number_from_0_to_1_or_null"} < names
    assert {"expression", "train_config", "Conv2d", "kaiming_normal"} < names
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,47}", name) for name in names)
    assert SCHEMA["$defs"]["integer_from_1"]["anyOf"][0] == {
        "type": "integer",
        "minimum": 1,
        "maximum": LARGEST,
    }


def test_lists_and_mappings_fit_into_100_columns() -> None:
    """Only lines that end with text or a name are longer, since reviewers read the file."""
    for line in schema_text().splitlines():
        assert len(line) <= 100 or not line.rstrip(",").endswith(("]", "}"))
