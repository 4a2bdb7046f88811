"""Learning-rate schedulers, with the names, arguments and defaults of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from netbuilder._text import LARGEST
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


class Scheduler(Component):
    """A learning-rate scheduler of torch."""

    every_step: ClassVar[bool] = False
    """Whether it steps after each optimizer step instead of each epoch."""

    watches_loss: ClassVar[bool] = False
    """Whether its step takes the test loss of the last epoch."""

    @classmethod
    def torch_name(cls) -> str:
        return f"torch.optim.lr_scheduler.{cls.kind}"

    def problem(self, steps: int) -> str | None:
        """Return why a run of ``steps`` optimizer steps cannot use the scheduler, or None."""
        return None

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

    def problem(self, steps: int) -> str | None:
        # torch divides by pct_start * steps - 1, the length of the rise.
        if steps == 1 or self.pct_start * steps == 1:
            return (
                f"pct_start {self.pct_start} of {steps} steps leaves no step for the rise; "
                "use another pct_start, more epochs or smaller batches"
            )
        return None

    def build(self, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> LRScheduler:
        from torch.optim.lr_scheduler import OneCycleLR as TorchOneCycleLR

        return TorchOneCycleLR(
            optimizer, epochs=epochs, steps_per_epoch=steps_per_epoch, **self.arguments()
        )


class StepLR(Scheduler):
    """Multiplies the learning rate by ``gamma`` every ``step_size`` epochs."""

    step_size: Size
    gamma: Positive = 0.1


class MultiStepLR(Scheduler):
    """Multiplies the learning rate by ``gamma`` after each epoch in ``milestones``."""

    milestones: Annotated[tuple[Size, ...], LIST_AS_TUPLE, Length(1, 1_000)]
    gamma: Positive = 0.1


class CosineAnnealingLR(Scheduler):
    """Anneals the learning rate to ``eta_min`` along a cosine over ``T_max`` epochs."""

    T_max: Size
    eta_min: NonNegative = 0.0


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


class LinearLR(Scheduler):
    """Changes the learning rate linearly over ``total_iters`` epochs.

    It is multiplied by ``start_factor`` at first and by ``end_factor`` at last.
    """

    start_factor: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    end_factor: Probability = 1.0
    total_iters: Size = 5
