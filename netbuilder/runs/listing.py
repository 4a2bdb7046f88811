"""List run folders: the network of each run, its progress and its verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from netbuilder.errors import NetbuilderError
from netbuilder.runs.folders import run_folders
from netbuilder.runs.records import best_epoch
from netbuilder.runs.run import Run

VERDICTS = ("met", "not met", "not judged", "running", "unfinished", "damaged")
"""The states of a run; "not judged": it is finished, without targets or on a fallback data set."""


@dataclass(frozen=True)
class RunInfo:
    """A run folder in a list; of a damaged one only path, verdict and fault are set.

    Attributes:
        path: The folder.
        verdict: One of `VERDICTS`.
        name: The architecture's name.
        started: The time at which the run started, in ISO 8601 and UTC.
        seed: The run's seed.
        dataset: The data set that it trains on.
        device: The device with the precision, as ``cpu bf16``.
        epochs: The number of epochs trained so far.
        total_epochs: The number of epochs that the run is to train; ``asked`` in JSON.
        best: The best test accuracy, percent.
        last: The test accuracy after the newest epoch, percent.
        fault: Why the folder is damaged; empty if it is not.
    """

    path: Path
    verdict: str
    name: str | None = None
    started: str | None = None
    seed: int | None = None
    dataset: str | None = None
    device: str | None = None
    epochs: int | None = None
    total_epochs: int | None = field(default=None, metadata={"key": "asked"})
    best: float | None = None
    last: float | None = None
    fault: str = ""

    @property
    def start(self) -> datetime:
        """The time at which it started, in this machine's time zone; if unknown, the earliest."""
        earliest = datetime.min.replace(tzinfo=UTC)
        return datetime.fromisoformat(self.started).astimezone() if self.started else earliest


def list_runs(folder: Path) -> list[RunInfo]:
    """List every run folder below ``folder``, newest first, damaged ones last.

    Documents are not checked again, so that listing hundreds of runs is fast.
    """
    rows = [_describe(Run(path)) for path in run_folders(folder)]
    rows.sort(key=lambda row: (row.started is not None, row.start, str(row.path)), reverse=True)
    return rows


def _describe(run: Run) -> RunInfo:
    try:
        config, environment, metrics = run.config, run.environment, run.metrics
        result = run.result
    except NetbuilderError as error:
        return RunInfo(run.path, "damaged", fault=str(error).splitlines()[0])
    if result is None:
        verdict = "running" if run.is_running else "unfinished"
    else:
        verdict = {True: "met", False: "not met", None: "not judged"}[result.met]
    return RunInfo(
        path=run.path,
        verdict=verdict,
        name=config.name,
        started=environment.start.astimezone(UTC).isoformat(),
        seed=config.seed,
        dataset=environment.data.kind,
        device=config.hardware,
        epochs=len(metrics),
        total_epochs=config.epochs,
        best=best_epoch(metrics).test_accuracy if metrics else None,
        last=metrics[-1].test_accuracy if metrics else None,
    )
