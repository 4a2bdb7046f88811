"""What the analysis claims about the input that is read is true of the real network."""

from __future__ import annotations

import pytest
from budgets import examples
from dependence import along, pixels_read
from hypothesis import HealthCheck, given, settings
from nested import NESTS, nested
from strategies import NAMES, architectures, inputs
from torch import Tensor

from netbuilder.components.receptive_field.dependence import Coverage
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.config.schema import Architecture
from netbuilder.network.build import build

pytestmark = pytest.mark.filterwarnings(
    "ignore:Implicit dimension choice:UserWarning", "ignore:Using padding=.same.:UserWarning"
)
slow_draws = settings(suppress_health_check=[HealthCheck.too_slow])


def _measured(architecture: Architecture) -> tuple[Coverage, Tensor]:
    """Return the claims for the last layer, and what its positions read."""
    x = architecture.input
    field, shape = ReceptiveField.of_input(x), x
    for layer in architecture.layers:
        field, shape = layer.receptive_field(shape, field), layer.output_shape(shape)
        field = field.sized(shape)
    return field.coverage(shape), pixels_read(build(architecture), x, field.axes)


def _require_true(coverage: Coverage, read: Tensor) -> None:
    """Require that the claims hold where they are bounds."""
    for axis in range(read.dim() - 1):
        line = along(read, axis)
        if coverage.one is not None and coverage.together is not None:
            assert int(line.sum(0).max()) <= coverage.one[axis]
            assert int(line.any(1).sum()) <= coverage.together[axis]
        if coverage.holes[axis]:
            assert any(_has_hole(column) for column in line.T)
    if coverage.whole:
        assert read.flatten(0, -2).all(0).any()


def _has_hole(column: Tensor) -> bool:
    places = column.nonzero().flatten().tolist()
    return bool(places) and places[-1] - places[0] + 1 > len(places)


@examples(200, 2000, slow_draws)
@given(architectures(inputs(1, 9)))
def test_claims_about_random_networks_are_true(architecture: Architecture) -> None:
    _require_true(*_measured(architecture))


@examples(100, 1000, NESTS)
@given(nested(inputs(2, 8)))
def test_claims_about_nested_networks_are_true(architecture: Architecture) -> None:
    _require_true(*_measured(architecture))


SEPARATE = tuple(
    name
    for name in NAMES
    if name not in ("Fold", "Unfold", "PixelShuffle", "PixelUnshuffle", "Unflatten", "Permute")
)
"""Kinds that keep what a position reads a box."""


@examples(200, 2000, slow_draws)
@given(architectures(inputs(2, 12).filter(lambda x: len(x) > 1), SEPARATE, longest=5))
def test_claims_about_chains_are_exact(architecture: Architecture) -> None:
    """What one position reads, what all read together, holes and the whole input."""
    coverage, read = _measured(architecture)
    for axis in range(read.dim() - 1):
        line = along(read, axis)
        assert coverage.one is not None
        assert coverage.together is not None
        assert int(line.sum(0).max()) == coverage.one[axis]
        assert int(line.any(1).sum()) == coverage.together[axis]
        assert any(map(_has_hole, line.T)) == coverage.holes[axis]
