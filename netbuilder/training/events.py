"""Events of a training, which carry their values: nobody reads the run folder to show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what shows events need not import torch
    from netbuilder.data.dataset import LoadedData
    from netbuilder.network.analysis import Analysis
    from netbuilder.runs.records import Environment, EpochRecord, Evaluation, RunResult
    from netbuilder.runs.run import Run
    from netbuilder.training.checkpoint import Progress
    from netbuilder.training.device import Device


@dataclass(frozen=True)
class Started:
    """A run is about to take its first step, or its next one if it was resumed.

    ``warnings`` are lines that the user must see: a fallback data set, damaged checkpoints.
    """

    run: Run
    environment: Environment
    analysis: Analysis
    hardware: Device
    seed: int
    data: LoadedData
    steps_per_epoch: int
    progress: Progress
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Compiling:
    """The next step takes as long as compiling does; all before ``epoch``, from 1, is saved."""

    epoch: int


@dataclass(frozen=True)
class Stepped:
    """An optimizer step was taken; ``epoch`` and ``step`` count from 1."""

    epoch: int
    step: int
    images: int


@dataclass(frozen=True)
class EpochEnded:
    """An epoch was trained, tested and saved; ``best`` if none before it tested better."""

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
