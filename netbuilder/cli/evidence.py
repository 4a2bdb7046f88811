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
    from netbuilder.schema import Architecture, TrainConfig


def gather(architecture: Architecture, runs: Path) -> tuple[Evidence, list[str]]:
    """The evidence on an architecture below ``runs``, and notes on what could not be used."""
    notes: list[str] = []
    folder = runs / architecture.name
    metrics = _newest_metrics(architecture, folder, notes)
    return Evidence(metrics, _diverged_at(architecture, folder / JSON_NAME, notes)), notes


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


def _diverged_at(architecture: Architecture, path: Path, notes: list[str]) -> float | None:
    from pydantic import ValidationError

    from netbuilder.schema import Architecture

    again = "run netbuilder lr-find again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        limit: float | None = content["diverged_at"]
        tested = Architecture.model_validate(content["architecture"])
        if limit is not None and not (type(limit) in (int, float) and isfinite(limit)):
            raise ValueError("diverged_at is no number")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        notes.append(printable(f"{path}: cannot be read: {error.strerror}"))
        return None
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        why = str(error).splitlines()[0]
        notes.append(printable(f"{path}: cannot be read: {why}; {again}"))
        return None
    if _swept(tested) != _swept(architecture):
        notes.append(printable(f"{path}: of another version of the document; {again}"))
        return None
    return limit


def _swept(architecture: Architecture) -> tuple[Any, ...]:
    """All on which a range test depends; it replaces the rate and its schedule."""
    train: TrainConfig | None = architecture.train
    recipe: tuple[Any, ...] = ()
    if train:
        optimizer = {k: v for k, v in train.optimizer.arguments().items() if k != "lr"}
        recipe = (train.dataset, train.batch_size, train.loss, train.optimizer.kind, optimizer,
                  train.augment)  # fmt: skip
    return architecture.input, architecture.layers, architecture.init, recipe
