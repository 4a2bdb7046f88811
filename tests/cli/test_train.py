"""The commands on a run: their output, files and exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import COMMAND, Result, run
from small import DOCUMENT

TRAIN = ("train", "small.yaml", "--epochs", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a document."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """The result of a training of two epochs, and its folder."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "small.yaml").write_text(DOCUMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run(*TRAIN), folder


@pytest.fixture
def trained(first: tuple[Result, Path], folder: Path) -> Path:
    """The current folder, with a copy of that training's run."""
    shutil.copytree(first[1] / "runs", folder / "runs")
    return folder


def the_run(folder: Path) -> Path:
    """Return the only run folder below ``folder``."""
    [run] = (folder / "runs" / "small").iterdir()
    return run


def test_training_prints_each_epoch_and_the_verdict(first: tuple[Result, Path]) -> None:
    """The plain log has a line per epoch, the verdict and the folder; no control characters."""
    result, folder = first
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("small  Small $enough")
    assert any("4,000 images to train and 1,000 to test from mnist5k" in line for line in lines)
    header = next(i for i, line in enumerate(lines) if line.startswith("epoch   train loss"))
    assert [line.split()[0] for line in lines[header + 1 : header + 3]] == ["1", "2"]
    assert "test accuracy" in result.out
    assert "at least 50 in each of the last 2 epochs" in result.out
    assert lines[-1].endswith(f"; runs/small/{the_run(folder).name}")
    assert not any(ord(character) < 32 and character != "\n" for character in result.out)


def test_a_target_that_is_not_met_exits_with_1(folder: Path) -> None:
    """The run is recorded with its verdict."""
    result = run(*TRAIN, "--set", "targets.test_accuracy.at_least=100", "-q")
    assert result.code == 1
    assert len(result.out.splitlines()) == 1
    recorded = json.loads((the_run(folder) / "result.json").read_text())
    assert [verdict["met"] for verdict in recorded["targets"]] == [True, False]


def test_a_training_draws_its_pictures(first: tuple[Result, Path]) -> None:
    """Both pictures are PNG files larger than 10 kB."""
    for name in ("curves.png", "misclassified.png"):
        content = (the_run(first[1]) / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small.yaml", "--set", "train.optimizer.SGD.momentun=1"], "did you mean momentum?"),
        (["small.yaml", "--set", "train.epochs=no"], "found the text 'no'; allowed: a whole"),
        (
            ["small.yaml", "--epochs", "0"],
            "--epochs: found '0'; allowed: a whole number of at least 1",
        ),
        (["small.yaml", "--dataset", "imagenet"], "unknown data set 'imagenet'"),
        (["small.yaml", "--device", "gpu"], "--device: found 'gpu'; allowed: auto, cpu"),
        (["none.yaml"], "none.yaml: no such file"),
        (["."], "it is a folder"),
        ([], "name a document, such as archs/iter10.yaml"),
        (["--resume", "."], "not a run folder: it has no config.json"),
        (["small.yaml", "--resume", "."], "--resume continues a run with its own settings"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    folder: Path, arguments: list[str], message: str
) -> None:
    """The message is the only line, and no run is created."""
    result = run("train", *arguments)
    assert result.code == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert not (folder / "runs").exists()


def test_missing_data_without_a_fallback_exits_with_3(folder: Path) -> None:
    """The message lists the ways out, without a traceback and before the table of layers."""
    result = run("train", "small.yaml", "--dataset", "kmnist", "--data-dir", "none")
    assert result.code == 3
    assert "train on the data in the package: dataset: mnist5k" in result.err
    assert "dataset: {kmnist: {fallback: mnist5k}}" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_a_fallback_is_announced_recorded_and_not_judged(folder: Path) -> None:
    """A run on a declared fallback prints a note, and its accuracy is not judged."""
    change = ("--set", "train.dataset={kmnist: {fallback: mnist5k}}", "--data-dir", "none")
    result = run(*TRAIN, *change)
    assert result.code == 0
    assert "4,000 images" in result.out
    assert "note: kmnist" in result.out
    environment = json.loads((the_run(folder) / "environment.json").read_text())
    assert environment["data"]["fell_back"]
    verdicts = json.loads((the_run(folder) / "result.json").read_text())["targets"]
    assert [verdict["met"] for verdict in verdicts] == [True, None]


LONG = [pytest.param(delay, marks=pytest.mark.long) for delay in (0.3, 0.9, 1.2, 2.0)]


@pytest.mark.parametrize("delay", [0.6, 1.6, *LONG])
def test_a_signal_while_the_command_starts_is_never_lost(folder: Path, delay: float) -> None:
    """SIGTERM during an import ends the command with 143 and without a traceback."""
    process = subprocess.Popen(
        [*COMMAND, "train", "small.yaml", "--set", "train.epochs=100000"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    assert process.returncode in (
        143,
        -signal.SIGTERM,
    )  # before any of our code runs, the system's code
    assert "Traceback" not in errors


def test_resuming_refuses_options_that_change_the_run(folder: Path) -> None:
    """The options are refused, not ignored."""
    for option in (("--seed", "1"), ("--precision", "fp32"), ("--out", "x")):
        result = run("train", "--resume", "runs", *option)
        assert result.code == 2
        assert "--resume continues a run with its own settings" in result.err


def test_a_full_disk_under_the_output_is_a_line_and_exit_code_3(folder: Path) -> None:
    """Output that cannot be written is an error of the machine."""
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [*COMMAND, "summarize", "small.yaml"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 3
    assert (
        process.stderr == "the output cannot be written: the disk is full; redirect it elsewhere\n"
    )


@pytest.mark.parametrize("name", ["config.json", "environment.json"])
def test_a_damaged_record_is_reported(trained: Path, name: str) -> None:
    """Every command that reads a damaged record prints one line with its name."""
    path = str(the_run(trained))
    (the_run(trained) / name).write_text("{}")
    for arguments in (("evaluate", path), ("results", "runs"), ("train", "--resume", path)):
        result = run(*arguments)
        assert result.code == 2
        assert f"{name}: " in result.err
        assert "this field is required; put back the one" in result.err
        assert len(result.err.splitlines()) == 1


def test_evaluate_reproduces_the_record(trained: Path) -> None:
    """The best weights have the best accuracy and loss of the record."""
    path = the_run(trained)
    best = json.loads((path / "result.json").read_text())["best"]
    evaluation = json.loads(run("evaluate", str(path), "--format", "json").out)
    assert evaluation["accuracy"] == best["test_accuracy"]
    assert evaluation["loss"] == best["test_loss"]
    assert [sum(row) for row in evaluation["confusion"]] == [100] * 10
    table = run("evaluate", str(path), "--weights", "last")
    assert "1,000 test images of mnist5k: accuracy" in table.out


def test_results_combines_the_seeds(trained: Path) -> None:
    """The runs of one document are one row, with the number that met the targets."""
    assert run(*TRAIN, "--seed", "1", "-q").code == 0
    [row] = json.loads(run("results", "runs", "--format", "json").out)
    assert (row["name"], row["dataset"], row["seeds"], row["met"]) == (
        "small",
        "mnist5k",
        [0, 1],
        2,
    )
    table = run("results", "runs", "--format", "markdown").out.splitlines()
    assert len(table) == 3
    assert table[2].startswith("| small on mnist5k | ")
    nothing = run("results", "small.yaml")
    assert nothing.code == 2
    assert nothing.err == "small.yaml: no run folder in it; `netbuilder train` creates them\n"


def test_a_terminal_gets_a_progress_bar(folder: Path) -> None:
    """The bar on a terminal shows steps and images per second."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "train", "small.yaml"],
        cwd=folder,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(child)
    output = b""
    while chunk := read_terminal(parent):
        output += chunk
    process.wait(timeout=300)
    os.close(parent)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode(errors="replace"))
    assert "images/s" in text
    assert "/126 steps" in text


def read_terminal(terminal: int) -> bytes:
    """Return the next output of a terminal, or nothing after the process has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's error after the other side is closed
        return b""
