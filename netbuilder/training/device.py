"""The device and precision of a run, and their description for its record."""

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
from netbuilder.training._torch_workarounds import has_avx512_bf16
from netbuilder.training.options import DEVICES, PRECISIONS


@dataclass(frozen=True)
class Device:
    """A torch device, and a precision: ``fp32`` or ``bf16``."""

    device: torch.device
    precision: str

    @classmethod
    def choose(cls, device: str = "auto", precision: str = "auto") -> Device:
        """Choose a device and a precision.

        ``auto`` is a GPU if there is one, and bf16 if the device has instructions for it.

        Raises:
            ConfigError: The name of a device or a precision is unknown.
            MachineError: torch does not find the device on this machine.
        """
        require_choice("--device", device, DEVICES)
        require_choice("--precision", precision, PRECISIONS)
        available = {
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
            "cpu": True,
        }
        if device == "auto":
            device = next(name for name in available if available[name])
        elif not available[device]:
            raise MachineError(f"--device {device}: torch finds no such device; use auto or cpu")
        if precision == "auto":
            precision = "bf16" if _computes_bf16(device) else "fp32"
        return cls(torch.device(device), precision)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context for the forward pass."""
        enabled = self.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def memory(self) -> int:
        """Return the total memory of the device in bytes; on the CPU, what this process may use."""
        if self.device.type == "cuda":
            return int(torch.cuda.get_device_properties(self.device).total_memory)
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        with suppress(OSError, ValueError):  # the limit of a container, or "max"
            total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
        return total

    def describe(self) -> dict[str, Any]:
        """Describe device, threads and versions, for ``environment.json``."""
        return {
            "device": self.device.type,
            "device_name": _device_name(self.device),
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": {
                "netbuilder": netbuilder.__version__,
                "torch": torch.__version__,  # with the build, such as +cu130
                **{name: version(name) for name in ("torchvision", "numpy")},
            },
        }


def seeder(device: torch.device) -> Callable[[int], object]:
    """Return the function that seeds torch's global generator on ``device`` alone.

    ``torch.manual_seed`` seeds all devices and takes 0.2 ms, 3 % of a small network's step.
    """
    if device.type == "cuda":
        return torch.cuda.manual_seed
    return torch.mps.manual_seed if device.type == "mps" else torch.default_generator.manual_seed


@contextmanager
def deterministic(*, enabled: bool) -> Iterator[None]:
    """Use deterministic algorithms, see `torch.use_deterministic_algorithms`.

    Raises:
        MachineError: An operation has no deterministic algorithm on this device.
    """
    if not enabled:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required by cuBLAS
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        reason = str(error).split(".")[0]
        raise MachineError(
            f"--deterministic: {reason}; replace that layer, or train without the option"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before)


def _computes_bf16(device: str) -> bool:
    """Whether the device has instructions for bfloat16, which is slow where it is emulated."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and has_avx512_bf16()


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()} with {os.cpu_count()} cores"
