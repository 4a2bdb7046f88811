"""Run commands in forks of one process, which has imported everything that they need.

A fork costs a hundredth of a new process. ``Zygote`` starts the process; this file is its program.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Self

STREAMS = ("file", "closed", "full", "broken")
"""What a stream of a command can be: a file, closed, a full disk, a pipe without a reader."""


class Ended(NamedTuple):
    """How a command ended; ``code`` is negative if a signal ended it, ``calls`` of functions."""

    code: int
    out: str
    err: str
    calls: int


class Zygote:
    """Forks itself for each command; a context manager that ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def run(
        self,
        *arguments: str,
        cwd: Path,
        stdout: str = "file",
        stderr: str = "file",
        signum: int = 0,
        at: int = 0,
        ignored: int = 0,
    ) -> Ended:
        """Run a command.

        Args:
            *arguments: The command line.
            cwd: The current folder.
            stdout: One of `STREAMS`.
            stderr: One of `STREAMS`.
            signum: A signal that the command gets.
            at: The call of a Python function, counted from 1, at which it gets the signal.
            ignored: A signal that is ignored from the start, as nohup does.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = [arguments, str(cwd), stdout, stderr, signum, at, ignored]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))


def serve() -> None:
    """Run the commands that arrive on standard input."""
    for module in ("torch.utils.tensorboard", "matplotlib.figure", "netbuilder.training.loop"):
        with contextlib.suppress(ImportError):
            import_module(module)
    from netbuilder.cli import _app

    for name in _app.COMMANDS:
        with contextlib.suppress(ImportError):
            _app.command_function(name)
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)


def fork(request: list[Any]) -> Ended:
    """Run one command in a fork."""
    with tempfile.TemporaryDirectory(prefix="zygote-") as folder:
        files = [Path(folder) / name for name in ("out", "err", "calls")]
        for file in files:
            file.write_text("")
        child = os.fork()
        if not child:
            os._exit(run(request, *files))
        status = os.waitpid(child, 0)[1]
        out, err, calls = (file.read_text(errors="replace") for file in files)
    return Ended(os.waitstatus_to_exitcode(status), out, err, int(calls or 0))


def run(request: list[Any], out: Path, err: Path, calls: Path) -> int:
    """Run a command and return its exit code, as the interpreter would."""
    arguments, cwd, stdout, stderr, signum, at, ignored = request
    for number in (signal.SIGINT, signal.SIGHUP):  # which a shell and nohup may ignore
        signal.signal(number, signal.SIG_DFL)
    if ignored:
        signal.signal(ignored, signal.SIG_IGN)
    os.chdir(cwd)
    attach(1, stdout, out)
    attach(2, stderr, err)
    sys.argv = ["netbuilder", *arguments]
    counter = Counter(signum, at)
    code: object = 0
    sys.setprofile(counter)
    try:
        from netbuilder.__main__ import main

        main()
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.setprofile(None)
    calls.write_text(str(counter.calls))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = 120  # the interpreter's own
    return code if isinstance(code, int) else 1


class Counter:
    """Counts calls of functions, and sends a signal at one of them."""

    def __init__(self, signum: int, at: int) -> None:
        self.calls, self._signum, self._at = 0, signum, at

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self.calls += 1
            if self.calls == self._at:
                os.kill(os.getpid(), self._signum)


def attach(number: int, kind: str, path: Path) -> None:
    """Make a stream of this process what `STREAMS` says."""
    if kind == "closed":
        os.close(number)
        setattr(sys, "stdout" if number == 1 else "stderr", None)
        return
    if kind == "broken":
        reader, descriptor = os.pipe()
        os.close(reader)
    else:
        descriptor = os.open(path if kind == "file" else "/dev/full", os.O_WRONLY)
    os.dup2(descriptor, number)
    os.close(descriptor)
    stream = open(number, "w", closefd=False)  # noqa: SIM115
    setattr(sys, "stdout" if number == 1 else "stderr", stream)


if __name__ == "__main__":
    serve()
