"""A run that was stopped and resumed equals the uninterrupted run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import after, fingerprint, run_until_stopped, small

from netbuilder._files import digest_of
from netbuilder.errors import CheckpointError, ConfigError
from netbuilder.runs.run import Run
from netbuilder.training import checkpoint
from netbuilder.training import compile as compiling
from netbuilder.training.compile import has_compiler
from netbuilder.training.device import Device
from netbuilder.training.events import Finished, Started
from netbuilder.training.loop import resume, train
from netbuilder.training.step import TrainState

RECIPES = {
    "one cycle": (),
    "warm-up and milestones": (
        "train.scheduler=[{LinearLR: {total_iters: 1}}, {MultiStepLR: {milestones: [1, 2]}}]",
    ),
    "plateau": ("train.scheduler={ReduceLROnPlateau: {patience: 1}}",),
    "no schedule, no average": ("train.scheduler=", "train.ema="),
    "AdamW": ("train.optimizer=AdamW",),
    "NAdam": ("train.optimizer=NAdam",),
    "RMSprop": ("train.optimizer={RMSprop: {momentum: 0.5}}",),
}


@pytest.mark.parametrize("overrides", RECIPES.values(), ids=RECIPES)
def test_a_resumed_run_ends_in_the_same_bits(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    """Three stops, two of them in one epoch, change neither weights nor metrics."""
    architecture = small(*overrides)
    uninterrupted, _ = run_until_stopped(
        train(architecture, out=tmp_path / "uninterrupted", seed=3)
    )
    folder, finished = run_until_stopped(
        train(architecture, out=tmp_path / "parts", seed=3, stop=after(7))
    )
    assert not finished
    for steps in (5, 60):
        assert run_until_stopped(resume(folder, stop=after(steps))) == (folder, False)
    assert run_until_stopped(resume(folder)) == (folder, True)
    assert fingerprint(folder) == fingerprint(uninterrupted)


@pytest.mark.long
@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
def test_a_compiled_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    """The record names the first compiled epoch, and the resumed run is compiled too."""
    architecture = small("train.epochs=1")
    uninterrupted, _ = run_until_stopped(
        train(architecture, out=tmp_path / "uninterrupted", compile="on")
    )
    folder, _ = run_until_stopped(
        train(architecture, out=tmp_path / "parts", compile="on", stop=after(7))
    )
    assert Run.open(folder).config.first_compiled_epoch == 0
    assert run_until_stopped(resume(folder)) == (folder, True)
    assert fingerprint(folder) == fingerprint(uninterrupted)


@pytest.mark.long
@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
@pytest.mark.parametrize("steps", [7, 42, 50])
def test_a_run_that_is_compiled_later_resumes_to_the_same_bits(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop is before, at or after the first compiled epoch."""
    monkeypatch.setattr(compiling, "MIN_EAGER_SECONDS", 0)
    architecture = small("train.epochs=2", "train.batch_size=96")
    records = list(train(architecture, out=tmp_path / "uninterrupted"))
    kinds = [type(record).__name__ for record in records]
    assert kinds.count("Compiling") == 1
    assert kinds.index("Compiling") == kinds.index("EpochEnded") + 1
    [uninterrupted] = (tmp_path / "uninterrupted" / "small").iterdir()
    folder, _ = run_until_stopped(train(architecture, out=tmp_path / "parts", stop=after(steps)))
    assert Run.open(folder).config.first_compiled_epoch == 1
    assert run_until_stopped(resume(folder)) == (folder, True)
    assert fingerprint(folder) == fingerprint(uninterrupted)


@pytest.mark.long
def test_a_stop_after_every_step_of_three_epochs_changes_nothing(tmp_path: Path) -> None:
    """A run that stops after each update and resumes ends in the same checkpoint, bit for bit.

    The checkpoint contains weights, average, optimizer and schedule.
    """
    architecture = small("train.optimizer={AdamW: {lr: 0.01}}")
    uninterrupted, _ = run_until_stopped(train(architecture, out=tmp_path / "uninterrupted"))
    folder, finished = run_until_stopped(train(architecture, out=tmp_path / "parts", stop=after(1)))
    stops = {(0, 1)}
    while not finished:
        newest = max((folder / "checkpoints").iterdir()).stem
        epoch, step = (int(part.lstrip("epochst")) for part in newest.split("-"))
        stops.add((epoch, step))
        # After an epoch, ``stop`` is also called between the batches of the test.
        calls = 1 if step < 42 and epoch < 3 else 3 if epoch == 2 else 2
        folder, finished = run_until_stopped(resume(folder, stop=after(calls)))
    assert stops >= {(epoch, step) for epoch in range(3) for step in range(1, 43)}
    assert fingerprint(folder) == fingerprint(uninterrupted)
    assert state(folder) == state(uninterrupted)


def state(folder: Path) -> str:
    """Return the digest of the newest checkpoint, without times."""
    train_state = TrainState.make(Run.open(folder).architecture, Device.choose("cpu"), 0, 42, 3)
    progress, damaged = checkpoint.restore(folder / "checkpoints", train_state)
    assert (progress.epoch, progress.step, damaged) == (3, 0, [])
    tensors, numbers = checkpoint.capture(train_state)
    return digest_of(tensors, json.dumps(numbers))


def test_a_stop_during_the_test_loses_nothing(tmp_path: Path) -> None:
    """A run stopped between its last step and the end of the test repeats the test."""
    architecture = small("train.epochs=1")
    uninterrupted, _ = run_until_stopped(train(architecture, out=tmp_path / "uninterrupted"))
    steps_per_epoch = 42
    folder, finished = run_until_stopped(
        train(architecture, out=tmp_path / "parts", stop=after(steps_per_epoch + 1))
    )
    assert not finished
    assert not (folder / "metrics.jsonl").exists()
    run_until_stopped(resume(folder))
    assert fingerprint(folder) == fingerprint(uninterrupted)


def test_different_seeds_produce_different_runs(tmp_path: Path) -> None:
    """The fingerprints of two seeds differ."""
    folders = [
        run_until_stopped(train(small("train.epochs=1"), out=tmp_path, seed=seed))[0]
        for seed in (0, 1)
    ]
    assert fingerprint(folders[0]) != fingerprint(folders[1])


def test_a_finished_run_is_reported_without_training(tmp_path: Path) -> None:
    """Resuming it yields its result without a step."""
    folder, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path))
    before = fingerprint(folder)
    records = list(resume(folder))
    assert [type(record) for record in records] == [Started, Finished]
    assert fingerprint(folder) == before


def test_a_damaged_checkpoint_is_reported_and_the_previous_one_loaded(tmp_path: Path) -> None:
    """One flipped bit in the newest checkpoint costs its epoch and nothing else."""
    architecture = small("train.epochs=2")
    uninterrupted, _ = run_until_stopped(train(architecture, out=tmp_path / "uninterrupted"))
    folder, _ = run_until_stopped(train(architecture, out=tmp_path / "parts", stop=after(60)))
    newest = max((folder / "checkpoints").iterdir())
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    records = list(resume(folder))
    started = records[0]
    assert isinstance(started, Started)
    assert [str(newest) in note for note in started.notes] == [True]
    assert fingerprint(folder) == fingerprint(uninterrupted)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"], ids=["empty", "text"])
def test_a_run_with_only_damaged_checkpoints_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the folder and each damaged file."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path, stop=after(3)))
    for file in (folder / "checkpoints").iterdir():
        file.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"checkpoints: no checkpoint can be loaded"
    ) as excinfo:
        list(resume(folder))
    assert str(excinfo.value).count("damaged and skipped") == 2


def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path: Path) -> None:
    """It ends in the same bits, and the temporary file of the killed write is removed."""
    architecture = small("train.epochs=1")
    uninterrupted, _ = run_until_stopped(train(architecture, out=tmp_path / "uninterrupted"))
    folder, _ = run_until_stopped(train(architecture, out=tmp_path / "parts", stop=after(3)))
    for file in (folder / "checkpoints").iterdir():
        file.unlink()
    leftover = (
        folder / "checkpoints" / (".epoch00000-step0000000.safetensors.netbuilder-1-0123abcd.tmp")
    )
    leftover.write_bytes(b"half")
    run_until_stopped(resume(folder))
    assert fingerprint(folder) == fingerprint(uninterrupted)
    assert not leftover.exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """The message names the missing config.json."""
    with pytest.raises(ConfigError, match=r"not a run folder: it has no config\.json"):
        list(resume(tmp_path))


def test_a_finished_run_has_two_checkpoints_and_no_temporary_file(tmp_path: Path) -> None:
    """Older checkpoints are removed."""
    folder, _ = run_until_stopped(train(small(), out=tmp_path))
    assert len(list((folder / "checkpoints").iterdir())) == 2
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.name]


def test_a_resumed_run_on_the_fallback_is_not_judged(tmp_path: Path) -> None:
    """A target on accuracy stays not judged after a stop."""
    architecture = small("train.dataset={kmnist: {fallback: mnist5k}}", "train.epochs=2")
    folder, _ = run_until_stopped(
        train(architecture, out=tmp_path, data_dir=tmp_path / "none", stop=after(3))
    )
    run = Run.open(folder)
    if not run.environment.data.fallback:
        pytest.skip("this machine reaches the archives")
    run_until_stopped(resume(folder, data_dir=tmp_path / "none"))
    result = run.result
    assert result is not None
    assert [verdict.met for verdict in result.targets] == [True, None]
