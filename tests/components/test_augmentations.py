"""Augmentations against torchvision: the same pixels for the same draws."""

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
    """The same draw for every sample."""
    return torch.full((COUNT,), float(value))


NUDGE = 1e-3


def agree(mine: Tensor, theirs: Tensor, interpolation: str, nudged: Iterable[Tensor]) -> None:
    """Equal up to rounding: a pixel whose source lies on an edge between two may take either.

    Such a pixel is one that changes in ``nudged``, the same map moved by next to nothing.
    """
    if interpolation == "bilinear":
        torch.testing.assert_close(mine, theirs, rtol=0, atol=2e-3)
        return
    settled = torch.stack([(mine == other).all(1) for other in nudged]).all(0)
    different = (mine != theirs).any(1) & settled
    assert not different.any(), f"{int(different.sum())} pixels differ"


@settings(max_examples=60, deadline=None)
@given(shape=shapes, degrees=angles, center=centers, fill=fills, interpolation=interpolations)
def test_rotation(
    shape: tuple[int, int, int], degrees: float, center: Any, fill: float, interpolation: str
) -> None:
    """A rotation is torchvision's, sample by sample."""
    kind = RandomRotation.model_validate(
        {"degrees": 180, "center": center, "fill": fill, "interpolation": interpolation}
    )
    images = pictures(shape)
    drawn = {"angle": torch.linspace(degrees / 7, degrees, COUNT)}
    expected = [
        tv.rotate(image, float(angle), InterpolationMode(interpolation), False, center, [fill])
        for image, angle in zip(images, drawn["angle"], strict=True)
    ]
    nudged = (kind.apply(images, {"angle": drawn["angle"] + by}) for by in (-0.01, 0.01))
    agree(kind.apply(images, drawn), torch.stack(expected), interpolation, nudged)


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
def test_affine(
    shape: tuple[int, int, int],
    degrees: float,
    shift: tuple[int, int] | None,
    scale: float | None,
    shear: list[float] | None,
    center: Any,
    fill: float,
    interpolation: str,
) -> None:
    """An affine map is torchvision's, whichever of its parts are drawn."""
    kind = RandomAffine.model_validate(
        {"degrees": 180, "center": center, "fill": fill, "interpolation": interpolation}
    )
    images = pictures(shape)
    drawn = {"angle": torch.linspace(degrees / 7, degrees, COUNT)}
    if shift is not None:
        drawn |= {
            f"shift_{axis}": torch.full((COUNT,), float(n))
            for axis, n in zip("xy", shift, strict=True)
        }
    if scale is not None:
        drawn["scale"] = constant(scale)
    if shear is not None:
        drawn |= {
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
        for image, angle in zip(images, drawn["angle"], strict=True)
    ]
    still = torch.zeros(COUNT)
    nudged = (
        kind.apply(
            images,
            drawn
            | {
                "shift_x": drawn.get("shift_x", still) + x,
                "shift_y": drawn.get("shift_y", still) + y,
            },
        )
        for x in (-NUDGE, NUDGE)
        for y in (-NUDGE, NUDGE)
    )
    agree(kind.apply(images, drawn), torch.stack(expected), interpolation, nudged)


def test_fill_by_channel() -> None:
    """A fill a channel colours what comes from outside, as torchvision does."""
    images, fill = pictures((3, 9, 9)), [0.1, 0.5, 0.9]
    for interpolation in ("nearest", "bilinear"):
        kind = RandomRotation.model_validate(
            {"degrees": 45, "fill": fill, "interpolation": interpolation}
        )
        mine = kind.apply(images, {"angle": constant(45)})
        expected = tv.rotate(images, 45.0, InterpolationMode(interpolation), fill=fill)
        nudged = (kind.apply(images, {"angle": constant(45 + by)}) for by in (-0.01, 0.01))
        agree(mine, expected, interpolation, nudged)
        assert torch.allclose(mine[0, :, 0, 0], torch.tensor(fill))


@settings(max_examples=60, deadline=None)
@given(
    shape=shapes,
    padding=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    mode=st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    fill=fills,
    seed=st.integers(0, 99),
)
def test_crop(
    shape: tuple[int, int, int], padding: list[int], mode: str, fill: float, seed: int
) -> None:
    """A crop is torchvision's padding followed by its crop at the drawn corner."""
    size = list(shape[1:])
    kind = RandomCrop.model_validate(
        {"size": size, "padding": padding, "padding_mode": mode, "fill": fill}
    )
    assert kind.problem(shape) is None
    images = pictures(shape)
    drawn = kind.draw(COUNT, shape, generator_for("cpu", seed))
    padded = tv.pad(images, padding, fill if mode == "constant" else 0, mode)
    expected = [
        tv.crop(image, int(top), int(left), *size)
        for image, top, left in zip(padded, drawn["top"], drawn["left"], strict=True)
    ]
    assert torch.equal(kind.apply(images, drawn), torch.stack(expected))


def test_flip() -> None:
    """A drawn image is mirrored as torchvision does, another is left as it is."""
    images = pictures((3, 5, 8))
    flipped = torch.tensor([True, False] * (COUNT // 2))
    mine = RandomHorizontalFlip().apply(images, {"flipped": flipped})
    assert torch.equal(mine[flipped], tv.hflip(images[flipped]))
    assert torch.equal(mine[~flipped], images[~flipped])


@settings(max_examples=40, deadline=None)
@given(shape=shapes, value=st.sampled_from([0.0, 0.5, "random"]), seed=st.integers(0, 99))
def test_erasing(shape: tuple[int, int, int], value: Any, seed: int) -> None:
    """The drawn rectangle is erased as torchvision does it, inside the image."""
    kind = RandomErasing(p=0.7, value=value)
    images = pictures(shape)
    drawn = kind.draw(COUNT, shape, generator_for("cpu", seed))
    for i, (image, mine) in enumerate(zip(images, kind.apply(images, drawn), strict=True)):
        top, left, height, width = (int(drawn[n][i]) for n in ("top", "left", "height", "width"))
        if not drawn["erased"][i]:
            assert torch.equal(mine, image)
            continue
        assert 0 <= top <= top + height <= shape[1]
        assert 0 <= left <= left + width <= shape[2]
        patch = torch.full(shape, value) if value != "random" else drawn["value"][i]
        patch = patch[:, top : top + height, left : left + width]
        assert torch.equal(mine, tv.erase(image, top, left, height, width, patch))


def test_rectangle_that_never_fits() -> None:
    """Where no rectangle of the asked area fits the image stays as it is, as in torchvision."""
    images = pictures((1, 4, 4))
    kind = RandomErasing(p=1, scale=(1, 1), ratio=(1, 1))
    drawn = kind.draw(COUNT, (1, 4, 4), generator_for("cpu", 0))
    assert torch.equal(kind.apply(images, drawn), images)
