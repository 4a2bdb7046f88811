"""Checkpoints: files with everything that the next step depends on.

A checkpoint is a safetensors file: weights, average and optimizer as tensors, the rest as JSON in
the metadata, together with a SHA-256 of both. The file is renamed into place, so tensors and
numbers always belong to the same step. It has no random states, because random draws are functions
of (seed, epoch, step).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed

from netbuilder._files import digest_of, write_atomic
from netbuilder._text import printable
from netbuilder.components.component import explain
from netbuilder.config.schema import format_path
from netbuilder.errors import CheckpointError
from netbuilder.runs.records import EpochRecord
from netbuilder.runs.values import Count
from netbuilder.training.step import TrainState

MAX_CHECKPOINTS = 2
"""Checkpoints of a run: the newest, and an earlier one in case that is damaged."""

UNREADABLE = (
    OSError,
    SafetensorError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
)
"""The errors that reading a damaged file can raise.

RuntimeError is that of JSON nested too deep and of the tensors of another network.
"""

_NAME = re.compile(r"epoch([0-9]{5,18})-step([0-9]{7,18})\.safetensors")

_HEADER_LIMIT = 32 << 20


class Progress(BaseModel):
    """The progress of a run, with the sums of the current epoch.

    Attributes:
        epoch: The current epoch, from 0.
        step: The number of steps in the epoch so far.
        loss_sum: The sum of the losses of the epoch's images.
        hits: The number of the epoch's images that were classified correctly.
        images: The number of the epoch's images so far; ``seen`` in JSON.
        learning_rate: The rate of the last update.
        train_seconds: The duration of the epoch so far.
        history: The records of the earlier epochs.
    """

    model_config = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

    epoch: Count = 0
    step: Count = 0
    loss_sum: float = 0.0
    hits: Count = 0
    images: Count = Field(default=0, alias="seen")
    learning_rate: float = 0.0
    train_seconds: float = 0.0
    history: list[EpochRecord] = Field(default_factory=list)


def save(folder: Path, trainee: TrainState, progress: Progress) -> Path:
    """Write a checkpoint and remove the oldest.

    Raises:
        OSError: The checkpoint cannot be written; earlier ones stay.
    """
    tensors, numbers = capture(trainee)
    state = json.dumps({"progress": progress.model_dump(by_alias=True), **numbers})
    metadata = {"state": state, "sha256": digest_of(tensors, state)}
    path = folder / f"epoch{progress.epoch:05d}-step{progress.step:07d}.safetensors"
    write_atomic(path, packed(tensors, metadata))
    # Newer files are damaged and do not count.
    older = [other for other in _newest_first(folder) if _position(other) < _position(path)]
    for old in older[MAX_CHECKPOINTS - 1 :]:
        if not old.is_dir():
            old.unlink(missing_ok=True)
    return path


def restore(folder: Path, trainee: TrainState) -> tuple[Progress, list[str]]:
    """Load the newest valid checkpoint into ``trainee``.

    Damaged checkpoints that are newer are renamed, so that no later run tries them again.

    Returns:
        The progress of the run, and a line for each damaged file.

    Raises:
        CheckpointError: All checkpoints are damaged, or the folder is missing.
        OSError: The folder cannot be read.
    """
    damaged: list[tuple[Path, str]] = []
    if not folder.exists():
        raise CheckpointError(printable(f"{folder}: no such folder; put it back, or train again"))
    paths = _newest_first(folder)
    if not paths:
        return Progress(), []  # killed before the first checkpoint: start again from the seed
    for path in paths:
        try:
            tensors, state = _read(path, limit=_max_bytes(trainee))
            progress = _progress(path, state)
            _install(trainee, tensors, state)
        except UNREADABLE as error:
            damaged.append((path, f"{path}: damaged and skipped ({_first_line(error)})"))
            continue
        for other, _ in damaged:
            with suppress(OSError):  # a damaged file does no harm under its name
                other.rename(other.with_name(f"{other.name}.damaged"))
        return progress, [printable(line) for _, line in damaged]
    lines = "\n".join(printable(line) for _, line in damaged)
    raise CheckpointError(
        f"{printable(str(folder))}: no checkpoint can be loaded; train again\n{lines}"
    )


def save_weights(path: Path, trainee: TrainState) -> None:
    """Write the weights of the evaluated model, keyed as its ``state_dict``.

    Raises:
        OSError: The file cannot be written; an earlier one stays.
    """
    weights = {
        name: t.detach().cpu().contiguous() for name, t in trainee.eval_model.state_dict().items()
    }
    write_atomic(path, packed(weights, {"sha256": digest_of(weights)}))


def load_weights(path: Path, *, limit: int) -> dict[str, torch.Tensor]:
    """Read the weights in a safetensors file, and check their digest if it has one.

    Args:
        path: The file.
        limit: The largest size of the file in bytes.

    Raises:
        OSError: The file cannot be read, or is missing.
        ValueError: The file is damaged; other errors of `UNREADABLE` mean the same.
    """
    tensors, metadata = _open(path, limit)
    if not metadata.keys() <= {"format"}:  # the one key that other writers add
        _require_digest(tensors, "", metadata)
    return tensors


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """Return the size of tensors in bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _position(path: Path) -> tuple[int, int]:
    """Return the epoch and the step in a checkpoint's name."""
    match = _NAME.fullmatch(path.name)
    assert match
    return int(match[1]), int(match[2])


def _newest_first(folder: Path) -> list[Path]:
    # glob() would treat a folder that cannot be read as empty.
    paths = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(paths, key=_position, reverse=True)


def _first_line(error: Exception) -> str:
    """Return an error's message as one short line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "…"


def _max_bytes(trainee: TrainState) -> int:
    """Return an upper bound of the size of a checkpoint, whatever the optimizer."""
    return 16 * bytes_of(trainee.model.state_dict().values()) + 2 * _HEADER_LIMIT


def capture(trainee: TrainState) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the state that the next step depends on: tensors on the CPU, and plain numbers."""
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
    # Cloned, because safetensors refuses entries that share memory.
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
        scheduler.load_state_dict(_from_plain(saved))


def _progress(path: Path, state: dict[str, Any]) -> Progress:
    try:
        progress = Progress.model_validate(state["progress"])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = format_path(("progress", *first["loc"]))
        raise ValueError(f"{place}: {explain(first, Progress)}") from None
    if (progress.epoch, progress.step) != _position(path):
        raise ValueError(f"its content is of epoch {progress.epoch}, step {progress.step}")
    if len(progress.history) != progress.epoch:
        raise ValueError(f"it has the metrics of {len(progress.history)} epochs")
    return progress


def _read(path: Path, limit: int) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors, metadata = _open(path, limit)
    _require_digest(tensors, metadata["state"], metadata)
    state: dict[str, Any] = json.loads(metadata["state"])
    return tensors, state


def _open(path: Path, limit: int) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the tensors and the metadata of a safetensors file; refuse other files early."""
    if not path.is_file():
        path.stat()
        raise ValueError("not a file")  # a pipe would block
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > _HEADER_LIMIT:
        raise ValueError(f"its header claims {header:,} bytes")
    if (size := path.stat().st_size) > limit:
        raise ValueError(f"it has {size:,} bytes, more than the network and its optimizer take")
    with safe_open(path, "pt") as tensors_file:
        metadata = tensors_file.metadata() or {}
        # Cloned, so that a change of the file cannot change checked tensors.
        tensors = {name: tensors_file.get_tensor(name).clone() for name in tensors_file.keys()}  # noqa: SIM118  # not a mapping
    return tensors, metadata


def _require_digest(tensors: dict[str, torch.Tensor], text: str, metadata: dict[str, str]) -> None:
    if digest_of(tensors, text) != metadata["sha256"]:
        raise ValueError("its SHA-256 differs from the recorded one")


def _plain(value: Any) -> Any:
    """Return a scheduler's state as JSON; a mapping with numeric keys becomes a list of pairs."""
    if isinstance(value, dict):
        if any(not isinstance(key, str) for key in value):
            name = "counter" if isinstance(value, Counter) else "mapping"
            return {name: [[key, _plain(item)] for key, item in value.items()]}
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"counter"}:
            return Counter(dict(value["counter"]))
        if set(value) == {"mapping"}:
            return {key: _from_plain(item) for key, item in value["mapping"]}
        return {key: _from_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_plain(item) for item in value]
    return value
