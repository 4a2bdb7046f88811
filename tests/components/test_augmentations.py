"""Augmentations compared with torchvision: the same pixels for the same draws."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from netbuilder.components.augmentations.geometry import (
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
)
from netbuilder.components.augmentations.pixels import RandomErasing
from netbuilder.data.transforms import generator_for

COUNT = 6
shapes = st.tuples(st.sampled_from([1, 3]), st.integers(5, 14), st.integers(5, 14))
fills = st.sampled_from([0, 0.25, 1])
interpolations = st.sampled_from(["nearest", "bilinear"])
angles = st.floats(-180, 180, width=32)
centers = st.none() | st.tuples(st.floats(-3, 12, width=32), st.floats(-3, 12, width=32))


def pictures(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """A batch of random images."""
    return torch.rand((COUNT, *shape), generator=generator_for("cpu", seed))


def constant(value: float) -> Tensor:
    """Return the same draw for every sample."""
    return torch.full((COUNT,), float(value))


NUDGE = 1e-3


def assert_agree(
    actual: Tensor, expected: Tensor, interpolation: str, nudged: Iterable[Tensor]
) -> None:
    """Compare up to rounding: a pixel whose source is on the edge of two may take either.

    Such a pixel changes in ``nudged``, outputs of the same map moved by a small amount.
    """
    if interpolation == "bilinear":
        torch.testing.assert_close(actual, expected, rtol=0, atol=2e-3)
        return
    settled = torch.stack([(actual == other).all(1) for other in nudged]).all(0)
    different = (actual != expected).any(1) & settled
    assert not different.any(), f"{int(different.sum())} pixels differ"


@settings(max_examples=60, deadline=None)
@given(shape=shapes, degrees=angles, center=centers, fill=fills, interpolation=interpolations)
def test_rotation_matches_torchvision(
    shape: tuple[int, int, int], degrees: float, center: Any, fill: float, interpolation: str
) -> None:
    """Each sample is rotated by its own angle as torchvision rotates it."""
    kind = RandomRotation.model_validate(
        {"degrees": 180, "center": center, "fill": fill, "interpolation": interpolation}
    )
    images = pictures(shape)
    draws = {"angle": torch.linspace(degrees / 7, degrees, COUNT)}
    expected = [
        tv.rotate(image, float(angle), InterpolationMode(interpolation), False, center, [fill])
        for image, angle in zip(images, draws["angle"], strict=True)
    ]
    nudged = (kind.apply(images, {"angle": draws["angle"] + by}) for by in (-0.01, 0.01))
    assert_agree(kind.apply(images, draws), torch.stack(expected), interpolation, nudged)


@settings(max_examples=60, deadline=None)
@given(
    shape=shapes,
    degrees=angles,
    shift=st.none() | st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    scale=st.none() | st.floats(0.25, 4, width=32),
    shear=st.none() | st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=2),
    center=centers,
    fill=fills,
    interpolation=interpolations,
)
def test_affine_matches_torchvision(
    shape: tuple[int, int, int],
    degrees: float,
    shift: tuple[int, int] | None,
    scale: float | None,
    shear: list[float] | None,
    center: Any,
    fill: float,
    interpolation: str,
) -> None:
    """Any combination of rotation, shift, scale and shear matches torchvision's affine map."""
    kind = RandomAffine.model_validate(
        {"degrees": 180, "center": center, "fill": fill, "interpolation": interpolation}
    )
    images = pictures(shape)
    draws = {"angle": torch.linspace(degrees / 7, degrees, COUNT)}
    if shift is not None:
        draws |= {
            f"shift_{axis}": torch.full((COUNT,), float(n))
            for axis, n in zip("xy", shift, strict=True)
        }
    if scale is not None:
        draws["scale"] = constant(scale)
    if shear is not None:
        draws |= {
            f"shear_{axis}": torch.full((COUNT,), n) for axis, n in zip("xy", shear, strict=False)
        }
    shears = [*(shear or []), 0.0, 0.0][:2]
    expected = [
        tv.affine(
            image,
            float(angle),
            list(shift or (0, 0)),
            scale or 1.0,
            shears,
            InterpolationMode(interpolation),
            [fill],
            center,
        )
        for image, angle in zip(images, draws["angle"], strict=True)
    ]
    zeros = torch.zeros(COUNT)
    nudged = (
        kind.apply(
            images,
            draws
            | {
                "shift_x": draws.get("shift_x", zeros) + x,
                "shift_y": draws.get("shift_y", zeros) + y,
            },
        )
        for x in (-NUDGE, NUDGE)
        for y in (-NUDGE, NUDGE)
    )
    assert_agree(kind.apply(images, draws), torch.stack(expected), interpolation, nudged)


def test_fill_sets_each_channel_outside_the_image() -> None:
    """Pixels from outside the image take one fill value per channel, as in torchvision."""
    images, fill = pictures((3, 9, 9)), [0.1, 0.5, 0.9]
    for interpolation in ("nearest", "bilinear"):
        kind = RandomRotation.model_validate(
            {"degrees": 45, "fill": fill, "interpolation": interpolation}
        )
        actual = kind.apply(images, {"angle": constant(45)})
        expected = tv.rotate(images, 45.0, InterpolationMode(interpolation), fill=fill)
        nudged = (kind.apply(images, {"angle": constant(45 + by)}) for by in (-0.01, 0.01))
        assert_agree(actual, expected, interpolation, nudged)
        assert torch.allclose(actual[0, :, 0, 0], torch.tensor(fill))


@settings(max_examples=60, deadline=None)
@given(
    shape=shapes,
    padding=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    mode=st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    fill=fills,
    seed=st.integers(0, 99),
)
def test_crop_matches_torchvision(
    shape: tuple[int, int, int], padding: list[int], mode: str, fill: float, seed: int
) -> None:
    """A crop equals torchvision's padding followed by its crop at the same corner."""
    size = list(shape[1:])
    kind = RandomCrop.model_validate(
        {"size": size, "padding": padding, "padding_mode": mode, "fill": fill}
    )
    assert kind.problem(shape) is None
    images = pictures(shape)
    draws = kind.draw(COUNT, shape, generator_for("cpu", seed))
    padded = tv.pad(images, padding, fill if mode == "constant" else 0, mode)
    expected = [
        tv.crop(image, int(top), int(left), *size)
        for image, top, left in zip(padded, draws["top"], draws["left"], strict=True)
    ]
    assert torch.equal(kind.apply(images, draws), torch.stack(expected))


def test_flip_matches_torchvision() -> None:
    """Selected images are mirrored as by torchvision, and the others are unchanged."""
    images = pictures((3, 5, 8))
    flipped = torch.tensor([True, False] * (COUNT // 2))
    actual = RandomHorizontalFlip().apply(images, {"flipped": flipped})
    assert torch.equal(actual[flipped], tv.hflip(images[flipped]))
    assert torch.equal(actual[~flipped], images[~flipped])


@settings(max_examples=40, deadline=None)
@given(shape=shapes, value=st.sampled_from([0.0, 0.5, "random"]), seed=st.integers(0, 99))
def test_erasing_matches_torchvision(shape: tuple[int, int, int], value: Any, seed: int) -> None:
    """The rectangle lies within the image and is erased as by torchvision."""
    kind = RandomErasing(p=0.7, value=value)
    images = pictures(shape)
    draws = kind.draw(COUNT, shape, generator_for("cpu", seed))
    for i, (image, actual) in enumerate(zip(images, kind.apply(images, draws), strict=True)):
        top, left, height, width = (int(draws[n][i]) for n in ("top", "left", "height", "width"))
        if not draws["erased"][i]:
            assert torch.equal(actual, image)
            continue
        assert 0 <= top <= top + height <= shape[1]
        assert 0 <= left <= left + width <= shape[2]
        patch = torch.full(shape, value) if value != "random" else draws["value"][i]
        patch = patch[:, top : top + height, left : left + width]
        assert torch.equal(actual, tv.erase(image, top, left, height, width, patch))


def test_an_image_is_unchanged_when_no_rectangle_fits() -> None:
    """Nothing is erased if no rectangle of the requested area fits, as in torchvision."""
    images = pictures((1, 4, 4))
    kind = RandomErasing(p=1, scale=(1, 1), ratio=(1, 1))
    draws = kind.draw(COUNT, (1, 4, 4), generator_for("cpu", 0))
    assert torch.equal(kind.apply(images, draws), images)
