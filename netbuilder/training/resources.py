"""Report exhausted memory and disks as one-line errors; estimate which batch fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import torch

from netbuilder._files import errno_message
from netbuilder._text import printable
from netbuilder.errors import MachineError
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import BYTES_PER_VALUE
from netbuilder.runs.run import Run

GONE = "the run folder was deleted or renamed"
"""What messages say of a run whose folder is not at its path."""

PARAMETER_COPIES = 4
"""Tensors of the size of the parameters: weights, gradients, optimizer state, and an average."""

ACTIVATION_COPIES = 2
"""Tensors of the size of each layer's output: the output, saved for backward, and its gradient."""

USABLE_SHARE = 0.9
"""The part of the memory that training may use."""


@contextmanager
def resource_errors(
    place: Path,
    hint: str | Callable[[], str] = "",
    remedy: Callable[[], str] = lambda: "lower train.batch_size",
) -> Iterator[None]:
    """Turn errors of the operating system and lack of memory into a `MachineError` of one line.

    Args:
        place: The file or folder to name in the message.
        hint: The end of the message, such as how to continue, or a function that returns it.
        remedy: Returns what to do about a lack of memory.

    Raises:
        MachineError: The body raised such an error.
    """

    def end() -> str:
        return hint if isinstance(hint, str) else hint()

    try:
        yield
    except BrokenPipeError:  # not of a file, but of an output whose reader is gone
        raise
    except OSError as error:
        message = f"{error.filename or place}: {errno_message(error)}{end()}"
        raise MachineError(printable(message)) from error
    except (MemoryError, RuntimeError) as error:
        is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not is_memory and "memory" not in str(error):
            raise
        raise MachineError(f"{place}: out of memory: {remedy()}{end()}") from error


def resume_hint(run: Run) -> str:
    """Return how to go on with a run after an error, by what its folder contains now."""
    if not run.path.is_dir():
        return f"; {GONE}: if it was renamed, rename it back and continue with --resume"
    if any(run.checkpoints.glob("*.safetensors")):
        return "; the last checkpoint is intact, continue with --resume"
    if (run.path / "metrics.jsonl").exists():
        return "; its checkpoints were deleted, train again"
    return "; nothing was trained, continue with --resume"


def divergence_hint(run: Run) -> str:
    """Return what a training that diverged leaves of a run; to resume it would repeat the step."""
    if any(run.checkpoints.glob("*.safetensors")):
        return "; the last checkpoint stays"
    return resume_hint(run)


def recorded_hint(run: Run) -> str:
    """Return what an error after the last epoch leaves of a run."""
    if run.path.is_dir():
        return "; the run itself is recorded"
    return f"; {GONE}"


def batch_that_fits(analysis: Analysis, memory: int, data_bytes: int) -> int:
    """Estimate the largest batch size, a power of two, that fits into memory; 0 if none does.

    The estimate uses the memory numbers of the summary, which assume float32.

    Args:
        analysis: The network.
        memory: The memory of the device in bytes.
        data_bytes: The part of it that the data set occupies.
    """
    input_bytes = BYTES_PER_VALUE * prod(analysis.architecture.input)
    sample_bytes = ACTIVATION_COPIES * (analysis.activation_bytes + input_bytes)
    parameter_bytes = PARAMETER_COPIES * BYTES_PER_VALUE * analysis.parameters
    samples = int((USABLE_SHARE * memory - parameter_bytes - data_bytes) // sample_bytes)
    return 1 << (samples.bit_length() - 1) if samples > 0 else 0
