"""What a message proposes to write is tried: the problem at that place is gone."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from budgets import examples
from hypothesis import assume, event, given
from hypothesis import strategies as st

from netbuilder.components.foreign_fields import _WORDS as FIELDS
from netbuilder.components.foreign_names import _WORDS as NAMES
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import COMPONENTS, FAMILIES
from netbuilder.config.yaml_nodes import parse_value
from netbuilder.errors import ConfigError, Problem
from netbuilder.network.check import check_architecture

Path = tuple[str | int, ...]

BASE: dict[str, Any] = {
    "name": "net",
    "input": [1, 28, 28],
    "layers": [
        {"Conv2d": {"out_channels": 8, "kernel_size": 3, "padding": "same", "bias": False}},
        {"GroupNorm": {"num_groups": 4, "eps": 0.001}},
        {"LeakyReLU": {"negative_slope": 0.1}},
        {"MaxPool2d": {"kernel_size": [2, 2], "stride": 2}},
        {"Residual": {"body": [{"Conv2d": {"out_channels": 8, "kernel_size": 1}}]}},
        {"Dropout": {"p": 0.1}},
        {"Flatten": {"start_dim": 1}},
        {"Linear": {"out_features": 10}},
    ],
    "init": {"kaiming_normal": {"mode": "fan_out"}},
    "train": {
        "dataset": "mnist5k",
        "epochs": 3,
        "batch_size": 50,
        "loss": {"CrossEntropyLoss": {"label_smoothing": 0.1}},
        "optimizer": {"SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True}},
        "scheduler": [{"StepLR": {"step_size": 2, "gamma": 0.5}}],
        "augment": [{"RandomCrop": {"size": 28, "padding": 2}}, {"RandomRotation": {"degrees": 7}}],
        "ema": 0.9,
    },
    "targets": {"parameters": {"below": 90000}, "test_accuracy": {"at_least": 10}},
    "notes": {"target": "small"},
}


def problems(document: Any) -> list[Problem]:
    """The problems of a document."""
    try:
        parse_architecture(json.dumps(document), "net.yaml")
    except ConfigError as error:
        return error.problems
    return []


def path_of(field: str) -> Path:
    """The path that a message names."""
    steps = re.findall(r"\[(\d+)\]|([^.\[\]]+)", field)
    return tuple(int(index) if index else key for index, key in steps)


def get(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def put(document: Any, path: Path, value: Any) -> None:
    get(document, path[:-1])[path[-1]] = value


def rename(document: Any, path: Path, name: str) -> None:
    """Give a key, or a kind that stands alone, another name."""
    parent = get(document, path[:-1])
    parts = {name if key == path[-1] else key: part for key, part in parent.items()}
    parent.clear()
    parent.update(parts)


PROPOSAL = re.compile(
    r"(?:did you mean |write |keep one, such as )(.*?)(\?|, with quotes|, without quotes)?$"
)


def proposals(message: str) -> Iterator[str]:
    """The texts that a message proposes, each as it would be written."""
    if match := PROPOSAL.search(message):
        text = match[1]
        if "..." in text or "field: value" in text or " with " in text:
            return
        for part in re.split(r", or | or (?=[A-Z{])|, (?=[A-Z])", text):
            yield part.removesuffix(" in the train section")


def apply(document: Any, problem: Problem, proposal: str) -> Any:
    """The document after a proposed edit."""
    document = copy.deepcopy(document)
    path = path_of(problem.field)
    if "unknown field" in problem.message:
        rename(document, path, proposal)
    elif match := re.match(r"unknown [\w ]+ '(.*?)'", problem.message):
        value = get(document, path)
        name = value if isinstance(value, str) else next(iter(value))
        assert match[1].rstrip("…") in name
        right = parse_value(proposal)
        if isinstance(right, str) and isinstance(value, dict):
            rename(document, (*path, name), right)
        else:
            put(document, path, right)
    else:
        right = parse_value(proposal)
        is_kind = path[-1] in COMPONENTS
        if is_kind and (right == path[-1] or (isinstance(right, dict) and path[-1] in right)):
            put(document, path[:-1], right)
        else:
            put(document, path, right)
    return document


def try_proposals(document: Any) -> int:
    """Apply each proposal of each problem; return how many there were."""
    count = 0
    for problem in problems(document):
        for proposal in proposals(problem.message):
            after = problems(apply(document, problem, proposal))
            same = [p for p in after if (p.field, p.message) == (problem.field, problem.message)]
            assert not same, (str(problem), proposal)
            count += 1
    return count


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all scalars and lists of numbers."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list) and not all(isinstance(item, int) for item in value):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))
    else:
        yield path


def keys(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all keys: sections, fields and kinds."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        if isinstance(value, dict):
            yield (*path, key)
        if isinstance(part, dict | list):
            yield from keys(part, (*path, key))


LEAVES, KEYS = list(leaves(BASE)), list(keys(BASE))


def test_the_document_is_valid() -> None:
    """Mutations make its only problems."""
    assert problems(BASE) == []


@given(
    st.sampled_from(KEYS), st.integers(0, 30), st.sampled_from(["drop", "twice", "swap", "case"])
)
@examples(60, 2000)
def test_a_typing_error_in_a_name(path: Path, position: int, kind: str) -> None:
    """The right name is proposed, and accepted."""
    name = str(path[-1])
    at = position % len(name)
    edits = {
        "drop": name[:at] + name[at + 1 :],
        "twice": name[:at] + name[at] + name[at:],
        "swap": name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :],
        "case": name[:at] + name[at].swapcase() + name[at + 1 :],
    }
    assume(edits[kind] not in ("", name))
    document = copy.deepcopy(BASE)
    assume(edits[kind] not in get(document, path[:-1]))
    rename(document, path, edits[kind])
    event(f"proposals: {try_proposals(document)}")


WRONG: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "quoted": lambda value: f" {value}",
    "list": lambda value: [value],
    "parentheses": lambda value: f"({value}, {value})",
    "float": lambda value: float(value) if type(value) is int else value,
    "x": lambda value: f"{value}x{value}",
    "word": lambda value: "yes" if value else "off",
    "number": lambda value: int(value) if isinstance(value, bool) else 3,
    "mapping": lambda value: {"value": value},
    "nothing": lambda value: None,
    "upper": lambda value: value.upper() if isinstance(value, str) else value,
}


@given(st.sampled_from(LEAVES), st.sampled_from(list(WRONG)))
@examples(60, 1000)
def test_a_value_of_the_wrong_type(path: Path, kind: str) -> None:
    """The value that it means is proposed, and accepted."""
    document = copy.deepcopy(BASE)
    put(document, path, WRONG[kind](get(document, path)))
    event(f"proposals: {try_proposals(document)}")


SECTIONS: dict[str, list[Path]] = {
    "layer": [path for path in KEYS if path[0] == "layers"],
    "optimizer": [path for path in KEYS if path[:2] == ("train", "optimizer")],
    "scheduler": [path for path in KEYS if path[:2] == ("train", "scheduler")],
    "augmentation": [path for path in KEYS if path[:2] == ("train", "augment")],
    "TrainConfig": [path for path in KEYS if path[0] == "train" and len(path) == 2],
    "Architecture": [path for path in KEYS if len(path) == 1],
    "Targets": [path for path in KEYS if path[0] == "targets" and len(path) == 2],
    "Bound": [path for path in KEYS if path[0] == "targets" and len(path) == 3],
}


@pytest.mark.parametrize("section", list(SECTIONS))
def test_a_field_of_another_library(section: str) -> None:
    """Each foreign name of a field of the document leads back to that field."""
    tried = 0
    for path in SECTIONS[section]:
        for name, words in FIELDS[section].items():
            if path[-1] in ((words,) if isinstance(words, str) else words):
                document = copy.deepcopy(BASE)
                if name not in get(document, path[:-1]):
                    rename(document, path, name)
                    tried += try_proposals(document)
    assert tried > 2, section


@pytest.mark.parametrize("noun", list(NAMES))
def test_a_kind_of_another_library(noun: str) -> None:
    """Each foreign name leads to kinds that exist; their arguments may be missing."""
    path: dict[str, Path] = {
        "layer": ("layers", 2), "optimizer": ("train", "optimizer"), "loss": ("train", "loss"),
        "scheduler": ("train", "scheduler", 0), "augmentation": ("train", "augment", 0),
        "initializer": ("init",),
    }  # fmt: skip
    for name in NAMES[noun]:
        document = copy.deepcopy(BASE)
        put(document, path[noun], name)
        try_proposals(document)


FORMS = [
    ("layers", 0, {"_target_": "torch.nn.Conv2d", "out_channels": 8, "kernel_size": 3}),
    ("layers", 0, {"type": "Conv2d", "out_channels": 8, "kernel_size": 3}),
    ("layers", 0, {"class_name": "Conv2D", "config": {"out_channels": 8, "kernel_size": 3}}),
    ("layers", 0, {"name": "relu"}),
    ("layers", 0, "nn.Conv2d(1, 8, 3, padding=1)"),
    ("layers", 0, "Conv2d(8, 3)"),
    ("layers", 0, "torch.nn.Conv2d(1, 8, kernel_size=(3, 3))"),
    ("layers", 0, "nn.ReLU(inplace=True)"),
    ("layers", 0, "nn.BatchNorm2d(1)"),
    ("layers", 0, "ReLU()"),
    ("layers", 0, ["Conv2d", 8, 3]),
    ("layers", 0, ["Conv2d", [8, 3]]),
    ("layers", 0, ["relu"]),
    ("layers", 0, {"Conv2d": [8, 3], "bias": False}),
    ("layers", 0, {"Conv2d": "8, 3"}),
    ("layers", 0, {"Conv2d": "(8, 3)"}),
    ("layers", 0, {"Conv2d": {"8": None, "3": None}}),
    ("layers", 0, {"BatchNorm2d": 1}),
    ("layers", 0, {"BatchNorm2d": [1, 0.001, 0.1]}),
    ("layers", 1, {"GroupNorm": [4, 8]}),
    ("layers", 0, {"Linear": [784, 10]}),
    ("layers", 0, {"Linear": [784, 10, False]}),
    ("layers", 0, {"Conv2d": [1, 8, 3, 1, 0, 1, 1, False]}),
    ("layers", 0, {"Permute": [2, 0, 1]}),
    ("layers", 0, {"AdaptiveAvgPool2d": [1, 1]}),
    ("layers", 0, {"Unflatten": [1, 4, 7]}),
    ("layers", 0, {"ZeroPad2d": [1, 1, 1, 1]}),
    ("layers", 0, {"LayerNorm": [1, 28, 28]}),
    ("train", "optimizer", {"type": "SGD", "lr": 0.1}),
    ("train", "optimizer", {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.1}}),
    ("train", "optimizer", {"SGD": 0.1, "Adam": {"lr": 0.1}}),
    ("train", "optimizer", "torch.optim.SGD(lr=0.1, momentum=0.9)"),
    ("train", "dataset", "torchvision.datasets.MNIST"),
    ("train", "dataset", {"name": "mnist5k"}),
    ("train", "loss", "nn.CrossEntropyLoss()"),
    ("train", "loss", {"_target_": "torch.nn.CrossEntropyLoss"}),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_form_of_another_library(form: tuple[str, Any, Any]) -> None:
    """The same component in a form of documents is proposed, and accepted."""
    section, key, value = form
    document = copy.deepcopy(BASE)
    document[section][key] = value
    assert try_proposals(document) >= 1


def test_every_family_has_foreign_forms() -> None:
    """A class under a key is understood wherever a component stands."""
    for family in FAMILIES:
        name = next(name for name, kind in family.kinds.items() if not kind.required())
        with pytest.raises(
            Exception, match=f"the key _target_; .* is the key itself: write {name}"
        ):
            family.parse({"_target_": f"some.module.{name}"})


def network_problems(shape: list[int], layers: str) -> list[str]:
    """The problems of a network, shapes and classes included."""
    text = f"name: net\ninput: {shape}\nlayers: {layers}\n"
    text += "train: {dataset: mnist5k, epochs: 1, optimizer: SGD}\n" * (shape == [1, 28, 28])
    return [str(p) for p in check_architecture(parse_architecture(text, "net.yaml")).problems]


@pytest.mark.parametrize(
    ("shape", "layers", "proposal", "right_shape", "right_layers"),
    [
        ([28, 28, 1], "[{Conv2d: [10, 28]}, Flatten]", "write input: [1, 28, 28]",
         [1, 28, 28], "[{Conv2d: [10, 28]}, Flatten]"),
        ([6, 1, 8, 8], "[{Conv2d: [8, 3]}]", "leave the batch size out of the input",
         [1, 8, 8], "[{Conv2d: [8, 3]}]"),
        ([1, 28, 28], "[{Conv2d: [8, 3]}]", "or with Flatten and Linear: 10",
         [1, 28, 28], "[{Conv2d: [8, 3]}, Flatten, {Linear: 10}]"),
        ([1, 28, 28], "[Flatten, {Linear: 9}]", "or with Linear: 10",
         [1, 28, 28], "[Flatten, {Linear: 9}, {Linear: 10}]"),
        ([1, 28, 28], "[{Conv2d: [8, 3]}]", "end with 10 channels of 1x1",
         [1, 28, 28], "[{Conv2d: [10, 28]}]"),
        ([12], "[{Unflatten: [1, [5, 3]]}]", "write [-1, 3]", [12], "[{Unflatten: [1, [-1, 3]]}]"),
        ([12], "[{Unflatten: [1, [4, 5]]}]", "write [4, -1]", [12], "[{Unflatten: [1, [4, -1]]}]"),
        ([12], "[{Unflatten: [1, [5, 7]]}]", "write [-1]", [12], "[{Unflatten: [1, [-1]]}]"),
        ([3, 8, 8], "[{LayerNorm: 3}]", "write [8]", [3, 8, 8], "[{LayerNorm: [8]}]"),
        ([3, 8, 8], "[{Permute: [[0, 1, 2]]}]", "such as [0, 2, 3, 1]",
         [3, 8, 8], "[{Permute: [[0, 2, 3, 1]]}]"),
        ([3, 8], "[{Conv2d: [8, 3]}]", "use Conv1d", [3, 8], "[{Conv1d: [8, 3]}]"),
        ([3, 8, 8], "[BatchNorm1d]", "use BatchNorm2d", [3, 8, 8], "[BatchNorm2d]"),
    ],
)  # fmt: skip
def test_a_shape_that_is_proposed_fits(
    shape: list[int], layers: str, proposal: str, right_shape: list[int], right_layers: str
) -> None:
    """The network with the proposed sizes has no problem."""
    [problem] = network_problems(shape, layers)
    assert proposal in problem
    assert network_problems(right_shape, right_layers) == []


@pytest.mark.parametrize(
    "layer",
    [
        "{Permute: [" + ", ".join(map(str, range(99))) + "]}",
        "{Linear: '" + "1, " * 99 + "1'}",
        "[Conv2d, " + "1, " * 99 + "1]",
        "{Linear: 10, x: '" + "y" * 999 + "'}",
        "{Linear: {units: '" + "y" * 999 + "'}}",
        "{type: Linear, x: '" + "y" * 999 + "'}",
        "Linear(" + "1, " * 99 + "1)",
        "{Sequential: {layers: '" + "y" * 999 + "'}}",
    ],
    ids=lambda layer: layer[:20],
)
def test_a_long_value_is_not_repeated(layer: str) -> None:
    """A message stays a line that can be read."""
    text = f"name: net\ninput: [8]\nlayers:\n  - {layer}\n"
    with pytest.raises(ConfigError, match=r"net\.yaml:4:") as caught:
        parse_architecture(text, "net.yaml")
    assert all(len(str(problem)) <= 400 for problem in caught.value.problems)
