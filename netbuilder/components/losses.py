"""Losses over logits (N, classes) and labels (N), with torch's names, arguments and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from netbuilder.components.component import Component
from netbuilder.components.fields import Number, Probability

if TYPE_CHECKING:
    from torch import nn


class Loss(Component):
    """A loss of torch, averaged over the batch."""

    @classmethod
    def torch_name(cls) -> str:
        return f"torch.nn.{cls.kind}"

    def build(self) -> nn.Module:
        """Return torch's module, which maps logits (N, classes) and labels (N) to a scalar."""
        from torch import nn

        module: nn.Module = getattr(nn, self.kind)(**self.arguments())
        return module


class CrossEntropyLoss(Loss):
    """Computes the cross-entropy of the softmax of the logits."""

    keyword_only = frozenset({"label_smoothing"})  # torch has weight before it

    label_smoothing: Probability = 0.0


class NLLLoss(Loss):
    """Computes the negative log likelihood, for networks that end in LogSoftmax."""


class MultiMarginLoss(Loss):
    """Computes the multi-class hinge loss between the logit of the label and all others."""

    p: Annotated[int, Field(ge=1, le=2)] = 1
    margin: Number = 1.0
