"""Locks on files and folders, which the system releases when their process ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

LOCK_RETRY = 0.1
"""Seconds before the second attempt at a lock."""


@contextmanager
def exclusive_lock(path: Path) -> Iterator[bool]:
    """Lock a file or folder for this process; yields False if another process holds the lock.

    The lock is on the path itself and creates no file. The system releases it when the process
    ends. On a system without such locks, it always yields True.
    """
    if os.name == "nt":  # Windows cannot open a folder
        yield True
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        acquired = lock(descriptor)
        if acquired is False:  # `is_locked` in another process holds it for a moment
            sleep(LOCK_RETRY)
            acquired = lock(descriptor)
        yield acquired is not False
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the `exclusive_lock` of ``path``; False if unknown."""
    if os.name == "nt":
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return lock(descriptor, shared=True) is False
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Try to lock an open file without waiting; the lock lasts until the file is closed.

    Returns:
        True; or False if another process prevents it; or None if the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        return None
    return True
