"""Every command that a signal ends, or whose output nobody can read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import COMMAND, run
from small import DOCUMENT
from test_situations import CODE
from zygote import Zygote

from netbuilder.cli._app import COMMANDS, PIPE_CLOSED

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace("batch_size: 96", "batch_size: 1000")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LINES = (
    "check small.yaml --advice --runs runs",
    "export R --to safetensors --out w.safetensors",
)
LONG = (
    "schema --out s.json",
    "train small.yaml",
    "summarize small.yaml two.yaml",
    "diff small.yaml two.yaml",
    "runs runs",
    "compare runs --out c.png",
    "results runs",
    "report small.yaml --out report",
    "draw small.yaml --out s.svg",
    "guide training",
    "guide",
    "schema",
    "new x --template plain --out x.yaml",
    "import nets:net --input 1,28,28",
    "export small.yaml",
    "export R --to torch-export --out w.pt2",
    "evaluate R",
    "predict R digit.png",
    "lr-find small.yaml --steps 3",
    "train small.yaml -q --logger tensorboard",
    "train small.yaml two.yaml -q",
    "--help",
    "train --help",
    "--version",
)
FIRST = 300
"""A call by which the command line has begun; before it, the interpreter ends at a signal."""
EVERY = [*LINES, *(pytest.param(line, marks=pytest.mark.long) for line in LONG)]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """A process that forks for each command."""
    with Zygote() as zygote:
        yield zygote


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents, a run, a picture and a module."""
    base = tmp_path_factory.mktemp("base")
    (base / "small.yaml").write_text(TEXT)
    (base / "two.yaml").write_text(TEXT.replace("name: small", "name: two"))
    (base / "nets.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(base)
        assert run("train", "small.yaml", "-q").code in (0, 1)
    [folder] = (base / "runs" / "small").iterdir()
    shutil.copytree(folder, base / "R")
    shutil.copyfile(folder / "misclassified.png", base / "digit.png")
    return base


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Path:
    """A copy of the folder."""
    return shutil.copytree(base, tmp_path / "copy")


def test_every_command_is_tried() -> None:
    """A new command is added to the lines of this module; a benchmark starts other processes."""
    assert {line.split()[0] for line in (*LINES, *LONG)} >= set(COMMANDS) - {"bench"}


@pytest.mark.parametrize("line", EVERY)
def test_a_signal_ends_a_command_at_any_moment(line: str, zygote: Zygote, folder: Path) -> None:
    """The exit code names the signal; there is no traceback and no temporary file."""
    words = line.split()
    calls = zygote.run(*words, cwd=shutil.copytree(folder, folder.with_name("dry"))).calls
    assert calls > 2 * FIRST
    for number, (share, signum) in enumerate(zip((0.02, 0.6, 0.97), SIGNALS, strict=True)):
        copy = shutil.copytree(folder, folder.with_name(f"copy{number}"))
        ended = zygote.run(*words, cwd=copy, signum=signum, at=max(FIRST, int(share * calls)))
        assert ended.code == 128 + signum, (share, ended)
        assert "Traceback" not in ended.err
        assert not [path for path in copy.rglob("*") if ".tmp" in path.name]


@pytest.mark.parametrize("line", EVERY)
def test_output_that_nobody_reads_ends_a_command_with_one_line(
    line: str, zygote: Zygote, folder: Path
) -> None:
    """A closed pipe is silent and 141, a full disk is 3, and a closed output changes nothing."""
    words = line.split()
    code = zygote.run(*words, cwd=shutil.copytree(folder, folder.with_name("dry"))).code
    for stream, expected in (("broken", PIPE_CLOSED), ("full", 3), ("closed", code)):
        copy = shutil.copytree(folder, folder.with_name(stream))
        ended = zygote.run(*words, cwd=copy, stdout=stream)
        assert ended.code == expected, (stream, ended)
        assert "Traceback" not in ended.err
        lines = [text for text in ended.err.splitlines() if "cannot be written" in text]
        assert len(lines) == (stream == "full"), ended


@pytest.mark.parametrize("stream", ["closed", "full", "broken"])
@pytest.mark.parametrize("line", ["check small.yaml", "check none.yaml", "frobnicate", "diff R"])
def test_messages_that_nobody_reads_change_no_exit_code(
    line: str, stream: str, zygote: Zygote, folder: Path
) -> None:
    """Standard error may be closed, a full disk or a closed pipe; nothing moves to the output."""
    expected = zygote.run(*line.split(), cwd=folder)
    ended = zygote.run(*line.split(), cwd=folder, stderr=stream)
    assert ended[:2] == expected[:2]


@pytest.mark.parametrize("stream", ["broken", pytest.param("full", marks=pytest.mark.long)])
def test_a_training_whose_output_is_lost_is_saved(
    stream: str, zygote: Zygote, folder: Path
) -> None:
    """It stops after the step, and the message names the command that resumes it."""
    words = ("train", "two.yaml", "-q", "--set", "train.dataset={kmnist: {fallback: mnist5k}}")
    # The note on the fallback is the first output.
    ended = zygote.run(*words, "--data-dir", "none", cwd=folder, stdout=stream)
    assert ended.code == (PIPE_CLOSED if stream == "broken" else 3)
    *_, saved, resume = ended.err.splitlines()
    assert saved.startswith("stopped by a closed output in epoch 1, step 1; saved as runs/two/")
    assert resume.startswith("resume with: netbuilder train --resume runs/two/")
    command = resume.partition("netbuilder ")[2]
    assert zygote.run(*command.split(), "-q", cwd=folder).code in (0, 1)


def test_nohup_protects_from_a_hangup(zygote: Zygote, folder: Path) -> None:
    """A hangup that is ignored from the start stays ignored."""
    words = ("check", "small.yaml")
    ended = zygote.run(*words, cwd=folder, signum=signal.SIGHUP, at=500, ignored=signal.SIGHUP)
    assert (ended.code, ended.err) == (0, "")


def test_a_closed_output_is_not_the_number_of_a_file(folder: Path) -> None:
    """No file that a command writes becomes its standard output."""
    process = subprocess.run(
        [*COMMAND, "schema", "--out", "s.json"],
        cwd=folder,
        check=False,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(1),  # the child has one thread
    )
    assert (process.returncode, process.stderr) == (0, b"")
    assert b"wrote" not in (folder / "s.json").read_bytes()
