"""Render an analysis as tables, markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from netbuilder._text import printable
from netbuilder.components.receptive_field.dependence import Coverage
from netbuilder.components.shapes import format_shape
from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.network.targets import judge_document
from netbuilder.render.console import Block, Line
from netbuilder.render.json import dumps, record_data
from netbuilder.render.markdown import Marked, escaped, items
from netbuilder.render.network_text import (
    field_text,
    layer_labels,
    memory_text,
    per_axis_text,
    share_text,
    title_text,
    totals,
    verdict_line,
    window_text,
)
from netbuilder.render.table import Cell, Column, Table
from netbuilder.render.torchsummary import as_torchsummary
from netbuilder.render.verdict import tally_cell, verdict_style

# --- tables --------------------------------------------------------------------------------------


def summary(analysis: Analysis, *, plain: bool, depth: int | None = None) -> list[Block]:
    """Return the summary of an architecture: layers, totals, targets, and the fault if any.

    A star marks the first layer that sees the whole input.

    Args:
        analysis: The analysis of the architecture.
        plain: Whether bars are drawn in ASCII.
        depth: Containers nested more than this deep are folded into one row.
    """
    return [
        Line(title_text(analysis, "  "), "bold"),
        layer_table(analysis, plain=plain, depth=depth),
        Line(totals(analysis, depth)),
        *(Line(verdict_line(v), verdict_style(v.met)) for v in judge_document(analysis)),
        *([Line(str(analysis.fault), "bold red")] if analysis.fault else []),
    ]


def layer_table(analysis: Analysis, *, plain: bool, depth: int | None) -> Table[Row]:
    """Return one row per layer, for a terminal."""
    rows = analysis.folded(depth)
    whole = analysis.first_whole(depth)
    labels = dict(zip(map(id, rows), layer_labels(rows), strict=True))
    parameters = analysis.parameters or 1
    largest = max((row.parameters / parameters for row in analysis.rows), default=0.0)

    def label(row: Row) -> Cell:
        return Cell(row.path, labels[id(row)], "bold" if row.is_container else "")

    def receptive_field(row: Row) -> Cell:
        text = field_text(row, analysis)
        return Cell(text, f"*{text}", "bold green") if row is whole else Cell(text)

    columns: list[Column[Row]] = [
        Column("layer", label, justify="left"),
        Column("window", window_text, justify="left", priority=1),
        Column("output", lambda row: format_shape(row.output_shape)),
        Column("receptive field", receptive_field),
        Column("jump", lambda row: per_axis_text(row.jump), priority=4),
        Column("parameters", lambda row: row.parameters or None),
        Column(
            "share",
            lambda row: row.parameters / parameters,
            text=lambda share: share_text(share, largest, plain=plain),
            justify="left",
            priority=3,
        ),
        Column("MACs", lambda row: row.macs or None, priority=2),
        Column("memory", lambda row: row.activation_bytes, text=memory_text, priority=5),
    ]
    return Table(columns, rows)


def _met_targets(analysis: Analysis) -> Cell:
    if analysis.fault:
        return Cell(None, "fault", "bold red")
    verdicts = judge_document(analysis)
    if not verdicts:
        return Cell(None)
    return tally_cell(sum(v.met is True for v in verdicts), len(verdicts), " met")


NETWORKS: tuple[Column[Analysis], ...] = (
    Column("name", lambda a: a.architecture.name, justify="left"),
    Column("layers", lambda a: a.layers),
    Column("output", lambda a: format_shape(a.output_shape)),
    Column("receptive field", lambda a: per_axis_text(a.receptive_field)),
    Column("parameters", lambda a: a.parameters),
    Column("MACs", lambda a: a.macs, priority=1),
    Column("memory", lambda a: a.activation_bytes, text=memory_text, priority=2),
    Column("targets", _met_targets, justify="left"),
)
"""One row per architecture."""


def summaries(
    analyses: Sequence[Analysis], depth: int | None, *, plain: bool, several: bool
) -> list[Block]:
    """Return the summaries of architectures; for several, also one row for each of them."""
    if not several:
        return summary(analyses[0], plain=plain, depth=depth)
    blocks: list[Block] = []
    for analysis in analyses:
        blocks += [*summary(analysis, plain=plain, depth=depth), Line("")]
    return [*blocks, Table(NETWORKS, analyses)]


# --- other forms ---------------------------------------------------------------------------------


def as_data(analysis: Analysis, depth: int | None = None) -> dict[str, Any]:
    """Return the analysis as JSON values; shapes have no batch axis, memory is in bytes.

    A container precedes its layers and has their totals; rows nested more than ``depth`` deep are
    left out.
    """
    return {
        "name": analysis.architecture.name,
        "title": analysis.architecture.title,
        "input": list(analysis.architecture.input),
        "rows": [_row_data(row) for row in analysis.folded(depth)],
        "output_shape": list(analysis.output_shape),
        "totals": {
            "parameters": analysis.parameters,
            "macs": analysis.macs,
            "activation_bytes": analysis.activation_bytes,
            "receptive_field": list(analysis.receptive_field),
            **_coverage_data(analysis.coverage),
        },
        "targets": [record_data(verdict) for verdict in judge_document(analysis)],
        "fault": problem_data(analysis.fault) if analysis.fault else None,
    }


def problem_data(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON values; line and column count from 1, 0 means none."""
    return record_data(problem) | {"line": problem.line or 0, "column": problem.column or 0}


def _row_data(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "title": row.title,
        "depth": row.depth,
        "is_container": row.is_container,
        "arguments": row.arguments,
        "input_shape": list(row.input_shape),
        "output_shape": list(row.output_shape),
        "receptive_field": list(row.receptive_field),
        **_coverage_data(row.coverage),
        "jump": [float(j) if isinstance(j, Fraction) else j for j in row.jump],
        "parameters": row.parameters,
        "macs": row.macs,
        "activation_bytes": row.activation_bytes,
    }


def _coverage_data(coverage: Coverage) -> dict[str, Any]:
    return {
        "read": None if coverage.position is None else list(coverage.position),
        "read_together": None if coverage.together is None else list(coverage.together),
        "holes": any(coverage.holes),
        "sees_all": coverage.whole,
    }


LAYERS: tuple[Column[Row], ...] = (
    Column("layer", lambda row: f"{row.path} {row.title}", justify="left"),
    Column("window", window_text, justify="left"),
    Column("output", lambda row: format_shape(row.output_shape)),
    Column("jump", lambda row: per_axis_text(row.jump)),
    Column("parameters", lambda row: row.parameters),
    Column("MACs", lambda row: row.macs),
)
"""One row per layer in markdown, without the receptive field."""


def as_markdown(analysis: Analysis, depth: int | None = None) -> str:
    """Return a section of markdown with the table, the totals and the targets.

    The receptive field of the first layer that sees the whole input is bold.
    """
    whole = analysis.first_whole(depth)

    def receptive_field(row: Row) -> Cell:
        text = field_text(row, analysis)
        return Cell(text, Marked(f"**{text}**") if row is whole else text)

    columns = [*LAYERS[:3], Column("receptive field", receptive_field), *LAYERS[3:]]
    notes = [totals(analysis, depth), *map(verdict_line, judge_document(analysis))]
    notes += [str(analysis.fault)] if analysis.fault else []
    heading = f"### {escaped(title_text(analysis, ': '))}\n"
    table = Table(columns, analysis.folded(depth)).render("markdown")
    return "\n".join([heading, table, items(map(printable, notes))])


def as_csv(analyses: Sequence[Analysis], depth: int | None = None) -> str:
    """Return one line per layer: plain numbers, shapes as ``10x26x26``, totals for containers."""
    columns: list[Column[tuple[Analysis, Row]]] = [
        Column("name", lambda pair: pair[0].architecture.name),
        Column("path", lambda pair: pair[1].path),
        Column("kind", lambda pair: pair[1].kind),
        Column("depth", lambda pair: pair[1].depth),
        Column("output_shape", lambda pair: format_shape(pair[1].output_shape)),
        Column("receptive_field", lambda pair: format_shape(pair[1].receptive_field)),
        Column("jump", lambda pair: per_axis_text(pair[1].jump)),
        Column("parameters", lambda pair: pair[1].parameters),
        Column("macs", lambda pair: pair[1].macs),
        Column("activation_bytes", lambda pair: pair[1].activation_bytes),
    ]
    rows = [(analysis, row) for analysis in analyses for row in analysis.folded(depth)]
    return Table(columns, rows).render("csv")


def as_json(analyses: Sequence[Analysis], depth: int | None, several: bool) -> str:
    """Return one object per architecture, in a list if there are ``several``."""
    data = [as_data(analysis, depth) for analysis in analyses]
    return dumps(data if several else data[0], indent=2) + "\n"


FORMATS: dict[str, Callable[[Sequence[Analysis], int | None, bool], str]] = {
    "json": as_json,
    "csv": lambda analyses, depth, _: as_csv(analyses, depth),
    "markdown": lambda analyses, depth, _: "\n".join(as_markdown(a, depth) for a in analyses),
    "torchsummary": lambda analyses, *_: "\n".join(map(as_torchsummary, analyses)),
}
"""Renderers by name; they take architectures, a depth, and whether there are several."""
