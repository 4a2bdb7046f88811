"""What the epochs of a run add up to, and what the runs of several seeds do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

from netbuilder._text import natural_key
from netbuilder.config.schema import AccuracyTarget
from netbuilder.network.analysis import analyse
from netbuilder.network.targets import meets
from netbuilder.runs.run import Metrics, Run, experiment


@dataclass(frozen=True)
class RunStatistics:
    """What is said of a run that has finished.

    Attributes:
        metrics: an entry an epoch, one at least.
        at_target: for each epoch whether it kept the bound on the test accuracy; empty without a
            bound, and on data that stood in for those of which it speaks.
    """

    metrics: tuple[Metrics, ...]
    at_target: tuple[bool, ...]

    @cached_property
    def best(self) -> Metrics:
        """The first epoch of the highest test accuracy."""
        return max(self.metrics, key=lambda epoch: epoch["test_accuracy"])

    @property
    def last(self) -> Metrics:
        """The last epoch."""
        return self.metrics[-1]

    @property
    def best_train(self) -> float:
        """The highest training accuracy of an epoch, percent."""
        return max(epoch["train_accuracy"] for epoch in self.metrics)

    @property
    def seconds(self) -> float:
        """The time of all epochs, testing included."""
        return sum(epoch["train_seconds"] + epoch["test_seconds"] for epoch in self.metrics)

    @property
    def first_at_target(self) -> int | None:
        """The first epoch that kept the bound, from 1."""
        return self.at_target.index(True) + 1 if True in self.at_target else None

    @property
    def held(self) -> int:
        """How many epochs kept the bound up to the last, without a break."""
        missed = [epoch for epoch, kept in enumerate(self.at_target, 1) if not kept]
        return len(self.at_target) - max(missed, default=0)


def at_target(
    metrics: Sequence[Metrics], target: AccuracyTarget | None, *, stands_in: bool
) -> tuple[bool, ...]:
    """Whether each epoch kept a bound on the test accuracy, as `Figures` has it."""
    if target is None or stands_in:
        return ()
    return tuple(meets(target, epoch["test_accuracy"]) for epoch in metrics)


@dataclass(frozen=True)
class MeanStd:
    """A figure over the seeds; ``deviation`` is the standard deviation, None of a single seed."""

    mean: float
    deviation: float | None
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> MeanStd:
        """What ``values``, one a seed, add up to."""
        deviation = stdev(values) if len(values) > 1 else None
        return cls(fmean(values), deviation, min(values), max(values))

    def __str__(self) -> str:
        """Mean and deviation in percent: ``99.55 ± 0.02``, or ``99.55`` of a single seed."""
        mean = f"{self.mean:.2f}"
        return mean if self.deviation is None else f"{mean} ± {self.deviation:.2f}"


def on_pareto_front(point: tuple[int, float], others: Iterable[tuple[int, float]]) -> bool:
    """Whether a network is on the Pareto front: none of the others is both smaller and better.

    Each is its parameters and an accuracy; being alike in one of them and ahead in the other beats.
    """
    size, accuracy = point
    return not any(other != point and other[0] <= size and other[1] >= accuracy for other in others)


@dataclass(frozen=True)
class NetworkStatistics:
    """The finished runs of one architecture on one data set.

    Attributes:
        name: the architecture's.
        dataset: what was trained on.
        parameters: learnable values.
        macs: multiply-accumulates for one sample.
        epochs: how many were trained.
        seeds: one a run.
        devices: each device and precision, as ``cpu bf16``.
        best_train: each run's best training accuracy, percent, over augmented batches.
        best_test: each run's best test accuracy, percent.
        last_test: each run's test accuracy behind the last epoch, percent.
        last_train: each run's training accuracy in the last epoch, percent.
        seconds: how long each run trained and tested.
        first_at_target: each run's first epoch whose test accuracy is within the target; None where
            there was none. Empty without such a target, or on data that stood in for the real.
        held: how many epochs it was there up to the end; empty as the one before.
        met: how many runs met every target; None where none could be judged.
        reference: the published figures that the document names.
    """

    name: str
    dataset: str
    parameters: int
    macs: int
    epochs: int
    seeds: tuple[int, ...]
    devices: tuple[str, ...]
    best_train: tuple[float, ...]
    best_test: tuple[float, ...]
    last_test: tuple[float, ...]
    last_train: tuple[float, ...]
    seconds: tuple[float, ...]
    first_at_target: tuple[int | None, ...]
    held: tuple[int, ...]
    met: int | None
    reference: dict[str, float]


def summarize_runs(runs: Iterable[Run]) -> list[NetworkStatistics]:
    """A summary for each architecture as it was trained, in the order of their names.

    Unfinished runs are left out. Runs share a row if their documents say the same but for title,
    reference, targets and notes; of one seed, the newest counts.
    """
    groups: dict[tuple[object, str, str], dict[int, Run]] = {}
    finished = [run for run in runs if run.result is not None]
    for run in sorted(finished, key=lambda run: (run.started, run.path.name)):
        key = (
            natural_key(run.architecture.name),
            run.environment["data"]["kind"],
            experiment(run.architecture.model_dump(mode="json")),
        )
        groups.setdefault(key, {})[run.config["seed"]] = run
    return [
        _summary([group[seed] for seed in sorted(group)]) for _, group in sorted(groups.items())
    ]


def _summary(runs: Sequence[Run]) -> NetworkStatistics:
    first = runs[0]
    target = first.architecture.targets.test_accuracy
    stands_in = bool(first.environment["data"]["fell_back"])
    judged = [run.result["met"] for run in runs if run.result and run.result["met"] is not None]
    analysis = analyse(first.architecture)
    epochs = [tuple(run.metrics) for run in runs]
    figures = [RunStatistics(each, at_target(each, target, stands_in=stands_in)) for each in epochs]
    reached = [each for each in figures if each.at_target]
    return NetworkStatistics(
        name=first.architecture.name,
        dataset=first.environment["data"]["kind"],
        parameters=analysis.parameters,
        macs=analysis.macs,
        epochs=len(epochs[0]),
        seeds=tuple(run.config["seed"] for run in runs),
        devices=tuple(sorted({f"{r.config['device']} {r.config['precision']}" for r in runs})),
        best_train=tuple(each.best_train for each in figures),
        best_test=tuple(each.best["test_accuracy"] for each in figures),
        last_test=tuple(each.last["test_accuracy"] for each in figures),
        last_train=tuple(each.last["train_accuracy"] for each in figures),
        seconds=tuple(each.seconds for each in figures),
        first_at_target=tuple(each.first_at_target for each in reached),
        held=tuple(each.held for each in reached),
        met=sum(judged) if judged else None,
        reference=first.architecture.reference.model_dump(exclude_none=True),
    )


def spread_text(values: Sequence[float]) -> str:
    """The mean in percent and, over several seeds, the standard deviation: ``99.55 ± 0.02``."""
    return str(MeanStd.of(values))
