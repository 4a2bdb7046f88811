"""``--watch``: show documents again after each save."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

from netbuilder.errors import ConfigError

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis


CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Escape sequence that clears the screen and the lines scrolled off it."""


class Look:
    """A document that is being edited.

    Attributes:
        path: The document.
        check: The check of its last saved version.
    """

    def __init__(self, path: Path) -> None:
        from netbuilder.network.check import DocumentCheck

        self.path = path
        self.check = DocumentCheck((), None)
        self._included: tuple[Path, ...] = ()
        self._last_valid: Analysis | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The document and the files that it includes."""
        return self.path, *self._included

    def refresh(self) -> None:
        """Read the document again."""
        from netbuilder.network.check import check_document

        self.check = check_document(self.path)
        self._included = _included(self.path)
        if self.check.is_sound:
            self._last_valid = self.check.analysis

    def print_last_valid(self) -> None:
        """Print the totals of the last valid version of a document with problems."""
        from netbuilder.render.console import Line, show
        from netbuilder.render.network_text import totals

        if not self.check.is_sound and self._last_valid:
            plain = not sys.stdout.isatty()
            show(Line(f"last valid version: {totals(self._last_valid)}"), plain=plain)


def _included(path: Path) -> tuple[Path, ...]:
    """Return the files that a document includes from its folder, existing or not."""
    from netbuilder.config.definitions import inclusions
    from netbuilder.config.source import read_text
    from netbuilder.config.yaml_nodes import parse

    try:
        root, _ = parse(read_text(path), str(path))
    except ConfigError:
        return ()
    names = [Path(item.value) for item in inclusions(root) if isinstance(item.value, str)]
    return tuple(
        path.parent / name for name in names if not name.is_absolute() and ".." not in name.parts
    )


def watch(paths: list[Path], draw: Callable[[Look], None]) -> None:
    """Draw each document now and after each save, until a signal ends the process."""
    looks = [Look(path) for path in paths]
    for number, _ in enumerate(saves(lambda: [file for look in looks for file in look.files])):
        if sys.stdout.isatty():
            sys.stdout.write(CLEAR)
        elif number:
            print()
        for look in looks:
            look.refresh()
            draw(look)
        sys.stdout.flush()


POLL = 0.04
"""Seconds between two polls; a poll reads only the size and times of the files."""

PATIENCE = 0.12
"""Seconds that a save may take, while the file is missing or grows."""


Stamp = tuple[int, int, int] | None


def saves(files: Callable[[], Iterable[Path]]) -> Iterator[None]:
    """Yield at once, then after each change of a file or of the terminal's size.

    Args:
        files: Called at every poll, because a save can change what a document includes.
    """
    known = _stamps(files())
    size = get_terminal_size()
    yield
    while True:
        time.sleep(POLL)
        stamps = _stamps(files())
        # A file that is new in this poll counts as changed.
        if stamps != known:
            known = _settled(files, stamps)
        elif get_terminal_size() == size:
            continue
        size = get_terminal_size()
        yield


def _settled(files: Callable[[], Iterable[Path]], stamps: dict[Path, Stamp]) -> dict[Path, Stamp]:
    """Return the stamps once they stay the same, or when `PATIENCE` is over."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        time.sleep(POLL / 2)
        newer = _stamps(files())
        if newer == stamps and None not in newer.values():
            break
        stamps = newer
    return stamps


def _stamps(files: Iterable[Path]) -> dict[Path, Stamp]:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> Stamp:
    """Return values that change when a file is written or replaced; None if it is missing."""
    try:
        status = file.stat()
    except (OSError, ValueError):  # a name that no file can have, such as one with a null byte
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


Watch = Annotated[bool, typer.Option("--watch", help="Repeat after each save, until Ctrl-C.")]
