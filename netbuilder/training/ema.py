"""The exponential moving average of a network in training."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class ExponentialMovingAverage:
    """An exponential moving average of the weights and buffers of a network.

    As in `torch.optim.swa_utils.AveragedModel`, but the decay grows with the number of updates n
    as (1 + n) / (10 + n) up to the given value, so that the initial weights are soon forgotten in
    short runs, too. Integer buffers, such as counters, are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = deepcopy(model)
        self.module.requires_grad_(False)
        self.updates = 0
        self._decay = decay
        pairs = list(zip(_tensors(self.module), _tensors(model), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the current weights of the network."""
        averages, currents = (list(side) for side in zip(*self._averaged, strict=True))
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        get_ema_multi_avg_fn(decay)(averages, currents, self.updates)  # type: ignore[no-untyped-call]  # torch's own
        for average, current in self._copied:
            average.copy_(current)
        self.updates += 1

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state in the format of `torch.optim.swa_utils.AveragedModel`."""
        state = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        return {"n_averaged": torch.tensor(self.updates), **state}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore a state from `state_dict`."""
        module = {name.removeprefix("module."): v for name, v in state.items() if "." in name}
        self.module.load_state_dict(module)
        self.updates = int(state["n_averaged"])


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*(weight.detach() for weight in module.parameters()), *module.buffers()]
