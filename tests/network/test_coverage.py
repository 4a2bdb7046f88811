"""What the analysis claims about the input that is read is true of the real network."""

from __future__ import annotations

from operator import ge
from pathlib import Path
from typing import Any

import pytest
from budgets import examples
from dependence import along, pixels_read, pixels_with_gradient, smooth
from hypothesis import HealthCheck, given, settings
from nested import NESTS, nested, network
from strategies import NAMES, architectures, inputs
from torch import Tensor

from netbuilder.components.receptive_field.dependence import Coverage
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import spatial
from netbuilder.config.loader import load
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
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
        if coverage.position is not None and coverage.together is not None:
            assert int(line.sum(0).max()) <= coverage.position[axis]
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
    """What one position reads, what all read together, and holes."""
    coverage, read = _measured(architecture)
    for axis in range(read.dim() - 1):
        line = along(read, axis)
        assert coverage.position is not None
        assert coverage.together is not None
        assert int(line.sum(0).max()) == coverage.position[axis]
        assert int(line.any(1).sum()) == coverage.together[axis]
        assert any(map(_has_hole, line.T)) == coverage.holes[axis]


# --- known networks -------------------------------------------------------------------------------

ARCHS = Path(__file__).parents[2] / "archs"
SMALL = ("lenet5", "airbench94")
NETWORKS = [
    pytest.param(path, marks=() if path.stem in SMALL or path.parent == ARCHS else pytest.mark.long)
    for path in sorted([*ARCHS.glob("*.yaml"), *ARCHS.glob("zoo/*.yaml")])
]


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_the_layer_that_sees_all_is_the_first(path: Path) -> None:
    """One of its positions depends on every pixel; none of a layer before it that is wide enough.

    No position depends on more rows or columns than the analysis says.
    """
    architecture = load(path)
    analysis, model, x = analyse(architecture), smooth(build(architecture)), architecture.input
    first = analysis.first_whole()
    if first:
        reads = pixels_with_gradient(model, first.path, x, positions=64)
        assert any(bool(read.all()) for read in reads)
    wide = [
        row
        for row in analysis.rows
        if row.kind in ("Conv2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d")
        and row.coverage.position != spatial(x)
        and all(map(ge, row.receptive_field, spatial(x)))
    ]
    for row in wide[:2] + wide[-1:]:
        assert row.coverage.position is not None
        for read in pixels_with_gradient(model, row.path, x, positions=9):
            assert not read.all()
            assert int(read.any(1).sum()) <= row.coverage.position[0]
            assert int(read.any(0).sum()) <= row.coverage.position[1]


@pytest.mark.parametrize(
    ("name", "path", "position", "together"),
    [
        ("resnet18", "9.0.body.0.0.0", 218, 224),
        ("airbench94", "4.1", 30, 32),
        ("squeezenet1_1", "16", 223, 223),
    ],
)
def test_wide_layers_that_do_not_see_all(
    name: str, path: str, position: int, together: int
) -> None:
    """Their fields are wider than the input but begin elsewhere, or a border is dropped."""
    [row] = [row for row in analyse(load(ARCHS / "zoo" / f"{name}.yaml")).rows if row.path == path]
    assert row.coverage == Coverage((position,) * 2, (together,) * 2, (False,) * 2, whole=False)


def test_the_tenth_sees_all_from_its_pooling_on() -> None:
    """As its published summary says."""
    first = analyse(load(ARCHS / "iter10.yaml")).first_whole()
    assert first is not None
    assert first.kind == "AdaptiveAvgPool2d"


# --- kinds of claims ------------------------------------------------------------------------------


def test_holes_of_any_position_count() -> None:
    """Here the window of the first position lies in the padding but for one pixel."""
    layer = {"Conv2d": {"out_channels": 1, "kernel_size": 2, "padding": 2, "dilation": 2}}
    coverage, read = _measured(network(layer, shape=(1, 9, 9)))
    line = along(read, 0)
    assert int(line[:, 0].sum()) == 1
    assert any(map(_has_hole, line.T))
    assert coverage.holes == (True, True)


def test_the_whole_of_one_axis_is_not_the_whole_input() -> None:
    """A column is all of one axis and one pixel of the other."""
    pool = {"AvgPool2d": {"kernel_size": [9, 1]}}
    for layers in ([pool], [pool, "Flatten"]):  # which lays both axes along one
        coverage, _ = _measured(network(*layers, shape=(1, 9, 9)))
        assert coverage.position == (9, 1)
        assert not coverage.whole


def test_a_cross_is_not_the_whole_input() -> None:
    """All rows and all columns are read by one position, but not every pixel."""
    branches = {"rows": [{"Conv2d": [1, [9, 1]]}], "columns": [{"Conv2d": [1, [1, 9]]}]}
    pools = [{"AdaptiveAvgPool2d": 1}]
    arguments = {"join": "add", "branches": {n: b + pools for n, b in branches.items()}}
    architecture = network({"Parallel": arguments}, shape=(1, 9, 9))
    assert analyse(architecture).coverage.whole  # the average of a branch reads it all
    cross = {
        "join": "add",
        "branches": {
            "rows": [{"Conv2d": {"out_channels": 1, "kernel_size": [9, 1], "padding": [4, 0]}}],
            "columns": [{"Conv2d": {"out_channels": 1, "kernel_size": [1, 9], "padding": [0, 4]}}],
        },
    }
    coverage, read = _measured(network({"Parallel": cross}, shape=(1, 9, 9)))
    assert coverage.position == (9, 9)
    assert not coverage.whole
    assert not read.flatten(0, -2).all(0).any()


def test_channels_of_a_concatenation_may_see_less() -> None:
    """Pixels that are dealt out of the narrow branch do not see what the other one sees."""
    wide = [{"AdaptiveAvgPool2d": 1}, {"Upsample": {"size": 4}}]
    concatenation = {"Parallel": {"join": "concat", "branches": {"narrow": [], "wide": wide}}}
    assert analyse(network(concatenation, shape=(2, 4, 4))).coverage.whole
    shuffled = network(concatenation, {"PixelShuffle": 2}, shape=(2, 4, 4))
    assert not analyse(shuffled).coverage.whole
    mixed = network(concatenation, {"Conv2d": [4, 1]}, {"PixelShuffle": 2}, shape=(2, 4, 4))
    assert analyse(mixed).coverage.whole


def test_a_position_with_weight_zero_is_not_read() -> None:
    """Scaled to a third, each output of a linear interpolation is the middle of three inputs."""
    layer = {"Upsample": {"size": 3, "mode": "linear"}}
    coverage = analyse(network(layer, {"Linear": 1}, shape=(1, 9))).coverage
    assert not coverage.whole


def test_fields_of_reflected_borders_are_not_too_small() -> None:
    """A border reflects a position whose window is wider than the one that would follow."""
    layers = [
        {"Upsample": {"size": 8, "mode": "linear"}},
        {"Conv1d": [1, 2, 2, 3, 1, 1, True, "reflect"]},
    ]
    architecture = network(*layers, shape=(1, 4))
    measured = along(pixels_read(build(architecture), (1, 4), (1,)), 0).sum(0).max()
    assert analyse(architecture).receptive_field == (int(measured),) == (3,)


@pytest.mark.parametrize(
    ("layers", "size", "expected"),
    [
        ([{"Upsample": {"scale_factor": 1.1}}, {"AdaptiveAvgPool2d": 1}], 8, 8),
        ([{"Upsample": {"scale_factor": 2.1}}, {"Conv2d": [1, 4, 2]}], 4, 2),
        ([{"UpsamplingNearest2d": {"scale_factor": 1.1}}, {"AdaptiveAvgPool2d": 1}], 8, 8),
    ],
)
def test_nearest_upsampling_of_images_ignores_some_scales(
    layers: list[Any], size: int, expected: int
) -> None:
    """Where the output is as large as the input, or twice as large, as torch does it."""
    architecture = network(*layers, shape=(1, size, size))
    read = pixels_read(build(architecture), (1, size, size), (1, 2))
    assert int(along(read, 0).sum(0).max()) == expected
    assert analyse(architecture).receptive_field == (expected, expected)


def test_an_axis_that_is_too_long_makes_no_claim() -> None:
    """What is not counted is unknown, and the network is not said to see all of its input."""
    architecture = network({"Conv1d": [1, 3]}, {"Linear": 1}, shape=(1, 40_000))
    assert analyse(architecture).coverage == Coverage(None, None, (False,), whole=False)
    assert analyse(architecture).first_whole() is None
