"""What a training shows, and what happens if nobody can read it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netbuilder.cli._output import SIGPIPE, discard, output_fault
from netbuilder.cli._signals import Stop
from netbuilder.errors import Interrupted, MachineError
from netbuilder.render.plots.run import draw_run

if TYPE_CHECKING:
    from netbuilder.render.tensorboard import TensorBoardLog
    from netbuilder.training.events import Event, Finished


@dataclass
class Screen:
    """Where runs are shown.

    Attributes:
        stop: What the training polls.
        quiet: Print one line per run.
        logged: Write the run for TensorBoard, too.
        last_line: Print the line with which a run ends.
    """

    stop: Stop
    quiet: bool
    logged: bool
    last_line: bool = True

    def show(self, events: Generator[Event, None, None]) -> Finished:
        """Show a run to its end, and draw its plots.

        If the output cannot be written, the training saves its state and stops.

        Raises:
            OSError: The output cannot be written; a run that did not finish is saved.
        """
        from netbuilder.render.progress import RunProgress
        from netbuilder.training.events import Finished

        plain = not sys.stdout.isatty()
        fault: OSError | None = None
        # Closing the generator releases the lock of the run folder.
        with (
            closing(events),
            RunProgress(plain=plain, quiet=self.quiet, last_line=self.last_line) as progress,
            _log() if self.logged else nullcontext() as log,
        ):
            try:
                for event in events:
                    self.stop.follow(event)
                    if fault is None:
                        try:
                            progress.show(event)
                        except OSError as error:
                            fault = error
                            discard(sys.stdout)
                            self.stop.request(SIGPIPE)
                    if log:
                        log.show(event)
                    if isinstance(event, Finished):
                        _draw(event)
                        break
            except Interrupted as error:
                if fault is None or isinstance(fault, BrokenPipeError):
                    raise
                raise MachineError(f"{output_fault(fault)}\n{error}") from fault
        if fault is not None:
            raise fault
        assert isinstance(event, Finished), "a run ends with Finished or an error"
        return event


def _draw(finished: Finished) -> None:
    from netbuilder.training.resources import recorded_hint, resource_errors

    with resource_errors(finished.run.path, lambda: recorded_hint(finished.run)):
        draw_run(finished)


def _log() -> TensorBoardLog:
    from netbuilder.render.tensorboard import TensorBoardLog

    return TensorBoardLog()
