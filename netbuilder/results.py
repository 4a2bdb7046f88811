"""What a set of runs adds up to: a row an architecture, over its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

from netbuilder.analysis import analyse
from netbuilder.errors import printable
from netbuilder.figures import Figures, Spread, at_target, unbeaten
from netbuilder.run_files import experiment, natural
from netbuilder.runs import Run
from netbuilder.schema import Architecture
from netbuilder.subjects import Subject


@dataclass(frozen=True)
class Summary:
    """The finished runs of one architecture on one data set.

    Attributes:
        name: the architecture's.
        dataset: what was trained on.
        parameters: learnable values.
        macs: multiply-accumulates for one sample.
        epochs: how many were trained.
        seeds: one a run.
        devices: each device and precision, as ``cpu bf16``.
        best_train: each run's best training accuracy, percent, over augmented batches.
        best_test: each run's best test accuracy, percent.
        last_test: each run's test accuracy behind the last epoch, percent.
        last_train: each run's training accuracy in the last epoch, percent.
        seconds: how long each run trained and tested.
        first_at_target: each run's first epoch whose test accuracy is within the target; None where
            there was none. Empty without such a target, or on data that stood in for the real.
        held: how many epochs it was there up to the end; empty as the one before.
        met: how many runs met every target; None where none could be judged.
        reference: the published figures that the document names.
    """

    name: str
    dataset: str
    parameters: int
    macs: int
    epochs: int
    seeds: tuple[int, ...]
    devices: tuple[str, ...]
    best_train: tuple[float, ...]
    best_test: tuple[float, ...]
    last_test: tuple[float, ...]
    last_train: tuple[float, ...]
    seconds: tuple[float, ...]
    first_at_target: tuple[int | None, ...]
    held: tuple[int, ...]
    met: int | None
    reference: dict[str, float]


def summarise(runs: Iterable[Run]) -> list[Summary]:
    """A summary for each architecture as it was trained, in the order of their names.

    Unfinished runs are left out. Runs share a row if their documents say the same but for title,
    reference, targets and notes; of one seed, the newest counts.
    """
    groups: dict[tuple[object, str, str], dict[int, Run]] = {}
    finished = [run for run in runs if run.result is not None]
    for run in sorted(finished, key=lambda run: (run.started, run.path.name)):
        key = (
            natural(run.architecture.name),
            run.environment["data"]["kind"],
            experiment(run.architecture.model_dump(mode="json")),
        )
        groups.setdefault(key, {})[run.config["seed"]] = run
    return [
        _summary([group[seed] for seed in sorted(group)]) for _, group in sorted(groups.items())
    ]


def _summary(runs: Sequence[Run]) -> Summary:
    first = runs[0]
    target = first.architecture.targets.test_accuracy
    stands_in = bool(first.environment["data"]["fell_back"])
    judged = [run.result["met"] for run in runs if run.result and run.result["met"] is not None]
    analysis = analyse(first.architecture)
    epochs = [tuple(run.metrics) for run in runs]
    figures = [Figures(each, at_target(each, target, stands_in=stands_in)) for each in epochs]
    reached = [each for each in figures if each.at_target]
    return Summary(
        name=first.architecture.name,
        dataset=first.environment["data"]["kind"],
        parameters=analysis.parameters,
        macs=analysis.macs,
        epochs=len(epochs[0]),
        seeds=tuple(run.config["seed"] for run in runs),
        devices=tuple(sorted({f"{r.config['device']} {r.config['precision']}" for r in runs})),
        best_train=tuple(each.best_train for each in figures),
        best_test=tuple(each.best["test_accuracy"] for each in figures),
        last_test=tuple(each.last["test_accuracy"] for each in figures),
        last_train=tuple(each.last["train_accuracy"] for each in figures),
        seconds=tuple(each.seconds for each in figures),
        first_at_target=tuple(each.first_at_target for each in reached),
        held=tuple(each.held for each in reached),
        met=sum(judged) if judged else None,
        reference=first.architecture.reference.model_dump(exclude_none=True),
    )


def spread_text(values: Sequence[float]) -> str:
    """The mean in percent and, over several seeds, the standard deviation: ``99.55 ± 0.02``."""
    return str(Spread.of(values))


COLUMNS = (
    "network", "parameters", "published parameters", "best train", "published train", "best test",
    "spread", "published test", "last test", "targets met", "epochs", "seeds", "device",
)  # fmt: skip
DISPENSABLE = (
    "device", "seeds", "epochs", "last test", "published parameters", "targets met", "parameters",
)  # fmt: skip
"""What a narrow terminal does without, the first of them first."""


def cells(summary: Summary) -> tuple[str, ...]:
    """A summary as text under `COLUMNS`; accuracies are means over the seeds, in percent."""
    reference = summary.reference
    return (
        summary.name + ("" if summary.dataset == "mnist" else f" on {printable(summary.dataset)}"),
        f"{summary.parameters:,}",
        f"{reference['parameters']:,}" if "parameters" in reference else "–",
        f"{fmean(summary.best_train):.2f}",
        _percent(reference.get("train_accuracy")),
        f"{fmean(summary.best_test):.2f}",
        f"± {stdev(summary.best_test):.2f}" if len(summary.best_test) > 1 else "–",
        _percent(reference.get("test_accuracy")),
        f"{fmean(summary.last_test):.2f}",
        "–" if summary.met is None else f"{summary.met} of {len(summary.seeds)}",
        str(summary.epochs),
        ", ".join(map(str, summary.seeds)),
        printable(", ".join(summary.devices)),
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


@dataclass(frozen=True)
class Compared:
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
    summary: Summary | None
    unfinished: int
    front: bool = False


def compare_subjects(subjects: Iterable[Subject]) -> list[Compared]:
    """A row a network on a data set, in the order given, whatever names it more than once."""
    networks: dict[str, tuple[Architecture, dict[Path, Run]]] = {}
    for subject in subjects:
        key = experiment(subject.architecture.model_dump(mode="json"))
        _, runs = networks.setdefault(key, (subject.architecture, {}))
        runs.update({run.path.resolve(): run for run in subject.runs})
    rows: list[Compared] = []
    for architecture, runs in networks.values():
        finished = [run for run in runs.values() if run.result is not None]
        unfinished = len(runs) - len(finished)
        summaries: Sequence[Summary | None] = summarise(finished) or [None]
        rows += [_compared(architecture, summary, unfinished) for summary in summaries]
    return [replace(row, front=_on_front(row, rows)) for row in rows]


def _compared(architecture: Architecture, summary: Summary | None, unfinished: int) -> Compared:
    analysis = analyse(architecture)
    train = architecture.train
    tested = summary.best_test if summary else ()
    return Compared(
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


def _on_front(row: Compared, rows: Iterable[Compared]) -> bool:
    among = [
        (other.parameters, other.best)
        for other in rows
        if other.best is not None and other.dataset == row.dataset
    ]
    return row.best is not None and unbeaten((row.parameters, row.best), among)


COMPARED = (
    "network", "data set", "parameters", "MACs", "epochs", "best test", "last test", "best train",
    "last train", "at target from", "held", "seconds", "device", "seeds", "front",
)  # fmt: skip
COMPARED_DISPENSABLE = (
    "device", "MACs", "best train", "last train", "seconds", "epochs", "at target from", "held",
    "last test", "seeds", "data set",
)  # fmt: skip
"""What a narrow terminal does without, the first of them first."""


def compared_cells(row: Compared) -> tuple[str, ...]:
    """A network as text under `COMPARED`; a spread is the standard deviation over the seeds."""
    found = row.summary
    named = (row.name, printable(row.dataset or ""))
    known = (*named, f"{row.parameters:,}", f"{row.macs:,}", str(row.epochs or ""))
    if found is None:
        what = "unfinished" if row.unfinished else "no runs"
        return (*known, what, *[""] * (len(COMPARED) - len(known) - 1))
    reached = [epoch for epoch in found.first_at_target if epoch is not None]
    return (
        *known,
        spread_text(found.best_test),
        spread_text(found.last_test),
        spread_text(found.best_train),
        spread_text(found.last_train),
        range_text(reached) if reached else "never" if found.first_at_target else "–",
        range_text(found.held) if found.held else "–",
        f"{fmean(found.seconds):.0f}",
        printable(", ".join(found.devices)),
        ", ".join(map(str, found.seeds)),
        "*" if row.front else "",
    )


def range_text(values: Sequence[int]) -> str:
    """From the least to the greatest: ``3 to 5``."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
