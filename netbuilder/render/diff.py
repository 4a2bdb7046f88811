"""Render the differences between two documents or runs as table, markdown and JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from netbuilder._text import printable
from netbuilder.components.shapes import format_shape
from netbuilder.network.diff import ArchitectureDiff, FieldChange, LayerChange, json_value
from netbuilder.network.rows import Row
from netbuilder.render.console import Block, Line
from netbuilder.render.diff_text import (
    SIGNS,
    accuracy_lines,
    arguments_text,
    before_and_after,
    change_of,
    field_line,
)
from netbuilder.render.json import dumps, record_data
from netbuilder.render.markdown import escaped, items
from netbuilder.render.network import problem_data
from netbuilder.render.network_text import layer_labels, memory_text, per_axis_text
from netbuilder.render.table import Cell, Column, Table
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import summarize_runs

STYLES = {"added": "green", "removed": "red", "changed": "yellow", "kept": ""}


@dataclass(frozen=True)
class RenderedDiff:
    """Two networks and the difference between their documents."""

    before: Selection
    after: Selection
    difference: ArchitectureDiff

    @property
    def run(self) -> tuple[FieldChange, ...]:
        """The settings of the runs that differ, if both sides are run folders."""
        if not (self.before.path.is_dir() and self.after.path.is_dir()):
            return ()
        before, after = (_setting(subject.runs[0]) for subject in (self.before, self.after))
        return tuple(
            FieldChange(f"run.{name}", value, after[name])
            for name, value in before.items()
            if value != after[name]
        )

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """All differences except those of layers."""
        return self.difference.fields + self.run

    @property
    def differs(self) -> bool:
        """Whether there is any difference."""
        return bool(self.difference) or bool(self.run)


def _setting(run: Run) -> dict[str, Any]:
    names = ("seed", "device", "precision")
    data = {"data": run.environment.data.kind}
    return data | {name: getattr(run.config, name) for name in names}


def as_blocks(compared: RenderedDiff) -> list[Block]:
    """Return layers, settings, totals and accuracies; signs have the meaning of colors."""
    difference = compared.difference
    blocks: list[Block] = [Line(heading(compared), "bold")]
    if any(not layer.same for layer in difference.layers):
        blocks.append(Table(_columns(_sign_and_label(difference)), layer_rows(difference)))
    blocks += [Line(field_line(field), STYLES[change_of(field)]) for field in compared.fields]
    return [*blocks, *map(Line, closing(compared))]


def as_markdown(compared: RenderedDiff) -> str:
    """Return the difference as a section of markdown."""
    difference = compared.difference
    parts = [f"### {escaped(heading(compared))}\n"]
    if any(not layer.same for layer in difference.layers):
        change = Column("", _change, justify="left")
        table = Table([change, *_columns(_path_and_title)], layer_rows(difference))
        parts.append(table.render("markdown"))
    parts.append(items([*map(field_line, compared.fields), *closing(compared)]))
    return "\n".join(parts)


def as_json(compared: RenderedDiff) -> str:
    """Return the difference as a JSON object."""
    return dumps(as_data(compared), indent=2) + "\n"


FORMATS = {"markdown": as_markdown, "json": as_json}
"""Renderers by name."""


def as_data(compared: RenderedDiff) -> dict[str, Any]:
    """Return the difference as JSON values; ``arguments`` are those that differ."""
    difference = compared.difference
    return {
        "before": _side_data(compared.before, difference),
        "after": _side_data(compared.after, difference),
        "differs": compared.differs,
        "layers": [
            {
                "change": layer.change,
                "before": _row_data(layer.before),
                "after": _row_data(layer.after),
                "arguments": [_field_data(argument) for argument in layer.arguments],
            }
            for layer in difference.layers
        ],
        "document": [_field_data(field) for field in difference.document],
        "train": [_field_data(field) for field in difference.train],
        "targets": [_field_data(field) for field in difference.targets],
        "run": [_field_data(field) for field in compared.run],
    }


def _field_data(field: FieldChange) -> dict[str, Any]:
    return {
        "field": field.field, "before": json_value(field.before), "after": json_value(field.after),
    }  # fmt: skip


def _row_data(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "path": row.path,
        "kind": row.kind,
        "title": row.title,
        "depth": row.depth,
        "output_shape": list(row.output_shape),
        "receptive_field": list(row.receptive_field),
        "parameters": row.parameters,
        "macs": row.macs,
    }


def _side_data(subject: Selection, difference: ArchitectureDiff) -> dict[str, Any]:
    analysis = (
        difference.before
        if subject.architecture is difference.before.architecture
        else difference.after
    )
    return {
        "path": str(subject.path),
        "name": subject.architecture.name,
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "receptive_field": list(analysis.receptive_field),
        "activation_bytes": analysis.activation_bytes,
        "fault": problem_data(analysis.fault) if analysis.fault else None,
        "results": [record_data(summary) for summary in summarize_runs(subject.finished)],
    }


def heading(compared: RenderedDiff) -> str:
    """Return the names and paths of both sides."""
    sides = (compared.before, compared.after)
    first, second = (f"{s.architecture.name} ({printable(str(s.path))})" for s in sides)
    return f"{first} -> {second}"


LayerRow = LayerChange | int
"""A layer that differs, or the number of consecutive layers that do not."""


def layer_rows(difference: ArchitectureDiff) -> list[LayerRow]:
    """Return the layers that differ, and the numbers of layers between them."""
    rows: list[LayerRow] = []
    for layer in difference.layers:
        if not layer.same:
            rows.append(layer)
        elif rows and isinstance(rows[-1], int):
            rows[-1] += 1
        else:
            rows.append(1)
    return rows


def _columns(label: Callable[[LayerRow], str]) -> list[Column[LayerRow]]:
    """Return the columns of a diff of layers; cells have the values of both sides."""

    def both(text: Callable[[Row], str]) -> Callable[[LayerRow], Cell]:
        return lambda row: _cell(row, before_and_after([text(side) for side in _sides(row)]))

    folding = partial(Column[LayerRow], folds=True)
    return [
        Column("layer", lambda row: _cell(row, label(row)), justify="left"),
        folding("arguments", lambda row: _cell(row, _arguments(row)), justify="left"),
        folding("output", both(lambda side: format_shape(side.output_shape)), priority=2),
        folding(
            "receptive field", both(lambda side: per_axis_text(side.receptive_field)), priority=3
        ),
        folding("parameters", both(lambda side: f"{side.parameters:,}"), priority=1),
        folding("MACs", both(lambda side: f"{side.macs:,}"), priority=4),
    ]


def _cell(row: LayerRow, text: str) -> Cell:
    return Cell(text, text, "dim" if isinstance(row, int) else STYLES[row.change])


def _sides(row: LayerRow) -> list[Row]:
    return [] if isinstance(row, int) else [side for side in (row.before, row.after) if side]


def _arguments(row: LayerRow) -> str:
    return "" if isinstance(row, int) else arguments_text(row)


def _change(row: LayerRow) -> str:
    return "" if isinstance(row, int) else row.change


def _sign_and_label(difference: ArchitectureDiff) -> Callable[[LayerRow], str]:
    layers = [layer for layer in difference.layers if not layer.same]
    labels = layer_labels([layer.row for layer in layers])
    by_layer = {id(layer): label for layer, label in zip(layers, labels, strict=True)}

    def text(row: LayerRow) -> str:
        if isinstance(row, int):
            return f"  {_same_layers(row)}"
        return f"{SIGNS[row.change]} {by_layer[id(row)]}"

    return text


def _path_and_title(row: LayerRow) -> str:
    if isinstance(row, int):
        return _same_layers(row)
    return f"{row.row.path} {printable(row.row.title)}"


def _same_layers(count: int) -> str:
    return f"... {count:,} the same"


def closing(compared: RenderedDiff) -> list[str]:
    """Return the totals, the faults and the change of accuracy."""
    difference = compared.difference
    sides = (difference.before, difference.after)
    lines = [] if compared.differs else ["no difference"]
    totals = {
        "parameters": [side.parameters for side in sides],
        "MACs": [side.macs for side in sides],
    }
    for name, (a, b) in totals.items():
        lines.append(f"{name} {a:,}" if a == b else f"{name} {a:,} -> {b:,} ({b - a:+,})")
    fields = before_and_after([per_axis_text(side.receptive_field) for side in sides])
    memory = before_and_after([memory_text(side.activation_bytes) for side in sides])
    lines += [f"receptive field {fields}", f"activations {memory}"]
    counts = [f"{difference.count(change)} {change}" for change in SIGNS if change != "kept"]
    if difference:
        lines.append(f"layers: {', '.join(counts)}, {difference.count('kept')} kept")
    lines += [f"fault: {side.fault}" for side in sides if side.fault]
    if difference.differs_after_fault and all(layer.same for layer in difference.layers):
        lines.append("layers after the fault differ; fix it to see which")
    return lines + accuracy_lines(compared.before, compared.after)
