"""What a machine runs out of, told in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import torch

from netbuilder._files import errno_message
from netbuilder._text import printable
from netbuilder.errors import MachineError
from netbuilder.network.analysis import BYTES_PER_VALUE, Analysis

STANDS = "; the last checkpoint stands, go on with --resume"


@contextmanager
def limits(
    place: Path, stands: str = "", smaller: Callable[[], str] = lambda: "lower train.batch_size"
) -> Iterator[None]:
    """Turn what a machine runs out of into one line that says so, and what is left.

    ``smaller`` says what to do where memory ran out.
    """
    try:
        yield
    except OSError as error:
        message = f"{error.filename or place}: {errno_message(error)}{stands}"
        raise MachineError(printable(message)) from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise MachineError(f"{place}: out of memory: {smaller()}{stands}") from error
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        raise MachineError(f"{place}: out of memory: {smaller()}{stands}") from error


COPIES = 4
"""Weights, gradients, an optimizer's state and an average, each as large as the parameters."""

PASSES = 2
"""What each layer gives is kept for the way back, and has a gradient there."""

USED = 0.9


def batch_that_fits(analysis: Analysis, memory: int, data_bytes: int) -> int:
    """The largest batch, a power of two, whose training should fit; 0 if none does.

    By the memory rows of the summary, which are those of float32.

    Args:
        analysis: what is trained.
        memory: bytes of the device.
        data_bytes: what the data set takes of them.
    """
    sample = PASSES * (
        analysis.activation_bytes + BYTES_PER_VALUE * prod(analysis.architecture.input)
    )
    room = USED * memory - COPIES * BYTES_PER_VALUE * analysis.parameters - data_bytes
    fits = int(room // sample)
    return 1 << (fits.bit_length() - 1) if fits > 0 else 0
