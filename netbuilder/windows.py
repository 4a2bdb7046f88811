"""Which positions of the input a position sees: windows along one axis, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from itertools import pairwise
from math import gcd, lcm, prod

from netbuilder.shapes import Shape

MAX_PERIOD = 65_536
"""A window whose pattern takes longer to repeat is replaced by one that reads everything."""

MAX_WORK = 1_048_576
"""So is one that takes a look at more positions than this, which would take a second or more."""

Span = tuple[int, int]
"""The first and the last position that are read; the last lies before the first if none is."""


@dataclass(frozen=True)
class Window:
    """What each position along an axis reads of another axis, borders continued outwards.

    Position ``i`` of the pattern reads from ``first[i]`` to ``last[i]``, every ``step``-th; the
    pattern starts anew behind its end, ``shift`` further on. A convolution's has one entry.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    shift: int
    step: int = 1

    @classmethod
    def sliding(cls, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Window:
        """The window of a convolution or a pooling; ``padding`` is that before the axis."""
        return cls((-padding,), (dilation * (kernel - 1) - padding,), stride, dilation)

    @classmethod
    def transposed(
        cls, size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> Window:
        """The window of a transposed convolution of an axis of ``size``.

        Output o reads input i wherever ``o = i * stride + dilation * tap - padding``.
        """
        if stride > MAX_PERIOD:
            return cls.whole(size)
        common = gcd(dilation, stride)
        every = stride // common  # of the taps, one in so many falls on an input
        inverse = pow(dilation // common, -1, every)
        spans = []
        for phase in range(padding, padding + stride):
            first_tap = phase // common * inverse % every
            if phase % common or first_tap >= kernel:
                spans.append((1, 0))
                continue
            last_tap = first_tap + (kernel - 1 - first_tap) // every * every
            reads = [(phase - dilation * tap) // stride for tap in (last_tap, first_tap)]
            spans.append((reads[0], reads[1]))
        return cls._of(spans, shift=1, step=dilation // common)

    @classmethod
    def adaptive(cls, size: int, bins: int) -> Window:
        """The windows of adaptive pooling: bin i reads floor(i s / b) to ceil((i + 1) s / b)."""
        common = gcd(size, bins)
        if bins // common > MAX_PERIOD:
            return cls.whole(size)
        return cls._of(
            [(i * size // bins, -(-(i + 1) * size // bins) - 1) for i in range(bins // common)],
            shift=size // common,
        )

    @classmethod
    def grouped(cls, inputs: int, outputs: int, groups: int) -> Window:
        """What the channels of a grouped convolution read: all those of their own group."""
        inside, outside = inputs // groups, outputs // groups
        if groups == 1 or outside > MAX_PERIOD:
            return cls.whole(inputs)
        return cls((0,) * outside, (inside - 1,) * outside, inside)

    @classmethod
    def whole(cls, size: int) -> Window:
        """Every position reads the whole axis."""
        return cls((0,), (size - 1,), 0)

    @classmethod
    def table(cls, spans: Sequence[Span]) -> Window:
        """The window with these spans, continued outwards as evenly as they lie."""
        if len(spans) == 1:
            [(first, last)] = spans
            return cls((first,), (last,), last - first + 1)
        first, last = spans[0]
        shift = spans[1][0] - first
        if all(span == (first + i * shift, last + i * shift) for i, span in enumerate(spans)):
            return cls((first,), (last,), shift)
        return cls._of(spans, shift=round((spans[-1][0] - first) * len(spans) / (len(spans) - 1)))

    @classmethod
    def _of(cls, spans: Iterable[Span], shift: int, step: int = 1) -> Window:
        first, last = zip(*spans, strict=True)
        return cls(first, last, shift, step)

    @property
    def size(self) -> int:
        """The most positions from the first to the last that are read."""
        return max(0, *(b - a + 1 for a, b in zip(self.first, self.last, strict=True)))

    @property
    def jump(self) -> int | Fraction:
        """How far apart two neighbours read, in the mean over the pattern."""
        jump = Fraction(self.shift, len(self.first))
        return int(jump) if jump.denominator == 1 else jump

    def at(self, position: int) -> Span:
        """What ``position`` reads."""
        turns, entry = divmod(position, len(self.first))
        return self.first[entry] + turns * self.shift, self.last[entry] + turns * self.shift

    def since(self, position: int) -> Window:
        """The window of an axis that begins at this one's ``position``."""
        spans = [self.at(position + i) for i in range(len(self.first))]
        return Window._of(spans, self.shift, self.step)

    def through(self, outer: Window) -> Window | None:
        """What the positions of ``outer``, which reads this window's, see; None if too involved."""
        if len(self.first) == len(outer.first) == 1 and self.size and self.shift >= 0:
            a, b = outer.first[0], outer.last[0]
            return Window(
                (self.first[0] + a * self.shift,),
                (self.last[0] + b * self.shift,),
                self.shift * outer.shift,
            )
        turns = len(self.first) // gcd(len(self.first), outer.shift)
        period = len(outer.first) * turns
        if period > MAX_PERIOD or period * self._looked_at(outer) > MAX_WORK:
            return None
        shift = self.shift * (outer.shift * turns // len(self.first))
        over = self._span_over()
        spans = [over(*outer.at(i), outer.step) for i in range(period)]
        return Window._of(spans, shift)

    def _looked_at(self, outer: Window) -> int:
        """How many positions of this window may be looked at for one of ``outer``."""
        if self._ordered() and all(a <= b for a, b in zip(self.first, self.last, strict=True)):
            return 1
        return min(len(self.first), outer.size // outer.step + 1)

    def _span_over(self) -> Callable[[int, int, int], Span]:
        """The function that gives the span of all that some positions read, from first to last."""

        def all_of(first: int, last: int, step: int) -> Span:
            # Each entry of the pattern reads on one way from turn to turn, so that its first turn
            # and its last hold the outermost of all.
            positions, turn = range(first, last + 1, step), len(self.first)
            return _hull(self.at(i) for i in (*positions[:turn], *positions[-turn:]))

        def ends_of(first: int, last: int, step: int) -> Span:
            low = self._first_that_reads(range(first, last + 1, step))
            high = self._first_that_reads(range(first, last + 1, step)[::-1])
            return (low[0], high[1]) if low and high else (1, 0)

        return ends_of if self._ordered() else all_of

    def _first_that_reads(self, positions: range) -> Span | None:
        for position in positions[: len(self.first)]:
            span = self.at(position)
            if span[0] <= span[1]:
                return span
        return None

    def _ordered(self) -> bool:
        """Whether a later position never reads before an earlier one."""
        spans = [(a, b) for a, b in zip(self.first, self.last, strict=True) if a <= b]
        if spans:
            spans.append((spans[0][0] + self.shift, spans[0][1] + self.shift))
        return all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans))

    def joined(self, other: Window, positions: int, size: int) -> Window | None:
        """What ``positions`` of them see through both windows, of an axis of ``size``.

        None if the pattern is too involved.
        """
        if self.jump != other.jump:
            if positions > MAX_PERIOD:
                return None
            # One of the two may see everything at once: what the other sees beyond is no input.
            spans = [_hull([self.at(i), other.at(i)]) for i in range(positions)]
            if not self.shift or not other.shift:
                spans = [(max(a, 0), min(b, size - 1)) for a, b in spans]
            return Window.table(spans)
        period = lcm(len(self.first), len(other.first))
        if period > MAX_PERIOD:
            return None
        spans = [_hull([self.at(i), other.at(i)]) for i in range(period)]
        return Window._of(spans, self.shift * (period // len(self.first)))

    @classmethod
    def concatenated(cls, windows: Sequence[Window], counts: Sequence[int]) -> Window | None:
        """The window of an axis that is several put behind one another, of ``counts`` positions."""
        if len(set(windows)) == 1 and not windows[0].shift and len(windows[0].first) == 1:
            return windows[0]
        if sum(counts) > MAX_PERIOD:
            return None
        pairs = zip(windows, counts, strict=True)
        return cls._of([window.at(i) for window, count in pairs for i in range(count)], shift=0)

    def regrouped(self, index: Callable[[int], int], positions: int) -> Window | None:
        """The window of an axis whose position i is this one's ``index(i)``."""
        if len(self.first) == 1 and self.shift == 0:
            return self
        if positions > MAX_PERIOD:
            return None
        return Window._of([self.at(index(i)) for i in range(positions)], shift=0)


def _hull(spans: Iterable[Span]) -> Span:
    reading = [span for span in spans if span[0] <= span[1]]
    if not reading:
        return 1, 0
    return min(a for a, _ in reading), max(b for _, b in reading)


@dataclass(frozen=True)
class ReceptiveField:
    """What one position sees of the network's input, an entry for each axis of the input.

    It counts from the first to the last pixel seen, as if the input went on beyond its borders. It
    is exact for every kind of layer, except that it is an upper bound (a) where a pattern takes
    more than `MAX_PERIOD` positions to repeat or `MAX_WORK` looks to find, (b) where one axis of
    the input is dealt out over several of the sample, as when a vector is unflattened into an
    image, and (c) where the layer before sees nothing at all in places, as behind a transposed
    convolution that leaves holes.

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
                    window = Window._of(repeated, seen.shift)
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
            Window._of([seen.at(0)], shift=0) if x[axis] == 1 < y[axis] else seen
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
