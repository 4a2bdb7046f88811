"""Layers that rearrange values."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, WithJsonSchema

from netbuilder._text import LARGEST
from netbuilder.components.component import validation_error
from netbuilder.components.fields import LIST_AS_TUPLE, Length, Pair, PairFromZero, Size
from netbuilder.components.layers.base import (
    Elementwise,
    Unparametrized,
    require_image,
    sample_axis,
)
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError


def _check_sizes(value: object) -> object:
    """Check integer sizes; values of other types are left to the tuple's own validation."""
    if isinstance(value, list | tuple) and all(type(item) is int for item in value):
        if any(item < 1 and item != -1 for item in value) or list(value).count(-1) > 1:
            raise validation_error(
                f"found the list {list(value)}; allowed: sizes of at least 1, one of which may be "
                "-1, to be inferred"
            )
        return tuple(value)
    return value


class Flatten(Unparametrized):
    """Flattens the axes ``start_dim`` to ``end_dim``; the batch is axis 0."""

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
        return field.flatten(x, sample_axis(self.start_dim, x), sample_axis(self.end_dim, x))


class Identity(Elementwise):
    """Returns its input unchanged."""


class ChannelShuffle(Unparametrized):
    """Interleaves the channels of ``groups`` groups of (C, ...)."""

    groups: Size

    def output_shape(self, x: Shape) -> Shape:
        if len(x) < 2 or x[0] % self.groups:
            raise ShapeError(
                f"groups {self.groups} does not divide the channels of {format_shape(x)}; "
                "change one of the two"
            )
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read(Window.at_most_whole(x[0]), *(None for _ in x[1:]))


class Unflatten(Unparametrized):
    """Splits axis ``dim`` into ``unflattened_size``, where one size may be -1, to be inferred."""

    dim: int
    unflattened_size: Annotated[
        tuple[int, ...],
        LIST_AS_TUPLE,
        Length(1, 4),
        BeforeValidator(_check_sizes),
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
        inferred = x[axis] // known
        sizes = tuple(inferred if size == -1 else size for size in self.unflattened_size)
        if prod(sizes) != x[axis]:
            first, *rest = self.unflattened_size
            right = [-1, *(rest if -1 not in rest and x[axis] % prod(rest) == 0 else [])]
            if first > 0 and x[axis] % first == 0 and len(right) == 1:
                right = [first, -1]
            raise ShapeError(
                f"unflattened_size {list(self.unflattened_size)} does not multiply to {x[axis]}, "
                f"the size of axis {self.dim} of {format_shape(x)}; write {right}, where -1 is "
                "inferred, or other sizes"
            )
        return sizes

    def output_shape(self, x: Shape) -> Shape:
        axis = sample_axis(self.dim, x)
        return (*x[:axis], *self._sizes(x), *x[axis + 1 :])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.unflatten(sample_axis(self.dim, x), self._sizes(x))


class _Sliding(Unparametrized, abstract=True):
    """Extraction of sliding windows from (C, H, W), or its reverse."""

    if TYPE_CHECKING:  # each kind declares them, in torch's order
        kernel_size: tuple[int, ...]
        dilation: tuple[int, ...]
        padding: tuple[int, ...]
        stride: tuple[int, ...]

    def _positions(self, size: tuple[int, ...]) -> Shape:
        """Return the number of windows along each axis of an image of ``size``."""
        return tuple(
            (n + 2 * pad - dilation * (kernel - 1) - 1) // step + 1
            for n, kernel, dilation, pad, step in zip(
                size, self.kernel_size, self.dilation, self.padding, self.stride, strict=True
            )
        )


class Unfold(_Sliding):
    """Extracts sliding windows from (C, H, W) to (C kh kw, L), where L counts the windows."""

    kernel_size: Pair
    dilation: Pair = (1, 1)
    padding: PairFromZero = (0, 0)
    stride: Pair = (1, 1)

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        positions = self._positions(x[1:])
        if min(positions) < 1:
            raise ShapeError(
                f"kernel {format_shape(self.kernel_size)} is larger than its input "
                f"{format_shape(x)}; use a smaller kernel"
            )
        return (x[0] * prod(self.kernel_size), prod(positions))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axes = zip(self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        windows = (Window.sliding(*axis) for axis in axes)
        y = (self.output_shape(x)[0], *self._positions(x[1:]))
        read = field.per_channel().read(Window.at_most_whole(x[0]), *windows)
        return read.distinct_channels().flatten(y, 1, 2)


class Fold(_Sliding):
    """Adds up windows (C kh kw, L) at their positions in (C, H, W) of ``output_size``."""

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
                f"found {format_shape(x)}; allowed: a multiple of {values} channels x "
                f"{prod(map(abs, positions))} windows {format_shape(self.kernel_size)} of "
                f"{format_shape(self.output_size)}"
            )
        return (x[0] // values, *self.output_size)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        sizes = self._positions(self.output_size)
        windows = field.per_channel().unflatten(1, sizes).sized((x[0], *sizes))
        axes = zip(sizes, self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        return windows.read(
            Window.at_most_whole(x[0]), *(Window.transposed(*axis) for axis in axes)
        )
