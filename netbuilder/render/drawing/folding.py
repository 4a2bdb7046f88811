"""How much of a network a picture shows: repeats and containers folded until it is readable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from netbuilder._text import plural, printable
from netbuilder.components.shapes import spatial
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.render.drawing.chain import chain_of
from netbuilder.render.drawing.families import family_of
from netbuilder.render.drawing.model import (
    Block,
    Fork,
    Frame,
    Item,
    Lane,
    Repeat,
    blocks_of,
    count_blocks,
    count_layers,
    first_row,
    last_row,
    named_rows,
)

MOST_BLOCKS = 100
"""The number of blocks above which a picture shows less detail."""

LONGEST_PERIOD = 24
"""The most items that repeat as one."""

MOST_KINDS = 2
"""The kinds of layers that a stage names."""

Chain = tuple[Item, ...]


def choose_chain(analysis: Analysis, depth: int | None = None, unfold: bool = False) -> Chain:
    """Return the items of a picture, in the most detail that is readable.

    Args:
        analysis: The analysis of the network.
        depth: Containers at this depth are folded into one block.
        unfold: Whether no repeat is folded, however many there are.
    """
    if unfold:
        return chain_of(analysis.rows, depth)
    for chain in _levels(analysis, depth):
        if count_blocks(chain) <= MOST_BLOCKS:
            return chain
    return chain


def _levels(analysis: Analysis, depth: int | None) -> Iterator[Chain]:
    """Yield the items of a network in less and less detail."""
    chain = chain_of(analysis.rows, depth)
    yield fold_repeats(chain, same_shapes=True)
    yield fold_repeats(chain, same_shapes=False)
    deepest = max((row.depth for row in analysis.rows if row.is_container), default=-1)
    for level in range(deepest if depth is None else -1, -1, -1):
        chain = chain_of(analysis.rows, level)
        yield fold_repeats(chain, same_shapes=False)
    yield fold_stages(fold_repeats(chain, same_shapes=False))


# --- repeats -------------------------------------------------------------------------------------


def fold_repeats(items: Chain, *, same_shapes: bool) -> Chain:
    """Return items in which equal ones in sequence are folded, at every depth.

    Args:
        items: The items.
        same_shapes: Whether equal items also have equal inputs, outputs and dropouts.
    """
    return _Folder(same_shapes).fold(items)


class _Folder:
    """Folds repeats; it gives equal items one number."""

    def __init__(self, same_shapes: bool) -> None:
        self._same_shapes = same_shapes
        self._numbers: dict[object, int] = {}

    def fold(self, items: Chain) -> Chain:
        inner = [self._fold_content(item) for item in items]
        numbers = [self._number(item) for item in inner]
        result: list[Item] = []
        position = 0
        while position < len(inner):
            period, count = _longest_repeat(numbers, position)
            part = tuple(inner[position : position + period])
            position += period * count
            if count == 1:
                result += part
                continue
            times = [
                inner[i : i + period] for i in range(position - period * count, position, period)
            ]
            differs = len(set(map(_dropouts, times))) > 1
            result.append(Repeat(part, count, last_row(inner[position - 1]), differs))
        return tuple(result)

    def _fold_content(self, item: Item) -> Item:
        match item:
            case Fork():
                lanes = tuple(Lane(lane.name, self.fold(lane.items)) for lane in item.lanes)
                return Fork(item.row, lanes, item.followers)
            case Frame():
                return Frame(item.row, self.fold(item.items))
            case _:
                return item

    def _number(self, item: Item) -> int:
        key: object
        match item:
            case Block():
                # The layers of a folded container are not items of their own.
                content = repr(item.rows[0].layer) if item.is_fold else ""
                key = (content, *map(self._row_key, item.rows))
            case Fork():
                lanes = [(lane.name, *map(self._number, lane.items)) for lane in item.lanes]
                key = (self._row_key(item.row), *lanes, *map(self._row_key, item.followers))
            case Frame():
                key = (self._row_key(item.row), *map(self._number, item.items))
            case Repeat():
                key = (item.count, *map(self._number, item.items))
        return self._numbers.setdefault(key, len(self._numbers))

    def _row_key(self, row: Row) -> tuple[object, ...]:
        shapes = (row.input_shape, row.output_shape) if self._same_shapes else ()
        # Networks with stochastic depth drop each block more often than the one before.
        is_free = not self._same_shapes and family_of(row.layer) == "dropout"
        return (row.kind, row.title, "" if is_free else repr(row.arguments), *shapes)


def _dropouts(items: Sequence[Item]) -> str:
    """Return the dropouts of items with their arguments, as a text to compare."""
    rows = (row for row in named_rows(items) if family_of(row.layer) == "dropout")
    return repr([(row.kind, row.arguments) for row in rows])


def _longest_repeat(numbers: Sequence[int], start: int) -> tuple[int, int]:
    """Return the period and the count of the repeat at a position that saves the most items."""
    best, saving = (1, 1), 0
    for period in range(1, min(LONGEST_PERIOD, (len(numbers) - start) // 2) + 1):
        if numbers[start] != numbers[start + period]:
            continue
        pattern, count = numbers[start : start + period], 1
        while numbers[start + count * period : start + (count + 1) * period] == pattern:
            count += 1
        if (count - 1) * period > saving:
            best, saving = (period, count), (count - 1) * period
    return best


# --- stages --------------------------------------------------------------------------------------


def fold_stages(items: Chain) -> Chain:
    """Return items in which neighbors of equal spatial size are one block."""
    stages: list[Item] = []
    for _, group in groupby(items, lambda item: spatial(last_row(item).output_shape)):
        members = tuple(group)
        if len(members) == 1:
            stages += members
            continue
        layers = count_layers(members)
        rows = (first_row(members[0]), last_row(members[-1]))
        stages.append(Block(rows, layers, True, plural(layers, "layer"), _kinds(members)))
    return tuple(stages)


def _kinds(items: Chain) -> str:
    """Return the names of the first kinds of layers in items."""
    rows = [row for block in blocks_of(items) if isinstance(block, Block) for row in block.rows]
    names = list(dict.fromkeys(printable(row.title) for row in rows))
    return ", ".join(names[:MOST_KINDS]) + (", …" if len(names) > MOST_KINDS else "")
