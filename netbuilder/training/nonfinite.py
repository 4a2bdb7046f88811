"""Find the layer whose output, weight or gradient is the first that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from netbuilder.config.schema import TrainConfig
from netbuilder.data.dataset import LoadedData
from netbuilder.data.transforms import normalize, to_unit
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.training.compile import forward_pass
from netbuilder.training.device import Device
from netbuilder.training.evaluation import BATCH

LARGE = 1e6
"""Values beyond this show that training diverges; for others, an operation is not defined."""

Quantity = Literal["output", "weight", "gradient"]


@dataclass(frozen=True)
class NonFinite:
    """The first layer that computes a value that is not finite.

    Attributes:
        row: The layer; None if the loss computes it.
        quantity: What is not finite.
        low: The smallest finite value of its input.
        high: The largest finite value of its input.
        diverges: Whether inputs or weights are so large that training diverges.
    """

    row: Row | None
    quantity: Quantity
    low: float
    high: float
    diverges: bool

    def describe(self, analysis: Analysis, loss: str) -> str:
        """Return what is not finite, where and for which input; ``loss`` is the loss function."""
        values = f"for input from {self.low:.3g} to {self.high:.3g}"
        if self.row is None:
            noun = "its gradient" if self.quantity == "gradient" else "it"
            return f"{loss} is the first of which {noun} is not finite, {values}"
        name = self.row.label(analysis.architecture)
        if self.quantity == "weight":
            return f"{name} is the first with a weight that is not finite"
        return f"{name} is the first whose {self.quantity} is not finite, {values}"

    def remedy(self, precision: str, *, is_first_step: bool = False) -> str:
        """Return what to do about it."""
        if not self.diverges and self.row is not None:
            return (
                "A lower learning rate does not change that: replace the layer, or change the "
                "values that it takes"
            )
        return usual_remedy(precision, is_first_step=is_first_step)


def usual_remedy(precision: str, *, is_first_step: bool = False) -> str:
    """Return the usual advice against a loss that is not finite.

    In the first step of a run no rate was used yet.
    """
    other = "" if precision == "fp32" else ", or with --precision fp32"
    if is_first_step:
        return (
            "This is the first step, so that a lower learning rate does not change that: train "
            f"again with a smaller init or smaller arguments of the layers{other}"
        )
    return f"Train again with a lower learning rate{other}"


@dataclass
class _Trace:
    """What the hooks of one pass record, by the position of a layer in the order of execution."""

    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)
    gradients: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def first_nonfinite(
    model: nn.Module, analysis: Analysis, run: Callable[[], tuple[Tensor, Tensor]]
) -> NonFinite | None:
    """Run a pass again with hooks, and return the first layer that is not finite, if there is one.

    Args:
        model: The network, of which gradients are replaced.
        analysis: The analysis of the network.
        run: Runs the forward pass, and returns the loss and the logits.
    """
    for row in analysis.rows:
        module = model.get_submodule(row.path)
        if not row.is_container and not are_finite(module.parameters()):
            return NonFinite(row, "weight", 0.0, 0.0, diverges=True)
    model.zero_grad(set_to_none=True)
    trace = _Trace()
    with _hooks(model, analysis, trace):
        loss, logits = run()
        low, high = _range(logits)
        if trace.outputs:
            return _fault(trace, trace.outputs[0], "output", model)
        if not loss.isfinite().all():
            return NonFinite(None, "output", low, high, diverges=max(-low, high) > LARGE)
        if not loss.requires_grad:
            return None
        loss_gradients: list[bool] = []
        logits.register_hook(  # type: ignore[no-untyped-call]  # torch's own
            lambda gradient: loss_gradients.append(bool(gradient.isfinite().all()))
        )
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    if loss_gradients and not loss_gradients[0]:
        return NonFinite(None, "gradient", low, high, diverges=max(-low, high) > LARGE)
    if trace.gradients:
        return _fault(trace, max(trace.gradients), "gradient", model)
    return None


def first_nonfinite_in_test(
    model: nn.Module, analysis: Analysis, config: TrainConfig, data: LoadedData, hardware: Device
) -> NonFinite | None:
    """Return the first layer that is not finite in evaluation mode, for some test images."""
    forward, was_training = forward_pass(model, config.loss.build(), hardware), model.training
    model.eval()
    try:
        with torch.no_grad():
            parts = (torch.split(part, BATCH) for part in (data.test_images, data.test_labels))
            for images, labels in zip(*parts, strict=True):
                unit = to_unit(images.to(labels.device))
                batch = normalize(unit, data.dataset.mean, data.dataset.std)
                run = partial(forward, batch, labels)
                if fault := first_nonfinite(model, analysis, run):
                    return fault
    finally:
        model.train(was_training)
    return None


def _fault(trace: _Trace, position: int, quantity: Quantity, model: nn.Module) -> NonFinite:
    row, (low, high) = trace.rows[position], trace.ranges[position]
    weights = [float(p.detach().abs().max()) for p in model.get_submodule(row.path).parameters()]
    return NonFinite(row, quantity, low, high, diverges=max(-low, high, *weights, 0.0) > LARGE)


def are_finite(tensors: Iterable[Tensor]) -> bool:
    """Return whether all values of all tensors are finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _range(tensor: Tensor) -> tuple[float, float]:
    finite = tensor.detach()[tensor.detach().isfinite()]
    return (float(finite.min()), float(finite.max())) if finite.numel() else (0.0, 0.0)


@contextmanager
def _hooks(model: nn.Module, analysis: Analysis, trace: _Trace) -> Iterator[None]:
    """Record in the ``with`` block what is not finite in the layers of a network."""
    handles: list[Any] = []
    rows = {id(model.get_submodule(row.path)): row for row in analysis.rows}
    running: list[int] = []

    def start(row: Row, module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        position = len(trace.rows)
        trace.rows.append(row)
        running.append(position)
        trace.ranges[position] = _range(arguments[0])
        if row.is_container:  # its layers have their own hooks
            return
        watch = partial(note, position)
        tensors = [part for part in (*arguments, *module.parameters()) if part.requires_grad]
        register: Any = Tensor.register_hook  # without types
        handles.extend(register(part, watch) for part in tensors)

    def note(position: int, gradient: Tensor) -> None:
        if not gradient.isfinite().all():
            trace.gradients.append(position)

    def end(module: nn.Module, arguments: Sequence[Tensor], output: Tensor) -> None:
        position = running.pop()
        if not output.isfinite().all():
            trace.outputs.append(position)

    for module in model.modules():
        if row := rows.get(id(module)):
            handles.append(module.register_forward_pre_hook(partial(start, row)))
            handles.append(module.register_forward_hook(end))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
