"""A signal in every phase of a training: how it ends, what is left, and how it goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small import DOCUMENT, fingerprint

SCRIPT = Path(__file__).with_name("interrupted.py")
DOCUMENT = DOCUMENT.replace("epochs: 3", "epochs: 2").replace("batch_size: 96", "batch_size: 500")
LIMIT = 5.0
"""Seconds from the signal to the end."""
ASKED = signal.SIGINT, signal.SIGTERM


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
    assert finished(folder) == ""
    return fingerprint(the_run(folder))


def begin(folder: Path, phase: str, *arguments: str) -> subprocess.Popen[str]:
    """A training that lingers in a phase."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), phase, "train", "small.yaml", "-q", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder / "scratch"), "NETBUILDER_DATA": str(folder)},
    )


def finished(folder: Path, *arguments: str) -> str:
    """Train to the end, and what it complained of."""
    done = subprocess.run(
        [sys.executable, "-m", "netbuilder", "train", "small.yaml", "-q", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def the_run(folder: Path) -> Path:
    """The only run folder below ``folder``."""
    [run] = (folder / "runs" / "small").iterdir()
    return run


def signalled(process: subprocess.Popen[str], *signals: int, times: int = 1) -> list[str]:
    """The lines that a process ends with, once it was sent signals where it lingered."""
    assert process.stdout is not None
    for line in process.stdout:
        times -= line == "ENTERED\n"
        if not times:
            break
    began = time.monotonic()
    for number, signum in enumerate(signals):
        time.sleep(0.2 * bool(number))
        process.send_signal(signum)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < LIMIT
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
    stopped, how = signalled(begin(folder, phase), signum, times=1 + (phase != "evaluation"))
    run = the_run(folder)
    assert stopped.startswith(f"stopped by {'Ctrl-C' if signum == signal.SIGINT else 'SIGTERM'} ")
    assert how == f"resume with: netbuilder train --resume runs/small/{run.name}"
    assert finished(folder, "--resume", "auto") == ""
    assert fingerprint(the_run(folder)) == whole


@pytest.mark.parametrize("phase", ["evaluation", "saving"])
def test_a_second_signal_ends_it_at_once(phase: str, folder: Path, whole: str) -> None:
    """Not even a save is waited for; the checkpoint before it stands and nothing is left over."""
    times = 1 + (phase != "evaluation")
    [line] = signalled(begin(folder, phase), signal.SIGINT, signal.SIGINT, times=times)
    assert line == "stopped at once; go on from the last checkpoint"
    assert finished(folder, "--resume", "auto") == ""
    assert fingerprint(the_run(folder)) == whole
    assert not list(folder.rglob("*.tmp"))


def test_compilation_is_not_waited_for(folder: Path) -> None:
    """It may take a minute, and there is nothing to lose yet."""
    process = begin(folder, "compilation", "--compile", "on")
    [line] = signalled(process, signal.SIGTERM)
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
    began = time.monotonic()
    process.send_signal(signum)
    _, errors = process.communicate(timeout=60)
    connection.close()
    assert time.monotonic() - began < LIMIT
    assert process.returncode == 128 + signum
    assert errors == "stopped before the first step; nothing was trained\n"
    assert not (folder / "runs").exists()
    nowhere = begin(folder, "http://127.0.0.1:9/", "--dataset", "fashion_mnist")
    assert nowhere.wait(timeout=60) == 3
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["small.yaml"]
