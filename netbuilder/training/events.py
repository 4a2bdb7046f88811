"""What training yields, for others to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netbuilder.data.dataset import LoadedData
from netbuilder.network.analysis import Analysis
from netbuilder.runs.run import Metrics, Run
from netbuilder.training.checkpoint import Progress
from netbuilder.training.device import Device
from netbuilder.training.evaluation import Evaluation


@dataclass(frozen=True)
class Started:
    """A run is about to take its first step, or its next one if it was resumed.

    ``warnings`` says what the user must know: data that stand in, checkpoints passed over.
    """

    run: Run
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

    metrics: Metrics
    best: bool


@dataclass(frozen=True)
class Finished:
    """The run is done: its result as in ``result.json``, and the kept weights on the test set."""

    run: Run
    result: dict[str, Any]
    evaluation: Evaluation
    data: LoadedData


Event = Started | Compiling | Stepped | EpochEnded | Finished
