"""Pieces in sequence, broken into rows where they are too wide for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netbuilder.render.drawing.marks import Mark, Piece, Wire, shift

GAP = 14.0
"""The distance between neighbors."""

INDENT = 18.0
"""The room beside rows for the wires from one to the next."""

BETWEEN = 30.0
"""The room between rows for these wires."""


def in_rows(pieces: Sequence[Piece], width: float) -> Piece:
    """Return pieces from left to right, in rows of similar width if they exceed ``width``."""
    if not pieces:
        return Piece(0, 0, 0, ())
    rows = [_row(row) for row in _rows(pieces, width)]
    if len(rows) == 1:
        return rows[0]
    piece, end = _stack(rows)
    first = Wire(((0, 0), (INDENT, 0)))
    last = Wire(((end, piece.exit), (piece.width, piece.exit)))
    return replace(piece, marks=(first, *piece.marks, last))


def from_input_to_output(pieces: Sequence[Piece], width: float) -> Piece:
    """Return the pieces of a whole network, with an arrow after the last one."""
    rows = [_row(row) for row in _rows(pieces, width)]
    piece, end = (rows[0], rows[0].width) if len(rows) == 1 else _stack(rows)
    arrow = Wire(((end, piece.exit), (end + INDENT, piece.exit)), arrow=True)
    return replace(piece, width=max(piece.width, end + INDENT), marks=(*piece.marks, arrow))


def _rows(pieces: Sequence[Piece], width: float) -> list[list[Piece]]:
    """Return the pieces of each row, in few rows of similar width."""
    if _width(pieces) <= width:
        return [list(pieces)]
    width -= 2 * INDENT
    # For each number of pieces: the fewest rows that take them, the least sum of the squares of
    # the room that these leave, and the first piece of the last of these rows.
    costs, starts = [(0, 0.0)], [0]
    for end in range(1, len(pieces) + 1):
        best, first, length = (end + 1, 0.0), end, -GAP
        for start in reversed(range(end)):
            length += pieces[start].width + GAP
            if length > width and start < end - 1:
                break
            cost = (costs[start][0] + 1, costs[start][1] + (width - length) ** 2)
            if cost < best:
                best, first = cost, start
        costs.append(best)
        starts.append(first)
    rows, end = [], len(pieces)
    while end:
        rows.append(list(pieces[starts[end] : end]))
        end = starts[end]
    return rows[::-1]


def _width(pieces: Sequence[Piece]) -> float:
    return sum(piece.width for piece in pieces) + GAP * (len(pieces) - 1)


def _row(pieces: Sequence[Piece]) -> Piece:
    """Return pieces side by side, each entered where the one before is left."""
    marks: list[Mark] = []
    x = y = above = below = 0.0
    for position, piece in enumerate(pieces):
        if position:
            marks.append(Wire(((x, y), (x + GAP, y))))
            x += GAP
        marks += shift(piece.marks, x, y)
        above, below = max(above, piece.above - y), max(below, piece.below + y)
        x += piece.width
        y += piece.exit
    return Piece(x, above, below, tuple(marks), y)


def _stack(rows: Sequence[Piece]) -> tuple[Piece, float]:
    """Return rows below one another, with wires between them, and where the last one ends."""
    width = max(row.width for row in rows) + 2 * INDENT
    marks: list[Mark] = []
    y = 0.0
    for position, row in enumerate(rows):
        marks += shift(row.marks, INDENT, y)
        end, y_end = INDENT + row.width, y + row.exit
        if position + 1 == len(rows):
            break
        between = y + row.below + BETWEEN / 2
        y += row.below + BETWEEN + rows[position + 1].above
        right, left = end + INDENT - 4, 4.0
        corners = ((right, y_end), (right, between), (left, between), (left, y))
        marks.append(Wire(((end, y_end), *corners, (INDENT, y)), "return"))
    return Piece(width, rows[0].above, y + row.below, tuple(marks), y_end), end
