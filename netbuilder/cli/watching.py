"""A look at documents that is taken again at each save."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from netbuilder.errors import ConfigError, Problem

if TYPE_CHECKING:
    from netbuilder.analysis import Analysis

CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Home, the screen and what has scrolled off it."""
INTERRUPTED = 130


class Look:
    """What is known of one document that is being edited.

    Attributes:
        analysis: of the document; of its layers before the first wrong one where it is wrong; None
            where there are none.
        problems: what is wrong with it.
        good: the analysis when it was last right.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.analysis: Analysis | None = None
        self.problems: list[Problem] = []
        self.good: Analysis | None = None
        self._included: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The document and what it includes."""
        return self.path, *self._included

    def again(self) -> None:
        """Read the document as it now is."""
        from netbuilder.analysis import analyse
        from netbuilder.loader import load, load_until_fault

        self.problems = []
        try:
            architecture = load(self.path)
        except ConfigError as error:
            self.problems = error.problems
            self._included = _included(self.path)
            part = load_until_fault(self.path)
            self.analysis = analyse(part) if part else None
            return
        self._included = tuple(self.path.parent / name for name in architecture.included())
        self.analysis = analyse(architecture)
        if self.analysis.fault:
            self.problems = [self.analysis.fault]
        else:
            self.good = self.analysis

    def say_last_right(self) -> None:
        """Where it is wrong, the totals of before that."""
        from rich.text import Text

        from netbuilder.console import show
        from netbuilder.tables import totals

        if self.problems and self.good:
            plain = not sys.stdout.isatty()
            show(Text(f"last right: {totals(self.good)}"), plain=plain)


def _included(path: Path) -> tuple[Path, ...]:
    """What a wrong document names to include, there or not; nothing outside its folder."""
    from netbuilder.definitions import inclusions
    from netbuilder.reading import read_text
    from netbuilder.yaml_text import parse

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
    from netbuilder.watching import saves

    looks = [Look(path) for path in paths]
    try:
        for number, _ in enumerate(saves(lambda: [file for look in looks for file in look.files])):
            if sys.stdout.isatty():
                sys.stdout.write(CLEAR)
            elif number:
                print()
            for look in looks:
                look.again()
                draw(look)
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
