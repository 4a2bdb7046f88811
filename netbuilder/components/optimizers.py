"""Optimizers: torch's names, arguments and defaults; torch's classes do the work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from netbuilder._text import describe
from netbuilder.components.component import Component, validation_error
from netbuilder.components.fields import NonNegative, Probability

if TYPE_CHECKING:
    import torch


class Optimizer(Component):
    """What updates the parameters; ``maximize`` and how torch executes it are left out."""

    lr: NonNegative

    def build(
        self, parameters: Iterable[torch.nn.Parameter], *, fused: bool
    ) -> torch.optim.Optimizer:
        """torch's optimizer over ``parameters``; ``fused`` where the kind has such a kernel."""
        import torch

        execution = {"fused": True} if fused and self.has_fused_kernel else {}
        made: torch.optim.Optimizer = getattr(torch.optim, self.kind)(
            parameters, **self.arguments(), **execution
        )
        return made

    @property
    def has_fused_kernel(self) -> bool:
        """Whether torch has this update as one kernel for all parameters, on the CPU too."""
        return False


def _read_betas(value: object) -> tuple[float, float]:
    items = value if isinstance(value, list | tuple) else ()
    if len(items) != 2 or any(type(b) not in (int, float) or not 0 <= b < 1 for b in items):
        raise validation_error(
            f"found {describe(value)}; allowed: a list of 2 numbers of at least 0, below 1"
        )
    return float(items[0]), float(items[1])


_BETA = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}

Betas = Annotated[
    tuple[float, float],
    BeforeValidator(_read_betas),
    WithJsonSchema({"type": "array", "items": _BETA, "minItems": 2, "maxItems": 2}),
]


class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    lr: NonNegative = 1e-3
    momentum: NonNegative = 0.0
    dampening: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SGD:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise validation_error("nesterov needs a momentum above 0 and no dampening")
        return self

    @property
    def has_fused_kernel(self) -> bool:
        return True


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015)."""

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: bool = False

    @property
    def has_fused_kernel(self) -> bool:
        return True


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    weight_decay: NonNegative = 1e-2


class RMSprop(Optimizer):
    """RMSprop, centred if asked."""

    lr: NonNegative = 1e-2
    alpha: Probability = 0.99
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0
    centered: bool = False


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat, 2016)."""

    lr: NonNegative = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: bool = False
