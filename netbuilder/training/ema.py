"""The moving average of a network that is being trained."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn


class ExponentialMovingAverage:
    """An exponential moving average of weights and buffers, a step at a time.

    Its decay grows with the updates to the one that was asked for, as (1 + n) / (10 + n) does, so
    that the first weights, which were drawn, are soon forgotten in a short run too. Buffers that
    count are copied. One fused operation moves everything, over tensors that are collected once.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = deepcopy(model)
        self.module.requires_grad_(False)
        self.updates = 0
        self._decay = decay
        pairs = list(zip(_state(self.module), _state(model), strict=True))
        self._moved = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the network as it now is."""
        averages, currents = (list(side) for side in zip(*self._moved, strict=True))
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(averages, currents, 1 - decay)
        for average, current in self._copied:
            average.copy_(current)
        self.updates += 1

    def state_dict(self) -> dict[str, Tensor]:
        """As AveragedModel's: ``n_averaged``, and the module's behind ``module.``."""
        state = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        return {"n_averaged": torch.tensor(self.updates), **state}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up a saved average."""
        inner = {name.removeprefix("module."): v for name, v in state.items() if "." in name}
        self.module.load_state_dict(inner)
        self.updates = int(state["n_averaged"])


def _state(module: nn.Module) -> list[Tensor]:
    return [*(weight.detach() for weight in module.parameters()), *module.buffers()]
