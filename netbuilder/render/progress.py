"""Print the progress of a run: a bar on a terminal, one line per epoch, then the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from netbuilder._text import printable
from netbuilder.render.console import show, stdout
from netbuilder.render.table import Cell, Column, Table
from netbuilder.render.verdict import measured_text, verdict_cell
from netbuilder.runs.records import Environment, EpochRecord, RunResult
from netbuilder.training.events import EpochEnded, Event, Finished, Started, Stepped

if TYPE_CHECKING:
    from netbuilder.training.evaluation import LabeledPredictions

HEADER = "epoch   train loss   train acc   test loss   test acc   learning rate   seconds"

REFRESH_SECONDS = 0.1


class RunProgress:
    """Print the events of one run to stdout; a context manager that stops the bar.

    Args:
        plain: Print no colors and no bar.
        quiet: Print one line per run.
        last_line: Print the line with which the run ends.
    """

    def __init__(self, *, plain: bool, quiet: bool = False, last_line: bool = True) -> None:
        self._console = console = stdout(plain=plain)
        self._last_line = last_line
        self._plain = plain
        self._quiet = quiet
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps  {task.fields[speed]:,.0f} images/s "),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or plain,
        )
        self._steps_per_epoch = 0
        self._batch = 0
        self._last_refresh = 0.0
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._bar.stop()
        except OSError:  # the terminal is closed, which must not hide how the run ended
            if error[0] is None:
                raise

    def show(self, event: Event) -> None:
        """Print an event."""
        match event:
            case Stepped():
                self._advance(event)
            case Started():
                self._start(event)
            case EpochEnded():
                self._print(epoch_row(event.metrics, best=event.best))
            case Finished():
                self._bar.stop()
                if not self._quiet and (event.result.targets or event.result.published):
                    show(verdict_table(event.result), plain=self._plain)
                if self._last_line:
                    text = closing_line(event.result, event.run.path, missed=self._quiet)
                    self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _print(self, text: str | Text) -> None:
        if not self._quiet:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _start(self, started: Started) -> None:
        config = started.analysis.architecture.trained
        self._steps_per_epoch, self._batch = started.steps_per_epoch, config.batch_size
        self._print(opening_line(started.environment, started.run.path))
        lines = [f"note: {note}" for note in started.notes]
        lines += [f"warning: {warning}" for warning in started.warnings]
        for line in lines:
            self._console.print(Text(printable(line), style="yellow"), soft_wrap=True)
        self._print(Text(HEADER, style="bold"))
        for number, metrics in enumerate(started.progress.history):
            before = started.progress.history[:number]
            best = all(metrics.test_accuracy > m.test_accuracy for m in before)
            self._print(epoch_row(metrics, best=best))
        done = started.progress.epoch * started.steps_per_epoch + started.progress.step
        self._bar.add_task(
            "train",
            total=config.epochs * started.steps_per_epoch,
            completed=done,
            epoch=started.progress.epoch + 1,
            speed=0.0,
        )

    def _advance(self, stepped: Stepped) -> None:
        now = perf_counter()
        if self._bar.disable or now - self._last_refresh < REFRESH_SECONDS:
            return
        self._last_refresh = now
        done = (stepped.epoch - 1) * self._steps_per_epoch + stepped.step
        if self._first is None:
            self._first = (now, done)
        elapsed = now - self._first[0]
        speed = (done - self._first[1]) * self._batch / elapsed if elapsed else 0.0
        [task] = self._bar.task_ids
        self._bar.update(task, completed=done, epoch=stepped.epoch, speed=speed)


def epoch_row(metrics: EpochRecord, *, best: bool) -> str:
    """Return the line of an epoch under `HEADER`; a star marks the best so far."""
    return (
        f"{metrics.epoch:>5}{metrics.train_loss:>13.4f}{metrics.train_accuracy:>12.2f}"
        f"{metrics.test_loss:>12.4f}{metrics.test_accuracy:>11.2f}"
        f"{metrics.learning_rate:>16.6f}{metrics.seconds:>10.1f}{'  *' if best else ''}"
    )


VERDICTS: tuple[Column[tuple[Cell, ...]], ...] = (
    Column("metric", itemgetter(0), justify="left"),
    Column("expected", itemgetter(1), justify="left", folds=True),
    Column("value", itemgetter(2)),
    Column("verdict", itemgetter(3), justify="left", folds=True),
)


def verdict_table(result: RunResult) -> Table[tuple[Cell, ...]]:
    """Return one row per target with its verdict, then one row per published value."""
    rows = []
    for verdict in result.targets:
        name, value = verdict.target, verdict.value
        text = "–" if value is None else measured_text(name, value, verdict.left)
        rows.append(
            (
                Cell(name.replace("_", " ")),
                Cell(verdict.bound),
                Cell(value, text),
                verdict_cell(verdict.met, verdict.reason),
            )
        )
    values = {
        "parameters": result.parameters,
        "train_accuracy": result.best_train_accuracy,
        "test_accuracy": result.best.test_accuracy,
    }
    for name, published in result.published.items():
        label = name.replace("_", " ").replace("train", "best train").replace("test", "best test")
        required = f"published {measured_text(name, published)}"
        measured = Cell(values[name], measured_text(name, values[name]))
        rows.append((Cell(label), Cell(required), measured, Cell("")))
    return Table(VERDICTS, rows, hint="a wider terminal shows all")


def opening_line(environment: Environment, path: Path) -> str:
    """Return data, precision, device, seed and folder of a run, in one line."""
    data = environment.data
    notes = "".join(f", {note}" for note in (environment.compile, environment.graph) if note)
    streamed = f", streamed, {data.streamed}" if data.streamed else ""
    return printable(
        f"{data.train or 0:,} images to train and {data.test or 0:,} to test from {data.kind}"
        f"{streamed}; {environment.precision} on {environment.device}{notes}, "
        f"seed {environment.seed}; {path}"
    )


def closing_line(result: RunResult, path: Path, *, missed: bool = False) -> str:
    """Return the best and last accuracy of a finished run and its folder, in one line.

    Args:
        result: The result.
        path: The run folder.
        missed: Name the targets that are not met, too.
    """
    best, last = result.best, result.last
    targets = "".join(f"{target}; " for target in missed_targets(result)) if missed else ""
    return printable(
        f"best test accuracy {best.test_accuracy:.2f} in epoch {best.epoch}, last "
        f"{last.test_accuracy:.2f}; {targets}{result.seconds:.0f} s; {path}"
    )


def missed_targets(result: RunResult) -> list[str]:
    """Return each target that is not met, with its bound and the measured value."""
    return [
        f"not met: {verdict.target.replace('_', ' ')} {verdict.bound}, "
        f"found {measured_text(verdict.target, verdict.value, verdict.left)}"
        for verdict in result.targets
        if verdict.met is False and verdict.value is not None
    ]


def evaluation_table(evaluation: LabeledPredictions, classes: Sequence[str]) -> Table[int]:
    """Return the confusion matrix: one row per label, one column per guess, then the accuracy."""
    confusion, accuracies = evaluation.confusion.tolist(), evaluation.class_accuracy

    def counts(guess: int) -> Callable[[int], Cell]:
        def cell(label: int) -> Cell:
            count = confusion[label][guess]
            return Cell(count, f"{count:,}" if count else "·", "bold" if guess == label else "")

        return cell

    columns: list[Column[int]] = [
        Column("label\\guess", lambda label: classes[label], justify="left"),
        *(Column(printable(name), counts(guess)) for guess, name in enumerate(classes)),
        Column(
            "accuracy",
            lambda label: accuracies[label],
            text=lambda accuracy: "–" if accuracy is None else f"{accuracy:.2f} %",
        ),
    ]
    return Table(columns, range(len(classes)), hint="a wider terminal shows all")
