"""What is printed to a terminal, or as plain text to a pipe."""

from __future__ import annotations

from rich.console import Console, RenderableType

UNBOUNDED = 1_000_000
"""Wider than any table: text in a pipe is never folded."""


def stdout(*, plain: bool) -> Console:
    """A console on stdout: as wide as the terminal, or without a width or colours for a pipe."""
    if plain:
        return Console(color_system=None, width=UNBOUNDED, highlight=False)
    return Console(highlight=False)


def show(renderable: RenderableType, *, plain: bool) -> None:
    """Print to stdout; plain lines carry no blanks at their ends."""
    console = stdout(plain=plain)
    if not plain:
        console.print(renderable)
        return
    with console.capture() as capture:
        console.print(renderable)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()), flush=True)
