"""A disk that fails at any single call costs at most one epoch and is always reported."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from command import Result
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
    """Use a data set of 64 and 20 images, and write pictures without drawing them."""
    data = load_mnist5k()
    cut = replace(
        data,
        train_images=data.train_images[:64],
        train_labels=data.train_labels[:64],
        test_images=data.test_images[:20],
        test_labels=data.test_labels[:20],
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
    """The document, on a disk that does not fail."""
    path = tmp_path_factory.mktemp("document") / "tiny.yaml"
    path.write_text(DOCUMENT)
    return path


@pytest.fixture(scope="module")
def uninterrupted(document: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint of a run without a failure."""
    out = tmp_path_factory.mktemp("uninterrupted")
    assert train(document, out).code == 0
    return fingerprint(the_run(out))


def train(document: Path, out: Path) -> Result:
    """Start the document's run below ``out``, or continue it."""
    return command("train", str(document), "--out", str(out), "--resume", "auto", "-q")


def the_run(out: Path) -> Path:
    """Return the only run folder below ``out``."""
    [run] = (out / "tiny").iterdir()
    return run


def has_no_temporary_files(out: Path) -> bool:
    """Whether no temporary file remains."""
    return not [path for path in out.rglob("*") if ".tmp" in path.name]


def epochs_saved(out: Path) -> int | None:
    """Return the epochs of the newest checkpoint, or None without a run."""
    if not (out / "tiny").exists() or not list((out / "tiny").iterdir()):
        return None
    run = Run.open(the_run(out))
    trainee = TrainState.make(run.architecture, Device.choose("cpu"), 0, STEPS, 2)
    progress, damaged = checkpoint.restore(run.checkpoints, trainee)
    assert not damaged
    return progress.epoch


def break_at_every_call(
    document: Path,
    folder: Path,
    uninterrupted: str,
    kind: str,
    error: int,
    *,
    lasting: bool = False,
) -> int:
    """Train once per call of a kind, with that call failing; return the number of calls."""
    nth = 0
    while True:
        nth += 1
        out = folder / str(nth)
        disk = Disk(out, kind, nth, error, lasting=lasting)
        with disk.attached(), patch.object(Step, "end_epoch", autospec=True) as ended:
            ended.side_effect = END_EPOCH
            code, printed, err = train(document, out)
        label = f"{kind} {nth}: {code}, {printed!r}, {err!r}"
        if not disk.failed:
            assert (code, err) == (0, ""), label
            return nth - 1
        assert code == 3, label
        if printed:  # the run is finished, but its pictures are missing
            assert Run.open(the_run(out)).result, label
        [line] = err.splitlines()
        assert line.startswith(str(out)), label
        assert ERRORS[error] in line or os.strerror(error) in line, label
        assert has_no_temporary_files(out), label
        saved = epochs_saved(out)
        assert (saved or 0) >= ended.call_count - 1, label
        with Disk(out).attached():
            assert train(document, out)[::2] == (0, ""), label
        assert fingerprint(the_run(out)) == uninterrupted, label
        assert has_no_temporary_files(out), label


END_EPOCH = Step.end_epoch


USUAL = {"open": errno.EACCES, "write": errno.ENOSPC, "fsync": errno.EIO}
"""The most frequent error of a kind of call; EIO for the others."""


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
def test_a_failed_call_costs_at_most_one_epoch(
    document: Path, tmp_path: Path, uninterrupted: str, kind: str, error: int
) -> None:
    """The error is one line, no temporary file remains, and resuming ends in the same bits."""
    count = break_at_every_call(document, tmp_path, uninterrupted, kind, error)
    at_least = {"open": 30, "write": 15, "fsync": 30, "rename": 15, "unlink": 1, "mkdir": 3}
    assert count >= at_least[kind]


def test_a_disk_that_stays_full_costs_at_most_one_epoch(
    document: Path, tmp_path: Path, uninterrupted: str
) -> None:
    """If all later writes fail too, the run ends as after a single failure."""
    assert (
        break_at_every_call(document, tmp_path, uninterrupted, "write", errno.ENOSPC, lasting=True)
        >= 15
    )
