"""Receptive fields over all axes: which pixels of the network's input a position depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from math import prod

from netbuilder.components.receptive_field.budget import spend
from netbuilder.components.receptive_field.window import MAX_PERIOD, Window
from netbuilder.components.shapes import Shape


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of each position of a sample, with an entry per axis of the input.

    It spans from the first to the last input pixel that a position depends on, as if the input
    continued beyond its borders. Borders that are reflected, replicated or circular count as
    positions outside the input. It is never too small. It is exact for every kind of layer, except
    for these cases, where it is an upper bound:

    (a) a pattern that takes more than `MAX_PERIOD` positions to repeat, or more than `MAX_READS`
        lookups to compute;
    (b) an axis of the input that is split into several axes of the sample, as when a vector is
        unflattened into an image;
    (c) a layer that depends on nothing at some positions, such as a transposed convolution that
        leaves holes;
    (d) branches in which an axis of the input lies along different axes, or that are concatenated
        along an axis that holds positions of several axes, or along channels that a later layer
        treats differently, such as groups or Flatten: all channels of a position count as one.

    Attributes:
        input: The sizes of the input axes that have positions.
        axes: For each of them, the axis of the sample along which it lies.
        windows: For each of them, the window along that axis.
    """

    input: tuple[int, ...]
    axes: tuple[int, ...]
    windows: tuple[Window, ...]

    @classmethod
    def of_input(cls, shape: Shape) -> ReceptiveField:
        """Return the field of the input: each position depends on itself.

        The first axis of several holds channels, which are not positions.
        """
        axes = tuple(range(1, len(shape))) or (0,)
        return cls(tuple(shape[axis] for axis in axes), axes, (Window.sliding(1),) * len(axes))

    @property
    def size(self) -> tuple[int, ...]:
        """The width of the field in input pixels, for each axis."""
        return tuple(window.size for window in self.windows)

    @property
    def jump(self) -> tuple[int | Fraction, ...]:
        """The distance in input pixels between the fields of adjacent positions, for each axis.

        It is 0 if adjacent positions share a field or their fields are in no order.
        """
        return tuple(window.jump for window in self.windows)

    def read(self, *windows: Window | None) -> ReceptiveField:
        """Return the field after a layer with these windows over the axes of its sample.

        ``size += (extent - 1) * jump; jump *= stride`` for each axis (Araujo, Norris and Sim,
        "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019), computed
        position by position where the windows vary.

        Args:
            windows: One per axis of the sample, channels first; None for an axis along which each
                position reads itself.
        """
        return self._with_windows(
            inner if (outer := windows[axis]) is None else inner.compose(outer)
            for axis, inner in zip(self.axes, self.windows, strict=True)
        )

    def read_whole(self, x: Shape, *axes: int) -> ReceptiveField:
        """Return the field after a layer that reads all of some axes of the sample ``x``."""
        return self.read(*(Window.whole(n) if i in axes else None for i, n in enumerate(x)))

    def read_all(self, x: Shape) -> ReceptiveField:
        """Return the field after a layer whose every position reads the whole sample ``x``."""
        return self.read_whole(x, *range(len(x)))

    def skip_channels(self, count: int) -> ReceptiveField:
        """Return the field without the first ``count`` channels."""
        return self._with_windows(
            window.skip(count) if axis == 0 else window
            for axis, window in zip(self.axes, self.windows, strict=True)
        )

    def permute(self, order: Sequence[int]) -> ReceptiveField:
        """Return the field after a layer whose output axis i is its input axis ``order[i]``."""
        return ReceptiveField(
            self.input, tuple(order.index(axis) for axis in self.axes), self.windows
        )

    def flatten(self, x: Shape, start: int, end: int) -> ReceptiveField:
        """Return the field after a layer that flattens the axes ``start`` to ``end`` of ``x``."""
        axes: list[int] = []
        windows: list[Window | None] = []
        for axis, window in zip(self.axes, self.windows, strict=True):
            if start <= axis <= end:
                axes.append(start)
                windows.append(_flatten_window(window, x[start : end + 1], axis - start))
            else:
                axes.append(axis if axis < start else axis - (end - start))
                windows.append(window)
        return ReceptiveField(self.input, tuple(axes), self.windows)._with_windows(windows)

    def unflatten(self, axis: int, sizes: Shape) -> ReceptiveField:
        """Return the field after a layer that splits ``axis`` into axes of ``sizes``."""
        axes: list[int] = []
        windows: list[Window | None] = []
        for position, window in zip(self.axes, self.windows, strict=True):
            if position == axis:
                offset, part = _unflatten_window(window, sizes)
                axes.append(axis + offset)
                windows.append(part)
            else:
                axes.append(position if position < axis else position + len(sizes) - 1)
                windows.append(window)
        return ReceptiveField(self.input, tuple(axes), self.windows)._with_windows(windows)

    def broadcast(self, x: Shape, y: Shape) -> ReceptiveField:
        """Return the field after the axes of size 1 in ``x`` are broadcast to the shape ``y``."""
        return self._with_windows(
            Window.from_spans([window.span_at(0)], stride=0) if x[axis] == 1 < y[axis] else window
            for axis, window in zip(self.axes, self.windows, strict=True)
        )

    @classmethod
    def concatenate(
        cls, fields: Sequence[ReceptiveField], shapes: Sequence[Shape]
    ) -> ReceptiveField:
        """Return the field after branches are concatenated along their channels."""
        merged = reduce(lambda a, b: a.merge(b, shapes[0]), fields)
        windows = list(merged.windows)
        for i, axes in enumerate(zip(*(field.axes for field in fields), strict=True)):
            if set(axes) == {0}:  # axis 0 holds positions, as after Flatten
                branches = [field.windows[i] for field in fields]
                counts = [shape[0] for shape in shapes]
                concatenation = Window.concatenate(branches, counts)
                windows[i] = concatenation or Window.whole(merged.input[i])
        return ReceptiveField(merged.input, merged.axes, tuple(windows))

    def merge(self, other: ReceptiveField, y: Shape) -> ReceptiveField:
        """Return the field after two branches are combined elementwise into the shape ``y``."""
        return self._with_windows(
            window.merge(other_window, y[axis], size) if axis == other_axis else None
            for size, axis, other_axis, window, other_window in zip(
                self.input, self.axes, other.axes, self.windows, other.windows, strict=True
            )
        )

    def _with_windows(self, windows: Iterable[Window | None]) -> ReceptiveField:
        """Return the field with other windows; None stands for one that reads the whole axis."""
        bounds = tuple(
            Window.whole(size) if window is None else window
            for size, window in zip(self.input, windows, strict=True)
        )
        return ReceptiveField(self.input, self.axes, bounds)


def _flatten_window(window: Window, sizes: Shape, axis: int) -> Window | None:
    """Return a window along ``axis`` of ``sizes`` as one along their flattened axis."""
    size, inner = sizes[axis], prod(sizes[axis + 1 :])
    if prod(sizes[:axis]) > 1:
        return window.reindex(partial(_axis_index, size=size, inner=inner), size * inner)
    if window.period * inner > MAX_PERIOD:
        return None
    spend(window.period * inner)
    spans = [window.span_at(i // inner) for i in range(window.period * inner)]
    return Window.from_spans(spans, window.stride)


def _axis_index(position: int, size: int, inner: int) -> int:
    """Return the index along an axis of ``size`` that a position of the flattened axis has.

    ``inner`` is the product of the sizes of the axes after it.
    """
    return position // inner % size


def _unflatten_window(window: Window, sizes: Shape) -> tuple[int, Window | None]:
    """Return the one of the axes ``sizes`` along which the window of a split axis varies.

    The window is None if it varies along several of them.
    """
    last_axis = len(sizes) - 1
    if window.period == 1 and window.stride == 0:
        return last_axis, window
    if prod(sizes) > MAX_PERIOD:
        return last_axis, None
    spend(prod(sizes) * (1 + len(sizes)))
    spans = [window.span_at(i) for i in range(prod(sizes))]
    for axis, size in enumerate(sizes):
        inner = prod(sizes[axis + 1 :])
        along = [spans[i * inner] for i in range(size)]
        if all(span == along[_axis_index(i, size, inner)] for i, span in enumerate(spans)):
            return axis, Window.extrapolated(along)
    return last_axis, None
