"""Which positions of one axis a position of another reads, and what windows add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm

MAX_PERIOD = 65_536
"""A window whose pattern takes longer to repeat is replaced by one that reads everything."""

MAX_READS = 1 << 20
"""As is one that takes longer to find out, where positions read in no order."""


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
        return cls.of(spans, shift=1, step=dilation // common)

    @classmethod
    def adaptive(cls, size: int, bins: int) -> Window:
        """The windows of adaptive pooling: bin i reads floor(i s / b) to ceil((i + 1) s / b)."""
        common = gcd(size, bins)
        if bins // common > MAX_PERIOD:
            return cls.whole(size)
        return cls.of(
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
        return cls.of(spans, shift=round((spans[-1][0] - first) * len(spans) / (len(spans) - 1)))

    @classmethod
    def of(cls, spans: Iterable[Span], shift: int, step: int = 1) -> Window:
        """The window whose pattern reads these spans."""
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
        return Window.of(spans, self.shift, self.step)

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
        if period > MAX_PERIOD:
            return None
        shift = self.shift * (outer.shift * turns // len(self.first))
        extent = max(len(range(a, b + 1, outer.step)) for a, b in map(outer.at, range(period)))
        ordered = self._ordered()
        reads = 2 if ordered else 2 * min(extent, len(self.first))
        if period * reads > MAX_READS:
            return None
        seen = self._seen_in_order if ordered else self._seen_in_any_order
        spans = [seen(range(a, b + 1, outer.step)) for a, b in map(outer.at, range(period))]
        return Window.of(spans, shift)

    def _ordered(self) -> bool:
        """Whether each position reads, and a later one never before an earlier one."""
        spans = list(zip(self.first, self.last, strict=True))
        spans.append((spans[0][0] + self.shift, spans[0][1] + self.shift))
        reading = all(a <= b for a, b in spans)
        return reading and all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans))

    def _seen_in_order(self, positions: range) -> Span:
        if not positions:
            return 1, 0
        return self.at(positions[0])[0], self.at(positions[-1])[1]

    def _seen_in_any_order(self, positions: range) -> Span:
        # What an entry of the pattern reads moves evenly from turn to turn, so that its first and
        # its last turn hold all there is.
        turn = len(self.first)
        ends = (positions[:turn], positions[max(turn, len(positions) - turn) :])
        return _union(self.at(i) for part in ends for i in part)

    def joined(self, other: Window, positions: int, size: int) -> Window | None:
        """What ``positions`` of them see through both windows, of an axis of ``size``.

        None if the pattern is too involved.
        """
        if self.jump != other.jump:
            if positions > MAX_PERIOD:
                return None
            # One of the two may see everything at once: what the other sees beyond is no input.
            spans = [_union([self.at(i), other.at(i)]) for i in range(positions)]
            if not self.shift or not other.shift:
                spans = [(max(a, 0), min(b, size - 1)) for a, b in spans]
            return Window.table(spans)
        period = lcm(len(self.first), len(other.first))
        if period > MAX_PERIOD:
            return None
        spans = [_union([self.at(i), other.at(i)]) for i in range(period)]
        return Window.of(spans, self.shift * (period // len(self.first)))

    @classmethod
    def concatenated(cls, windows: Sequence[Window], counts: Sequence[int]) -> Window | None:
        """The window of an axis that is several put behind one another, of ``counts`` positions."""
        if len(set(windows)) == 1 and not windows[0].shift and len(windows[0].first) == 1:
            return windows[0]
        if sum(counts) > MAX_PERIOD:
            return None
        pairs = zip(windows, counts, strict=True)
        return cls.of([window.at(i) for window, count in pairs for i in range(count)], shift=0)

    def regrouped(self, index: Callable[[int], int], positions: int) -> Window | None:
        """The window of an axis whose position i is this one's ``index(i)``."""
        if len(self.first) == 1 and self.shift == 0:
            return self
        if positions > MAX_PERIOD:
            return None
        return Window.of([self.at(index(i)) for i in range(positions)], shift=0)


def _union(spans: Iterable[Span]) -> Span:
    reading = [span for span in spans if span[0] <= span[1]]
    if not reading:
        return 1, 0
    return min(a for a, _ in reading), max(b for _, b in reading)
