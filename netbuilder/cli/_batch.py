"""Several trainings in turn: how each ended, and what that means for all."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from netbuilder._text import printable
from netbuilder.cli._output import echo, echo_error
from netbuilder.errors import ConfigError, Diverged, Interrupted, NetbuilderError

if TYPE_CHECKING:
    from netbuilder.cli._signals import Stop
    from netbuilder.training.events import Finished


@dataclass(frozen=True)
class Ending:
    """How the training of a document ended: in words, and as an exit code."""

    text: str
    code: int = 0


def ending_of(finished: Finished) -> Ending:
    """Return how a finished run ended."""
    from netbuilder.render.progress import missed_targets

    result = finished.result
    words = "finished" if not result.targets else "targets met" if result.met else "not judged"
    best = f"best test accuracy {result.best.test_accuracy:.2f} in epoch {result.best.epoch}"
    parts = [*(missed_targets(result) or [words]), best, str(finished.run.path)]
    return Ending("; ".join(parts), int(result.met is False))


def ending_by(error: NetbuilderError) -> Ending:
    """Return how a run ended by an error."""
    first = str(error).split("\n")[0]
    match error:
        case Interrupted():
            return Ending(first, error.exit_code)
        case Diverged():
            return Ending(f"diverged: {first}", error.exit_code)
        case ConfigError():
            return Ending(f"refused: {first}", error.exit_code)
    return Ending(f"failed: {first}", error.exit_code)


class Batch:
    """Trains documents in turn; one that fails does not end the others, but a signal ends all.

    The last lines list how each ended.
    """

    def __init__(self, documents: Sequence[Path], stop: Stop, *, quiet: bool) -> None:
        self._documents, self._stop, self._quiet = documents, stop, quiet
        self._endings: dict[Path, Ending] = {}
        self._current: Path | None = None
        stop.last_lines = self._last_lines

    def fail(self, document: Path, error: NetbuilderError) -> None:
        """Report the error that ends the training of a document."""
        echo_error(error)
        self._end(document, ending_by(error))

    def run(self, train: Callable[[Path], Finished]) -> None:
        """Train each document that has not failed before.

        Raises:
            typer.Exit: A document failed or was not reached; the exit code is the worst of all,
                3 before 2 before 1, or that of the signal.
        """
        for document in self._documents:
            if document in self._endings:
                continue
            self._current = document
            try:
                self._end(document, ending_of(train(document)))
            except NetbuilderError as error:
                self.fail(document, error)
                if self._stop():  # also if the state could not be saved
                    self._list()
                    raise typer.Exit(error.exit_code) from None
            except (OSError, typer.Exit):  # nobody reads the output
                raise
            except Exception as error:  # a fault of the program, which the others may not have
                traceback.print_exc()
                self._end(document, Ending(f"failed: {type(error).__name__}: {error}", 1))
            self._current = None
            self._stop.idle()
        self._list()
        if code := max(ending.code for ending in self._endings.values()):
            raise typer.Exit(code)

    def _end(self, document: Path, ending: Ending) -> None:
        self._endings[document] = ending
        if self._quiet:
            echo(self._line(document))

    def _line(self, document: Path) -> str:
        ending = self._endings.get(document)
        rest = "stopped" if document == self._current else "not trained"
        return printable(f"{document}: {ending.text if ending else rest}")

    def _lines(self) -> list[str]:
        """Return the lines that are not printed yet."""
        printed = self._endings if self._quiet else ()
        return [self._line(document) for document in self._documents if document not in printed]

    def _list(self) -> None:
        if not self._quiet:
            print()
        for line in self._lines():
            echo(line)

    def _last_lines(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())
