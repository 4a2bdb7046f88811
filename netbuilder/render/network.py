"""An analysis as tables, markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from netbuilder._text import format_number, printable
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis, Row
from netbuilder.network.targets import Verdict, judge_document
from netbuilder.render.console import Block, Line
from netbuilder.render.json import dumps, record_data
from netbuilder.render.markdown import Marked, escaped, items
from netbuilder.render.table import Cell, Column, Table
from netbuilder.render.torchsummary import as_torchsummary
from netbuilder.render.verdict import WORDS, tally_cell, verdict_style

BAR_WIDTH = 8


# --- values as text ------------------------------------------------------------------------------


def title_text(analysis: Analysis, between: str) -> str:
    """Return name and title of the document, in one line."""
    architecture = analysis.architecture
    parts = (architecture.name, printable(architecture.title))
    return between.join(part for part in parts if part)


def totals(analysis: Analysis, depth: int | None = None) -> str:
    """Return the sums over the layers, and the first layer that sees the whole input."""
    size = format_shape(spatial(analysis.architecture.input))
    whole = first_whole(analysis, depth)
    if whole:
        field = f"sees all of the {size} input from layer {whole.path} {whole.title} on"
    else:
        field = f"sees {format_shape(analysis.receptive_field)} of the {size} input"
    return (
        f"{analysis.parameters:,} parameters, {analysis.macs:,} MACs, "
        f"{memory_text(analysis.activation_bytes)} of activations for one sample; {field}"
    )


def verdict_line(verdict: Verdict) -> str:
    """Return a target that needs no training, with the distance from its bound, in one line."""
    target, word = f"target {verdict.target.replace('_', ' ')} {verdict.bound}", WORDS[verdict.met]
    if verdict.value is None or verdict.left is None:
        return f"{target}: {word}, {verdict.reason}"
    value, off = format_number(verdict.value), format_number(abs(verdict.left))
    if verdict.met:
        return f"{target}: {value}, {word} with {off} to spare"
    if verdict.left == 0:
        return f"{target}: {value}, {word}, the bound itself is not allowed"
    return f"{target}: {value}, {word}, off by {off}"


def first_whole(analysis: Analysis, depth: int | None = None) -> Row | None:
    """Return the first layer of which every output position sees as much as the whole input.

    A container counts for its layers that are deeper than ``depth``.
    """
    size = spatial(analysis.architecture.input)
    for row in analysis.folded(depth):
        if row.is_container and row.descendants and row.depth != depth:
            continue
        if all(field >= axis for field, axis in zip(row.receptive_field, size, strict=True)):
            return row
    return None


def window_text(row: Row) -> str:
    """Return kernel, stride, padding, dilation and groups, without defaults: ``3x3 /2 p1``."""
    arguments = row.arguments
    if "output_size" in arguments:
        return "to " + "x".join("=" if n is None else str(n) for n in arguments["output_size"])
    if "kernel_size" not in arguments:
        return ""
    kernel = arguments["kernel_size"]
    parts = [format_shape(kernel)]
    stride = arguments.get("stride") or kernel
    if set(stride) != {1}:
        parts.append(f"/{per_axis_text(stride)}")
    padding = arguments.get("padding", ())
    if isinstance(padding, str):
        parts.append(padding)
    elif any(padding):
        parts.append(f"p{per_axis_text(padding)}")
    if set(arguments.get("dilation", (1,))) != {1}:
        parts.append(f"d{per_axis_text(arguments['dilation'])}")
    if arguments.get("groups", 1) != 1:
        parts.append(f"g{arguments['groups']}")
    return " ".join(parts)


def field_text(row: Row, analysis: Analysis) -> str:
    """Return the receptive field and the input's size: ``22 of 28``, or ``107, all of 32``."""
    field, size = row.receptive_field, spatial(analysis.architecture.input)
    larger = field != size and all(f >= axis for f, axis in zip(field, size, strict=True))
    return f"{per_axis_text(field)}{', all' if larger else ''} of {per_axis_text(size)}"


def per_axis_text(values: Sequence[int | Fraction]) -> str:
    """Return ``3`` where all axes agree, else ``3x5``; a fraction as a decimal."""
    shown = [f"{float(value):g}" if isinstance(value, Fraction) else str(value) for value in values]
    return shown[0] if len(set(shown)) == 1 else "x".join(shown)


def memory_text(count: int) -> str:
    """Return bytes in the largest unit that leaves a number of at least 1."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def share_text(share: float, largest: float, *, plain: bool) -> str:
    """Return a share of the parameters as a percentage and a bar, in line with the ``largest``."""
    if not share:
        return ""
    width = len(f"{largest:.1%}")
    if plain:
        bar = "#" * round(share * BAR_WIDTH)
    else:
        whole, eighths = divmod(max(1, round(share * BAR_WIDTH * 8)), 8)
        bar = "█" * whole + ("", *"▏▎▍▌▋▊▉")[eighths]
    return f"{share:>{width}.1%} {bar}"


# --- tables --------------------------------------------------------------------------------------


def summary(analysis: Analysis, *, plain: bool, depth: int | None = None) -> list[Block]:
    """Show one architecture: one row per layer, the totals, the targets, the fault if any.

    A star marks the first layer that sees the whole input.

    Args:
        analysis: of the architecture.
        plain: whether bars are drawn in ASCII.
        depth: layers in more than this many containers are summed up in the row of theirs.
    """
    return [
        Line(title_text(analysis, "  "), "bold"),
        layer_table(analysis, plain=plain, depth=depth),
        Line(totals(analysis, depth)),
        *(Line(verdict_line(v), verdict_style(v.met)) for v in judge_document(analysis)),
        *([Line(str(analysis.fault), "bold red")] if analysis.fault else []),
    ]


def layer_table(analysis: Analysis, *, plain: bool, depth: int | None) -> Table[Row]:
    """Return one row per layer as a terminal shows it."""
    rows = analysis.folded(depth)
    whole = first_whole(analysis, depth)
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


def layer_labels(rows: Sequence[Row]) -> list[str]:
    """Return what each layer is called in a table: its number and title, indented by its depth.

    The numbers of one depth line up on the right; a layer's number is below its container's title.
    """
    widths: dict[int, int] = {}
    for row in rows:
        if row.name.isdecimal():
            widths[row.depth] = max(widths.get(row.depth, 1), len(row.name))
    labels = []
    for row in rows:
        indent = sum(widths.get(depth, 1) + 1 for depth in range(row.depth))
        name = row.name.rjust(widths[row.depth]) if row.name.isdecimal() else row.name
        labels.append(f"{' ' * indent}{name} {printable(row.title)}")
    return labels


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
    """Show architectures one after the other, then, of several, how they compare."""
    if not several:
        return summary(analyses[0], plain=plain, depth=depth)
    blocks: list[Block] = []
    for analysis in analyses:
        blocks += [*summary(analysis, plain=plain, depth=depth), Line("")]
    return [*blocks, Table(NETWORKS, analyses)]


# --- other forms ---------------------------------------------------------------------------------


def as_data(analysis: Analysis, depth: int | None = None) -> dict[str, Any]:
    """Return the analysis as JSON values; shapes lack the batch axis, memory is in bytes.

    A container precedes its layers and sums them up; rows in more than ``depth`` containers are
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
        "jump": [float(j) if isinstance(j, Fraction) else j for j in row.jump],
        "parameters": row.parameters,
        "macs": row.macs,
        "activation_bytes": row.activation_bytes,
    }


LAYERS: tuple[Column[Row], ...] = (
    Column("layer", lambda row: f"{row.path} {row.title}", justify="left"),
    Column("window", window_text, justify="left"),
    Column("output", lambda row: format_shape(row.output_shape)),
    Column("jump", lambda row: per_axis_text(row.jump)),
    Column("parameters", lambda row: row.parameters),
    Column("MACs", lambda row: row.macs),
)
"""One row per layer of one document in markdown, but for the receptive field."""


def as_markdown(analysis: Analysis, depth: int | None = None) -> str:
    """Return a section with the table, the totals and the targets.

    The receptive field of the first layer that sees the whole input is bold.
    """
    whole = first_whole(analysis, depth)

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
    """Return one line per layer, numbers bare, shapes as ``10x26x26``; containers sum up theirs."""
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
    """Return one object per architecture, in a list where several were asked for."""
    data = [as_data(analysis, depth) for analysis in analyses]
    return dumps(data if several else data[0], indent=2) + "\n"


FORMATS: dict[str, Callable[[Sequence[Analysis], int | None, bool], str]] = {
    "json": as_json,
    "csv": lambda analyses, depth, _: as_csv(analyses, depth),
    "markdown": lambda analyses, depth, _: "\n".join(as_markdown(a, depth) for a in analyses),
    "torchsummary": lambda analyses, *_: "\n".join(map(as_torchsummary, analyses)),
}
"""Summaries as text, by name: of architectures, down to a depth, several asked for or one."""
