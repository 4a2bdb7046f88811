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
from netbuilder.config.schema import Architecture, Place
from netbuilder.runs.parse import parse_architecture, read_record
from netbuilder.runs.values import (
    Count,
    DeviceName,
    Loss,
    Precision,
    Rate,
    Record,
    Text,
    contradiction,
)

MEMORY = 1 / 15
"""The span of the moving average over losses, as a fraction of all steps. A fixed decay, such as
0.98 in fastai and Lightning, would average over the whole of a short test."""

MIN_MEMORY = 2.0
"""The shortest span of the moving average, in steps."""

DIVERGED = 4.0
"""A smoothed loss above this multiple of the lowest has diverged, as in fastai and Lightning."""

REGAINED = 0.5
"""A smoothed loss that regained this fraction of its fall has diverged, too. After batch
normalization a loss stays near that of guessing at any rate, below the multiple above."""

MARGIN = 10.0
"""The rate of the lowest loss, divided by the suggested rate."""

MIN_FALL = 0.1
"""The fall of the loss, as a fraction of the initial loss, below which it is noise."""

INITIAL_STEPS = 5
"""Steps whose average is the initial loss; fewer in a test of less than four times as many."""

RELIABLE_STEPS = 30
"""With fewer steps, neighboring rates are so far apart that the curve is mostly chance."""

MIN_STEPS = 10
"""With fewer steps, no rate is suggested."""

JSON_NAME, PICTURE_NAME = "lr-find.json", "lr-find.png"

REMEDY = "run `netbuilder lr-find` again"
"""What to do about a record that is damaged or of another document."""


@dataclass
class Curve:
    """Loss against learning rate, step by step.

    Attributes:
        steps: The number of steps that span the whole range.
        learning_rates: The rates, in ascending order.
        losses: The loss at each rate.
        smoothed: The bias-corrected moving average of the losses.
        diverged_at: The rate at which the loss diverged; None until it does.
    """

    steps: int
    learning_rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    diverged_at: float | None = None
    _average: float = 0.0

    def add(self, learning_rate: float, loss: float) -> None:
        """Add a step; set ``diverged_at`` if its loss has diverged or is not finite."""
        if not math.isfinite(loss):
            self.diverged_at = learning_rate
            return
        decay = 1 - 1 / max(MIN_MEMORY, MEMORY * self.steps)
        self._average = decay * self._average + (1 - decay) * loss
        self.learning_rates.append(learning_rate)
        self.losses.append(loss)
        self.smoothed.append(self._average / (1 - decay ** len(self.losses)))
        if self._has_diverged():
            self.diverged_at = learning_rate

    def _has_diverged(self) -> bool:
        last, lowest = self.smoothed[-1], min(self.smoothed)
        # A loss may be negative, and then a multiple means nothing.
        if last > DIVERGED * lowest > 0:
            return True
        fall = _initial(self.smoothed) - lowest
        return has_fallen(self.smoothed) and last - lowest > REGAINED * fall


def _initial(smoothed: Sequence[float]) -> float:
    return smoothed[min(INITIAL_STEPS - 1, len(smoothed) // 4)]


def has_fallen(smoothed: Sequence[float]) -> bool:
    """Whether a loss fell by more than `MIN_FALL`."""
    initial = _initial(smoothed)
    return initial - min(smoothed) > MIN_FALL * abs(initial)


def suggest(learning_rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """Suggest a peak learning rate: a tenth of the rate at which the loss is lowest.

    The rate of the lowest loss is too high for a whole run: training survives it for a few steps,
    and the average lags. A tenth of it is safe; it is the ``minimum`` of fastai's ``lr_find``
    (``fastai/callback/schedule.py``). The point of the steepest fall, as in Lightning's
    ``LRFinder.suggestion``, moves by decades with the seed: a network with batch normalization
    learns at any rate, and its loss falls fastest in the first steps.

    Args:
        learning_rates: The rates, in ascending order.
        smoothed: The smoothed loss at each rate.

    Returns:
        The suggested rate; None if the loss did not fall or there are fewer than `MIN_STEPS` steps.
    """
    if len(smoothed) < MIN_STEPS or not has_fallen(smoothed):
        return None
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    return learning_rates[lowest] / MARGIN


def peak_field(architecture: Architecture) -> str:
    """Return the field of a document that sets the highest rate, as ``--set`` names it."""
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
        seed: The seed of the weights and of all random draws.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        learning_rates: The rate of each step with a finite loss.
        losses: The mean loss over the batch of each of these steps.
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
                raise contradiction((name,), values, f"one for each of {steps} learning rates")
        return self

    @property
    def is_short(self) -> bool:
        """Whether the test has too few steps for a reliable suggestion."""
        return self.steps < RELIABLE_STEPS

    @property
    def still_falling(self) -> bool:
        """Whether the loss is lowest at the end, so that a higher rate may do better."""
        return self.diverged_at is None and self.smoothed[-1] == min(self.smoothed)

    def parse_architecture(self, path: Path) -> Architecture:
        """Return the tested document, checked; ``path`` is the record's file, for messages.

        Raises:
            ConfigError: The document is wrong; the message names its first wrong value.
        """
        return parse_architecture(self.architecture, path, REMEDY)

    def save(self, path: Path) -> None:
        """Write the record; replace that of an earlier test.

        Raises:
            OSError: The file cannot be written.
        """
        write_atomic(path, self.as_json())

    @classmethod
    def read(cls, path: Path) -> RangeTest | None:
        """Read a record; return None if the file does not exist.

        Raises:
            ConfigError: It is damaged.
            MachineError: The disk fails to read it.
        """
        return read_record(path, cls, REMEDY) if path.exists() else None
