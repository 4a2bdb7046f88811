"""Train in a separate process that reports a phase and waits in it.

python tests/helpers/interrupted.py PHASE ARGUMENTS...

It prints ENTERED when it reaches the phase, continues at a line on its standard input or at its
end, and prints HANDLED after each signal that does not end it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from netbuilder.cli import _app as cli


def waiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same function, which reports each call and waits before it."""

    def entered(*arguments: Any, **keywords: Any) -> Any:
        print("ENTERED", flush=True)
        sys.stdin.readline()
        return function(*arguments, **keywords)

    return entered


def wait_in(phase: str) -> None:
    """Wait at each start of a phase."""
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
        module.compiled = lambda forward: waiting(real(forward))
    else:
        module, name = {
            "training": (step, "augment"),
            "evaluation": (session, "evaluate"),
            "saving": (checkpoint, "write_atomic"),
        }[phase]
        setattr(module, name, waiting(getattr(module, name)))


def report_signals() -> None:
    """Report each signal once its handler has returned."""
    register = signal.signal

    def reporting(signum: int, handler: Any) -> Any:
        def handle(number: int, frame: Any) -> None:
            handler(number, frame)
            os.write(1, b"HANDLED\n")

        return register(signum, handle if callable(handler) else handler)

    signal.signal = reporting  # type: ignore[assignment]  # the same, but for its types


if __name__ == "__main__":
    wait_in(sys.argv[1])
    report_signals()
    del sys.argv[1]
    cli.main()
