"""What augmentations draw, and that each sample is changed by its own draw alone."""

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
WRITTEN: list[dict[str, Any]] = [
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
READ = AUGMENTATIONS.parse
EXAMPLES = [READ(written) for written in WRITTEN]
SHAPE = (3, 9, 12)


def pictures() -> Tensor:
    """A batch of random images."""
    return torch.rand((COUNT, *SHAPE), generator=generator_for("cpu", 0))


def test_examples_are_all_kinds() -> None:
    """The kinds that the tests below walk are all there are, and fit the images."""
    assert {type(example) for example in EXAMPLES} == set(AUGMENTATIONS.kinds.values())
    assert [example.problem(SHAPE) for example in EXAMPLES] == [None] * len(EXAMPLES)


def test_erased_areas_are_torchvisions() -> None:
    """Heights, widths and corners of erased rectangles have torchvision's mean and deviation."""
    shape, count = (1, 28, 20), 4000
    kind = RandomErasing(p=1, scale=(0.1, 0.6), ratio=(0.5, 3))
    drawn = kind.draw(count, shape, generator_for("cpu", 0))
    assert drawn["erased"].all()
    torch.manual_seed(0)
    blank = torch.zeros(shape)
    theirs = torch.tensor(
        [
            TorchvisionErasing.get_params(blank, (0.1, 0.6), (0.5, 3), [0.0])[:4]
            for _ in range(count)
        ],
        dtype=torch.float32,
    )
    mine = torch.stack([drawn[n] for n in ("top", "left", "height", "width")], 1).float()
    # Four deviations of the difference of two means.
    error = 4 * theirs.std(0) * math.sqrt(2 / count)
    assert ((mine.mean(0) - theirs.mean(0)).abs() < error).all()
    torch.testing.assert_close(mine.std(0), theirs.std(0), rtol=0.08, atol=0)


def test_draws_fill_their_ranges() -> None:
    """Each argument is drawn evenly over its own range, apart for every sample."""
    kind = RandomAffine(
        degrees=(-3, 9), translate=(0.1, 0.5), scale=(0.5, 2), shear=(-20, -10, 5, 15)
    )
    drawn = kind.draw(4000, (1, 20, 40), generator_for("cpu", 0))
    ranges = {
        "angle": (-3, 9),
        "shift_x": (-4, 4),
        "shift_y": (-10, 10),
        "scale": (0.5, 2),
        "shear_x": (-20, -10),
        "shear_y": (5, 15),
    }
    assert list(drawn) == list(ranges)
    for name, (low, high) in ranges.items():
        values, span = drawn[name], high - low
        assert values.shape == (4000,)
        assert (values.min() >= low) & (values.max() <= high)
        assert values.min() < low + span / 100
        assert values.max() > high - span / 100
        assert abs(float(values.mean()) - (low + high) / 2) < span / 50
    # Shifts are whole pixels, and those at the ends are drawn half as often.
    assert torch.equal(drawn["shift_x"], drawn["shift_x"].round())
    correlated = torch.corrcoef(torch.stack(list(drawn.values()))).fill_diagonal_(0)
    assert correlated.abs().max() < 0.1


def test_corners_and_flips_are_even() -> None:
    """Every corner of a crop is drawn as often, and p of the images are flipped."""
    crop = RandomCrop(size=(28, 28), padding=(1, 0, 2, 1))
    drawn = crop.draw(8000, (1, 28, 28), generator_for("cpu", 0))
    corners = (drawn["top"] * 4 + drawn["left"]).bincount()
    assert corners.tolist() == pytest.approx([1000] * 8, abs=130)
    flipped = RandomHorizontalFlip(p=0.2).draw(8000, (1, 28, 28), generator_for("cpu", 0))
    assert float(flipped["flipped"].float().mean()) == pytest.approx(0.2, abs=0.02)


def test_batch_is_no_more_than_its_samples() -> None:
    """What happens to one sample depends on its own draw alone, and inputs are left as they are."""
    for kind in EXAMPLES:
        images = pictures()
        before = images.clone()
        drawn = kind.draw(COUNT, SHAPE, generator_for("cpu", 1))
        together = kind.apply(images, drawn)
        for i in range(COUNT):
            one = kind.apply(images[i : i + 1], {n: v[i : i + 1] for n, v in drawn.items()})
            assert torch.equal(one[0], together[i]), kind
        assert torch.equal(images, before), kind
        assert together.shape == images.shape


def test_draws_come_from_the_generator() -> None:
    """The same generator state gives the same draws, another other ones, for every kind."""
    for kind in EXAMPLES:
        first, again, other = (
            kind.draw(COUNT, SHAPE, generator_for("cpu", seed)) for seed in (1, 1, 2)
        )
        assert all(torch.equal(first[n], again[n]) for n in first), kind
        assert any(not torch.equal(first[n], other[n]) for n in first), kind


def test_applying_never_reads_a_value() -> None:
    """Applying needs no value on the host: tensors that hold none will do, so a graph can too."""
    for kind in EXAMPLES:
        drawn = kind.draw(COUNT, SHAPE, generator_for("cpu", 1))
        nowhere = {name: value.to("meta") for name, value in drawn.items()}
        assert kind.apply(torch.empty(COUNT, *SHAPE, device="meta"), nowhere).is_meta


def test_augmentations_in_turn() -> None:
    """`augment` draws and applies one kind after the other from one generator."""
    images, kinds = pictures(), EXAMPLES[:3]
    generator, expected = generator_for("cpu", 5), images
    for kind in kinds:
        expected = kind.apply(expected, kind.draw(COUNT, SHAPE, generator))
    assert torch.equal(augment(images, kinds, generator_for("cpu", 5)), expected)
    assert augment(images, [], generator) is images
