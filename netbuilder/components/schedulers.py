"""Learning-rate schedulers, with the names, arguments and defaults of torch."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from netbuilder._text import LARGEST, plural
from netbuilder.components.component import Component
from netbuilder.components.fields import (
    LIST_AS_TUPLE,
    Length,
    NonNegative,
    Positive,
    Probability,
    Size,
)

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


class Mismatch(NamedTuple):
    """A field of a scheduler that does not fit the length of the run, why, and what to do."""

    field: str
    reason: str
    remedy: str


class Scheduler(Component):
    """A learning-rate scheduler of torch."""

    every_step: ClassVar[bool] = False
    """Whether it steps after each optimizer step instead of each epoch."""

    watches_loss: ClassVar[bool] = False
    """Whether its step takes the test loss of the last epoch."""

    @classmethod
    def torch_name(cls) -> str:
        return f"torch.optim.lr_scheduler.{cls.kind}"

    def problem(self, steps: int) -> str:
        """Return why a run of ``steps`` optimizer steps cannot use the scheduler, if it cannot."""
        return ""

    def mismatch(self, epochs: int, rate: float) -> Mismatch | None:
        """Return what does not fit a run in which the scheduler lasts ``epochs``, or None.

        Args:
            epochs: The epochs of the run, those of a warm-up not counted; below 1 if the run ends
                before the warm-up does.
            rate: The learning rate of the optimizer.
        """
        return None

    def extended(self, epochs: int, longer: int) -> Self:
        """Return the scheduler for a run that lasts ``longer`` instead of ``epochs``.

        Lengths in epochs grow in proportion. Schedulers without lengths go on as before.
        """
        return self

    def build(self, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
        """Return torch's scheduler for a run of ``epochs``."""
        from torch.optim import lr_scheduler

        scheduler: LRScheduler = getattr(lr_scheduler, self.kind)(optimizer, **self.arguments())
        return scheduler


class OneCycleLR(Scheduler):
    """Raises the learning rate to ``max_lr``, then anneals it (Smith and Topin, 2018)."""

    every_step = True
    # torch has total_steps, epochs and steps_per_epoch, which are inferred, before these.
    keyword_only = frozenset({
        "pct_start", "anneal_strategy", "cycle_momentum", "base_momentum", "max_momentum",
        "div_factor", "final_div_factor", "three_phase",
    })  # fmt: skip

    max_lr: Positive
    pct_start: Probability = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    cycle_momentum: bool = True
    base_momentum: Probability = 0.85
    max_momentum: Probability = 0.95
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4
    three_phase: bool = False

    def problem(self, steps: int) -> str:
        start, others = self.pct_start, "another pct_start, more epochs or smaller batches"
        if steps == 1 or start * steps == 1:
            return f"pct_start {start} of {steps} steps leaves no step for the rise; use {others}"
        # The moves run from 0 to `steps`. torch divides by the length of the phase of each, and
        # computes the ends of phases in this way.
        last = float(steps - 1)
        fall = float(2 * start * steps) - 2 if self.three_phase else float(start * steps) - 1
        if fall == last:
            allowed = "at most 0.5" if self.three_phase else "below 1"
            return (
                f"pct_start {start} of {steps} steps leaves no step for the last phase; "
                f"allowed: {allowed}"
            )
        return ""

    def build(self, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
        from torch.optim.lr_scheduler import OneCycleLR as TorchOneCycleLR

        return TorchOneCycleLR(
            optimizer, epochs=epochs, steps_per_epoch=steps_per_epoch, **self.arguments()
        )


def _in_proportion(length: int, epochs: int, longer: int) -> int:
    """Return a length in epochs, which was part of ``epochs``, as part of ``longer``."""
    return min(LARGEST, max(1, (2 * length * longer + epochs) // (2 * epochs)))  # rounded


class StepLR(Scheduler):
    """Multiplies the learning rate by ``gamma`` every ``step_size`` epochs."""

    step_size: Size
    gamma: Positive = 0.1

    def extended(self, epochs: int, longer: int) -> Self:
        return self.model_copy(update={"step_size": _in_proportion(self.step_size, epochs, longer)})

    def mismatch(self, epochs: int, rate: float) -> Mismatch | None:
        if self.step_size < epochs:
            return None
        reason = f"the run ends after {plural(epochs, 'epoch')}, before the rate changes"
        return Mismatch("step_size", reason, "use a smaller step_size, or change train.epochs")


class MultiStepLR(Scheduler):
    """Multiplies the learning rate by ``gamma`` after each epoch in ``milestones``."""

    milestones: Annotated[tuple[Size, ...], LIST_AS_TUPLE, Length(1, 1_000)]
    gamma: Positive = 0.1

    def extended(self, epochs: int, longer: int) -> Self:
        milestones = tuple(_in_proportion(number, epochs, longer) for number in self.milestones)
        return self.model_copy(update={"milestones": milestones})

    def mismatch(self, epochs: int, rate: float) -> Mismatch | None:
        beyond = [number for number in self.milestones if number >= epochs]
        if not beyond:
            return None
        reason = f"the run ends after {plural(epochs, 'epoch')}, before milestone {min(beyond)}"
        return Mismatch("milestones", reason, "use lower milestones, or change train.epochs")


class CosineAnnealingLR(Scheduler):
    """Anneals the learning rate to ``eta_min`` along a cosine over ``T_max`` epochs."""

    T_max: Size
    eta_min: NonNegative = 0.0

    def extended(self, epochs: int, longer: int) -> Self:
        return self.model_copy(update={"T_max": _in_proportion(self.T_max, epochs, longer)})

    def mismatch(self, epochs: int, rate: float) -> Mismatch | None:
        length = self.T_max
        if epochs == length or (epochs == length + 1 and self.eta_min > 0):
            return None
        if epochs < length:
            share = (1 + cos(pi * (epochs - 1) / length)) / 2
            last = self.eta_min + (rate - self.eta_min) * share
            reason = f"the run ends after {epochs} of {length} epochs, at a rate of {last:.3g}"
        else:
            reason = f"the rate is {self.eta_min:g} after {length} of {epochs} epochs"
            reason += ", so that one trains nothing" if self.eta_min == 0 else ""
            reason += ", and then it goes back" if epochs > length + 1 else ""
        return Mismatch("T_max", reason, f"write T_max: {epochs}, or change train.epochs")


class ExponentialLR(Scheduler):
    """Multiplies the learning rate by ``gamma`` every epoch."""

    gamma: Positive


class ReduceLROnPlateau(Scheduler):
    """Multiplies the learning rate by ``factor`` after ``patience`` epochs without improvement.

    The monitored value is the test loss.
    """

    watches_loss = True

    mode: Literal["min"] = "min"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=0, le=LARGEST)] = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    min_lr: NonNegative = 0.0
    eps: NonNegative = 1e-8

    def mismatch(self, epochs: int, rate: float) -> Mismatch | None:
        # The first epoch sets the best loss, and patience + 1 epochs later the rate can change.
        if epochs >= (least := self.patience + 3):
            return None
        reason = f"the run ends after {plural(epochs, 'epoch')}, before the rate can change"
        remedy = f"use a lower patience, or at least {least} epochs"
        return Mismatch("patience", reason, remedy)


class LinearLR(Scheduler):
    """Changes the learning rate linearly over ``total_iters`` epochs.

    It is multiplied by ``start_factor`` at first and by ``end_factor`` at last.
    """

    start_factor: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    end_factor: Probability = 1.0
    total_iters: Size = 5

    def extended(self, epochs: int, longer: int) -> Self:
        return self.model_copy(
            update={"total_iters": _in_proportion(self.total_iters, epochs, longer)}
        )

    def mismatch(self, epochs: int, rate: float) -> Mismatch | None:
        length, remedy = self.total_iters, "change total_iters or train.epochs"
        if epochs <= length:
            reason = f"the run ends after {epochs} of {plural(length, 'epoch')}"
            return Mismatch("total_iters", f"{reason}, before the rate reaches its end", remedy)
        if self.end_factor == 0:
            reason = f"the rate is 0 after {length} of {epochs} epochs, so that no more is trained"
            return Mismatch("total_iters", reason, remedy)
        return None
