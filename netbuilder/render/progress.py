"""A run as it happens: a bar on a terminal, a row an epoch everywhere, then the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from netbuilder._text import printable
from netbuilder.network.targets import figure_text
from netbuilder.render.console import show, stdout
from netbuilder.runs.records import Environment, EpochRecord, RunResult
from netbuilder.training.evaluation import LabeledPredictions
from netbuilder.training.events import EpochEnded, Event, Finished, Started, Stepped

HEADER = "epoch   train loss   train acc   test loss   test acc   learning rate   seconds"

REFRESH_SECONDS = 0.1


class RunProgress:
    """Shows the records of one run on stdout; a context manager, for the bar's sake."""

    def __init__(self, *, plain: bool, quiet: bool = False) -> None:
        self._console = console = stdout(plain=plain)
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
        self._shown = 0.0
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, record: Event) -> None:
        """Show what happened."""
        match record:
            case Stepped():
                self._advance(record)
            case Started():
                self._start(record)
            case EpochEnded():
                self._say(epoch_row(record.metrics, best=record.best))
            case Finished():
                self._bar.stop()
                if not self._quiet and (record.result.targets or record.result.published):
                    show(verdict_table(record.result, plain=self._plain), plain=self._plain)
                text = closing_line(record.result, record.run.path)
                self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _say(self, text: str | Text) -> None:
        if not self._quiet:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _start(self, started: Started) -> None:
        config = started.analysis.architecture.train
        assert config is not None, "it was trained"
        self._steps_per_epoch, self._batch = started.steps_per_epoch, config.batch_size
        self._say(opening_line(started.environment, started.run.path))
        for warning in started.warnings:
            self._console.print(Text(f"note: {warning}", style="yellow"), soft_wrap=True)
        self._say(Text(HEADER, style="bold"))
        for number, metrics in enumerate(started.progress.history):
            before = started.progress.history[:number]
            best = all(metrics.test_accuracy > m.test_accuracy for m in before)
            self._say(epoch_row(metrics, best=best))
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
        if self._bar.disable or now - self._shown < REFRESH_SECONDS:
            return
        self._shown = now
        done = (stepped.epoch - 1) * self._steps_per_epoch + stepped.step
        if self._first is None:
            self._first = (now, done)
        elapsed = now - self._first[0]
        speed = (done - self._first[1]) * self._batch / elapsed if elapsed else 0.0
        [task] = self._bar.task_ids
        self._bar.update(task, completed=done, epoch=stepped.epoch, speed=speed)


def epoch_row(metrics: EpochRecord, *, best: bool) -> str:
    """An epoch's line below `HEADER`; the best so far carries a star."""
    return (
        f"{metrics.epoch:>5}{metrics.train_loss:>13.4f}{metrics.train_accuracy:>12.2f}"
        f"{metrics.test_loss:>12.4f}{metrics.test_accuracy:>11.2f}"
        f"{metrics.learning_rate:>16.6f}{metrics.seconds:>10.1f}{'  *' if best else ''}"
    )


def verdict_table(result: RunResult, *, plain: bool) -> Table:
    """Every target with its verdict, and the published figures beside the run's."""
    table = Table(box=None if plain else box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("target", "asked", "found", "verdict"):
        table.add_column(column, justify="right" if column == "found" else "left")
    words = {True: Text("met", "green"), False: Text("not met", "red"), None: Text("not judged")}
    for verdict in result.targets:
        value = "–" if verdict.found is None else figure_text(verdict.found)
        word = words[verdict.met].copy()
        if verdict.reason:
            word.append(f": {printable(verdict.reason)}")
        target = printable(verdict.target.replace("_", " "))
        table.add_row(f"target {target}", printable(verdict.bound), value, word)
    figures = {
        "parameters": result.parameters,
        "train_accuracy": result.best_train_accuracy,
        "test_accuracy": result.best.test_accuracy,
    }
    for name, published in result.published.items():
        label = name.replace("_", " ").replace("train", "best train").replace("test", "best test")
        table.add_row(label, f"published {published:,.10g}", f"{figures[name]:,.6g}", "")
    return table


def opening_line(environment: Environment, path: Path) -> str:
    """Data, precision, device, seed and folder of a run, in one line."""
    data = environment.data
    notes = "".join(f", {note}" for note in (environment.compile, environment.graph) if note)
    streamed = f", streamed, {data.streamed}" if data.streamed else ""
    return printable(
        f"{data.train or 0:,} images to train and {data.test or 0:,} to test from {data.kind}"
        f"{streamed}; {environment.precision} on {environment.device}{notes}, "
        f"seed {environment.seed}; {path}"
    )


def closing_line(result: RunResult, path: Path) -> str:
    """Best and last figures of a finished run and its folder, in one line."""
    best, last = result.best, result.last
    return printable(
        f"best test accuracy {best.test_accuracy:.2f} in epoch {best.epoch}, last "
        f"{last.test_accuracy:.2f}; {result.seconds:.0f} s; {path}"
    )


def evaluation_table(
    evaluation: LabeledPredictions, classes: Sequence[str], *, plain: bool
) -> Table:
    """The confusion matrix, a row a label and a column a guess, with each label's accuracy."""
    table = Table(box=None if plain else box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("label \\ guess")
    for name in classes:
        table.add_column(Text(name), justify="right")
    table.add_column("accuracy", justify="right")
    rows = zip(classes, evaluation.confusion.tolist(), evaluation.class_accuracy, strict=True)
    for label, (name, counts, accuracy) in enumerate(rows):
        cells = [
            Text(str(count) if count else "·", "bold" if guess == label else "")
            for guess, count in enumerate(counts)
        ]
        shown = "–" if accuracy is None else f"{accuracy:.2f} %"
        table.add_row(Text(name), *cells, shown)
    return table
