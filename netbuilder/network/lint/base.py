"""The parts shared by all lint rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netbuilder.components.kind_groups import CONVOLUTIONS
from netbuilder.components.layers.container import Container
from netbuilder.config.schema import Place
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.network.targets import Epoch


@dataclass(frozen=True)
class Evidence:
    """Measurements of the network that a document describes.

    Attributes:
        metrics: The epochs of its last run.
        diverged_at: The learning rate at which its LR range test diverged.
        suggestion: The learning rate that its LR range test suggests.
    """

    metrics: Sequence[Epoch] = ()
    diverged_at: float | None = None
    suggestion: float | None = None


class Finding(NamedTuple):
    """One result of a rule: a place in the document, the reason, and what to do."""

    place: Place
    reason: str
    remedy: str


Check = Callable[[Analysis, Evidence], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """A lint rule.

    Attributes:
        id: The name of the rule in the output of ``check --format json``.
        check: Yields the findings of the rule.
    """

    id: str
    check: Check


def leaf_rows(analysis: Analysis) -> list[Row]:
    """All layers except containers, in the order of the document."""
    return [row for row in analysis.rows if not isinstance(row.layer, Container)]


def kernel_size(row: Row) -> tuple[int, ...]:
    """The kernel size of a convolution; empty for other layers."""
    if row.kind in CONVOLUTIONS:
        kernel: tuple[int, ...] = row.arguments["kernel_size"]
        return kernel
    return ()
