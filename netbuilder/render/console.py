"""Print lines and tables to a terminal, or as plain text to a pipe."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuilder._text import printable
from netbuilder.render.table import RENDERERS, Table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

UNBOUNDED = 1_000_000
"""A width beyond that of any line: text in a pipe is never folded."""


class Line(NamedTuple):
    """A line of text in one style; a terminal folds a line that is too long."""

    text: str
    style: str = ""

    def __rich__(self) -> Text:
        """Return the line as rich prints it."""
        from rich.text import Text

        return Text(printable(self.text), style=self.style)


Block = Line | Table[Any]


def stdout(*, plain: bool) -> Console:
    """Return a console on stdout; for a pipe it has no color and no limit of width."""
    from rich.console import Console

    class PipeConsole(Console):
        """A console that raises BrokenPipeError, where rich exits with code 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, "the reader closed the pipe")

    if plain:
        return PipeConsole(color_system=None, width=UNBOUNDED, highlight=False)
    return PipeConsole(highlight=False)


def show(*blocks: Block, plain: bool) -> None:
    """Print lines and tables to stdout."""
    if plain:
        print(plain_text(*blocks), end="", flush=True)
        return
    console = stdout(plain=False)
    for block in blocks:
        console.print(block)


def plain_text(*blocks: Block) -> str:
    """Return lines and tables as text without color, as wide as it takes."""
    return "".join(
        block.render("plain") if isinstance(block, Table) else f"{printable(block.text).rstrip()}\n"
        for block in blocks
    )


def show_table(table: Table[Any], output: str) -> None:
    """Print a table; ``output`` is ``rich`` or one of `RENDERERS`."""
    if output == "rich":
        show(table, plain=False)
    else:
        print(RENDERERS[output](table, None), end="", flush=True)
