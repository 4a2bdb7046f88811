"""The log of a run in TensorBoard."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from command import run
from small import DOCUMENT, after, fingerprint, run_until_stopped

from netbuilder.cli._signals import Stop
from netbuilder.config.loader import parse_architecture
from netbuilder.render.tensorboard import SCALARS
from netbuilder.training.events import Event, Stepped
from netbuilder.training.loop import train

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator",
    reason="the extra tensorboard is not installed",
)
TEXT = DOCUMENT.split("targets:")[0].replace("epochs: 3", "epochs: 2")


def events(folder: Path) -> Any:
    """Return the run's events from TensorBoard's reader."""
    reader = accumulator.EventAccumulator(str(folder / "tensorboard"))
    reader.Reload()
    return reader


def test_the_log_equals_the_record(tmp_path: Path) -> None:
    """It has every metric, the graph and the mistakes, and logging does not change the run."""
    (tmp_path / "small.yaml").write_text(TEXT)
    document, runs = str(tmp_path / "small.yaml"), tmp_path / "runs"
    for out, more in ((runs, ["--logger", "tensorboard"]), (tmp_path / "plain", [])):
        assert run("train", document, "--out", str(out), "-q", *more).code == 0
    [folder], [plain] = (runs / "small").iterdir(), (tmp_path / "plain" / "small").iterdir()
    assert fingerprint(folder) == fingerprint(plain)
    assert not (plain / "tensorboard").exists()
    reader = events(folder)
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert set(reader.Tags()["scalars"]) == set(SCALARS)
    for tag, name in SCALARS.items():
        points = [(event.step, event.value) for event in reader.Scalars(tag)]
        assert [step for step, _ in points] == [1, 2]
        assert [value for _, value in points] == pytest.approx([m[name] for m in metrics], rel=1e-6)
    assert reader.Tags()["graph"]
    assert b"Conv2d" in reader.Graph().SerializeToString()
    pictures = reader.Tags()["images"]
    assert len(pictures) == 25
    mistakes = json.loads((folder / "evaluation.json").read_text())["mistakes"]
    first = f"misclassified/01: {mistakes[0]['label']}, guessed {mistakes[0]['guess']}"
    assert sorted(pictures)[0] == first
    [picture] = reader.Images(first)
    assert (picture.width, picture.height) == (28, 28)


def test_a_resumed_run_continues_its_log(tmp_path: Path) -> None:
    """Epochs before the first use of the option are included, and none is repeated."""
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, finished = run_until_stopped(train(architecture, out=tmp_path, stop=after(60)))
    assert not finished
    assert run("train", "--resume", str(folder), "-q", "--logger", "tensorboard").code == 0
    assert run("train", "--resume", str(folder), "-q", "--logger", "tensorboard").code == 0
    steps = [event.step for event in events(folder).Scalars("accuracy/test")]
    assert steps == [1, 2]


def test_a_log_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """The exit code is 3; without the option the run continues."""
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, _ = run_until_stopped(train(architecture, out=tmp_path, stop=after(60)))
    (folder / "tensorboard").write_text("mine")
    result = run("train", "--resume", str(folder), "-q", "--logger", "tensorboard")
    assert result.code == 3
    assert result.err == (f"{folder}/tensorboard: File exists; fix that, or leave out --logger\n")
    assert (folder / "tensorboard").read_text() == "mine"
    assert run("train", "--resume", str(folder), "-q").code == 0


def test_without_the_package_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 3, the line names the command to install it, and no run is created."""
    (tmp_path / "small.yaml").write_text(TEXT)
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # importing it raises ModuleNotFoundError
    out = tmp_path / "runs"
    arguments = ("train", str(tmp_path / "small.yaml"), "--out", str(out))
    result = run(*arguments, "--logger", "tensorboard")
    assert result.code == 3
    assert result.err.startswith("tensorboard is not installed; install it with: ")
    assert result.err.endswith("[tensorboard]'\n")
    assert not out.exists()
    result = run(*arguments, "--logger", "wandb")
    assert (result.code, result.err) == (2, "--logger: found 'wandb'; allowed: tensorboard\n")


def require_complete(folder: Path) -> None:
    """Check that the log has each epoch of the record once, in order, with its values."""
    reader = events(folder)
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for tag, name in SCALARS.items():
        points = [(event.step, event.value) for event in reader.Scalars(tag)]
        assert [step for step, _ in points] == [epoch["epoch"] for epoch in metrics], tag
        assert [value for _, value in points] == pytest.approx([m[name] for m in metrics], rel=1e-6)
    assert reader.Tags()["graph"]
    mistakes = json.loads((folder / "evaluation.json").read_text())["mistakes"]
    pictures = [event for tag in reader.Tags()["images"] for event in reader.Images(tag)]
    assert sum(event.step == metrics[-1]["epoch"] for event in pictures) == len(mistakes)


SESSIONS = ["101", "010", "0100", "0001", "1001"]
"""Whether each session of a run writes a log; the last ones find the run finished."""


@pytest.mark.parametrize(
    "sessions", [SESSIONS[0], *(pytest.param(s, marks=pytest.mark.long) for s in SESSIONS[1:])]
)
def test_a_log_is_complete_after_any_sequence_of_sessions(tmp_path: Path, sessions: str) -> None:
    """Epochs that a session without the option trained are added by the next one with it."""
    architecture = parse_architecture(TEXT.replace("epochs: 2", "epochs: 3"), "small.yaml")
    folder, _ = run_until_stopped(train(architecture, out=tmp_path, stop=after(1)))
    for number, logged in enumerate(sessions):
        options = ["--logger", "tensorboard"] if logged == "1" else []
        with pytest.MonkeyPatch.context() as patch:
            if number < 2:
                stop_in_epoch(number + 2, patch)
            run("train", "--resume", str(folder), "-q", *options)
    if sessions[-1] == "0":
        run("train", "--resume", str(folder), "-q", "--logger", "tensorboard")
    require_complete(folder)
    files = sorted((folder / "tensorboard").iterdir())
    run("train", "--resume", str(folder), "-q", "--logger", "tensorboard")
    assert sorted((folder / "tensorboard").iterdir()) == files


def stop_in_epoch(epoch: int, patch: pytest.MonkeyPatch) -> None:
    """Let the next training stop in an epoch, as at Ctrl-C."""
    real = Stop.follow

    def follow(stop: Stop, event: Event) -> None:
        real(stop, event)
        if isinstance(event, Stepped) and event.epoch == epoch:
            stop.request(2)

    patch.setattr(Stop, "follow", follow)


@pytest.mark.parametrize(
    "damage", ["cut", *(pytest.param(d, marks=pytest.mark.long) for d in ("deleted", "emptied"))]
)
def test_a_damaged_log_is_written_again(tmp_path: Path, damage: str) -> None:
    """What a killed session did not write, or a user deleted, is added to a finished run."""
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, _ = run_until_stopped(train(architecture, out=tmp_path, stop=after(60)))
    assert run("train", "--resume", str(folder), "-q", "--logger", "tensorboard").code == 0
    [log] = (folder / "tensorboard").iterdir()
    if damage == "cut":
        content = log.read_bytes()
        log.write_bytes(content[: content.rindex(b"accuracy/test") - 3])
    elif damage == "emptied":
        log.write_bytes(b"")
    else:
        log.unlink()
    assert run("train", "--resume", str(folder), "-q", "--logger", "tensorboard").code == 0
    require_complete(folder)
