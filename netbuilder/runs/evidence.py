"""The evidence that `check --advice` adds to a document: its newest run and its range test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuilder._text import printable
from netbuilder.errors import ConfigError, MachineError
from netbuilder.network.lint.base import Evidence
from netbuilder.runs.lr_curve import JSON_NAME, REMEDY, RangeTest

if TYPE_CHECKING:
    from netbuilder.config.schema import Architecture
    from netbuilder.runs.records import EpochRecord


def gather(architecture: Architecture, runs: Path) -> tuple[Evidence, list[str]]:
    """Return the evidence on an architecture below ``runs``, and notes on unusable files."""
    notes: list[str] = []
    folder = runs / architecture.name
    metrics = _newest_metrics(architecture, folder, notes)
    return Evidence(metrics, *_range_test(architecture, folder / JSON_NAME, notes)), notes


def _newest_metrics(
    architecture: Architecture, folder: Path, notes: list[str]
) -> tuple[EpochRecord, ...]:
    from netbuilder.runs.folders import run_folders
    from netbuilder.runs.selection import readable_runs

    readable, unreadable = readable_runs(run_folders(folder))
    notes += [f"{line}; the run is left out" for line in unreadable]
    for run in readable:
        try:
            same = _network(run.architecture) == _network(architecture)
            if same and run.metrics and not run.environment.data.fallback:
                return run.metrics
        except ConfigError as error:
            notes.append(f"{error}; the run is left out")
    return ()


def _network(architecture: Architecture) -> tuple[Any, ...]:
    """Return what two documents must share for a run of one to be evidence on the other."""
    train = architecture.train
    recipe = train.model_copy(update={"epochs": 1}) if train else None  # epochs may differ
    return architecture.input, architecture.layers, architecture.init, recipe


def _range_test(
    architecture: Architecture, path: Path, notes: list[str]
) -> tuple[float | None, float | None]:
    """Return the rate at which the range test at ``path`` diverged, and its suggested rate."""
    try:
        test = RangeTest.read(path)
        if test is None:
            return None, None
        tested = _swept(test.parse_architecture(path))
    except (ConfigError, MachineError) as error:
        notes.append(str(error))
        return None, None
    tested["train.dataset"] = test.dataset  # it may be the fallback
    current = _swept(architecture)
    if differing := [name for name in current if current[name] != tested.get(name)]:
        notes.append(printable(f"{path}: it was run with another {', '.join(differing)}; {REMEDY}"))
        return None, None
    return test.diverged_at, test.suggestion


def _swept(architecture: Architecture) -> dict[str, Any]:
    """Return the fields that a range test depends on, by name; it replaces rate and schedule."""
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
