"""Keep the terminal usable while foreign code runs, which may close or replace its streams."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class _Shield(io.TextIOBase):
    """Passes text on to a stream; closing it leaves the stream open."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def own_streams() -> Iterator[None]:
    """Give the code of the ``with`` block standard streams of its own; restore them afterwards."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and _Shield(stream) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


@contextmanager
def own_descriptors() -> Iterator[None]:
    """As `own_streams`, and open streams again that the code closes by their number."""
    copies = {}
    for number in (1, 2):
        with suppress(OSError):  # closed before
            copies[number] = os.dup(number)
    try:
        with own_streams():
            yield
    finally:
        for number, copy in copies.items():
            if not (_is_open(number) and os.path.sameopenfile(number, copy)):
                os.dup2(copy, number)
            os.close(copy)
        for name, number in (("stdout", 1), ("stderr", 2)):
            stream = getattr(sys, name)
            if stream is not None and stream.closed and number in copies:
                reopen(name, number)


def reopen(name: str, number: int) -> None:
    """Set a stream of `sys` to a new file of its descriptor, which closing the file leaves open."""
    mode = "w" if number else "r"
    setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # it lasts


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
