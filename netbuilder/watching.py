"""When a file is saved, whatever way an editor saves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shutil import get_terminal_size

POLL = 0.04
"""Seconds between two looks; a look asks the system for nothing but a file's size and times."""
PATIENCE = 0.12
"""Seconds for which a save may last: a file that is away is about to be replaced, and one that
grows is not all there."""

Stamp = tuple[int, int, int] | None


def saves(files: Callable[[], Iterable[Path]]) -> Iterator[None]:
    """Yields at once, and then behind each change of one of the files, or of the terminal's size.

    Args:
        files: asked anew at each look, for what a document includes may change.
    """
    known = _stamps(files())
    size = get_terminal_size()
    yield
    while True:
        time.sleep(POLL)
        found = _stamps(files())
        # A file that is watched only since that look counts as changed, for it may have been.
        if found != known:
            known = _settled(files, found)
        elif get_terminal_size() == size:
            continue
        size = get_terminal_size()
        yield


def _settled(files: Callable[[], Iterable[Path]], found: dict[Path, Stamp]) -> dict[Path, Stamp]:
    """The stamps, once they stay as they are or have been waited for long enough."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        time.sleep(POLL / 2)
        again = _stamps(files())
        if again == found and None not in again.values():
            break
        found = again
    return found


def _stamps(files: Iterable[Path]) -> dict[Path, Stamp]:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> Stamp:
    """What changes when a file is written or replaced; None where there is none."""
    try:
        status = file.stat()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
