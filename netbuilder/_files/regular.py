"""Regular files: what is safe to open, and to read to its end."""

from __future__ import annotations

import stat
from pathlib import Path


class UnfitFileError(Exception):
    """A path does not lead to a regular file, or the file is too large; the message says which."""


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
