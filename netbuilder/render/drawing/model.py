"""What a picture shows: blocks of layers, forks with branches, frames, repeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netbuilder._text import plural, printable
from netbuilder.components.shapes import Shape
from netbuilder.network.rows import Row
from netbuilder.render.drawing.families import FOLD, family_of
from netbuilder.render.network_text import window_text


@dataclass(frozen=True)
class Block:
    """Layers that are drawn as one slab, such as a convolution with its norm and activation.

    Attributes:
        rows: The layers; the first one gives the block its form. For a fold, the container, or the
            first and the last layer.
        layers: The number of layers of the document.
        is_fold: Whether the block stands for layers that are not listed.
        title: The first line of its label.
        note: The second line, such as the window of a convolution.
    """

    rows: tuple[Row, ...]
    layers: int
    is_fold: bool
    title: str
    note: str

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Block:
        """Return the block of a layer and its followers."""
        head = rows[0]
        return cls(tuple(rows), len(rows), False, printable(head.title), window_text(head))

    @classmethod
    def of_container(cls, row: Row, rows: Sequence[Row]) -> Block:
        """Return the block that a container is folded into; ``rows`` are those of its layers."""
        layers = sum(not child.is_container for child in rows)
        return cls((row,), layers, True, printable(row.title), plural(layers, "layer"))

    @property
    def is_stage(self) -> bool:
        """Whether the block stands for several items in sequence."""
        return self.is_fold and len(self.rows) > 1

    @property
    def family(self) -> str:
        """The family of its first layer."""
        return FOLD if self.is_fold else family_of(self.rows[0].layer)

    @property
    def followers(self) -> tuple[Row, ...]:
        """The layers after the first one."""
        return () if self.is_fold else self.rows[1:]

    @property
    def output_shape(self) -> Shape:
        """The shape of one output sample."""
        return self.rows[-1].output_shape


@dataclass(frozen=True)
class Lane:
    """A branch of a fork; without items, it is the identity."""

    name: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Fork:
    """A container with branches, which are joined.

    Attributes:
        row: The container.
        lanes: Its branches.
        followers: The layers that are drawn as a part of the join.
    """

    row: Row
    lanes: tuple[Lane, ...]
    followers: tuple[Row, ...]

    @property
    def layers(self) -> int:
        """The number of layers of the document."""
        return sum(count_layers(lane.items) for lane in self.lanes) + len(self.followers)

    @property
    def join(self) -> str:
        """How the branches are merged."""
        return str(self.row.arguments.get("join", self.row.kind))

    @property
    def is_split(self) -> bool:
        """Whether each branch takes a share of the channels."""
        return bool(self.row.arguments.get("split", False))

    @property
    def is_residual(self) -> bool:
        """Whether the second branch is a shortcut around the first one."""
        return self.row.kind == "Residual"


@dataclass(frozen=True)
class Frame:
    """A named sequence of layers."""

    row: Row
    items: tuple[Item, ...]

    @property
    def layers(self) -> int:
        """The number of layers of the document."""
        return count_layers(self.items)


@dataclass(frozen=True)
class Repeat:
    """Equal items in sequence, of which the first are drawn.

    Attributes:
        items: The items that repeat.
        count: The number of times.
        last: The last layer of the last time; its shape may differ.
        differs: Whether the arguments of their dropouts differ.
    """

    items: tuple[Item, ...]
    count: int
    last: Row
    differs: bool = False

    @property
    def layers(self) -> int:
        """The number of layers of the document."""
        return self.count * count_layers(self.items)


Item = Block | Fork | Frame | Repeat


def count_layers(items: Sequence[Item]) -> int:
    """Return the number of layers of the document that items stand for."""
    return sum(item.layers for item in items)


def count_blocks(items: Sequence[Item]) -> int:
    """Return the number of blocks that are drawn for items."""
    return sum(1 for _ in blocks_of(items))


def blocks_of(items: Sequence[Item]) -> Iterator[Block | Fork]:
    """Yield what has a label of its own: blocks, and forks for their joins."""
    for item in items:
        match item:
            case Block():
                yield item
            case Fork():
                for lane in item.lanes:
                    yield from blocks_of(lane.items)
                yield item
            case Frame() | Repeat():
                yield from blocks_of(item.items)


def named_rows(items: Sequence[Item]) -> Iterator[Row]:
    """Yield the layers that are named in blocks and joins, and the containers of forks."""
    for block in blocks_of(items):
        if isinstance(block, Fork):
            yield block.row
            yield from block.followers
        elif not block.is_fold:
            yield from block.rows


def first_row(item: Item) -> Row:
    """Return the first layer, or the container of an item."""
    match item:
        case Block():
            return item.rows[0]
        case Repeat():
            return first_row(item.items[0])
        case _:
            return item.row


def last_row(item: Item) -> Row:
    """Return the layer, or the container, whose output is that of an item."""
    match item:
        case Block():
            return item.rows[-1]
        case Fork():
            return item.followers[-1] if item.followers else item.row
        case Frame():
            return item.row
        case Repeat():
            return item.last
