"""Lint rules on the schedule, and on what the number of training images decides."""

from __future__ import annotations

from collections.abc import Iterator

from netbuilder._text import plural
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Evidence, Finding, Rule
from netbuilder.network.trainable import data_faults


def schedule_span(analysis: Analysis, evidence: Evidence) -> Iterator[Finding]:
    """The lengths of the schedule do not fit the number of epochs, or the rate is 0."""
    train = analysis.architecture.train
    if train is None:
        return
    schedulers, rate, warm_up = train.scheduler, train.optimizer.lr, train.warm_up
    sets_rate = bool(schedulers) and schedulers[0].every_step  # a one-cycle begins at its own
    if rate == 0 and not sets_rate:
        yield Finding(
            ("train", "optimizer", train.optimizer.kind, "lr"),
            "the learning rate is 0, so that nothing is trained",
            "use a rate above 0",
        )
        return
    if not schedulers:
        return
    last, position = schedulers[-1], len(schedulers) - 1
    epochs = train.epochs - warm_up
    if epochs < 1:
        yield Finding(
            ("train", "scheduler", 0, "LinearLR", "total_iters"),
            f"the warm-up of {plural(warm_up, 'epoch')} lasts to the end of the run, so that "
            f"{last.kind} never starts",
            "use a shorter warm-up, or more epochs",
        )
    elif mismatch := last.mismatch(epochs, rate):
        after = "after the warm-up, " if warm_up else ""
        yield Finding(
            ("train", "scheduler", position, last.kind, mismatch.field),
            f"{after}{mismatch.reason}",
            mismatch.remedy,
        )


def fallback(analysis: Analysis, evidence: Evidence) -> Iterator[Finding]:
    """The fallback data set has another number of images, with which a training is refused."""
    train = analysis.architecture.train
    other = train.dataset.fallback_dataset if train else None
    if other is None:
        return
    for place, message in data_faults(analysis, other.train_size):
        yield Finding(
            place,
            f"on the fallback {other.kind}, a training is refused: {message.split(';')[0]}",
            "choose a value that fits both data sets",
        )


RULES = (
    Rule("schedule-span", schedule_span),
    Rule("fallback", fallback),
)
