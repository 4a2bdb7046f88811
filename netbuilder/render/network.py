"""Analyses as rich tables; every text of a document comes out as text, never as markup."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from math import prod
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from netbuilder._text import printable
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.errors import Problem
from netbuilder.network.analysis import BYTES_PER_VALUE, Analysis, Row
from netbuilder.network.targets import Verdict, format_number, judge_document
from netbuilder.render.markdown import Marked, escaped, items, table
from netbuilder.render.table import FittedTable

COLUMNS = (
    "layer", "window", "output", "receptive field", "jump", "parameters", "share", "MACs", "memory",
)  # fmt: skip

DISPENSABLE = ("memory", "jump", "share", "MACs", "window")
"""What a narrow terminal does without, the first of them first."""

BAR_WIDTH = 8

INDENT = "  "


def summary(analysis: Analysis, *, plain: bool, depth: int | None = None) -> RenderableType:
    """One architecture: a row a layer, the totals, what each target leaves, the fault if any.

    With ``plain`` it is aligned ASCII without lines or colours, for pipes and files. A star marks
    the first layer that sees the whole input. Layers inside more than ``depth`` containers are
    summed up in the row of theirs.
    """
    whole = first_whole(analysis, depth)
    parameters = analysis.parameters or 1
    largest = max((row.parameters / parameters for row in analysis.rows), default=0.0)
    rows = [
        (
            Text(f"{INDENT * row.depth}{row.name} {row.title}", style=_style(row)),
            Text(window_text(row)),
            Text(format_shape(row.output_shape)),
            Text(f"*{field_text(row, analysis)}", style="green bold")
            if row is whole
            else Text(field_text(row, analysis)),
            Text(per_axis_text(row.jump)),
            Text(f"{row.parameters:,}" if row.parameters else ""),
            Text(share_text(row.parameters / parameters, largest, plain=plain)),
            Text(f"{row.macs:,}" if row.macs else ""),
            Text(memory_text(row.activation_bytes)),
        )
        for row in analysis.folded(depth)
    ]
    return Group(
        Text(title_text(analysis, "  "), style="bold"),
        FittedTable(COLUMNS, rows, plain=plain, dispensable=DISPENSABLE),
        Text(totals(analysis, depth)),
        *_closing(analysis),
    )


def comparison(analyses: Sequence[Analysis], *, plain: bool) -> RenderableType:
    """A line for each of several architectures."""
    rows = []
    for analysis in analyses:
        verdicts = judge_document(analysis)
        met = sum(verdict.met is True for verdict in verdicts)
        style = "red" if met < len(verdicts) else ""
        kept = Text(f"{met} of {len(verdicts)} met" if verdicts else "", style=style)
        if analysis.fault:
            kept = Text("fault", style="red bold")
        rows.append(
            (
                Text(analysis.architecture.name),
                Text(str(analysis.layers)),
                Text(format_shape(analysis.output_shape)),
                Text(per_axis_text(analysis.receptive_field)),
                Text(f"{analysis.parameters:,}"),
                Text(f"{analysis.macs:,}"),
                Text(memory_text(analysis.activation_bytes)),
                kept,
            )
        )
    names = ("name", "layers", "output", "receptive field", "parameters", "MACs", "memory")
    return FittedTable((*names, "targets"), rows, plain=plain, dispensable=DISPENSABLE)


def _style(row: Row) -> str:
    return "bold" if row.is_container else ""


def _closing(analysis: Analysis) -> list[Text]:
    styles = {True: "green", False: "red", None: "yellow"}
    lines = [
        Text(verdict_line(verdict), style=styles[verdict.met])
        for verdict in judge_document(analysis)
    ]
    return lines + ([Text(str(analysis.fault), style="red bold")] if analysis.fault else [])


# --- figures as text -----------------------------------------------------------------------------


def title_text(analysis: Analysis, between: str) -> str:
    """Name and title of the document, in one line."""
    architecture = analysis.architecture
    parts = (architecture.name, printable(architecture.title))
    return between.join(part for part in parts if part)


def totals(analysis: Analysis, depth: int | None = None) -> str:
    """What the layers add up to, and from where on the whole input is seen."""
    size = format_shape(spatial(analysis.architecture.input))
    whole = first_whole(analysis, depth)
    if whole:
        seen = f"sees all of the {size} input from layer {whole.path} {whole.title} on"
    else:
        seen = f"sees {format_shape(analysis.receptive_field)} of the {size} input"
    return (
        f"{analysis.parameters:,} parameters, {analysis.macs:,} MACs, "
        f"{memory_text(analysis.activation_bytes)} of activations for one sample; {seen}"
    )


def verdict_line(verdict: Verdict) -> str:
    """A target that needs no training, with what is left of its budget."""
    asked = f"target {verdict.target.replace('_', ' ')} {verdict.bound}"
    if verdict.found is None or verdict.left is None:
        return f"{asked}: not judged, {verdict.reason}"
    found, off = format_number(verdict.found), format_number(abs(verdict.left))
    if verdict.met:
        return f"{asked}: {found}, met with {off} to spare"
    if verdict.left == 0:
        return f"{asked}: {found}, NOT met, the bound itself is not allowed"
    return f"{asked}: {found}, NOT met, off by {off}"


def first_whole(analysis: Analysis, depth: int | None = None) -> Row | None:
    """The first layer of which every output position sees as much as the whole input.

    A container stands for the layers inside it that are deeper than ``depth``.
    """
    size = spatial(analysis.architecture.input)
    for row in analysis.folded(depth):
        if row.is_container and row.descendants and row.depth != depth:
            continue
        if all(seen >= there for seen, there in zip(row.receptive_field, size, strict=True)):
            return row
    return None


def window_text(row: Row) -> str:
    """Kernel, then stride, padding, dilation and groups that are not 1 or 0: ``3x3 /2 p1``."""
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
    """The receptive field beside the input's size: ``22 of 28``."""
    size = spatial(analysis.architecture.input)
    return f"{per_axis_text(row.receptive_field)} of {per_axis_text(size)}"


def per_axis_text(values: Sequence[int | Fraction]) -> str:
    """``3`` where all axes agree, else ``3x5``; a fraction as a decimal."""
    shown = [f"{float(value):g}" if isinstance(value, Fraction) else str(value) for value in values]
    return shown[0] if len(set(shown)) == 1 else "x".join(shown)


def memory_text(count: int) -> str:
    """Bytes in the largest unit that leaves a number of at least 1."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def share_text(share: float, largest: float, *, plain: bool) -> str:
    """A share of all parameters as a percentage and a bar, lined up with the ``largest``."""
    if not share:
        return ""
    width = len(f"{largest:.1%}")
    if plain:
        bar = "#" * round(share * BAR_WIDTH)
    else:
        whole, eighths = divmod(max(1, round(share * BAR_WIDTH * 8)), 8)
        bar = "█" * whole + ("", *"▏▎▍▌▋▊▉")[eighths]
    return f"{share:>{width}.1%} {bar}"


def as_data(analysis: Analysis, depth: int | None = None) -> dict[str, Any]:
    """The analysis as JSON values; shapes are lists without the batch axis, memory in bytes.

    A container stands before the rows of the layers that it holds and sums them up; rows inside
    more than ``depth`` containers are left out.
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
        "targets": [asdict(verdict) for verdict in judge_document(analysis)],
        "fault": problem_data(analysis.fault) if analysis.fault else None,
    }


def problem_data(problem: Problem) -> dict[str, Any]:
    """A problem as JSON values; line and column count from 1 and are 0 where there is none."""
    return asdict(problem)


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


def as_markdown(analysis: Analysis, depth: int | None = None) -> str:
    """A section with the table, the totals and the targets.

    The receptive field of the first layer that sees the whole input is bold.
    """
    whole = first_whole(analysis, depth)
    rows = [
        (
            f"{row.path} {printable(row.title)}",
            window_text(row),
            format_shape(row.output_shape),
            Marked(f"**{field}**") if row is whole else field,
            per_axis_text(row.jump),
            f"{row.parameters:,}",
            f"{row.macs:,}",
        )
        for row in analysis.folded(depth)
        for field in (field_text(row, analysis),)
    ]
    notes = [totals(analysis, depth), *map(verdict_line, judge_document(analysis))]
    notes += [str(analysis.fault)] if analysis.fault else []
    heading = f"### {escaped(title_text(analysis, ': '))}\n"
    return "\n".join([heading, table(MARKDOWN_COLUMNS, rows), items(map(printable, notes))])


MARKDOWN_COLUMNS = (
    "layer", "window", "output", "receptive field", "jump", "parameters", "MACs",
)  # fmt: skip

CSV_COLUMNS = (
    "name", "path", "kind", "depth", "output_shape", "receptive_field", "jump", "parameters",
    "macs", "activation_bytes",
)  # fmt: skip


def as_csv(analyses: Sequence[Analysis], depth: int | None = None) -> str:
    """A line a layer, numbers bare, shapes as ``10x26x26``; containers sum up what is deeper."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for analysis in analyses:
        for row in analysis.folded(depth):
            writer.writerow(
                [
                    analysis.architecture.name,
                    row.path,
                    row.kind,
                    row.depth,
                    format_shape(row.output_shape),
                    format_shape(row.receptive_field),
                    per_axis_text(row.jump),
                    row.parameters,
                    row.macs,
                    row.activation_bytes,
                ]
            )
    return buffer.getvalue()


def _in_order_of_hooks(analysis: Analysis) -> Iterator[Row]:
    """The rows that torchsummary has, in its order: what is done first, no Sequential."""
    around: list[tuple[int, Row]] = []
    for position, row in enumerate(analysis.rows):
        while around and around[-1][0] <= position:
            yield around.pop()[1]
        if not row.is_container:
            yield row
        elif row.kind != "Sequential":
            around.append((position + 1 + row.descendants, row))
    while around:
        yield around.pop()[1]


def as_torchsummary(analysis: Analysis) -> str:
    """The layout of the torchsummary package 1.5.1, character for character."""
    line, double = "-" * 64, "=" * 64
    hooked = list(_in_order_of_hooks(analysis))
    values = sum(prod(row.output_shape) for row in hooked)
    megabytes = BYTES_PER_VALUE / 1024**2
    sizes = (
        prod(analysis.architecture.input) * megabytes,
        2 * values * megabytes,  # once forward, once for the gradients
        analysis.parameters * megabytes,
    )
    rows = [
        f"{f'{row.kind}-{number}':>20}  {[-1, *row.output_shape]!s:>25} "
        f"{0 if row.is_container else row.parameters:>15,}"
        for number, row in enumerate(hooked, 1)
    ]
    return "\n".join(
        [
            line,
            f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}",
            double,
            *rows,
            double,
            f"Total params: {analysis.parameters:,}",
            f"Trainable params: {analysis.parameters:,}",
            "Non-trainable params: 0",
            line,
            f"Input size (MB): {sizes[0]:.2f}",
            f"Forward/backward pass size (MB): {sizes[1]:.2f}",
            f"Params size (MB): {sizes[2]:.2f}",
            f"Estimated Total Size (MB): {sum(sizes):.2f}",
            line,
            "",
        ]
    )
