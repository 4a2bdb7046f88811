"""Documents in an editor: yaml-language-server completes and explains them by the JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from language_server import MARK, PROGRAM, LanguageServer, accept, plain
from paths import ARCHS

from netbuilder.components.component import Component
from netbuilder.components.datasets import Dataset
from netbuilder.components.documentation import (
    field_description,
    field_example,
    markdown,
    snippet,
)
from netbuilder.components.layers.base import Layer
from netbuilder.config import schema
from netbuilder.config.json_schema import FILE_NAME, schema_text
from netbuilder.network.check import check_document

pytestmark = pytest.mark.skipif(
    not PROGRAM, reason="no language server; npm install --global yaml-language-server"
)
FIRST_LINE = f"# yaml-language-server: $schema={FILE_NAME}\n"
HEAD = f"{FIRST_LINE}name: a\ninput: [1, 28, 28]\n"
LAYER = f"{HEAD}layers:\n  - Conv2d: [16, 3]\n"
NETWORK = f"{LAYER}  - Flatten\n  - Linear: 10\n"
TRAIN = f"{NETWORK}train:\n  dataset: mnist\n  epochs: 10\n  optimizer: SGD\n"
CONV = f"{LAYER}  - Conv2d:\n      out_channels: 4\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("editor")
    (path / FILE_NAME).write_text(schema_text())
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LanguageServer]:
    with LanguageServer(folder) as server:
        yield server


def problems(text: str, folder: Path) -> list[str]:
    """Return what `netbuilder check` says about a document."""
    (folder / "a.yaml").write_text(text)
    return [str(problem) for problem in check_document(folder / "a.yaml").problems]


def offered(server: LanguageServer, text: str) -> dict[str, dict[str, Any]]:
    """Return the completions at the mark by label; each label is distinct and a document's word."""
    items = server.complete(text)
    labels = [item["label"] for item in items]
    assert sorted(labels) == sorted(set(labels))
    assert not [label for label in labels if re.search(r"object|_config|Default value|\(", label)]
    return dict(zip(labels, items, strict=True))


def hover(server: LanguageServer, text: str, place: int) -> str:
    """Return what the editor says about the word at a place."""
    return server.hover(f"{text[: place + 1]}{MARK}{text[place + 1 :]}")


COMPLETIONS = [
    (FIRST_LINE, "¦", "netbuilder architecture"),
    (NETWORK, "¦", "train"), (NETWORK, "tr¦", "train"), (NETWORK, "¦", "targets"),
    (NETWORK, "¦", "reference"), (NETWORK, "¦", "notes"), (NETWORK, "¦", "values"),
    (NETWORK, "¦", "blocks"), (NETWORK, "¦", "init"), (NETWORK, "¦", "title"),
    (LAYER, "  -¦", "ReLU"), (LAYER, "  - ¦", "ReLU"), (LAYER, "  - ReL¦", "ReLU"),
    (LAYER, "  - Drop¦", "Dropout"), (LAYER, "  - Flat¦", "Flatten"),
    (LAYER, "  - BatchNorm¦", "BatchNorm2d"), (LAYER, "  - Conv¦", "Conv2d"),
    (LAYER, "  - {¦}", "Conv2d"), (LAYER, "  - {Re¦}", "ReLU"), (LAYER, "  - Rep¦", "Repeat"),
    (HEAD, "layers: [Re¦]", "ReLU"), (LAYER, "  - Residual: {body: [Ta¦]}", "Tanh"),
    (LAYER, "  - Residual:\n      body:\n        - ¦", "BatchNorm2d"),
    (LAYER, "  - Conv2d: {¦}", "out_channels, kernel_size"), (CONV, "      ¦", "kernel_size"),
    (CONV, "      kernel_size: 3\n      pad¦", "padding"),
    (CONV, "      kernel_size: 3\n      padding: ¦", "same"),
    (LAYER, "  - BatchNorm2d: {¦}", "momentum"), (LAYER, "  - BatchNorm2d:\n      ¦", "eps"),
    (LAYER, "  - MaxPool2d: {¦}", "kernel_size"), (NETWORK, "init: ¦", "kaiming_normal"),
    (NETWORK, "init: {¦}", "weight"), (TRAIN, "  ¦", "batch_size"), (TRAIN, "  ¦", "augment"),
    (TRAIN, "  ¦", "loss"), (TRAIN, "  ¦", "ema"), (TRAIN, "  sch¦", "scheduler"),
    (TRAIN, "  scheduler: ¦", "OneCycleLR"), (TRAIN, "  scheduler: {¦}", "StepLR"),
    (TRAIN, "  augment:\n    - Rand¦", "RandomCrop"), (TRAIN, "targets:\n  ¦", "test_accuracy"),
    (TRAIN, "targets: {¦}", "epochs"), (TRAIN, "targets:\n  parameters:\n    ¦", "at_most"),
    (TRAIN, "targets:\n  parameters: {¦}", "below"), (TRAIN, "targets:\n  epochs: ¦", "at_most"),
    (TRAIN, "notes: {¦}", "target"), (TRAIN, "reference: {¦}", "test_accuracy"),
    (TRAIN.replace("SGD", "¦"), "", "AdamW"), (TRAIN.replace("SGD", "{SGD: {¦}}"), "", "lr"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "ending", "label"), COMPLETIONS)
def test_an_accepted_completion_is_a_valid_document(
    document: str, ending: str, label: str, server: LanguageServer, folder: Path
) -> None:
    """What the editor inserts passes the check as it is, with the placeholders' own values."""
    text = f"{document}{ending}\n"
    assert problems(accept(text, offered(server, text)[label]), folder) == []


@pytest.mark.parametrize(
    ("document", "ending"),
    [
        (LAYER, "  - ReLU: ¦"), (LAYER, "  - BatchNorm2d: ¦"), (NETWORK, "train: ¦"),
        (NETWORK, "init: ¦"), (TRAIN, "  scheduler: ¦"), (TRAIN, "targets:\n  parameters: ¦"),
    ],
)  # fmt: skip
def test_null_is_not_offered_for_a_mapping(
    document: str, ending: str, server: LanguageServer
) -> None:
    """A section, an initialization or the arguments of a kind can be null, but nobody means it."""
    assert "null" not in offered(server, f"{document}{ending}\n")


def test_null_is_offered_for_a_number_where_it_has_a_meaning(server: LanguageServer) -> None:
    """The momentum of a normalization can be null, which averages all batches."""
    labels = offered(server, f"{LAYER}  - BatchNorm2d:\n      momentum: ¦\n").keys()
    assert {"null", "0.1"} <= labels


def test_required_fields_are_placeholders_and_optional_fields_are_offered(
    server: LanguageServer,
) -> None:
    """Accepting Conv2d leaves two values to change; all other fields are offered after it."""
    item = offered(server, f"{LAYER}  - Conv2¦\n")["Conv2d"]
    assert item["textEdit"]["newText"] == "Conv2d: {out_channels: ${1:16}, kernel_size: ${2:3}}"
    fields = {"init", "stride", "padding", "dilation", "groups", "bias", "padding_mode"}
    assert offered(server, f"{CONV}      kernel_size: 3\n      ¦\n").keys() == fields


DOCUMENTS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (position % 6 > 0))
    for folder in (ARCHS, ARCHS / "zoo")
    for position, path in enumerate(sorted(folder.glob("*.yaml")))
]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_editor_reports_nothing_about_a_valid_document(
    path: Path, server: LanguageServer
) -> None:
    """No document of the repository is underlined."""
    text = re.sub(r"schema=\S+", f"schema={FILE_NAME}", path.read_text(encoding="utf-8"))
    assert server.problems(text) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Conv2d: {out_channels: 3}", 'Missing property "kernel_size".'),
        ("Conv2d: {}", 'Missing property "kernel_size".'),
        (
            "Conv2d: {out_channels: 3, kernel_size: 3, strides: 2}",
            "Property strides is not allowed.",
        ),
        ("ReLU: {inplace: 3}", 'Incorrect type. Expected "boolean | string".'),
    ],
)
def test_the_editor_reports_a_mistake(line: str, problem: str, server: LanguageServer) -> None:
    """A missing or unknown field and a wrong type are underlined with a reason."""
    assert problem in server.problems(f"{LAYER}  - {line}\n")


# --- every kind ----------------------------------------------------------------------------------

SHAPES = {"1d": "[16, 28]", "3d": "[16, 8, 28, 28]", "Fold": "[144, 676]", "Unflatten": "[784]"}
"""The inputs of layers that do not take an image of 16 channels, by the end of their names."""
MATRICES = {"eye", "sparse"}
"""Initializers of matrices alone."""
TRAIN_LINES = {"loss": "  loss: {}\n", "scheduler": "  scheduler: {}\n",
               "augmentation": "  augment:\n    - {}\n"}  # fmt: skip
KINDS = [
    pytest.param(family.noun, kind, id=kind.kind, marks=[pytest.mark.long] * (position % 6 > 0))
    for family in schema.FAMILIES
    for position, kind in enumerate(family.kinds.values())
]
"""Every kind as a long test, some of each family by default."""


def around(family: str, kind: type[Component]) -> str:
    """Return a document with ``{}`` where the name of a kind belongs."""
    if issubclass(kind, Layer):
        shape = next((SHAPES[end] for end in SHAPES if kind.kind.endswith(end)), "[16, 28, 28]")
        return f"{FIRST_LINE}name: a\ninput: {shape}\nlayers:\n  - {{}}\n"
    if issubclass(kind, Dataset):
        text = TRAIN.replace("[1, 28, 28]", str(list(kind.shape))).replace("mnist", "{}")
        return text.replace("Linear: 10", f"Linear: {len(kind.classes)}")
    if family == "initializer":
        layer = f"{CONV}      kernel_size: 3\n"
        if kind.kind in MATRICES:
            layer = f"{LAYER}  - Linear:\n      out_features: 4\n"
        return f"{layer}      init: {{}}\n"
    if family == "optimizer":
        return TRAIN.replace("SGD", "{}")
    text = TRAIN
    if kind.kind == "NLLLoss":  # which takes log-probabilities
        text = TRAIN.replace("  - Linear: 10\n", "  - Linear: 10\n  - LogSoftmax: 1\n")
    return text + TRAIN_LINES[family]


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_every_kind_is_offered_and_valid_when_accepted(
    family: str, kind: type[Component], server: LanguageServer, folder: Path
) -> None:
    """Each kind can be completed where it belongs, and what is inserted passes the check."""
    text = around(family, kind).replace("{}", MARK)
    assert problems(accept(text, offered(server, text)[kind.kind]), folder) == []


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_hover_explains_every_kind_and_field(
    family: str, kind: type[Component], server: LanguageServer
) -> None:
    """Hover on a kind links to torch; on a field it says meaning, unit and default."""
    values = {name: plain(snippet(field_example(kind, name))) for name in kind.model_fields}
    for name, value in values.items():
        if value in schema.COMPONENTS:  # a name alone is explained, not the field before it
            values[name] = f"{{{value}: {{}}}}"
    body = ", ".join(f"{name}: {value}" for name, value in values.items())
    arguments = f"{{{kind.kind}: {{{body}}}}}" if values else kind.kind
    text = around(family, kind).replace("{}", arguments)
    start = text.index(arguments) + bool(values)
    assert markdown(kind) in hover(server, text, start)
    for name in values:
        about = hover(server, text, text.index(f"{name}: ", start + len(kind.kind)))
        assert field_description(kind, name) in about.replace("\\", "")


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("  - ReLU", "rectified linear unit"), ("  - Linear: 10", "affine transformation"),
        ("  - Linear: [10, true]", "affine transformation"), ("  - GELU: tanh", "Gaussian error"),
        ("  - MaxPool2d: [2, 2]", "max pooling"), ("  - BatchNorm2d:", "batch normalization"),
        ("  - Conv2d: ['${2 ** 3}', 3]", "2-D convolution"), ("  - a_block", "block"),
        ("  - a_block: {a: 3}", "block"), ("  - Repeat: {times: 2, layers: [ReLU]}", "index"),
    ],
)  # fmt: skip
def test_hover_explains_a_kind_in_every_form(
    line: str, meaning: str, server: LanguageServer
) -> None:
    """A name alone, with a scalar and with a list of arguments has the same text."""
    text = f"{LAYER}{line}\n"
    assert meaning in hover(server, text, text.index(line) + 5)
