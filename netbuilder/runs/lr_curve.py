"""The record of a learning-rate range test: its curve, and the rate that the curve suggests.

The rate grows geometrically from step to step while a network trains (Smith, "Cyclical Learning
Rates for Training Neural Networks", 2017, in the exponential form of fastai and Lightning); the
loss falls, turns and diverges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from netbuilder._files import write_atomic
from netbuilder._text import describe
from netbuilder.components.component import validation_errors
from netbuilder.config.schema import Architecture, Place
from netbuilder.runs.parse import parse_architecture, read_record
from netbuilder.runs.records import (
    Count,
    DeviceName,
    Loss,
    Precision,
    Rate,
    Record,
    Text,
)

MEMORY = 1 / 15
"""The memory of the moving average over losses, as a part of all steps. In a short test, a fixed
decay such as the 0.98 of fastai and Lightning would average over all of it."""

LEAST_MEMORY = 2.0
"""In steps; less is not an average."""

RUNAWAY = 4.0
"""A smoothed loss of so many times the lowest one has diverged, as in fastai and Lightning."""

LOST = 0.5
"""So has one that lost this part of its fall: after batch normalization a loss stays near that of
guessing however high the rate is, which is less than the multiple above."""

MARGIN = 10.0
"""The rate of the lowest loss, divided by the suggested rate."""

FALLEN = 0.9
"""The lowest loss must be below so much of the first ones: a smaller fall is noise."""

FIRST = 5
"""Steps whose average is the initial loss; fewer in a test of fewer than four times that."""

FEW = 30
"""Steps below which neighboring rates are so far apart that the curve is mostly chance."""

LEAST_FEW = 10
"""Steps below which a suggestion is not even a guess."""

JSON_NAME, PICTURE_NAME = "lr-find.json", "lr-find.png"

AGAIN = "run `netbuilder lr-find` again"
"""What to do about a record that is damaged, or of another document."""


@dataclass
class Curve:
    """Loss against learning rate, step by step.

    Attributes:
        steps: The number of steps that span the whole range.
        learning_rates: The rates, rising.
        losses: The loss at each.
        smoothed: The bias-corrected moving average of the losses.
        diverged_at: The rate at which the loss diverged; None as long as it has not.
    """

    steps: int
    learning_rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    diverged_at: float | None = None
    _average: float = 0.0

    def add(self, learning_rate: float, loss: float) -> None:
        """Add a step; it sets ``diverged_at`` if its loss has diverged or is not finite."""
        if not math.isfinite(loss):
            self.diverged_at = learning_rate
            return
        decay = 1 - 1 / max(LEAST_MEMORY, MEMORY * self.steps)
        self._average = decay * self._average + (1 - decay) * loss
        self.learning_rates.append(learning_rate)
        self.losses.append(loss)
        self.smoothed.append(self._average / (1 - decay ** len(self.losses)))
        if self._has_diverged():
            self.diverged_at = learning_rate

    def _has_diverged(self) -> bool:
        last, lowest = self.smoothed[-1], min(self.smoothed)
        # A loss may be negative, where multiples mean nothing.
        if last > RUNAWAY * lowest > 0:
            return True
        fall = _initial(self.smoothed) - lowest
        return has_fallen(self.smoothed) and last - lowest > LOST * fall


def _initial(smoothed: Sequence[float]) -> float:
    return smoothed[min(FIRST - 1, len(smoothed) // 4)]


def has_fallen(smoothed: Sequence[float]) -> bool:
    """Whether a loss fell by more than noise."""
    initial = _initial(smoothed)
    return initial - min(smoothed) > (1 - FALLEN) * abs(initial)


def suggest(learning_rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """Suggest a peak learning rate: a tenth of the rate at which the loss is lowest.

    At the lowest loss the rate is already too high for a whole run: a few steps survive it, and the
    average lags by some. A tenth avoids both; it is the ``minimum`` of fastai's ``lr_find``
    (``fastai/callback/schedule.py``). The point of the steepest fall, which Lightning's
    ``LRFinder.suggestion`` takes, is in the first steps of a network with batch normalization,
    which learns at any rate, and moves by decades with the seed.

    Args:
        learning_rates: The rates, rising.
        smoothed: The smoothed loss at each.

    Returns:
        None where the loss did not fall, or there are hardly any steps.
    """
    if len(smoothed) < LEAST_FEW or not has_fallen(smoothed):
        return None
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    return learning_rates[lowest] / MARGIN


def peak_field(architecture: Architecture) -> str:
    """Return the field of a document that holds the highest rate, as ``--set`` names it."""
    config = architecture.trained
    place: Place = ("train", "optimizer", config.optimizer.kind, "lr")
    for position, scheduler in enumerate(config.scheduler):
        if scheduler.kind == "OneCycleLR":  # it ignores the optimizer's own rate
            place = ("train", "scheduler", position, scheduler.kind, "max_lr")
    return architecture.problem(place, "").field


class RangeTest(Record):
    """A range test: lr-find.json.

    Attributes:
        architecture: The resolved document.
        dataset: The data set that was trained on, which may be the document's fallback.
        seed: The seed of weights, order and everything drawn.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        learning_rates: The rate of each step whose loss is finite; so are the two that follow.
        losses: The mean loss over the batch.
        smoothed: The bias-corrected moving average of the losses.
        field: The field of the document that the suggestion is for.
        suggestion: See `suggest`.
        diverged_at: The rate at which the loss diverged; None if it did not.
        steps: The number of steps that span the whole range.
    """

    architecture: dict[str, Any]
    dataset: Text
    seed: Count
    device: DeviceName
    precision: Precision
    learning_rates: Annotated[tuple[Rate, ...], Field(min_length=1)]
    losses: tuple[Loss, ...]
    smoothed: tuple[Loss, ...]
    field: Text
    suggestion: Rate | None
    diverged_at: Rate | None
    steps: Count

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        steps = len(self.learning_rates)
        for name in ("losses", "smoothed"):
            if len(values := getattr(self, name)) != steps:
                allowed = f"one value for each of {steps} learning rates"
                message = f"found {describe(values)}; allowed: {allowed}"
                raise validation_errors([((name,), message, values)])
        return self

    @property
    def few(self) -> bool:
        """Whether its steps are too few to trust the suggestion."""
        return self.steps < FEW

    @property
    def still_falling(self) -> bool:
        """Whether the loss is lowest at the end, so that a higher rate may do better."""
        return self.diverged_at is None and self.smoothed[-1] == min(self.smoothed)

    def parse_architecture(self, path: Path) -> Architecture:
        """Check the document that was tested; ``path`` is the record's file, for messages.

        Raises:
            ConfigError: The first value of it that is wrong.
        """
        return parse_architecture(self.architecture, path, AGAIN)

    def save(self, path: Path) -> None:
        """Write the record; it replaces the one of an earlier test.

        Raises:
            OSError: The file cannot be written.
        """
        write_atomic(path, self.as_json())

    @classmethod
    def read(cls, path: Path) -> RangeTest | None:
        """Read a record; None where there is no file.

        Raises:
            ConfigError: It is damaged.
            MachineError: The disk fails to read it.
        """
        return read_record(path, cls, AGAIN) if path.exists() else None
