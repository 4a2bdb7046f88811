"""Temporary files and folders, and the removal of those that killed processes left.

Each has a name that no other program uses, and is locked while its process uses it. The lock ends
with the process, however that ends: a path with such a name and without a lock is a leftover. The
number of the process in the name is for people; numbers repeat, as in containers.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from netbuilder._files.lock import LOCK_RETRY, lock

_NAME = re.compile(r"\..*\.netbuilder-[0-9]+-[0-9a-f]{8}\.tmp", re.DOTALL)

_LONGEST = 255
"""The longest name of a file, in bytes."""

_ATTEMPTS = 10
"""Attempts to lock a new path."""

_own: dict[Path, int] = {}
"""The temporary paths in use with the process that uses them, because a fork inherits them."""


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Create an empty file next to ``path``; it is removed at the end, unless it was renamed.

    Raises:
        OSError: It cannot be created.
    """
    with _temporary(path, lambda file: file.open("xb").close()) as file:
        yield file


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Create an empty folder next to ``path``; it is removed at the end, unless it was renamed.

    Raises:
        OSError: It cannot be created.
    """
    with _temporary(path, Path.mkdir) as folder:
        yield folder


@contextmanager
def _temporary(path: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    temporary = path.with_name(_temporary_name(path.name))
    _own[temporary] = os.getpid()
    try:
        descriptor = _create_locked(temporary, create)
        try:
            yield temporary
        finally:
            if descriptor is not None:
                os.close(descriptor)
    finally:
        if os.path.lexists(temporary):
            _remove(temporary)
        del _own[temporary]


def _create_locked(path: Path, create: Callable[[Path], None]) -> int | None:
    """Create and lock a path; return the descriptor that holds the lock.

    Until it is locked, another process can take the path for a leftover and remove it.
    """
    if os.name == "nt":
        create(path)
        return None
    for _ in range(_ATTEMPTS):
        with suppress(FileExistsError):  # another process is about to remove it
            create(path)
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            if lock(descriptor) is not False and os.path.lexists(path):
                return descriptor
            os.close(descriptor)
        sleep(LOCK_RETRY)
    raise FileNotFoundError(errno.ENOENT, "removed at once, again and again", str(path))


def _temporary_name(name: str) -> str:
    end = f".netbuilder-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    start = os.fsencode(f".{name}")[: _LONGEST - len(end)]
    return os.fsdecode(start) + end


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders of killed processes from ``folder``, where possible.

    What another program owns, or a running process uses, stays.
    """
    if os.name == "nt":  # there are no locks that tell whether a process runs
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_unlocked(Path(entry.path))


def _remove_unlocked(path: Path) -> None:
    """Remove a file or folder that no process locks.

    Raises:
        OSError: It is a link, or this user may not open or remove it.
    """
    # Opening a pipe would wait for its other side.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and lock(descriptor):
            _remove(path)
    finally:
        os.close(descriptor)


def remove_own() -> None:
    """Remove the temporary paths of this process, which ends at once."""
    for path, process in list(_own.items()):
        if process == os.getpid():
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()
