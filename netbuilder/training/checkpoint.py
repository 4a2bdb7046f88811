"""Checkpoints: one file each, holding all that the next step depends on.

A checkpoint is a safetensors file: weights, average and optimizer as tensors, the rest as JSON in
its metadata, and a SHA-256 over both beside it there. One file is renamed into place at once, so
tensors and numbers never come from two moments. Random states are not among them: all that is
drawn is a function of (seed, epoch, step).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed

from netbuilder._files import digest_of, write_atomic
from netbuilder._text import printable
from netbuilder.errors import CheckpointError
from netbuilder.runs.run import Metrics
from netbuilder.training.step import TrainState

KEPT = 2
"""Checkpoints kept of a run: the newest, and the one to fall back to if the disk spoils it."""


UNREADABLE = (
    OSError,
    SafetensorError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
)
"""What reading a file can raise that nobody meant as a checkpoint, too little memory apart.

A text nested too deeply and tensors of another network are RuntimeErrors.
"""


_KINDS: dict[str, Any] = {
    "loss_sum": float,
    "learning_rate": float | int,
    "train_seconds": float,
    "history": list,
}

_NAME = re.compile(r"epoch([0-9]{5,18})-step([0-9]{7,18})\.safetensors")

_HEADER_LIMIT = 32 << 20


@dataclass
class Progress:
    """How far a run is: ``step`` steps into ``epoch`` (from 0), with what it measured there.

    ``learning_rate`` is that of the last update.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    hits: int = 0
    seen: int = 0
    learning_rate: float = 0.0
    train_seconds: float = 0.0
    history: list[Metrics] = field(default_factory=list)


def save(folder: Path, trainee: TrainState, progress: Progress) -> Path:
    """Write a checkpoint and remove the oldest.

    Raises:
        OSError: it could not be written; those before it stand.
    """
    tensors, numbers = captured(trainee)
    state = json.dumps({"progress": asdict(progress), **numbers})
    metadata = {"state": state, "sha256": digest_of(tensors, state)}
    path = folder / f"epoch{progress.epoch:05d}-step{progress.step:07d}.safetensors"
    write_atomic(path, packed(tensors, metadata))
    # Newer ones were passed over, and say nothing about which are to be kept.
    older = [other for other in _newest_first(folder) if _position(other) < _position(path)]
    for old in older[KEPT - 1 :]:
        if not old.is_dir():
            old.unlink(missing_ok=True)
    return path


def restore(folder: Path, trainee: TrainState) -> tuple[Progress, list[str]]:
    """Bring ``trainee`` to the newest checkpoint that is whole.

    Newer ones are renamed, so that none is taken later for one to fall back to.

    Returns:
        How far the run is, and a line for each newer file that was found damaged.

    Raises:
        CheckpointError: there are some, and all are damaged; or there is no folder of them.
        OSError: the folder cannot be read.
    """
    damaged: list[tuple[Path, str]] = []
    if not folder.exists():
        raise CheckpointError(printable(f"{folder}: no such folder; put it back, or train anew"))
    found = _newest_first(folder)
    if not found:
        return Progress(), []  # killed before the first: the seed settles how it began
    for path in found:
        try:
            tensors, state = _read(path, most=_most_bytes(trainee))
            progress = _progress(path, state)
            _install(trainee, tensors, state)
        except UNREADABLE as error:
            damaged.append((path, f"{path}: damaged and passed over ({_first_line(error)})"))
            continue
        for other, _ in damaged:
            with suppress(OSError):  # it is in nobody's way where it cannot be renamed
                other.rename(other.with_name(f"{other.name}.damaged"))
        return progress, [printable(line) for _, line in damaged]
    lines = "\n".join(printable(line) for _, line in damaged)
    raise CheckpointError(
        f"{printable(str(folder))}: no checkpoint can be loaded; train anew\n{lines}"
    )


def save_weights(path: Path, trainee: TrainState) -> None:
    """Write the kept weights alone, keyed as the built module's ``state_dict``.

    Raises:
        OSError: they could not be written; those before them stand.
    """
    weights = {
        name: t.detach().cpu().contiguous() for name, t in trainee.eval_model.state_dict().items()
    }
    write_atomic(path, packed(weights, {"sha256": digest_of(weights)}))


def load_weights(path: Path, *, most: int) -> dict[str, torch.Tensor]:
    """What `save_weights` wrote, checked; a file of weights without a checksum is taken as it is.

    Args:
        path: the file.
        most: the bytes that it holds at most.

    Raises:
        OSError: it cannot be read, or is missing.
        ValueError: it is damaged, as are the others of `UNREADABLE`.
    """
    tensors, metadata = _opened(path, most)
    if not metadata.keys() <= {"format"}:  # the one key that other writers put there
        _require_digest(tensors, "", metadata)
    return tensors


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """The bytes that tensors take."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _position(path: Path) -> tuple[int, int]:
    """The epoch and the step in a checkpoint's name."""
    matched = _NAME.fullmatch(path.name)
    assert matched
    return int(matched[1]), int(matched[2])


def _newest_first(folder: Path) -> list[Path]:
    # Not by glob(), to which a folder that cannot be read is an empty one.
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=_position, reverse=True)


def _first_line(error: Exception) -> str:
    """What an error says, on a line of a length that can be read."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "…"


def _most_bytes(trainee: TrainState) -> int:
    """More than a checkpoint of ``trainee`` takes, whatever its optimizer keeps a parameter."""
    return 16 * bytes_of(trainee.model.state_dict().values()) + 2 * _HEADER_LIMIT


def captured(trainee: TrainState) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """All that the next step depends on: tensors, copied to the CPU, and plain numbers."""
    tensors = {f"model.{name}": t for name, t in trainee.model.state_dict().items()}
    if trainee.average is not None:
        tensors |= {f"average.{name}": t for name, t in trainee.average.state_dict().items()}
    optimizer = trainee.optimizer.state_dict()
    scalars: dict[str, dict[str, Any]] = {}
    for index, state in optimizer["state"].items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                scalars.setdefault(str(index), {})[name] = value
    numbers = {
        "optimizer": {"param_groups": optimizer["param_groups"], "scalars": scalars},
        "schedule": [_plain(scheduler.state_dict()) for scheduler in trainee.schedule],
    }
    # Clones: two entries may share memory, which safetensors refuses.
    return {k: t.detach().cpu().clone().contiguous() for k, t in tensors.items()}, numbers


def _install(trainee: TrainState, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    for key, tensor in tensors.items():
        part, _, name = key.partition(".")
        parts[part][name] = tensor
    trainee.model.load_state_dict(parts["model"])
    if trainee.average is not None:
        trainee.average.load_state_dict(parts["average"])
    by_index: dict[int, dict[str, Any]] = {
        int(index): dict(values) for index, values in state["optimizer"]["scalars"].items()
    }
    for name, tensor in parts["optimizer"].items():
        index, _, field_name = name.partition(".")
        by_index.setdefault(int(index), {})[field_name] = tensor
    groups = state["optimizer"]["param_groups"]
    trainee.optimizer.load_state_dict({"state": by_index, "param_groups": groups})
    for scheduler, saved in zip(trainee.schedule, state["schedule"], strict=True):
        scheduler.load_state_dict(_revived(saved))


def _progress(path: Path, state: dict[str, Any]) -> Progress:
    progress = Progress(**state["progress"])
    for name, value in vars(progress).items():
        if not isinstance(value, _KINDS.get(name, int)):
            raise ValueError(f"its {name} is of type {type(value).__name__}")
    if (progress.epoch, progress.step) != _position(path):
        raise ValueError(f"it holds epoch {progress.epoch}, step {progress.step}")
    if len(progress.history) != progress.epoch:
        raise ValueError(f"it holds {len(progress.history)} epochs of figures")
    return progress


def _read(path: Path, most: int) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors, metadata = _opened(path, most)
    _require_digest(tensors, metadata["state"], metadata)
    state: dict[str, Any] = json.loads(metadata["state"])
    return tensors, state


def _opened(path: Path, most: int) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a safetensors file and its metadata; what is none costs no time or memory."""
    if not path.is_file():
        path.stat()
        raise ValueError("it is no file")  # a pipe would be waited for
    with path.open("rb") as opened:
        header = int.from_bytes(opened.read(8), "little")
    if header > _HEADER_LIMIT:
        raise ValueError(f"its header claims to be of {header:,} bytes")
    if (size := path.stat().st_size) > most:
        raise ValueError(f"it is of {size:,} bytes")
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        # Clones: what is checked is what is used, and no longer what lies on the disk.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  # it has keys and is no mapping
    return tensors, metadata


def _require_digest(tensors: dict[str, torch.Tensor], text: str, metadata: dict[str, str]) -> None:
    if digest_of(tensors, text) != metadata["sha256"]:
        raise ValueError("its SHA-256 is not the one that was written")


def _plain(value: Any) -> Any:
    """A scheduler's state as JSON: its mappings with numbers for keys become lists of pairs."""
    if isinstance(value, dict):
        if any(not isinstance(key, str) for key in value):
            name = "counter" if isinstance(value, Counter) else "mapping"
            return {name: [[key, _plain(item)] for key, item in value.items()]}
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _revived(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"counter"}:
            return Counter(dict(value["counter"]))
        if set(value) == {"mapping"}:
            return {key: _revived(item) for key, item in value["mapping"]}
        return {key: _revived(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_revived(item) for item in value]
    return value
