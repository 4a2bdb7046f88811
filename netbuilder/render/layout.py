"""Fit columns of text to a width: choose columns, set their widths, wrap their cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, chop_cells

GAP = "  "

LONGEST_WORD = 32
"""Longer words of a column that folds, such as paths, are broken at any character."""

NARROWEST = 8
"""The width to which columns of text shrink before further columns are left out."""


@dataclass(frozen=True)
class TextColumn:
    """A column whose cells are single lines of text.

    Attributes:
        name: The header.
        cells: The text of each row.
        justify: The side on which cells line up.
        priority: Columns of the highest priority are left out first, all of one priority together;
            those of priority 0 only as a last resort, from the right.
        folds: Whether its cells are wrapped between words before any column is left out.
    """

    name: str
    cells: Sequence[str]
    justify: Literal["left", "right"]
    priority: int
    folds: bool


@dataclass(frozen=True)
class Layout:
    """The columns of a table that fit, and their widths.

    Attributes:
        columns: The positions of the columns that fit.
        widths: The widths of those columns, in cells of the terminal.
        left_out: The names of the other columns, in the order in which they were left out.
        bounded: Whether the width is limited, so that headers have one word per line.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    left_out: tuple[str, ...]
    bounded: bool

    @property
    def width(self) -> int:
        """The length of a line."""
        return total(self.widths)

    def header(self, columns: Sequence[TextColumn]) -> Iterator[list[str]]:
        """Yield the lines of the header, each a padded text per column."""
        stacks = []
        for position, width in zip(self.columns, self.widths, strict=True):
            words = columns[position].name.split() if self.bounded else [columns[position].name]
            stacks.append([part for word in words for part in fold(word, width)] or [""])
        height = max(map(len, stacks), default=0)
        yield from self._lines(columns, [[""] * (height - len(s)) + s for s in stacks])

    def row(self, columns: Sequence[TextColumn], number: int) -> Iterator[list[str]]:
        """Yield the lines of a row, each a padded text per column."""
        pairs = zip(self.columns, self.widths, strict=True)
        stacks = [fold(columns[position].cells[number], width) for position, width in pairs]
        height = max(map(len, stacks), default=0)
        yield from self._lines(columns, [s + [""] * (height - len(s)) for s in stacks])

    def _lines(
        self, columns: Sequence[TextColumn], stacks: Sequence[Sequence[str]]
    ) -> Iterator[list[str]]:
        sides = [columns[position].justify for position in self.columns]
        for line in zip(*stacks, strict=True):
            yield list(map(pad, line, self.widths, sides))


def lay_out(columns: Sequence[TextColumn], width: int | None = None) -> Layout:
    """Fit columns to a width.

    First, the columns that fold are wrapped between words. Then columns are left out by priority.
    Then columns of text shrink to `NARROWEST`, their words broken at any character. Then the last
    columns are left out. Numbers are never broken, unless a single column exceeds the width.

    Args:
        columns: All columns of the table, in order.
        width: The width in cells of the terminal; None for no limit.
    """
    natural = [max(_header_width(c, width), *map(cell_len, c.cells), 0) for c in columns]
    positions = list(range(len(columns)))
    if width is None or total(natural) <= width:
        return Layout(tuple(positions), tuple(natural), (), bounded=width is not None)
    minimum = [_longest_word(c) if c.folds else n for c, n in zip(columns, natural, strict=True)]
    left_out = []
    for priority in sorted({c.priority for c in columns} - {0}, reverse=True):
        if total([minimum[i] for i in positions]) <= width:
            break
        # A deviation has the priority of the mean before it, whose name stands for both.
        left_out.append(next(c.name for c in columns if c.priority == priority))
        positions = [i for i in positions if columns[i].priority != priority]
    if total([minimum[i] for i in positions]) > width:
        for i in positions:
            if columns[i].justify == "left":
                minimum[i] = min(minimum[i], NARROWEST)
        while len(positions) > 1 and total([minimum[i] for i in positions]) > width:
            left_out.append(columns[positions.pop()].name)
    if len(positions) == 1:
        minimum[positions[0]] = min(minimum[positions[0]], width)
    widths = _shrink([natural[i] for i in positions], [minimum[i] for i in positions], width)
    return Layout(tuple(positions), tuple(widths), tuple(left_out), bounded=True)


def total(widths: Sequence[int]) -> int:
    """Return the length of a line with columns of these widths."""
    return sum(widths) + len(GAP) * max(0, len(widths) - 1)


def fold(text: str, width: int) -> list[str]:
    """Wrap a text to lines of at most ``width``, between words if possible."""
    if cell_len(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = chop_cells(word, width) or [""]
        lines += whole
    return [*lines, line]


def pad(text: str, width: int, justify: Literal["left", "right"]) -> str:
    """Pad a text with spaces to ``width``."""
    spaces = " " * (width - cell_len(text))
    return text + spaces if justify == "left" else spaces + text


def _header_width(column: TextColumn, width: int | None) -> int:
    words = [column.name] if width is None else column.name.split()
    return max(map(cell_len, words), default=0)


def _longest_word(column: TextColumn) -> int:
    words = [word for text in (column.name, *column.cells) for word in text.split()]
    return min(LONGEST_WORD, max(map(cell_len, words), default=0))


def _shrink(widths: list[int], minimum: Sequence[int], width: int) -> list[int]:
    """Narrow the widest column above its minimum until a line fits."""
    while total(widths) > width:
        wide = [i for i in range(len(widths)) if widths[i] > minimum[i]]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths
