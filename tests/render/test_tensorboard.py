"""What TensorBoard finds of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from command import run
from small import DOCUMENT, after, fingerprint, run_until_stopped

from netbuilder.config.loader import parse_architecture
from netbuilder.render.tensorboard import SCALARS
from netbuilder.training.loop import train

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator",
    reason="the extra tensorboard is not installed",
)
TEXT = DOCUMENT.split("targets:")[0].replace("epochs: 3", "epochs: 2")


def events(folder: Path) -> Any:
    """The run's events, as TensorBoard reads them."""
    reader = accumulator.EventAccumulator(str(folder / "tensorboard"))
    reader.Reload()
    return reader


def test_a_logged_run_is_in_tensorboard_as_it_is_in_its_record(tmp_path: Path) -> None:
    """Every figure of every epoch, the graph and the mistakes by name; its bits are the same."""
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
        found = [(event.step, event.value) for event in reader.Scalars(tag)]
        assert [step for step, _ in found] == [1, 2]
        assert [value for _, value in found] == pytest.approx([m[name] for m in metrics], rel=1e-6)
    assert reader.Tags()["graph"]
    assert b"Conv2d" in reader.Graph().SerializeToString()
    pictures = reader.Tags()["images"]
    assert len(pictures) == 25
    mistakes = json.loads((folder / "evaluation.json").read_text())["mistakes"]
    first = f"misclassified/01: {mistakes[0]['label']}, guessed {mistakes[0]['guess']}"
    assert sorted(pictures)[0] == first
    [picture] = reader.Images(first)
    assert (picture.width, picture.height) == (28, 28)


def test_a_resumed_run_goes_on_in_the_same_log(tmp_path: Path) -> None:
    """Epochs before the log was asked for are in it too, and none is there twice."""
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, done = run_until_stopped(train(architecture, out=tmp_path, stop=after(60)))
    assert not done
    assert run("train", "--resume", str(folder), "-q", "--logger", "tensorboard").code == 0
    assert run("train", "--resume", str(folder), "-q", "--logger", "tensorboard").code == 0
    found = [event.step for event in events(folder).Scalars("accuracy/test")]
    assert found == [1, 2]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """One line with the place and what to do, exit code 3; without the logger, the run goes on."""
    architecture = parse_architecture(TEXT, "small.yaml")
    folder, _ = run_until_stopped(train(architecture, out=tmp_path, stop=after(60)))
    (folder / "tensorboard").write_text("mine")
    ran = run("train", "--resume", str(folder), "-q", "--logger", "tensorboard")
    assert ran.code == 3
    assert ran.err == (f"{folder}/tensorboard: File exists; fix that, or leave out --logger\n")
    assert (folder / "tensorboard").read_text() == "mine"
    assert run("train", "--resume", str(folder), "-q").code == 0


def test_without_the_package_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the command to install it, exit code 3, and no run folder."""
    (tmp_path / "small.yaml").write_text(TEXT)
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # import raises what it does without it
    out = tmp_path / "runs"
    arguments = ("train", str(tmp_path / "small.yaml"), "--out", str(out))
    ran = run(*arguments, "--logger", "tensorboard")
    assert ran.code == 3
    assert ran.err.startswith("tensorboard is not installed; install it with: ")
    assert ran.err.endswith("[tensorboard]'\n")
    assert not out.exists()
    ran = run(*arguments, "--logger", "wandb")
    assert (ran.code, ran.err) == (2, "--logger: found 'wandb'; allowed: tensorboard\n")
