"""Atomic writes, locks on folders, and checksums."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

from netbuilder._text import printable
from netbuilder.errors import MachineError

if TYPE_CHECKING:
    from torch import Tensor


OUT_HINT = "choose another path with --out"
"""The advice that follows a write error by default."""
LOCK_RETRY = 0.1
"""Seconds before the second attempt at a lock."""


def errno_message(error: OSError) -> str:
    """Return the reason of a system error in plain words."""
    return {
        errno.ENOSPC: "the disk is full",
        errno.EROFS: "the folder is read-only",
        errno.EACCES: "the folder is not writable",
    }.get(error.errno or 0, error.strerror or str(error))


@contextmanager
def report_write_errors(path: Path, hint: str = OUT_HINT) -> Iterator[None]:
    """Turn an OSError while ``path`` is written into a message with the reason and a hint.

    Raises:
        MachineError: The body raised an OSError.
    """
    try:
        yield
    except OSError as error:
        message = f"{path}: cannot be written: {errno_message(error)}; {hint}"
        raise MachineError(printable(message)) from error


class UnfitFileError(Exception):
    """A path leads to no regular file, or to one that is too large; the message says which."""


_OTHER_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular(path: Path, limit: int | None = None) -> int:
    """Check a file before it is opened: to open a pipe may block, and a device may have no end.

    Args:
        path: The file.
        limit: The largest allowed size in bytes.

    Returns:
        The size of the file in bytes.

    Raises:
        UnfitFileError: It is not a regular file, or it is larger than ``limit``.
        OSError: There is no file, or its folder cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = _OTHER_KINDS.get(stat.S_IFMT(status.st_mode), "of another kind")
        raise UnfitFileError(f"not a file: it is {kind}")
    if limit is not None and status.st_size > limit:
        raise UnfitFileError(f"it has {status.st_size:,} bytes; allowed: at most {limit:,}")
    return status.st_size


def is_regular(path: Path, limit: int) -> bool:
    """Return whether a path leads to a regular file of at most ``limit`` bytes."""
    try:
        require_regular(path, limit)
    except (UnfitFileError, OSError):
        return False
    return True


_SKIPPED = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR)


def folders_below(folder: Path) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Yield a folder and each folder below it, with its entries, however deep they nest.

    Links to folders are not followed, so that links in a circle have an end. A folder that cannot
    be opened has no entries.
    """
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(current) as opened:
                entries = sorted(opened, key=lambda entry: entry.name)
        except OSError as error:
            if error.errno not in _SKIPPED:
                raise
            continue
        yield current, entries
        inner = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        pending += [current / name for name in reversed(inner)]


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one; False if it cannot be known."""
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a crash at any moment leaves either the old file or the new one.

    The content goes to a temporary file, which is flushed to disk and renamed; then the folder is
    flushed.

    Raises:
        OSError: The file cannot be written; the temporary file is removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):  # report the first error
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that a rename in it survives a power failure.

    Raises:
        OSError: The folder cannot be flushed; the error names it.
    """
    if os.name == "nt":  # Windows cannot flush a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[bool]:
    """Lock ``folder`` for this process; yields False if another process holds the lock.

    The lock is on the folder itself and creates no file. The system releases it when the process
    ends. On a system without such locks, it always yields True.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        acquired = _lock(descriptor, fcntl.LOCK_EX)
        if not acquired:  # `is_locked` in another process holds it for a moment
            sleep(LOCK_RETRY)
            acquired = _lock(descriptor, fcntl.LOCK_EX)
        yield acquired
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Return whether a process holds the `exclusive_lock` of ``folder``; False if unknown."""
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
    """Try to acquire a lock of ``kind`` without waiting; False if another process prevents it."""
    import fcntl

    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        return True
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders of killed processes from ``folder``.

    This process must not be writing there: a name with its process id is from an earlier process,
    because ids repeat, as in containers.
    """
    if os.name == "nt":  # on Windows, signal 0 interrupts the process
        return
    for temporary in folder.glob(".*.tmp"):
        process = temporary.name.split(".")[-2]
        if process.isdecimal() and int(process) != os.getpid() and is_alive(int(process)):
            continue
        if temporary.is_dir() and not temporary.is_symlink():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Return whether a process with this id runs on this machine, under any user."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OverflowError:  # larger than any process id
        return False
    except OSError:  # it runs under another user
        return True
    return True


def digest_of(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """Return the SHA-256, in hexadecimal, of ``text`` and of all names, types, shapes and values.

    The tensors must be on the CPU.
    """
    import torch

    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
