"""A training as a process of its own, which says where it is and lingers there.

python tests/interrupted.py PHASE ARGUMENTS...
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from netbuilder.cli import _app as cli

LINGERING = 0.7
"""Seconds that a phase is made to take beyond its own."""


def announcing(there: Callable[..., Any], *, before: float = LINGERING) -> Callable[..., Any]:
    """The same function, which says that it is entered and takes its time."""

    def entered(*arguments: Any, **named: Any) -> Any:
        print("ENTERED", flush=True)
        time.sleep(before)
        return there(*arguments, **named)

    return entered


def linger_in(phase: str) -> None:
    """Make a phase observable, and long enough to be hit."""
    from netbuilder.training import checkpoint, step
    from netbuilder.training import compile as compiling
    from netbuilder.training import trainer as session

    if phase.startswith("http"):
        from torchvision.datasets import FashionMNIST

        FashionMNIST.mirrors = [phase]
        return
    module: Any = step
    if phase == "compilation":
        real = compiling.compiled
        module.compiled = lambda forward: announcing(real(forward), before=0)
    else:
        module, name = {
            "training": (step, "augment"),
            "evaluation": (session, "evaluate"),
            "saving": (checkpoint, "write_atomic"),
        }[phase]
        setattr(module, name, announcing(getattr(module, name)))


if __name__ == "__main__":
    linger_in(sys.argv[1])
    del sys.argv[1]
    cli.main()
