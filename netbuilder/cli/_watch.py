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
from netbuilder.network.check import DocumentCheck, check_document

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis


CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Home, the screen and what has scrolled off it."""

INTERRUPTED = 130


class Look:
    """A document that is being edited, as it is after its last save.

    Attributes:
        path: the document.
        check: what is wrong with it, and what is known of its network.
    """

    def __init__(self, path: Path) -> None:
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
        self.check = check_document(self.path)
        self._included = _included(self.path)
        if self.check.is_sound:
            self._last_valid = self.check.analysis

    def print_last_valid(self) -> None:
        """Print the totals of the last valid version of a document that is wrong now."""
        from netbuilder.render.console import Line, show
        from netbuilder.render.network import totals

        if not self.check.is_sound and self._last_valid:
            plain = not sys.stdout.isatty()
            show(Line(f"last valid version: {totals(self._last_valid)}"), plain=plain)


def _included(path: Path) -> tuple[Path, ...]:
    """What a wrong document names to include, there or not; nothing outside its folder."""
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
    """Draw each document now and behind each save, until Ctrl-C.

    Raises:
        typer.Exit: with 130, as whatever is ended by Ctrl-C.
    """
    looks = [Look(path) for path in paths]
    try:
        for number, _ in enumerate(saves(lambda: [file for look in looks for file in look.files])):
            if sys.stdout.isatty():
                sys.stdout.write(CLEAR)
            elif number:
                print()
            for look in looks:
                look.refresh()
                draw(look)
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


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


Watch = Annotated[bool, typer.Option("--watch", help="Draw it again at each save, until Ctrl-C.")]
