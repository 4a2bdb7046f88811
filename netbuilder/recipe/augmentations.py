"""Augmentations by torchvision's names and arguments.

They work on a batch at once, with a draw of its own for each sample, on whatever device it is on.
Images are float in [0, 1], before normalisation, and ``fill`` and ``value`` are in that unit.
"""

from __future__ import annotations

from abc import abstractmethod
from math import log
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from netbuilder.component import (
    LIST_AS_TUPLE,
    Component,
    Fraction,
    Number,
    Pair,
    Positive,
    describe,
    fault,
    fault_at,
)
from netbuilder.recipe.warp import inverse_matrices, warp
from netbuilder.shapes import Shape, written

if TYPE_CHECKING:
    from torch import Generator, Tensor

Draws = dict[str, "Tensor"]
"""What was drawn for a batch, each entry with the samples along its first axis."""


class Augmentation(Component):
    """A random change of training images that keeps their shape and their label."""

    def problem(self, shape: Shape) -> str | None:
        """Why images of ``shape``, (C, H, W), cannot be augmented so; None if they can."""
        return None

    @abstractmethod
    def draw(self, count: int, shape: Shape, generator: Generator) -> Draws:
        """A draw for each of ``count`` samples of ``shape``, on the generator's device."""

    @abstractmethod
    def apply(self, images: Tensor, drawn: Draws) -> Tensor:
        """The images (N, C, H, W), float in [0, 1], changed as was drawn."""


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    import torch

    unit = torch.rand(count, generator=generator, device=generator.device)
    return low + (high - low) * unit


def _mirrored(value: object) -> object:
    """One number d stands for [-d, d]."""
    if type(value) in (int, float):
        if not value >= 0:  # type: ignore[operator]  # a number, by the line above
            raise fault(f"found {describe(value)}; allowed: at least 0, or a list of 2 numbers")
        return -float(value), float(value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value


_NUMBERS = {"type": "array", "items": {"type": "number"}}
_MIRRORED = {"type": "number", "minimum": 0}

Range = Annotated[
    tuple[Number, Number],
    BeforeValidator(_mirrored),
    WithJsonSchema({"anyOf": [_MIRRORED, _NUMBERS | {"minItems": 2, "maxItems": 2}]}),
]
Shear = Annotated[
    tuple[Number, Number] | tuple[Number, Number, Number, Number],
    BeforeValidator(_mirrored),
    WithJsonSchema(
        {"anyOf": [_MIRRORED, *(_NUMBERS | {"minItems": n, "maxItems": n} for n in (2, 4))]}
    ),
]
Ascending = Annotated[tuple[Positive, Positive], LIST_AS_TUPLE]
Interpolation = Literal["nearest", "bilinear"]


def _require_ascending(augmentation: Augmentation, *fields: str) -> None:
    for field in fields:
        ends = getattr(augmentation, field) or ()
        for low, high in zip(ends[::2], ends[1::2], strict=True):
            if low > high:
                raise fault_at((field,), f"found {list(ends)}; the lower end comes first", ends)


class _Affine(Augmentation):
    """What rotations and affine maps share; every angle is in degrees."""

    if TYPE_CHECKING:  # each kind declares them, in torchvision's order
        degrees: Range
        interpolation: Interpolation
        fill: Number
        center: tuple[float, float] | None

    @model_validator(mode="after")
    def _ordered(self) -> _Affine:
        _require_ascending(self, "degrees")
        return self

    def _from_middle(self, images: Tensor) -> tuple[float, float]:
        """``center``, which counts from the upper left corner, from the image's middle."""
        if self.center is None:
            return 0.0, 0.0
        height, width = images.shape[2:]
        return self.center[0] - width / 2, self.center[1] - height / 2


class RandomRotation(_Affine):
    """By an angle from ``degrees``, counter-clockwise, around ``center`` (x, y) or the middle."""

    degrees: Range
    interpolation: Interpolation = "nearest"
    expand: Literal[False] = False
    """True would change the image's size, which the network's input settles."""
    center: Annotated[tuple[Number, Number], LIST_AS_TUPLE] | None = None
    fill: Number = 0

    def draw(self, count: int, shape: Shape, generator: Generator) -> Draws:
        return {"angle": _uniform(count, *self.degrees, generator)}

    def apply(self, images: Tensor, drawn: Draws) -> Tensor:
        angle = -drawn["angle"]  # torchvision turns its two rotations opposite ways
        none = angle * 0
        center = self._from_middle(images)
        matrices = inverse_matrices(angle, (none, none), none + 1, (none, none), center)
        return warp(images, matrices, self.interpolation, self.fill)


class RandomAffine(_Affine):
    """Rotation, then shear, scale and translation; each drawn alone.

    ``translate`` gives the largest shifts as fractions of width and height; a shift is a whole
    number of pixels, as torchvision's is.
    """

    degrees: Range
    translate: Annotated[tuple[Fraction, Fraction], LIST_AS_TUPLE] | None = None
    scale: Ascending | None = None
    shear: Shear | None = None
    interpolation: Interpolation = "nearest"
    fill: Number = 0
    center: Annotated[tuple[Number, Number], LIST_AS_TUPLE] | None = None

    @model_validator(mode="after")
    def _all_ordered(self) -> RandomAffine:
        _require_ascending(self, "scale", "shear")
        return self

    def draw(self, count: int, shape: Shape, generator: Generator) -> Draws:
        def shift(fraction: float, size: int) -> Tensor:
            return _uniform(count, -fraction * size, fraction * size, generator).round()

        across, down = self.translate or (0.0, 0.0)
        low_x, high_x, low_y, high_y = (*(self.shear or (0.0, 0.0)), 0.0, 0.0)[:4]
        return {
            "angle": _uniform(count, *self.degrees, generator),
            "translate_x": shift(across, shape[2]),
            "translate_y": shift(down, shape[1]),
            "scale": _uniform(count, *(self.scale or (1.0, 1.0)), generator),
            "shear_x": _uniform(count, low_x, high_x, generator),
            "shear_y": _uniform(count, low_y, high_y, generator),
        }

    def apply(self, images: Tensor, drawn: Draws) -> Tensor:
        matrices = inverse_matrices(
            drawn["angle"],
            (drawn["translate_x"], drawn["translate_y"]),
            drawn["scale"],
            (drawn["shear_x"], drawn["shear_y"]),
            self._from_middle(images),
        )
        return warp(images, matrices, self.interpolation, self.fill)


_SIDE = {"type": "integer", "minimum": 0, "maximum": 10_000}
Borders = Annotated[
    tuple[Annotated[int, Field(ge=0, le=10_000)], ...],
    BeforeValidator(lambda value: (value,) if type(value) is int else value),
    LIST_AS_TUPLE,
    WithJsonSchema(
        {
            "anyOf": [
                _SIDE,
                *(
                    {"type": "array", "items": _SIDE, "minItems": n, "maxItems": n}
                    for n in (1, 2, 4)
                ),
            ]
        }
    ),
]


class RandomCrop(Augmentation):
    """A window of ``size`` from the image with ``padding`` around it.

    ``padding`` is one number for all sides, [left and right, top and bottom], or [left, top,
    right, bottom].
    """

    size: Pair
    padding: Borders | None = None
    pad_if_needed: bool = False
    """Of no effect: the window is the image's own size, so the image is never too small."""
    fill: Number = 0
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = "constant"

    @model_validator(mode="after")
    def _sides(self) -> RandomCrop:
        if self.padding is not None and len(self.padding) not in (1, 2, 4):
            message = f"found a list of {len(self.padding)}; allowed: 1, 2 or 4 whole numbers"
            raise fault_at(("padding",), message, self.padding)
        return self

    def problem(self, shape: Shape) -> str | None:
        if self.size != shape[1:]:
            return (
                f"size {written(self.size)} is not the images' {written(shape[1:])}; test images "
                "are not cropped, so the size has to stay"
            )
        short = {"reflect": 1, "symmetric": 0}.get(self.padding_mode)
        left, top, right, bottom = self._borders
        if short is not None and (
            max(left, right) > shape[2] - short or max(top, bottom) > shape[1] - short
        ):
            return f"padding {list(self.padding or ())} is more than {self.padding_mode} can fill"
        return None

    @property
    def _borders(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom."""
        match self.padding or (0,):
            case (every,):
                return every, every, every, every
            case (across, down):
                return across, down, across, down
            case (left, top, right, bottom):
                return left, top, right, bottom
        raise AssertionError("checked when it was made")

    def draw(self, count: int, shape: Shape, generator: Generator) -> Draws:
        left, top, right, bottom = self._borders
        return {
            "top": _uniform(count, 0, top + bottom + 1, generator).long(),
            "left": _uniform(count, 0, left + right + 1, generator).long(),
        }

    def apply(self, images: Tensor, drawn: Draws) -> Tensor:
        import torch

        left, top, _, _ = self._borders
        count, _, height, width = images.shape
        rows = _source(drawn["top"] - top, height, self.padding_mode)
        columns = _source(drawn["left"] - left, width, self.padding_mode)
        samples = torch.arange(count, device=images.device)[:, None, None]
        # Indices around a slice put the sliced axis last: (N, H, W, C).
        chosen = images[
            samples,
            :,
            rows.clamp(0, height - 1)[:, :, None],
            columns.clamp(0, width - 1)[:, None, :],
        ].permute(0, 3, 1, 2)
        if self.padding_mode != "constant":
            return chosen
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
            :, None, :
        ]
        return torch.where(inside[:, None], chosen, self.fill)


def _source(start: Tensor, size: int, padding_mode: str) -> Tensor:
    """The input positions behind ``size`` output positions from ``start`` (N) on, (N, size)."""
    import torch

    at = start[:, None] + torch.arange(size, device=start.device)
    if padding_mode == "reflect":
        return (size - 1) - ((size - 1) - at.abs()).abs()
    if padding_mode == "symmetric":
        at = torch.where(at < 0, -1 - at, at)
        return torch.where(at >= size, 2 * size - 1 - at, at)
    return at


class RandomHorizontalFlip(Augmentation):
    """Left and right exchanged with probability ``p``."""

    p: Fraction = 0.5

    def draw(self, count: int, shape: Shape, generator: Generator) -> Draws:
        return {"flip": _uniform(count, 0, 1, generator) < self.p}

    def apply(self, images: Tensor, drawn: Draws) -> Tensor:
        import torch

        return torch.where(drawn["flip"][:, None, None, None], images.flip(3), images)


ATTEMPTS = 10
"""How often torchvision tries to place a rectangle before it leaves an image whole."""


class RandomErasing(Augmentation):
    """With probability ``p``, a rectangle set to ``value``.

    Its area is a share of the image's from ``scale``, its height over its width from ``ratio``.
    ``value`` may be ``random``: normal noise for each pixel.
    """

    p: Fraction = 0.5
    scale: Ascending = (0.02, 0.33)
    ratio: Ascending = (0.3, 3.3)
    value: Number | Literal["random"] = 0
    inplace: bool = False
    """Of no effect: the images are a copy of the data in any case."""

    @model_validator(mode="after")
    def _ordered(self) -> RandomErasing:
        _require_ascending(self, "scale", "ratio")
        if self.scale[1] > 1:
            raise fault_at(("scale",), f"found {list(self.scale)}; allowed: at most 1", self.scale)
        return self

    def draw(self, count: int, shape: Shape, generator: Generator) -> Draws:
        import torch

        channels, height, width = shape
        tries = count * ATTEMPTS
        area = height * width * _uniform(tries, *self.scale, generator)
        aspect = _uniform(tries, log(self.ratio[0]), log(self.ratio[1]), generator).exp()
        tall = (area * aspect).sqrt().round().reshape(count, ATTEMPTS)
        wide = (area / aspect).sqrt().round().reshape(count, ATTEMPTS)
        fits = (tall < height) & (wide < width)
        first = fits.int().argmax(1, keepdim=True)
        tall, wide = tall.gather(1, first)[:, 0], wide.gather(1, first)[:, 0]
        drawn = {
            "erase": fits.any(1) & (_uniform(count, 0, 1, generator) < self.p),
            "top": (_uniform(count, 0, 1, generator) * (height - tall + 1)).floor(),
            "left": (_uniform(count, 0, 1, generator) * (width - wide + 1)).floor(),
            "height": tall,
            "width": wide,
        }
        if self.value == "random":
            drawn["value"] = torch.randn(
                (count, channels, height, width), generator=generator, device=generator.device
            )
        return drawn

    def apply(self, images: Tensor, drawn: Draws) -> Tensor:
        import torch

        def within(start: Tensor, length: Tensor, size: int) -> Tensor:
            at = torch.arange(size, device=images.device)
            return (at >= start[:, None]) & (at < (start + length)[:, None])

        height, width = images.shape[2:]
        erased = (
            within(drawn["top"], drawn["height"], height)[:, None, :, None]
            & within(drawn["left"], drawn["width"], width)[:, None, None, :]
            & drawn["erase"][:, None, None, None]
        )
        value: Any = drawn["value"] if self.value == "random" else self.value
        return torch.where(erased, value, images)


AUGMENTATIONS: tuple[type[Augmentation], ...] = (
    RandomRotation, RandomAffine, RandomCrop, RandomHorizontalFlip, RandomErasing,
)  # fmt: skip
