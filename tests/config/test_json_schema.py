"""The JSON Schema for editors, compared with the loader."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from paths import ARCHS
from strategies import NAMES, arguments, documents, inputs, plain_values

from netbuilder._text import LARGEST
from netbuilder.components.documentation import (
    default_of,
    field_description,
    field_example,
    markdown,
)
from netbuilder.components.field_texts import TEXTS, text_of
from netbuilder.components.layers.base import LAYERS
from netbuilder.config.json_schema import document_schema, schema_text
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import COMPONENTS
from netbuilder.config.yaml_nodes import parse
from netbuilder.errors import ConfigError

SCHEMA = document_schema()
NAMED_LAYERS = SCHEMA["$defs"]["layer"]["else"]["oneOf"][0]["else"]
"""The schema of a layer that is a mapping: a name and arguments."""
VALIDATOR = Draft202012Validator(SCHEMA)
ARCHITECTURES = sorted([*ARCHS.glob("*.yaml"), *ARCHS.glob("zoo/*.yaml")])
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


PROBES: tuple[Any, ...] = (
    "${a}", "x", "same", "valid", "random", "mnist5k", "none", "tanh", "ReLU", "zeros", "a_block",
    0, 1, 2, -3, 0.5, 1e9, True, None, [], [1], [1, 2], [0.1, 0.2], [1, 2, 3, 4], ["${a}"], {},
    {"ReLU": None}, {"a_block": 3}, {"Repeat": {"times": 1, "layers": []}}, {"zeros": None},
    {"weight": "zeros"}, {"SGD": {"lr": 1}}, {"below": 3},
)  # fmt: skip


def test_alternatives_have_no_value_in_common() -> None:
    """``oneOf`` refuses what two alternatives allow, so none may; here are values of all kinds."""

    def check(schema: object) -> None:
        if isinstance(schema, dict):
            for form in schema.get("oneOf", ()):
                validator = VALIDATOR.evolve(schema=form | {"$defs": SCHEMA["$defs"]})
                accepts[id(schema)] = accepts.get(id(schema), []) + list(
                    filter(validator.is_valid, PROBES)
                )
            values = [json.dumps(value) for value in accepts.get(id(schema), ())]
            assert sorted(values) == sorted(set(values)), schema
            for part in schema.values():
                check(part)
        elif isinstance(schema, list):
            for part in schema:
                check(part)

    accepts: dict[int, list[Any]] = {}
    check(SCHEMA)


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


def forms(name: str) -> list[dict[str, Any]]:
    """Return the schemas of the arguments of a kind: by name, a single one, by position."""
    definition = SCHEMA["$defs"][name]
    if "oneOf" not in definition:
        patterns = NAMED_LAYERS["allOf"][0]["patternProperties"]
        definition = next(patterns[pattern] for pattern in patterns if re.match(pattern, name))
    return list(definition["oneOf"])


def test_the_schema_has_descriptions_and_defaults() -> None:
    """Each kind has a description, and arguments have their default."""
    layers = NAMED_LAYERS["properties"]
    assert set(layers) == set(LAYERS.kinds) > set(NAMES)
    assert all(layers[name] == {"$ref": f"#/$defs/{name}"} for name in layers)
    assert all(SCHEMA["$defs"][name]["markdownDescription"] for name in layers)
    by_name = forms("MaxPool2d")[0]
    assert resolved(by_name["else"]["properties"]["dilation"])["default"] == 1
    assert by_name["required"] == ["kernel_size"]
    assert resolved(forms("BatchNorm2d")[0]["else"]["properties"]["eps"])["default"] == 1e-5


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what its reference refers to."""
    if "$ref" not in schema:
        return schema
    return resolved(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]) | schema


def properties(schema: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property of a schema with its name, each with what its reference refers to."""
    if isinstance(schema, dict):
        yield from ((name, resolved(part)) for name, part in schema.get("properties", {}).items())
        for key, part in schema.items():
            if key not in ("default", "examples", "defaultSnippets"):
                yield from properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


ABOUT = re.compile(r"[A-Za-z].{6,}\.( Unit: [a-z, ]+\.)? (Required|Default: .+)\.")


def test_every_property_says_what_it_is_and_its_default() -> None:
    """Each field has a meaning and its default, or that it is required; each kind has a text."""
    every = list(properties(SCHEMA))
    assert len(every) > 400
    for name, part in every:
        if name in COMPONENTS:
            assert part["markdownDescription"]
        elif name == "Repeat":
            assert part["description"]
        else:
            assert ABOUT.fullmatch(part["description"]), name
            assert "A field of this section" not in part["description"], name


FIELDS = [(kind, field) for kind in COMPONENTS.values() for field in kind.model_fields]


def test_every_field_of_a_kind_has_a_text_and_every_text_a_field() -> None:
    """No field falls back on a general text, and no text is without a field."""
    texts = [text_of(kind, field) for kind, field in FIELDS]
    assert not [text for text in texts if "An argument of" in text.meaning]
    assert [name for name, text in TEXTS.items() if text not in texts] == []


def test_the_default_in_a_description_is_that_of_the_field() -> None:
    """What editors show as the default is what the loader uses."""
    for kind, field in FIELDS:
        info, about = kind.model_fields[field], field_description(kind, field)
        default = None if info.is_required() else default_of(kind, field)
        if info.is_required():
            assert about.endswith(" Required.")
        elif default is not None:
            assert about.endswith(f" Default: {json.dumps(default)}.")
            needed = {name: field_example(kind, name) for name in (*kind.required(), *kind.usual)}
            value = getattr(kind.model_validate(needed | {field: default}), field)
            assert value == info.get_default(call_default_factory=True)


@pytest.mark.parametrize(
    ("unit", "names"),
    [
        ("epochs", {"StepLR.step_size", "CosineAnnealingLR.T_max", "ReduceLROnPlateau.patience"}),
        ("degrees", {"RandomRotation.degrees", "RandomAffine.degrees", "RandomAffine.shear"}),
        ("pixels", {"RandomCrop.padding", "RandomCrop.size", "RandomRotation.center"}),
        ("channels", {"Conv2d.out_channels", "ConvTranspose1d.out_channels"}),
        ("positions", {"Conv2d.kernel_size", "MaxPool2d.stride", "Unfold.dilation"}),
    ],
)
def test_fields_with_a_unit_name_it(unit: str, names: set[str]) -> None:
    """Lengths, times and angles have a unit in their description."""
    for name in names:
        kind, field = name.split(".")
        assert f" Unit: {unit}. " in field_description(COMPONENTS[kind], field)


def test_every_link_is_the_page_of_a_class_of_torch_or_torchvision() -> None:
    """The name in a link exists, and its page is where the documentation has it."""
    linked = [kind for kind in COMPONENTS.values() if kind.torch_name()]
    assert {kind.kind for kind in COMPONENTS.values() if kind not in linked} == {
        "Parallel", "Residual", "mnist5k",
    }  # fmt: skip
    for kind in linked:
        module, _, name = kind.torch_name().rpartition(".")
        assert callable(getattr(import_module(module), name))
        [url] = re.findall(r"\]\((.*)\)$", markdown(kind))
        library = "vision" if module.startswith("torchvision") else "docs"
        page = f"generated/{module}.{name}.html"
        if module == "torch.nn.init":
            page = f"nn.init.html#{module}.{name}"
        assert url == f"https://docs.pytorch.org/{library}/stable/{page}"


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


def test_the_text_of_a_kind_belongs_to_that_kind_alone() -> None:
    """A reference to a text stands beside the name of its kind, or is the property of that name."""

    def check(schema: object, name: str = "") -> None:
        if isinstance(schema, dict):
            target = schema.get("$ref", "").removeprefix("#/$defs/")
            assert target not in COMPONENTS or target in (name, schema.get("const"))
            for key, part in schema.items():
                check(part, key)
        elif isinstance(schema, list):
            for part in schema:
                check(part)

    check(SCHEMA)


def test_only_annotations_accompany_a_reference() -> None:
    """A constraint next to a reference could hide another where editors merge the two."""
    annotations = {
        "default", "description", "doNotSuggest", "examples", "markdownDescription", "title",
    }  # fmt: skip

    def check(schema: object) -> None:
        if isinstance(schema, dict):
            target = SCHEMA["$defs"].get(schema.get("$ref", "").removeprefix("#/$defs/"), {})
            allowed = annotations if target.keys() - annotations else annotations | {"const"}
            assert "$ref" not in schema or schema.keys() <= allowed | {"$ref"}
            for part in schema.values():
                check(part)
        elif isinstance(schema, list):
            for part in schema:
                check(part)

    check(SCHEMA)


def test_definitions_have_descriptive_names() -> None:
    """Editors show these names, so they are words for the allowed values."""
    names = set(SCHEMA["$defs"])
    assert {"integer_from_1", "integer_from_1_or_list_of_2", "number_above_0_to_1"} < names
    assert {"expression", "train", "Conv2d", "kaiming_normal"} < names
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,47}", name) for name in names)
    assert SCHEMA["$defs"]["integer_from_1"]["oneOf"][0] == {
        "type": "integer",
        "minimum": 1,
        "maximum": LARGEST,
    }


def test_lists_and_mappings_fit_into_100_columns() -> None:
    """Only lines that end with text or a name are longer, since reviewers read the file."""
    for line in schema_text().splitlines():
        assert len(line) <= 100 or not line.rstrip(",").endswith(("]", "}"))
