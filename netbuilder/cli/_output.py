"""Messages on the terminal, and output that nobody reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

from netbuilder._text import printable
from netbuilder.errors import NetbuilderError

SIGPIPE = 13
"""The number of SIGPIPE, which Python replaces by an error; Windows has none."""


def echo(message: str, *, err: bool = False) -> None:
    """Print one line; characters that are not printable are escaped.

    Args:
        message: The line; it may contain names from documents, paths and files.
        err: Print to standard error, if anybody reads it; without a reader a command goes on.
    """
    if not err:
        print(printable(message))
        return
    try:
        print(printable(message), file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def echo_error(error: NetbuilderError) -> None:
    """Print an error to standard error, one line per problem."""
    for line in str(error).split("\n"):  # other control characters come from the user
        echo(line, err=True)


def discard(stream: TextIO) -> None:
    """Discard the buffered output of a stream, which Python would write at exit with an error."""
    with suppress(OSError, ValueError):  # a stream without a file needs nothing
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


def open_streams() -> None:
    """Open the streams that the user closed, as with ``>&-``, so that they discard everything.

    Otherwise the next file that is opened would be standard output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
        if getattr(sys, name) is None:
            from netbuilder.components.own_streams import reopen

            reopen(name, number)


def output_fault(error: OSError) -> str:
    """Return the message about standard output that cannot be written."""
    from netbuilder._files import errno_message

    return f"the output cannot be written: {errno_message(error)}; redirect it elsewhere"


@contextmanager
def messages_for(out: Path | None) -> Iterator[None]:
    """Print the messages of a command to standard error if its result goes to standard output."""
    from netbuilder._files import is_stdout

    if out is not None and is_stdout(out):
        with redirect_stdout(sys.stderr):
            yield
    else:
        yield
