"""Random nested networks, compared with torch: totals and measured receptive fields."""

from __future__ import annotations

from functools import reduce

import pytest
import torch
from budgets import examples
from hypothesis import given
from nested import NESTS, nested
from perturb import changed_along, raised_along
from strategies import inputs
from torch import Tensor, nn

from netbuilder.components.component import Component
from netbuilder.components.layers.base import LAYERS
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape, spatial
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.network.testing import (
    macs,
    output_shape,
    parameters,
    read_along,
    widest,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Implicit dimension choice:UserWarning", "ignore:Using padding=.same.:UserWarning"
)

RISING = (
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AvgPool1d", "AvgPool2d",
    "AvgPool3d", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Conv1d", "Conv2d", "Conv3d",
    "Dropout", "Identity", "Softplus", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
)  # fmt: skip
"""Kinds whose outputs increase with every input, for positive inputs and parameters."""


def output_field(architecture: Architecture) -> tuple[Shape, ReceptiveField]:
    """Return shape and receptive field of the output."""

    def advance(
        so_far: tuple[Shape, ReceptiveField], layer: object
    ) -> tuple[Shape, ReceptiveField]:
        x, field = so_far
        return layer.output_shape(x), layer.receptive_field(x, field)  # type: ignore[attr-defined]

    start = architecture.input, ReceptiveField.of_input(architecture.input)
    return reduce(advance, architecture.layers, start)


def spans(y: Shape, field: ReceptiveField, axis: int) -> tuple[Tensor, Tensor]:
    """Return each output's first and last row of an input axis, for (rows, *outputs)."""
    along, window = field.axes[axis], field.windows[axis]
    shape = [1] * len(y)
    shape[along] = y[along]
    first, last = torch.tensor([window.span_at(i) for i in range(y[along])]).T
    return first.reshape(1, *shape), last.reshape(1, *shape)


@examples(100, 2000, NESTS)
@given(nested(inputs(4, 9)))
def test_nested_networks_match_torch(architecture: Architecture) -> None:
    """Shapes, parameters and multiply-accumulates equal torch's, per row and in total."""
    analysis = analyse(architecture)
    assert analysis.fault is None
    with torch.device("meta"):
        model = build(architecture)
    assert analysis.output_shape == output_shape(model, architecture.input)
    assert analysis.macs == macs(model, architecture.input)
    assert analysis.parameters == sum(value.numel() for value in model.parameters())
    for row in analysis.rows:
        module = model.get_submodule(row.path)
        assert row.parameters == sum(value.numel() for value in module.parameters())
        shapes = row.layer.parameter_shapes(row.input_shape)
        assert list(shapes.items()) == parameters(module)
        assert row.layer.output_shape(row.input_shape) == row.output_shape
        assert row.layer.macs(row.input_shape) == row.macs


@examples(50, 200, NESTS)
@given(nested(inputs(4, 9)))
def test_the_rules_of_a_container_agree_with_the_analysis(architecture: Architecture) -> None:
    """Field, jump and canonical form of a container equal those of its row."""
    layer, x = architecture.layers[0], architecture.input
    row = analyse(architecture).rows[0]
    field = layer.receptive_field(x, ReceptiveField.of_input(x))
    assert (field.size, field.jump) == (row.receptive_field, row.jump)
    assert len(field.size) == len(spatial(x))
    assert LAYERS.parse(LAYERS.serialize(layer)) == layer


@examples(50, 500, NESTS)
@given(nested(inputs(4, 9)))
def test_no_output_of_a_nested_network_reads_beyond_its_field(
    architecture: Architecture,
) -> None:
    """Neither NaN in rows nor random changes reach an output from more rows than its field."""
    if _has_border_of_inputs(architecture, "circular"):
        return  # a circular border reads the far side, which the field excludes
    analysis, model = analyse(architecture), build(architecture)
    for axis, size in enumerate(analysis.receptive_field):
        assert widest(read_along(model, architecture.input, axis)) <= size
        assert widest(changed_along(model, architecture.input, axis, seed=axis)) <= size


@examples(50, 500, NESTS)
@given(nested(inputs(4, 9)))
def test_a_changed_row_reaches_only_positions_that_see_it(architecture: Architecture) -> None:
    """Each output that changes has the changed row within its field."""
    if _has_border_of_inputs(architecture, "circular", "reflect", "replicat"):
        return  # such a border reads other rows of the input
    model = build(architecture)
    y, field = output_field(architecture)
    for axis, rows in enumerate(field.input):
        first, last = spans(y, field, axis)
        row = torch.arange(rows).reshape(-1, *[1] * len(y))
        outside = (row < first) | (row > last)
        read = changed_along(model, architecture.input, axis, seed=axis)
        read |= read_along(model, architecture.input, axis)
        assert not (read.reshape(-1, *y) & outside).any()


@examples(50, 500, NESTS)
@given(nested(inputs(9, 16), RISING))
def test_increased_rows_change_outputs_at_both_ends_of_the_field(
    architecture: Architecture,
) -> None:
    """With increasing layers, exactly the rows from first to last of the field change it."""
    if _has_border_of_inputs(architecture, "circular", "reflect", "replicat"):
        return
    model = _rising(build(architecture))
    y, field = output_field(architecture)
    for axis, rows in enumerate(field.input):
        along = field.axes[axis]
        read = raised_along(model, architecture.input, axis, seed=axis).reshape(-1, *y)
        assert torch.equal(read, read_along(model, architecture.input, axis).reshape(-1, *y))
        rows_read = read.movedim(along + 1, 1).reshape(rows, y[along], -1).any(2)
        for position, changed in enumerate(rows_read.T):
            first, last = field.windows[axis].span_at(position)
            if first >= 0 and last < rows:
                indices = changed.nonzero().flatten().tolist()
                assert (indices[0], indices[-1]) == (first, last), position


def _rising(model: nn.Module) -> nn.Module:
    """Set the parameters to random positive values and return the module."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.1 + 0.2 * torch.rand(parameter.shape, generator=generator))
    return model


def _has_border_of_inputs(value: object, *modes: str) -> bool:
    """Return whether a layer fills its border with inputs in one of these modes."""
    if isinstance(value, Component):
        mode = getattr(value, "padding_mode", "") + value.kind.lower()
        fields = type(value).model_fields
        return any(item in mode for item in modes) or any(
            _has_border_of_inputs(getattr(value, name), *modes) for name in fields
        )
    if isinstance(value, Architecture):
        return _has_border_of_inputs(value.layers, *modes)
    if isinstance(value, dict):
        return any(_has_border_of_inputs(item, *modes) for item in value.values())
    return isinstance(value, tuple) and any(_has_border_of_inputs(item, *modes) for item in value)
