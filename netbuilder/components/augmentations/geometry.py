"""Augmentations that move pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from netbuilder._text import LARGEST, describe
from netbuilder.components.augmentations.base import (
    Augmentation,
    Values,
    numbers,
    only_false,
    values_problem,
)
from netbuilder.components.component import validation_error
from netbuilder.components.fields import Pair, Probability
from netbuilder.components.shapes import Shape, format_shape

if TYPE_CHECKING:
    import torch


Interpolation = Literal["nearest", "bilinear"]

Degrees = Annotated[
    tuple[float, float],
    *numbers(
        (2,),
        -360,
        360,
        "a number n from 0 to 360, meaning -n to n, or a list of 2 from -360 to 360, the lower "
        "first",
        spread=True,
        ordered=True,
    ),
]

Shear = Annotated[
    tuple[float, float] | tuple[float, float, float, float],
    *numbers(
        (2, 4),
        -89,
        89,
        "a number n from 0 to 89, meaning -n to n, or a list of 2 (along x) or 4 (along x, then "
        "along y) from -89 to 89, the lower of each pair first",
        spread=True,
        ordered=True,
    ),
]

Translate = Annotated[
    tuple[float, float],
    *numbers((2,), 0, 1, "a list of 2 from 0 to 1: the largest shift as a part of width, height"),
]

Scale = Annotated[
    tuple[float, float],
    *numbers((2,), 0.01, 100, "a list of 2 from 0.01 to 100, the lower first", ordered=True),
]

Center = Annotated[
    tuple[float, float],
    *numbers((2,), -1e6, 1e6, "a list of 2 numbers: x, y in pixels from the upper left corner"),
]


class RandomRotation(Augmentation):
    """Rotation by an angle of degrees, counter-clockwise, drawn evenly from the range.

    ``fill`` is in [0, 1], as the images are.
    """

    degrees: Degrees
    interpolation: Interpolation = "nearest"
    expand: Annotated[bool, *only_false("a larger image would not fit the network's input")] = False
    center: Center | None = None
    fill: Values = (0.0,)

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        from netbuilder.components.augmentations.functional import uniform

        return {"angle": uniform(self.degrees, count, generator)}

    def apply(self, images: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import inverse_affine, warp

        center = _from_middle(self.center, images.shape)
        # torchvision's rotate turns counter-clockwise, its affine clockwise.
        matrix = inverse_affine(-drawn["angle"], center)
        return warp(images, matrix, self.interpolation, self.fill)

    def problem(self, shape: Shape) -> str | None:
        return super().problem(shape) or values_problem("fill", self.fill, shape)


class RandomAffine(Augmentation):
    """Rotation (clockwise), translation, scaling and shear, each drawn evenly from its range.

    Translations are whole pixels, as torchvision's are. ``fill`` is in [0, 1].
    """

    degrees: Degrees
    translate: Translate | None = None
    scale: Scale | None = None
    shear: Shear | None = None
    interpolation: Interpolation = "nearest"
    fill: Values = (0.0,)
    center: Center | None = None

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        from netbuilder.components.augmentations.functional import uniform

        drawn = {"angle": uniform(self.degrees, count, generator)}
        if self.translate is not None:
            _, height, width = shape
            for axis, part, size in zip("xy", self.translate, (width, height), strict=True):
                furthest = part * size
                drawn[f"shift_{axis}"] = uniform((-furthest, furthest), count, generator).round_()
        if self.scale is not None:
            drawn["scale"] = uniform(self.scale, count, generator)
        if self.shear is not None:
            drawn["shear_x"] = uniform(self.shear[:2], count, generator)
            if len(self.shear) == 4:
                drawn["shear_y"] = uniform(self.shear[2:], count, generator)
        return drawn

    def apply(self, images: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import inverse_affine, warp

        parts = dict(drawn)
        center = _from_middle(self.center, images.shape)
        matrix = inverse_affine(parts.pop("angle"), center, **parts)
        return warp(images, matrix, self.interpolation, self.fill)

    def problem(self, shape: Shape) -> str | None:
        return super().problem(shape) or values_problem("fill", self.fill, shape)


def _from_middle(center: tuple[float, float] | None, shape: Shape) -> tuple[float, float]:
    """A centre (x, y) counted from the upper left corner, counted from the image's middle."""
    if center is None:
        return 0.0, 0.0
    return center[0] - shape[-1] / 2, center[1] - shape[-2] / 2


def _read_padding(value: object) -> tuple[int, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    if len(items) not in (1, 2, 4) or any(
        type(item) is not int or not 0 <= item <= LARGEST for item in items
    ):
        raise validation_error(
            f"found {describe(value)}; allowed: a whole number of at least 0, or a list of 2 "
            "(left and right, top and bottom) or 4 (left, top, right, bottom) of them"
        )
    return tuple(items) * (4 // len(items))


_LENGTH: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": LARGEST}

Padding = Annotated[
    tuple[int, int, int, int],
    BeforeValidator(_read_padding),
    WithJsonSchema(
        {
            "anyOf": [
                _LENGTH,
                *(
                    {"type": "array", "items": _LENGTH, "minItems": n, "maxItems": n}
                    for n in (1, 2, 4)
                ),
            ]
        }
    ),
]


class RandomCrop(Augmentation):
    """A window of the image's own size at a random place in the padded image: a random shift.

    Padding is left, top, right, bottom. ``pad_if_needed`` is torchvision's; a window of the image's
    size always fits, so it never has to.
    """

    size: Pair
    padding: Padding | None = None
    pad_if_needed: bool = False
    fill: Values = (0.0,)
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = "constant"

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        import torch

        left, top, right, bottom = self.padding or (0, 0, 0, 0)

        def integers(high: int) -> torch.Tensor:
            return torch.randint(0, high, (count,), generator=generator, device=generator.device)

        return {"top": integers(top + bottom + 1), "left": integers(left + right + 1)}

    def apply(self, images: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
        from netbuilder.components.augmentations.functional import shifted

        left, top, _, _ = self.padding or (0, 0, 0, 0)
        return shifted(
            images, drawn["top"] - top, drawn["left"] - left, self.padding_mode, self.fill
        )

    def problem(self, shape: Shape) -> str | None:
        if problem := super().problem(shape) or values_problem("fill", self.fill, shape):
            return problem
        _, height, width = shape
        if self.size != (height, width):
            return (
                f"it cuts {format_shape(self.size)} out of images of {height}x{width}, and test images "
                f"are not cut; allowed: size [{height}, {width}], with padding for the window to "
                "move in"
            )
        # torch reflects about the last pixel, which must not be needed itself; symmetric repeats it
        room = {"reflect": -1, "symmetric": 0}.get(self.padding_mode)
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        for side, padded in ((width, max(left, right)), (height, max(top, bottom))):
            if room is not None and padded > side + room:
                return (
                    f"found padding {padded} in mode {self.padding_mode}; allowed: at most "
                    f"{side + room} for {side} pixels"
                )
        return None


class RandomHorizontalFlip(Augmentation):
    """Left for right, with probability ``p``."""

    p: Probability = 0.5

    def draw(self, count: int, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
        from netbuilder.components.augmentations.functional import chosen

        return {"flipped": chosen(self.p, count, generator)}

    def apply(self, images: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
        return images.flip(-1).where(drawn["flipped"][:, None, None, None], images)
