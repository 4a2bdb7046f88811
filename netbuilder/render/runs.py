"""Runs as tables."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from netbuilder._text import printable

if TYPE_CHECKING:
    from netbuilder.runs.comparison import NetworkComparison
    from netbuilder.runs.listing import RunInfo
    from netbuilder.runs.statistics import NetworkStatistics


COLUMNS = (
    "network", "parameters", "published parameters", "best train", "published train", "best test",
    "spread", "published test", "last test", "targets met", "epochs", "seeds", "device",
)  # fmt: skip

DISPENSABLE = (
    "device", "seeds", "epochs", "last test", "published parameters", "targets met", "parameters",
)  # fmt: skip
"""What a narrow terminal does without, the first of them first."""


def cells(summary: NetworkStatistics) -> tuple[str, ...]:
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


COMPARED = (
    "network", "data set", "parameters", "MACs", "epochs", "best test", "last test", "best train",
    "last train", "at target from", "held", "seconds", "device", "seeds", "front",
)  # fmt: skip

COMPARED_DISPENSABLE = (
    "device", "MACs", "best train", "last train", "seconds", "epochs", "at target from", "held",
    "last test", "seeds", "data set",
)  # fmt: skip
"""What a narrow terminal does without, the first of them first."""


def compared_cells(row: NetworkComparison) -> tuple[str, ...]:
    """A network as text under `COMPARED`; a spread is the standard deviation over the seeds."""
    from netbuilder.runs.statistics import range_text, spread_text

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


RUN_COLUMNS = (
    "run", "started", "data set", "device", "epochs", "best test", "last test", "verdict",
)  # fmt: skip

RUNS_DISPENSABLE = ("device", "started", "data set", "last test", "epochs", "best test")
"""What a narrow terminal does without, the first of them first."""


def show_runs(rows: list[RunInfo], folder: Path, *, plain: bool) -> None:
    from rich.text import Text

    from netbuilder.render.console import show
    from netbuilder.render.table import FittedTable

    styles = {"met": "green", "not met": "red", "damaged": "red", "unfinished": "yellow"}
    lines = [
        [*map(Text, cells[:-1]), Text(cells[-1], style=styles.get(row.verdict, ""))]
        for row in rows
        for cells in (run_cells(row, folder),)
    ]
    show(FittedTable(RUN_COLUMNS, lines, plain=plain, dispensable=RUNS_DISPENSABLE), plain=plain)


def filters_note(rows: list[RunInfo], folder: Path) -> str:
    """That no run is of the kind that was asked for, and which could be."""
    from netbuilder._text import natural_key

    names = sorted({row.name for row in rows if row.name}, key=natural_key)
    datasets = sorted({row.dataset for row in rows if row.dataset})
    verdicts = sorted({row.verdict.replace(" ", "-") for row in rows})
    kinds = {"names": names, "data sets": datasets, "verdicts": verdicts}
    there = "; ".join(f"{kind}: {', '.join(found)}" for kind, found in kinds.items() if found)
    count = len(rows)
    return printable(f"{folder}: no run of its {count} is of that kind; there are {there}")


def run_cells(row: RunInfo, folder: Path) -> list[str]:
    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    path = printable(str(row.path if row.path == folder else row.path.relative_to(folder)))
    if row.verdict == "damaged":
        return [path, *[""] * 6, row.verdict]
    return [
        path,
        f"{row.begun:%Y-%m-%d %H:%M}",
        printable(row.dataset or ""),
        printable(row.device or ""),
        f"{row.epochs} of {row.asked}",
        percent(row.best),
        percent(row.last),
        row.verdict,
    ]
