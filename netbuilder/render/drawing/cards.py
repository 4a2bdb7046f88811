"""Slabs with their labels, and frames with their titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netbuilder.network.rows import Row
from netbuilder.render.drawing.fonts import SMALL, TITLE, shorten, text_width
from netbuilder.render.drawing.marks import (
    RISE,
    STRIPE,
    Border,
    Card,
    Label,
    Mark,
    Piece,
    Slab,
    Wire,
    shift,
)

LINE = 15.0
"""The distance between lines of text."""

WIDEST_LABEL = 170.0
WIDEST_TITLE = 124.0
"""The width above which the note of a title is on a line of its own."""

SWATCH = 11.0
"""The room that the color beside a label takes."""

SIDE = 4.0
"""The margin at the left and at the right of a card."""

PAD = 10.0
"""The margin in a frame."""


@dataclass(frozen=True)
class Line:
    """A line of text, as `Label` without a place."""

    text: str
    style: str
    family: str = ""
    number: str = ""
    note: str = ""

    @property
    def width(self) -> float:
        """The width of the line."""
        bold = self.style == "title"
        width = text_width(self.text, TITLE if bold else SMALL, bold=bold)
        width += SWATCH if self.family else 0
        others = [f" {part}" for part in (self.number, self.note) if part]
        return width + text_width("".join(others), SMALL)

    def shorten(self, width: float = WIDEST_LABEL) -> Line:
        """Return the line without the end of a text that is too long."""
        bold = self.style == "title"
        return replace(self, text=shorten(self.text, TITLE if bold else SMALL, width, bold=bold))

    def label(self, x: float, y: float) -> Label:
        """Return the line at a place."""
        number, note = self.number, self.note
        return Label(x, y, self.text, self.style, "middle", self.family, number, note)


def card(slab: Slab, shape: str, lines: Sequence[Line], rows: tuple[Row, ...], hint: str) -> Card:
    """Return a slab with its shape above and its lines below."""
    front = slab.width + STRIPE * len(slab.stripes)
    lines = [line.shorten() for line in lines]
    widths = [text_width(shape, SMALL), *(line.width for line in lines)]
    width = max(front + slab.back, *widths) + 2 * SIDE
    center, top = width / 2, -slab.height / 2 - slab.back * RISE
    labels, y = [Label(center, top - 6, shape, "shape")], slab.height / 2 + LINE + 1
    for line in lines:
        if line.family:  # the color and the text are centered together
            left = center - line.width / 2 + SWATCH
            labels.append(replace(line.label(left, y), anchor="start"))
        else:
            labels.append(line.label(center, y))
        y += LINE
    return Card(
        0, 0, width, 18 - top, y - LINE + 6, slab, center - (front + slab.back) / 2,
        tuple(labels), rows, hint,
    )  # fmt: skip


def with_wires(card: Card, *, first: bool = False) -> Piece:
    """Return a card with the wires that lead to and from its slab."""
    middle = card.slab_x + card.slab.width / 2
    wires = [] if first else [Wire(((0, 0), (card.slab_x, 0)), arrow=True)]
    wires.append(Wire(((middle, 0), (card.width, 0))))
    return Piece(card.width, card.above, card.below, (*wires, card))


def with_frame(content: Piece, title: Line, style: str) -> Piece:
    """Return a piece in a frame with a title."""
    width = max(content.width, title.width) + 2 * PAD
    above, below = content.above + LINE + 8, content.below + 6
    marks: list[Mark] = [
        Border(0, -above, width, above + below, style),
        replace(title.label(PAD, -above + LINE + 1), anchor="start"),
        Wire(((0, 0), (PAD, 0))),
        *shift(content.marks, PAD, 0),
        Wire(((PAD + content.width, content.exit), (width, content.exit))),
    ]
    return Piece(width, above + 2, below + 2, tuple(marks), content.exit)
