"""The tables of a report, for HTML and markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from operator import itemgetter

from netbuilder._text import printable
from netbuilder.components.shapes import format_shape
from netbuilder.network.rows import Row
from netbuilder.render.markdown import Marked, escaped
from netbuilder.render.network_text import field_text, per_axis_text, window_text
from netbuilder.render.report.model import Report, ReportEntry, SharedMistake, TargetResult
from netbuilder.render.report.text import (
    MISTAKES_NOTE,
    one_line,
    overview_note,
    seeds_note,
    title,
)
from netbuilder.render.runs import NOTHING, deviation_column, percent_or_dash, spread
from netbuilder.render.table import Cell, Column, Table
from netbuilder.render.verdict import WORDS, measured_text, tally_cell, verdict_cell
from netbuilder.runs.statistics import MeanStd, RunRecord

LONG = 40
"""The number of rows above which a table of layers is collapsed."""

CLASSES = {"met": "met", "not met": "missed", "not judged": "open"}
"""The CSS class of each verdict."""


def _verdict(text: str, met: bool | None) -> str:
    """Return the table cell of a verdict."""
    if text in ("", NOTHING):
        return f'<td class="text">{text}</td>'
    return (
        f'<td class="text"><span class="verdict {CLASSES[WORDS[met]]}">{escape(text)}</span></td>'
    )


# --- all networks --------------------------------------------------------------------------------


def overview_table(report: Report) -> Table[ReportEntry]:
    """Return one row per network, each with a link to its section."""
    return Table(
        OVERVIEW, report.iterations, caption=overview_note(report), css="sortable dense overview"
    )


def _name(iteration: ReportEntry) -> Cell:
    link = f"[{escaped(iteration.key)}](#iteration-{iteration.key})"
    return Cell(iteration.key, Marked(f"{link} {escaped(title(iteration))}".rstrip()))


def _name_element(iteration: ReportEntry) -> str:
    key, words = escape(iteration.key), escape(title(iteration))
    subtitle = f'<br><bdi class="quiet">{words}</bdi>' if words else ""
    return f'<th scope="row"><a href="#iteration-{key}">{key}</a>{subtitle}</th>'


def _met(iteration: ReportEntry) -> Cell:
    return tally_cell(iteration.met, len(iteration.trained))


def _met_element(iteration: ReportEntry) -> str:
    met = None if iteration.met is None else iteration.met == len(iteration.trained)
    return _verdict(str(_met(iteration).text), met)


def _last_test(iteration: ReportEntry) -> MeanStd | None:
    return iteration.over_seeds(lambda run: run.last.test_accuracy)


def _over_seeds(
    name: str, values: Callable[[ReportEntry], MeanStd | None]
) -> tuple[Column[ReportEntry], Column[ReportEntry]]:
    """Return the columns of a mean and of its standard deviation over the seeds."""

    def mean(iteration: ReportEntry) -> float | None:
        spread = values(iteration)
        return spread.mean if spread else None

    def deviation(iteration: ReportEntry) -> float | None:
        spread = values(iteration)
        return spread.deviation if spread else None

    return (
        Column(name, mean, text=percent_or_dash),
        deviation_column(name, deviation),
    )


def _count(value: int | None) -> str:
    return f"{value:,}" if value else NOTHING


OVERVIEW: tuple[Column[ReportEntry], ...] = (
    Column("network", _name, justify="left", html=_name_element),
    Column("parameters", lambda i: i.analysis.parameters),
    Column("published", lambda i: i.analysis.architecture.reference.parameters, text=_count),
    Column("receptive field", lambda i: per_axis_text(i.analysis.receptive_field)),
    *_over_seeds("best test", lambda i: i.best_test),
    Column(
        "published",
        lambda i: i.analysis.architecture.reference.test_accuracy,
        text=percent_or_dash,
        key="published test",
    ),
    *_over_seeds("last test", _last_test),
    Column(
        "epochs",
        lambda i: i.analysis.architecture.train.epochs if i.analysis.architecture.train else None,
        text=_count,
    ),
    Column("seeds", lambda i: len(i.trained), text=_count),
    Column("targets met", _met, justify="left", html=_met_element),
)


# --- one network ---------------------------------------------------------------------------------


def _goal_value(goal: TargetResult) -> str:
    values = sorted(set(goal.values))
    if not values:
        return NOTHING
    texts = [measured_text(goal.target, value) for value in values]
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def _goal_verdict(goal: TargetResult) -> Cell:
    if goal.met is None:
        return verdict_cell(None, goal.reason)
    return verdict_cell(goal.met == 1) if goal.of == 1 else tally_cell(goal.met, goal.of, " met")


def _goal_element(goal: TargetResult) -> str:
    met = None if goal.met is None else goal.met == goal.of
    return _verdict(str(_goal_verdict(goal).text), met)


def goals_table(iteration: ReportEntry) -> Table[TargetResult]:
    """Return every target of a document with its verdict over the seeds."""
    seeds = len(iteration.trained)
    over = f", over {seeds} seeds" if seeds > 1 else ""
    caption = f"Targets of {iteration.key}{over}"
    return Table(GOALS, iteration.goals, caption=caption, css="compact goals")


GOALS: tuple[Column[TargetResult], ...] = (
    Column("target", lambda goal: goal.target, justify="left"),
    Column("required", lambda goal: goal.bound, justify="left"),
    Column("value", _goal_value),
    Column("verdict", _goal_verdict, justify="left", html=_goal_element),
)


def layers_table(iteration: ReportEntry, caption: str) -> Table[Row]:
    """Return one row per layer."""
    analysis = iteration.analysis
    largest = iteration.largest[0].parameters if iteration.largest else 0

    def name(row: Row) -> str:
        return f"{row.path} {row.title}"

    def name_element(row: Row) -> str:
        text = escape(printable(name(row)))
        return f'<th scope="row" style="--depth: {row.depth}"><bdi>{text}</bdi></th>'

    def share(row: Row) -> str:
        return f"{row.parameters / analysis.parameters:.1%}" if row.parameters else ""

    def share_element(row: Row) -> str:
        # A container may have more parameters than the largest layer.
        length = f"{min(1.0, row.parameters / largest):.4f}" if row.parameters else "0"
        return f'<td class="bar" style="--share: {length}">{share(row)}</td>'

    columns: list[Column[Row]] = [
        Column("layer", name, justify="left", html=name_element),
        Column("window", window_text, justify="left"),
        Column("output", lambda row: format_shape(row.output_shape)),
        Column("receptive field", lambda row: field_text(row, analysis)),
        Column("parameters", lambda row: row.parameters or None),
        Column("share", share, html=share_element),
        Column("MACs", lambda row: row.macs or None),
    ]
    return Table(columns, analysis.rows, caption=caption, css="sortable")


SeedRow = tuple[Cell, ...]


def seeds_table(iteration: ReportEntry) -> Table[SeedRow]:
    """Return one row per seed; for several, also means and standard deviations."""
    runs = iteration.trained
    names = (
        "seed", "best test", "in epoch", "last test", "best train", "last train",
        "first at target", "target streak", "seconds",
    )  # fmt: skip
    columns: list[Column[SeedRow]] = [
        *map(_text_column, names, range(len(names))),
        Column("device", itemgetter(9), justify="left"),
        Column("targets", itemgetter(10), justify="left", html=_targets_element),
    ]
    return Table(
        columns,
        [_seed(run) for run in runs],
        footer=_sums(iteration) if len(runs) > 1 else (),
        caption=seeds_note(iteration),
        css="sortable dense",
    )


def _text_column(name: str, position: int) -> Column[SeedRow]:
    return Column(name, itemgetter(position))


def _seed(run: RunRecord) -> SeedRow:
    first = run.first_at_target
    texts = (
        str(run.seed),
        f"{run.best.test_accuracy:.2f}",
        f"{run.best.epoch}",
        f"{run.last.test_accuracy:.2f}",
        f"{run.best_train:.2f}",
        f"{run.last.train_accuracy:.2f}",
        NOTHING if first is None else str(first),
        str(run.target_streak) if run.at_target else NOTHING,
        f"{run.seconds:.0f}",
        printable(run.device),
    )
    missed = [v.target.replace("_", " ") for v in run.verdicts if v.met is False]
    verdict = verdict_cell(run.met, ", ".join(missed)) if run.verdicts else Cell(None, NOTHING)
    return (*map(Cell, texts), verdict)


def _sums(iteration: ReportEntry) -> list[SeedRow]:
    """Return the footer for several seeds: means and standard deviations."""
    over = (
        iteration.best_test,
        None,
        _last_test(iteration),
        iteration.over_seeds(lambda run: run.best_train),
        iteration.over_seeds(lambda run: run.last.train_accuracy),
    )
    means = [f"{value.mean:.2f}" if value else "" for value in over]
    deviations = [spread(value.deviation) if value else "" for value in over]
    met = None if iteration.met is None else iteration.met == len(iteration.trained)
    blank = [Cell("")] * 4
    return [
        (Cell("mean"), *map(Cell, means), *blank, Cell(met, _met(iteration).text)),
        (Cell("±"), *map(Cell, deviations), *blank, Cell(None, "")),
    ]


def _targets_element(row: SeedRow) -> str:
    return _verdict(str(row[-1].text), row[-1].value)


MISTAKES: tuple[Column[SharedMistake], ...] = (
    Column("test image", lambda m: m.index, text=str),
    Column("label", lambda m: m.label, text=one_line, justify="left"),
    Column("guess", lambda m: m.guess, text=one_line, justify="left"),
    Column("confidence, %", lambda m: 100 * m.confidence, text="{:.1f}".format),
    Column("seeds", lambda m: m.seeds),
)


def mistakes_table(mistakes: Sequence[SharedMistake]) -> Table[SharedMistake]:
    """Return one row per recorded mistake."""
    return Table(MISTAKES, mistakes, caption=MISTAKES_NOTE, css="sortable compact")
