"""A signal in every phase of a training: how it ends, what is left, and how it goes on."""

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
"""Seconds after which a process is taken to hang."""
ASKED = signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a document, and one for temporary files."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    (tmp_path / "scratch").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the run that nobody stops ends in."""
    folder = tmp_path_factory.mktemp("whole")
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
    """Train to the end, without a complaint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = run("train", "small.yaml", "-q", *arguments)
    assert (done.code, done.err) == (0, "")


def the_run(folder: Path) -> Path:
    """The only run folder below ``folder``."""
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
def test_a_stopped_training_says_how_to_go_on_and_does(
    phase: str, signum: int, folder: Path, whole: str
) -> None:
    """In a step, in a test or in a save, all is saved, and resumed it ends in the same bits."""
    stopped, how = interrupt(begin(folder, phase), signum, times=1 + (phase != "evaluation"))
    run_folder = the_run(folder)
    assert stopped.startswith(f"stopped by {'Ctrl-C' if signum == signal.SIGINT else 'SIGTERM'} ")
    assert how == f"resume with: netbuilder train --resume runs/small/{run_folder.name}"
    finish(folder, "--resume", "auto")
    assert fingerprint(the_run(folder)) == whole


@pytest.mark.parametrize("phase", ["evaluation", "saving"])
def test_a_second_signal_ends_it_at_once(phase: str, folder: Path, whole: str) -> None:
    """Not even a save is waited for; the checkpoint before it stands and nothing is left over."""
    times = 1 + (phase != "evaluation")
    [line] = interrupt(begin(folder, phase), signal.SIGINT, signal.SIGINT, times=times)
    assert line == "stopped at once; resume from the last checkpoint"
    finish(folder, "--resume", "auto")
    assert fingerprint(the_run(folder)) == whole
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
def test_compilation_is_not_waited_for(folder: Path) -> None:
    """It may take a minute, and there is nothing to lose yet."""
    process = begin(folder, "compilation", "--compile", "on")
    [line] = interrupt(process, signal.SIGTERM)
    assert line == "stopped before the first step of epoch 1; nothing is lost"


@pytest.fixture
def dripping() -> Iterator[socket.socket]:
    """A server of which a file never comes to its end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("signum", ASKED)
def test_a_download_is_given_up(signum: int, dripping: socket.socket, folder: Path) -> None:
    """No run is made, and what came of the file is gone with the next start."""
    address = f"http://127.0.0.1:{dripping.getsockname()[1]}/"
    process = begin(folder, address, "--dataset", "fashion_mnist")
    connection, _ = dripping.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(5_000))
    process.send_signal(signum)
    _, errors = process.communicate(timeout=PATIENCE)
    connection.close()
    assert process.returncode == 128 + signum
    assert errors == "stopped before the first step; nothing was trained\n"
    assert not (folder / "runs").exists()
    nowhere = begin(folder, "http://127.0.0.1:9/", "--dataset", "fashion_mnist")
    assert nowhere.wait(timeout=PATIENCE) == 3
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["small.yaml"]
