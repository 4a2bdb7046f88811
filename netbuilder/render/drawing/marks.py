"""What a picture consists of: cards, joins, frames, wires, labels and outlines at their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from netbuilder.network.rows import Row

Place: TypeAlias = tuple[float, float]

STRIPE = 5.0
"""The width of a stripe on a slab."""

RISE = 0.7
"""How far a slab's back is above its front, relative to how far it is to the right."""


@dataclass(frozen=True)
class Slab:
    """A box in oblique projection: its front, and how far it goes back.

    Attributes:
        width: The width of the front, without stripes.
        height: The height of the front.
        back: How far the back is to the right and above; 0 for a flat slab.
        family: The family of layers that colors it.
        stripes: The families of the layers that follow, each a stripe on the right of the front.
    """

    width: float
    height: float
    back: float
    family: str
    stripes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Label:
    """A line of text.

    Attributes:
        x: The place of its anchor.
        y: The place of its baseline.
        text: The text.
        style: Its class.
        anchor: Which of its ends is at ``x``.
        family: The family of layers whose color is beside it, if any.
        number: A quiet number before the text.
        note: Quiet text after it.
    """

    x: float
    y: float
    text: str
    style: str
    anchor: str = "middle"
    family: str = ""
    number: str = ""
    note: str = ""

    def shift(self, dx: float, dy: float) -> Label:
        """Return it at another place."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Card:
    """A slab with its labels.

    Attributes:
        x: The left of the card.
        y: The axis, on which the center of the front is.
        width: The width of the card.
        above: How far the card goes above the axis.
        below: How far it goes below the axis.
        slab: The slab.
        slab_x: The left of the slab.
        labels: The labels.
        rows: The layers, for the text that a pointer shows.
        hint: The first line of that text; by default that of the layers.
    """

    x: float
    y: float
    width: float
    above: float
    below: float
    slab: Slab
    slab_x: float
    labels: tuple[Label, ...]
    rows: tuple[Row, ...]
    hint: str = ""

    def shift(self, dx: float, dy: float) -> Card:
        """Return it at another place."""
        labels = tuple(label.shift(dx, dy) for label in self.labels)
        return replace(self, x=self.x + dx, y=self.y + dy, slab_x=self.slab_x + dx, labels=labels)


@dataclass(frozen=True)
class Join:
    """The circle where branches meet, with its labels and the layers that follow."""

    x: float
    y: float
    width: float
    above: float
    below: float
    join: str
    labels: tuple[Label, ...]
    rows: tuple[Row, ...]

    def shift(self, dx: float, dy: float) -> Join:
        """Return it at another place."""
        labels = tuple(label.shift(dx, dy) for label in self.labels)
        return replace(self, x=self.x + dx, y=self.y + dy, labels=labels)


@dataclass(frozen=True)
class Border:
    """A rectangle around items."""

    x: float
    y: float
    width: float
    height: float
    style: str

    def shift(self, dx: float, dy: float) -> Border:
        """Return it at another place."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Wire:
    """A line with round corners, and with an arrowhead or not."""

    points: tuple[Place, ...]
    style: str = "wire"
    arrow: bool = False

    def shift(self, dx: float, dy: float) -> Wire:
        """Return it at another place."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


Mark = Card | Join | Border | Wire | Label


@dataclass(frozen=True)
class Piece:
    """A part of a picture; a wire enters it at the left, at (0, 0).

    Attributes:
        width: Its width.
        above: How far it goes above the entry.
        below: How far it goes below the entry.
        marks: What it consists of.
        exit: How far below the entry the wire leaves at the right.
    """

    width: float
    above: float
    below: float
    marks: tuple[Mark, ...]
    exit: float = 0.0


def shift(marks: Iterable[Mark], dx: float, dy: float) -> list[Mark]:
    """Return marks at other places."""
    return [mark.shift(dx, dy) for mark in marks]
