"""Augmentations that move pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from netbuilder._text import LARGEST
from netbuilder.components.augmentations.base import (
    Augmentation,
    PixelValues,
    only_false,
    values_problem,
)
from netbuilder.components.fields import (
    Interval,
    NumberList,
    Pair,
    Probability,
    Ranges,
    SymmetricRanges,
)
from netbuilder.components.shapes import Shape, format_shape

if TYPE_CHECKING:
    import torch


Interpolation = Literal["nearest", "bilinear"]

Degrees = Annotated[
    tuple[float, float],
    SymmetricRanges(
        360,
        (2,),
        "a number n from 0 to 360, meaning -n to n, or a list of 2 from -360 to 360, the lower "
        "first",
    ),
]

Shear = Annotated[
    tuple[float, float] | tuple[float, float, float, float],
    SymmetricRanges(
        89,
        (2, 4),
        "a number n from 0 to 89, meaning -n to n, or a list of 2 (along x) or 4 (along x, then "
        "along y) from -89 to 89, the lower of each pair first",
    ),
]

Translate = Annotated[
    tuple[float, float],
    NumberList(
        Interval(0, 1),
        (2,),
        "a list of 2 from 0 to 1: the largest shift as a fraction of width and height",
    ),
]

Scale = Annotated[
    tuple[float, float],
    Ranges(Interval(0.01, 100), (2,), "a list of 2 from 0.01 to 100, the lower first"),
]

Center = Annotated[
    tuple[float, float],
    NumberList(
        Interval(-1e6, 1e6), (2,), "a list of 2 numbers: x, y in pixels from the upper left corner"
    ),
]


class RandomRotation(Augmentation):
    """Rotates the image counter-clockwise by a random angle, in degrees.

    ``fill`` is in [0, 1], like the images.
    """

    degrees: Degrees
    interpolation: Interpolation = "nearest"
    expand: Annotated[bool, *only_false("a larger image does not fit the network's input")] = False
    center: Center | None = None
    fill: PixelValues = (0.0,)

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        from netbuilder.components.augmentations.functional import uniform

        return {"angle": uniform(self.degrees, count, generator)}

    def apply(self, images: torch.Tensor, draws: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import inverse_affine, warp

        center = _relative_to_middle(self.center, images.shape)
        # torchvision's rotate turns counter-clockwise, its affine clockwise.
        matrix = inverse_affine(-draws["angle"], center)
        return warp(images, matrix, self.interpolation, self.fill)

    def problem(self, shape: Shape) -> str | None:
        return super().problem(shape) or values_problem("fill", self.fill, shape)


class RandomAffine(Augmentation):
    """Rotates (clockwise), translates, scales and shears the image by random amounts.

    Translations are whole pixels, as in torchvision. ``fill`` is in [0, 1].
    """

    degrees: Degrees
    translate: Translate | None = None
    scale: Scale | None = None
    shear: Shear | None = None
    interpolation: Interpolation = "nearest"
    fill: PixelValues = (0.0,)
    center: Center | None = None

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        from netbuilder.components.augmentations.functional import uniform

        draws = {"angle": uniform(self.degrees, count, generator)}
        if self.translate is not None:
            _, height, width = shape
            for axis, fraction, size in zip("xy", self.translate, (width, height), strict=True):
                limit = fraction * size
                draws[f"shift_{axis}"] = uniform((-limit, limit), count, generator).round_()
        if self.scale is not None:
            draws["scale"] = uniform(self.scale, count, generator)
        if self.shear is not None:
            draws["shear_x"] = uniform(self.shear[:2], count, generator)
            if len(self.shear) == 4:
                draws["shear_y"] = uniform(self.shear[2:], count, generator)
        return draws

    def apply(self, images: torch.Tensor, draws: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import inverse_affine, warp

        center = _relative_to_middle(self.center, images.shape)
        matrix = inverse_affine(center=center, **draws)
        return warp(images, matrix, self.interpolation, self.fill)

    def problem(self, shape: Shape) -> str | None:
        return super().problem(shape) or values_problem("fill", self.fill, shape)


def _relative_to_middle(center: tuple[float, float] | None, shape: Shape) -> tuple[float, float]:
    """Return a center (x, y) from the upper left corner as one from the middle of the image."""
    if center is None:
        return 0.0, 0.0
    return center[0] - shape[-1] / 2, center[1] - shape[-2] / 2


class _Sides(NumberList):
    """Annotation for a length per side, in torchvision's order: left, top, right, bottom.

    One length applies to all sides; of two, the first applies to left and right.
    """

    def convert(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        return items * (4 // len(items))


_LENGTH = Interval(0, LARGEST, integer=True)

Padding = Annotated[
    tuple[int, int, int, int],
    _Sides(
        _LENGTH,
        (1, 2, 4),
        "a whole number of at least 0, or a list of 2 (left and right, top and bottom) or 4 (left, "
        "top, right, bottom) of them",
        scalar=_LENGTH,
    ),
]


class RandomCrop(Augmentation):
    """Crops the padded image at a random position to its own size: a random shift.

    ``pad_if_needed`` has no effect, since a crop of the image's size always fits.
    """

    size: Pair
    padding: Padding | None = None
    pad_if_needed: bool = False
    fill: PixelValues = (0.0,)
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = "constant"

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        import torch

        left, top, right, bottom = self.padding or (0, 0, 0, 0)

        def integers(high: int) -> torch.Tensor:
            return torch.randint(0, high, (count,), generator=generator, device=generator.device)

        return {"top": integers(top + bottom + 1), "left": integers(left + right + 1)}

    def apply(self, images: torch.Tensor, draws: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import shift

        left, top, _, _ = self.padding or (0, 0, 0, 0)
        return shift(images, draws["top"] - top, draws["left"] - left, self.padding_mode, self.fill)

    def problem(self, shape: Shape) -> str | None:
        if problem := super().problem(shape) or values_problem("fill", self.fill, shape):
            return problem
        _, height, width = shape
        if self.size != (height, width):
            return (
                f"found size {format_shape(self.size)} for images of {height}x{width}, but test "
                f"images are not cropped; allowed: size [{height}, {width}], with padding for a "
                "random shift"
            )
        # reflect does not repeat the last pixel; symmetric does.
        excess = {"reflect": -1, "symmetric": 0}.get(self.padding_mode)
        if excess is None:
            return None
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        for size, padding in ((width, max(left, right)), (height, max(top, bottom))):
            if padding > size + excess:
                return (
                    f"found padding {padding} in mode {self.padding_mode}; allowed: at most "
                    f"{size + excess} for {size} pixels"
                )
        return None


class RandomHorizontalFlip(Augmentation):
    """Flips the image horizontally with probability ``p``."""

    p: Probability = 0.5

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        from netbuilder.components.augmentations.functional import bernoulli

        return {"flipped": bernoulli(self.p, count, generator)}

    def apply(self, images: torch.Tensor, draws: dict[str, torch.Tensor]) -> torch.Tensor:
        return images.flip(-1).where(draws["flipped"][:, None, None, None], images)
