"""Padding of the spatial axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from netbuilder._text import LARGEST
from netbuilder.components.fields import Interval, Number, NumberList
from netbuilder.components.layers.base import Unparametrized, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Border, Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

_LENGTH = Interval(-LARGEST, LARGEST, integer=True)


def _border(axes: int) -> NumberList:
    """Return the annotation of two lengths per axis; negative lengths crop."""
    allowed = (
        f"a whole number, or a list of {2 * axes} of them, two for each axis from the last to "
        "the first"
    )
    return NumberList(_LENGTH, (2 * axes,), allowed, scalar=_LENGTH)


class _Pad(Unparametrized, abstract=True):
    """Padding at both ends of each spatial axis, listed from the last axis to the first."""

    axes: ClassVar[int]
    border: ClassVar[Border] = ""
    """What the border is copied from."""
    max_excess: ClassVar[int | None] = None
    """How much wider than the axis a border may be; None if it is not copied from the axis."""
    crops_first: ClassVar[bool] = False
    """Whether torch crops an end with negative padding before it pads the other end."""
    if TYPE_CHECKING:  # each kind declares it with a type for its number of axes
        padding: tuple[int, ...]

    @property
    def _borders(self) -> list[tuple[int, int]]:
        """The padding at the start and the end of each axis, first axis first."""
        pairs = zip(self.padding[::2], self.padding[1::2], strict=True)
        return list(pairs)[::-1]

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        for size, border in zip(x[1:], self._borders, strict=True):
            self._check_border(size, border, x)
        out = tuple(size + sum(border) for size, border in zip(x[1:], self._borders, strict=True))
        if min(out) < 1:
            raise ShapeError(
                f"padding {list(self.padding)} leaves nothing of its input {format_shape(x)}; "
                "crop less"
            )
        return (x[0], *out)

    def _check_border(self, size: int, border: tuple[int, int], x: Shape) -> None:
        """Check that an axis of ``size`` of the input ``x`` is large enough for its border."""
        widest, cropped = max(border), size + sum(min(length, 0) for length in border)
        is_copied = self.max_excess is not None
        if self.crops_first and (cropped < 0 or (is_copied and widest > cropped)):
            raise ShapeError(
                f"padding {list(self.padding)} crops an axis of {size} of its input "
                f"{format_shape(x)} before it pads the other end, which leaves too little; crop "
                "less"
            )
        if self.max_excess is not None and widest > size + self.max_excess:
            raise ShapeError(
                f"padding {widest} is copied from an axis of {size} of its input "
                f"{format_shape(x)}; allowed: at most {size + self.max_excess}"
            )

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        borders = self._borders
        if self.border == "circular" and min(self.padding) < 0:  # torch crops first
            crops = [(min(start, 0), min(end, 0)) for start, end in borders]
            field = field.read(None, *(Window.sliding(1, padding=start) for start, _ in crops))
            sizes = (size + sum(crop) for size, crop in zip(x[1:], crops, strict=True))
            field = field.sized((x[0], *sizes))
            borders = [(max(start, 0), max(end, 0)) for start, end in borders]
        windows = (Window.sliding(1, padding=start, border=self.border) for start, _ in borders)
        return field.read(None, *windows)


class _CircularPad(_Pad, abstract=True):
    border = "circular"
    max_excess = 0
    crops_first = True


class _ConstantPad(_Pad, abstract=True):
    crops_first = True


class _ReflectionPad(_Pad, abstract=True):
    border = "reflect"
    max_excess = -1


class _ReplicationPad(_Pad, abstract=True):
    border = "replicate"


class _ZeroPad(_Pad, abstract=True):
    crops_first = True


class CircularPad1d(_CircularPad):
    """Pads (C, L) with values from the opposite end of each axis."""

    axes = 1

    padding: Annotated[tuple[int, ...], _border(1)]


class ConstantPad1d(_ConstantPad):
    """Pads (C, L) with a constant ``value``."""

    axes = 1

    padding: Annotated[tuple[int, ...], _border(1)]
    value: Number


class ReflectionPad1d(_ReflectionPad):
    """Pads (C, L) with its reflection about the outermost values."""

    axes = 1

    padding: Annotated[tuple[int, ...], _border(1)]


class ReplicationPad1d(_ReplicationPad):
    """Pads (C, L) by replication of its outermost values."""

    axes = 1

    padding: Annotated[tuple[int, ...], _border(1)]


class ZeroPad1d(_ZeroPad):
    """Pads (C, L) with zeros."""

    axes = 1

    padding: Annotated[tuple[int, ...], _border(1)]


class CircularPad2d(_CircularPad):
    """Pads (C, H, W) with values from the opposite end of each axis."""

    axes = 2

    padding: Annotated[tuple[int, ...], _border(2)]


class ConstantPad2d(_ConstantPad):
    """Pads (C, H, W) with a constant ``value``."""

    axes = 2

    padding: Annotated[tuple[int, ...], _border(2)]
    value: Number


class ReflectionPad2d(_ReflectionPad):
    """Pads (C, H, W) with its reflection about the outermost values."""

    axes = 2

    padding: Annotated[tuple[int, ...], _border(2)]


class ReplicationPad2d(_ReplicationPad):
    """Pads (C, H, W) by replication of its outermost values."""

    axes = 2

    padding: Annotated[tuple[int, ...], _border(2)]


class ZeroPad2d(_ZeroPad):
    """Pads (C, H, W) with zeros."""

    axes = 2

    padding: Annotated[tuple[int, ...], _border(2)]


class CircularPad3d(_CircularPad):
    """Pads (C, D, H, W) with values from the opposite end of each axis."""

    axes = 3

    padding: Annotated[tuple[int, ...], _border(3)]


class ConstantPad3d(_ConstantPad):
    """Pads (C, D, H, W) with a constant ``value``."""

    axes = 3

    padding: Annotated[tuple[int, ...], _border(3)]
    value: Number


class ReflectionPad3d(_ReflectionPad):
    """Pads (C, D, H, W) with its reflection about the outermost values."""

    axes = 3

    padding: Annotated[tuple[int, ...], _border(3)]


class ReplicationPad3d(_ReplicationPad):
    """Pads (C, D, H, W) by replication of its outermost values."""

    axes = 3

    padding: Annotated[tuple[int, ...], _border(3)]


class ZeroPad3d(_ZeroPad):
    """Pads (C, D, H, W) with zeros."""

    axes = 3

    padding: Annotated[tuple[int, ...], _border(3)]
