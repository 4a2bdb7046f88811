"""Messages on the terminal."""

from __future__ import annotations

import sys

from netbuilder._text import printable


def echo(message: str, *, err: bool = False) -> None:
    """Print one line; characters that are not printable are escaped.

    Args:
        message: The line; it may contain names from documents, paths and files.
        err: Print to standard error.
    """
    print(printable(message), file=sys.stderr if err else sys.stdout)
