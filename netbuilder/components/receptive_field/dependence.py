"""What the positions of a sample depend on: upper and lower bounds, borders and holes counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import prod

from netbuilder.components.receptive_field.reads import NOTHING, Reader, Reads
from netbuilder.components.receptive_field.window import MAX_PERIOD, Border, Window
from netbuilder.components.shapes import Shape

Axes = tuple[int, ...]
"""For each axis of the input, the axis of the sample along which it lies."""


@dataclass(frozen=True)
class Coverage:
    """What one output position, and all of them together, read of the input, per axis.

    Attributes:
        position: The most positions that one output position reads; None if unknown.
        together: The positions that at least one output position reads; None if unknown.
        holes: Whether some output position skips positions between those that it reads.
        whole: Whether one output position depends on the whole input.
    """

    position: tuple[int, ...] | None
    together: tuple[int, ...] | None
    holes: tuple[bool, ...]
    whole: bool


@dataclass(frozen=True)
class Pending:
    """Sets of an axis whose number of positions is not yet known."""

    reads: Reads
    window: Window
    size: int


AxisReads = Reads | Pending | None
"""The sets along one axis of the input; None if they are unknown."""


@dataclass(frozen=True)
class Dependence:
    """The input positions that each position of a sample depends on, as a box of sets per axis.

    Attributes:
        input: The sizes of the input axes.
        most: An upper bound: along no axis does a position depend on others.
        least: A lower bound: a position, all of its channels together, depends on this box.
        channel: A lower bound for each of its channels, which differ after a concatenation.
        shape: The shape of the sample; None after a layer whose output shape is not yet set.
        border: What borders on the way were copied from; circular if some were.
        reader: What computes the sets.
    """

    input: tuple[int, ...]
    most: tuple[AxisReads, ...]
    least: tuple[AxisReads, ...]
    channel: tuple[AxisReads, ...]
    shape: Shape | None
    border: Border
    reader: Reader = field(compare=False, repr=False)

    @classmethod
    def of_input(cls, axes: Axes, shape: Shape) -> Dependence:
        """Return that of the input, where each position depends on itself."""
        reader, sizes = Reader(), tuple(shape[axis] for axis in axes)
        identities = {size: reader.identity(size) for size in set(sizes)}
        most = tuple(identities[size] for size in sizes)
        return cls(sizes, most, most, most, shape, "", reader)

    # --- what layers do ---------------------------------------------------------------------------

    def sized(self, axes: Axes, y: Shape) -> Dependence:
        """Return it for a sample of shape ``y``."""
        if self.shape == y:
            return self
        sized = self._map(lambda i, reads: self._resolve(reads, y[axes[i]]))
        return Dependence(
            self.input, sized.most, sized.least, sized.channel, y, self.border, self.reader
        )

    def read(self, axes: Axes, windows: Sequence[Window | None]) -> Dependence:
        """Return it after a layer with these windows over the axes of its sample."""
        first = windows[0]
        mixes = first is not None and not first.least and _whole_size(first) is not None

        def read(i: int, reads: AxisReads) -> AxisReads:
            window = windows[axes[i]]
            return reads if window is None else self._read(reads, window, axes[i])

        def read_least(i: int, reads: AxisReads) -> AxisReads:
            window = windows[axes[i]]
            if window is None:
                return reads
            if axes.count(axes[i]) > 1 and not self._is_box(axes, axes[i], window):
                return NOTHING
            return self._read(reads, window.least or window, axes[i])

        most = tuple(read(i, reads) for i, reads in enumerate(self.most))
        differ = len(set(axes)) < len(axes) or any(w is not None and w.least for w in windows)
        if self.least is self.most and not differ:
            least = most
        else:
            least = tuple(read_least(i, reads) for i, reads in enumerate(self.least))
        if mixes or self.channel is self.least:
            channel = least
        else:
            channel = tuple(read_least(i, reads) for i, reads in enumerate(self.channel))
        keeps_shape = all(window is None for window in windows)
        shape = self.shape if keeps_shape else None
        border = self.border
        for window in windows:
            if window is not None:
                border = _stronger(border, window.border)
        return Dependence(self.input, most, least, channel, shape, border, self.reader)

    def per_channel(self) -> Dependence:
        """Return it before a layer whose positions read some channels of a position only."""
        return replace(self, least=self.channel)

    def distinct_channels(self) -> Dependence:
        """Return it after a layer whose channels each read another part of the box."""
        return replace(self, channel=(NOTHING,) * len(self.input))

    def skip_channels(self, axes: Axes, count: int) -> Dependence:
        """Return it without the first ``count`` channels."""
        shape = self.shape and (self.shape[0] - count, *self.shape[1:])

        def skip(i: int, reads: AxisReads) -> AxisReads:
            if axes[i] != 0:
                return reads
            if not isinstance(reads, Reads) or not shape:
                return None
            return self.reader.pick(reads, range(count, count + shape[0]))

        return replace(self.per_channel()._map(skip), shape=shape)

    def permute(self, order: Sequence[int]) -> Dependence:
        """Return it after a layer whose output axis i is its input axis ``order[i]``."""
        shape = None if self.shape is None else tuple(self.shape[axis] for axis in order)
        return replace(self if order[0] == 0 else self.per_channel(), shape=shape)

    def flatten(self, axes: Axes, x: Shape, start: int, end: int) -> Dependence:
        """Return it after the axes ``start`` to ``end`` of a sample ``x`` are flattened."""

        def flatten(i: int, reads: AxisReads) -> AxisReads:
            axis = axes[i]
            if not start <= axis <= end or not isinstance(reads, Reads) or len(reads.masks) == 1:
                return reads
            if x[axis] % (reads.inner * len(reads.masks)):
                return None
            return Reads(reads.masks, reads.inner * prod(x[axis + 1 : end + 1]))

        base = self.sized(axes, x)
        base = base.per_channel() if start == 0 < end else base
        return replace(base._map(flatten), shape=None)

    def unflatten(self, axes: Axes, axis: int, sizes: Shape, parts: Sequence[int]) -> Dependence:
        """Return it after ``axis`` is split into ``sizes``.

        Args:
            axes: The axes before.
            axis: The axis of the sample that is split.
            sizes: The sizes of its parts.
            parts: For each axis of the input, the part along which it then lies.
        """
        count = prod(sizes)

        def unflatten(i: int, reads: AxisReads) -> AxisReads:
            reads = self._resolve(reads, count) if axes[i] == axis else reads
            if axes[i] != axis or not isinstance(reads, Reads) or len(reads.masks) == 1:
                return reads
            if count > MAX_PERIOD:
                return None
            part = parts[i]
            inner, size = prod(sizes[part + 1 :]), sizes[part]
            along = Reads(tuple(reads.at(k * inner) for k in range(size)), inner)
            return Reads(along.masks) if along.listed(count) == reads.listed(count) else None

        base = self.per_channel() if axis == 0 else self
        return replace(base._map(unflatten), shape=None)

    def broadcast(self, axes: Axes, x: Shape, y: Shape) -> Dependence:
        """Return it after axes of size 1 in ``x`` are broadcast to the shape ``y``."""

        def broadcast(i: int, reads: AxisReads) -> AxisReads:
            if not isinstance(reads, Reads) or not x[axes[i]] == 1 < y[axes[i]]:
                return reads
            return Reads((reads.at(0),))

        return replace(self.sized(axes, x)._map(broadcast), shape=y)

    def merge(
        self, other: Dependence, axes: Axes, other_axes: Axes, y: Shape, concatenates: bool = False
    ) -> Dependence:
        """Return it after two branches are combined at each position of a sample ``y``."""
        mine, theirs = self.sized(axes, y), other.sized(other_axes, y)
        mine = replace(mine, border=_stronger(self.border, other.border))
        most = tuple(
            self._union(a, b, y[axis]) if axis == other_axis else _everything(size)
            for a, b, axis, other_axis, size in zip(
                mine.most, theirs.most, axes, other_axes, self.input, strict=True
            )
        )
        if axes != other_axes:
            return replace(mine, most=most)
        least = self._larger(mine.least, theirs.least, axes, y)
        if not concatenates:
            channel = self._larger(mine.channel, theirs.channel, axes, y)
        elif mine.channel == theirs.channel:
            channel = mine.channel
        else:
            channel = self._smaller(mine.channel, theirs.channel, axes, y)
        return replace(mine, most=most, least=least, channel=channel)

    def concatenate(
        self, others: Sequence[Dependence], axes: Axes, shapes: Sequence[Shape]
    ) -> Dependence:
        """Return it after branches are laid end to end along an axis that holds positions."""
        branches = [self, *others]
        counts = [shape[0] for shape in shapes]

        def join(families: Sequence[tuple[AxisReads, ...]]) -> tuple[AxisReads, ...]:
            return tuple(self._joined(parts, counts) for parts in zip(*families, strict=True))

        sized = [branch.sized(axes, shape) for branch, shape in zip(branches, shapes, strict=True)]
        most = join([branch.most for branch in sized])
        least = join([branch.least for branch in sized])
        border = reduce(_stronger, (branch.border for branch in branches))
        shape = (sum(counts), *shapes[0][1:])
        return replace(self, most=most, least=least, channel=least, shape=shape, border=border)

    # --- what is known ----------------------------------------------------------------------------

    def mirrored_size(self) -> tuple[int, ...]:
        """Return how wide one position reads where borders are reflected or replicated; else 0.

        A border reads what lies inside, where windows may be wider than those that would follow.
        """
        if not self.border or self.border == "circular":
            return (0,) * len(self.input)
        return tuple(r.widest if isinstance(r, Reads) else 0 for r in self.most)

    def coverage(self, axes: Axes, y: Shape) -> Coverage:
        """Return what positions of a sample ``y`` read of the input."""
        sized = self.sized(axes, y)
        most, known = sized.most, [reads for reads in sized.most if isinstance(reads, Reads)]
        if not all(reads.union for reads in known):
            known = [NOTHING] * len(most)  # a box without extent along one axis is empty
            most = tuple(known)
        all_known = len(known) == len(most)
        return Coverage(
            position=tuple(reads.most for reads in known) if all_known else None,
            together=tuple(reads.union.bit_count() for reads in known) if all_known else None,
            holes=tuple(isinstance(reads, Reads) and reads.has_holes for reads in most),
            whole=sized._has_whole(axes, y),
        )

    def _has_whole(self, axes: Axes, y: Shape) -> bool:
        full = [(1 << size) - 1 for size in self.input]
        for axis in set(axes):
            group = [i for i in range(len(axes)) if axes[i] == axis]
            sets = [reads for i in group if isinstance(reads := self.least[i], Reads)]
            if len(sets) < len(group):
                return False
            masks = [full[i] for i in group]
            if not all(mask in reads.masks for mask, reads in zip(masks, sets, strict=True)):
                return False
            if len(group) > 1 and not self.reader.covers_pairs(sets, y[axis]):
                rows = zip(*(reads.listed(y[axis]) for reads in sets), strict=True)
                if tuple(masks) not in rows:
                    return False
        return True

    # --- helpers ----------------------------------------------------------------------------------

    def _map(self, change: Callable[[int, AxisReads], AxisReads]) -> Dependence:
        """Return it with other sets; those that are shared stay shared."""

        def family(sets: tuple[AxisReads, ...]) -> tuple[AxisReads, ...]:
            return tuple(change(i, reads) for i, reads in enumerate(sets))

        most = family(self.most)
        least = most if self.least is self.most else family(self.least)
        channel = least if self.channel is self.least else family(self.channel)
        return Dependence(self.input, most, least, channel, self.shape, self.border, self.reader)

    def _resolve(self, reads: AxisReads, count: int) -> AxisReads:
        if isinstance(reads, Pending):
            return self.reader.read(reads.reads, reads.window, reads.size, count)
        return reads

    def _read(self, reads: AxisReads, window: Window, axis: int) -> AxisReads:
        """Return sets after a window; pending if they depend on the number of positions."""
        size = _whole_size(window) or (self.shape[axis] if self.shape else None)
        if isinstance(reads, Pending) and size:
            reads = self._resolve(reads, size)
        if not isinstance(reads, Reads) or not size:
            return None
        if _whole_size(window):
            return self.reader.whole(reads)
        return Pending(reads, window, size)

    def _is_box(self, axes: Axes, axis: int, window: Window) -> bool:
        """Whether what a window reads of several input axes along one axis is a box."""
        size = _whole_size(window.least or window)
        sets = [
            self._resolve(reads, size or 0) for i, reads in enumerate(self.least) if axes[i] == axis
        ]
        known = [reads for reads in sets if isinstance(reads, Reads)]
        if len(known) < len(sets):
            return False
        varying = [reads for reads in known if len(reads.masks) > 1]
        return not varying or bool(size and self.reader.covers_pairs(known, size))

    def _union(self, a: AxisReads, b: AxisReads, count: int) -> AxisReads:
        if not isinstance(a, Reads) or not isinstance(b, Reads):
            return None
        return self.reader.merge(a, b, count)

    def _larger(
        self, a: tuple[AxisReads, ...], b: tuple[AxisReads, ...], axes: Axes, y: Shape
    ) -> tuple[AxisReads, ...]:
        """Return a box inside the union of two boxes, the union itself if that is a box."""
        if a == b or any(reads is None for reads in b):
            return a
        if any(reads is None for reads in a):
            return b
        differing = [i for i in range(len(a)) if a[i] != b[i]]
        if len(differing) == 1:
            [i] = differing
            union = self._union(a[i], b[i], y[axes[i]])
            return (*a[:i], union, *a[i + 1 :]) if union else a
        unions = tuple(self._union(a[i], b[i], y[axis]) for i, axis in enumerate(axes))
        if unions in (a, b):
            return unions
        return max(a, b, key=lambda sets: prod(r.most for r in sets if isinstance(r, Reads)))

    def _smaller(
        self, a: tuple[AxisReads, ...], b: tuple[AxisReads, ...], axes: Axes, y: Shape
    ) -> tuple[AxisReads, ...]:
        """Return the intersection of two boxes."""
        return tuple(
            self.reader.intersect(mine, theirs, y[axis])
            if isinstance(mine, Reads) and isinstance(theirs, Reads)
            else None
            for mine, theirs, axis in zip(a, b, axes, strict=True)
        )

    def _joined(self, parts: Sequence[AxisReads], counts: Sequence[int]) -> AxisReads:
        known = [reads for reads in parts if isinstance(reads, Reads)]
        if len(known) < len(parts):
            return None
        return self.reader.concatenate(known, counts)


def _stronger(a: Border, b: Border) -> Border:
    """Return the border of two that says more about what is read."""
    return a if a == "circular" or not b else b


def _whole_size(window: Window) -> int | None:
    """Return the size of the axis that a window reads wholly at every position; None if not."""
    if window.period == 1 and window.stride == 0 and window.dilation == 1 and window.first[0] == 0:
        return window.last[0] + 1 or None
    return None


def _everything(size: int) -> Reads:
    """Return the sets of positions that may read the whole axis."""
    return Reads(((1 << size) - 1,))
