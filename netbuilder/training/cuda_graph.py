"""CUDA graphs: a function of tensors is captured once per input shape, and replayed."""

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
"""The runs before a capture, in which libraries choose kernels and allocate workspaces."""


Body = Callable[..., tuple[Tensor, ...]]
"""A function of tensors that can be captured."""


def decide_graph(choice: str, optimizer: Optimizer, hardware: Device) -> bool:
    """Decide whether the passes of each step are replayed as a CUDA graph.

    Args:
        choice: ``auto``, ``on`` or ``off``.
        optimizer: The optimizer. It needs a fused update, which can be skipped on the device.
        hardware: The device to train on.

    Raises:
        ConfigError: ``choice`` is another word, or is ``on`` and torch has no fused update.
        MachineError: ``choice`` is ``on``, and the device is not a CUDA GPU.
    """
    require_choice("--graph", choice, SWITCH)
    on_cuda = hardware.device.type == "cuda"
    if choice == "on" and not on_cuda:
        raise MachineError(
            f"--graph on: a CUDA graph needs a CUDA GPU, and this run is on "
            f"{hardware.device.type}; use auto or off"
        )
    if choice == "on" and not optimizer.has_fused_kernel:
        raise ConfigError(
            f"--graph on: {optimizer.kind} is not supported, torch has no fused update for it; "
            "use auto or off, or SGD, Adam or AdamW"
        )
    return choice != "off" and on_cuda and optimizer.has_fused_kernel


@dataclass(frozen=True)
class _Capture:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    gradients: tuple[Tensor | None, ...]


class CudaGraphed:
    """Replays a function as a CUDA graph; it is called like the function.

    Random draws, from torch's global generator and from ``generators``, follow the seeds at each
    call, as in the function. The next call with inputs of the same shapes overwrites the outputs
    and the gradients.
    """

    def __init__(
        self, body: Body, model: nn.Module, generators: Iterable[torch.Generator] = ()
    ) -> None:
        """Wrap a function.

        Args:
            body: Reads no value on the host; may set gradients and buffers of ``model``.
            model: The network that ``body`` uses.
            generators: The generators that ``body`` draws from, in addition to the global one.
        """
        self._body = body
        self._model = model
        self._parameters = list(model.parameters())
        self._generators = tuple(generators)
        self._captures: dict[tuple[torch.Size, ...], _Capture] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the function on new inputs.

        Raises:
            MachineError: The function cannot be captured.
        """
        key = tuple(tensor.shape for tensor in inputs)
        capture = self._captures.get(key)
        if capture is None:
            capture = self._captures[key] = self._capture(inputs)
        for static, value in zip(capture.inputs, inputs, strict=True):
            static.copy_(value)
        capture.graph.replay()
        # Each graph has its own gradient tensors.
        for parameter, gradient in zip(self._parameters, capture.gradients, strict=True):
            parameter.grad = gradient
        return capture.outputs

    def _capture(self, inputs: Sequence[Tensor]) -> _Capture:
        static_inputs = tuple(tensor.clone() for tensor in inputs)
        seeds = [generator.initial_seed() for generator in self._generators]
        global_seed = torch.cuda.initial_seed()
        self._warm_up(static_inputs)
        self._clear_gradients()  # so that the graph allocates them in its own memory
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph):
                outputs = self._body(*static_inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise MachineError(
                f"a step cannot be captured as a CUDA graph: {str(error).splitlines()[0]}; "
                "train again with --graph off"
            ) from error
        for generator, seed in zip(self._generators, seeds, strict=True):
            generator.manual_seed(seed)
        torch.cuda.manual_seed(global_seed)
        gradients = tuple(parameter.grad for parameter in self._parameters)
        return _Capture(graph, static_inputs, outputs, gradients)

    def _warm_up(self, inputs: Sequence[Tensor]) -> None:
        """Run the function on a side stream, and restore the buffers, such as batch statistics."""
        buffers = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                self._clear_gradients()
                self._body(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)

    def _clear_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


class DeferredFiniteCheck:
    """Records on the device whether steps are finite, and reads the results later.

    Attributes:
        failed: Float32 of shape (): 1 from the first step on that is not finite, else 0.
    """

    def __init__(self, device: torch.device) -> None:
        self.failed = torch.zeros((), device=device)
        self._passed = torch.zeros((), dtype=torch.int64, device=device)
        self._steps: list[tuple[int, int]] = []

    def record(self, finite: Tensor, epoch: int, step: int) -> None:
        """Record whether a step is finite, a bool of shape (), without reading it."""
        self.failed.copy_(torch.maximum(self.failed, (~finite).to(self.failed.dtype)))
        self._passed += self.failed == 0
        self._steps.append((epoch, step))

    def first_failure(self) -> tuple[int, int] | None:
        """Read and clear the records; return epoch and step of the first failure, from 0."""
        passed = int(self._passed)
        first = self._steps[passed] if passed < len(self._steps) else None
        self._steps.clear()
        self._passed.zero_()
        return first
