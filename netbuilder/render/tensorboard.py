"""Write a run for TensorBoard: scalars, the graph, misclassified images."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Self
from warnings import catch_warnings, simplefilter

from netbuilder._text import printable
from netbuilder.training.events import EpochEnded, Event, Finished, Started

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from netbuilder.runs.records import EpochRecord


FOLDER = "tensorboard"
"""The folder of the event files in a run folder."""

SCALARS = {
    "loss/train": "train_loss",
    "loss/test": "test_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/test": "test_accuracy",
    "learning_rate": "learning_rate",
    "seconds/train": "train_seconds",
    "seconds/test": "test_seconds",
}
"""Each tag with the field of an epoch that it shows; accuracies are in percent."""


class TensorBoardLog:
    """Writes the events of a run to ``RUN/tensorboard``; a context manager that closes the files.

    A resumed run continues in the same folder. TensorBoard ignores the earlier values of an epoch
    that is trained again.
    """

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def show(self, event: Event) -> None:
        """Write an event."""
        match event:
            case Started():
                self._start(event)
            case EpochEnded():
                self._scalars(event.metrics)
            case Finished() if self._writer is not None:
                self._mistakes(event, self._writer)

    def _start(self, started: Started) -> None:
        if started.run.result is not None:
            return  # the run was finished before
        from torch.utils.tensorboard import SummaryWriter

        from netbuilder.training.resources import resource_errors

        folder = started.run.path / FOLDER
        new = not folder.exists()
        # The writer writes in a thread, where an error would be a traceback, so test it first.
        with resource_errors(folder, "; fix that, or leave out --logger"):
            folder.mkdir(exist_ok=True)
            TemporaryFile(dir=folder).close()
        done = started.progress.epoch
        self._writer = SummaryWriter(str(folder), purge_step=done + 1)
        if new:
            self._graph(started, self._writer)
            for metrics in started.progress.history:
                self._scalars(metrics)

    def _graph(self, started: Started, writer: SummaryWriter) -> None:
        import torch

        from netbuilder.network.build import build

        with torch.random.fork_rng(devices=[]):  # the initial weights are random
            model = build(started.analysis).eval()
        sample = torch.zeros(1, *started.analysis.architecture.input)
        with catch_warnings():
            simplefilter("ignore")  # torch's export to TensorBoard uses a deprecated function
            writer.add_graph(model, sample)

    def _scalars(self, metrics: EpochRecord) -> None:
        if self._writer is None:
            return
        for tag, name in SCALARS.items():
            self._writer.add_scalar(tag, getattr(metrics, name), metrics.epoch)
        self._writer.flush()  # so that a run can be watched while it trains

    def _mistakes(self, finished: Finished, writer: SummaryWriter) -> None:
        for rank, mistake in enumerate(finished.evaluation.mistakes, 1):
            tag = f"misclassified/{rank:02d}: {mistake.label}, guessed {mistake.guess}"
            image = finished.data.test_images[mistake.index]
            writer.add_image(printable(tag), image, finished.result.epochs)
