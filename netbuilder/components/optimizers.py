"""Optimizers, with the names, arguments and defaults of torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import model_validator

from netbuilder.components.component import Component, validation_error
from netbuilder.components.fields import Interval, NonNegative, NumberList, Probability

if TYPE_CHECKING:
    import torch


class Optimizer(Component):
    """An optimizer of torch, without ``maximize`` and the choice of its implementation."""

    lr: NonNegative

    @classmethod
    def torch_name(cls) -> str:
        return f"torch.optim.{cls.kind}"

    def build(
        self, parameters: Iterable[torch.nn.Parameter], *, fused: bool
    ) -> torch.optim.Optimizer:
        """Return torch's optimizer over ``parameters``, fused if requested and available."""
        import torch

        execution = {"fused": True} if fused and self.has_fused_kernel else {}
        optimizer: torch.optim.Optimizer = getattr(torch.optim, self.kind)(
            parameters, **self.arguments(), **execution
        )
        return optimizer

    @property
    def has_fused_kernel(self) -> bool:
        """Whether torch updates all parameters in one kernel, on the CPU too."""
        return False


Betas = Annotated[
    tuple[float, float],
    NumberList(
        Interval(0, 1, open_high=True), (2,), "a list of 2 numbers of at least 0 and below 1"
    ),
]


class SGD(Optimizer):
    """Implements stochastic gradient descent, optionally with momentum."""

    lr: NonNegative = 1e-3
    momentum: NonNegative = 0.0
    dampening: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False

    @model_validator(mode="after")
    def _check_nesterov(self) -> SGD:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise validation_error(
                "nesterov needs a momentum above 0 and a dampening of 0; change one of them"
            )
        return self

    @property
    def has_fused_kernel(self) -> bool:
        return True


class Adam(Optimizer):
    """Implements Adam (Kingma and Ba, 2015)."""

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: bool = False

    @property
    def has_fused_kernel(self) -> bool:
        return True


class AdamW(Adam):
    """Implements Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    weight_decay: NonNegative = 1e-2


class RMSprop(Optimizer):
    """Implements RMSprop, optionally centered."""

    lr: NonNegative = 1e-2
    alpha: Probability = 0.99
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0
    centered: bool = False


class NAdam(Optimizer):
    """Implements Adam with Nesterov momentum (Dozat, 2016)."""

    lr: NonNegative = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: bool = False
