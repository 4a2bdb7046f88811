"""The items of a picture, in sequence, from the rows of an analysis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from netbuilder.components.layers.container import Branch, Container
from netbuilder.network.rows import Row
from netbuilder.render.drawing.families import FOLLOWERS, family_of
from netbuilder.render.drawing.model import Block, Fork, Frame, Item, Lane

REPEAT = r"Repeat \d+"
"""The name of a sequence that comes from a Repeat; a picture shows it where layers are equal."""

MOST_FOLLOWERS = 4
"""Norms, activations and dropouts that one block takes."""


def chain_of(rows: Sequence[Row], depth: int | None) -> tuple[Item, ...]:
    """Return the items of layers in sequence.

    Args:
        rows: Their rows, each container before its layers.
        depth: Containers at this depth are folded into one block.
    """
    return _group(list(_parts(rows, depth)))


def _parts(rows: Sequence[Row], depth: int | None) -> Iterator[Row | Item]:
    """Yield the single layers and containers of a sequence."""
    for row, below in _siblings(rows):
        if not isinstance(row.layer, Container):
            yield row
        elif is_sequence(row.layer):
            parts = list(_parts(below, depth))
            items = _group(parts)
            if len(items) == 1 and isinstance(items[0], Block):
                yield from parts  # a frame around a single block says nothing
            elif row.depth == depth:
                yield Block.of_container(row, below)
            elif row.title == row.kind or not items or re.fullmatch(REPEAT, row.title):
                yield from parts
            else:
                [inner] = items if len(items) == 1 else [None]
                yield Frame(row, inner.items if isinstance(inner, Frame) else items)
        elif row.depth == depth:
            yield Block.of_container(row, below)
        else:
            yield from _fork(row, row.layer, below, depth)


def is_sequence(layer: Container) -> bool:
    """Whether a container has a single branch and no merge of its own."""
    return len(layer.child_branches()) == 1 and not layer.allocates_output


def _siblings(rows: Sequence[Row]) -> Iterator[tuple[Row, Sequence[Row]]]:
    """Yield each outermost row with the rows of its layers."""
    position = 0
    while position < len(rows):
        row = rows[position]
        end = position + 1 + row.descendants
        yield row, rows[position + 1 : end]
        position = end


def _fork(
    row: Row, layer: Container, below: Sequence[Row], depth: int | None
) -> Iterator[Row | Item]:
    position = 0

    def take(branch: Branch) -> Sequence[Row]:
        nonlocal position
        start = position
        for _ in branch.layers:
            position += 1 + below[position].descendants
        return below[start:position]

    lanes = []
    for branch in layer.child_branches():
        items = chain_of(take(branch), depth)
        if len(items) == 1 and isinstance(items[0], Frame):
            items = items[0].items  # the lane is its frame
        lanes.append(Lane(branch.name, items))
    fork = Fork(row, tuple(lanes), ())
    tail = layer.tail()
    yield fork
    if tail:
        yield from _parts(take(tail), depth)


def _group(parts: Sequence[Row | Item]) -> tuple[Item, ...]:
    """Return items in which each layer has its norms, activations and dropouts."""
    items: list[Item] = []
    rows: list[Row] = []

    def close() -> None:
        if rows:
            items.append(Block.of_rows(rows))
            rows.clear()

    for part in parts:
        if not isinstance(part, Row):
            close()
            items.append(part)
        elif not _may_follow(part):
            close()
            rows.append(part)
        elif rows and len(rows) <= MOST_FOLLOWERS:
            rows.append(part)
        elif not rows and items and isinstance(fork := items[-1], Fork) and _has_place(fork):
            items[-1] = Fork(fork.row, fork.lanes, (*fork.followers, part))
        else:
            close()
            rows.append(part)
    close()
    return tuple(items)


def _has_place(fork: Fork) -> bool:
    return len(fork.followers) < MOST_FOLLOWERS


def _may_follow(row: Row) -> bool:
    return family_of(row.layer) in FOLLOWERS and row.input_shape == row.output_shape
