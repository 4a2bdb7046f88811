"""Ctrl-C, SIGTERM and SIGHUP: a command ends at once, a training after its next step.

To end at once is to end inside the handler. An exception in the middle of an import, a compilation
or an export could be swallowed, or break what it interrupts.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from netbuilder.runs.run import Run
    from netbuilder.training.events import Event

Handler = Callable[[int, FrameType | None], None]

HANGUP = getattr(signal, "SIGHUP", None)
"""The signal of a terminal that closes; Windows has none."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, *([HANGUP] if HANGUP else []))

SHOW_CURSOR = b"\x1b[?25h"
"""Escape sequence that shows the cursor, which a progress bar hides."""


@contextmanager
def end_at_once() -> Iterator[None]:
    """Let each signal end the process, with its number plus 128 as exit code."""
    with _handled_by(lambda signum, frame: end(signum)):
        yield


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    previous = {
        number: signal.signal(number, handler)
        for number in SIGNALS
        if number != HANGUP or signal.getsignal(number) != signal.SIG_IGN  # which nohup ignores
    }
    try:
        yield
    finally:
        for number, earlier in previous.items():
            signal.signal(number, earlier)


def end(signum: int, error: str = "", output: str = "") -> None:
    """End the process inside a handler: remove its temporary files, and print last lines."""
    # Not an import, which the signal may have interrupted.
    if temporary := sys.modules.get("netbuilder._files.temporary"):
        with suppress(Exception):
            temporary.remove_own()
    with suppress(OSError):
        if os.isatty(1):
            os.write(1, SHOW_CURSOR)
    for descriptor, text in ((2, error), (1, output)):
        with suppress(OSError):
            os.write(descriptor, text.encode(errors="backslashreplace"))
    os._exit(128 + signum)


class Stop:
    """Handles the signals during a training, which polls it after each step.

    Before the first step, after the last step and at a second signal, the process ends at once.

    Attributes:
        last_lines: Returns what to print at the end of a process that ends at once.
    """

    def __init__(self) -> None:
        self.last_lines: Callable[[], str] = lambda: ""
        self._idle = "stopped before the first step; nothing was trained"
        self._run: Run | None = None
        self._training = False
        self._signum = 0

    def follow(self, event: Event) -> None:
        """Note the state of the run."""
        from netbuilder.training.events import Compiling, Finished, Started

        # Compiling can take long, and stopping it loses nothing.
        self._training = not isinstance(event, Finished | Started | Compiling)
        if isinstance(event, Finished):
            self._idle = "stopped after the last epoch; the run is recorded"
        elif isinstance(event, Compiling):
            self._idle = f"stopped before the first step of epoch {event.epoch}; nothing is lost"
        elif isinstance(event, Started):
            self._idle = "stopped before the first step of this session; nothing is lost"
            self._run = event.run

    def idle(self) -> None:
        """Note that no run is being trained: the last one ended, the next one has not begun."""
        self._training, self._run = False, None
        self._idle = "stopped between two runs; nothing is lost"

    def request(self, signum: int) -> None:
        """Let the training save its state and stop, as at a signal."""
        self._signum = self._signum or signum

    def __call__(self) -> int:
        return self._signum

    def __enter__(self) -> Self:
        self._handling = _handled_by(self._handle)
        self._handling.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._handling.__exit__(None, None, None)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._training and not self._signum:
            self._signum = signum
            return
        message = "stopped at once; resume from the last checkpoint" if self._signum else self._idle
        if self._run is not None and not self._run.path.is_dir():
            message = f"stopped at once; {self._run.path} was deleted or renamed"
        end(signum, f"{message}\n", self.last_lines())
