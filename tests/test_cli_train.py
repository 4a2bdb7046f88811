"""The commands around a run, as whole processes: what they print, leave behind and exit with."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small import DOCUMENT, fingerprint

COMMAND = [sys.executable, "-m", "netbuilder"]


def netbuilder(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a document in it."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    return tmp_path


def the_run(folder: Path) -> Path:
    """The only run folder below ``folder``."""
    [run] = (folder / "runs" / "small").iterdir()
    return run


def test_training_shows_each_epoch_and_the_verdict(folder: Path) -> None:
    """In a plain log: a line an epoch, the verdict, the folder; no control characters."""
    done = netbuilder("train", "small.yaml", "--epochs", "2", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("small  Small $enough")
    assert any("4,000 images to train and 1,000 to test from mnist5k" in line for line in lines)
    header = next(i for i, line in enumerate(lines) if line.startswith("epoch   train loss"))
    assert [line.split()[0] for line in lines[header + 1 : header + 3]] == ["1", "2"]
    assert "test accuracy" in done.stdout
    assert "at least 50 in each of the last 2 epochs" in done.stdout
    assert lines[-1].endswith(f"; runs/small/{the_run(folder).name}")
    assert not any(ord(character) < 32 and character != "\n" for character in done.stdout)


def test_a_target_that_is_not_met_exits_with_1(folder: Path) -> None:
    """The run is recorded all the same, with its verdict."""
    change = "targets.test_accuracy.at_least=100"
    done = netbuilder("train", "small.yaml", "--epochs", "2", "--set", change, "-q", cwd=folder)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    result = json.loads((the_run(folder) / "result.json").read_text())
    assert [verdict["met"] for verdict in result["targets"]] == [True, False]


def test_pictures_are_drawn_from_the_run(folder: Path) -> None:
    """Both pictures are PNG files of some size."""
    netbuilder("train", "small.yaml", "--epochs", "2", cwd=folder)
    for name in ("curves.png", "misclassified.png"):
        content = (the_run(folder) / name).read_bytes()
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
        (["small.yaml", "--resume", "."], "--resume goes on with a run as it began"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    folder: Path, arguments: list[str], message: str
) -> None:
    """Nothing is made, and there is no traceback."""
    done = netbuilder("train", *arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "runs").exists()


def test_no_data_and_no_fallback_exits_with_3_and_the_ways_out(folder: Path) -> None:
    """Where MNIST cannot be had, the message says what can be done."""
    done = netbuilder(
        "train", "small.yaml", "--dataset", "kmnist", "--data-dir", folder / "none", cwd=folder
    )
    if done.returncode == 0:
        pytest.skip("this machine reaches the archives")
    assert done.returncode == 3
    assert "Three ways out" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stand_in_is_announced_recorded_and_not_judged(folder: Path) -> None:
    """With a declared fallback the run goes on and says so; accuracy proves nothing then."""
    change = ["--set", "train.dataset={kmnist: {fallback: mnist5k}}", "--epochs", "2"]
    done = netbuilder("train", "small.yaml", *change, "--data-dir", folder / "none", cwd=folder)
    if "4,000 images" not in done.stdout:
        pytest.skip("this machine reaches the archives")
    assert done.returncode == 0
    assert "note: kmnist" in done.stdout
    run = the_run(folder)
    assert json.loads((run / "environment.json").read_text())["data"]["fell_back"]
    verdicts = json.loads((run / "result.json").read_text())["targets"]
    assert [verdict["met"] for verdict in verdicts] == [True, None]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_state_and_resume_ends_in_the_same_bits(
    folder: Path, signum: signal.Signals
) -> None:
    """Stopped by a signal within 5 seconds, the exit code is 128 + its number, nothing is lost."""
    netbuilder("train", "small.yaml", "--out", "whole", cwd=folder)
    [whole] = (folder / "whole" / "small").iterdir()

    epochs = ["--set", "train.epochs=3"]
    process = subprocess.Popen(
        [*COMMAND, "train", "small.yaml", *epochs],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("    1  "):  # the first epoch's row: the second is under way
            break
    process.send_signal(signum)
    _, errors = process.communicate(timeout=5)
    run = the_run(folder)
    assert process.returncode == 128 + signum
    assert f"netbuilder train --resume runs/small/{run.name}" in errors
    assert "Traceback" not in errors
    assert not (run / "result.json").exists()

    resumed = netbuilder("train", "--resume", run, cwd=folder)
    assert resumed.returncode == 0
    assert fingerprint(run) == fingerprint(whole)


@pytest.mark.parametrize("delay", [0.3, 0.6, 0.9, 1.2, 1.6, 2.0])
def test_a_signal_while_the_command_starts_is_never_lost(folder: Path, delay: float) -> None:
    """Whatever is being imported, SIGTERM ends the command with 143 and without a traceback."""
    process = subprocess.Popen(
        [*COMMAND, "train", "small.yaml", "--set", "train.epochs=200"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (143, -signal.SIGTERM)  # before any code of ours, the system's
    assert "Traceback" not in errors


def test_resuming_takes_no_change_of_the_run(folder: Path) -> None:
    """What would make it another run is refused, not ignored."""
    for option in (["--seed", "1"], ["--precision", "fp32"], ["--out", "x"]):
        done = netbuilder("train", "--resume", "runs", *option, cwd=folder)
        assert done.returncode == 2
        assert "--resume goes on with a run as it began" in done.stderr


def test_a_full_disk_under_the_output_is_a_line_and_exit_code_3(folder: Path) -> None:
    """Output that cannot be written is the machine's fault, not a verdict."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "summarize", "small.yaml"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == "the output cannot be written: the disk is full; send it elsewhere\n"


@pytest.mark.parametrize("name", ["config.json", "environment.json"])
def test_a_spoilt_record_is_named(folder: Path, name: str) -> None:
    """A record that is no record any more is an error with its path, whoever reads it."""
    netbuilder("train", "small.yaml", "--epochs", "2", cwd=folder)
    run = the_run(folder)
    (run / name).write_text("{}")
    for arguments in (["evaluate", run], ["results", "runs"], ["train", "--resume", run]):
        done = netbuilder(*arguments, cwd=folder)
        assert done.returncode == 2
        assert f"{name}: " in done.stderr
        assert "it is required and missing; put back the one" in done.stderr
        assert "Traceback" not in done.stderr


def test_evaluate_prints_what_the_run_recorded(folder: Path) -> None:
    """The best weights give the best accuracy of the record, as data and as a table."""
    netbuilder("train", "small.yaml", "--epochs", "2", cwd=folder)
    run = the_run(folder)
    best = json.loads((run / "result.json").read_text())["best"]
    done = netbuilder("evaluate", run, "--format", "json", cwd=folder)
    found = json.loads(done.stdout)
    assert found["accuracy"] == best["test_accuracy"]
    assert found["loss"] == best["test_loss"]
    assert [sum(row) for row in found["confusion"]] == [100] * 10
    shown = netbuilder("evaluate", run, "--weights", "last", cwd=folder)
    assert "1,000 test images of mnist5k: accuracy" in shown.stdout


def test_results_adds_up_the_seeds(folder: Path) -> None:
    """One row for the runs of one document, with the number that met the targets."""
    for seed in ("0", "1"):
        netbuilder("train", "small.yaml", "--epochs", "2", "--seed", seed, cwd=folder)
    done = netbuilder("results", "runs", "--format", "json", cwd=folder)
    [row] = json.loads(done.stdout)
    assert (row["name"], row["dataset"], row["seeds"], row["met"]) == (
        "small",
        "mnist5k",
        [0, 1],
        2,
    )
    table = netbuilder("results", "runs", "--format", "markdown", cwd=folder).stdout.splitlines()
    assert len(table) == 3
    assert table[2].startswith("| small on mnist5k | ")
    nothing = netbuilder("results", "small.yaml", cwd=folder)
    assert nothing.returncode == 2
    assert nothing.stderr == "small.yaml: no run folder in it; `netbuilder train` creates them\n"


def test_a_terminal_gets_a_progress_bar(folder: Path) -> None:
    """On a terminal the bar shows steps, images per second and the time left."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "train", "small.yaml"],
        cwd=folder,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(child)
    seen = b""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if not select.select([parent], [], [], 1)[0]:
            continue
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # the other side has closed
            break
        if not chunk:
            break
        seen += chunk
    process.wait(timeout=60)
    os.close(parent)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode(errors="replace"))
    assert "images/s" in text
    assert "/126 steps" in text
