"""Which input positions each position of a sample reads along one axis, borders and holes counted.

A window describes a field as if the input continued beyond its borders. The sets in this module
describe the positions that exist: padding reads nothing, a border that is reflected reads what it
reflects, and positions that a dilated or strided window skips are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import pairwise, product
from math import prod
from operator import and_, or_

from netbuilder.components.receptive_field.window import Border, Window

MAX_BITS = 1 << 28
"""The largest size of the sets of one axis; larger ones are unknown."""
MAX_WORK = 1 << 19
"""The most set operations for one network, 50 times what any in ``archs/`` needs; after that, sets
are unknown."""
MEMO_SIZE = 64
"""The results that are kept, since the axes of an image and repeated layers share them."""
MEMO_BITS = 1 << 22
"""The largest size of a result that is kept."""


@dataclass(frozen=True)
class Reads:
    """The input positions that each position of one sample axis reads, as sets of bits.

    Position k reads the positions whose bits are set in ``masks[k // inner % len(masks)]``. A
    single mask thus applies to all positions, as after a layer that reads the whole axis.

    Attributes:
        masks: One set per position of the pattern; bit i stands for input position i.
        inner: The number of adjacent positions that share a set, as after Flatten.
    """

    masks: tuple[int, ...]
    inner: int = 1

    def at(self, position: int) -> int:
        """Return the set of a position."""
        return self.masks[position // self.inner % len(self.masks)]

    @cached_property
    def union(self) -> int:
        """What all positions read together."""
        return reduce(or_, self.masks)

    @cached_property
    def most(self) -> int:
        """The largest number of input positions that one position reads."""
        return max(mask.bit_count() for mask in self.masks)

    @cached_property
    def widest(self) -> int:
        """The largest distance from the first to the last position that one position reads."""
        return max(mask.bit_length() - (mask & -mask).bit_length() + 1 for mask in self.masks)

    @cached_property
    def has_holes(self) -> bool:
        """Whether some position skips input positions between those that it reads."""
        runs = (mask >> (mask & -mask).bit_length() - 1 for mask in self.masks if mask)
        return any(run & (run + 1) for run in runs)

    def listed(self, count: int) -> list[int]:
        """Return the sets of the first ``count`` positions."""
        if len(self.masks) == 1:
            return [self.masks[0]] * count
        if self.inner == 1 and len(self.masks) == count:
            return list(self.masks)
        return [self.at(i) for i in range(count)]


NOTHING = Reads((0,))
"""The sets of positions that read nothing."""


@dataclass
class Reader:
    """Computes sets for one network, within a budget of memory and work.

    Sets that are equal to an operand are that operand, so that results are shared by identity.
    """

    work: int = field(default_factory=lambda: MAX_WORK)
    _memo: dict[Hashable, tuple[tuple[Reads, ...], Reads | None]] = field(default_factory=dict)

    def identity(self, size: int) -> Reads | None:
        """Return the sets of the input itself: each position reads itself."""
        if not self._affords(size, size, 1):
            return None
        return Reads(tuple(1 << i for i in range(size)))

    def read(self, reads: Reads, window: Window, size: int, count: int) -> Reads | None:
        """Return what ``count`` positions read through a window over an axis of ``size``."""
        if window.period == 1 and window.stride == 0 and not window.border:
            first, last = window.span_at(0)
            if first <= 0 and last >= size - 1 and window.dilation == 1:
                return self.whole(reads)
            count = 1
        key = (id(reads), window, size, count)
        return self._remembered(key, (reads,), lambda: self._read(reads, window, size, count))

    def whole(self, reads: Reads) -> Reads:
        """Return what each position of a layer reads that reads the whole axis."""
        if len(reads.masks) == 1:
            return reads
        return Reads((reads.union,))

    def _remembered(
        self, key: Hashable, operands: tuple[Reads, ...], compute: Callable[[], Reads | None]
    ) -> Reads | None:
        """Return an earlier result for the same operands, or compute it."""
        if key in self._memo:
            return self._memo[key][1]
        result = compute()
        for operand in operands:
            if result == operand:
                result = operand
        if result is None or len(result.masks) * result.union.bit_length() <= MEMO_BITS:
            if len(self._memo) >= MEMO_SIZE:
                del self._memo[next(iter(self._memo))]
            self._memo[key] = operands, result
        return result

    def _read(self, reads: Reads, window: Window, size: int, count: int) -> Reads | None:
        bits = reads.union.bit_length()
        # A window has at least as many taps at any position as at a border.
        taps = 1 + (window.size - 1) // window.dilation if window.size else 0
        if not self._affords(count, bits, min(taps, size) if not window.border else taps):
            return None
        masks = []
        source = reads.listed(size)
        for i in range(count):
            first, last = window.span_at(i)
            mask = 0
            if window.border:
                for position in range(first, last + 1, window.dilation):
                    mask |= source[_source_position(position, size, window.border)]
            else:
                if first < 0:
                    first += -(first // window.dilation) * window.dilation
                for part in source[first : max(last + 1, 0) : window.dilation]:
                    mask |= part
            masks.append(mask)
        return _shortened(masks)

    def merge(self, a: Reads, b: Reads, count: int) -> Reads | None:
        """Return what ``count`` positions read that read as in ``a`` and as in ``b``."""
        return self._combine(a, b, count, or_)

    def intersect(self, a: Reads, b: Reads, count: int) -> Reads | None:
        """Return what each of ``count`` positions reads both in ``a`` and in ``b``."""
        return self._combine(a, b, count, and_)

    def concatenate(self, parts: Sequence[Reads], counts: Sequence[int]) -> Reads | None:
        """Return the sets of several axes of ``counts`` positions laid end to end."""
        bits = max(reads.union.bit_length() for reads in parts)
        if not self._affords(sum(counts), bits, 1):
            return None
        pairs = zip(parts, counts, strict=True)
        return _shortened([mask for reads, count in pairs for mask in reads.listed(count)])

    def pick(self, reads: Reads, positions: range) -> Reads | None:
        """Return the sets of some positions."""
        if len(reads.masks) == 1:
            return reads
        if not self._affords(len(positions), reads.union.bit_length(), 1):
            return None
        return _shortened([reads.at(i) for i in positions])

    def _combine(
        self, a: Reads, b: Reads, count: int, operation: Callable[[int, int], int]
    ) -> Reads | None:
        if a is b or a == b:
            return a

        def compute() -> Reads | None:
            if not self._affords(count, max(a.union, b.union).bit_length(), 1):
                return None
            return _shortened(list(map(operation, a.listed(count), b.listed(count))))

        return self._remembered((operation, id(a), id(b), count), (a, b), compute)

    def covers_pairs(self, axes: Sequence[Reads], count: int) -> bool:
        """Whether sets of several input axes occur in all combinations along one sample axis.

        What the positions of the sample axis read together is then a box: all combinations of what
        they read along each input axis.
        """
        varying = sorted((r for r in axes if len(r.masks) > 1), key=lambda r: r.inner)
        if len(varying) < 2:
            return True
        nested = all(
            outer.inner % (inner.inner * len(inner.masks)) == 0
            for inner, outer in pairwise(varying)
        )
        if nested and count >= varying[-1].inner * len(varying[-1].masks):
            return True
        if not self._affords(count, 1, len(varying)):
            return False
        distinct = [set(r.masks) for r in varying]
        if prod(map(len, distinct)) > count:
            return False
        return set(product(*distinct)) <= set(zip(*(r.listed(count) for r in varying), strict=True))

    def _affords(self, count: int, bits: int, taps: int) -> bool:
        """Take work from the budget; return whether it suffices."""
        work = count * (1 + taps) * (1 + bits // 2048)
        if count * bits > MAX_BITS or work > self.work:
            return False
        self.work -= work
        return True


def _shortened(masks: list[int]) -> Reads:
    """Return sets, one per position; one for all positions if they are equal."""
    return Reads((masks[0],) if masks.count(masks[0]) == len(masks) else tuple(masks))


def _source_position(position: int, size: int, border: Border) -> int:
    """Return the position that is read at one that may lie in the border of an axis."""
    if 0 <= position < size:
        return position
    if border == "circular":
        return position % size
    if border == "reflect":
        position = -position if position < 0 else 2 * (size - 1) - position
    return min(max(position, 0), size - 1)
