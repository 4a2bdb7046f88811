"""Damaged and hostile files in a run folder are detected, named and never executed."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from command import run as command
from run_folders import epoch_record
from safetensors.torch import save as packed
from small import after, fingerprint, run_until_stopped, small

from netbuilder._files import digest_of
from netbuilder.errors import CheckpointError, ConfigError
from netbuilder.inference.load import load_model
from netbuilder.runs.run import Run
from netbuilder.training import checkpoint
from netbuilder.training.checkpoint import Progress
from netbuilder.training.device import Device
from netbuilder.training.events import Started
from netbuilder.training.loop import resume, train
from netbuilder.training.step import TrainState

STEPS = 42
EPOCH = epoch_record(1, 50.0, 50.0)
NEWEST = "epoch00099-step0000000.safetensors"
"""A name newer than every checkpoint of these runs."""


def train_state() -> TrainState:
    """Create a fresh network of the small document with its optimizer and schedule."""
    return TrainState.make(small("train.epochs=2"), Device.choose("cpu"), 0, STEPS, 2)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped in its second epoch; tests change copies of it."""
    out = tmp_path_factory.mktemp("stopped")
    folder, finished = run_until_stopped(train(small("train.epochs=2"), out=out, stop=after(60)))
    assert not finished
    return folder


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without a stop."""
    out = tmp_path_factory.mktemp("uninterrupted")
    folder, finished = run_until_stopped(train(small("train.epochs=2"), out=out))
    assert finished
    return folder


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A copy of the stopped run."""
    return Path(shutil.copytree(stopped, tmp_path / stopped.name, symlinks=True))


def newest_and_before(folder: Path) -> tuple[Path, Path]:
    """Return the two checkpoints of a run."""
    before, newest = sorted((folder / "checkpoints").iterdir())
    return newest, before


def damages(content: bytes) -> list[tuple[str, bytes]]:
    """Return 500 truncations and 1,000 flipped bits, half of these in the header."""
    draw = random.Random(0)
    size = len(content)
    header = 8 + int.from_bytes(content[:8], "little")
    cuts = {0, 1, 7, 8, 9, header - 1, header, header + 1, size - 1}
    cuts |= set(draw.sample(sorted(set(range(size)) - cuts), 500 - len(cuts)))
    length = range(64)
    flips = {*length, *draw.sample(range(64, 8 * header), 500 - len(length))}
    flips |= set(draw.sample(range(8 * header, 8 * size), 500))
    assert (len(cuts), len(flips)) == (500, 1_000)
    variants = [(f"cut to {cut} bytes", content[:cut]) for cut in sorted(cuts)]
    for flip in sorted(flips):
        flipped = bytearray(content)
        flipped[flip // 8] ^= 1 << flip % 8
        variants.append((f"bit {flip} flipped", bytes(flipped)))
    return variants


def test_every_damage_to_a_checkpoint_is_detected(folder: Path) -> None:
    """Each of 1,500 damages is reported, and the previous checkpoint is loaded."""
    newest, before = newest_and_before(folder)
    content, at = newest.read_bytes(), train_state()
    position = tuple(int(part.lstrip("epochst")) for part in before.stem.split("-"))
    for label, damaged_content in damages(content):
        newest.write_bytes(damaged_content)
        progress, damaged = checkpoint.restore(newest.parent, at)
        assert (progress.epoch, progress.step) == position, label
        [line] = damaged
        assert line.startswith(f"{newest}: damaged and skipped ("), label
        assert line.isprintable(), label
        newest.with_name(f"{newest.name}.damaged").unlink()


@pytest.mark.parametrize("which", ["best", "last"])
def test_every_damage_to_saved_weights_is_detected(
    uninterrupted: Path, tmp_path: Path, which: str
) -> None:
    """Each of 1,500 damages to a file of weights is an error with the file's name."""
    run = Run(Path(shutil.copytree(uninterrupted, tmp_path / "run")))
    path = run.path / f"{which}.safetensors"
    load_model(run, which)
    for label, damaged_content in damages(path.read_bytes()):
        path.write_bytes(damaged_content)
        start = re.escape(f"{path}: cannot be loaded: ")
        with pytest.raises(CheckpointError, match=f"^{start}") as excinfo:
            load_model(run, which)
        assert str(excinfo.value).isprintable(), label


def test_evaluate_reports_damaged_weights(uninterrupted: Path, tmp_path: Path) -> None:
    """One flipped bit is one line and exit code 3, and the other weights still load."""
    run = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    content = bytearray((run / "best.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "best.safetensors").write_bytes(content)
    code, out, err = command("evaluate", str(run))
    assert (code, out) == (3, "")
    assert err == (
        f"{run / 'best.safetensors'}: cannot be loaded: its SHA-256 differs from the recorded "
        "one; use --weights last\n"
    )
    assert command("evaluate", str(run), "--weights", "last").code == 0


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}], ids=["bare", "torch's"])
def test_weights_without_a_checksum_load(
    uninterrupted: Path, tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    """Weights from an earlier version or another program load unchanged."""
    run = Run(Path(shutil.copytree(uninterrupted, tmp_path / "run")))
    weights = load_model(run, "last").state_dict()
    (run.path / "last.safetensors").write_bytes(packed(weights, metadata))
    loaded = load_model(run, "last").state_dict()
    assert digest_of(loaded) == digest_of(weights)


class Malice:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def with_header(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """Create a safetensors file with this header, and optionally a false length of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    """Create a tensor's entry in a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def signed(state: str, tensors: dict[str, torch.Tensor] | None = None) -> bytes:
    """Create a checkpoint with a valid checksum, whatever it contains."""
    tensors = tensors or {}
    return packed(tensors, {"state": state, "sha256": digest_of(tensors, state)})


@cache
def bomb() -> bytes:
    """Create a zip archive that unpacks to 1 GiB."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("data.pkl", "w", force_zip64=True) as file,
    ):
        for _ in range(1 << 10):
            file.write(bytes(1 << 20))
    return content.getvalue()


def sparse(path: Path) -> None:
    """Write a valid header before 64 GiB of zeros."""
    size = 64 << 30
    path.write_bytes(with_header({"model.0.weight": entry([size // 4], 0, size)}))
    os.truncate(path, path.stat().st_size + size)


def memory(field: str) -> int:
    """Return this process's memory in bytes: now, ``VmRSS``, or at its peak, ``VmHWM``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) << 10


def progress(**changes: object) -> str:
    """Create a valid state with these changes of its progress."""
    return json.dumps({"progress": vars(Progress(epoch=99)) | changes, "optimizer": {}})


def at_99(**changes: object) -> bytes:
    """Create a checkpoint with a valid checksum and an invalid progress."""
    return signed(progress(history=[{}] * 99) if not changes else progress(**changes))


HOSTILE: dict[str, Callable[[Path, Path], object]] = {
    "pickle": lambda path, mark: path.write_bytes(pickle.dumps(Malice(mark))),
    "torch.save": lambda path, mark: torch.save({"model": Malice(mark)}, path),
    "old torch.save": lambda path, mark: torch.save(
        Malice(mark), path, _use_new_zipfile_serialization=False
    ),
    "zip bomb": lambda path, mark: path.write_bytes(bomb()),
    "header of 8 GiB": lambda path, mark: path.write_bytes(with_header({}, length=8 << 30)),
    "header of 2**64 - 1": lambda path, mark: path.write_bytes(with_header({}, length=2**64 - 1)),
    "header longer than the file": lambda path, mark: path.write_bytes(with_header({}, length=99)),
    "tensor beyond the end": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([1 << 30], 0, 4 << 30)}, bytes(64))
    ),
    "reversed offsets": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([4], 16, 0)}, bytes(16))
    ),
    "overlapping offsets": lambda path, mark: path.write_bytes(
        with_header({"a": entry([4], 0, 16), "b": entry([4], 0, 16)}, bytes(16))
    ),
    "offsets smaller than the shape": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([1 << 20], 0, 16)}, bytes(16))
    ),
    "a shape that overflows": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([1 << 62, 1 << 62], 0, 0)})
    ),
    "a shape with a zero and large sizes": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([0, 1 << 62, 1 << 62], 0, 0)})
    ),
    "an unknown type": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([4], 0, 16, "OBJECT")}, bytes(16))
    ),
    "a type that torch lacks": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([4], 0, 2, "F4")}, bytes(2))
    ),
    "a header that is not a mapping": lambda path, mark: path.write_bytes(with_header([])),
    "a deeply nested header": lambda path, mark: path.write_bytes(with_header(b"[" * 1_000_000)),
    "a header without text": lambda path, mark: path.write_bytes(with_header(b"\xff" * 64)),
    "no metadata": lambda path, mark: path.write_bytes(packed({})),
    "deeply nested metadata": lambda path, mark: path.write_bytes(
        signed("[" * 100_000 + "]" * 100_000)
    ),
    "metadata of 30 MiB": lambda path, mark: path.write_bytes(signed(f"[{'0,' * (15 << 20)}0]")),
    "metadata of 80 MiB": lambda path, mark: path.write_bytes(
        with_header({"__metadata__": {"state": " " * (80 << 20), "sha256": ""}})
    ),
    "metadata that is a number": lambda path, mark: path.write_bytes(signed("1e999")),
    "metadata that is not JSON": lambda path, mark: path.write_bytes(signed("__import__('os')")),
    "progress that is a list": lambda path, mark: path.write_bytes(signed('{"progress": []}')),
    "progress that contradicts the name": lambda path, mark: path.write_bytes(at_99(epoch=98)),
    "progress with a text": lambda path, mark: path.write_bytes(at_99(step="0")),
    "progress with an unknown field": lambda path, mark: path.write_bytes(at_99(__class__="os")),
    "progress without metrics": lambda path, mark: path.write_bytes(at_99(history=[])),
    "empty metrics": lambda path, mark: path.write_bytes(at_99()),
    "no tensors": lambda path, mark: path.write_bytes(
        at_99(history=[dict.fromkeys(["epoch"], 1.0)] * 99)
    ),
    "64 GiB of zeros": lambda path, mark: sparse(path),
    "empty": lambda path, mark: path.write_bytes(b""),
    "folder": lambda path, mark: path.mkdir(),
    "folder with a subfolder": lambda path, mark: (path / "inner").mkdir(parents=True),
    "pipe": lambda path, mark: os.mkfifo(path),
    "link to itself": lambda path, mark: path.symlink_to(path.name),
    "link to nothing": lambda path, mark: path.symlink_to("nothing"),
    "link to a device": lambda path, mark: path.symlink_to("/dev/zero"),
    "link to a text": lambda path, mark: path.symlink_to("/etc/passwd"),
    "link to a folder": lambda path, mark: path.symlink_to("/"),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_checkpoint_is_skipped(
    folder: Path, tmp_path: Path, make: Callable[[Path, Path], object]
) -> None:
    """It is reported in one line, nothing in it is executed, and little memory is used."""
    hostile, mark = folder / "checkpoints" / NEWEST, tmp_path / "executed"
    newest, _ = newest_and_before(folder)
    make(hostile, mark)
    at = train_state()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    before = memory("VmRSS")
    position, damaged = checkpoint.restore(hostile.parent, at)
    peak = memory("VmHWM") - before
    assert f"epoch{position.epoch:05d}-step{position.step:07d}" == newest.stem
    [line] = damaged
    assert line.startswith(f"{hostile}: damaged and skipped (")
    assert line.isprintable()
    assert len(line) < 500
    assert not mark.exists()
    assert peak < 400 << 20


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_weights_are_refused(
    uninterrupted: Path, tmp_path: Path, make: Callable[[Path, Path], object]
) -> None:
    """A hostile file of weights is an error of one line, and nothing in it is executed."""
    run = Run(Path(shutil.copytree(uninterrupted, tmp_path / "run")))
    hostile, mark = run.path / "best.safetensors", tmp_path / "executed"
    hostile.unlink()
    make(hostile, mark)
    with pytest.raises(CheckpointError, match=r"best\.safetensors: ") as excinfo:
        load_model(run, "best")
    assert str(excinfo.value).isprintable()
    assert not mark.exists()


def test_hostile_files_do_not_change_a_run(folder: Path, uninterrupted: Path) -> None:
    """The run continues from its own checkpoint and ends in the same bits."""
    checkpoints = folder / "checkpoints"
    for number, make in enumerate(HOSTILE.values()):
        make(checkpoints / f"epoch{1000 + number:05d}-step0000000.safetensors", folder / "executed")
    records = list(resume(folder))
    started = records[0]
    assert isinstance(started, Started)
    assert len(started.notes) == len(HOSTILE)
    assert fingerprint(folder) == fingerprint(uninterrupted)
    assert not (folder / "executed").exists()
    resumed = next(iter(resume(folder)))
    assert isinstance(resumed, Started)
    assert (resumed.progress.epoch, resumed.notes) == (2, ())


def test_a_run_with_only_hostile_checkpoints_is_refused(folder: Path) -> None:
    """The first line names the folder, the exit code is 3, and no file changes."""
    checkpoints = folder / "checkpoints"
    for own in checkpoints.iterdir():
        own.unlink()
    for number, make in enumerate(HOSTILE.values()):
        make(checkpoints / f"epoch{1000 + number:05d}-step0000000.safetensors", folder / "executed")
    before = sorted(checkpoints.iterdir())
    code, _, err = command("train", "--resume", str(folder), "-q")
    lines = err.splitlines()
    assert (code, lines[0]) == (3, f"{checkpoints}: no checkpoint can be loaded; train again")
    assert len(lines) == 1 + len(HOSTILE)
    assert sorted(checkpoints.iterdir()) == before
    assert not (folder / "executed").exists()


@pytest.mark.parametrize(
    "name",
    [
        "epoch99999-step..safetensors",
        "epoch\x1b[2J99999-step0000000.safetensors",
        "epoch99999\n-step0000000.safetensors",
        "epoch٩٩٩٩٩-step0000000.safetensors",
        "epoch-0001-step0000000.safetensors",
        f"epoch{'9' * 200}-step0000000.safetensors",
        "epoch99999-step0000000.safetensors ",
        "epoch99999-step0000000.safetensors.damaged",
        "epoch00000-step0000000.safetensors;touch executed",
    ],
)
def test_a_file_with_an_odd_name_is_not_a_checkpoint(folder: Path, name: str) -> None:
    """A file without the name of a checkpoint is ignored and unchanged."""
    newest, _ = newest_and_before(folder)
    odd = newest.with_name(name)
    odd.write_bytes(newest.read_bytes())
    position, damaged = checkpoint.restore(newest.parent, train_state())
    assert (f"epoch{position.epoch:05d}-step{position.step:07d}", damaged) == (newest.stem, [])
    assert odd.read_bytes() == newest.read_bytes()


def test_a_link_to_a_sound_checkpoint_is_loaded(folder: Path, tmp_path: Path) -> None:
    """Checkpoints on another disk load through links in their place."""
    newest, _ = newest_and_before(folder)
    newest.symlink_to(newest.rename(tmp_path / "moved"))
    position, damaged = checkpoint.restore(newest.parent, train_state())
    assert (f"epoch{position.epoch:05d}-step{position.step:07d}", damaged) == (newest.stem, [])


def test_epochs_are_ordered_as_numbers(folder: Path, tmp_path: Path) -> None:
    """Epoch 100,000 is newer than epoch 99,999."""
    own, checkpoints = train_state(), tmp_path / "checkpoints"
    checkpoints.mkdir()
    for epoch in (99_998, 99_999, 100_000):
        checkpoint.save(checkpoints, own, Progress(epoch=epoch, history=[EPOCH] * epoch))
    assert {path.name.split("-")[0] for path in checkpoints.iterdir()} == {
        "epoch99999",
        "epoch100000",
    }
    assert checkpoint.restore(checkpoints, own)[0].epoch == 100_000


def test_both_remaining_checkpoints_load_after_a_damage(folder: Path) -> None:
    """A resumed run replaces the damaged checkpoint, so that its two checkpoints load."""
    newest, _ = newest_and_before(folder)
    newest.write_bytes(b"damaged")
    run_until_stopped(resume(folder, stop=after(30)))
    remaining = sorted((folder / "checkpoints").glob("*.safetensors"))
    assert len(remaining) == 2
    for path in reversed(remaining):
        _, damaged = checkpoint.restore(path.parent, train_state())
        assert not damaged
        path.unlink()


def test_a_checkpoint_of_another_network_is_skipped(folder: Path) -> None:
    """Its checksum is valid but its tensors do not fit; the run's own checkpoint is loaded."""
    newest, _ = newest_and_before(folder)
    different = TrainState.make(
        small("layers[0].Conv2d.out_channels=5"), Device.choose("cpu"), 0, STEPS, 2
    )
    checkpoint.save(newest.parent, different, Progress(epoch=1, step=41, history=[EPOCH]))
    at = train_state()
    position, damaged = checkpoint.restore(newest.parent, at)
    assert (position.epoch, position.step) == (1, 17)
    assert ["size mismatch" in line for line in damaged] == [True]


def test_a_missing_folder_of_checkpoints_is_an_error(folder: Path) -> None:
    """The run does not start again without its checkpoints."""
    (folder / "checkpoints").rename(folder / "moved")
    code, _, err = command("train", "--resume", str(folder), "-q")
    assert code == 3
    assert err.startswith(f"{folder / 'checkpoints'}: no such folder; put it back, or train again")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    ["{", "[]\n", '{"epoch": 1}\n', "[" * 100_000, "\x00"],
    ids=["torn", "list", "half", "deep", "nothing"],
)
def test_damaged_metrics_are_reported(uninterrupted: Path, tmp_path: Path, text: str) -> None:
    """A damaged metrics.jsonl is an error with its path and line."""
    run = Run(Path(shutil.copytree(uninterrupted, tmp_path / "run")))
    (run.path / "metrics.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"metrics\.jsonl: .*line 1"):
        _ = run.metrics


def test_a_deeply_nested_record_is_reported(uninterrupted: Path, tmp_path: Path) -> None:
    """A record with 100,000 nested lists is one line and exit code 2."""
    run = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    (run / "config.json").write_text("[" * 100_000)
    code, _, err = command("train", "--resume", str(run), "-q")
    assert code == 2
    assert err.startswith(f"{run / 'config.json'}: cannot be read: ")
    assert len(err.splitlines()) == 1
