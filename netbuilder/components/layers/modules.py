"""The torch modules for which torch.nn has no class, or none that takes every memory layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn


def join(mode: str, parts: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors of shape (N, C, ...) along C, or add, multiply or average them."""
    if mode == "concat":
        return torch.cat(list(parts), dim=1)
    if mode == "multiply":
        return reduce(torch.mul, parts)
    total = reduce(torch.add, parts)
    return total / len(parts) if mode == "mean" else total


class Residual(nn.Module):
    """Computes activation(join(body(x), shortcut(x)))."""

    def __init__(
        self, body: nn.Module, shortcut: nn.Module, join: str, activation: nn.Module | None
    ) -> None:
        super().__init__()
        self.join = join
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined outputs of the branches for a batch (N, C, ...)."""
        y = join(self.join, [self.body(x), self.shortcut(x)])
        return y if self.activation is None else self.activation(y)

    def extra_repr(self) -> str:
        """Return the join mode."""
        return f"join={self.join}"


class Parallel(nn.Module):
    """Computes join(branch(x) for each branch).

    With ``split``, each branch takes an equal share of the channels.
    """

    def __init__(self, branches: Mapping[str, nn.Module], join: str, split: bool) -> None:
        super().__init__()
        self.join = join
        self.split = split
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined outputs of the branches for a batch (N, C, ...)."""
        branches = list(self.children())
        inputs = x.chunk(len(branches), dim=1) if self.split else [x] * len(branches)
        return join(
            self.join, [branch(part) for branch, part in zip(branches, inputs, strict=True)]
        )

    def extra_repr(self) -> str:
        """Return the join mode and whether the channels are split."""
        return f"join={self.join}, split={self.split}"


class LocalResponseNorm(nn.LocalResponseNorm):
    """Is torch's, which cannot take volumes whose axes were permuted."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized batch (N, C, D, H, W), of any memory layout."""
        return super().forward(x.contiguous())
