"""Run folders as a list: what each is, how far it came, what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from netbuilder.errors import NetbuilderError
from netbuilder.runs.run import Run, run_folders


@dataclass(frozen=True)
class RunInfo:
    """A run folder in a list; what a damaged one does not tell is None.

    Attributes:
        path: the folder.
        verdict: one of `choices.VERDICTS`; "not judged" without a target, or on a stand-in's data;
            "running" while a process of this machine trains it.
        name: the architecture's.
        started: when, in ISO 8601 with its offset.
        seed: the run's.
        dataset: what it is trained on.
        device: and precision, as ``cpu bf16``.
        epochs: done.
        asked: epochs that it is to have.
        best: best test accuracy, percent.
        last: test accuracy behind the newest epoch, percent.
        fault: why it is damaged; else "".
    """

    path: Path
    verdict: str
    name: str | None = None
    started: str | None = None
    seed: int | None = None
    dataset: str | None = None
    device: str | None = None
    epochs: int | None = None
    asked: int | None = None
    best: float | None = None
    last: float | None = None
    fault: str = ""

    @property
    def begun(self) -> datetime:
        """When it started, in this machine's time zone; the earliest of times if unknown."""
        earliest = datetime.min.replace(tzinfo=UTC)
        return datetime.fromisoformat(self.started).astimezone() if self.started else earliest


def list_runs(folder: Path) -> list[RunInfo]:
    """Every run folder below ``folder``, the newest first, damaged ones behind all others.

    Documents are not checked again, so that hundreds of runs are read in a blink.
    """
    rows = [_listed(Run(path)) for path in run_folders(folder)]
    rows.sort(key=lambda row: (row.started is not None, row.begun, str(row.path)), reverse=True)
    return rows


def _listed(run: Run) -> RunInfo:
    try:
        config, environment, metrics = run.config, run.environment, run.metrics
        result = run.result
        tested = [epoch["test_accuracy"] for epoch in metrics]
        if result is None:
            verdict = "running" if run.is_running else "unfinished"
        else:
            verdict = {True: "met", False: "not met", None: "not judged"}[result["met"]]
        return RunInfo(
            run.path,
            verdict,
            str(config["architecture"]["name"]),
            datetime.fromisoformat(environment["started"]).astimezone(UTC).isoformat(),
            int(config["seed"]),
            str(environment["data"]["kind"]),
            f"{config['device']} {config['precision']}",
            len(metrics),
            run.asked_epochs,
            max(tested, default=None),
            tested[-1] if tested else None,
        )
    except NetbuilderError as error:
        return RunInfo(run.path, "damaged", fault=str(error).splitlines()[0])
    except (KeyError, TypeError, ValueError) as error:
        return RunInfo(run.path, "damaged", fault=f"{run.path}: not a record: {error!r}")


VERDICTS = ("met", "not met", "not judged", "running", "unfinished", "damaged")
"""What became of a run."""
