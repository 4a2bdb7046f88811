"""Folders that nest deeper than Python's recursion limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

DEPTH, PART = 1_200, 100


@contextmanager
def deep_folders(folder: Path) -> Iterator[Path]:
    """Create `DEPTH` nested folders, yield the deepest, and remove all of them.

    They are removed in parts, because `shutil.rmtree` would exceed the recursion limit, too.
    """
    chain = [folder]
    for _ in range(DEPTH):
        chain.append(chain[-1] / "d")
        chain[-1].mkdir()
    try:
        yield chain[-1]
    finally:
        for index in range(DEPTH - PART + 1, 0, -PART):
            part = chain[index].rename(folder / f".part{index}")
            rmtree(part)
