"""Events of a training; they carry their values, so that showing them reads no files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what shows events need not import torch
    from netbuilder.data.dataset import LoadedData
    from netbuilder.network.analysis import Analysis
    from netbuilder.network.lint import Advice
    from netbuilder.runs.records import Environment, EpochRecord, Evaluation, RunResult
    from netbuilder.runs.run import Run
    from netbuilder.training.checkpoint import Progress
    from netbuilder.training.device import Device


@dataclass(frozen=True)
class Started:
    """The run is about to take its first step, or the next one if it is resumed.

    Attributes:
        notes: Lines for the user: a fallback data set, damaged checkpoints.
        warnings: What is valid in the document, but almost certainly not meant; empty if the run
            is resumed.
    """

    run: Run
    environment: Environment = field(repr=False)
    analysis: Analysis = field(repr=False)
    hardware: Device
    seed: int
    data: LoadedData
    steps_per_epoch: int
    progress: Progress = field(repr=False)
    notes: tuple[str, ...]
    warnings: tuple[Advice, ...]

    def __str__(self) -> str:
        epochs = self.analysis.architecture.trained.epochs
        return (
            f"{self.run.path}: epoch {self.progress.epoch + 1} of {epochs}, "
            f"{self.steps_per_epoch:,} steps per epoch, {self.data.dataset.kind} on "
            f"{self.hardware.device.type}, seed {self.seed}"
        )


@dataclass(frozen=True)
class Compiling:
    """The next step compiles the model, which takes long; epochs before ``epoch`` are saved."""

    epoch: int

    def __str__(self) -> str:
        return f"compiling before epoch {self.epoch}"


@dataclass(frozen=True)
class Stepped:
    """The optimizer took a step.

    Attributes:
        epoch: The current epoch, from 1.
        step: The number of steps in the epoch so far.
        images: The number of images in the epoch so far.
    """

    epoch: int
    step: int
    images: int

    def __str__(self) -> str:
        return f"epoch {self.epoch}, step {self.step:,}, {self.images:,} images"


@dataclass(frozen=True)
class EpochEnded:
    """An epoch was trained, tested and saved; ``best`` if its test accuracy is a new maximum."""

    metrics: EpochRecord
    best: bool

    def __str__(self) -> str:
        at, best = self.metrics, ", best so far" if self.best else ""
        return (
            f"epoch {at.epoch}: train loss {at.train_loss:.4f}, accuracy {at.train_accuracy:.2f}; "
            f"test loss {at.test_loss:.4f}, accuracy {at.test_accuracy:.2f}{best}"
        )


@dataclass(frozen=True)
class Finished:
    """The run is finished.

    Attributes:
        run: The run folder.
        analysis: The analysis of the network.
        metrics: The epochs.
        result: Best and last epoch and the verdicts.
        evaluation: The test set after the last epoch.
        data: The data set.
    """

    run: Run
    analysis: Analysis = field(repr=False)
    metrics: tuple[EpochRecord, ...] = field(repr=False)
    result: RunResult
    evaluation: Evaluation = field(repr=False)
    data: LoadedData

    def __str__(self) -> str:
        last, best = self.metrics[-1], self.result.best
        met = {True: ", targets met", False: ", targets not met", None: ""}[self.result.met]
        return (
            f"{self.run.path}: best test accuracy {best.test_accuracy:.2f} in epoch {best.epoch}, "
            f"last {last.test_accuracy:.2f}{met}"
        )


Event = Started | Compiling | Stepped | EpochEnded | Finished
