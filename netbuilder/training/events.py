"""Events of a training; they carry their values, so that showing them reads no files."""

from __future__ import annotations

from dataclasses import dataclass
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
    environment: Environment
    analysis: Analysis
    hardware: Device
    seed: int
    data: LoadedData
    steps_per_epoch: int
    progress: Progress
    notes: tuple[str, ...]
    warnings: tuple[Advice, ...]


@dataclass(frozen=True)
class Compiling:
    """The next step compiles the model, which takes long; epochs before ``epoch`` are saved."""

    epoch: int


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


@dataclass(frozen=True)
class EpochEnded:
    """An epoch was trained, tested and saved; ``best`` if its test accuracy is a new maximum."""

    metrics: EpochRecord
    best: bool


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
    analysis: Analysis
    metrics: tuple[EpochRecord, ...]
    result: RunResult
    evaluation: Evaluation
    data: LoadedData


Event = Started | Compiling | Stepped | EpochEnded | Finished
