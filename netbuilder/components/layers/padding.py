"""Borders around the spatial axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, WithJsonSchema

from netbuilder._text import LARGEST, describe
from netbuilder.components.component import validation_error
from netbuilder.components.fields import Number
from netbuilder.components.layers.base import Unparametrised, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError


def _border(axes: int) -> Any:
    """Annotations for a length before and behind each axis; below 0 it cuts."""
    one = {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST}
    several = {"type": "array", "items": one, "minItems": 2 * axes, "maxItems": 2 * axes}

    def read(value: object) -> tuple[int, ...]:
        items: Any = value if isinstance(value, list | tuple) else [value] * 2 * axes
        if len(items) != 2 * axes or any(
            type(item) is not int or abs(item) > LARGEST for item in items
        ):
            raise validation_error(
                f"found {describe(value)}; allowed: a whole number, or a list of {2 * axes} of "
                "them, two for each axis from the last to the first"
            )
        return tuple(items)

    return BeforeValidator(read), WithJsonSchema({"anyOf": [one, several]})


class _Pad(Unparametrised, abstract=True):
    """A border before and behind each spatial axis; ``padding`` counts from the last axis."""

    axes: ClassVar[int]
    most: ClassVar[int | None] = None
    """How much wider than the axis a border may be that is made of the axis itself."""
    cuts_first: ClassVar[bool] = False
    """Whether torch cuts one end before it puts a border at the other."""
    if TYPE_CHECKING:  # each kind declares it, for its number of axes
        padding: tuple[int, ...]

    @property
    def _each(self) -> list[tuple[int, int]]:
        """Before and behind, from the first axis to the last."""
        pairs = zip(self.padding[::2], self.padding[1::2], strict=True)
        return list(pairs)[::-1]

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        for size, pads in zip(x[1:], self._each, strict=True):
            left = size + sum(min(pad, 0) for pad in pads)
            if self.cuts_first and (left < 0 or (self.most is not None and max(pads) > left)):
                raise ShapeError(
                    f"padding {list(self.padding)} cuts an axis of {size} of its input "
                    f"{format_shape(x)} before it pads the other end, which leaves too little; cut less"
                )
            if self.most is not None and max(pads) > size + self.most:
                raise ShapeError(
                    f"a border of {max(pads)} is made of an axis of {size} of its input "
                    f"{format_shape(x)}; allowed: at most {size + self.most}"
                )
        out = tuple(size + sum(pads) for size, pads in zip(x[1:], self._each, strict=True))
        if min(out) < 1:
            raise ShapeError(
                f"padding {list(self.padding)} leaves nothing of {format_shape(x)}; cut less"
            )
        return (x[0], *out)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read(None, *(Window.sliding(1, padding=before) for before, _ in self._each))


class _CircularPad(_Pad, abstract=True):
    most = 0
    cuts_first = True


class _ConstantPad(_Pad, abstract=True):
    cuts_first = True


class _ReflectionPad(_Pad, abstract=True):
    most = -1


class _ReplicationPad(_Pad, abstract=True):
    pass


class _ZeroPad(_Pad, abstract=True):
    cuts_first = True


class CircularPad1d(_CircularPad):
    """(C, L) with a border of what lies at the other end."""

    axes = 1

    padding: Annotated[tuple[int, ...], *_border(1)]


class ConstantPad1d(_ConstantPad):
    """(C, L) with a border of ``value``."""

    axes = 1

    padding: Annotated[tuple[int, ...], *_border(1)]
    value: Number


class ReflectionPad1d(_ReflectionPad):
    """(C, L) with a border of its mirror image."""

    axes = 1

    padding: Annotated[tuple[int, ...], *_border(1)]


class ReplicationPad1d(_ReplicationPad):
    """(C, L) with a border of its outermost values."""

    axes = 1

    padding: Annotated[tuple[int, ...], *_border(1)]


class ZeroPad1d(_ZeroPad):
    """(C, L) with a border of zeros."""

    axes = 1

    padding: Annotated[tuple[int, ...], *_border(1)]


class CircularPad2d(_CircularPad):
    """(C, H, W) with a border of what lies at the other end."""

    axes = 2

    padding: Annotated[tuple[int, ...], *_border(2)]


class ConstantPad2d(_ConstantPad):
    """(C, H, W) with a border of ``value``."""

    axes = 2

    padding: Annotated[tuple[int, ...], *_border(2)]
    value: Number


class ReflectionPad2d(_ReflectionPad):
    """(C, H, W) with a border of its mirror image."""

    axes = 2

    padding: Annotated[tuple[int, ...], *_border(2)]


class ReplicationPad2d(_ReplicationPad):
    """(C, H, W) with a border of its outermost values."""

    axes = 2

    padding: Annotated[tuple[int, ...], *_border(2)]


class ZeroPad2d(_ZeroPad):
    """(C, H, W) with a border of zeros."""

    axes = 2

    padding: Annotated[tuple[int, ...], *_border(2)]


class CircularPad3d(_CircularPad):
    """(C, D, H, W) with a border of what lies at the other end."""

    axes = 3

    padding: Annotated[tuple[int, ...], *_border(3)]


class ConstantPad3d(_ConstantPad):
    """(C, D, H, W) with a border of ``value``."""

    axes = 3

    padding: Annotated[tuple[int, ...], *_border(3)]
    value: Number


class ReflectionPad3d(_ReflectionPad):
    """(C, D, H, W) with a border of its mirror image."""

    axes = 3

    padding: Annotated[tuple[int, ...], *_border(3)]


class ReplicationPad3d(_ReplicationPad):
    """(C, D, H, W) with a border of its outermost values."""

    axes = 3

    padding: Annotated[tuple[int, ...], *_border(3)]


class ZeroPad3d(_ZeroPad):
    """(C, D, H, W) with a border of zeros."""

    axes = 3

    padding: Annotated[tuple[int, ...], *_border(3)]
