"""Where and how precisely a run computes, and what is recorded of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import netbuilder
from netbuilder.errors import MachineError, require_choice
from netbuilder.training.options import DEVICES, PRECISIONS


@dataclass(frozen=True)
class Device:
    """A device and a precision, both decided."""

    device: torch.device
    precision: str

    @classmethod
    def choose(cls, device: str = "auto", precision: str = "auto") -> Device:
        """Decide what ``auto`` leaves open: a GPU where there is one, bf16 where it is native.

        Raises:
            ConfigError: a name that does not exist.
            MachineError: this machine does not have what was asked for.
        """
        require_choice("--device", device, DEVICES)
        require_choice("--precision", precision, PRECISIONS)
        there = {
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
            "cpu": True,
        }
        if device == "auto":
            device = next(name for name, available in there.items() if available)
        elif not there[device]:
            raise MachineError(f"--device {device}: torch finds none here; use auto or cpu")
        if precision == "auto":
            precision = "bf16" if _computes_bf16(device) else "fp32"
        return cls(torch.device(device), precision)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the forward pass runs."""
        enabled = self.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def memory(self) -> int:
        """Bytes of the device in all; on the CPU those that this process may have."""
        if self.device.type == "cuda":
            return int(torch.cuda.get_device_properties(self.device).total_memory)
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        with suppress(OSError, ValueError):  # a container's bound, "max" where there is none
            total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
        return total

    def describe(self) -> dict[str, Any]:
        """Versions, device and threads, for the record."""
        return {
            "device": self.device.type,
            "device_name": _device_name(self.device),
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": {
                "netbuilder": netbuilder.__version__,
                "torch": torch.__version__,  # it names the build too, which the package does not
                **{name: version(name) for name in ("torchvision", "numpy")},
            },
        }


def seeder(device: torch.device) -> Callable[[int], object]:
    """What seeds torch's own draws on ``device``.

    ``torch.manual_seed`` seeds every device that there could be, and takes 0.2 ms, 3 % of a small
    network's step.
    """
    if device.type == "cuda":
        return torch.cuda.manual_seed
    return torch.mps.manual_seed if device.type == "mps" else torch.default_generator.manual_seed


@contextmanager
def deterministic(*, wanted: bool) -> Iterator[None]:
    """Refuse operations that give other bits each time, as torch can tell.

    Raises:
        MachineError: one has no deterministic form here; the message names it.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        named = str(error).split(".")[0]
        raise MachineError(
            f"--deterministic: {named}; replace that layer, or train without the option"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before)


def _computes_bf16(device: str) -> bool:
    """Whether bfloat16 is faster than float32 here, and not merely emulated."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()} with {os.cpu_count()} cores"
