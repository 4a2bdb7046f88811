"""Find run folders: each once, however deep it lies and however many links lead to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from netbuilder._files import folders_below, leads_to_folder


def is_run_folder(folder: Path) -> bool:
    """Return whether a folder has the record with which each run folder begins."""
    config = folder / "config.json"
    if os.path.isdir(config):  # noqa: PTH112  # unlike Path.is_dir, it is False where access is denied
        # The runs of a network of that name; or a folder in place of the record, beside others.
        return os.path.isfile(folder / "environment.json")  # noqa: PTH113  # likewise
    return os.path.exists(config)  # noqa: PTH110  # likewise


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield each run folder at or below ``folder`` once, in no order.

    A link to a run folder stands for it, unless the run is found itself. No link is followed
    further.
    """
    folders: list[Path] = []
    for below, entries in folders_below(folder):
        links = (entry for entry in entries if entry.is_symlink() and leads_to_folder(entry))
        folders += filter(_is_complete, (below, *(below / entry.name for entry in links)))
    return distinct(folders)


def folders_of(name: str, runs: Path) -> Iterator[Path]:
    """Yield each run folder of the architecture ``name`` below ``runs`` once, in no order."""
    for below, entries in folders_below(runs / name):
        folders = (below / entry.name for entry in entries if leads_to_folder(entry))
        return distinct(filter(_is_complete, folders))
    return iter(())


def _is_complete(folder: Path) -> bool:
    """Return whether a folder is a run folder; one with a leading dot is still being written."""
    return not folder.name.startswith(".") and is_run_folder(folder)


def distinct(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield each folder once, however many links lead to it: the folder itself, or the first."""
    places: dict[tuple[int, int], Path] = {}
    for folder in folders:
        with suppress(OSError):  # removed in the meantime
            status = folder.stat()
            place = places.setdefault((status.st_dev, status.st_ino), folder)
            if place.is_symlink() and not folder.is_symlink():
                places[status.st_dev, status.st_ino] = folder
    yield from places.values()
