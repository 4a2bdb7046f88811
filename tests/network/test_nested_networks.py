"""Random nested networks held against torch: their sums, and their fields as they are measured."""

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
"""Kinds whose outputs rise with all that they read, where inputs and parameters are positive."""


def field_behind(architecture: Architecture) -> tuple[Shape, ReceptiveField]:
    """The output's shape, and what its positions see."""

    def advance(
        so_far: tuple[Shape, ReceptiveField], layer: object
    ) -> tuple[Shape, ReceptiveField]:
        x, field = so_far
        return layer.output_shape(x), layer.receptive_field(x, field)  # type: ignore[attr-defined]

    start = architecture.input, ReceptiveField.of_input(architecture.input)
    return reduce(advance, architecture.layers, start)


def spans(y: Shape, field: ReceptiveField, axis: int) -> tuple[Tensor, Tensor]:
    """For each output its first and its last row of an input axis, to go with (rows, *outputs)."""
    along, window = field.axes[axis], field.windows[axis]
    shape = [1] * len(y)
    shape[along] = y[along]
    first, last = torch.tensor([window.span_at(i) for i in range(y[along])]).T
    return first.reshape(1, *shape), last.reshape(1, *shape)


@examples(100, 2000, NESTS)
@given(nested(inputs(4, 9)))
def test_nested_networks_are_what_torch_says(architecture: Architecture) -> None:
    """Shapes, parameters and multiply-accumulates are torch's, for every row and in all."""
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
def test_a_container_answers_as_the_walk_does(architecture: Architecture) -> None:
    """The rules of a container agree with what the walk makes of its layers."""
    layer, x = architecture.layers[0], architecture.input
    row = analyse(architecture).rows[0]
    field = layer.receptive_field(x, ReceptiveField.of_input(x))
    assert (field.size, field.jump) == (row.receptive_field, row.jump)
    assert len(field.size) == len(spatial(x))
    assert LAYERS.parse(LAYERS.serialize(layer)) == layer


@examples(50, 500, NESTS)
@given(nested(inputs(4, 9)))
def test_no_output_of_a_nested_network_reads_more_than_its_field(
    architecture: Architecture,
) -> None:
    """Measured by NaN in whole rows and by changing pixels at random, none reads more rows."""
    if _takes_from_inside(architecture, "circular"):
        return  # a wrapped border reads the far side; the field is that of the inside
    analysis, model = analyse(architecture), build(architecture)
    for axis, size in enumerate(analysis.receptive_field):
        assert widest(read_along(model, architecture.input, axis)) <= size
        assert widest(changed_along(model, architecture.input, axis, seed=axis)) <= size


@examples(50, 500, NESTS)
@given(nested(inputs(4, 9)))
def test_a_changed_pixel_reaches_only_positions_that_see_it(architecture: Architecture) -> None:
    """Whatever is added to a pixel at random, each output that changes has it inside its field."""
    if _takes_from_inside(architecture, "circular", "reflect", "replicat"):
        return  # what such a border reads beyond the input lies elsewhere inside
    model = build(architecture)
    y, field = field_behind(architecture)
    for axis, rows in enumerate(field.input):
        first, last = spans(y, field, axis)
        row = torch.arange(rows).reshape(-1, *[1] * len(y))
        outside = (row < first) | (row > last)
        read = changed_along(model, architecture.input, axis, seed=axis)
        read |= read_along(model, architecture.input, axis)
        assert not (read.reshape(-1, *y) & outside).any()


@examples(50, 500, NESTS)
@given(nested(inputs(9, 16), RISING))
def test_raising_rows_reaches_both_edges_of_the_field(architecture: Architecture) -> None:
    """Where nothing can hide, a position changes by the first and the last row that it sees."""
    if _takes_from_inside(architecture, "circular", "reflect", "replicat"):
        return
    model = _rising(build(architecture))
    y, field = field_behind(architecture)
    for axis, rows in enumerate(field.input):
        along = field.axes[axis]
        read = raised_along(model, architecture.input, axis, seed=axis).reshape(-1, *y)
        assert torch.equal(read, read_along(model, architecture.input, axis).reshape(-1, *y))
        rows_read = read.movedim(along + 1, 1).reshape(rows, y[along], -1).any(2)
        for position, changed in enumerate(rows_read.T):
            first, last = field.windows[axis].span_at(position)
            if first >= 0 and last < rows:
                found = changed.nonzero().flatten().tolist()
                assert (found[0], found[-1]) == (first, last), position


def _rising(model: nn.Module) -> nn.Module:
    """The module with random positive parameters."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.1 + 0.2 * torch.rand(parameter.shape, generator=generator))
    return model


def _takes_from_inside(value: object, *how: str) -> bool:
    """Whether a border is filled somewhere with what lies inside, in one of these ways."""
    if isinstance(value, Component):
        mode = getattr(value, "padding_mode", "") + value.kind.lower()
        fields = type(value).model_fields
        return any(one in mode for one in how) or any(
            _takes_from_inside(getattr(value, name), *how) for name in fields
        )
    if isinstance(value, Architecture):
        return _takes_from_inside(value.layers, *how)
    if isinstance(value, dict):
        return any(_takes_from_inside(one, *how) for one in value.values())
    return isinstance(value, tuple) and any(_takes_from_inside(one, *how) for one in value)
