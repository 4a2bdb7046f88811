"""A look at documents that is taken again at each save."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from netbuilder.errors import ConfigError, Problem, printable

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
        """The document and what it included when it was last right."""
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
            part = load_until_fault(self.path)
            self.analysis = analyse(part) if part else None
            return
        self._included = tuple(self.path.parent / name for name in architecture.included())
        self.analysis = analyse(architecture)
        if self.analysis.fault:
            self.problems = [self.analysis.fault]
        else:
            self.good = self.analysis


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


def draw_summary(look: Look, depth: int | None) -> None:
    """The table as far as there is one; where it is wrong, why, and the totals before that."""
    from netbuilder import tables

    plain = not sys.stdout.isatty()
    if look.analysis is not None:
        tables.show(tables.summary(look.analysis, plain=plain, depth=depth), plain=plain)
    shown = look.analysis.fault if look.analysis else None
    _say_problems(look, shown)


def draw_check(look: Look) -> None:
    """As `check` says it, and the totals before a mistake."""
    from netbuilder.tables import verdict_line
    from netbuilder.targets import judge_document

    _say_problems(look, None)
    if look.problems or look.analysis is None:
        return
    verdicts = judge_document(look.analysis)
    for verdict in verdicts:
        print(printable(f"{look.path}: {verdict_line(verdict)}"))
    if all(verdict.met is not False for verdict in verdicts):
        print(printable(f"{look.path}: ok"))


def _say_problems(look: Look, shown: Problem | None) -> None:
    from netbuilder import tables

    for problem in look.problems:
        if problem != shown:
            print(problem)
    if look.problems and look.good:
        print(f"last right: {tables.totals(look.good)}")
