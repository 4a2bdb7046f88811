"""Checkpoints: one file each, holding all that the next step depends on.

A checkpoint is a safetensors file: weights, average and optimizer as tensors, the rest as JSON in
its metadata, and a SHA-256 over both beside it there. One file is renamed into place at once, so
tensors and numbers never come from two moments. Random states are not among them: all that is
drawn is a function of (seed, epoch, step).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed

from netbuilder.errors import CheckpointError
from netbuilder.files import digest_of, write_atomic
from netbuilder.runs import Metrics
from netbuilder.training.step import Trainee

KEPT = 2
"""Checkpoints kept of a run: the newest, and the one to fall back to if the disk spoils it."""


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


def save(folder: Path, trainee: Trainee, progress: Progress) -> Path:
    """Write a checkpoint and remove the oldest.

    Raises:
        OSError: it could not be written; those before it stand.
    """
    tensors, numbers = captured(trainee)
    state = json.dumps({"progress": asdict(progress), **numbers})
    metadata = {"state": state, "sha256": digest_of(tensors, state)}
    path = folder / f"epoch{progress.epoch:05d}-step{progress.step:07d}.safetensors"
    write_atomic(path, packed(tensors, metadata))
    for old in _newest_first(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def restore(folder: Path, trainee: Trainee) -> tuple[Progress, list[str]]:
    """Bring ``trainee`` to the newest checkpoint that is whole.

    Returns:
        How far the run is, and a line for each newer file that was found damaged.

    Raises:
        CheckpointError: there are some, and all are damaged.
    """
    damaged = []
    if not _newest_first(folder):
        return Progress(), []  # killed before the first: the seed settles how it began
    for path in _newest_first(folder):
        try:
            tensors, state = _read(path)
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            damaged.append(f"{path}: damaged and passed over ({error})")
            continue
        _install(trainee, tensors, state)
        return Progress(**state["progress"]), damaged
    found = "\n".join(damaged)
    raise CheckpointError(f"{folder}: no checkpoint can be loaded; train anew\n{found}")


def save_weights(path: Path, trainee: Trainee) -> None:
    """Write the kept weights alone, keyed as the built module's ``state_dict``."""
    weights = {name: t.detach().cpu().contiguous() for name, t in trainee.kept.state_dict().items()}
    write_atomic(path, packed(weights))


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch*-step*.safetensors"), reverse=True)


def captured(trainee: Trainee) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
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


def _install(trainee: Trainee, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
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


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it has keys and is no mapping
    if digest_of(tensors, metadata["state"]) != metadata["sha256"]:
        raise ValueError("its SHA-256 is not the one that was written")
    return tensors, json.loads(metadata["state"])


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
