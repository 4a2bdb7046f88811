"""Compare networks by the statistics of their runs."""

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
    """A network in a comparison; values that need a finished run are None without one.

    Attributes:
        name: The architecture's name.
        dataset: The data set that was trained on.
        parameters: The number of learnable values.
        macs: Multiply-accumulates for one sample.
        epochs: The number of epochs trained; without a run, the number in the document.
        best: The mean over the seeds of the best test accuracy, percent.
        worst_seed: The lowest best test accuracy of a seed, percent.
        best_seed: The highest best test accuracy of a seed, percent.
        summary: The statistics of its finished runs.
        unfinished: The number of its unfinished runs.
        front: Whether it is on the Pareto front of parameters and best test accuracy of its data
            set; see `on_pareto_front`.
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
    """Return one row per network and data set, in the order of the first mention of a network.

    Raises:
        ShapeError: A layer of a network cannot take its input.
    """
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
        rows += [_comparison(architecture, summary, unfinished) for summary in summaries]
    return [replace(row, front=_on_front(row, rows)) for row in rows]


def _comparison(
    architecture: Architecture, summary: NetworkStatistics | None, unfinished: int
) -> NetworkComparison:
    analysis = analyse(architecture)
    analysis.require_sound()  # the totals of a part of a network compare with nothing
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
    points = [
        (other.parameters, other.best)
        for other in rows
        if other.best is not None and other.dataset == row.dataset
    ]
    return row.best is not None and on_pareto_front((row.parameters, row.best), points)
