"""Tables of runs: run folders, results with published values, compared networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, TypeVar

from netbuilder._text import natural_key, printable
from netbuilder.render.json import record_data
from netbuilder.render.table import Cell, Column, Table
from netbuilder.render.verdict import STYLES, tally_cell

if TYPE_CHECKING:
    from netbuilder.runs.comparison import NetworkComparison
    from netbuilder.runs.listing import RunInfo
    from netbuilder.runs.statistics import NetworkStatistics

R = TypeVar("R")

NOTHING = "–"


def percent(value: float | None) -> str:
    """Return an accuracy with two decimals; empty for None."""
    return "" if value is None else f"{value:.2f}"


def percent_or_dash(value: float | None) -> str:
    """Return an accuracy with two decimals; a dash for None."""
    return percent(value) or NOTHING


def range_text(values: Sequence[int]) -> str:
    """Return the lowest and the highest value: ``3 to 5``."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def spread(value: float | None) -> str:
    """Return a standard deviation: ``± 0.18``; empty for a single seed."""
    return "" if value is None else f"± {value:.2f}"


def deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation over the seeds; None for a single seed."""
    return stdev(values) if len(values) > 1 else None


def deviation_column(
    mean: str, value: Callable[[R], float | None], *, priority: int = 0
) -> Column[R]:
    """Return the column of standard deviations that follows the column of means ``mean``."""
    return Column(
        "±",
        value,
        text=spread,
        priority=priority,
        style="dim",
        optional=True,
        key=f"{mean} deviation",
    )


def _texts(values: Sequence[object]) -> str:
    return printable(", ".join(map(str, values)))


# --- results with published values ---------------------------------------------------------------


def _network(summary: NetworkStatistics) -> str:
    return summary.name if summary.dataset == "mnist" else f"{summary.name} on {summary.dataset}"


RESULTS: tuple[Column[NetworkStatistics], ...] = (
    Column("network", _network, justify="left"),
    Column("parameters", lambda s: s.parameters, priority=1),
    Column(
        "published parameters",
        lambda s: s.reference.get("parameters"),
        text=lambda count: NOTHING if count is None else f"{count:,}",
        priority=3,
    ),
    Column("best train", lambda s: fmean(s.best_train), text=percent),
    Column("published train", lambda s: s.reference.get("train_accuracy"), text=percent_or_dash),
    Column("best test", lambda s: fmean(s.best_test), text=percent),
    deviation_column("best test", lambda s: deviation(s.best_test)),
    Column("published test", lambda s: s.reference.get("test_accuracy"), text=percent_or_dash),
    Column("last test", lambda s: fmean(s.last_test), text=percent, priority=4),
    Column("targets met", lambda s: tally_cell(s.met, len(s.seeds)), priority=2),
    Column("epochs", lambda s: s.epochs, priority=5),
    Column("seeds", lambda s: s.seeds, text=_texts, justify="left", priority=6),
    Column("device", lambda s: s.devices, text=_texts, justify="left", priority=7),
)
"""One row per architecture; accuracies are means over its seeds, in percent."""


def results_table(summaries: Sequence[NetworkStatistics]) -> Table[NetworkStatistics]:
    """Return results with published values."""
    return Table(RESULTS, summaries, record=record_data)


# --- compared networks ---------------------------------------------------------------------------


def _over_seeds(
    name: str, values: Callable[[NetworkStatistics], Sequence[float]], priority: int = 0
) -> tuple[Column[NetworkComparison], Column[NetworkComparison]]:
    """Return the columns of the means and of the standard deviations over the seeds."""

    def of(row: NetworkComparison) -> Sequence[float]:
        return values(row.summary) if row.summary else ()

    def mean(row: NetworkComparison) -> float | None:
        return fmean(of(row)) if row.summary else None

    column = Column(name, mean, text=percent, priority=priority)
    return column, deviation_column(name, lambda row: deviation(of(row)), priority=priority)


def _best_test(row: NetworkComparison) -> Any:
    if row.summary is None:
        return Cell(None, "unfinished" if row.unfinished else "no runs")
    return row.best


def _first_at_target(row: NetworkComparison) -> str:
    if row.summary is None:
        return ""
    firsts = [epoch for epoch in row.summary.first_at_target if epoch is not None]
    return range_text(firsts) if firsts else "never" if row.summary.first_at_target else NOTHING


def _target_streak(row: NetworkComparison) -> str:
    if row.summary is None:
        return ""
    return range_text(row.summary.target_streak) if row.summary.target_streak else NOTHING


COMPARED: tuple[Column[NetworkComparison], ...] = (
    Column("network", lambda row: row.name, justify="left"),
    Column("data set", lambda row: row.dataset, justify="left", priority=1),
    Column("parameters", lambda row: row.parameters),
    Column("MACs", lambda row: row.macs, priority=10),
    Column("epochs", lambda row: row.epochs or None, priority=6),
    Column("best test", _best_test, text=percent),
    _over_seeds("best test", lambda s: s.best_test)[1],
    *_over_seeds("last test", lambda s: s.last_test, 3),
    *_over_seeds("best train", lambda s: s.best_train, 9),
    *_over_seeds("last train", lambda s: s.last_train, 8),
    Column("first at target", _first_at_target, priority=5),
    Column("target streak", _target_streak, priority=4),
    Column(
        "seconds",
        lambda row: fmean(row.summary.seconds) if row.summary else None,
        text=lambda seconds: "" if seconds is None else f"{seconds:.0f}",
        priority=7,
    ),
    Column(
        "device",
        lambda row: row.summary.devices if row.summary else (),
        text=_texts,
        justify="left",
        priority=11,
    ),
    Column(
        "seeds",
        lambda row: row.summary.seeds if row.summary else (),
        text=_texts,
        justify="left",
        priority=2,
    ),
    Column("front", lambda row: "*" if row.front else "", justify="left"),
)
"""One row per network on a data set."""


def comparison_table(rows: Sequence[NetworkComparison]) -> Table[NetworkComparison]:
    """Return one row per network on a data set."""
    return Table(COMPARED, rows, record=record_data)


# --- run folders ---------------------------------------------------------------------------------


def runs_table(rows: Sequence[RunInfo], folder: Path) -> Table[RunInfo]:
    """Return one row per run folder in ``folder``."""

    def path(row: RunInfo) -> str:
        return str(row.path if row.path == folder else row.path.relative_to(folder))

    columns: list[Column[RunInfo]] = [
        Column("run", path, justify="left"),
        Column(
            "started",
            lambda row: f"{row.start:%Y-%m-%d %H:%M}" if row.started else None,
            justify="left",
            priority=5,
        ),
        Column("data set", lambda row: row.dataset, justify="left", priority=4),
        Column("device", lambda row: row.device, justify="left", priority=6),
        Column(
            "epochs",
            lambda row: None if row.epochs is None else f"{row.epochs} of {row.total_epochs}",
            priority=2,
        ),
        Column("best test", lambda row: row.best, text=percent, priority=1),
        Column("last test", lambda row: row.last, text=percent, priority=3),
        Column(
            "verdict",
            lambda row: Cell(row.verdict, style=STYLES[row.verdict]),
            justify="left",
        ),
    ]
    return Table(columns, rows, record=lambda row: record_data(row) | {"path": str(row.path)})


def filters_note(rows: Sequence[RunInfo], folder: Path) -> str:
    """Return that no run matches the filters, and the values that would match."""
    names = sorted({row.name for row in rows if row.name}, key=natural_key)
    datasets = sorted({row.dataset for row in rows if row.dataset})
    verdicts = sorted({row.verdict.replace(" ", "-") for row in rows})
    choices = {"names": names, "data sets": datasets, "verdicts": verdicts}
    listed = "; ".join(f"{name}: {', '.join(known)}" for name, known in choices.items() if known)
    return printable(f"{folder}: none of its {len(rows)} runs matches; it has {listed}")
