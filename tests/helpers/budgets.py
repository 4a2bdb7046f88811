"""The number of examples that a property is checked with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import settings

Test = TypeVar("Test", bound=Callable[..., None])
_selected = {"long": False}


def select_long() -> None:
    """Give properties all examples, because ``-m`` selects long tests; call this before imports."""
    _selected["long"] = True


def examples(few: int, many: int, parent: settings | None = None) -> Callable[[Test], Test]:
    """Run a property with ``few`` examples by default and with ``many`` as a long test."""
    limited = settings(parent, max_examples=many if _selected["long"] else few)

    def apply(test: Test) -> Test:
        return limited(pytest.mark.long(test) if _selected["long"] else test)

    return apply
