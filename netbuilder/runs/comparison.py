"""Networks side by side, each over its runs."""

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
    """A network among others; what only runs tell is None where there is no finished one.

    Attributes:
        name: the architecture's.
        dataset: what was trained on.
        parameters: learnable values.
        macs: multiply-accumulates for one sample.
        epochs: how many were trained; without a run, how many are asked for.
        best: the mean over the seeds of the best test accuracy, percent.
        worst_seed: the lowest best test accuracy of a seed, percent.
        best_seed: the highest.
        summary: the runs that these are of.
        unfinished: how many runs there are that have no result.
        front: whether no other on that data set has both fewer parameters and a higher best
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


def compare_networks(subjects: Iterable[Selection]) -> list[NetworkComparison]:
    """A row a network on a data set, in the order given, whatever names it more than once."""
    networks: dict[str, tuple[Architecture, dict[Path, Run]]] = {}
    for subject in subjects:
        key = experiment(subject.architecture.model_dump(mode="json"))
        _, runs = networks.setdefault(key, (subject.architecture, {}))
        runs.update({run.path.resolve(): run for run in subject.runs})
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
