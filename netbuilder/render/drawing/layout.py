"""Where everything of a picture is: items from left to right, branches one above another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log2, sqrt

from netbuilder._text import printable
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.render.drawing.cards import (
    LINE,
    PAD,
    SWATCH,
    WIDEST_LABEL,
    WIDEST_TITLE,
    Line,
    card,
    with_frame,
    with_wires,
)
from netbuilder.render.drawing.families import INPUT, family_of
from netbuilder.render.drawing.fonts import SMALL, TITLE, shorten, text_width
from netbuilder.render.drawing.marks import Join, Label, Mark, Piece, Slab, Wire, shift
from netbuilder.render.drawing.model import (
    Block,
    Fork,
    Frame,
    Item,
    Lane,
    Repeat,
    first_row,
    last_row,
)
from netbuilder.render.drawing.rows import from_input_to_output, in_rows

LEAD = 20.0
"""The room in which a wire splits into branches, before their first items."""

BETWEEN_LANES = 14.0
RADIUS = 10.0
"""The radius of the circle of a join."""


class Layout:
    """Places the items of one network.

    Args:
        shapes: The shapes of all samples of the network, whose largest is drawn the largest.
        width: The width that rows of items should fit.
    """

    def __init__(self, shapes: Sequence[Shape], width: float) -> None:
        self._largest = max(max(shape[1:], default=1) for shape in shapes)
        self._width = width

    # --- slabs -----------------------------------------------------------------------------------

    def slab(self, shape: Shape, family: str, followers: Sequence[str] = ()) -> Slab:
        """Return the slab of a sample.

        Its height and depth follow the last two spatial axes, its width the channels.
        """
        sizes = shape[1:]
        width = min(84.0, 8.0 + 5.5 * log2(1 + shape[0]))
        tall = sizes[-2] if len(sizes) > 1 else sizes[0] if sizes else 1
        height = 16.0 + 56.0 * self._share(tall)
        back = 3.0 + 15.0 * self._share(sizes[-1]) if len(sizes) > 1 else 0.0
        return Slab(width, height, back, family, tuple(followers))

    def _share(self, size: int) -> float:
        """Return a size between 0 and 1; half of it still is a good part."""
        return sqrt((size - 1) / max(1, self._largest - 1))

    def input(self, shape: Shape) -> Piece:
        """Return the slab of the input."""
        slab = self.slab(shape, INPUT)
        hint = f"input: {format_shape(shape)}"
        lines = [Line("input", "title")]
        return with_wires(card(slab, format_shape(shape), lines, (), hint), first=True)

    # --- items -----------------------------------------------------------------------------------

    def items(self, items: Sequence[Item], width: float | None = None) -> Piece:
        """Return items in sequence, in as many rows as they need."""
        width = self._width if width is None else width
        return in_rows([self.item(item, width) for item in items], width)

    def whole(self, shape: Shape, items: Sequence[Item]) -> Piece:
        """Return the input and all items, each with its number in the document."""
        pieces = [self.item(item, self._width, is_outermost=True) for item in items]
        return from_input_to_output([self.input(shape), *pieces], self._width)

    def item(self, item: Item, width: float, *, is_outermost: bool = False) -> Piece:
        """Return one item, which should fit a width."""
        number = _numbers(item) if is_outermost else ""
        match item:
            case Block():
                return self._block(item, number)
            case Fork():
                return self._fork(item, number, width)
            case Frame(items=(Repeat() as repeat,)):
                title = Line(printable(item.row.title), "title", number=number)
                return self._repeat(repeat, title, width)
            case Frame():
                content = self.items(item.items, width - 2 * PAD)
                title = Line(printable(item.row.title), "title", number=number)
                title = title.shorten(max(WIDEST_LABEL, content.width - 40))
                return with_frame(content, title, "frame")
            case Repeat():
                return self._repeat(item, Line("", "title", number=number), width)

    def _block(self, block: Block, number: str) -> Piece:
        followers = [family_of(row.layer) for row in block.followers]
        slab = self.slab(block.output_shape, block.family, followers)
        title = Line(block.title, "title", number=number, note=block.note)
        lines = [title]
        if block.note and title.width > WIDEST_TITLE:
            lines = [replace(title, note=""), Line(block.note, "note")]
        pairs = zip(block.followers, followers, strict=True)
        lines += [Line(printable(row.title), "part", family) for row, family in pairs]
        hint = f"{block.title}: {block.note}" if block.is_stage else ""
        return with_wires(card(slab, format_shape(block.output_shape), lines, block.rows, hint))

    def _repeat(self, repeat: Repeat, title: Line, width: float) -> Piece:
        """Return the items that repeat, in a frame whose title ends with how often they do."""
        times = f"× {repeat.count}"
        last = last_row(repeat.items[-1])
        if last.output_shape != repeat.last.output_shape:
            times += f", to {format_shape(repeat.last.output_shape)}"
        if repeat.differs:
            times += ", dropout differs"
        names, items = [title.text], repeat.items
        if len(items) == 1 and isinstance(frame := items[0], Frame):
            names.append(printable(frame.row.title))
            items = frame.items
        name = shorten(": ".join(filter(None, names)), TITLE, WIDEST_LABEL, bold=True)
        title = replace(title, text=f"{name} {times}".lstrip())
        return with_frame(self.items(items, width - 2 * PAD), title, "repeat")

    # --- forks -----------------------------------------------------------------------------------

    def _fork(self, fork: Fork, number: str, width: float) -> Piece:
        lanes = [self._lane(fork, lane, width) for lane in fork.lanes]
        widest = max(lane.width for lane in lanes)
        offsets = _residual_offsets(lanes) if fork.is_residual else _parallel_offsets(lanes)
        lead = LEAD
        marks: list[Mark] = []
        if fork.is_split:
            lead += text_width("split", SMALL) + 6
            marks.append(Label(2, -5, "split", "note", "start"))
        join = self._join(fork, number, lead + widest)
        center = join.x + RADIUS
        trunk = lead - LEAD + 8
        for lane, y in zip(lanes, offsets, strict=True):
            marks.append(Wire(((0, 0), (trunk, 0), (trunk, y), (lead, y))))
            marks += shift(lane.marks, lead, y)
            end = y + lane.exit
            marks.append(Wire(((lead + lane.width, end), (center, end), (center, 0))))
        total = join.x + join.width
        marks += [Wire(((center, 0), (total, 0))), join]
        above = max(join.above, *(lane.above - y for lane, y in zip(lanes, offsets, strict=True)))
        below = max(join.below, *(lane.below + y for lane, y in zip(lanes, offsets, strict=True)))
        return Piece(total, above, below, tuple(marks))

    def _lane(self, fork: Fork, lane: Lane, width: float) -> Piece:
        """Return a branch, with its name above its first wire."""
        name = "" if fork.is_residual and lane.name == "body" else lane.name
        if not lane.items and not fork.is_residual:
            name = f"{name}: identity"
        name = shorten(name, SMALL, WIDEST_LABEL)
        room = text_width(name, SMALL) + 8 if name else 0.0
        label = [Label(0, -5, name, "note", "start")] if name else []
        if not lane.items:
            return Piece(room, 16, 8, (Wire(((0, 0), (room, 0))), *label))
        content = self.items(lane.items, max(240.0, width - room - 2 * LEAD - 60))
        marks = [Wire(((0, 0), (room, 0))), *shift(content.marks, room, 0), *label]
        above = max(content.above, 18.0)
        return Piece(room + content.width, above, content.below, tuple(marks), content.exit)

    def _join(self, fork: Fork, number: str, x: float) -> Join:
        """Return the join of a fork; its labels are on the right of the wires that meet there."""
        left, text_x = x + 10, x + 10 + RADIUS + 7
        lines = [Line(fork.join, "part", number=number)]
        lines += [
            Line(printable(row.title), "part", family_of(row.layer)) for row in fork.followers
        ]
        lines = [line.shorten() for line in lines]
        shape = format_shape(last_row(fork).output_shape)
        labels, y = [Label(text_x, -RADIUS - 5, shape, "shape", "start")], RADIUS + LINE
        for line in lines:
            start = text_x + (SWATCH if line.family else 0)
            labels.append(replace(line.label(start, y), anchor="start"))
            y += LINE
        widths = [text_width(shape, SMALL), *(line.width for line in lines)]
        width = RADIUS + 7 + max(widths) + 4
        rows = (fork.row, *fork.followers)
        return Join(left, 0, width, RADIUS + 18, y - LINE + 6, fork.join, tuple(labels), rows)


def _numbers(item: Item) -> str:
    """Return the path of an outermost item, or the numbers of the first and the last of several."""
    if not (isinstance(item, Repeat) or (isinstance(item, Block) and item.is_stage)):
        return first_row(item).path
    first, last = (row.path.partition(".")[0] for row in (first_row(item), last_row(item)))
    return first if first == last else f"{first}–{last}"


def _residual_offsets(lanes: Sequence[Piece]) -> list[float]:
    """Return the places of the body, which is on the axis, and of the shortcut above it."""
    body, shortcut = lanes
    return [0.0, -(body.above + BETWEEN_LANES + shortcut.below)]


def _parallel_offsets(lanes: Sequence[Piece]) -> list[float]:
    """Return the places of branches below one another, with the axis in the middle one."""
    offsets, y = [], 0.0
    for lane in lanes:
        offsets.append(y + lane.above)
        y += lane.above + lane.below + BETWEEN_LANES
    count = len(offsets)
    middle = (offsets[(count - 1) // 2] + offsets[count // 2]) / 2
    return [offset - middle for offset in offsets]
