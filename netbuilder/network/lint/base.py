"""What the rules of advice have in common: what they say, and what they look at."""

from __future__ import annotations

from collections.abc import Iterator

from netbuilder.components.layers.container import Container
from netbuilder.config.schema import Place
from netbuilder.network.analysis import Analysis, Row

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")


Finding = Iterator[tuple[Place, str, str]]
"""A place in the document, the reason, and what to do."""


def leaf_rows(analysis: Analysis) -> list[Row]:
    """All layers but containers, in the order of the document."""
    return [row for row in analysis.rows if not isinstance(row.layer, Container)]


def kernel_size(row: Row) -> tuple[int, ...]:
    """The kernel of a convolution; empty for all else."""
    if row.kind in CONVOLUTIONS:
        kernel: tuple[int, ...] = row.arguments["kernel_size"]
        return kernel
    return ()
