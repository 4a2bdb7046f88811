"""Whether torch compiles the forward and backward pass, and the pass itself."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from netbuilder.analysis import Analysis
from netbuilder.errors import ConfigError, MachineError
from netbuilder.training.hardware import Hardware

CHOICES = ("auto", "on", "off")
OVERHEAD_SECONDS = 0.002
MACS_PER_SECOND = 2e10
WORTH_SECONDS = 50.0
"""An eager step takes about the overhead and its multiply-accumulates at that rate on two cores of
a server's CPU (measured on the tenth iteration); compiling takes 6 to 20 s there and saves a third
of the step, so it is won back in runs above the last figure. Constants, not a measurement at the
start: what a run computes must not depend on what else the machine does."""

Forward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def decide(asked: str, analysis: Analysis, steps: int, hardware: Hardware) -> tuple[bool, str]:
    """Whether to compile, and why, in a few words.

    Args:
        asked: ``auto``, ``on`` or ``off``.
        analysis: what is trained.
        steps: of the whole run.
        hardware: where.

    Raises:
        ConfigError: ``asked`` is nothing of that.
        MachineError: it is ``on`` and there is no compiler.
    """
    if asked not in CHOICES:
        raise ConfigError(f"--compile: found {asked!r}; allowed: {', '.join(CHOICES)}")
    if asked == "off":
        return False, "as asked"
    lacking = "" if hardware.device.type == "cpu" and has_compiler() else "no C++ compiler here"
    if hardware.device.type != "cpu":
        lacking = "" if hardware.device.type == "cuda" else f"not served on {hardware.device.type}"
    if asked == "on":
        if lacking:
            raise MachineError(f"--compile on: {lacking}; use auto or off")
        return True, "as asked"
    if lacking:
        return False, lacking
    size = analysis.architecture.trained.batch_size
    seconds = steps * (OVERHEAD_SECONDS + analysis.macs * size / MACS_PER_SECOND)
    if seconds < WORTH_SECONDS:
        return False, "a short run"
    return True, "a run long enough to win it back"


def forward_pass(model: nn.Module, loss: nn.Module, hardware: Hardware) -> Forward:
    """(normalised images, labels) to the loss and the logits, both float32."""

    def forward(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with hardware.autocast():
            logits = model(images).flatten(1)
        logits = logits.float()
        return loss(logits, labels), logits

    return forward


def compiled(forward: Forward) -> Forward:
    """The same pass, compiled for the shape of its first batch; dropout draws as it did."""
    # It says on the CPU that there is no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    options: dict[str, bool | int | str | Callable[..., object]] = {"fallback_random": True}
    made: Forward = torch.compile(forward, dynamic=False, options=options)
    return made


def has_compiler() -> bool:
    """Whether there is what torch compiles for the CPU with."""
    return any(shutil.which(name) for name in ("g++", "clang++", "cl"))
