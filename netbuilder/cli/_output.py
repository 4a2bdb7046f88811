"""Messages on the terminal."""

from __future__ import annotations

import sys

from netbuilder._text import printable


def echo(message: str, *, err: bool = False) -> None:
    """Print one line; whatever could move the cursor is escaped.

    Args:
        message: the line; it may hold names from documents, paths and files.
        err: print to standard error.
    """
    print(printable(message), file=sys.stderr if err else sys.stdout)
