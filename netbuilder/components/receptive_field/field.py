"""Which positions of the network's input a position sees, along all axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from math import prod

from netbuilder.components.receptive_field.window import MAX_PERIOD, Window
from netbuilder.components.shapes import Shape


@dataclass(frozen=True)
class ReceptiveField:
    """What one position sees of the network's input, an entry for each axis of the input.

    It counts from the first to the last pixel seen, as if the input went on beyond its borders, and
    is never less. It is exact for every kind of layer, except that it is an upper bound

    (a) where a pattern takes more than `MAX_PERIOD` positions to repeat, or more than `MAX_READS`
        steps to find out;
    (b) where one axis of the input is dealt out over several of the sample, as when a vector is
        unflattened into an image;
    (c) where the layer before sees nothing at all in places, as behind a transposed convolution
        that leaves holes;
    (d) where branches see an axis of the input along different axes of theirs, or are put behind
        one another where positions of several axes lie, or as channels that a later layer tells
        apart, as groups or Flatten do: all channels of a position count as one.

    Borders that repeat, mirror or wrap the input count as positions beyond it, not as what they
    repeat.

    Attributes:
        input: the sizes of the input's axes that have positions.
        axes: for each of them, the axis of the sample along which it is seen.
        windows: what the positions along that axis see of it.
    """

    input: tuple[int, ...]
    axes: tuple[int, ...]
    windows: tuple[Window, ...]

    @classmethod
    def of_input(cls, shape: Shape) -> ReceptiveField:
        """Each position of the input sees itself; the first axis of several holds channels."""
        axes = tuple(range(1, len(shape))) or (0,)
        return cls(tuple(shape[axis] for axis in axes), axes, (Window.sliding(1),) * len(axes))

    @property
    def size(self) -> tuple[int, ...]:
        """Input pixels from the first to the last that are seen."""
        return tuple(window.size for window in self.windows)

    @property
    def jump(self) -> tuple[int | Fraction, ...]:
        """Input pixels between what neighbours see; 0 if that is the same, or is in no order."""
        return tuple(window.jump for window in self.windows)

    def read(self, *windows: Window | None) -> ReceptiveField:
        """Behind a layer with these windows over the axes of its sample, channels first.

        ``size += (extent - 1) * jump; jump *= stride`` for each axis (Araujo, Norris and Sim,
        "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019), carried out
        position by position where windows differ. None stands for a position's own.
        """
        return self._with(
            seen if (outer := windows[axis]) is None else seen.through(outer)
            for axis, seen in zip(self.axes, self.windows, strict=True)
        )

    def read_whole(self, x: Shape, *axes: int) -> ReceptiveField:
        """Behind a layer whose every position reads all of some axes of the sample ``x``."""
        return self.read(*(Window.whole(n) if i in axes else None for i, n in enumerate(x)))

    def everything(self, x: Shape) -> ReceptiveField:
        """Behind a layer that reads the whole sample ``x`` at every position."""
        return self.read_whole(x, *range(len(x)))

    def since(self, channel: int) -> ReceptiveField:
        """Behind what leaves out the channels before ``channel``."""
        return self._with(
            seen.since(channel) if axis == 0 else seen
            for axis, seen in zip(self.axes, self.windows, strict=True)
        )

    def permuted(self, order: Sequence[int]) -> ReceptiveField:
        """Behind a layer whose output axis i is axis ``order[i]`` of its input."""
        return ReceptiveField(
            self.input, tuple(order.index(axis) for axis in self.axes), self.windows
        )

    def flattened(self, x: Shape, start: int, end: int) -> ReceptiveField:
        """Behind a layer that makes the axes ``start`` to ``end`` of ``x`` into one."""
        axes: list[int] = []
        windows: list[Window | None] = []
        for axis, seen in zip(self.axes, self.windows, strict=True):
            window: Window | None = seen
            if start <= axis <= end:
                size, inner = x[axis], prod(x[axis + 1 : end + 1])
                if prod(x[start:axis]) > 1:
                    window = seen.regrouped(partial(_index, size=size, inner=inner), size * inner)
                elif len(seen.first) * inner <= MAX_PERIOD:
                    spans = list(zip(seen.first, seen.last, strict=True))
                    repeated = [span for span in spans for _ in range(inner)]
                    window = Window.of(repeated, seen.shift)
                else:
                    window = None
            axes.append(start if start <= axis <= end else axis - max(0, min(axis, end) - start))
            windows.append(window)
        return ReceptiveField(self.input, tuple(axes), self.windows)._with(windows)

    def unflattened(self, x: Shape, axis: int, sizes: Shape) -> ReceptiveField:
        """Behind a layer that deals axis ``axis`` of ``x`` out over ``sizes``."""
        axes: list[int] = []
        windows: list[Window | None] = []
        for at, seen in zip(self.axes, self.windows, strict=True):
            if at != axis:
                axes.append(at if at < axis else at + len(sizes) - 1)
                windows.append(seen)
                continue
            part, window = _part(seen, sizes)
            axes.append(axis + part)
            windows.append(window)
        return ReceptiveField(self.input, tuple(axes), self.windows)._with(windows)

    def repeated(self, x: Shape, y: Shape) -> ReceptiveField:
        """Behind what repeats the single position of some axes of ``x`` along those of ``y``."""
        return self._with(
            Window.of([seen.at(0)], shift=0) if x[axis] == 1 < y[axis] else seen
            for axis, seen in zip(self.axes, self.windows, strict=True)
        )

    @classmethod
    def concatenated(
        cls, fields: Sequence[ReceptiveField], shapes: Sequence[Shape]
    ) -> ReceptiveField:
        """Behind what puts the channels of several branches behind one another."""
        together = reduce(lambda a, b: a.joined(b, shapes[0]), fields)
        windows = list(together.windows)
        for at, axes in enumerate(zip(*(field.axes for field in fields), strict=True)):
            if set(axes) == {0}:  # positions, not channels, as behind Flatten
                branches = [field.windows[at] for field in fields]
                counts = [shape[0] for shape in shapes]
                windows[at] = Window.concatenated(branches, counts) or Window.whole(
                    together.input[at]
                )
        return ReceptiveField(together.input, together.axes, tuple(windows))

    def joined(self, other: ReceptiveField, y: Shape) -> ReceptiveField:
        """Behind what joins two branches, position by position, into ``y``."""
        return self._with(
            seen.joined(also, y[axis], size) if axis == other_axis else None
            for size, axis, other_axis, seen, also in zip(
                self.input, self.axes, other.axes, self.windows, other.windows, strict=True
            )
        )

    def _with(self, windows: Iterable[Window | None]) -> ReceptiveField:
        known = tuple(
            Window.whole(size) if window is None else window
            for size, window in zip(self.input, windows, strict=True)
        )
        return ReceptiveField(self.input, self.axes, known)


def _index(position: int, size: int, inner: int) -> int:
    """Where a position of a flattened axis lies along one of those that it was made of."""
    return position // inner % size


def _part(seen: Window, sizes: Shape) -> tuple[int, Window | None]:
    """The one of ``sizes`` along which an axis is seen that is dealt out over them."""
    last = len(sizes) - 1
    if len(seen.first) == 1 and seen.shift == 0:
        return last, seen
    if prod(sizes) > MAX_PERIOD:
        return last, None
    spans = [seen.at(i) for i in range(prod(sizes))]
    for part, size in enumerate(sizes):
        inner = prod(sizes[part + 1 :])
        along = [spans[i * inner] for i in range(size)]
        if all(span == along[i // inner % size] for i, span in enumerate(spans)):
            return part, Window.table(along)
    return last, None
