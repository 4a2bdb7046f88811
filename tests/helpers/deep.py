"""Folders that nest deeper than Python's recursion limit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

DEPTH, PART = 1_200, 100

MEMORY = Path("/dev/shm")
"""A file system in memory, where it takes no second to remove a thousand folders."""


@contextmanager
def deep_folders() -> Iterator[tuple[Path, Path]]:
    """Create `DEPTH` nested folders, yield the first and the deepest, and remove all of them.

    They are removed in parts, because `shutil.rmtree` would exceed the recursion limit, too.
    """
    chain = [Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))]
    for _ in range(DEPTH):
        chain.append(chain[-1] / "d")
        chain[-1].mkdir()
    try:
        yield chain[0], chain[-1]
    finally:
        for index in range(DEPTH - PART + 1, 0, -PART):
            rmtree(chain[index].rename(chain[0] / f".part{index}"))
        rmtree(chain[0])
