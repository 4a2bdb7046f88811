"""Walk the folders below a folder, however deep they nest and whatever links are among them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

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
