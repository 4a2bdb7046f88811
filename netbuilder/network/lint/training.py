"""Lint rules on training, from the last run and the LR range test."""

from __future__ import annotations

from collections.abc import Iterator

from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Evidence, Finding, Rule

# A run overfits if both hold. Of the ten published iterations these are the first, second, fourth
# and fifth; the notes of the first two say so.

MIN_GAP = 0.25
"""The difference between training and test accuracy, in percentage points."""

MIN_ERROR_RATIO = 1.5
"""The ratio of the test error to the training error."""

LAST_EPOCHS = 3
"""The number of final epochs whose mean accuracy is judged."""

SAFETY_FACTOR = 10.0
"""The factor below a diverging learning rate to suggest if the range test suggests none."""


def overfits(analysis: Analysis, evidence: Evidence) -> Iterator[Finding]:
    """The last run overfits, and the document has no augmentation."""
    train, last = analysis.architecture.train, evidence.metrics[-LAST_EPOCHS:]
    if train is None or train.augment or not last:
        return
    train_accuracy, test_accuracy = (
        sum(getattr(epoch, name) for epoch in last) / len(last)
        for name in ("train_accuracy", "test_accuracy")
    )
    gap = train_accuracy - test_accuracy
    if gap >= MIN_GAP and 100 - test_accuracy >= MIN_ERROR_RATIO * (100 - train_accuracy):
        when = f"the mean of its last {len(last)} epochs" if len(last) > 1 else "in its only epoch"
        yield Finding(
            ("train", "augment"),
            f"the last run overfits: {train_accuracy:.2f} on the training images and "
            f"{test_accuracy:.2f} on the test images, {when}, and no augmentation",
            "add one, such as augment: [{RandomRotation: 7}]",
        )


def peak_diverges(analysis: Analysis, evidence: Evidence) -> Iterator[Finding]:
    """The peak of a one-cycle schedule is above the rate at which the range test diverged."""
    train, limit = analysis.architecture.train, evidence.diverged_at
    if train is None or limit is None:
        return
    for position, scheduler in enumerate(train.scheduler):
        if scheduler.kind == "OneCycleLR" and scheduler.arguments()["max_lr"] > limit:
            yield Finding(
                ("train", "scheduler", position, "OneCycleLR", "max_lr"),
                f"it rises to {scheduler.arguments()['max_lr']:g}, and the range test diverged at "
                f"{limit:.3g}",
                f"stay well below, such as at {evidence.suggestion or limit / SAFETY_FACTOR:.2g}",
            )


RULES = (Rule("overfits", overfits), Rule("peak-diverges", peak_diverges))
