"""Runs with more epochs, runs in use, and ``--resume auto``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import run
from small import DOCUMENT, after, fingerprint, run_until_stopped, small

from netbuilder.errors import ConfigError
from netbuilder.runs.run import Run
from netbuilder.training.events import Started, Stepped
from netbuilder.training.loop import resume, train


def rates(folder: Path) -> list[float]:
    """Return the learning rate of each epoch's last update."""
    return [epoch.learning_rate for epoch in Run.open(folder).metrics]


def test_more_epochs_extend_the_schedule(tmp_path: Path) -> None:
    """Each further update has the rate of the longer schedule."""
    uninterrupted, _ = run_until_stopped(
        train(small("train.epochs=4"), out=tmp_path / "uninterrupted")
    )
    folder, _ = run_until_stopped(train(small("train.epochs=2"), out=tmp_path))
    assert run_until_stopped(resume(folder, epochs=4)) == (folder, True)
    assert rates(folder)[2:] == pytest.approx(rates(uninterrupted)[2:])
    run_record = Run.open(folder)
    assert run_record.result is not None
    assert run_record.result.epochs == 4
    assert run_record.environment.resumed[-1].epochs == 4
    assert run_record.environment.resumed[-1].schedule == "extend"


def test_more_epochs_hold_the_end_of_the_schedule(tmp_path: Path) -> None:
    """The rate stays at the last one of the schedule."""
    folder, _ = run_until_stopped(train(small("train.epochs=2"), out=tmp_path))
    started, *_ = resume(folder, epochs=4, schedule="hold")
    assert isinstance(started, Started)
    assert "the schedule held at its end after epoch 2" in started.notes[0]
    first, last, *further = rates(folder)
    assert further == [last, last] != [first, first]


@pytest.mark.parametrize("schedule", ["extend", "hold"])
def test_an_extended_run_resumes_to_the_same_bits(tmp_path: Path, schedule: str) -> None:
    """Stops in the further epochs, and one directly after the extension, change nothing."""
    folders = []
    for name, stops in (("uninterrupted", ()), ("parts", (1, 7, 50))):
        folder, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path / name))
        extended = False
        for steps in stops:
            more = {} if extended else {"epochs": 3, "schedule": schedule}
            run_until_stopped(resume(folder, stop=after(steps), **more))  # type: ignore[arg-type]
            extended = True
        more = {} if extended else {"epochs": 3, "schedule": schedule}
        assert run_until_stopped(resume(folder, **more)) == (folder, True)  # type: ignore[arg-type]
        folders.append(folder)
    assert fingerprint(folders[0]) == fingerprint(folders[1])


def test_fewer_epochs_are_refused(tmp_path: Path) -> None:
    """A run cannot be shortened, and its record does not change."""
    folder, _ = run_until_stopped(train(small("train.epochs=2"), out=tmp_path))
    before = (folder / "config.json").read_bytes()
    for epochs in (1, 2):
        with pytest.raises(ConfigError, match=r"has 2 epochs; allowed: more than those"):
            next(resume(folder, epochs=epochs))
    with pytest.raises(ConfigError, match=r"--schedule: found 'stretch'; allowed: extend, hold"):
        next(resume(folder, epochs=5, schedule="stretch"))
    assert (folder / "config.json").read_bytes() == before


def test_a_run_in_use_is_refused_to_a_second_writer(tmp_path: Path) -> None:
    """This process and another are refused; after the first writer ends, the run resumes."""
    records = train(small("train.epochs=1"), out=tmp_path)
    folder = next(records).run.path  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="another process trains this run; let it end"):
        next(resume(folder))
    command = [sys.executable, "-m", "netbuilder", "train", "--resume", str(folder)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    assert "another process trains this run" in process.stderr
    records.close()
    assert run_until_stopped(resume(folder)) == (folder, True)


def test_two_trainings_of_a_document_do_not_interfere(tmp_path: Path) -> None:
    """Trained in alternating steps, each ends in the bits of a single training."""
    alone, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path / "alone"))
    trainings = [train(small("train.epochs=1"), out=tmp_path / "together") for _ in range(2)]
    folders = [next(records).run.path for records in trainings]  # type: ignore[union-attr]
    for _ in zip(*trainings, strict=True):
        pass
    assert folders[0] != folders[1]
    assert [fingerprint(folder) for folder in folders] == [fingerprint(alone)] * 2


def test_resume_auto_starts_continues_or_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts a run, reports a finished one, continues a stopped one, and separates settings."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(DOCUMENT)
    auto = ("train", "small.yaml", "--epochs", "1", "--resume", "auto", "-q")
    first = run(*auto)
    assert first.code in (0, 1), first.err
    [folder] = Path("runs/small").iterdir()
    steps = len((folder / "metrics.jsonl").read_text())
    second = run(*auto)
    assert (second.code, second.out) == (first.code, first.out)
    assert len((folder / "metrics.jsonl").read_text()) == steps
    for change in (("--seed", "5"), ("--set", "train.optimizer.SGD.lr=0.01")):
        before = set(Path("runs/small").iterdir())
        run(*auto, *change)
        assert len(set(Path("runs/small").iterdir()) - before) == 1
    stopped, _ = run_until_stopped(
        train(small("train.epochs=1", "name=third"), out="runs", stop=after(9))
    )
    assert run(*auto, "--set", "name=third").code in (0, 1)
    assert list(Path("runs/third").iterdir()) == [stopped]
    assert Run.open(stopped).result is not None
    stopped, _ = run_until_stopped(
        train(small("train.epochs=1", "name=other"), out="runs", stop=after(9))
    )
    records = list(resume(stopped, stop=after(10_000)))
    assert sum(isinstance(record, Stepped) for record in records) == 42 - 9


def test_resume_auto_continues_the_newest_unfinished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It precedes newer finished runs; runs of another network with the same name do not count."""
    architecture = small("train.epochs=1")
    half, _ = run_until_stopped(train(architecture, out=tmp_path, stop=after(5)))
    finished, _ = run_until_stopped(train(architecture, out=tmp_path))
    run_until_stopped(train(small("train.epochs=1", "title=x"), out=tmp_path, stop=after(5)))
    (tmp_path / "small" / "broken").mkdir()
    (tmp_path / "small" / "broken" / "config.json").write_text("{")
    warnings: list[str] = []
    latest = Run.latest(tmp_path, architecture, 0, None, lambda error: warnings.append(str(error)))
    assert [str(tmp_path / "small" / "broken" / "config.json") in line for line in warnings] == [
        True
    ]
    assert latest is not None
    assert latest.path == half
    run_until_stopped(resume(half))
    newest = Run.latest(tmp_path, architecture, 0, None)
    assert newest is not None
    assert newest.path in (half, finished)
    assert Run.latest(tmp_path, architecture, 1, None) is None
    config = json.loads((half / "config.json").read_text())
    precision = "fp32" if config["precision"] == "bf16" else "bf16"
    assert Run.latest(tmp_path, architecture, 0, precision) is None
