"""Whether torch compiles the forward and backward pass, and the pass itself."""

from __future__ import annotations

import inspect
import logging
import shutil
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netbuilder.errors import MachineError, require_choice
from netbuilder.network.analysis import Analysis
from netbuilder.training.device import Device
from netbuilder.training.options import SWITCH

OVERHEAD_SECONDS = 0.002

MACS_PER_SECOND = 2e10

WORTH_SECONDS = 50.0
"""An eager step takes about the overhead and its multiply-accumulates at that rate on two cores of
a server's CPU (measured on the tenth iteration); compiling takes 6 to 20 s there and saves a third
of the step, so it is won back in runs above the last figure. Constants, not a measurement at the
start: what a run computes must not depend on what else the machine does."""


Forward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def decide(
    asked: str, analysis: Analysis, steps: int, epochs: int, hardware: Device
) -> tuple[int | None, str]:
    """From which epoch, counted from 0, the passes are compiled, and why, in a few words.

    ``auto`` leaves the first epoch as it is, so that training starts at once; whatever an epoch is
    computed by, a run's bits do not depend on when compiling was done.

    Args:
        asked: ``auto``, ``on`` (from the first epoch) or ``off``.
        analysis: what is trained.
        steps: of an epoch.
        epochs: of the run.
        hardware: where.

    Returns:
        None where nothing is compiled.

    Raises:
        ConfigError: ``asked`` is nothing of that.
        MachineError: it is ``on`` and there is no compiler.
    """
    require_choice("--compile", asked, SWITCH)
    if asked == "off":
        return None, "not compiled, as asked"
    lacking = "" if hardware.device.type == "cpu" and has_compiler() else "no C++ compiler here"
    if hardware.device.type != "cpu":
        lacking = "" if hardware.device.type == "cuda" else f"not served on {hardware.device.type}"
    if asked == "on":
        if lacking:
            raise MachineError(f"--compile on: {lacking}; use auto or off")
        return 0, "compiled, as asked"
    if lacking:
        return None, f"not compiled, {lacking}"
    size = analysis.architecture.trained.batch_size
    seconds = steps * (epochs - 1) * (OVERHEAD_SECONDS + analysis.macs * size / MACS_PER_SECOND)
    if seconds < WORTH_SECONDS:
        return None, "not compiled, a short run"
    return 1, "compiled from epoch 2 (the run is long enough to pay for it)"


def leave_out() -> None:
    """Keep torch from importing its compiler only to say that optimizers are not compiled.

    It does so at an optimizer's first call, and takes most of a second, longer than all else that
    stands between torch's import and the first step. Where torch no longer does, nothing happens.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        function = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if function is not None:
            function.__dict__.setdefault("__dynamo_disable", function)


def bare_update(optimizer: Optimizer) -> Callable[[], None]:
    """The optimizer's ``step`` without hooks, and without what imports the compiler around it."""
    update = inspect.unwrap(type(optimizer).step)
    optimizer._opt_called = True  # type: ignore[attr-defined]  # schedulers miss their own wrapper

    @torch.no_grad()
    def run() -> None:
        update(optimizer)

    return run


def forward_pass(model: nn.Module, loss: nn.Module, hardware: Device) -> Forward:
    """(normalised images, labels) to the loss and the logits, both float32."""

    def forward(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with hardware.autocast():
            logits = model(images).flatten(1)
        logits = logits.float()
        return loss(logits, labels), logits

    return forward


def compiled(forward: Forward) -> Forward:
    """The same pass, compiled for the shape of its first batch.

    Dropout draws from torch's global state as before; before torch 2.15 or so not the same numbers.
    """
    # It says on the CPU that there is no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    options: dict[str, bool | int | str | Callable[..., object]] = {"fallback_random": True}
    made: Forward = torch.compile(forward, dynamic=False, options=options)
    return made


def has_compiler() -> bool:
    """Whether there is what torch compiles for the CPU with."""
    return any(shutil.which(name) for name in ("g++", "clang++", "cl"))
