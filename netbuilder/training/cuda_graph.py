"""A function of tensors as CUDA graphs: captured once a shape, replayed with one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netbuilder.components.optimizers import Optimizer
from netbuilder.errors import ConfigError, MachineError, require_choice
from netbuilder.training.device import Device
from netbuilder.training.options import SWITCH

WARM_UPS = 3
"""Runs before the capture, in which libraries choose their kernels and take their workspaces."""


Body = Callable[..., tuple[Tensor, ...]]


def decide_graph(asked: str, optimizer: Optimizer, hardware: Device) -> bool:
    """Whether each step's passes are replayed as a CUDA graph.

    Args:
        asked: ``auto``, ``on`` or ``off``.
        optimizer: it must be able to leave an update out without asking the host.
        hardware: where.

    Raises:
        ConfigError: ``asked`` is nothing of that, or it is ``on`` and the optimizer is not served.
        MachineError: it is ``on`` and there is no CUDA device.
    """
    require_choice("--graph", asked, SWITCH)
    on_cuda = hardware.device.type == "cuda"
    if asked == "on" and not on_cuda:
        raise MachineError(
            f"--graph on: a CUDA graph needs a CUDA GPU, and this run is on "
            f"{hardware.device.type}; use auto or off"
        )
    if asked == "on" and not optimizer.has_fused_kernel:
        raise ConfigError(
            f"--graph on: {optimizer.kind} is not served, torch has no fused update for it; "
            "use auto or off, or SGD, Adam or AdamW"
        )
    return asked != "off" and on_cuda and optimizer.has_fused_kernel


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    gradients: tuple[Tensor | None, ...]


class CudaGraphed:
    """Calls ``body`` as it would be called itself, by replaying what it launched the first time.

    What it draws from torch's global state and from ``generators`` follows their seeds at each
    call, as in the body. Its outputs, and the gradients that it leaves, are overwritten by the next
    call with inputs of their shapes.
    """

    def __init__(
        self, body: Body, model: nn.Module, generators: Iterable[torch.Generator] = ()
    ) -> None:
        """``body`` reads no value on the host; it may fill gradients and buffers of ``model``."""
        self._body = body
        self._model = model
        self._parameters = list(model.parameters())
        self._generators = tuple(generators)
        self._made: dict[tuple[torch.Size, ...], _Captured] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """As the body.

        Raises:
            MachineError: the body cannot be captured.
        """
        key = tuple(tensor.shape for tensor in inputs)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._capture(inputs)
        for held, given in zip(made.inputs, inputs, strict=True):
            held.copy_(given)
        made.graph.replay()
        # Each graph fills gradients of its own.
        for parameter, gradient in zip(self._parameters, made.gradients, strict=True):
            parameter.grad = gradient
        return made.outputs

    def _capture(self, inputs: Sequence[Tensor]) -> _Captured:
        held = tuple(tensor.clone() for tensor in inputs)
        seeds = [generator.initial_seed() for generator in self._generators]
        drawn = torch.cuda.initial_seed()
        # Warming up would move batch statistics; the capture itself launches nothing.
        before = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._clear()
                self._body(*held)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
        self._clear()  # so that the gradients come to lie in the graph's own memory
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph):
                outputs = self._body(*held)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise MachineError(
                f"a step cannot be captured as a CUDA graph: {str(error).splitlines()[0]}; "
                "begin anew with --graph off"
            ) from error
        for generator, seed in zip(self._generators, seeds, strict=True):
            generator.manual_seed(seed)
        torch.cuda.manual_seed(drawn)
        gradients = tuple(parameter.grad for parameter in self._parameters)
        return _Captured(graph, held, outputs, gradients)

    def _clear(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


class DeferredFiniteCheck:
    """What is found of steps whose verdicts stay on the device until they are asked for."""

    def __init__(self, device: torch.device) -> None:
        self.spoilt = torch.zeros((), device=device)
        """Float32: 1 from the first step on that was found not to be finite, else 0."""
        self._sound = torch.zeros((), dtype=torch.int64, device=device)
        self._noted: list[tuple[int, int]] = []

    def note(self, finite: Tensor, epoch: int, step: int) -> None:
        """Take in a step's verdict, a 0-dimensional bool, without waiting for it."""
        self.spoilt.copy_(torch.maximum(self.spoilt, (~finite).to(self.spoilt.dtype)))
        self._sound += self.spoilt == 0
        self._noted.append((epoch, step))

    def settle(self) -> tuple[int, int] | None:
        """Epoch and step, from 0, of the first step that was not finite; None if all were."""
        sound = int(self._sound)
        first = self._noted[sound] if sound < len(self._noted) else None
        self._noted.clear()
        self._sound.zero_()
        return first
