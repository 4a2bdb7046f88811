"""Write a run for TensorBoard: scalars, the graph, misclassified images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose, nan
from pathlib import Path
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


@dataclass(frozen=True)
class Logged:
    """What the event files of a run contain, as TensorBoard reads them.

    Attributes:
        scalars: The values of each tag by epoch.
        pictures: The number of pictures by epoch.
        graph: Whether the network is among it.
    """

    scalars: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    pictures: Mapping[int, int] = field(default_factory=dict)
    graph: bool = False

    @classmethod
    def read(cls, folder: Path) -> Logged:
        """Read the event files in a folder; incomplete and damaged events do not count."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        everything = {"scalars": 0, "images": 1, "tensors": 1}
        reader = EventAccumulator(str(folder), size_guidance=everything).Reload()
        tags = reader.Tags()
        scalars = {
            tag: {event.step: event.value for event in reader.Scalars(tag)}
            for tag in tags["scalars"]
        }
        pictures = Counter(event.step for tag in tags["images"] for event in reader.Images(tag))
        return cls(scalars, pictures, bool(tags["graph"]))

    def epochs(self, history: Sequence[EpochRecord]) -> int:
        """Return the number of epochs from the first on whose values are complete."""
        missing = (number for number, epoch in enumerate(history) if not self._has(epoch))
        return next(missing, len(history))

    def _has(self, epoch: EpochRecord) -> bool:
        """Whether every value of an epoch is among it; events have 32 bits."""
        return all(
            isclose(
                self.scalars.get(tag, {}).get(epoch.epoch, nan),
                getattr(epoch, name),
                rel_tol=1e-5,
                abs_tol=1e-30,
            )
            for tag, name in SCALARS.items()
        )


class TensorBoardLog:
    """Writes the events of a run to ``RUN/tensorboard``; a context manager that closes the files.

    A resumed run continues in the same folder. What earlier sessions did not write, because they
    were killed or had no log, is written first. TensorBoard ignores the earlier values of an epoch
    that is written again.
    """

    def __init__(self) -> None:
        self._folder = Path()
        self._logged = Logged()
        self._complete = 0
        self._open_writer: SummaryWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._open_writer is not None:
            self._open_writer.close()

    def show(self, event: Event) -> None:
        """Write an event."""
        match event:
            case Started():
                self._start(event)
            case EpochEnded():
                self._scalars(event.metrics)
            case Finished():
                epochs, mistakes = event.result.epochs, event.evaluation.mistakes
                pictures = self._logged.pictures.get(epochs, 0) if self._complete >= epochs else 0
                if pictures < len(mistakes):
                    self._mistakes(event)

    @property
    def _writer(self) -> SummaryWriter:
        """The writer of this session, whose file is created with the first event."""
        if self._open_writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # TensorBoard ignores events from this step on in earlier files.
            self._open_writer = SummaryWriter(str(self._folder), purge_step=self._complete + 1)
        return self._open_writer

    def _start(self, started: Started) -> None:
        from netbuilder.training.resources import resource_errors

        self._folder = folder = started.run.path / FOLDER
        # The writer writes in a thread, where an error would be a traceback, so test it first.
        with resource_errors(folder, "; fix that, or leave out --logger"):
            folder.mkdir(exist_ok=True)
            TemporaryFile(dir=folder).close()
            if any(folder.iterdir()):
                self._logged = Logged.read(folder)
        history = started.progress.history
        self._complete = self._logged.epochs(history)
        if not self._logged.graph:
            self._graph(started)
        for metrics in history[self._complete :]:
            self._scalars(metrics)

    def _graph(self, started: Started) -> None:
        import torch

        from netbuilder.network.build import build

        with torch.random.fork_rng(devices=[]):  # the initial weights are random
            model = build(started.analysis).eval()
        sample = torch.zeros(1, *started.analysis.architecture.input)
        with catch_warnings():
            simplefilter("ignore")  # torch's export to TensorBoard uses a deprecated function
            self._writer.add_graph(model, sample)

    def _scalars(self, metrics: EpochRecord) -> None:
        for tag, name in SCALARS.items():
            self._writer.add_scalar(tag, getattr(metrics, name), metrics.epoch)
        self._writer.flush()  # so that a run can be watched while it trains

    def _mistakes(self, finished: Finished) -> None:
        for rank, mistake in enumerate(finished.evaluation.mistakes, 1):
            tag = f"misclassified/{rank:02d}: {mistake.label}, guessed {mistake.guess}"
            image = finished.data.test_images[mistake.index]
            self._writer.add_image(printable(tag), image, finished.result.epochs)
