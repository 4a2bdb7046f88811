"""Alignment of two networks, as ordered trees of layers.

The top-down edit distance of Selkow (1977): two containers are paired together with their
children, and a container left unpaired leaves all of its descendants unpaired. Each list of
children is one sequence alignment. Two departures fit networks: layers that multiply weigh more,
so that they anchor the rest, and containers in a gap are expanded into their children, so that
layers which were wrapped or unwrapped still match.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from netbuilder.network.alignment import GAP_COST, MAX_CELLS, Pair, Step, align, pair_cost
from netbuilder.network.rows import Row

MOVE_COST = 1
"""The additional cost of a pair at different depths or in different branches."""

ANCHOR_WEIGHT = 3
"""The factor on all costs of a layer that multiplies, such as a convolution."""

CONTAINER_CELL_COST = 4
"""The time to compare two containers per pair of their descendants, in table cells."""


def align_rows(before: Sequence[Row], after: Sequence[Row]) -> list[Pair[Row]]:
    """Pair the rows of two networks, in order.

    Each row of both networks appears once. Within a run of unpaired rows, those of ``before`` come
    first. Swapping the arguments gives the same pairs.
    """
    # Ties are broken by the order of the arguments, so a canonical order makes pairs symmetric.
    swap = _sort_key(after) < _sort_key(before)
    first, second = (after, before) if swap else (before, after)
    aligner = _TreeAligner()
    pairs: list[Pair[Row]] = []
    for run in aligner.runs(aligner.tree(first), aligner.tree(second)):
        ordered = [(b, a) for a, b in run] if swap else run
        pairs += sorted(ordered, key=lambda pair: pair[0] is None)
    return pairs


def _sort_key(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    return [(row.kind, repr(row.arguments), row.depth, row.name) for row in rows]


@dataclass(frozen=True)
class _Node:
    """A row and its children.

    Attributes:
        row: The row of the layer.
        children: The layers that it contains directly.
        key: Equal for two nodes exactly if their subtrees are.
        weight: The factor on the costs of this node without its children.
        gap: The cost of leaving the whole subtree unpaired.
        size: The number of rows in the subtree.
        height: The number of levels below this node.
        expanded: Whether the children were moved up a level; this node then never pairs.
    """

    row: Row
    children: tuple[_Node, ...]
    key: int
    weight: int
    gap: int
    size: int
    height: int
    expanded: bool = False

    def expand(self) -> tuple[_Node, ...]:
        """The node without children, followed by its children."""
        own = replace(
            self, children=(), gap=self.weight * GAP_COST, size=1, height=0, expanded=True
        )
        return own, *self.children

    def rows(self) -> Iterator[Row]:
        """The rows of the subtree, in the order of the document."""
        yield self.row
        for child in self.children:
            yield from child.rows()


class _TreeAligner:
    """Aligns forests; the costs of pairs of subtrees are computed once."""

    def __init__(self) -> None:
        self._keys: dict[tuple[object, ...], int] = {}
        self._costs: dict[tuple[int, int], int | None] = {}

    def tree(self, rows: Sequence[Row]) -> tuple[_Node, ...]:
        """The forest of rows in the order of the document."""
        nodes, start = [], 0
        while start < len(rows):
            end = start + 1 + rows[start].descendants
            nodes.append(self._node(rows[start], self.tree(rows[start + 1 : end])))
            start = end
        return tuple(nodes)

    def _node(self, row: Row, children: tuple[_Node, ...]) -> _Node:
        content = (row.kind, repr(row.arguments), _branch(row), *(node.key for node in children))
        weight = ANCHOR_WEIGHT if row.macs and not row.is_container else 1
        return _Node(
            row=row,
            children=children,
            key=self._keys.setdefault(content, len(self._keys)),
            weight=weight,
            gap=weight * GAP_COST + sum(node.gap for node in children),
            size=1 + sum(node.size for node in children),
            height=max((1 + node.height for node in children), default=0),
        )

    def runs(self, first: Sequence[_Node], second: Sequence[_Node]) -> Iterator[list[Pair[Row]]]:
        """Align two forests; yield each pair by itself, and unpaired rows run by run."""
        _, steps = self._align(first, second)
        for paired, group in groupby(steps, lambda step: None not in step):
            run = list(group)
            left = [first[i] for i, _ in run if i is not None]
            right = [second[j] for _, j in run if j is not None]
            if paired:
                for a, b in zip(left, right, strict=True):
                    yield [(a.row, b.row)]
                    yield from self.runs(a.children, b.children)
            else:
                yield from self._gap_runs(left, right)

    def _gap_runs(self, left: list[_Node], right: list[_Node]) -> Iterator[list[Pair[Row]]]:
        """Expand the highest containers of a gap and align again; else leave all unpaired."""
        height = max(node.height for node in (*left, *right))
        if left and right and height:
            yield from self.runs(_expand_highest(left, height), _expand_highest(right, height))
            return
        run: list[Pair[Row]] = [(row, None) for node in left for row in node.rows()]
        yield run + [(None, row) for node in right for row in node.rows()]

    def _align(self, first: Sequence[_Node], second: Sequence[_Node]) -> tuple[int, list[Step]]:
        def cost(i: int, j: int) -> int | None:
            return self._cost(first[i], second[j])

        entries = len(first) * len(second)
        rows = sum(node.size for node in first) * sum(node.size for node in second)
        max_cells = MAX_CELLS
        if rows > entries:  # comparing two containers aligns their children, too
            max_cells = MAX_CELLS * entries // (rows * CONTAINER_CELL_COST)
        return align([node.gap for node in first], [node.gap for node in second], cost, max_cells)

    def _cost(self, a: _Node, b: _Node) -> int | None:
        """The cost of pairing two nodes; None where they cannot be a pair."""
        if a.expanded or b.expanded:
            return None
        key = (a.key, b.key)
        if key not in self._costs:
            self._costs[key] = 0 if a.key == b.key else self._subtree_cost(a, b)
        cost = self._costs[key]
        if cost is None:
            return None
        moved = a.row.depth != b.row.depth or _branch(a.row) != _branch(b.row)
        return cost + MOVE_COST if moved else cost

    def _subtree_cost(self, a: _Node, b: _Node) -> int | None:
        own = pair_cost(a.row.kind == b.row.kind, a.row.arguments, b.row.arguments)
        if own is None:
            return None
        below, steps = self._align(a.children, b.children)
        if (a.children or b.children) and all(None in step for step in steps):
            return None  # containers without a common child are no pair
        return own * max(a.weight, b.weight) + below


def _branch(row: Row) -> str:
    """The branch of its container that a layer is in: ``body`` of ``body.0``."""
    return row.name.rpartition(".")[0]


def _expand_highest(nodes: Sequence[_Node], height: int) -> list[_Node]:
    """Replace the nodes of this height by themselves and their children."""
    expanded: list[_Node] = []
    for node in nodes:
        expanded += node.expand() if node.height == height else (node,)
    return expanded
