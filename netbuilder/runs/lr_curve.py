"""The learning-rate range test's record: its curve, and the rate that the curve speaks for.

The rate grows geometrically from step to step while a network trains (Smith, "Cyclical Learning
Rates for Training Neural Networks", 2017, in the exponential form of fastai and Lightning); the
loss falls, turns and at last runs away.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from netbuilder._files import write_atomic
from netbuilder.config.schema import Architecture, Place
from netbuilder.errors import ConfigError

MEMORY = 1 / 15
"""How far back the moving average over losses looks, as a part of all steps. Where the test is
short, a fixed decay, as of the 0.98 that fastai and Lightning take, would average all of it."""

LEAST_MEMORY = 2.0
"""In steps: less is no average."""

RUNAWAY = 4.0
"""A smoothed loss of so many times the least one has diverged, as for fastai and Lightning."""

LOST = 0.5
"""So has one that gave back this part of its fall: behind batch normalisation a loss stays near
that of guessing however high the rate is, which is less than the multiple above."""

MARGIN = 10.0
"""How far below the rate of the least loss the suggestion lies."""

FALLEN = 0.9
"""The least loss must lie below so much of the first ones: less of a fall is noise."""

FIRST = 5
"""Steps whose average is where the loss began; fewer in a test of fewer than four times that."""

FEW = 30
"""Steps below which neighbouring rates lie so far apart that the curve is mostly chance."""

LEAST_FEW = 10
"""Steps below which a suggestion is not even a guess."""

JSON_NAME, PICTURE_NAME = "lr-find.json", "lr-find.png"


@dataclass
class Curve:
    """Loss against learning rate, as it comes.

    Attributes:
        steps: those over which the whole range is spanned.
        learning_rates: rising.
        losses: one for each.
        smoothed: their bias-corrected moving average.
        diverged_at: the rate at which the loss ran away; None as long as it has not.
    """

    steps: int
    learning_rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    diverged_at: float | None = None
    _average: float = 0.0

    def add(self, learning_rate: float, loss: float) -> None:
        """Take in a step; ``diverged_at`` is set where its loss has run away or is not finite."""
        if not math.isfinite(loss):
            self.diverged_at = learning_rate
            return
        decay = 1 - 1 / max(LEAST_MEMORY, MEMORY * self.steps)
        self._average = decay * self._average + (1 - decay) * loss
        self.learning_rates.append(learning_rate)
        self.losses.append(loss)
        self.smoothed.append(self._average / (1 - decay ** len(self.losses)))
        if self._ran_away():
            self.diverged_at = learning_rate

    def _ran_away(self) -> bool:
        now, least = self.smoothed[-1], min(self.smoothed)
        # A loss may be of either sign; below zero nothing can be said of multiples.
        if now > RUNAWAY * least > 0:
            return True
        return has_fallen(self.smoothed) and now - least > LOST * (_began(self.smoothed) - least)


def _began(smoothed: Sequence[float]) -> float:
    return smoothed[min(FIRST - 1, len(smoothed) // 4)]


def has_fallen(smoothed: Sequence[float]) -> bool:
    """Whether a loss fell by more than noise does."""
    began = _began(smoothed)
    return began - min(smoothed) > (1 - FALLEN) * abs(began)


def suggest(learning_rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """A highest rate to train with: a tenth of the rate at which the loss is least.

    At the least loss the rate is already too high for a run that stays there: a few steps survive
    it, and the average lags behind by some. A tenth keeps clear of both; it is the ``minimum`` of
    fastai's ``lr_find`` (``fastai/callback/schedule.py``). The point of the steepest fall, which
    Lightning's ``LRFinder.suggestion`` takes, lies in the first steps of a network with batch
    normalisation, which learns at any rate, and moves by decades with the seed.

    Args:
        learning_rates: rising.
        smoothed: a loss for each.

    Returns:
        None where the loss did not fall, or the steps were next to none.
    """
    if len(smoothed) < LEAST_FEW or not has_fallen(smoothed):
        return None
    least = min(range(len(smoothed)), key=smoothed.__getitem__)
    return learning_rates[least] / MARGIN


def peak_field(architecture: Architecture) -> str:
    """The field of a document that holds the highest rate, as ``--set`` names it."""
    config = architecture.trained
    place: Place = ("train", "optimizer", config.optimizer.kind, "lr")
    for position, scheduler in enumerate(config.scheduler):
        if scheduler.kind == "OneCycleLR":  # it takes no notice of the optimizer's own
            place = ("train", "scheduler", position, scheduler.kind, "max_lr")
    return architecture.problem(place, "").field


@dataclass(frozen=True)
class RangeTest:
    """A test that was made.

    Attributes:
        architecture: the document resolved, as a run records it.
        dataset: the kind that was trained on; not the document's where another stood in.
        seed: of weights, order and draws.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32`` or ``bf16``.
        learning_rates: of each step whose loss was finite, as are ``losses`` and ``smoothed``.
        losses: the mean over the batch.
        smoothed: their bias-corrected moving average.
        field: of the document, for which the suggestion is.
        suggestion: see `suggest`.
        diverged_at: the rate at which the loss ran away or was not finite; None if it never was.
        steps: those over which the whole range was to be spanned.
    """

    architecture: dict[str, Any]
    dataset: str
    seed: int
    device: str
    precision: str
    learning_rates: list[float]
    losses: list[float]
    smoothed: list[float]
    field: str
    suggestion: float | None
    diverged_at: float | None
    steps: int

    @property
    def few(self) -> bool:
        """Whether its steps are too few to trust what it suggests."""
        return self.steps < FEW

    @property
    def still_falling(self) -> bool:
        """Whether the loss was least at the end, so that a higher rate may do better."""
        return self.diverged_at is None and self.smoothed[-1] == min(self.smoothed)

    def text(self) -> str:
        """As JSON, the same for the same figures."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: Path) -> None:
        """Write the record, in place of the one of an earlier test.

        Raises:
            OSError: it cannot be written.
        """
        write_atomic(path, self.text().encode())

    @classmethod
    def read(cls, path: Path) -> RangeTest | None:
        """What `save` wrote; None where there is no file.

        Raises:
            ConfigError: it is no such record, or cannot be read.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _damaged(path, error.strerror or str(error)) from None
        except (ValueError, RecursionError) as error:
            raise _damaged(path, str(error)) from None
        names = {each.name for each in fields(cls)}
        if not isinstance(content, dict) or content.keys() != names:
            raise _damaged(path, f"it does not hold {', '.join(sorted(names))}")
        for name in ("suggestion", "diverged_at"):
            rate = content[name]
            if rate is not None and not (type(rate) in (int, float) and math.isfinite(rate)):
                raise _damaged(path, f"{name} is no number: {rate!r}")
        return cls(**content)


def _damaged(path: Path, why: str) -> ConfigError:
    message = f"cannot be read: {why}; make it anew with `netbuilder lr-find`"
    return ConfigError.at(path, message)
