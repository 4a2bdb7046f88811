"""Analyses as text for programs and documents: JSON, markdown, CSV and torchsummary's layout."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from math import prod
from typing import Any

from netbuilder.analysis import BYTES_PER_VALUE, Analysis, Row
from netbuilder.errors import Problem, printable
from netbuilder.markdown import Marked, escaped, items, table
from netbuilder.shapes import written
from netbuilder.tables import (
    field_text,
    first_whole,
    per_axis_text,
    title_text,
    totals,
    verdict_line,
    window_text,
)
from netbuilder.targets import judge_document


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
            written(row.output_shape),
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
                    written(row.output_shape),
                    written(row.receptive_field),
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
            around.append((position + 1 + row.inside, row))
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
