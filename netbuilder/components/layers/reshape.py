"""Layers that move values and compute nothing."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, WithJsonSchema

from netbuilder._text import LARGEST
from netbuilder.components.component import validation_error
from netbuilder.components.fields import LIST_AS_TUPLE, Length, Pair, PairFromZero, Size
from netbuilder.components.layers.base import (
    Elementwise,
    Unparametrised,
    require_image,
    sample_axis,
)
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError


def _read_parts(value: object) -> object:
    if isinstance(value, list | tuple) and all(type(item) is int for item in value):
        if any(item < 1 and item != -1 for item in value) or list(value).count(-1) > 1:
            raise validation_error(
                "it takes sizes of at least 1, one of which may be -1: what is left"
            )
        return tuple(value)
    return value


class Flatten(Unparametrised):
    """The axes from ``start_dim`` to ``end_dim`` as one; torch counts the batch as axis 0."""

    start_dim: int = 1
    end_dim: int = -1

    def output_shape(self, x: Shape) -> Shape:
        first, last = sample_axis(self.start_dim, x), sample_axis(self.end_dim, x)
        if first > last:
            raise ShapeError(
                f"start_dim {self.start_dim} comes after end_dim {self.end_dim}; swap them"
            )
        return (*x[:first], prod(x[first : last + 1]), *x[last + 1 :])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.flattened(x, sample_axis(self.start_dim, x), sample_axis(self.end_dim, x))


class Identity(Elementwise):
    """Its input, unchanged."""


class ChannelShuffle(Unparametrised):
    """The channels of (C, H, W) dealt out over ``groups``."""

    groups: Size

    def output_shape(self, x: Shape) -> Shape:
        if len(x) < 2 or x[0] % self.groups:
            raise ShapeError(
                f"groups {self.groups} does not divide the channels of {format_shape(x)}; change one"
            )
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, 0)


class Unflatten(Unparametrised):
    """Axis ``dim`` dealt out over ``unflattened_size``, one of which may be -1: what is left."""

    dim: int
    unflattened_size: Annotated[
        tuple[int, ...],
        LIST_AS_TUPLE,
        Length(1, 4),
        BeforeValidator(_read_parts),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"type": "integer", "minimum": -1, "maximum": LARGEST},
                "minItems": 1,
                "maxItems": 4,
            }
        ),
    ]

    def _sizes(self, x: Shape) -> Shape:
        axis = sample_axis(self.dim, x)
        known = prod(size for size in self.unflattened_size if size > 0)
        rest = x[axis] // known
        sizes = tuple(rest if size == -1 else size for size in self.unflattened_size)
        if prod(sizes) != x[axis]:
            raise ShapeError(
                f"unflattened_size {list(self.unflattened_size)} does not make up the {x[axis]} "
                f"of axis {self.dim} of {format_shape(x)}; write one of them as -1"
            )
        return sizes

    def output_shape(self, x: Shape) -> Shape:
        axis = sample_axis(self.dim, x)
        return (*x[:axis], *self._sizes(x), *x[axis + 1 :])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.unflattened(x, sample_axis(self.dim, x), self._sizes(x))


class _Sliding(Unparametrised, abstract=True):
    """Windows of (C, H, W) laid behind one another, or put back."""

    if TYPE_CHECKING:  # each kind declares them, in torch's order
        kernel_size: tuple[int, ...]
        dilation: tuple[int, ...]
        padding: tuple[int, ...]
        stride: tuple[int, ...]

    def _positions(self, size: tuple[int, ...]) -> Shape:
        """How many windows fit along each axis of an image of ``size``."""
        return tuple(
            (n + 2 * pad - dilation * (kernel - 1) - 1) // step + 1
            for n, kernel, dilation, pad, step in zip(
                size, self.kernel_size, self.dilation, self.padding, self.stride, strict=True
            )
        )


class Unfold(_Sliding):
    """Windows of (C, H, W) as (C kh kw, L): the values of a window are channels."""

    kernel_size: Pair
    dilation: Pair = (1, 1)
    padding: PairFromZero = (0, 0)
    stride: Pair = (1, 1)

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        positions = self._positions(x[1:])
        if min(positions) < 1:
            raise ShapeError(
                f"kernel {format_shape(self.kernel_size)} is larger than its input {format_shape(x)}; "
                "use a smaller one"
            )
        return (x[0] * prod(self.kernel_size), prod(positions))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axes = zip(self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        gathered = field.read(Window.whole(x[0]), *(Window.sliding(*axis) for axis in axes))
        y = (self.output_shape(x)[0], *self._positions(x[1:]))
        return gathered.flattened(y, 1, 2)


class Fold(_Sliding):
    """(C kh kw, L) added up into (C, H, W) of ``output_size``: what Unfold laid out, put back."""

    output_size: Pair
    kernel_size: Pair
    dilation: Pair = (1, 1)
    padding: PairFromZero = (0, 0)
    stride: Pair = (1, 1)

    def output_shape(self, x: Shape) -> Shape:
        positions = self._positions(self.output_size)
        values = prod(self.kernel_size)
        if len(x) != 2 or x[0] % values or min(positions) < 1 or x[1] != prod(positions):
            raise ShapeError(
                f"windows {format_shape(self.kernel_size)} of {format_shape(self.output_size)} are a "
                f"multiple of {values} x {prod(map(abs, positions))}, found {format_shape(x)}"
            )
        return (x[0] // values, *self.output_size)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        sizes = self._positions(self.output_size)
        laid_out = field.unflattened(x, 1, sizes)
        axes = zip(sizes, self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        return laid_out.read(Window.whole(x[0]), *(Window.transposed(*axis) for axis in axes))
