"""A disk that fails at any one call costs at most an interval, and never goes unsaid."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from command import Ran
from command import run as command
from faults import KINDS, Disk
from small import fingerprint

from netbuilder._files import write_atomic
from netbuilder.data.mnist5k import load_mnist5k
from netbuilder.runs.run import Run
from netbuilder.training import checkpoint
from netbuilder.training.device import Device
from netbuilder.training.step import Step, TrainState

DOCUMENT = """\
name: tiny
input: [1, 28, 28]
layers:
  - Flatten
  - Dropout: 0.1
  - Linear: 10
train:
  dataset: mnist5k
  epochs: 2
  batch_size: 32
  optimizer: {Adam: {lr: 0.01}}
  scheduler: {OneCycleLR: {max_lr: 0.02}}
  ema: 0.9
"""
STEPS = 2
ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EIO: "Input/output error",
    errno.EACCES: "the folder is not writable",
}


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    """A data set of 64 and 20 images, and pictures that are written and not drawn."""
    whole = load_mnist5k()
    cut = replace(
        whole,
        train_images=whole.train_images[:64],
        train_labels=whole.train_labels[:64],
        test_images=whole.test_images[:20],
        test_labels=whole.test_labels[:20],
    )

    def picture(path: Path, *args: Any) -> None:
        write_atomic(path, b"picture")

    with (
        patch("netbuilder.data.mnist5k.load_mnist5k", lambda: cut),
        patch("netbuilder.render.plots.curves.draw_curves", picture),
        patch("netbuilder.render.plots.images.draw_mistakes", picture),
    ):
        yield


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document, where no disk fails."""
    path = tmp_path_factory.mktemp("document") / "tiny.yaml"
    path.write_text(DOCUMENT)
    return path


@pytest.fixture(scope="module")
def whole(document: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of the run that nothing befell."""
    out = tmp_path_factory.mktemp("whole")
    assert train(document, out).code == 0
    return fingerprint(the_run(out))


def train(document: Path, out: Path) -> Ran:
    """Begin the document's run below ``out``, or go on with it."""
    return command("train", str(document), "--out", str(out), "--resume", "auto", "-q")


def the_run(out: Path) -> Path:
    """The only run folder below ``out``."""
    [run] = (out / "tiny").iterdir()
    return run


def nothing_half_made(out: Path) -> bool:
    """Whether no file made aside is left."""
    return not [path for path in out.rglob("*") if ".tmp" in path.name]


def epochs_saved(out: Path) -> int | None:
    """The epochs behind the newest checkpoint; None if there is no run."""
    if not (out / "tiny").exists() or not list((out / "tiny").iterdir()):
        return None
    run = Run.open(the_run(out))
    trainee = TrainState.make(run.architecture, Device.choose("cpu"), 0, STEPS, 2)
    progress, damaged = checkpoint.restore(run.checkpoints, trainee)
    assert not damaged
    return progress.epoch


def break_at_every_call(
    document: Path, folder: Path, whole: str, kind: str, error: int, *, lasting: bool = False
) -> int:
    """Train once for each call of a kind, with that call failing; how many there are."""
    nth = 0
    while True:
        nth += 1
        out = folder / str(nth)
        disk = Disk(out, kind, nth, error, lasting=lasting)
        with disk.attached(), patch.object(Step, "end_epoch", autospec=True) as ended:
            ended.side_effect = END_EPOCH
            code, said, err = train(document, out)
        what = f"{kind} {nth}: {code}, {said!r}, {err!r}"
        if not disk.failed:
            assert (code, err) == (0, ""), what
            return nth - 1
        assert code == 3, what
        if said:  # it is finished, and its pictures are missing
            assert Run.open(the_run(out)).result, what
        [line] = err.splitlines()
        assert line.startswith(str(out)), what
        assert ERRORS[error] in line or os.strerror(error) in line, what
        assert nothing_half_made(out), what
        saved = epochs_saved(out)
        assert (saved or 0) >= ended.call_count - 1, what
        with Disk(out).attached():
            assert train(document, out)[::2] == (0, ""), what
        assert fingerprint(the_run(out)) == whole, what
        assert nothing_half_made(out), what


END_EPOCH = Step.end_epoch


USUAL = {"open": errno.EACCES, "write": errno.ENOSPC, "fsync": errno.EIO}
"""The error that a call of a kind most often ends in; EIO for the others."""


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        pytest.param(
            kind,
            error,
            marks=[pytest.mark.long] * (error != USUAL.get(kind, errno.EIO)),
            id=f"{kind}-{errno.errorcode[error]}",
        )
        for kind in KINDS
        for error in ERRORS
    ],
)
def test_a_call_that_fails_ends_the_run_in_a_line_and_costs_an_interval(
    document: Path, tmp_path: Path, whole: str, kind: str, error: int
) -> None:
    """Whichever call it is: a checkpoint loads, nothing is left, and resuming ends in the bits."""
    count = break_at_every_call(document, tmp_path, whole, kind, error)
    at_least = {"open": 30, "write": 15, "fsync": 30, "rename": 15, "unlink": 1, "mkdir": 3}
    assert count >= at_least[kind]


def test_a_disk_that_stays_full_costs_an_interval(
    document: Path, tmp_path: Path, whole: str
) -> None:
    """Where no write succeeds any more, the run ends no worse than where one fails."""
    assert break_at_every_call(document, tmp_path, whole, "write", errno.ENOSPC, lasting=True) >= 15
