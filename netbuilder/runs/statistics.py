"""Statistics of finished runs: over the epochs of one run, and over the runs of several seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from statistics import fmean, stdev
from typing import Self

from netbuilder._text import natural_key
from netbuilder.network.analysis import Analysis
from netbuilder.network.targets import Verdict, all_met, judge_run, meets
from netbuilder.runs.records import (
    EpochRecord,
    Evaluation,
    best_epoch,
    best_train_accuracy,
    total_seconds,
)
from netbuilder.runs.run import Run, experiment


@dataclass(frozen=True)
class RunRecord:
    """A finished run: its records, and the values that follow from them.

    Attributes:
        run: The run folder.
        started: The time at which the run started.
        seed: The run's seed.
        device: The device with the precision, as ``cpu bf16``.
        dataset: The data set that it trained on.
        fallback: Why accuracies do not count for the document's data set; empty if they do.
        metrics: The epochs; at least one.
        recorded_met: Whether it met every target of the document that it was trained from; None if
            that was not judged.
        verdicts: One per target of the current document.
        at_target: For each epoch, whether its test accuracy meets the target; empty without such a
            target and on a fallback data set.
    """

    run: Run
    started: datetime
    seed: int
    device: str
    dataset: str
    fallback: str
    metrics: tuple[EpochRecord, ...]
    recorded_met: bool | None
    verdicts: tuple[Verdict, ...]
    at_target: tuple[bool, ...]

    @classmethod
    def read(cls, run: Run, analysis: Analysis) -> Self | None:
        """Read a run and judge it by the targets of ``analysis``; None if it is not finished.

        Raises:
            ConfigError: A record is damaged.
        """
        result, environment, metrics = run.result, run.environment, run.metrics
        if result is None:
            return None
        kind = environment.data.kind
        fallback = f"trained on {kind}, the fallback" if environment.data.fallback else ""
        target = analysis.architecture.targets.test_accuracy
        return cls(
            run=run,
            started=environment.start,
            seed=run.config.seed,
            device=run.config.hardware,
            dataset=kind,
            fallback=fallback,
            metrics=metrics,
            recorded_met=result.met,
            verdicts=tuple(judge_run(analysis, metrics, fallback)),
            at_target=()
            if target is None or fallback
            else tuple(meets(target, epoch.test_accuracy) for epoch in metrics),
        )

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The test set after the last epoch; None for a run of an older version.

        Raises:
            ConfigError: evaluation.json is damaged.
        """
        return self.run.evaluation

    @property
    def met(self) -> bool | None:
        """Whether every target is met; None if none is missed and some cannot be judged."""
        return all_met(self.verdicts)

    @cached_property
    def best(self) -> EpochRecord:
        """The first epoch with the highest test accuracy."""
        return best_epoch(self.metrics)

    @property
    def last(self) -> EpochRecord:
        """The last epoch."""
        return self.metrics[-1]

    @property
    def best_train(self) -> float:
        """The highest training accuracy of an epoch, percent."""
        return best_train_accuracy(self.metrics)

    @property
    def seconds(self) -> float:
        """The duration of all epochs, tests included."""
        return total_seconds(self.metrics)

    @property
    def first_at_target(self) -> int | None:
        """The first epoch at the target, from 1; None if no epoch is."""
        return self.at_target.index(True) + 1 if True in self.at_target else None

    @property
    def target_streak(self) -> int:
        """The number of consecutive epochs at the target, counted back from the last epoch."""
        missed = [epoch for epoch, at_target in enumerate(self.at_target, 1) if not at_target]
        return len(self.at_target) - max(missed, default=0)


def newest_per_seed(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Return the newest run of each seed, by seed."""
    by_seed: dict[int, RunRecord] = {}
    for record in sorted(records, key=lambda record: (record.started, record.run.path.name)):
        by_seed[record.seed] = record
    return [by_seed[seed] for seed in sorted(by_seed)]


@dataclass(frozen=True)
class MeanStd:
    """A value over the seeds; ``deviation``, the standard deviation, is None for a single seed."""

    mean: float
    deviation: float | None
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> MeanStd:
        """Summarize ``values``, one per seed."""
        deviation = stdev(values) if len(values) > 1 else None
        return cls(fmean(values), deviation, min(values), max(values))

    def __str__(self) -> str:
        """Mean and deviation in percent: ``99.55 ± 0.02``, or ``99.55`` for a single seed."""
        mean = f"{self.mean:.2f}"
        return mean if self.deviation is None else f"{mean} ± {self.deviation:.2f}"


def on_pareto_front(point: tuple[int, float], others: Iterable[tuple[int, float]]) -> bool:
    """Whether a network is on the Pareto front: no other beats it.

    A network is a pair of its number of parameters and its accuracy. It beats another if it is
    better in one of them and not worse in the other.
    """
    size, accuracy = point
    return not any(other != point and other[0] <= size and other[1] >= accuracy for other in others)


@dataclass(frozen=True)
class NetworkStatistics:
    """The finished runs of one architecture on one data set.

    Attributes:
        name: The architecture's name.
        dataset: The data set that was trained on.
        parameters: The number of learnable values.
        macs: Multiply-accumulates for one sample.
        epochs: The number of epochs of each run.
        seeds: The seed of each run.
        devices: Each device and precision, as ``cpu bf16``.
        best_train: Each run's best training accuracy, percent, over augmented batches.
        best_test: Each run's best test accuracy, percent.
        last_test: Each run's test accuracy after the last epoch, percent.
        last_train: Each run's training accuracy in the last epoch, percent.
        seconds: The duration of each run, tests included.
        first_at_target: Each run's first epoch at the target test accuracy, None if no epoch is;
            empty without such a target and on a fallback data set.
        target_streak: Each run's number of consecutive epochs at the target, counted back from the
            last; empty as ``first_at_target``. ``held`` in JSON.
        met: The number of runs that met every target; None if none could be judged.
        reference: The published values in the document.
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
    target_streak: tuple[int, ...] = field(metadata={"key": "held"})
    met: int | None
    reference: dict[str, float]


def summarize_runs(runs: Iterable[Run]) -> list[NetworkStatistics]:
    """Summarize the finished runs of each architecture as it was trained, by name.

    Unfinished runs are left out. Runs belong together if their documents agree in everything but
    title, reference, targets and notes; the newest run of a seed counts.

    Raises:
        ConfigError: A record is damaged.
    """
    groups: dict[tuple[object, str, str], list[RunRecord]] = {}
    for run in runs:
        if run.result is None:
            continue
        record = RunRecord.read(run, run.analysis)
        if record is None:
            continue
        resolved = experiment(run.architecture.model_dump(mode="json"))
        key = (natural_key(run.architecture.name), record.dataset, resolved)
        groups.setdefault(key, []).append(record)
    return [_summarize(newest_per_seed(group)) for _, group in sorted(groups.items())]


def _summarize(records: Sequence[RunRecord]) -> NetworkStatistics:
    first = records[0]
    analysis = first.run.analysis
    judged = [record.recorded_met for record in records if record.recorded_met is not None]
    targeted = [record for record in records if record.at_target]
    return NetworkStatistics(
        name=analysis.architecture.name,
        dataset=first.dataset,
        parameters=analysis.parameters,
        macs=analysis.macs,
        epochs=len(first.metrics),
        seeds=tuple(record.seed for record in records),
        devices=tuple(sorted({record.device for record in records})),
        best_train=tuple(record.best_train for record in records),
        best_test=tuple(record.best.test_accuracy for record in records),
        last_test=tuple(record.last.test_accuracy for record in records),
        last_train=tuple(record.last.train_accuracy for record in records),
        seconds=tuple(record.seconds for record in records),
        first_at_target=tuple(record.first_at_target for record in targeted),
        target_streak=tuple(record.target_streak for record in targeted),
        met=sum(judged) if judged else None,
        reference=analysis.architecture.reference.model_dump(exclude_none=True),
    )


def spread_text(values: Sequence[float]) -> str:
    """Return the mean in percent and, over several seeds, the deviation: ``99.55 ± 0.02``."""
    return str(MeanStd.of(values))
