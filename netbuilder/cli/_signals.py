"""Ctrl-C and SIGTERM during a training."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from netbuilder.training.events import Event


class Stop:
    """Turns SIGINT and SIGTERM into a question that training asks after each step.

    Before there is a step, behind the last, and at a second signal, they end the process at once:
    an exception in the middle of an import would be swallowed there, or break it.
    """

    def __init__(self) -> None:
        self._idle = "stopped before the first step; nothing was trained"
        self._training = False
        self._asked = 0

    def follow(self, record: Event) -> None:
        """Take note of where the run is."""
        from netbuilder.training.events import Compiling, Finished, Started

        # Compiling may take longer than anybody waits, and loses nothing.
        self._training = not isinstance(record, Finished | Started | Compiling)
        if isinstance(record, Finished):
            self._idle = "stopped behind the last epoch; the run is recorded"
        elif isinstance(record, Compiling):
            self._idle = f"stopped before the first step of epoch {record.epoch}; nothing is lost"
        elif isinstance(record, Started):
            self._idle = "stopped before the first step of this session; nothing is lost"

    def __call__(self) -> int:
        return self._asked

    def __enter__(self) -> Self:
        self._before = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._training and not self._asked:
            self._asked = signum
            return
        said = "stopped at once; go on from the last checkpoint" if self._asked else self._idle
        os.write(2, f"{said}\n".encode())
        os._exit(128 + signum)
