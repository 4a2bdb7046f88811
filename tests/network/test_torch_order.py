"""Convolutions in the order of torch's call are noticed; ordinary convolutions are not."""

from __future__ import annotations

from typing import Any

import pytest
from budgets import examples
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from netbuilder.config.loader import load, parse_architecture
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import analyse
from netbuilder.network.check import check_architecture
from netbuilder.network.lint.base import leaf_rows
from netbuilder.network.torch_order import KINDS
from netbuilder.render.json import dumps

PATHS = [
    path
    for path in sorted([*ROOT.glob("archs/*.yaml"), *ROOT.glob("archs/zoo/*.yaml")])
    if any(row.kind in KINDS for row in leaf_rows(analyse(load(path))))
]


def positional(path: Any, *, torch: bool) -> str:
    """A document with its convolutions as lists, in torch's order or in that of documents."""
    analysis = analyse(load(path))
    document = analysis.architecture.model_dump(mode="json", exclude={"train", "targets"})
    document["layers"] = list(document["layers"])
    for row in leaf_rows(analysis):
        if row.kind in KINDS:
            parent: Any = document
            for step in row.place[:-1]:
                parent = parent[step]
            arguments = parent[row.kind]
            names = type(row.layer).positional()
            is_set = [name in row.layer.non_default_arguments() for name in names]
            count = max(number for number, differs in enumerate(is_set, 1) if differs)
            values = [arguments[name] for name in names[:count]]
            parent[row.kind] = [row.input_shape[0], *values] if torch else values
    return str(dumps(document))


def messages(text: str) -> list[str]:
    """The problems and warnings of a document."""
    try:
        check = check_architecture(parse_architecture(text, "net.yaml"))
    except ConfigError as error:
        return [*map(str, error.problems)]
    return [*map(str, check.problems), *map(str, check.warnings)]


def about_torch(text: str) -> list[str]:
    """The messages that say what to write in place of torch's call."""
    forms = ("if it is torch's", "is inferred; write")
    return [message for message in messages(text) if any(form in message for form in forms)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_published_networks_in_torchs_order_are_noticed(path: Any) -> None:
    """Whether they still fit together or not."""
    assert about_torch(positional(path, torch=True))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_published_networks_as_lists_are_not_suspect(path: Any) -> None:
    """In the order of documents."""
    assert about_torch(positional(path, torch=False)) == []


CHANNELS = st.sampled_from([3, 8, 10, 16, 24, 32, 64, 96, 128])


@st.composite
def ordinary(draw: st.DrawFn) -> list[tuple[str, int, int, int, int]]:
    """Convolutions that people write: kind, channels, kernel, stride and padding."""
    layers = []
    for _ in range(draw(st.integers(1, 5))):
        kernel = draw(st.sampled_from([1, 2, 3, 4, 5, 7]))
        stride = draw(st.sampled_from([1, 2] if kernel > 1 else [1]))
        kind = draw(st.sampled_from(["Conv2d", "Conv2d", "Conv2d", "ConvTranspose2d"]))
        layers.append((kind, draw(CHANNELS), kernel, stride, kernel // 2))
    return layers


def text_of(layers: list[tuple[str, int, int, int, int]], channels: int, *, torch: bool) -> str:
    lines = [f"name: net\ninput: [{channels}, 64, 64]\nlayers:"]
    for kind, out, kernel, stride, padding in layers:
        first = f"{channels}, " if torch else ""
        lines.append(f"  - {kind}: [{first}{out}, {kernel}, {stride}, {padding}]")
        channels = out
    return "\n".join(lines) + "\n"


@given(ordinary(), st.sampled_from([1, 3, 16]))
@examples(40, 2000)
def test_ordinary_convolutions_are_not_suspect(
    layers: list[tuple[str, int, int, int, int]], channels: int
) -> None:
    """However often the number of channels stays the same."""
    assert about_torch(text_of(layers, channels, torch=False)) == []


@given(ordinary(), st.sampled_from([1, 3, 16]))
@examples(40, 2000)
def test_ordinary_convolutions_in_torchs_order_are_noticed(
    layers: list[tuple[str, int, int, int, int]], channels: int
) -> None:
    """Where the first has more than a few channels and a kernel, no list is accepted silently."""
    (_, out, kernel, _, _), *_ = layers
    if out >= 8 and kernel >= 3 and out != kernel:
        assert about_torch(text_of(layers, channels, torch=True))


@pytest.mark.parametrize(
    ("lists", "suspects"),
    [
        (["Conv2d: [1, 10, 3]", "ReLU", "ConvTranspose2d: [20, 8, 2]"], [0, 2]),
        (["Conv2d: [10, 3]", "Conv2d: [10, 20, 3]"], [1]),
        (["Conv2d: [1, 6, [5, 5]]", "Conv2d: [6, 4, 3]"], [0, 1]),
        (["Conv2d: [1, 10, 5, 1, 0, 1, 1, false]"], [0]),
        (["Conv2d: [16, 3]", "Conv2d: [16, 3, 3, 1, 1]"], [1]),
        (["Conv2d: [16, 3]", "Conv2d: [16, 3, 2]", "Conv2d: [16, 3, 2, 1]"], []),
        (["Conv2d: [16, 3]", "Conv2d: [16, 7, 1, 3, 1, 16]", "Conv2d: [16, 2, 2]"], []),
        (["Conv2d: [16, 3]", "Conv2d: [16, 15, 2, 7, 1, 16]", "Conv2d: [16, 1, 2]"], []),
        (["Conv2d: [21, 3]", "ConvTranspose2d: [21, 4, 2]", "ConvTranspose2d: [21, 16, 8]"], []),
        (["Conv2d: [1, 4, 2]"], []),
    ],
)
def test_the_numbers_decide(lists: list[str], suspects: list[int]) -> None:
    """A kernel or a stride that nobody means; then also its unusual neighbors."""
    lines = "".join(f"  - {line}\n" for line in lists)
    text = f"name: net\ninput: [1, 64, 64]\nlayers:\n{lines}"
    assert [int(message.split("layers[")[1][0]) for message in about_torch(text)] == suspects


@pytest.mark.parametrize(
    "layers",
    ["- Conv2d: [1, 10, 3]", "- Conv2d: [1, 32, 3, 1, 1]", "- Conv2d: [1, 8, 5]\n"],
)
def test_the_remedy_is_accepted(layers: str) -> None:
    """The document with the list to write has no message left."""
    text = f"name: net\ninput: [1, 28, 28]\nlayers:\n{layers}\n"
    [message] = about_torch(text)
    assert messages(text.replace(layers, "- " + message.rpartition(", write ")[2])) == []


def test_a_later_fault_names_its_cause() -> None:
    """LeNet in torch's order fails at its second convolution."""
    lists = "Conv2d: [1, 6, 5]}, ReLU, {MaxPool2d: 2}, {Conv2d: [6, 16, 5]"
    [message] = messages(f"name: net\ninput: [1, 28, 28]\nlayers: [{{{lists}}}]\n")
    assert "layers[3].Conv2d: kernel 16x16 is larger than its input" in message
    assert "; the cause may be net.yaml:3:11, Conv2d: [1, 6, 5]: if it is torch's" in message
