"""How many examples a property is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import settings

Test = TypeVar("Test", bound=Callable[..., None])
_selected = {"long": False}


def select_long() -> None:
    """Make properties long, where ``-m`` selects long tests; called before they are defined."""
    _selected["long"] = True


def examples(few: int, many: int, parent: settings | None = None) -> Callable[[Test], Test]:
    """Settings of a property: ``few`` examples by default, ``many`` as a test that is long."""
    limited = settings(parent, max_examples=many if _selected["long"] else few)

    def apply(test: Test) -> Test:
        return limited(pytest.mark.long(test) if _selected["long"] else test)

    return apply
