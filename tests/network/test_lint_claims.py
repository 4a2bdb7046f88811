"""Claims of advice, checked by measurement and by following the remedy."""

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
    return f"name: test\ninput: {shape}\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)


def read(layers: list[str], shape: str, *changes: str) -> Architecture:
    return parse_architecture(document(layers, shape), "test.yaml", changes)


def advice_of(architecture: Architecture, rule: str) -> list[Advice]:
    entries = advise(analyse(architecture), Evidence())
    return [advice for advice in entries if advice.rule == rule]


@given(st.lists(PIECES, min_size=1, max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_bias_with_advice_has_no_effect_in_training(pieces: list[str]) -> None:
    """Changing the bias leaves the output equal, and removing it saves the reported parameters."""
    layers, shape = [CONV % (1, 0), *pieces], "[1, 9, 9]"
    architecture = read(layers, shape)
    analysis = analyse(architecture)
    assume(not analysis.fault)
    advice = advice_of(architecture, "bias-before-norm")
    assume(advice)
    model = build(architecture).double()
    images = torch.rand(4, 1, 9, 9, dtype=torch.float64)
    before = model(images)
    fields = {item.problem.field for item in advice}
    for row in analysis.rows:
        if architecture.problem((*row.place, "bias"), "").field in fields:
            with torch.no_grad():
                model.get_parameter(f"{row.path}.bias").add_(3.0)
    torch.testing.assert_close(model(images), before)
    changed = read(layers, shape, *(f"{field}=false" for field in fields))
    saved = [int(re.search(r"saves ([\d,]+)", item.remedy)[1]) for item in advice]  # type: ignore[index]
    assert analysis.parameters - analyse(changed).parameters == sum(saved)
    assert advice_of(changed, "bias-before-norm") == []


@given(
    kind=st.sampled_from(["Conv1d", "MaxPool1d", "AvgPool1d", "LPPool1d"]),
    size=st.integers(2, 30),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 5),
    pad=st.integers(0, 2),
)
@settings(deadline=None, max_examples=200)
def test_a_border_with_advice_is_not_read(
    kind: str, size: int, kernel: int, stride: int, pad: int
) -> None:
    """The number of unread positions is exact, and after the remedy all are read."""
    own = {"Conv1d": f"out_channels: 1, padding: {pad}", "LPPool1d": "norm_type: 2"}
    more = own.get(kind, f"padding: {pad}")
    assume(kind == "Conv1d" or pad <= kernel // 2)
    layers, shape = [f"{kind}: {{kernel_size: {kernel}, stride: {stride}, {more}}}"], f"[1, {size}]"
    architecture = read(layers, shape)
    analysis = analyse(architecture)
    assume(not analysis.fault)
    assume(kernel >= stride)
    unread = _unread(architecture, size)
    advice = advice_of(architecture, "border-dropped")
    assert bool(advice) == (unread > 0)
    if advice:
        assert f"the last {unread} of {size} positions" in advice[0].problem.message
        change = re.search(r"write (\w+): (\w+)", advice[0].remedy)
        assert change is not None
        changed = read(layers, shape, f"layers[0].{kind}.{change[1]}={change[2]}")
        assert advice_of(changed, "border-dropped") == []
        assert _unread(changed, size) == 0


def _unread(architecture: Architecture, size: int) -> int:
    """Return how many positions at the end do not change the output, each on its own."""
    model = build(architecture).double()
    image = torch.rand(1, 1, size, dtype=torch.float64) + 1
    plain = model(image)
    unread = 0
    for position in reversed(range(size)):
        changed = image.clone()
        changed[..., position] += 100
        if not torch.equal(model(changed), plain):
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
def test_the_remedy_for_a_heavy_layer_leaves_the_reported_parameters(
    layers: list[str], at: int, changed: list[str]
) -> None:
    """After averaging before the layer, it has as many parameters as the advice states."""
    [advice] = advice_of(read(layers, "[1, 12, 12]"), "most-parameters")
    assert advice.problem.field.startswith(f"layers[{at}].")
    remaining = re.search(r"leaves? it ([\d,]+)\)", advice.remedy)
    assert remaining is not None
    light = analyse(read(changed, "[1, 12, 12]"))
    assert light.rows[at + 1].parameters == int(remaining[1].replace(",", ""))


@pytest.mark.parametrize("first", ["Flatten", "Identity"])
def test_averaging_the_input_is_never_advised(first: str) -> None:
    """A heavy layer that reads the input gets the advice to have fewer features."""
    layers = [first, "Flatten", "Linear: 50", "ReLU", "Linear: 9", "ReLU", "Linear: 5"]
    [advice] = advice_of(read(layers, "[1, 12, 12]"), "most-parameters")
    assert advice.remedy == "give it fewer features on either side"


@pytest.mark.parametrize("more", ["", ", padding: same", ", padding: 1, stride: 2"])
def test_a_kernel_on_one_position_uses_one_weight_per_channel(more: str) -> None:
    """The other weights have no gradient, and a kernel of 1 gets no advice."""
    more = more or ", padding: 1"
    layers = ["AdaptiveAvgPool2d: 1", f"Conv2d: {{out_channels: 4, kernel_size: 3{more}}}"]
    architecture = read([*layers, *CLOSE], "[2, 6, 6]")
    assert advice_of(architecture, "kernel-on-one-position")
    model = build(architecture)
    model(torch.rand(3, 2, 6, 6)).sum().backward()
    gradient = model.get_parameter("1.weight").grad
    assert gradient is not None
    assert torch.count_nonzero(gradient.flatten(2).abs().sum((0, 1))) == 1
    changes = ("layers[1].Conv2d.kernel_size=1", "layers[1].Conv2d.padding=0")
    assert advice_of(read([*layers, *CLOSE], "[2, 6, 6]", *changes), "kernel-on-one-position") == []
