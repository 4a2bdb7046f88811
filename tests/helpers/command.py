"""The command line, run in this process, and documents for it."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from documents import FAULTY, SMALL

from netbuilder.cli import _app as cli

COMMAND = (sys.executable, "-m", "netbuilder")
"""The command line of a separate process."""

INVALID = """\
name: wrong
input: [1, 12, 12]
layers:
  - Conv2d: {out_channels: 4, kernal_size: 3}
  - MaxPool2d: two
"""
FAULT = (
    "faulty.yaml:6:5: layers[2].Conv2d: kernel 3x3 is larger than its input 4x2x2; "
    "use a smaller kernel, more padding, or less pooling before it"
)
PROBLEMS = [
    "wrong.yaml:4:31: layers[0].Conv2d.kernal_size: unknown field; did you mean kernel_size?",
    "wrong.yaml:5:5: layers[1].MaxPool2d.kernel_size: found the text 'two'; "
    "allowed: a whole number of at least 1, or a list of 2 of them",
]


def write_documents(folder: Path) -> None:
    """Write a sound document, one with a shape error, and an invalid one."""
    for name, text in (("small", SMALL), ("faulty", FAULTY), ("wrong", INVALID)):
        (folder / f"{name}.yaml").write_text(text)


class Result(NamedTuple):
    """The exit code and the output of a command."""

    code: object
    out: str
    err: str


def run(*arguments: str) -> Result:
    """Run a command in this process."""
    code: object = 0
    with (
        patch.object(sys, "argv", ["netbuilder", *arguments]),
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
    return Result(code, out.getvalue(), err.getvalue())
