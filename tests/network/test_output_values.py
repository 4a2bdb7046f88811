"""What is known of output values holds for torch's modules, whatever the weights are."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import torch
from budgets import examples
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nested import NESTED, nested
from strategies import NAMES

from netbuilder.components.kind_groups import DROPOUTS
from netbuilder.components.layers.base import LAYERS
from netbuilder.network import values as kinds
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.network.output_values import output_values
from netbuilder.network.ranges import FUNCTIONS, elementwise_range

NUMBER = st.floats(-30, 30)
FIELDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "CELU": st.fixed_dictionaries({"alpha": st.floats(0.1, 5)}),
    "ELU": st.fixed_dictionaries({"alpha": st.floats(-3, 3)}),
    "GELU": st.sampled_from([{}, {"approximate": "tanh"}]),
    "Hardshrink": st.fixed_dictionaries({"lambd": st.floats(-2, 5)}),
    "Hardtanh": st.tuples(NUMBER, NUMBER)
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: {"min_val": pair[0], "max_val": pair[1]}),
    "LeakyReLU": st.fixed_dictionaries({"negative_slope": st.floats(-2, 2)}),
    "RReLU": st.sampled_from([{}, {"lower": 0.25, "upper": 0.25}, {"lower": -1, "upper": -1}]),
    "Softplus": st.fixed_dictionaries({"beta": st.floats(0.1, 5), "threshold": st.floats(-9, 20)}),
    "Softshrink": st.fixed_dictionaries({"lambd": st.floats(0, 5)}),
    "Threshold": st.fixed_dictionaries({"threshold": NUMBER, "value": NUMBER}),
}


@pytest.mark.parametrize("kind", sorted(set(FUNCTIONS) - {"PReLU"}))
@given(data=st.data(), ends=st.tuples(NUMBER, NUMBER))
@examples(4, 300, settings(deadline=None))
def test_a_range_is_that_of_the_module(
    kind: str, data: st.DataObject, ends: tuple[float, float]
) -> None:
    """No value of torch's function over an interval leaves the range, and some come near."""
    low, high = sorted(ends)
    fields = data.draw(FIELDS.get(kind, st.just({})))
    layer = LAYERS.parse({kind: fields} if fields else kind)
    inputs = torch.linspace(low, high, 4_001, dtype=torch.float64)
    outputs = layer.build((1,)).eval()(inputs)
    least, largest = elementwise_range(layer, low, high)
    near = 2e-3 * (1 + high - low)
    if kind == "RReLU":  # its range is that of training, its slope in evaluation the mean
        near += 0 if fields else 20
    assert least - 1e-3 <= float(outputs.min()) <= least + near
    assert largest - near <= float(outputs.max()) <= largest + 1e-3


@pytest.mark.parametrize("kind", sorted(set(FUNCTIONS) - {"PReLU"}))
def test_a_range_over_all_numbers_is_that_of_large_inputs(kind: str) -> None:
    """The bounds are the limits at both ends."""
    fields = {"threshold": 1.0, "value": -2.0} if kind == "Threshold" else {}
    layer = LAYERS.parse({kind: fields} if fields else kind)
    inputs = torch.cat([torch.linspace(-9, 9, 9001), torch.tensor([-1e30, 1e30])])
    outputs = layer.build((1,)).eval()(inputs)
    for end, value in zip(
        elementwise_range(layer, -inf, inf), (outputs.min(), outputs.max()), strict=True
    ):
        far = float(value) * (1 if end > 0 else -1) > 1e20
        assert far if abs(end) == inf else float(value) == pytest.approx(end, abs=2e-3)


def test_every_kind_has_a_rule() -> None:
    """A new kind must say what is known of its values, or be listed as one of which nothing is."""
    groups = (
        kinds.REORDERING, kinds.COPYING, kinds.PADDING, kinds.POOLING, kinds.SAMPLE_NORMS,
        DROPOUTS, kinds.SOFTMAXES, kinds.FREE, kinds.UNBOUNDED, tuple(FUNCTIONS),
        ("GLU", "SqueezeExcitation"),
    )  # fmt: skip
    assert sorted(kind for group in groups for kind in group) == sorted(NAMES)


LOUD = tuple(name for name in NESTED if name != "LPPool1d")
SMALL = st.sampled_from([(10,), (2, 5), (10, 1, 1), (5, 2), (4, 3, 3), (2, 2, 1, 2)])
TAILS = (*kinds.SOFTMAXES, *kinds.REORDERING, *kinds.SAMPLE_NORMS, *kinds.POOLING, *FUNCTIONS,
         "Linear", "Dropout", "GLU", "ConstantPad1d", "UpsamplingNearest2d",
         "Upsample")  # fmt: skip


@given(nested(SMALL, TAILS) | nested(SMALL, NESTED), st.integers(0, 9999), st.sampled_from([1, 30]))
@examples(20, 2000, settings(deadline=None, suppress_health_check=list(HealthCheck)))
def test_output_values_are_those_of_the_network(architecture: Any, seed: int, scale: float) -> None:
    """Ranges, groups and constants hold for random weights and images."""
    analysis = analyse(architecture)
    assume(analysis.fault is None)
    values = output_values(analysis)
    torch.manual_seed(seed)
    model = build(analysis).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
        images = scale * torch.randn(6, *architecture.input, dtype=torch.float64)
        outputs = model.eval()(images).flatten(1)
    assume(bool(outputs.isfinite().all()))
    slack = 1e-3 * max(1.0, float(outputs.abs().max()))
    assert values.low - slack <= float(outputs.min())
    assert float(outputs.max()) <= values.high + slack
    if values.group:
        parts = outputs.exp() if values.group.is_log else outputs
        expected = torch.full((6,), float(values.group.count), dtype=torch.float64)
        torch.testing.assert_close(parts.sum(1), expected)
    if values.constant:
        assert float((outputs - outputs[:1]).abs().max()) <= slack
