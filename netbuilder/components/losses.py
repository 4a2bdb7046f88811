"""Losses: torch's names, arguments and defaults, over logits (N, classes) and labels (N)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from netbuilder.components.component import Component
from netbuilder.components.fields import Number, Probability

if TYPE_CHECKING:
    from torch import nn


class Loss(Component):
    """What training makes small: the mean over the batch."""

    def build(self) -> nn.Module:
        """torch's module; it takes logits (N, classes) and labels (N) and gives a scalar."""
        from torch import nn

        module: nn.Module = getattr(nn, self.kind)(**self.arguments())
        return module


class CrossEntropyLoss(Loss):
    """Softmax and negative log likelihood in one."""

    keyword_only = frozenset({"label_smoothing"})  # torch's weight stands before it

    label_smoothing: Probability = 0.0


class NLLLoss(Loss):
    """Negative log likelihood, for networks that end in LogSoftmax."""


class MultiMarginLoss(Loss):
    """A hinge between the label's logit and each other one."""

    p: Annotated[int, Field(ge=1, le=2)] = 1
    margin: Number = 1.0
