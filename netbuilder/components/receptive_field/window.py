"""Receptive fields along one axis: which input positions each output position reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import gcd, lcm
from typing import Literal

from netbuilder.components.receptive_field.budget import spend

MAX_PERIOD = 65_536
"""Longest pattern, in positions; a longer one is replaced by a window that reads the whole axis."""
MAX_READS = 1 << 20
"""Most lookups that composing two windows may take; beyond it, the same replacement applies."""

Span = tuple[int, int]
"""The first and the last position that are read. An empty span has its last before its first."""

Border = Literal["", "reflect", "replicate", "circular"]
"""What is read beyond the ends of an axis: nothing, or positions inside it."""


@dataclass(frozen=True)
class Window:
    """The positions of an input axis that each position of an output axis reads.

    The spans form a periodic pattern: output position ``i`` within the first period reads from
    ``first[i]`` to ``last[i]``, and each further period reads ``stride`` positions further on. A
    convolution has a period of one position. Borders are ignored: positions outside the input count
    as if it continued.

    Attributes:
        first: The first input position that each output position of the period reads.
        last: The last input position that each output position of the period reads.
        stride: The input positions from one period to the next.
        dilation: The distance of the input positions that one output position reads.
        border: What positions outside the axis read. It changes no span, only what is read of the
            input.
        least: The window of what each output position depends on for certain, where this one is an
            upper bound; None if it is exact.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    stride: int
    dilation: int = 1
    border: Border = ""
    least: Window | None = field(default=None, compare=False)

    # --- constructors -----------------------------------------------------------------------------

    @classmethod
    def from_spans(cls, spans: Iterable[Span], stride: int, dilation: int = 1) -> Window:
        """Return the window whose period reads these spans."""
        first, last = zip(*spans, strict=True)
        return cls(first, last, stride, dilation)

    @classmethod
    def extrapolated(cls, spans: Sequence[Span]) -> Window:
        """Return a window that reads these spans on an axis of their number.

        Outside the axis, it continues the spans with their mean distance.
        """
        if len(spans) == 1:
            [(first, last)] = spans
            return cls((first,), (last,), last - first + 1)
        first, last = spans[0]
        stride = spans[1][0] - first
        if all(span == (first + i * stride, last + i * stride) for i, span in enumerate(spans)):
            return cls((first,), (last,), stride)
        mean_distance = round((spans[-1][0] - first) * len(spans) / (len(spans) - 1))
        return cls.from_spans(spans, stride=mean_distance)

    @classmethod
    def sliding(
        cls,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        border: Border = "",
    ) -> Window:
        """Return the window of a convolution or pooling; ``padding`` is that before the axis."""
        last = dilation * (kernel - 1) - padding
        return cls((-padding,), (last,), stride, dilation, border)

    @classmethod
    def transposed(
        cls, size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> Window:
        """Return the window of a transposed convolution over an axis of ``size``.

        Output o reads input i wherever ``o = i * stride + dilation * tap - padding`` for a tap of
        the kernel.
        """
        if stride > MAX_PERIOD:
            return cls.at_most_whole(size)
        spend(4 * stride)
        common = gcd(dilation, stride)
        tap_distance = stride // common  # between the taps that reach the same output
        inverse = pow(dilation // common, -1, tap_distance)
        spans = []
        for phase in range(padding, padding + stride):
            first_tap = phase // common * inverse % tap_distance
            if phase % common or first_tap >= kernel:
                spans.append((1, 0))
                continue
            last_tap = first_tap + (kernel - 1 - first_tap) // tap_distance * tap_distance
            spans.append(
                ((phase - dilation * last_tap) // stride, (phase - dilation * first_tap) // stride)
            )
        return cls.from_spans(spans, stride=1, dilation=dilation // common)

    @classmethod
    def adaptive(cls, size: int, bins: int) -> Window:
        """Return the window of adaptive pooling of an axis of ``size`` s to ``bins`` b.

        Bin i reads from floor(i s / b) to ceil((i + 1) s / b) - 1.
        """
        common = gcd(size, bins)
        if bins // common > MAX_PERIOD:
            return cls.at_most_whole(size)
        spend(2 * bins // common)
        return cls.from_spans(
            [(i * size // bins, -(-(i + 1) * size // bins) - 1) for i in range(bins // common)],
            stride=size // common,
        )

    @classmethod
    def grouped(cls, inputs: int, outputs: int, groups: int) -> Window:
        """Return the window of a grouped convolution over the channel axis.

        Each output channel reads all input channels of its group.
        """
        group_inputs, group_outputs = inputs // groups, outputs // groups
        if groups == 1:
            return cls.whole(inputs)
        if group_outputs > MAX_PERIOD:
            return cls.at_most_whole(inputs)
        spend(group_outputs)
        return cls((0,) * group_outputs, (group_inputs - 1,) * group_outputs, group_inputs)

    @classmethod
    def whole(cls, size: int) -> Window:
        """Return the window of a layer whose every output position reads the whole axis."""
        return cls((0,), (size - 1,), 0)

    @classmethod
    def at_most_whole(cls, size: int) -> Window:
        """Return the window of a layer that reads an unknown part of the axis."""
        return cls((0,), (size - 1,), 0, least=cls((1,), (0,), 0))

    @classmethod
    def concatenate(cls, windows: Sequence[Window], counts: Sequence[int]) -> Window | None:
        """Return the window of several output axes of ``counts`` positions laid end to end.

        None if the pattern is longer than `MAX_PERIOD`.
        """
        spend(sum(window.period for window in windows))
        if len(set(windows)) == 1 and not windows[0].stride and windows[0].period == 1:
            return windows[0]
        if sum(counts) > MAX_PERIOD:
            return None
        spend(sum(counts))
        pairs = zip(windows, counts, strict=True)
        spans = [window.span_at(i) for window, count in pairs for i in range(count)]
        return cls.from_spans(spans, stride=0)

    # --- properties -------------------------------------------------------------------------------

    @property
    def period(self) -> int:
        """The output positions after which the pattern repeats."""
        return len(self.first)

    @cached_property
    def size(self) -> int:
        """The width of the widest span."""
        return max(
            0, *(last - first + 1 for first, last in zip(self.first, self.last, strict=True))
        )

    @property
    def jump(self) -> int | Fraction:
        """The mean distance between the spans of adjacent output positions."""
        jump = Fraction(self.stride, self.period)
        return int(jump) if jump.denominator == 1 else jump

    def span_at(self, position: int) -> Span:
        """Return the span that an output position reads."""
        periods, phase = divmod(position, self.period)
        offset = periods * self.stride
        return self.first[phase] + offset, self.last[phase] + offset

    # --- derived windows --------------------------------------------------------------------------

    def skip(self, count: int) -> Window:
        """Return the window without its first ``count`` output positions."""
        spend(self.period)
        spans = [self.span_at(count + i) for i in range(self.period)]
        return Window.from_spans(spans, self.stride, self.dilation)

    def reindex(self, index: Callable[[int], int], count: int) -> Window | None:
        """Return the window of ``count`` output positions, i of which reads as ``index(i)`` did.

        None if the pattern is longer than `MAX_PERIOD`.
        """
        if self.period == 1 and self.stride == 0:
            return self
        if count > MAX_PERIOD:
            return None
        spend(count)
        return Window.from_spans([self.span_at(index(i)) for i in range(count)], stride=0)

    def compose(self, outer: Window) -> Window | None:
        """Return the window of a layer ``outer`` that reads the output axis of this one.

        None if it exceeds `MAX_PERIOD` or `MAX_READS`.
        """
        if self.period == outer.period == 1 and self.size and self.stride >= 0:
            return Window(
                (self.first[0] + outer.first[0] * self.stride,),
                (self.last[0] + outer.last[0] * self.stride,),
                self.stride * outer.stride,
            )
        repeats = self.period // gcd(self.period, outer.stride)
        period = outer.period * repeats
        if period > MAX_PERIOD:
            return None
        spend(2 * self.period + 3 * period)
        outer_spans = [outer.span_at(i) for i in range(period)]
        reads = [range(first, last + 1, outer.dilation) for first, last in outer_spans]
        is_monotonic = self._is_monotonic()
        lookups = 2 if is_monotonic else 2 * min(max(map(len, reads)), self.period)
        if period * lookups > MAX_READS:
            return None
        spend(period * lookups)
        span_of = self._monotonic_span if is_monotonic else self._span
        stride = self.stride * (outer.stride * repeats // self.period)
        return Window.from_spans(map(span_of, reads), stride)

    def merge(self, other: Window, count: int, size: int) -> Window | None:
        """Return the window of ``count`` positions that read what both windows read.

        Args:
            other: The window of the other branch, over the same input axis.
            count: The number of output positions.
            size: The size of the input axis.

        Returns:
            None if the pattern is longer than `MAX_PERIOD`.
        """
        if self.jump != other.jump:
            if count > MAX_PERIOD:
                return None
            spend(4 * count)
            spans = [_union([self.span_at(i), other.span_at(i)]) for i in range(count)]
            # A window without a stride reads the whole axis: the input ends where that ends.
            if not self.stride or not other.stride:
                spans = [(max(first, 0), min(last, size - 1)) for first, last in spans]
            return Window.extrapolated(spans)
        period = lcm(self.period, other.period)
        if period > MAX_PERIOD:
            return None
        spend(4 * period)
        spans = [_union([self.span_at(i), other.span_at(i)]) for i in range(period)]
        return Window.from_spans(spans, self.stride * (period // self.period))

    def _is_monotonic(self) -> bool:
        """Return whether no span is empty, and none starts or ends before the one before it."""
        spans = [self.span_at(i) for i in range(self.period + 1)]
        return all(first <= last for first, last in spans) and all(
            before[0] <= after[0] and before[1] <= after[1] for before, after in pairwise(spans)
        )

    def _monotonic_span(self, positions: range) -> Span:
        """Return the span that ascending output positions of a monotonic window read together."""
        if not positions:
            return 1, 0
        return self.span_at(positions[0])[0], self.span_at(positions[-1])[1]

    def _span(self, positions: range) -> Span:
        """Return the span that ascending output positions of any window read together."""
        # Each entry of the pattern moves by the stride from period to period, so the extremes lie
        # in the first or the last period.
        ends = (
            positions[: self.period],
            positions[max(self.period, len(positions) - self.period) :],
        )
        return _union(self.span_at(i) for end in ends for i in end)


def _union(spans: Iterable[Span]) -> Span:
    """Return the smallest span that contains the given ones; empty if all of them are."""
    reading = [(first, last) for first, last in spans if first <= last]
    if not reading:
        return 1, 0
    return min(first for first, _ in reading), max(last for _, last in reading)
