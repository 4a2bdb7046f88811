"""What the epochs of a run add up to, and what the runs of several seeds do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

from netbuilder.run_files import Metrics
from netbuilder.schema import AccuracyTarget
from netbuilder.targets import meets


@dataclass(frozen=True)
class Figures:
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
class Spread:
    """A figure over the seeds; ``deviation`` is the standard deviation, None of a single seed."""

    mean: float
    deviation: float | None
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """What ``values``, one a seed, add up to."""
        deviation = stdev(values) if len(values) > 1 else None
        return cls(fmean(values), deviation, min(values), max(values))

    def __str__(self) -> str:
        """Mean and deviation in percent: ``99.55 ± 0.02``, or ``99.55`` of a single seed."""
        mean = f"{self.mean:.2f}"
        return mean if self.deviation is None else f"{mean} ± {self.deviation:.2f}"


def unbeaten(point: tuple[int, float], others: Iterable[tuple[int, float]]) -> bool:
    """Whether a network is on the Pareto front: none of the others is both smaller and better.

    Each is its parameters and an accuracy; being alike in one of them and ahead in the other beats.
    """
    size, accuracy = point
    return not any(other != point and other[0] <= size and other[1] >= accuracy for other in others)
