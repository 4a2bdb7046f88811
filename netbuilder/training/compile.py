"""Decide whether to compile the forward and backward pass, and compile it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from netbuilder.errors import MachineError, require_choice
from netbuilder.network.analysis import Analysis
from netbuilder.training.device import Device
from netbuilder.training.options import SWITCH

# An estimate of the time of an eager step on two cores of a server's CPU, measured on the tenth
# iteration. Constants rather than a measurement at the start, because the result of a run must not
# depend on the load of the machine.

STEP_OVERHEAD_SECONDS = 0.002
"""The time of a step without its multiply-accumulates."""

MACS_PER_SECOND = 2e10
"""The rate of multiply-accumulates."""

MIN_EAGER_SECONDS = 50.0
"""The eager time of a run from which compiling pays: it takes 6 to 20 s, and saves a third."""


Forward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""A function of normalized images and labels that returns the loss and the logits."""


COMPILED_FROM_EPOCH_2 = "compiled from epoch 2 (the run is long enough to pay for it)"
"""What a run records if the compiler pays, but not for the wait before its first step."""


def decide_compile(
    choice: str, analysis: Analysis, steps: int, epochs: int, hardware: Device
) -> tuple[int | None, str]:
    """Decide from which epoch on the passes are compiled.

    ``auto`` compiles from the second epoch on, so that training starts at once. The decision
    depends only on the arguments; the results of a run depend on it, but not on when the compiler
    finishes.

    Args:
        choice: ``auto``, ``on`` (from the first epoch) or ``off``.
        analysis: The network.
        steps: The number of steps per epoch.
        epochs: The number of epochs.
        hardware: The device to train on.

    Returns:
        The epoch, from 0, or None if nothing is compiled; and the reason in a few words.

    Raises:
        ConfigError: ``choice`` is another word.
        MachineError: ``choice`` is ``on``, and the device has no compiler.
    """
    require_choice("--compile", choice, SWITCH)
    if choice == "off":
        return None, "not compiled (--compile off)"
    obstacle = _obstacle(hardware)
    if choice == "on":
        if obstacle:
            raise MachineError(f"--compile on: {obstacle}; use auto or off")
        return 0, "compiled (--compile on)"
    if obstacle:
        return None, f"not compiled ({obstacle})"
    macs = analysis.macs * analysis.architecture.trained.batch_size
    seconds = steps * (epochs - 1) * (STEP_OVERHEAD_SECONDS + macs / MACS_PER_SECOND)
    if seconds < MIN_EAGER_SECONDS:
        return None, "not compiled (the run is short)"
    return 1, COMPILED_FROM_EPOCH_2


def _obstacle(hardware: Device) -> str:
    """Why torch cannot compile for a device; empty if it can."""
    match hardware.device.type:
        case "cuda":
            return ""
        case "cpu":
            return "" if has_compiler() else "no C++ compiler found"
        case other:
            return f"not supported on {other}"


def forward_pass(model: nn.Module, loss: nn.Module, hardware: Device) -> Forward:
    """Create the forward pass: normalized images and labels to loss and logits, both float32."""

    def forward(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with hardware.autocast():
            logits = model(images).flatten(1)
        logits = logits.float()
        return loss(logits, labels), logits

    return forward


def compiled(forward: Forward) -> Forward:
    """Compile a pass for the shape of its first batch.

    Dropout draws from torch's global state as in the eager pass, though before about torch 2.15
    not the same numbers.
    """
    # torch's extension builder warns on every machine without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    options: dict[str, bool | int | str | Callable[..., object]] = {"fallback_random": True}
    compiled_forward: Forward = torch.compile(forward, dynamic=False, options=options)
    return compiled_forward


def has_compiler() -> bool:
    """Whether this machine has a C++ compiler, which torch needs to compile for the CPU."""
    return any(shutil.which(name) for name in ("g++", "clang++", "cl"))
