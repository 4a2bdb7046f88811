"""Several documents in one training: how each ends, and the exit code of all."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from command import run

from netbuilder.cli import _screen
from netbuilder.data.transforms import augment
from netbuilder.errors import ConfigError, Diverged, MachineError
from netbuilder.training import step

TEXT = """\
name: small
input: [1, 28, 28]
layers: [Flatten, {Linear: 10}]
train:
  dataset: mnist5k
  epochs: 1
  batch_size: 1000
  optimizer: {SGD: {lr: 0.01}}
"""
NAMES = ("met", "missed", "diverging", "lost", "plain")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with documents that end in different ways."""
    texts = {
        "met": "targets: {parameters: {below: 9000}}\n",
        "missed": "targets: {parameters: {below: 10}, test_accuracy: {at_least: 99.9}}\n",
        "diverging": "",
        "lost": "",
        "plain": "",
    }
    for name, targets in texts.items():
        text = TEXT.replace("name: small", f"name: {name}") + targets
        if name == "diverging":
            text = text.replace("lr: 0.01", "lr: 1.0e+38")
        if name == "lost":
            text = text.replace("dataset: mnist5k", "dataset: kmnist")
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_screen, "draw_run", lambda finished: None)
    monkeypatch.setenv("NETBUILDER_DATA", str(tmp_path / "none"))
    return tmp_path


def documents(*names: str) -> list[str]:
    """Return the names of the documents' files."""
    return [f"{name}.yaml" for name in names]


def endings(output: str, count: int) -> dict[str, str]:
    """Return the last lines, by their document."""
    lines = [line.partition(": ") for line in output.splitlines()[-count:]]
    return {name.removesuffix(".yaml"): ending for name, _, ending in lines}


@pytest.mark.parametrize("quiet", [["-q"], pytest.param([], marks=pytest.mark.long)])
def test_a_failure_does_not_end_the_other_trainings(quiet: list[str]) -> None:
    """Each document has a line at the end, the errors are printed, and the code is the worst."""
    result = run("train", *documents(*NAMES), *quiet)
    assert result.code == 3
    listed = endings(result.out, len(NAMES))
    assert set(listed) == set(NAMES)
    assert re.match(r"targets met; best test accuracy .* in epoch 1; runs/met/", listed["met"])
    assert listed["missed"].startswith("not met: parameters below 10, found ")
    assert "; not met: test accuracy at least 99.9 in the last epoch, found " in listed["missed"]
    assert listed["diverging"].startswith("diverged: runs/diverging/")
    assert listed["lost"].startswith("failed: ")
    assert listed["plain"].startswith("finished; best test accuracy ")
    assert result.err.startswith("kmnist is not in ")
    assert "runs/diverging/" in result.err
    assert {path.name for path in Path("runs").iterdir()} == set(NAMES) - {"lost"}
    if quiet:
        assert len(result.out.splitlines()) == len(NAMES)


def test_a_quiet_run_names_the_missed_targets() -> None:
    """One line has every target that is not met, with its bound and its value."""
    result = run("train", "missed.yaml", "-q")
    [line] = result.out.splitlines()
    assert (result.code, result.err) == (1, "")
    assert "; not met: parameters below 10, found " in line
    assert "; not met: test accuracy at least 99.9 in the last epoch, found " in line
    assert "not met" not in run("train", "met.yaml", "-q").out


ERRORS: dict[int, Callable[[], Exception]] = {
    1: lambda: Diverged("no number"),
    2: lambda: ConfigError("in use"),
    3: lambda: MachineError("no memory"),
}


@pytest.mark.parametrize(
    "codes", [(0, 0, 0), (0, 1, 0), (2, 0, 1), (1, 2, 0), (3, 1, 2), (1, 3, 2), (2, 1, 3)]
)
def test_the_exit_code_is_the_worst(
    codes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 is worse than 2, 2 than 1, and 1 than 0, in any order."""
    names = ("met", "missed", "plain")
    order = dict(zip(names, codes, strict=True))
    finished = FINISHED

    def show(screen: object, events: Any) -> Any:
        name = next(remaining)
        if order[name]:
            raise ERRORS[order[name]]()
        return finished

    remaining = iter(names)
    monkeypatch.setattr(_screen.Screen, "show", show)
    result = run("train", *documents(*names), "-q")
    assert result.code == max(codes)
    assert len(endings(result.out, 3)) == 3


class Anything:
    """A finished run without targets."""

    met = None
    targets = ()
    best = type("Best", (), {"test_accuracy": 50.0, "epoch": 1})
    path = "runs/r"

    def __getattr__(self, name: str) -> Anything:
        return self


FINISHED = Anything()


def test_a_signal_ends_the_batch_and_lists_what_was_not_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state of the current run is saved, and the exit code is that of the signal."""
    real, steps = augment, count(1)

    def hang_up(*arguments: Any) -> Any:
        if next(steps) == 2:  # before the first step the process would end at once
            signal.raise_signal(signal.SIGHUP)
        return real(*arguments)

    monkeypatch.setattr(step, "augment", hang_up)
    earlier = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup may ignore it
    try:
        result = run("train", *documents("met", "plain", "missed"), "-q")
    finally:
        signal.signal(signal.SIGHUP, earlier)
    assert result.code == 128 + signal.SIGHUP
    listed = endings(result.out, 3)
    assert listed["met"].startswith("stopped by SIGHUP in epoch 1, step ")
    assert (listed["plain"], listed["missed"]) == ("not trained", "not trained")
    assert result.err.splitlines()[-1].startswith(
        "resume with: netbuilder train --resume runs/met/"
    )


def test_a_fault_of_the_program_does_not_lose_the_other_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its traceback is printed, and the exit code is not 0."""
    real = _screen.Screen.show
    calls: list[object] = []

    def show(screen: Any, events: Any) -> Any:
        calls.append(events)
        if len(calls) == 1:
            raise ZeroDivisionError("a fault of the program")
        return real(screen, events)

    monkeypatch.setattr(_screen.Screen, "show", show)
    result = run("train", *documents("met", "plain"), "-q")
    assert result.code == 1
    assert "ZeroDivisionError: a fault of the program" in result.err
    listed = endings(result.out, 2)
    assert listed["met"] == "failed: ZeroDivisionError: a fault of the program"
    assert listed["plain"].startswith("finished; ")


def test_a_document_with_an_error_is_refused_before_any_is_trained() -> None:
    """A batch whose documents are not all valid does not begin."""
    Path("plain.yaml").write_text("name: plain\n")
    result = run("train", *documents("met", "plain"), "-q")
    assert (result.code, result.out) == (2, "")
    assert not Path("runs").exists()
