"""Networks side by side, each with the statistics of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.runs.run import Run, experiment
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import NetworkStatistics, on_pareto_front, summarize_runs


@dataclass(frozen=True)
class NetworkComparison:
    """A network among others; values that only runs have are None without a finished run.

    Attributes:
        name: The architecture's name.
        dataset: The data set that was trained on.
        parameters: The number of learnable values.
        macs: Multiply-accumulates for one sample.
        epochs: How many epochs were trained; without a run, how many the document asks for.
        best: The mean over the seeds of the best test accuracy, percent.
        worst_seed: The lowest best test accuracy of a seed, percent.
        best_seed: The highest.
        summary: The statistics of its finished runs.
        unfinished: How many of its runs are not finished.
        front: Whether no other on that data set has both fewer parameters and a higher best
            accuracy, or one of them with the other alike.
    """

    name: str
    dataset: str | None
    parameters: int
    macs: int
    epochs: int | None
    best: float | None
    worst_seed: float | None
    best_seed: float | None
    summary: NetworkStatistics | None
    unfinished: int
    front: bool = False


def compare_networks(selections: Iterable[Selection]) -> list[NetworkComparison]:
    """Return one row per network and data set, in the given order, however often it is named."""
    networks: dict[str, tuple[Architecture, dict[Path, Run]]] = {}
    for selection in selections:
        key = experiment(selection.architecture.model_dump(mode="json"))
        _, runs = networks.setdefault(key, (selection.architecture, {}))
        runs.update({run.path.resolve(): run for run in selection.runs})
    rows: list[NetworkComparison] = []
    for architecture, runs in networks.values():
        finished = [run for run in runs.values() if run.result is not None]
        unfinished = len(runs) - len(finished)
        summaries: Sequence[NetworkStatistics | None] = summarize_runs(finished) or [None]
        rows += [_compared(architecture, summary, unfinished) for summary in summaries]
    return [replace(row, front=_on_front(row, rows)) for row in rows]


def _compared(
    architecture: Architecture, summary: NetworkStatistics | None, unfinished: int
) -> NetworkComparison:
    analysis = analyse(architecture)
    train = architecture.train
    tested = summary.best_test if summary else ()
    return NetworkComparison(
        name=architecture.name,
        dataset=summary.dataset if summary else None,
        parameters=analysis.parameters,
        macs=analysis.macs,
        epochs=summary.epochs if summary else train.epochs if train else None,
        best=fmean(tested) if tested else None,
        worst_seed=min(tested, default=None),
        best_seed=max(tested, default=None),
        summary=summary,
        unfinished=unfinished,
    )


def _on_front(row: NetworkComparison, rows: Iterable[NetworkComparison]) -> bool:
    among = [
        (other.parameters, other.best)
        for other in rows
        if other.best is not None and other.dataset == row.dataset
    ]
    return row.best is not None and on_pareto_front((row.parameters, row.best), among)
