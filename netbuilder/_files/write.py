"""Atomic writes, and the errors of writing in plain words."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netbuilder._files.temporary import temporary_file
from netbuilder._text import printable
from netbuilder.errors import MachineError

OUT_HINT = "choose another path with --out"
"""The advice that follows a write error by default."""


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
        BrokenPipeError: The reader of a pipe is gone, which ends a program without a message.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"{path}: cannot be written: {errno_message(error)}; {hint}"
        raise MachineError(printable(message)) from error


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a crash at any moment leaves either the old file or the new one.

    The content goes to a temporary file, which is flushed to disk and renamed; then the folder is
    flushed. The new file has the permissions of the old one. A link at ``path`` is replaced, so
    that a folder of records from elsewhere cannot lead out of itself; `write_to` follows links.

    Raises:
        OSError: The file cannot be written; the temporary file is removed.
    """
    try:
        with temporary_file(path) as temporary:
            with temporary.open("wb") as file:
                _copy_access(path, file.fileno())
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as error:  # the user does not know the temporary name
        raise OSError(error.errno, error.strerror, str(path)) from error
    sync_folder(path.parent)


def _copy_access(path: Path, descriptor: int) -> None:
    """Give an open file the permissions and, as far as possible, the owner of a regular file."""
    try:
        status = path.lstat()
    except OSError:
        return
    if os.name != "nt" and stat.S_ISREG(status.st_mode):
        with suppress(OSError):  # only root may give a file away
            os.fchown(descriptor, status.st_uid, status.st_gid)
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


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
