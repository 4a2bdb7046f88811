"""Global alignment of two sequences: entries are paired in order, or left unpaired.

Needleman and Wunsch (1970), restricted to a band around the diagonal for long sequences
(Ukkonen, 1985). Costs are small integers, so that ties are exact and results reproducible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

Pair = tuple[T | None, T | None]
"""Two matching entries, or one entry and None."""

Step = tuple[int | None, int | None]
"""The indices of two matching entries, or one index and None."""

Cost = Callable[[int, int], int | None]
"""The cost of pairing entry i of the first sequence with entry j of the second; None: forbidden."""


GAP_COST = 10
"""The cost of an unpaired entry. Two gaps cost more than any allowed pair."""

CHANGE_COST = 6
"""The cost of a pair of one kind whose arguments differ."""

ARGUMENT_COST = 2
"""The additional cost of each differing argument after the first."""

MAX_PAIR_COST = 16
"""The upper limit of a pair's cost."""

MAX_CELLS = 1_000_000
"""The size of the dynamic-programming table above which only a band of it is computed."""

_END, _PAIR, _SKIP_SECOND, _SKIP_FIRST = range(4)  # the moves through the table


def pair_cost(same_kind: bool, a: Mapping[str, Any], b: Mapping[str, Any]) -> int | None:
    """Return the cost of pairing two entries with these arguments; None unless of one kind."""
    if not same_kind:
        return None
    differing = len([name for name in {*a, *b} if a.get(name) != b.get(name)])
    if not differing:
        return 0
    return min(CHANGE_COST + ARGUMENT_COST * (differing - 1), MAX_PAIR_COST)


def align_sequences(before: Sequence[T], after: Sequence[T], cost: Cost) -> list[Pair[T]]:
    """Pair the entries of two sequences at the lowest total cost, in order."""
    _, steps = align([GAP_COST] * len(before), [GAP_COST] * len(after), cost)
    return [(None if i is None else before[i], None if j is None else after[j]) for i, j in steps]


def align(
    first: Sequence[int], second: Sequence[int], cost: Cost, max_cells: int = MAX_CELLS
) -> tuple[int, list[Step]]:
    """Find the cheapest alignment of two sequences.

    Of several alignments with the lowest cost, the one with the earliest pairs is returned.

    Args:
        first: The gap cost of each entry of the first sequence.
        second: The gap cost of each entry of the second sequence.
        cost: The cost of a pair.
        max_cells: The number of table cells to compute, about; a larger table is banded.

    Returns:
        The total cost, and the steps in order.
    """
    start = _common_prefix(len(first), len(second), cost)
    end = _common_suffix(len(first), len(second), start, cost)
    n, m = len(first) - end, len(second) - end

    def inner_cost(i: int, j: int) -> int | None:
        return cost(start + i, start + j)

    total, inner = _needleman_wunsch(first[start:n], second[start:m], inner_cost, max_cells)
    steps: list[Step] = [(i, i) for i in range(start)]
    for i, j in inner:
        steps.append((None if i is None else start + i, None if j is None else start + j))
    steps += [(n + i, m + i) for i in range(end)]
    return total, steps


def _common_prefix(n: int, m: int, cost: Cost) -> int:
    """How many leading entries pair at no cost."""
    length = 0
    while length < min(n, m) and cost(length, length) == 0:
        length += 1
    return length


def _common_suffix(n: int, m: int, start: int, cost: Cost) -> int:
    """How many trailing entries pair at no cost, among those from ``start`` on."""
    length = 0
    while length < min(n, m) - start and cost(n - 1 - length, m - 1 - length) == 0:
        length += 1
    return length


def _needleman_wunsch(
    first: Sequence[int], second: Sequence[int], cost: Cost, max_cells: int
) -> tuple[int, list[Step]]:
    n, m = len(first), len(second)
    if not n or not m:
        steps: list[Step] = [(i, None) for i in range(n)]
        return sum(first) + sum(second), steps + [(None, j) for j in range(m)]
    band = max(max_cells // n, -(-m // n))  # the bands of adjacent rows overlap
    total, moves, lows = _fill_table(first, second, cost, band)
    return total, _trace(moves, lows)


def _fill_table(
    first: Sequence[int], second: Sequence[int], cost: Cost, band: int
) -> tuple[int, list[bytearray], list[int]]:
    """Compute the cheapest alignment of every pair of suffixes within the band.

    Suffixes rather than prefixes, so that a trace from the start prefers early pairs.

    Returns:
        The cost of the whole; for each row i the first move of the alignment of ``first[i:]`` with
        ``second[j:]``, for j from ``lows[i]`` on; and ``lows``.
    """
    n, m = len(first), len(second)
    unreachable = sum(first) + sum(second) + 1
    moves: list[bytearray] = []
    lows: list[int] = []
    below: dict[int, int] = {}  # the costs of row i + 1 by column
    for i in range(n, -1, -1):
        diagonal = m - (n - i) * m // n
        low, high = max(0, diagonal - band), min(m, diagonal + band)
        row: dict[int, int] = {}
        row_moves = bytearray(high - low + 1)
        for j in range(high, low - 1, -1):
            best, move = 0 if i == n and j == m else unreachable, _END
            if j + 1 in below:
                paired = cost(i, j)
                if paired is not None and below[j + 1] + paired < best:
                    best, move = below[j + 1] + paired, _PAIR
            if j < high and row[j + 1] + second[j] < best:
                best, move = row[j + 1] + second[j], _SKIP_SECOND
            if j in below and below[j] + first[i] < best:
                best, move = below[j] + first[i], _SKIP_FIRST
            row[j] = best
            row_moves[j - low] = move
        below = row
        moves.append(row_moves)
        lows.append(low)
    return below[0], moves[::-1], lows[::-1]


def _trace(moves: Sequence[bytearray], lows: Sequence[int]) -> list[Step]:
    i, j = 0, 0
    steps: list[Step] = []
    while (move := moves[i][j - lows[i]]) != _END:
        steps.append((None if move == _SKIP_SECOND else i, None if move == _SKIP_FIRST else j))
        i += move != _SKIP_SECOND
        j += move != _SKIP_FIRST
    return steps
