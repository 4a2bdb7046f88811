"""Code of plugins and of imported networks: whatever it raises becomes one line."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import FrameType

from netbuilder._text import printable

MAX_TEXT = 300
"""Characters of a foreign message that a message repeats."""

_NETBUILDER = str(Path(__file__).parents[1])

_packages: set[str] = set()
"""Top-level packages of plugins, which may be installed beside the packages of netbuilder."""


def remember_package(module: str) -> None:
    """Count the code of a module's package as that of a plugin."""
    _packages.add(module.partition(".")[0])


def is_foreign(kind: type) -> bool:
    """Whether a class comes from a plugin."""
    return not str(kind.__module__).startswith("netbuilder.")


def exception_text(error: BaseException) -> str:
    """Return the type and the message of an exception as one printable line."""
    try:
        message = str(error)
    except Exception:  # a class of a plugin can define it as anything
        message = ""
    text = " ".join(message[: 2 * MAX_TEXT].split())
    name = type(error).__name__
    return shortened(f"{name}: {text}" if text else name)


def value_text(value: object) -> str:
    """Return a value that foreign code returned as one printable line."""
    try:
        text = reprlib.repr(value)
    except Exception:  # a class of a plugin can define it as anything
        text = f"a {type(value).__name__}"
    return shortened(text)


def shortened(text: str) -> str:
    """Return a text as one printable line of at most `MAX_TEXT` characters."""
    line = printable(text)
    return line if len(line) <= MAX_TEXT else line[:MAX_TEXT] + "…"


def foreign_place(error: BaseException) -> str:
    """Return the innermost line of foreign code that an error passed; empty if there is none."""
    places = [f"{_path(f.f_code.co_filename)}:{line}" for f, line in _foreign_frames(error)]
    return printable(places[-1]) if places else ""


def is_foreign_fault(error: BaseException) -> bool:
    """Whether a command named foreign code, and an error passed it."""
    return bool(_packages) and bool(foreign_place(error))


def fault_text(error: BaseException) -> str:
    """Return an exception of foreign code and its place, as one printable line."""
    place = foreign_place(error)
    return f"{exception_text(error)} (at {place})" if place else exception_text(error)


@contextmanager
def report_faults(
    error: Callable[[str], Exception], *, answers: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn whatever foreign code raises in the ``with`` block into an error of one line.

    Args:
        error: Returns the error for the text of an exception and its place.
        answers: The exceptions that are not faults; they and Ctrl-C pass unchanged.
    """
    others: tuple[type[BaseException], ...] = (KeyboardInterrupt, *answers)
    try:
        yield
    except others:
        raise
    except BaseException as fault:  # foreign code can raise any exception
        raise error(fault_text(fault)) from None


def _foreign_frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    from sysconfig import get_paths

    known = tuple({_NETBUILDER, *get_paths().values(), sys.prefix, sys.base_prefix})
    for frame, line in walk_tb(error.__traceback__):
        file, package = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))
        is_plugin = package.partition(".")[0] in _packages
        if is_plugin or not file.startswith(("<", *known)):
            yield frame, line


def _path(file: str) -> str:
    """Return a path, relative to the current folder if the file is in it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
