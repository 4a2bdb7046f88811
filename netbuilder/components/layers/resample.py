"""Layers that change the resolution."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from math import floor
from struct import Struct
from typing import Annotated, Literal

from pydantic import model_validator

from netbuilder._text import LARGEST, plural
from netbuilder.components.component import validation_error
from netbuilder.components.fields import Interval, NumberOrList, Size
from netbuilder.components.layers.base import Unparametrized, require_image
from netbuilder.components.receptive_field.budget import spend
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import MAX_PERIOD, Span, Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

Mode = Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "nearest-exact"]

RANKS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
"""The numbers of spatial axes that a mode accepts; modes without an entry accept 1 to 3."""


_SIZE = Interval(1, LARGEST, integer=True)
_SCALE = Interval(0, 1e6, open_low=True)

Sizes = Annotated[
    int | tuple[int, ...],
    NumberOrList(_SIZE, range(1, 4), "a whole number of at least 1, or one per axis", scalar=_SIZE),
]

Scales = Annotated[
    float | tuple[float, ...],
    NumberOrList(
        _SCALE, range(1, 4), "a number above 0 and at most 1e6, or one per axis", scalar=_SCALE
    ),
]


_FLOAT32 = Struct("f")


def _as_float32(value: float) -> float:
    """Return a number in the precision in which torch computes positions."""
    rounded: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    return rounded


class _Upsample(Unparametrized, abstract=True):
    """Resampling to another size by interpolation."""

    usual = ("scale_factor",)  # either that or the size must be there

    size: Sizes | None = None
    scale_factor: Scales | None = None

    @model_validator(mode="after")
    def _check_size(self) -> _Upsample:
        if (self.size is None) == (self.scale_factor is None):
            raise validation_error("it takes either size or scale_factor; write one of them")
        return self

    @abstractmethod
    def _interpolation(self) -> tuple[Mode, bool]:
        """Return the mode, and whether the corners are aligned."""

    def output_shape(self, x: Shape) -> Shape:
        mode, _ = self._interpolation()
        axes, allowed_axes = len(x) - 1, RANKS.get(mode, (1, 2, 3))
        if axes not in allowed_axes:
            raise ShapeError(
                f"mode {mode} takes channels and {' or '.join(map(str, allowed_axes))} spatial "
                f"axes, found {format_shape(x)}; choose another mode"
            )
        values = self._per_axis(axes)
        if len(values) != axes:
            raise ShapeError(
                f"found {plural(len(values), 'value')} for the {axes} spatial axes of "
                f"{format_shape(x)}; write {axes}"
            )
        if self.size is not None:
            return (x[0], *map(int, values))
        out = tuple(floor(size * scale) for size, scale in zip(x[1:], values, strict=True))
        if min(out) < 1:
            raise ShapeError(
                f"scale_factor leaves nothing of {format_shape(x)}; use a larger scale_factor"
            )
        return (x[0], *out)

    def _per_axis(self, axes: int) -> tuple[float, ...]:
        """Return the size or the scale factor of each axis."""
        value = self.size if self.size is not None else self.scale_factor
        assert value is not None, "the validator requires one of the two"
        return value if isinstance(value, tuple) else (value,) * axes

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        y, axes = self.output_shape(x), len(x) - 1
        windows = [
            self._window(size, out, None if self.size is not None else scale, axes)
            for size, out, scale in zip(x[1:], y[1:], self._per_axis(axes), strict=True)
        ]
        return field.read(None, *windows)

    def _window(self, size: int, out: int, scale: float | None, axes: int) -> Window:
        """Return the window along an axis of ``size`` that is resampled to ``out`` positions.

        Args:
            size: The size of the axis.
            out: Its size afterwards.
            scale: The factor that the document names; None if it names a size.
            axes: The number of spatial axes.
        """
        if out > MAX_PERIOD:
            return Window.at_most_whole(size)
        mode, aligned = self._interpolation()
        if out == size and "linear" in mode:
            return Window.sliding(1)  # torch copies such an axis
        if mode == "nearest" and axes == 2 and out in (size, 2 * size):
            # Whatever the scale (nearest_neighbor_compute_source_index in UpSample.h).
            repeats = out // size
            return Window((0,) * repeats, (0,) * repeats, 1)
        step = _as_float32(size / out if scale is None else 1 / scale)
        if aligned:
            step = _as_float32((size - 1) / (out - 1)) if out > 1 else 0.0
        spend(4 * out)
        spans = [self._span(mode, aligned, step, i, size) for i in range(out)]
        if mode.startswith("nearest"):
            return Window.extrapolated(spans)
        weighted = [
            self._weighted(span, self._center(aligned, step, i), size)
            for i, span in enumerate(spans)
        ]
        least = None if weighted == spans else Window.extrapolated(weighted)
        return replace(Window.extrapolated(spans), least=least)

    @staticmethod
    def _center(aligned: bool, step: float, i: int) -> float:
        """Return the place on the input axis that output position ``i`` interpolates at."""
        if aligned:
            return _as_float32(i * step)
        return _as_float32(_as_float32((i + 0.5) * step) - 0.5)

    @staticmethod
    def _weighted(span: Span, center: float, size: int) -> Span:
        """Return the part of a span whose weight is not 0, as between two positions.

        At a position, or so close to one that rounding decides, its neighbors have none.
        """
        nearest = round(center)
        if center > 0 and abs(center - nearest) > 1e-4:
            return span
        return (min(max(nearest, 0), size - 1),) * 2

    @classmethod
    def _span(cls, mode: Mode, aligned: bool, step: float, i: int, size: int) -> Span:
        """Return what output position ``i`` reads (aten/src/ATen/native/UpSample.h)."""
        last = size - 1
        if mode == "nearest":
            return (min(floor(_as_float32(i * step)), last),) * 2
        if mode == "nearest-exact":
            return (min(floor(_as_float32((i + 0.5) * step)), last),) * 2
        center = cls._center(aligned, step, i)
        if mode == "bicubic":
            start = floor(center)
            return max(0, min(start - 1, last)), max(0, min(start + 2, last))
        start = min(floor(max(center, 0.0)), last)
        return start, min(start + 1, last)


class Upsample(_Upsample):
    """Resamples (C, ...) to a size or by a scale factor, in one of torch's modes."""

    mode: Mode = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    @model_validator(mode="after")
    def _check_arguments(self) -> Upsample:
        if self.align_corners is not None and self.mode.startswith("nearest"):
            raise validation_error(f"align_corners has no meaning in mode {self.mode}; remove it")
        if self.recompute_scale_factor and self.scale_factor is None:
            raise validation_error(
                "recompute_scale_factor has no meaning without scale_factor; remove it"
            )
        return self

    def _interpolation(self) -> tuple[Mode, bool]:
        return self.mode, bool(self.align_corners)

    def _window(self, size: int, out: int, scale: float | None, axes: int) -> Window:
        return super()._window(size, out, None if self.recompute_scale_factor else scale, axes)


class UpsamplingNearest2d(_Upsample):
    """Resamples (C, H, W) by nearest-neighbor interpolation."""

    def _interpolation(self) -> tuple[Mode, bool]:
        return "nearest", False

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        return super().output_shape(x)


class UpsamplingBilinear2d(_Upsample):
    """Resamples (C, H, W) by bilinear interpolation with aligned corners."""

    def _interpolation(self) -> tuple[Mode, bool]:
        return "bilinear", True

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        return super().output_shape(x)


class PixelShuffle(Unparametrized):
    """Rearranges (C r r, H, W) to (C, H r, W r), where r is ``upscale_factor``."""

    upscale_factor: Size

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        r = self.upscale_factor
        if x[0] % r**2:
            raise ShapeError(
                f"{plural(x[0], 'channel')} of {format_shape(x)}: not a multiple of {r} x {r}; "
                "change one of the two"
            )
        return (x[0] // r**2, x[1] * r, x[2] * r)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        r = self.upscale_factor
        if r > MAX_PERIOD:
            return field.read_all(x)
        spend(r)
        window = Window((0,) * r, (0,) * r, 1)
        return field.per_channel().read(Window.at_most_whole(x[0]), window, window)


class PixelUnshuffle(Unparametrized):
    """Rearranges (C, H r, W r) to (C r r, H, W), where r is ``downscale_factor``."""

    downscale_factor: Size

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        r = self.downscale_factor
        if x[1] % r or x[2] % r:
            raise ShapeError(
                f"height and width of {format_shape(x)} are not multiples of {r}; "
                "change one of the two"
            )
        return (x[0] * r**2, x[1] // r, x[2] // r)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        window = Window.sliding(self.downscale_factor, self.downscale_factor)
        return field.read(Window.at_most_whole(x[0]), window, window).distinct_channels()
