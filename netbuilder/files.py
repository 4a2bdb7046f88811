"""Files that are whole or not there, and the checksum of what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def write_atomic(path: Path, content: bytes) -> None:
    """Put a file at ``path`` so that a crash at any moment leaves the old one or the new one.

    It is written aside, flushed to the disk and renamed into place; then the folder is flushed.

    Raises:
        OSError: the disk is full, the folder is read-only …; nothing is left behind.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    if os.name == "nt":  # Windows has no handle on a folder to flush
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def sole_user(folder: Path) -> Iterator[bool]:
    """Whether nobody else holds ``folder``; it is held meanwhile, and let go when a process dies.

    The lock is on the folder itself and leaves no file. Where the system has none, everybody is
    alone.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        except OSError:  # a network's disk without locks
            alone = True
        yield alone
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_atomic` left in ``folder`` when its process was killed."""
    if os.name == "nt":  # signal 0 asks nothing there, it interrupts
        return
    for aside in folder.glob(".*.tmp"):
        process = aside.name.split(".")[-2]
        if not (process.isdigit() and is_alive(int(process))):
            aside.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this machine is running, whoever's it is."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def digest_of(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """SHA-256, in hexadecimal, over ``text`` and every tensor's name, type, shape and values.

    The tensors are on the CPU.
    """
    import torch

    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
