"""Outputs that a user names: files, links to files, devices, pipes, and standard output."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path

from netbuilder._files.temporary import remove_leftovers
from netbuilder._files.write import write_atomic

STDOUT = Path("-")
"""The name of standard output."""

_MOST_LINKS = 40

_OPEN_FILES = re.compile(r"/dev/fd|/proc/[^/]+(/task/[^/]+)?/fd")
"""The folders of the open files of a process, to which /dev/stdout is a link."""

_REFUSED = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFBLK: "it is a disk",
}


def is_stdout(path: Path) -> bool:
    """Whether a path names standard output: ``-``, ``/dev/stdout``, or the file that it is."""
    if path == STDOUT:
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except (OSError, ValueError):
        return False


def destination(path: Path) -> Path | None:
    """Return the file that `write_to` creates or replaces, the target of a link.

    Returns:
        The file; or None if the content is streamed: to standard output, a device or a pipe.

    Raises:
        OSError: The path is none of these, or links form a loop; the message says what it is.
    """
    if is_stdout(path) or _is_open_file(path):
        return None
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:  # it, or what it links to
        mode = stat.S_IFREG
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return None
    if not stat.S_ISREG(mode):
        reason = _REFUSED.get(stat.S_IFMT(mode), "it is not a file")
        raise OSError(errno.EINVAL, reason, str(path))
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def write_to(path: Path, content: bytes) -> None:
    """Write what a user wants at ``path``, whatever is there.

    A file is written as by `write_atomic`, through a link to it; a device and a pipe are written
    to; ``-`` is standard output.

    Raises:
        OSError: The path is none of these, or it cannot be written.
    """
    file = destination(path)
    if file is not None:
        remove_leftovers(file.parent)
        write_atomic(file, content)
    elif is_stdout(path):
        _print(content)
    else:
        # Not created if it is gone; no terminal becomes this process's own.
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOCTTY", 0)
        with os.fdopen(os.open(path, flags), "wb") as stream:
            stream.write(content)


def _print(content: bytes) -> None:
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # replaced by a stream of text
        sys.stdout.write(content.decode(errors="surrogateescape"))
        return
    sys.stdout.flush()
    binary.write(content)
    binary.flush()


def _is_open_file(path: Path) -> bool:
    """Whether a path leads through an open file of a process, such as /dev/fd/3."""
    for _ in range(_MOST_LINKS):
        if _OPEN_FILES.fullmatch(os.path.realpath(path.parent)):
            return True
        if not path.is_symlink():
            return False
        path = path.parent / path.readlink()
    return False
