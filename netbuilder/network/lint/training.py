"""Advice on how a network is trained, from what its last run and its range test showed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Finding
from netbuilder.network.targets import Epoch

GAP = 0.25

RATIO = 1.5
"""A run overfits where its test accuracy lies this many points below the training accuracy, and its
test errors are this many times those of training. Of the ten published iterations these are the
first, second, fourth and fifth, the first two of which say so."""

LAST_EPOCHS = 3

MARGIN = 10.0
"""How far below a diverging rate one is named where the range test has none to suggest."""


@dataclass(frozen=True)
class Evidence:
    """What is known beside the document.

    Attributes:
        metrics: The epochs of its last run.
        diverged_at: the learning rate at which a range test diverged.
        suggestion: the one that it spoke for.
    """

    metrics: Sequence[Epoch] = ()
    diverged_at: float | None = None
    suggestion: float | None = None


def overfits(analysis: Analysis, evidence: Evidence) -> Finding:
    """A run that fits the training images clearly better, and shows them as they are."""
    train, last = analysis.architecture.train, evidence.metrics[-LAST_EPOCHS:]
    if train is None or train.augment or not last:
        return
    fitted, tested = (
        sum(getattr(epoch, name) for epoch in last) / len(last)
        for name in ("train_accuracy", "test_accuracy")
    )
    if fitted - tested >= GAP and 100 - tested >= RATIO * (100 - fitted):
        when = f"the mean of its last {len(last)} epochs" if len(last) > 1 else "in its only epoch"
        yield (
            ("train", "augment"),
            f"the last run overfits: {fitted:.2f} on the training images and {tested:.2f} on the "
            f"test images, {when}, and no augmentation",
            "add one, such as augment: [{RandomRotation: 7}]",
        )


def peak_diverges(analysis: Analysis, evidence: Evidence) -> Finding:
    """A one-cycle schedule that rises to where the network was seen to run away."""
    train, limit = analysis.architecture.train, evidence.diverged_at
    if train is None or limit is None:
        return
    for position, scheduler in enumerate(train.scheduler):
        if scheduler.kind == "OneCycleLR" and scheduler.arguments()["max_lr"] > limit:
            yield (
                ("train", "scheduler", position, "OneCycleLR", "max_lr"),
                f"it rises to {scheduler.arguments()['max_lr']:g}, and the range test diverged at "
                f"{limit:.3g}",
                f"stay well below, such as at {evidence.suggestion or limit / MARGIN:.2g}",
            )


RULES: tuple[Callable[[Analysis, Evidence], Finding], ...] = (overfits, peak_diverges)
