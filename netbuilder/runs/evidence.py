"""What `check --advice` knows beside a document: its newest run, and its range test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuilder._text import printable
from netbuilder.errors import ConfigError
from netbuilder.network.lint.base import Evidence
from netbuilder.runs.lr_curve import JSON_NAME, RangeTest

if TYPE_CHECKING:
    from netbuilder.config.schema import Architecture


AGAIN = "run netbuilder lr-find again"


def gather(architecture: Architecture, runs: Path) -> tuple[Evidence, list[str]]:
    """The evidence on an architecture below ``runs``, and notes on what could not be used."""
    notes: list[str] = []
    folder = runs / architecture.name
    metrics = _newest_metrics(architecture, folder, notes)
    return Evidence(metrics, *_range_test(architecture, folder / JSON_NAME, notes)), notes


def _newest_metrics(
    architecture: Architecture, folder: Path, notes: list[str]
) -> list[dict[str, float]]:
    from netbuilder.runs.run import Run
    from netbuilder.runs.selection import readable

    try:
        folders = [run.path for run in Run.find([folder])]
    except ConfigError:
        return []  # there is none
    found, unreadable = readable(folders)
    notes += [f"{line}; the run is left out" for line in unreadable]
    for run in found:
        try:
            same = _network(run.architecture) == _network(architecture)
        except ConfigError as error:
            notes.append(f"{error}; the run is left out")
            continue
        if same and run.metrics and not run.environment["data"]["fell_back"]:
            return run.metrics
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

    from netbuilder.config.schema import Architecture

    try:
        test = RangeTest.read(path)
        if test is None:
            return None, None
        tested = _swept(Architecture.model_validate(test.architecture))
    except ConfigError as error:
        notes.append(str(error))
        return None, None
    except ValidationError as error:
        why = str(error).splitlines()[0]
        notes.append(printable(f"{path}: cannot be read: {why}; {AGAIN}"))
        return None, None
    tested["train.dataset"] = test.dataset  # another may have stood in
    asked = _swept(architecture)
    if other := [name for name in asked if asked[name] != tested.get(name)]:
        notes.append(printable(f"{path}: it was made with another {', '.join(other)}; {AGAIN}"))
        return None, None
    return test.diverged_at, test.suggestion


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
