"""What stands around a run on the command line: signals, what is shown, and its pictures."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import closing, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from netbuilder.tensorboard_log import TensorBoardLog
    from netbuilder.training import Finished, Record


class Stop:
    """Turns SIGINT and SIGTERM into a question that training asks after each step.

    Before there is a step, behind the last, and at a second signal, they end the process at once:
    an exception in the middle of an import would be swallowed there, or break it.
    """

    def __init__(self) -> None:
        self._idle = "stopped before the first step; nothing was trained"
        self._training = False
        self._asked = 0

    def follow(self, record: Record) -> None:
        """Take note of where the run is."""
        from netbuilder.training import Compiling, Finished, Started

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


def show_run(
    records: Generator[Record, None, None], stop: Stop, *, quiet: bool, logged: bool
) -> bool | None:
    """Show a run to its end, draw its pictures, and tell whether its targets were met."""
    from netbuilder.live import LiveRun
    from netbuilder.training import Finished
    from netbuilder.training.limits import limits

    # Closed, for a run that is not let go of cannot be taken up again.
    with (
        closing(records),
        LiveRun(plain=not sys.stdout.isatty(), quiet=quiet) as live,
        _log() if logged else nullcontext() as log,
    ):
        for record in records:
            stop.follow(record)
            live.show(record)
            if log:
                log.show(record)
            if isinstance(record, Finished):
                with limits(record.run.path, "; the run itself is recorded"):
                    _draw(record)
                met: bool | None = record.result["met"]
                return met
    raise AssertionError("a run ends with Finished or an error")


def _log() -> TensorBoardLog:
    from netbuilder.tensorboard_log import TensorBoardLog

    return TensorBoardLog()


def _draw(finished: Finished) -> None:
    from netbuilder.plots.curves import draw_curves
    from netbuilder.plots.images import Mistake, draw_mistakes
    from netbuilder.training.evaluation import WORST

    run, data, evaluation = finished.run, finished.data, finished.evaluation
    architecture = run.architecture
    title = (
        f"{architecture.name}: {architecture.title}" if architecture.title else architecture.name
    )
    target = architecture.targets.test_accuracy
    draw_curves(run.path / "curves.png", title, run.metrics, target.at_least if target else None)
    classes = data.dataset.classes
    mistakes = [
        Mistake(
            data.test_images[i].numpy(),
            classes[int(evaluation.labels[i])],
            classes[int(evaluation.guesses[i])],
            float(evaluation.confidences[i]),
        )
        for i in evaluation.worst(WORST)
    ]
    draw_mistakes(
        run.path / "misclassified.png",
        f"{title}, most confident mistakes behind the last epoch",
        mistakes,
    )
