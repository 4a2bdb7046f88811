"""Two sequences, and two trees of layers, paired so that the least has changed.

Layers are paired as a person would draw it: those that multiply hold the rest in place, and what
stands in one container is paired with what stands in another only where the two are a pair. Where
none of two containers' layers agree, they are opened, so that layers which were only wrapped, or
unwrapped, are still found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import Any, TypeVar

from netbuilder.network.analysis import Row

T = TypeVar("T")

Pair = tuple[T | None, T | None]


GAP = 10
"""What it costs to leave an entry alone. Two of them cost more than any pair of one kind."""

CHANGED, PER_ARGUMENT, MOST_CHANGED = 6, 2, 16
"""What a pair of one kind costs: its first argument that differs, each further one, at most."""

ELSEWHERE = 1
"""What it costs more where a pair stands in another depth or branch."""

ANCHOR = 3
"""How many times as much all that costs of a layer that multiplies."""

CELLS = 1_000_000
"""Pairs that are looked at; beyond, only those near the diagonal."""

SLOWER = 4
"""How many times fewer of them where there are trees."""


Step = tuple[int | None, int | None]
"""The positions of two entries that are a pair, or of one that is alone."""

Cost = Callable[[int, int], int | None]
"""What pairing entry i of one side with entry j of the other costs; None where it cannot be."""


def pair_cost(alike: bool, a: Mapping[str, Any], b: Mapping[str, Any]) -> int | None:
    """What it costs to pair two entries with these arguments; None where kinds are not alike."""
    if not alike:
        return None
    differing = sum(a.get(name) != b.get(name) for name in {*a, *b})
    return min(CHANGED + PER_ARGUMENT * (differing - 1), MOST_CHANGED) if differing else 0


def aligned(before: Sequence[T], after: Sequence[T], cost: Cost) -> list[Pair[T]]:
    """Both sequences in order, their entries paired or alone."""
    _, steps = _cheapest([GAP] * len(before), [GAP] * len(after), cost, CELLS)
    return [(None if i is None else before[i], None if j is None else after[j]) for i, j in steps]


def aligned_rows(before: Sequence[Row], after: Sequence[Row]) -> list[Pair[Row]]:
    """The rows of two networks in order, paired or alone; the same pairs whichever is first."""
    if _said(after) < _said(before):
        return [(a, b) for b, a in _Trees(mirrored=True).pairs(after, before)]
    return list(_Trees(mirrored=False).pairs(before, after))


def _said(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    return [(row.kind, repr(row.arguments), row.depth, row.name) for row in rows]


@dataclass(frozen=True)
class _Node:
    """A row with those inside it.

    Attributes:
        row: of the layer.
        inside: the layers that it holds.
        key: one number for all that say the same, inside too.
        weight: how much counts what is done to it alone.
        gap: what it costs to leave it alone with all that is inside.
        rows: how many it is with those inside.
        height: how many containers its innermost layer is in, counted from here.
        opened: whether its layers stand beside it; it is then paired with nothing.
    """

    row: Row
    inside: tuple[_Node, ...]
    key: int
    weight: int
    gap: int
    rows: int
    height: int
    opened: bool = False

    def open(self) -> tuple[_Node, ...]:
        """It alone, and behind it what was inside."""
        alone = replace(self, inside=(), gap=self.weight * GAP, rows=1, height=0, opened=True)
        return alone, *self.inside


class _Trees:
    """The rows of two networks as trees, and what pairs of them cost.

    Of layers that are alone, those of the first network stand first; with ``mirrored``, last.
    """

    def __init__(self, *, mirrored: bool) -> None:
        self._mirrored = mirrored
        self._keys: dict[tuple[object, ...], int] = {}
        self._costs: dict[tuple[int, int], int | None] = {}

    def pairs(self, before: Sequence[Row], after: Sequence[Row]) -> Iterator[Pair[Row]]:
        """All rows of both."""
        return self._pairs(self._nodes(before), self._nodes(after))

    def _nodes(self, rows: Sequence[Row]) -> tuple[_Node, ...]:
        nodes, start = [], 0
        while start < len(rows):
            row, behind = rows[start], start + 1 + rows[start].inside
            inside = self._nodes(rows[start + 1 : behind])
            said = (row.kind, repr(row.arguments), _branch(row), *(node.key for node in inside))
            weight = ANCHOR if row.macs and not row.is_container else 1
            nodes.append(
                _Node(
                    row=row,
                    inside=inside,
                    key=self._keys.setdefault(said, len(self._keys)),
                    weight=weight,
                    gap=weight * GAP + sum(node.gap for node in inside),
                    rows=behind - start,
                    height=max((1 + node.height for node in inside), default=0),
                )
            )
            start = behind
        return tuple(nodes)

    def _pairs(self, before: Sequence[_Node], after: Sequence[_Node]) -> Iterator[Pair[Row]]:
        _, steps = self._align(before, after)
        for paired, group in groupby(steps, lambda step: None not in step):
            run = list(group)
            first = [before[i] for i, _ in run if i is not None]
            second = [after[j] for _, j in run if j is not None]
            if paired:
                for a, b in zip(first, second, strict=True):
                    yield a.row, b.row
                    yield from self._pairs(a.inside, b.inside)
                continue
            highest = max(node.height for node in (*first, *second))
            if first and second and highest:
                yield from self._pairs(_opened(first, highest), _opened(second, highest))
                continue
            alone: list[list[Pair[Row]]] = [
                [(row, None) for node in first for row in _flat(node)],
                [(None, row) for node in second for row in _flat(node)],
            ]
            yield from chain(*(reversed(alone) if self._mirrored else alone))

    def _align(self, before: Sequence[_Node], after: Sequence[_Node]) -> tuple[int, list[Step]]:
        rows = sum(node.rows for node in before) * sum(node.rows for node in after)
        entries = len(before) * len(after)
        # An entry with others inside takes as many pairs as those, and longer for each.
        cells = CELLS if rows == entries else CELLS * entries // (rows * SLOWER or 1)
        first, second = ([node.gap for node in side] for side in (before, after))
        return _cheapest(first, second, lambda i, j: self._cost(before[i], after[j]), cells)

    def _cost(self, a: _Node, b: _Node) -> int | None:
        if a.opened or b.opened:
            return None
        key = (a.key, b.key)
        if key not in self._costs:
            self._costs[key] = 0 if a.key == b.key else self._cost_within(a, b)
        found = self._costs[key]
        if found is None:
            return None
        stays = a.row.depth == b.row.depth and _branch(a.row) == _branch(b.row)
        return found if stays else found + ELSEWHERE

    def _cost_within(self, a: _Node, b: _Node) -> int | None:
        own = pair_cost(a.row.kind == b.row.kind, a.row.arguments, b.row.arguments)
        if own is None:
            return None
        inside, steps = self._align(a.inside, b.inside)
        if (a.inside or b.inside) and all(None in step for step in steps):
            return None
        return own * max(a.weight, b.weight) + inside


def _branch(row: Row) -> str:
    return row.name.rpartition(".")[0]


def _opened(nodes: Sequence[_Node], height: int) -> list[_Node]:
    """Those of this height opened, the others as they are."""
    found: list[_Node] = []
    for node in nodes:
        found += node.open() if node.height == height else (node,)
    return found


def _flat(node: _Node) -> Iterator[Row]:
    yield node.row
    for inside in node.inside:
        yield from _flat(inside)


def _cheapest(
    first: Sequence[int], second: Sequence[int], cost: Cost, cells: int
) -> tuple[int, list[Step]]:
    """What the cheapest alignment costs, and its steps (Needleman and Wunsch, 1970).

    ``first`` and ``second`` hold what it costs to leave an entry alone; beyond ``cells`` pairs,
    only those near the diagonal are looked at.
    """
    start, end = 0, 0
    shortest = min(len(first), len(second))
    while start < shortest and cost(start, start) == 0:
        start += 1
    while end < shortest - start and cost(len(first) - 1 - end, len(second) - 1 - end) == 0:
        end += 1
    n, m = len(first) - end, len(second) - end
    # From the back, so that of several equal ways the one with the earliest pairs is found.
    total, middle = _middle(
        first[start:n][::-1],
        second[start:m][::-1],
        lambda i, j: cost(n - 1 - i, m - 1 - j),
        cells,
    )
    steps: list[Step] = [(i, i) for i in range(start)]
    steps += [
        (None if i is None else n - 1 - i, None if j is None else m - 1 - j)
        for i, j in reversed(middle)
    ]
    steps += [(n + i, m + i) for i in range(end)]
    return total, steps


def _middle(
    first: Sequence[int], second: Sequence[int], cost: Cost, cells: int
) -> tuple[int, list[Step]]:
    n, m = len(first), len(second)
    if not n or not m:
        return sum(first) + sum(second), [
            *((i, None) for i in range(n)),
            *((None, j) for j in range(m)),
        ]
    reach = max(1, cells // n)
    far = sum(first) + sum(second) + 1
    # steps[i] holds, from column lows[i] on, how (i, j) was reached: a pair, a gap below or beside.
    steps: list[bytearray] = []
    lows: list[int] = []
    above: list[int] = []
    for i in range(n + 1):
        middle = i * m // n
        low, high = max(0, middle - reach), min(m, middle + reach)
        here: list[int] = []
        how = bytearray()
        for j in range(low, high + 1):
            best, step = (0, 0) if i == j == 0 else (far, 0)
            if i and 0 <= (k := j - 1 - lows[-1]) < len(above):
                paired = cost(i - 1, j - 1)
                if paired is not None and above[k] + paired < best:
                    best, step = above[k] + paired, 1
            if j > low and here[-1] + second[j - 1] < best:
                best, step = here[-1] + second[j - 1], 3
            if i and 0 <= (k := j - lows[-1]) < len(above) and above[k] + first[i - 1] < best:
                best, step = above[k] + first[i - 1], 2
            here.append(best)
            how.append(step)
        above = here
        steps.append(how)
        lows.append(low)
    i, j = n, m
    found: list[Step] = []
    while i or j:
        step = steps[i][j - lows[i]]
        i, j = i - (step != 3), j - (step != 2)
        found.append((None if step == 3 else i, None if step == 2 else j))
    return above[-1], found[::-1]
