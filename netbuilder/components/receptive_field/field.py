"""Receptive fields over all axes: which pixels of the network's input a position depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial, reduce
from math import prod

from netbuilder.components.receptive_field.budget import spend
from netbuilder.components.receptive_field.dependence import Coverage, Dependence
from netbuilder.components.receptive_field.window import MAX_PERIOD, Window
from netbuilder.components.shapes import Shape


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of each position of a sample, with an entry per axis of the input.

    It spans from the first to the last input pixel that a position depends on, as if the input
    continued beyond its borders. Borders that are reflected, replicated or circular count as
    positions outside the input, unless a reflected or replicated position reads more than that
    position would. It is never too small, except after circular borders. It is exact for every kind
    of layer, except for these cases, where it is an upper bound:

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
        dependence: What the positions read, borders and holes counted; None if unknown.
    """

    input: tuple[int, ...]
    axes: tuple[int, ...]
    windows: tuple[Window, ...]
    dependence: Dependence | None = dataclasses.field(default=None, compare=False, repr=False)

    @classmethod
    def of_input(cls, shape: Shape) -> ReceptiveField:
        """Return the field of the input: each position depends on itself.

        The first axis of several holds channels, which are not positions.
        """
        axes = tuple(range(1, len(shape))) or (0,)
        windows = (Window.sliding(1),) * len(axes)
        dependence = Dependence.of_input(axes, shape)
        return cls(dependence.input, axes, windows, dependence)

    @property
    def size(self) -> tuple[int, ...]:
        """The width of the field in input pixels, for each axis."""
        size = tuple(window.size for window in self.windows)
        if self.dependence is None or not self.dependence.border:
            return size
        return tuple(map(max, size, self.dependence.mirrored_size()))

    @property
    def jump(self) -> tuple[int | Fraction, ...]:
        """The distance in input pixels between the fields of adjacent positions, for each axis.

        It is 0 if adjacent positions share a field or their fields are in no order.
        """
        return tuple(window.jump for window in self.windows)

    def coverage(self, y: Shape) -> Coverage:
        """Return what the positions of a sample ``y`` read of the input, alone and together."""
        if self.dependence is None:
            return Coverage(None, None, (False,) * len(self.input), whole=False)
        return self.dependence.coverage(self.axes, y)

    def sized(self, y: Shape) -> ReceptiveField:
        """Return the field of a sample of shape ``y``.

        What positions read along an axis depends on their number. A layer that applies several of
        these methods one after the other sets the shapes between them; the shape of its output is
        set by the analysis.
        """
        if self.dependence is None or self.dependence.shape == y:
            return self
        return self._with_dependence(lambda d: d.sized(self.axes, y))

    def per_channel(self) -> ReceptiveField:
        """Return the field before a layer that deals the channels of a position out.

        After a concatenation, channels depend on different positions of the input.
        """
        return self._with_dependence(Dependence.per_channel)

    def distinct_channels(self) -> ReceptiveField:
        """Return the field after a layer whose channels each read another part of the field."""
        return self._with_dependence(Dependence.distinct_channels)

    def read(self, *windows: Window | None) -> ReceptiveField:
        """Return the field after a layer with these windows over the axes of its sample.

        ``size += (extent - 1) * jump; jump *= stride`` for each axis (Araujo, Norris and Sim,
        "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019), computed
        position by position where the windows vary.

        Args:
            windows: One per axis of the sample, channels first; None for an axis along which each
                position reads itself.
        """
        composed = self._with_windows(
            inner if (outer := windows[axis]) is None else inner.compose(outer)
            for axis, inner in zip(self.axes, self.windows, strict=True)
        )
        return composed._with_dependence(lambda d: d.read(self.axes, windows))

    def read_whole(self, x: Shape, *axes: int) -> ReceptiveField:
        """Return the field after a layer that reads all of some axes of the sample ``x``."""
        return self.read(*(Window.whole(n) if i in axes else None for i, n in enumerate(x)))

    def read_all(self, x: Shape) -> ReceptiveField:
        """Return the field after a layer whose every position reads the whole sample ``x``."""
        return self.read_whole(x, *range(len(x)))

    def skip_channels(self, count: int) -> ReceptiveField:
        """Return the field without the first ``count`` channels."""
        skipped = self._with_windows(
            window.skip(count) if axis == 0 else window
            for axis, window in zip(self.axes, self.windows, strict=True)
        )
        return skipped._with_dependence(lambda d: d.skip_channels(self.axes, count))

    def permute(self, order: Sequence[int]) -> ReceptiveField:
        """Return the field after a layer whose output axis i is its input axis ``order[i]``."""
        axes = tuple(order.index(axis) for axis in self.axes)
        permuted = ReceptiveField(self.input, axes, self.windows, self.dependence)
        return permuted._with_dependence(lambda d: d.permute(order))

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
        flat = ReceptiveField(self.input, tuple(axes), self.windows, self.dependence)
        return flat._with_windows(windows)._with_dependence(
            lambda d: d.flatten(self.axes, x, start, end)
        )

    def unflatten(self, axis: int, sizes: Shape) -> ReceptiveField:
        """Return the field after a layer that splits ``axis`` into axes of ``sizes``."""
        axes: list[int] = []
        windows: list[Window | None] = []
        parts: list[int] = []
        for position, window in zip(self.axes, self.windows, strict=True):
            offset = 0
            if position == axis:
                offset, part = _unflatten_window(window, sizes)
                axes.append(axis + offset)
                windows.append(part)
            else:
                axes.append(position if position < axis else position + len(sizes) - 1)
                windows.append(window)
            parts.append(offset)
        split = ReceptiveField(self.input, tuple(axes), self.windows, self.dependence)
        return split._with_windows(windows)._with_dependence(
            lambda d: d.unflatten(self.axes, axis, sizes, parts)
        )

    def broadcast(self, x: Shape, y: Shape) -> ReceptiveField:
        """Return the field after the axes of size 1 in ``x`` are broadcast to the shape ``y``."""
        spread = self._with_windows(
            Window.from_spans([window.span_at(0)], stride=0) if x[axis] == 1 < y[axis] else window
            for axis, window in zip(self.axes, self.windows, strict=True)
        )
        return spread._with_dependence(lambda d: d.broadcast(self.axes, x, y))

    @classmethod
    def concatenate(
        cls, fields: Sequence[ReceptiveField], shapes: Sequence[Shape]
    ) -> ReceptiveField:
        """Return the field after branches are concatenated along their channels."""
        merged = reduce(lambda a, b: a.merge(b, shapes[0], concatenates=True), fields)
        windows = list(merged.windows)
        for i, axes in enumerate(zip(*(field.axes for field in fields), strict=True)):
            if set(axes) == {0}:  # axis 0 holds positions, as after Flatten
                branches = [field.windows[i] for field in fields]
                counts = [shape[0] for shape in shapes]
                concatenation = Window.concatenate(branches, counts)
                windows[i] = concatenation or Window.whole(merged.input[i])
        y = (sum(shape[0] for shape in shapes), *shapes[0][1:])
        result = ReceptiveField(merged.input, merged.axes, tuple(windows), merged.dependence)
        if all(0 not in field.axes for field in fields):
            return result._with_dependence(lambda d: replace(d, shape=y))
        known = [field.dependence for field in fields if field.dependence]
        if len(known) < len(fields) or any(set(field.axes) != {0} for field in fields):
            return replace(result, dependence=None)
        joined = known[0].concatenate(known[1:], fields[0].axes, shapes)
        return replace(result, dependence=joined)

    def merge(self, other: ReceptiveField, y: Shape, concatenates: bool = False) -> ReceptiveField:
        """Return the field after two branches are combined into the shape ``y``.

        Args:
            other: The field of the other branch.
            y: The shape of both branches.
            concatenates: Whether they are laid end to end along their channels, and not combined
                elementwise.
        """
        merged = self._with_windows(
            window.merge(other_window, y[axis], size) if axis == other_axis else None
            for size, axis, other_axis, window, other_window in zip(
                self.input, self.axes, other.axes, self.windows, other.windows, strict=True
            )
        )
        if other.dependence is None:
            return replace(merged, dependence=None)
        theirs = other.dependence
        return merged._with_dependence(
            lambda d: d.merge(theirs, self.axes, other.axes, y, concatenates)
        )

    def _with_dependence(self, change: Callable[[Dependence], Dependence]) -> ReceptiveField:
        """Return the field with another dependence, where it is known."""
        if self.dependence is None:
            return self
        return ReceptiveField(self.input, self.axes, self.windows, change(self.dependence))

    def _with_windows(self, windows: Iterable[Window | None]) -> ReceptiveField:
        """Return the field with other windows; None stands for one that reads the whole axis."""
        bounds = tuple(
            Window.whole(size) if window is None else window
            for size, window in zip(self.input, windows, strict=True)
        )
        return ReceptiveField(self.input, self.axes, bounds, self.dependence)


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
