"""Damaged and hostile files in a run folder: found, named, and never believed."""

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
"""A name newer than all that the runs here come to."""


def trainee() -> TrainState:
    """A fresh network of the small document, and what trains it."""
    return TrainState.make(small("train.epochs=2"), Device.choose("cpu"), 0, STEPS, 2)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped in its second epoch; it is copied, not changed."""
    out = tmp_path_factory.mktemp("stopped")
    folder, done = run_until_stopped(train(small("train.epochs=2"), out=out, stop=after(60)))
    assert not done
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, never stopped."""
    out = tmp_path_factory.mktemp("whole")
    folder, done = run_until_stopped(train(small("train.epochs=2"), out=out))
    assert done
    return folder


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A copy of the stopped run."""
    return Path(shutil.copytree(stopped, tmp_path / stopped.name, symlinks=True))


def newest_and_before(folder: Path) -> tuple[Path, Path]:
    """The two checkpoints of a run."""
    before, newest = sorted((folder / "checkpoints").iterdir())
    return newest, before


def damages(content: bytes) -> list[tuple[str, bytes]]:
    """500 truncations and 1,000 flipped bits, half of these in the header."""
    draw = random.Random(0)
    size = len(content)
    header = 8 + int.from_bytes(content[:8], "little")
    cuts = {0, 1, 7, 8, 9, header - 1, header, header + 1, size - 1}
    cuts |= set(draw.sample(sorted(set(range(size)) - cuts), 500 - len(cuts)))
    length = range(64)
    flips = {*length, *draw.sample(range(64, 8 * header), 500 - len(length))}
    flips |= set(draw.sample(range(8 * header, 8 * size), 500))
    assert (len(cuts), len(flips)) == (500, 1_000)
    made = [(f"cut to {cut} bytes", content[:cut]) for cut in sorted(cuts)]
    for flip in sorted(flips):
        flipped = bytearray(content)
        flipped[flip // 8] ^= 1 << flip % 8
        made.append((f"bit {flip} flipped", bytes(flipped)))
    return made


def test_every_truncation_and_every_flipped_bit_of_a_checkpoint_is_found(folder: Path) -> None:
    """Each of 1,500 damages is named, and the checkpoint before it is taken."""
    newest, before = newest_and_before(folder)
    content, at = newest.read_bytes(), trainee()
    position = tuple(int(part.lstrip("epochst")) for part in before.stem.split("-"))
    for what, spoilt in damages(content):
        newest.write_bytes(spoilt)
        progress, damaged = checkpoint.restore(newest.parent, at)
        assert (progress.epoch, progress.step) == position, what
        [line] = damaged
        assert line.startswith(f"{newest}: damaged and skipped ("), what
        assert line.isprintable(), what
        newest.with_name(f"{newest.name}.damaged").unlink()


def test_what_the_checkpoint_before_holds_is_taken_whole(folder: Path, whole: Path) -> None:
    """Behind a fallback the run ends in the bits of the run never damaged."""
    newest, _ = newest_and_before(folder)
    newest.write_bytes(newest.read_bytes()[:-1])
    assert run_until_stopped(resume(folder)) == (folder, True)
    assert fingerprint(folder) == fingerprint(whole)


@pytest.mark.parametrize("which", ["best", "last"])
def test_every_damage_to_kept_weights_is_found(whole: Path, tmp_path: Path, which: str) -> None:
    """Each of 1,500 damages to a file of weights is an error with the file's name."""
    run = Run(Path(shutil.copytree(whole, tmp_path / "run")))
    path = run.path / f"{which}.safetensors"
    load_model(run, which)
    for what, spoilt in damages(path.read_bytes()):
        path.write_bytes(spoilt)
        start = re.escape(f"{path}: cannot be loaded: ")
        with pytest.raises(CheckpointError, match=f"^{start}") as caught:
            load_model(run, which)
        assert str(caught.value).isprintable(), what


def test_evaluate_says_that_weights_are_damaged(whole: Path, tmp_path: Path) -> None:
    """One flipped bit of a weight is one line and exit code 3, and the other file still serves."""
    run = Path(shutil.copytree(whole, tmp_path / "run"))
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
    whole: Path, tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    """Weights that an earlier version or another program wrote are taken as they are."""
    run = Run(Path(shutil.copytree(whole, tmp_path / "run")))
    weights = load_model(run, "last").state_dict()
    (run.path / "last.safetensors").write_bytes(packed(weights, metadata))
    loaded = load_model(run, "last").state_dict()
    assert digest_of(loaded) == digest_of(weights)


class Malice:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def with_header(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this header, and this length of it claimed."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    """A tensor's entry in a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def signed(state: str, tensors: dict[str, torch.Tensor] | None = None) -> bytes:
    """A checkpoint whose checksum is right, whatever it holds."""
    tensors = tensors or {}
    return packed(tensors, {"state": state, "sha256": digest_of(tensors, state)})


@cache
def bomb() -> bytes:
    """A zip archive that unpacks to 1 GiB."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("data.pkl", "w", force_zip64=True) as file,
    ):
        for _ in range(1 << 10):
            file.write(bytes(1 << 20))
    return content.getvalue()


def sparse(path: Path) -> None:
    """An honest header over 64 GiB of nothing."""
    size = 64 << 30
    path.write_bytes(with_header({"model.0.weight": entry([size // 4], 0, size)}))
    os.truncate(path, path.stat().st_size + size)


def memory(field: str) -> int:
    """The bytes of memory that this process holds, ``VmRSS``, or held at most, ``VmHWM``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) << 10


def progress(**changes: object) -> str:
    """A state with everything where it belongs but for the changes."""
    return json.dumps({"progress": vars(Progress(epoch=99)) | changes, "optimizer": {}})


def at_99(**changes: object) -> bytes:
    """A checkpoint with the right checksum for a progress that is wrong."""
    return signed(progress(history=[{}] * 99) if not changes else progress(**changes))


HOSTILE: dict[str, Callable[[Path, Path], object]] = {
    "pickle": lambda path, mark: path.write_bytes(pickle.dumps(Malice(mark))),
    "torch.save": lambda path, mark: torch.save({"model": Malice(mark)}, path),
    "torch.save of old": lambda path, mark: torch.save(
        Malice(mark), path, _use_new_zipfile_serialization=False
    ),
    "zip bomb": lambda path, mark: path.write_bytes(bomb()),
    "header of 8 GiB": lambda path, mark: path.write_bytes(with_header({}, length=8 << 30)),
    "header of 2**64 - 1": lambda path, mark: path.write_bytes(with_header({}, length=2**64 - 1)),
    "header longer than the file": lambda path, mark: path.write_bytes(with_header({}, length=99)),
    "tensor beyond the end": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([1 << 30], 0, 4 << 30)}, bytes(64))
    ),
    "offsets that run back": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([4], 16, 0)}, bytes(16))
    ),
    "offsets that overlap": lambda path, mark: path.write_bytes(
        with_header({"a": entry([4], 0, 16), "b": entry([4], 0, 16)}, bytes(16))
    ),
    "offsets that are less than the shape": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([1 << 20], 0, 16)}, bytes(16))
    ),
    "a shape that overflows": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([1 << 62, 1 << 62], 0, 0)})
    ),
    "a shape of nothing times much": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([0, 1 << 62, 1 << 62], 0, 0)})
    ),
    "a type that is none": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([4], 0, 16, "OBJECT")}, bytes(16))
    ),
    "a type that torch has not": lambda path, mark: path.write_bytes(
        with_header({"model.0.weight": entry([4], 0, 2, "F4")}, bytes(2))
    ),
    "a header that is no mapping": lambda path, mark: path.write_bytes(with_header([])),
    "a header nested deeply": lambda path, mark: path.write_bytes(with_header(b"[" * 1_000_000)),
    "a header without text": lambda path, mark: path.write_bytes(with_header(b"\xff" * 64)),
    "no metadata": lambda path, mark: path.write_bytes(packed({})),
    "metadata nested deeply": lambda path, mark: path.write_bytes(
        signed("[" * 100_000 + "]" * 100_000)
    ),
    "metadata of 30 MiB": lambda path, mark: path.write_bytes(signed(f"[{'0,' * (15 << 20)}0]")),
    "metadata of 80 MiB": lambda path, mark: path.write_bytes(
        with_header({"__metadata__": {"state": " " * (80 << 20), "sha256": ""}})
    ),
    "metadata that is a number": lambda path, mark: path.write_bytes(signed("1e999")),
    "metadata that is no JSON": lambda path, mark: path.write_bytes(signed("__import__('os')")),
    "progress that is a list": lambda path, mark: path.write_bytes(signed('{"progress": []}')),
    "progress of another name": lambda path, mark: path.write_bytes(at_99(epoch=98)),
    "progress of no number": lambda path, mark: path.write_bytes(at_99(step="0")),
    "progress with more in it": lambda path, mark: path.write_bytes(at_99(__class__="os")),
    "progress without figures": lambda path, mark: path.write_bytes(at_99(history=[])),
    "figures of nothing": lambda path, mark: path.write_bytes(at_99()),
    "no tensors": lambda path, mark: path.write_bytes(
        at_99(history=[dict.fromkeys(["epoch"], 1.0)] * 99)
    ),
    "64 GiB of nothing": lambda path, mark: sparse(path),
    "empty": lambda path, mark: path.write_bytes(b""),
    "folder": lambda path, mark: path.mkdir(),
    "folder with something in it": lambda path, mark: (path / "inner").mkdir(parents=True),
    "pipe": lambda path, mark: os.mkfifo(path),
    "link to itself": lambda path, mark: path.symlink_to(path.name),
    "link to nothing": lambda path, mark: path.symlink_to("nothing"),
    "link to a device": lambda path, mark: path.symlink_to("/dev/zero"),
    "link to a text": lambda path, mark: path.symlink_to("/etc/passwd"),
    "link to a folder": lambda path, mark: path.symlink_to("/"),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_checkpoint_is_passed_over(
    folder: Path, tmp_path: Path, make: Callable[[Path, Path], object]
) -> None:
    """It is named in a line, nothing in it is run, and little memory is taken to find out."""
    posing, mark = folder / "checkpoints" / NEWEST, tmp_path / "executed"
    newest, _ = newest_and_before(folder)
    make(posing, mark)
    at = trainee()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    found, damaged = checkpoint.restore(posing.parent, at)
    taken = memory("VmHWM") - before
    assert f"epoch{found.epoch:05d}-step{found.step:07d}" == newest.stem
    [line] = damaged
    assert line.startswith(f"{posing}: damaged and skipped (")
    assert line.isprintable()
    assert len(line) < 500
    assert not mark.exists()
    assert taken < 400 << 20


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_weights_are_refused(
    whole: Path, tmp_path: Path, make: Callable[[Path, Path], object]
) -> None:
    """What poses as kept weights is an error of one line, and nothing in it is run."""
    run = Run(Path(shutil.copytree(whole, tmp_path / "run")))
    posing, mark = run.path / "best.safetensors", tmp_path / "executed"
    posing.unlink()
    make(posing, mark)
    with pytest.raises(CheckpointError, match=r"best\.safetensors: ") as caught:
        load_model(run, "best")
    assert str(caught.value).isprintable()
    assert not mark.exists()


def test_a_folder_full_of_hostile_files_costs_a_run_nothing(folder: Path, whole: Path) -> None:
    """The run goes on from its own newest and ends in its own bits, its own checkpoints kept."""
    checkpoints = folder / "checkpoints"
    for number, make in enumerate(HOSTILE.values()):
        make(checkpoints / f"epoch{1000 + number:05d}-step0000000.safetensors", folder / "executed")
    records = list(resume(folder))
    started = records[0]
    assert isinstance(started, Started)
    assert len(started.warnings) == len(HOSTILE)
    assert fingerprint(folder) == fingerprint(whole)
    assert not (folder / "executed").exists()
    again = next(iter(resume(folder)))
    assert isinstance(again, Started)
    assert (again.progress.epoch, again.warnings) == (2, ())


def test_where_nothing_but_hostile_files_is_left_the_run_says_so(folder: Path) -> None:
    """The error names the folder in its first line, exits with 3, and changes nothing."""
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
def test_a_name_with_tricks_is_no_checkpoint(folder: Path, name: str) -> None:
    """What no checkpoint is called is left alone, and not even read."""
    newest, _ = newest_and_before(folder)
    odd = newest.with_name(name)
    odd.write_bytes(newest.read_bytes())
    found, damaged = checkpoint.restore(newest.parent, trainee())
    assert (f"epoch{found.epoch:05d}-step{found.step:07d}", damaged) == (newest.stem, [])
    assert odd.read_bytes() == newest.read_bytes()


def test_a_link_to_a_whole_checkpoint_is_one(folder: Path, tmp_path: Path) -> None:
    """Checkpoints moved to another disk, with links in their place, still serve."""
    newest, _ = newest_and_before(folder)
    newest.symlink_to(newest.rename(tmp_path / "moved"))
    found, damaged = checkpoint.restore(newest.parent, trainee())
    assert (f"epoch{found.epoch:05d}-step{found.step:07d}", damaged) == (newest.stem, [])


def test_epochs_are_counted_not_spelt(folder: Path, tmp_path: Path) -> None:
    """Epoch 100,000 is newer than epoch 99,999, and is the one that is kept."""
    own, checkpoints = trainee(), tmp_path / "checkpoints"
    checkpoints.mkdir()
    for epoch in (99_998, 99_999, 100_000):
        checkpoint.save(checkpoints, own, Progress(epoch=epoch, history=[EPOCH] * epoch))
    assert {path.name.split("-")[0] for path in checkpoints.iterdir()} == {
        "epoch99999",
        "epoch100000",
    }
    assert checkpoint.restore(checkpoints, own)[0].epoch == 100_000


def test_a_damaged_checkpoint_is_never_the_one_to_fall_back_to(folder: Path) -> None:
    """Behind a fallback both checkpoints that are kept load."""
    newest, _ = newest_and_before(folder)
    newest.write_bytes(b"spoilt")
    run_until_stopped(resume(folder, stop=after(30)))
    kept = sorted((folder / "checkpoints").glob("*.safetensors"))
    assert len(kept) == 2
    for path in reversed(kept):
        _, damaged = checkpoint.restore(path.parent, trainee())
        assert not damaged
        path.unlink()


def test_a_checkpoint_of_another_network_is_passed_over(folder: Path) -> None:
    """Its checksum is right and its tensors do not fit; the run's own is taken whole."""
    newest, _ = newest_and_before(folder)
    other = TrainState.make(
        small("layers[0].Conv2d.out_channels=5"), Device.choose("cpu"), 0, STEPS, 2
    )
    checkpoint.save(newest.parent, other, Progress(epoch=1, step=41, history=[EPOCH]))
    at = trainee()
    found, damaged = checkpoint.restore(newest.parent, at)
    assert (found.epoch, found.step) == (1, 17)
    assert ["size mismatch" in line for line in damaged] == [True]


def test_a_folder_of_checkpoints_that_cannot_be_read_is_an_error(folder: Path) -> None:
    """The run does not begin afresh where its checkpoints are out of reach."""
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
def test_spoilt_metrics_are_named(whole: Path, tmp_path: Path, text: str) -> None:
    """A file of figures that is no record any more is an error with its path."""
    run = Run(Path(shutil.copytree(whole, tmp_path / "run")))
    (run.path / "metrics.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"metrics\.jsonl: .*line 1"):
        _ = run.metrics


def test_records_nested_deeply_are_named(whole: Path, tmp_path: Path) -> None:
    """A record nested beyond all use is one line and exit code 2."""
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    (run / "config.json").write_text("[" * 100_000)
    code, _, err = command("train", "--resume", str(run), "-q")
    assert code == 2
    assert err.startswith(f"{run / 'config.json'}: cannot be read: ")
    assert len(err.splitlines()) == 1
