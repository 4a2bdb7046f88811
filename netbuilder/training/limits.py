"""What a machine runs out of, told in one line."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from netbuilder.errors import Diverged, MachineError

STANDS = "; the last checkpoint stands, go on with --resume"


@contextmanager
def limits(place: Path, stands: str = "") -> Iterator[None]:
    """Turn what a machine runs out of into one line that says so, and what is left."""
    try:
        yield
    except OSError as error:
        found = {
            errno.ENOSPC: "the disk is full",
            errno.EROFS: "the folder is read-only",
            errno.EACCES: "the folder may not be written",
        }.get(error.errno or 0, error.strerror or str(error))
        raise MachineError(f"{error.filename or place}: {found}{stands}") from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise MachineError(f"{place}: out of memory: lower train.batch_size{stands}") from error
    except Diverged as error:
        raise Diverged(f"{place}: {error}; what was saved before it stands") from None
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        raise MachineError(f"{place}: out of memory: lower train.batch_size{stands}") from error
