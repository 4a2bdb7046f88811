"""Ctrl-C and SIGTERM during a training."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from netbuilder.training.events import Event


class Stop:
    """Handles SIGINT and SIGTERM: a training polls it after each step.

    Before the first step, after the last step and at a second signal, the process ends at once: an
    exception in the middle of an import could be swallowed or break the import.
    """

    def __init__(self) -> None:
        self._idle = "stopped before the first step; nothing was trained"
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

    def __call__(self) -> int:
        return self._signum

    def __enter__(self) -> Self:
        self._previous = {
            s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._training and not self._signum:
            self._signum = signum
            return
        message = "stopped at once; resume from the last checkpoint" if self._signum else self._idle
        os.write(2, f"{message}\n".encode())
        os._exit(128 + signum)
