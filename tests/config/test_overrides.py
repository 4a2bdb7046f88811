"""Changes to a document with ``--set``."""

from __future__ import annotations

from typing import Any

import pytest
from test_document import DOCUMENT, read, refusal


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("name=other", ("name",), "other"),
        ("train.epochs=5", ("train", "epochs"), 5),
        ("train.optimizer.SGD.lr=1e-3", ("train", "optimizer", "SGD", "lr"), 0.001),
        ("train.optimizer=Adam", ("train", "optimizer", "Adam", "lr"), 0.001),
        ("layers[0].Conv2d.kernel_size=5", ("layers", 0, "Conv2d", "kernel_size"), [5, 5]),
        ("layers[0].Conv2d.bias=false", ("layers", 0, "Conv2d", "out_channels"), 10),
        ("layers[1].ReLU.inplace=true", ("layers", 1, "ReLU", "inplace"), True),
        ("layers[2].MaxPool2d.stride=1", ("layers", 2, "MaxPool2d", "kernel_size"), [2, 2]),
        ("layers[1]=Tanh", ("layers", 1), {"Tanh": {}}),
        ("layers[4]={Linear: [3, false]}", ("layers", 4, "Linear", "bias"), False),
        ("train.scheduler.StepLR.gamma=0.1", ("train", "scheduler", 0, "StepLR", "gamma"), 0.1),
        ("train.dataset.mnist.fallback=mnist5k", ("train", "dataset", "mnist", "fallback"),
         "mnist5k"),
        ("train.scheduler=", ("train", "scheduler"), []),
        ("targets.epochs.at_most=9", ("targets", "epochs", "at_most"), 9),
        ("reference.test_accuracy=99", ("reference", "test_accuracy"), 99),
        ("title==a=b", ("title",), "=a=b"),
    ],
)  # fmt: skip
def test_an_override_sets_the_value_of_its_path(
    override: str, place: tuple[str | int, ...], value: object
) -> None:
    """A path of names and indices sets one value, and expands components as necessary."""
    actual: Any = read(DOCUMENT, override).model_dump(mode="json")
    for step in place:
        actual = actual[step]
    assert actual == value


def test_an_override_changes_no_alias_of_its_value() -> None:
    """An alias keeps the value of the document when its anchor is changed."""
    text = DOCUMENT.replace("Conv2d: [10, 3]", "Conv2d: &c [10, 3]\n  - Conv2d: *c")
    first, second = read(text, "layers[0].Conv2d.kernel_size=5").layers[:2]
    assert first.arguments()["kernel_size"] == (5, 5)
    assert second.arguments()["kernel_size"] == (3, 3)


def test_overrides_apply_in_order() -> None:
    """A later override can change what an earlier one set."""
    architecture = read(
        DOCUMENT, "train.optimizer=Adam", "train.optimizer.Adam.lr=2", "train.epochs=1"
    )
    assert architecture.train is not None
    assert architecture.train.optimizer.arguments()["lr"] == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "write it as field.path=value, such as train.epochs=5"),
        ("=5", "write it as field.path=value, such as train.epochs=5"),
        ("train..epochs=5", "write it as field.path=value, such as train.epochs=5"),
        ("layers[-1]=ReLU", "write it as field.path=value, such as train.epochs=5"),
        ("layers[9]=ReLU", "there is no item [9]; the list has 5 items; set layers[0] to "
         "layers[4], or layers"),
        ("name[0]=a", "name is the text 'small', which has no items; set name"),
        ("layers.0.Conv2d=1", "write it without spaces and signs, and items in brackets: "
         "layers[0].Conv2d=1"),
        ("train.epochs = 5", "write it without spaces and signs, and items in brackets: "
         "train.epochs=5"),
        ("name.first=a", "name is the text 'small', which has no field first; set name"),
        ("train.epochs=[1", "not YAML: did not find expected ',' or ']' while parsing a flow "
         "sequence; fix this line or one above it"),
        ("train.epochs=none", "train.epochs: found the text 'none'; allowed: a whole number"),
        ("train.epoch=3", "train.epoch: unknown field; did you mean epochs?"),
        ("layers[0].Conv2d.kernel_size=0", "layers[0].Conv2d.kernel_size: found the number 0; "
         "allowed: a whole number of at least 1, or a list of 2 of them"),
        ("layers[1]=Relu", "layers[1]: unknown layer 'Relu'; did you mean ReLU?"),
        ("train.optimizer.Adam.lr=1", "train.optimizer: found 2 keys ('SGD', 'Adam') where one "
         "optimizer belongs; keep one, such as Adam: {lr: 1}"),
        ("train.optimizer.SGD.nesterov=true", "train.optimizer.SGD: nesterov needs a momentum "
         "above 0 and a dampening of 0; change one of them"),
        ("targets={epochs: {}}", "targets.epochs: it has no bound; allowed: below, at_most, "
         "above, at_least"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_override_names_the_override(override: str, message: str) -> None:
    """The override takes the place of file and line in the message."""
    assert refusal(DOCUMENT, override) == f"--set {override}: {message}"


def test_a_mistake_in_the_document_keeps_its_place_beside_overrides() -> None:
    """Mistakes in overrides name the override, and those in the document name file and line."""
    text = DOCUMENT.replace("epochs: 2", "epochs: two")
    assert refusal(text, "name=a b", "targets.parameters.below=x").splitlines() == [
        "--set name=a b: name: found the text 'a b'; allowed: at most 64 of a to z, A to Z, "
        "digits, dots, dashes and underscores, no dot or dash first; write a-b",
        "--set targets.parameters.below=x: targets.parameters.below: found the text 'x'; "
        "allowed: a number",
        "a.yaml:11:3: train.epochs: found the text 'two'; allowed: a whole number",
    ]
