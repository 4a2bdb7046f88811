"""Run folders that are deleted or renamed while they are trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small import small

from netbuilder.errors import Diverged, MachineError
from netbuilder.training.events import EpochEnded, Event, Started
from netbuilder.training.loop import resume, train

Lose = Callable[[Path], None]


def rename(folder: Path) -> None:
    """Rename the folder."""
    folder.rename(folder.with_name("renamed"))


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints, and let no other be written."""
    shutil.rmtree(folder / "checkpoints")


def error_of(events: Iterator[Event], when: Callable[[Event], bool], lose: Lose) -> str:
    """Lose the folder of a run at an event; return the message of the error that ends the run."""
    folder: Path | None = None
    try:
        for event in events:
            if isinstance(event, Started):
                folder = event.run.path
            if folder is not None and when(event):
                lose(folder)
    except (MachineError, Diverged) as error:
        return str(error)
    raise AssertionError("the run ended without an error")


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        (shutil.rmtree, "the run folder was deleted or renamed: if it was renamed, rename it back"),
        (rename, "the run folder was deleted or renamed: if it was renamed, rename it back"),
        (remove_checkpoints, "its checkpoints were deleted, train again"),
    ],
)
@pytest.mark.parametrize("stopped", [False, True])
def test_no_checkpoint_is_claimed_that_is_gone(
    lose: Lose, words: str, stopped: bool, tmp_path: Path
) -> None:
    """Neither the next save nor a stop says that the last checkpoint stands."""
    signals = [0]

    def first_epoch_ends(event: Event) -> bool:
        ends = isinstance(event, EpochEnded) and event.metrics.epoch == 1
        signals[0] = 2 * (ends and stopped) or signals[0]
        return ends

    message = error_of(
        train(small("train.epochs=2"), out=tmp_path, stop=lambda: signals[0]),
        first_epoch_ends,
        lose,
    )
    assert words in message
    assert "intact" not in message
    assert "saved as" not in message


def test_a_folder_that_is_renamed_back_goes_on(tmp_path: Path) -> None:
    """The advice of the message works."""
    run = train(small("train.epochs=1"), out=tmp_path)
    message = error_of(run, lambda event: isinstance(event, Started), rename)
    assert "rename it back and continue with --resume" in message
    [renamed] = tmp_path.glob("small/renamed")
    renamed.rename(tmp_path / "small" / "back")
    assert isinstance(list(resume(tmp_path / "small" / "back"))[-2], EpochEnded)


def test_a_divergence_claims_no_checkpoint_that_is_gone(tmp_path: Path) -> None:
    """The message of a loss that is not a number says what is left."""
    run = train(small("train.optimizer.SGD.lr=1e30", "train.scheduler=[]"), out=tmp_path)
    message = error_of(run, lambda event: isinstance(event, Started), shutil.rmtree)
    assert "the run folder was deleted or renamed" in message
    assert "the last checkpoint stays" not in message
