"""A budget for computing receptive fields: patterns of many positions take many steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from netbuilder.errors import ShapeError

MAX_STEPS = 1_500_000
"""Steps that the receptive fields of a network may take; a step computes the span of a position."""

_remaining: ContextVar[int | None] = ContextVar("remaining", default=None)


@contextmanager
def step_budget() -> Iterator[None]:
    """Limit the ``with`` block to `MAX_STEPS`; outside of one, steps are not limited."""
    token = _remaining.set(MAX_STEPS)
    try:
        yield
    finally:
        _remaining.reset(token)


def spend(steps: int) -> None:
    """Reduce the budget, before the work is done.

    Raises:
        ShapeError: The budget is used up.
    """
    remaining = _remaining.get()
    if remaining is None:
        return
    _remaining.set(remaining - steps)
    if remaining < steps:
        raise ShapeError(
            f"the receptive fields up to this layer take more than {MAX_STEPS:,} steps to "
            "compute, as their patterns repeat only after many positions; resample, flatten or "
            "unflatten smaller tensors, or use fewer such layers"
        )
