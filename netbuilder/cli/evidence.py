"""What `check --advice` knows beside a document: its newest run, and its range test."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuilder.advice import Evidence
from netbuilder.errors import ConfigError, MachineError, printable
from netbuilder.range_test import JSON_NAME

if TYPE_CHECKING:
    from netbuilder.schema import Architecture


def gather(architecture: Architecture, runs: Path) -> tuple[Evidence, list[str]]:
    """The evidence on an architecture below ``runs``, and notes on what could not be used."""
    notes: list[str] = []
    folder = runs / architecture.name
    metrics = _newest_metrics(architecture, folder, notes)
    return Evidence(metrics, *_range_test(architecture, folder / JSON_NAME, notes)), notes


def _newest_metrics(
    architecture: Architecture, folder: Path, notes: list[str]
) -> list[dict[str, float]]:
    from netbuilder.runs import Run

    try:
        found = Run.find([folder])
    except ConfigError:
        return []  # there is none
    for run in sorted(found, key=lambda run: run.path.name, reverse=True):
        try:
            same = _network(run.architecture) == _network(architecture)
            metrics = run.metrics if same else []
            if metrics and not run.environment["data"]["fell_back"]:
                return metrics
        except (ConfigError, MachineError) as error:
            notes.append(f"{error}; the run is left out")
    return []


def _network(architecture: Architecture) -> tuple[Any, ...]:
    """What two documents share whose runs tell of one another; more epochs change nothing."""
    train = architecture.train
    recipe = train.model_copy(update={"epochs": 1}) if train else None
    return architecture.input, architecture.layers, architecture.init, recipe


def _range_test(
    architecture: Architecture, path: Path, notes: list[str]
) -> tuple[float | None, float | None]:
    """Where the range test at ``path`` diverged, and what it suggests."""
    from pydantic import ValidationError

    from netbuilder.schema import Architecture

    again = "run netbuilder lr-find again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        limit, suggestion = (_rate(content, name) for name in ("diverged_at", "suggestion"))
        tested = _swept(Architecture.model_validate(content["architecture"]))
        tested["train.dataset"] = content["dataset"]  # another may have stood in
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        notes.append(printable(f"{path}: cannot be read: {error.strerror}"))
        return None, None
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        notes.append(printable(f"{path}: cannot be read: {why}; {again}"))
        return None, None
    asked = _swept(architecture)
    if other := [name for name in asked if asked[name] != tested.get(name)]:
        notes.append(printable(f"{path}: it was made with another {', '.join(other)}; {again}"))
        return None, None
    return limit, suggestion


def _rate(content: dict[str, Any], name: str) -> float | None:
    rate: float | None = content[name]
    if rate is not None and not (type(rate) in (int, float) and isfinite(rate)):
        raise ValueError(f"{name} is no number")
    return rate


def _swept(architecture: Architecture) -> dict[str, Any]:
    """All on which a range test depends, by name; it replaces the rate and its schedule."""
    swept = {name: getattr(architecture, name) for name in ("input", "layers", "init")}
    if train := architecture.train:
        optimizer = {k: v for k, v in train.optimizer.arguments().items() if k != "lr"}
        swept |= {
            "train.dataset": train.dataset.kind,
            "train.batch_size": train.batch_size,
            "train.loss": train.loss,
            "train.optimizer": (train.optimizer.kind, optimizer),
            "train.augment": train.augment,
        }
    return swept
