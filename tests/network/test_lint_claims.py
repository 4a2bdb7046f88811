"""Advice held to its word: what it claims is measured, and its remedy taken."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_lint import CLOSE

from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.network.lint import Advice, advise
from netbuilder.network.lint.base import Evidence

CONV = "Conv2d: {out_channels: 3, kernel_size: %d, padding: %d}"
PIECES = st.sampled_from(
    [
        CONV % (1, 0), CONV % (3, 0), CONV % (3, 1), "BatchNorm2d", "BatchNorm2d", "ReLU",
        "Identity", "MaxPool2d: [3, 1, 1]", "AvgPool2d: [3, 1, 1]", "ZeroPad2d: 1", "GroupNorm: 1",
        "Sequential: [BatchNorm2d]", "Residual: {body: [{Conv2d: [3, 1]}, BatchNorm2d]}",
        "Parallel: {branches: {a: [{Conv2d: [3, 1]}], b: []}, join: add}",
        "Parallel: {branches: {a: [{Conv2d: [2, 1]}, BatchNorm2d], b: [{Conv2d: [1, 1]}]}}",
    ]
)  # fmt: skip


def document(layers: list[str], shape: str) -> str:
    return f"name: test\ninput: {shape}\nlayers:\n" + "".join(f"  - {each}\n" for each in layers)


def read(layers: list[str], shape: str, *changes: str) -> Architecture:
    return parse_architecture(document(layers, shape), "test.yaml", changes)


def told(architecture: Architecture, rule: str) -> list[Advice]:
    given = advise(analyse(architecture), Evidence())
    return [advice for advice in given if advice.rule == rule]


@given(st.lists(PIECES, min_size=1, max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_bias_that_is_told_does_nothing(pieces: list[str]) -> None:
    """Whatever it is, training sees the same output; without it, what is said to be is saved."""
    layers, shape = [CONV % (1, 0), *pieces], "[1, 9, 9]"
    architecture = read(layers, shape)
    analysis = analyse(architecture)
    assume(not analysis.fault)
    advice = told(architecture, "bias-before-norm")
    assume(advice)
    model = build(architecture).double()
    images = torch.rand(4, 1, 9, 9, dtype=torch.float64)
    before = model(images)
    fields = {each.problem.field for each in advice}
    for row in analysis.rows:
        if architecture.problem((*row.place, "bias"), "").field in fields:
            with torch.no_grad():
                model.get_parameter(f"{row.path}.bias").add_(3.0)
    torch.testing.assert_close(model(images), before)
    changed = read(layers, shape, *(f"{field}=false" for field in fields))
    saved = [int(re.search(r"saves ([\d,]+)", each.remedy)[1]) for each in advice]  # type: ignore[index]
    assert analysis.parameters - analyse(changed).parameters == sum(saved)
    assert told(changed, "bias-before-norm") == []


@given(
    kind=st.sampled_from(["Conv1d", "MaxPool1d", "AvgPool1d", "LPPool1d"]),
    size=st.integers(2, 30),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 5),
    pad=st.integers(0, 2),
)
@settings(deadline=None, max_examples=200)
def test_a_border_that_is_told_is_read_by_nothing(
    kind: str, size: int, kernel: int, stride: int, pad: int
) -> None:
    """No more and no less of it; and what is to be written reads it."""
    own = {"Conv1d": f"out_channels: 1, padding: {pad}", "LPPool1d": "norm_type: 2"}
    more = own.get(kind, f"padding: {pad}")
    assume(kind == "Conv1d" or pad <= kernel // 2)
    layers, shape = [f"{kind}: {{kernel_size: {kernel}, stride: {stride}, {more}}}"], f"[1, {size}]"
    architecture = read(layers, shape)
    analysis = analyse(architecture)
    assume(not analysis.fault)
    assume(kernel >= stride)
    unread = _unread(architecture, size)
    advice = told(architecture, "border-dropped")
    assert bool(advice) == (unread > 0)
    if advice:
        assert f"the last {unread} of {size} positions" in advice[0].problem.message
        change = re.search(r"write (\w+): (\w+)", advice[0].remedy)
        assert change is not None
        changed = read(layers, shape, f"layers[0].{kind}.{change[1]}={change[2]}")
        assert told(changed, "border-dropped") == []
        assert _unread(changed, size) == 0


def _unread(architecture: Architecture, size: int) -> int:
    """How many positions at the end move nothing at the output, each on its own."""
    model = build(architecture).double()
    image = torch.rand(1, 1, size, dtype=torch.float64) + 1
    plain = model(image)
    unread = 0
    for position in reversed(range(size)):
        moved = image.clone()
        moved[..., position] += 100
        if not torch.equal(model(moved), plain):
            break
        unread += 1
    return unread


@pytest.mark.parametrize(
    ("layers", "at", "changed"),
    [
        (["Conv2d: [8, 3]", "ReLU", "Flatten", "Dropout", "Linear: 10", "Linear: 5"], 4,
         ["Conv2d: [8, 3]", "ReLU", "AdaptiveAvgPool2d: 1", "Flatten", "Dropout", "Linear: 10",
          "Linear: 5"]),
        (["Conv2d: [6, 5]", "Tanh", "Conv2d: [120, 8]", "Flatten", "Linear: 9"], 2,
         ["Conv2d: [6, 5]", "Tanh", "AdaptiveAvgPool2d: 1", "Conv2d: [120, 1]", "Flatten",
          "Linear: 9"]),
    ],
)  # fmt: skip
def test_a_layer_that_is_told_to_be_heavy_becomes_as_light_as_said(
    layers: list[str], at: int, changed: list[str]
) -> None:
    """When the map before it is averaged."""
    [advice] = told(read(layers, "[1, 12, 12]"), "most-parameters")
    assert advice.problem.field.startswith(f"layers[{at}].")
    said = re.search(r"leaves? it ([\d,]+)\)", advice.remedy)
    assert said is not None
    light = analyse(read(changed, "[1, 12, 12]"))
    assert light.rows[at + 1].parameters == int(said[1].replace(",", ""))


@pytest.mark.parametrize("first", ["Flatten", "Identity"])
def test_the_input_itself_is_never_to_be_averaged(first: str) -> None:
    """A layer that reads it as it is becomes lighter by its other side alone."""
    layers = [first, "Flatten", "Linear: 50", "ReLU", "Linear: 9", "ReLU", "Linear: 5"]
    [advice] = told(read(layers, "[1, 12, 12]"), "most-parameters")
    assert advice.remedy == "give it fewer features on either side"


@pytest.mark.parametrize("more", ["", ", padding: same", ", padding: 1, stride: 2"])
def test_a_kernel_on_one_position_has_one_weight_a_channel(more: str) -> None:
    """All others have no part in the output; a kernel of 1 is not told."""
    more = more or ", padding: 1"
    layers = ["AdaptiveAvgPool2d: 1", f"Conv2d: {{out_channels: 4, kernel_size: 3{more}}}"]
    architecture = read([*layers, *CLOSE], "[2, 6, 6]")
    assert told(architecture, "kernel-on-one-position")
    model = build(architecture)
    model(torch.rand(3, 2, 6, 6)).sum().backward()
    moved = model.get_parameter("1.weight").grad
    assert moved is not None
    assert torch.count_nonzero(moved.flatten(2).abs().sum((0, 1))) == 1
    changes = ("layers[1].Conv2d.kernel_size=1", "layers[1].Conv2d.padding=0")
    assert told(read([*layers, *CLOSE], "[2, 6, 6]", *changes), "kernel-on-one-position") == []
