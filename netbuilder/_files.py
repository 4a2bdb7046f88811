"""Files that are whole or not there, and the checksum of what is in them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

from netbuilder._text import printable
from netbuilder.errors import MachineError

if TYPE_CHECKING:
    from torch import Tensor


ELSEWHERE = "name another place with --out"


def errno_message(error: OSError) -> str:
    """What the system says, in words that tell what to look at."""
    return {
        errno.ENOSPC: "the disk is full",
        errno.EROFS: "the folder is read-only",
        errno.EACCES: "the folder may not be written",
    }.get(error.errno or 0, error.strerror or str(error))


@contextmanager
def report_write_errors(place: Path, then: str = ELSEWHERE) -> Iterator[None]:
    """Turn what keeps ``place`` from being written into a line that says so, and what to do.

    Raises:
        MachineError: in place of any OSError.
    """
    try:
        yield
    except OSError as error:
        message = f"{place}: cannot be written: {errno_message(error)}; {then}"
        raise MachineError(printable(message)) from error


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
    except BaseException as error:
        with suppress(OSError):  # what went wrong first is what is told
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut.

    Raises:
        OSError: the folder cannot be flushed; it is named.
    """
    if os.name == "nt":  # Windows has no handle on a folder to flush
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        os.close(descriptor)


LOOK = 0.1
"""Seconds, longer than a look at a lock takes."""


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[bool]:
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
        alone = _lock(descriptor, fcntl.LOCK_EX)
        if not alone:  # `is_held` may look just now, which takes it no time
            sleep(LOOK)
            alone = _lock(descriptor, fcntl.LOCK_EX)
        yield alone
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether `sole_user` holds ``folder`` in some process; not, where that cannot be known."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    """Whether nobody else holds it in a way that forbids ``kind``."""
    import fcntl

    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network's disk without locks
        return True
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove the files and folders made aside in ``folder`` by a process that was killed.

    This process has none there now: one with its number was another's, as in a container, where
    numbers come again.
    """
    if os.name == "nt":  # signal 0 asks nothing there, it interrupts
        return
    for aside in folder.glob(".*.tmp"):
        process = aside.name.split(".")[-2]
        if process.isdecimal() and int(process) != os.getpid() and is_alive(int(process)):
            continue
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:
            aside.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this machine is running, whoever's it is."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OverflowError:  # no system counts that far
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
