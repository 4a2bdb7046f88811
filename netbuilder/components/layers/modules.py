"""The torch modules behind the containers that torch.nn has no class for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn


def join(how: str, parts: Sequence[Tensor]) -> Tensor:
    """Tensors of shape (N, C, ...) as one: concat along C, or add, multiply, mean by position."""
    if how == "concat":
        return torch.cat(list(parts), dim=1)
    if how == "multiply":
        return reduce(torch.mul, parts)
    total = reduce(torch.add, parts)
    return total / len(parts) if how == "mean" else total


class Residual(nn.Module):
    """activation(join(body(x), shortcut(x)))."""

    def __init__(
        self, body: nn.Module, shortcut: nn.Module, join: str, activation: nn.Module | None
    ) -> None:
        super().__init__()
        self.join = join
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """The joined branches of a batch (N, C, ...)."""
        y = join(self.join, [self.body(x), self.shortcut(x)])
        return y if self.activation is None else self.activation(y)

    def extra_repr(self) -> str:
        """How the branches are joined."""
        return f"join={self.join}"


class Parallel(nn.Module):
    """join(branch(x) for each branch); with ``split`` each takes its share of the channels."""

    def __init__(self, branches: Mapping[str, nn.Module], join: str, split: bool) -> None:
        super().__init__()
        self.join = join
        self.split = split
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """The joined branches of a batch (N, C, ...)."""
        branches = list(self.children())
        inputs = x.chunk(len(branches), dim=1) if self.split else [x] * len(branches)
        return join(
            self.join, [branch(part) for branch, part in zip(branches, inputs, strict=True)]
        )

    def extra_repr(self) -> str:
        """How the branches are fed and joined."""
        return f"join={self.join}, split={self.split}"
