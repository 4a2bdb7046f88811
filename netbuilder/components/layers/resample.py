"""Layers that change how finely positions lie."""

from __future__ import annotations

from abc import abstractmethod
from math import floor
from struct import pack, unpack
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from netbuilder._text import LARGEST, describe
from netbuilder.components.component import validation_error
from netbuilder.components.fields import Size
from netbuilder.components.layers.base import Unparametrised, require_image
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import MAX_PERIOD, Span, Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

Mode = Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "nearest-exact"]

RANKS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
"""The numbers of spatial axes that a mode takes; the others take 1 to 3."""


def _read_sizes(value: object) -> object:
    items: Any = value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(items) <= 3 or any(
        type(item) is not int or not 1 <= item <= LARGEST for item in items
    ):
        raise validation_error(
            f"found {describe(value)}; allowed: a whole number of at least 1, or one for each axis"
        )
    return tuple(items) if isinstance(value, list | tuple) else value


def _read_scales(value: object) -> object:
    items: Any = value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(items) <= 3 or any(
        isinstance(item, bool) or not isinstance(item, int | float) or not 0 < item <= 1e6
        for item in items
    ):
        raise validation_error(
            f"found {describe(value)}; allowed: a number above 0 and up to 1e6, or one for "
            "each axis"
        )
    return tuple(map(float, items)) if isinstance(value, list | tuple) else float(items[0])


_SIZE: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": LARGEST}

_SCALE: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6}


def _one_or_several(one: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema(
        {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 3}]}
    )


Sizes = Annotated[int | tuple[int, ...], BeforeValidator(_read_sizes), _one_or_several(_SIZE)]

Scales = Annotated[
    float | tuple[float, ...], BeforeValidator(_read_scales), _one_or_several(_SCALE)
]


def _single(value: float) -> float:
    """The value in the precision in which torch computes where a position lies."""
    rounded: float = unpack("f", pack("f", value))[0]
    return rounded


class _Upsample(Unparametrised, abstract=True):
    """The sample at other sizes, by interpolation between its positions."""

    size: Sizes | None = None
    scale_factor: Scales | None = None

    @model_validator(mode="after")
    def _says_one(self) -> _Upsample:
        if (self.size is None) == (self.scale_factor is None):
            raise validation_error("it takes either size or scale_factor; write one of them")
        return self

    @abstractmethod
    def _how(self) -> tuple[Mode, bool]:
        """The mode, and whether the corners are aligned."""

    def output_shape(self, x: Shape) -> Shape:
        mode, _ = self._how()
        axes = len(x) - 1
        if axes not in RANKS.get(mode, (1, 2, 3)):
            allowed = " or ".join(map(str, RANKS.get(mode, (1, 2, 3))))
            raise ShapeError(
                f"mode {mode} takes channels and {allowed} spatial axes, found {format_shape(x)}; "
                "choose another"
            )
        each = self._each(axes)
        if len(each) != axes:
            raise ShapeError(
                f"it gives {len(each)} sizes for the {axes} axes of {format_shape(x)}; write {axes}"
            )
        out = tuple(
            floor(n * s) if self.size is None else int(s) for n, s in zip(x[1:], each, strict=True)
        )
        if min(out) < 1:
            raise ShapeError(f"scale_factor leaves nothing of {format_shape(x)}; use more")
        return (x[0], *out)

    def _each(self, axes: int) -> tuple[float, ...]:
        value = self.size if self.size is not None else self.scale_factor
        return value if isinstance(value, tuple) else (value or 1,) * axes

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        y = self.output_shape(x)
        each = self._each(len(x) - 1)
        windows = [
            self._window(n, m, None if self.size is not None else s)
            for n, m, s in zip(x[1:], y[1:], each, strict=True)
        ]
        return field.read(None, *windows)

    def _window(self, size: int, out: int, scale: float | None) -> Window:
        if out > MAX_PERIOD:
            return Window.whole(size)
        mode, aligned = self._how()
        if out == size and "linear" in mode:
            return Window.sliding(1)  # torch copies along such an axis
        step = _single(size / out if scale is None else 1 / scale)
        if aligned:
            step = _single((size - 1) / (out - 1)) if out > 1 else 0.0
        return Window.table([self._span(mode, aligned, step, i, size) for i in range(out)])

    @staticmethod
    def _span(mode: Mode, aligned: bool, step: float, i: int, size: int) -> Span:
        """What position ``i`` reads (aten/src/ATen/native/UpSample.h)."""
        last = size - 1
        if mode == "nearest":
            return (min(floor(_single(i * step)), last),) * 2
        if mode == "nearest-exact":
            return (min(floor(_single((i + 0.5) * step)), last),) * 2
        at = _single(i * step) if aligned else _single(_single((i + 0.5) * step) - 0.5)
        if mode == "bicubic":
            start = floor(at)
            return max(0, min(start - 1, last)), max(0, min(start + 2, last))
        start = min(floor(max(at, 0.0)), last)
        return start, min(start + 1, last)


class Upsample(_Upsample):
    """(C, ...) at another size, or scaled by a factor, in one of torch's modes."""

    mode: Mode = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    @model_validator(mode="after")
    def _fits_itself(self) -> Upsample:
        if self.align_corners is not None and self.mode.startswith("nearest"):
            raise validation_error(
                f"align_corners has no meaning in mode {self.mode}; leave it out"
            )
        if self.recompute_scale_factor and self.scale_factor is None:
            raise validation_error(
                "recompute_scale_factor has no meaning without scale_factor; leave it out"
            )
        return self

    def _how(self) -> tuple[Mode, bool]:
        return self.mode, bool(self.align_corners)

    def _window(self, size: int, out: int, scale: float | None) -> Window:
        return super()._window(size, out, None if self.recompute_scale_factor else scale)


class UpsamplingNearest2d(_Upsample):
    """(C, H, W) at another size, each position the nearest of the input."""

    def _how(self) -> tuple[Mode, bool]:
        return "nearest", False

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        return super().output_shape(x)


class UpsamplingBilinear2d(_Upsample):
    """(C, H, W) at another size, between the input's positions, corners aligned."""

    def _how(self) -> tuple[Mode, bool]:
        return "bilinear", True

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        return super().output_shape(x)


class PixelShuffle(Unparametrised):
    """(C r r, H, W) as (C, H r, W r): channels become positions; r is ``upscale_factor``."""

    upscale_factor: Size

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        r = self.upscale_factor
        if x[0] % r**2:
            raise ShapeError(
                f"{x[0]} channels of {format_shape(x)} are no multiple of {r} x {r}; change one"
            )
        return (x[0] // r**2, x[1] * r, x[2] * r)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        r = self.upscale_factor
        if r > MAX_PERIOD:
            return field.everything(x)
        spread = Window((0,) * r, (0,) * r, 1)
        return field.read(Window.whole(x[0]), spread, spread)


class PixelUnshuffle(Unparametrised):
    """(C, H r, W r) as (C r r, H, W): positions become channels; r is ``downscale_factor``."""

    downscale_factor: Size

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        r = self.downscale_factor
        if x[1] % r or x[2] % r:
            raise ShapeError(
                f"height and width of {format_shape(x)} are no multiples of {r}; change one"
            )
        return (x[0] * r**2, x[1] // r, x[2] // r)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        gathered = Window.sliding(self.downscale_factor, self.downscale_factor)
        return field.read(Window.whole(x[0]), gathered, gathered)
