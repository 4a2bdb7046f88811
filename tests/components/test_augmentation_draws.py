"""Random draws of augmentations, and their effect on each sample of a batch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms import RandomErasing as TorchvisionErasing

from netbuilder.components.augmentations.geometry import (
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
)
from netbuilder.components.augmentations.pixels import RandomErasing
from netbuilder.components.registries import AUGMENTATIONS
from netbuilder.data.transforms import augment, generator_for

COUNT = 6
DOCUMENTS: list[dict[str, Any]] = [
    {"RandomRotation": 7},
    {"RandomRotation": {"degrees": 30, "interpolation": "bilinear", "fill": [0.1, 0.5, 0.9]}},
    {"RandomAffine": {"degrees": 7, "translate": [0.1, 0.2]}},
    {"RandomAffine": {"degrees": 9, "scale": [0.5, 2], "shear": [-9, 9, -5, 5], "fill": 0.3}},
    {"RandomCrop": {"size": [9, 12], "padding": 3, "padding_mode": "reflect"}},
    {"RandomCrop": {"size": [9, 12], "padding": 2, "fill": 0.5}},
    {"RandomHorizontalFlip": 0.5},
    {"RandomErasing": 0.8},
    {"RandomErasing": {"p": 0.8, "value": "random"}},
]
EXAMPLES = [AUGMENTATIONS.parse(document) for document in DOCUMENTS]
SHAPE = (3, 9, 12)


def pictures() -> Tensor:
    """A batch of random images."""
    return torch.rand((COUNT, *SHAPE), generator=generator_for("cpu", 0))


def test_examples_cover_every_kind() -> None:
    """The examples cover every augmentation and fit the images of these tests."""
    assert {type(example) for example in EXAMPLES} == set(AUGMENTATIONS.kinds.values())
    assert [example.problem(SHAPE) for example in EXAMPLES] == [None] * len(EXAMPLES)


def test_erased_areas_have_the_distribution_of_torchvision() -> None:
    """Corners, heights and widths have the mean and standard deviation of torchvision's."""
    shape, count = (1, 28, 20), 4000
    kind = RandomErasing(p=1, scale=(0.1, 0.6), ratio=(0.5, 3))
    draws = kind.draw(count, shape, generator_for("cpu", 0))
    assert draws["erased"].all()
    torch.manual_seed(0)
    blank = torch.zeros(shape)
    expected = torch.tensor(
        [
            TorchvisionErasing.get_params(blank, (0.1, 0.6), (0.5, 3), [0.0])[:4]
            for _ in range(count)
        ],
        dtype=torch.float32,
    )
    actual = torch.stack([draws[n] for n in ("top", "left", "height", "width")], 1).float()
    # Four standard deviations of the difference of two means.
    error = 4 * expected.std(0) * math.sqrt(2 / count)
    assert ((actual.mean(0) - expected.mean(0)).abs() < error).all()
    torch.testing.assert_close(actual.std(0), expected.std(0), rtol=0.08, atol=0)


def test_affine_arguments_are_uniform_and_independent() -> None:
    """Each argument is uniform over its range and independent of the other arguments."""
    kind = RandomAffine(
        degrees=(-3, 9), translate=(0.1, 0.5), scale=(0.5, 2), shear=(-20, -10, 5, 15)
    )
    draws = kind.draw(4000, (1, 20, 40), generator_for("cpu", 0))
    ranges = {
        "angle": (-3, 9),
        "shift_x": (-4, 4),
        "shift_y": (-10, 10),
        "scale": (0.5, 2),
        "shear_x": (-20, -10),
        "shear_y": (5, 15),
    }
    assert list(draws) == list(ranges)
    for name, (low, high) in ranges.items():
        values, span = draws[name], high - low
        assert values.shape == (4000,)
        assert (values.min() >= low) & (values.max() <= high)
        assert values.min() < low + span / 100
        assert values.max() > high - span / 100
        assert abs(float(values.mean()) - (low + high) / 2) < span / 50
    # Shifts are rounded to whole pixels.
    assert torch.equal(draws["shift_x"], draws["shift_x"].round())
    correlation = torch.corrcoef(torch.stack(list(draws.values()))).fill_diagonal_(0)
    assert correlation.abs().max() < 0.1


def test_crop_corners_are_uniform_and_flips_have_probability_p() -> None:
    """Each crop corner is equally likely, and a fraction p of the images is flipped."""
    crop = RandomCrop(size=(28, 28), padding=(1, 0, 2, 1))
    draws = crop.draw(8000, (1, 28, 28), generator_for("cpu", 0))
    corners = (draws["top"] * 4 + draws["left"]).bincount()
    assert corners.tolist() == pytest.approx([1000] * 8, abs=130)
    flips = RandomHorizontalFlip(p=0.2).draw(8000, (1, 28, 28), generator_for("cpu", 0))
    assert float(flips["flipped"].float().mean()) == pytest.approx(0.2, abs=0.02)


def test_each_sample_depends_on_its_own_draw_alone() -> None:
    """A sample alone gives the same result as within a batch, and inputs are not changed."""
    for kind in EXAMPLES:
        images = pictures()
        before = images.clone()
        draws = kind.draw(COUNT, SHAPE, generator_for("cpu", 1))
        batch = kind.apply(images, draws)
        for i in range(COUNT):
            single = kind.apply(images[i : i + 1], {n: v[i : i + 1] for n, v in draws.items()})
            assert torch.equal(single[0], batch[i]), kind
        assert torch.equal(images, before), kind
        assert batch.shape == images.shape


def test_draws_depend_on_the_generator_alone() -> None:
    """Generators with the same seed give the same draws, and another seed gives other draws."""
    for kind in EXAMPLES:
        first, repeated, other = (
            kind.draw(COUNT, SHAPE, generator_for("cpu", seed)) for seed in (1, 1, 2)
        )
        assert all(torch.equal(first[n], repeated[n]) for n in first), kind
        assert any(not torch.equal(first[n], other[n]) for n in first), kind


def test_applying_never_reads_a_value_on_the_host() -> None:
    """`apply` works on meta tensors, so it can run within a CUDA graph."""
    for kind in EXAMPLES:
        draws = kind.draw(COUNT, SHAPE, generator_for("cpu", 1))
        meta = {name: value.to("meta") for name, value in draws.items()}
        assert kind.apply(torch.empty(COUNT, *SHAPE, device="meta"), meta).is_meta


def test_augment_applies_the_kinds_in_order() -> None:
    """`augment` draws for each kind and applies it before the next, from one generator."""
    images, kinds = pictures(), EXAMPLES[:3]
    generator, expected = generator_for("cpu", 5), images
    for kind in kinds:
        expected = kind.apply(expected, kind.draw(COUNT, SHAPE, generator))
    assert torch.equal(augment(images, kinds, generator_for("cpu", 5)), expected)
    assert augment(images, [], generator) is images
