"""Signals in every phase of a training: its end, its files and its continuation."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import run
from paths import HELPERS
from small import DOCUMENT, fingerprint

from netbuilder.training.compile import has_compiler

SCRIPT = HELPERS / "interrupted.py"
DOCUMENT = DOCUMENT.replace("epochs: 3", "epochs: 2").replace("batch_size: 96", "batch_size: 500")
PATIENCE = 300
"""Seconds after which a process counts as hanging."""
SIGNALS = signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a document, and one for temporary files."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    (tmp_path / "scratch").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of the uninterrupted run."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "small.yaml").write_text(DOCUMENT)
    (folder / "scratch").mkdir()
    finish(folder)
    return fingerprint(the_run(folder))


def begin(folder: Path, phase: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a training that waits in a phase."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), phase, "train", "small.yaml", "-q", *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder / "scratch"), "NETBUILDER_DATA": str(folder)},
    )


def finish(folder: Path, *arguments: str) -> None:
    """Train to the end without a message."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = run("train", "small.yaml", "-q", *arguments)
    assert (result.code, result.err) == (0, "")


def the_run(folder: Path) -> Path:
    """Return the only run folder below ``folder``."""
    [run] = (folder / "runs" / "small").iterdir()
    return run


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    """Read what a process prints up to a word, or to its end."""
    assert process.stdout is not None
    while process.stdout.readline() not in (f"{word}\n", ""):
        pass


def interrupt(process: subprocess.Popen[str], *signals: int, times: int = 1) -> list[str]:
    """Send signals to a process when it waits for the nth time; return the lines it ends with."""
    assert process.stdin is not None
    for number in range(times):
        if number:
            process.stdin.write("\n")
            process.stdin.flush()
        wait_for(process, "ENTERED")
    for signum in signals:
        process.send_signal(signum)
        wait_for(process, "HANDLED")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signals[0]
    assert "Traceback" not in errors
    return errors.splitlines()


@pytest.mark.parametrize(
    ("phase", "signum"),
    [("training", signal.SIGINT), ("evaluation", signal.SIGTERM), ("saving", signal.SIGINT)],
)
def test_a_stopped_training_prints_the_command_that_resumes_it(
    phase: str, signum: int, folder: Path, uninterrupted: str
) -> None:
    """A stop in a step, a test or a save loses nothing: the resumed run ends in the same bits."""
    stopped, hint = interrupt(begin(folder, phase), signum, times=1 + (phase != "evaluation"))
    run_folder = the_run(folder)
    assert stopped.startswith(f"stopped by {'Ctrl-C' if signum == signal.SIGINT else 'SIGTERM'} ")
    assert hint == f"resume with: netbuilder train --resume runs/small/{run_folder.name}"
    finish(folder, "--resume", "auto")
    assert fingerprint(the_run(folder)) == uninterrupted


@pytest.mark.parametrize("phase", ["evaluation", "saving"])
def test_a_second_signal_ends_a_training_at_once(
    phase: str, folder: Path, uninterrupted: str
) -> None:
    """It does not wait for a save; the previous checkpoint loads and no temporary file remains."""
    times = 1 + (phase != "evaluation")
    [line] = interrupt(begin(folder, phase), signal.SIGINT, signal.SIGINT, times=times)
    assert line == "stopped at once; resume from the last checkpoint"
    finish(folder, "--resume", "auto")
    assert fingerprint(the_run(folder)) == uninterrupted
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
def test_a_signal_ends_a_compilation_at_once(folder: Path) -> None:
    """The message says that nothing is lost."""
    process = begin(folder, "compilation", "--compile", "on")
    [line] = interrupt(process, signal.SIGTERM)
    assert line == "stopped before the first step of epoch 1; nothing is lost"


@pytest.fixture
def stalled_server() -> Iterator[socket.socket]:
    """A server whose file never ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_ends_a_download(signum: int, stalled_server: socket.socket, folder: Path) -> None:
    """No run is created, and the next start removes the incomplete file."""
    address = f"http://127.0.0.1:{stalled_server.getsockname()[1]}/"
    process = begin(folder, address, "--dataset", "fashion_mnist")
    connection, _ = stalled_server.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(5_000))
    process.send_signal(signum)
    _, errors = process.communicate(timeout=PATIENCE)
    connection.close()
    assert process.returncode == 128 + signum
    assert errors == "stopped before the first step; nothing was trained\n"
    assert not (folder / "runs").exists()
    unreachable = begin(folder, "http://127.0.0.1:9/", "--dataset", "fashion_mnist")
    assert unreachable.wait(timeout=PATIENCE) == 3
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["small.yaml"]
