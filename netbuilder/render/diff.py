"""The difference between two documents or runs, as a table, markdown and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

from netbuilder._text import printable
from netbuilder.components.shapes import format_shape
from netbuilder.network.analysis import Row
from netbuilder.network.diff import ArchitectureDiff, FieldChange, LayerChange, json_value
from netbuilder.render.console import Block, Line
from netbuilder.render.json import dumps, record_data
from netbuilder.render.markdown import escaped, items
from netbuilder.render.network import layer_labels, memory_text, per_axis_text, problem_data
from netbuilder.render.table import Cell, Column, Table
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import NetworkStatistics, spread_text, summarize_runs

SIGNS = {"added": "+", "removed": "-", "changed": "~", "kept": " "}

STYLES = {"added": "green", "removed": "red", "changed": "yellow", "kept": ""}


@dataclass(frozen=True)
class RenderedDiff:
    """Two networks and the difference between their documents."""

    before: Selection
    after: Selection
    difference: ArchitectureDiff

    @property
    def run(self) -> tuple[FieldChange, ...]:
        """The settings that differ apart from the documents, if both sides are run folders."""
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
        """Everything that differs apart from the layers."""
        return self.difference.fields + self.run

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.difference) or bool(self.run)


def _setting(run: Run) -> dict[str, Any]:
    names = ("seed", "device", "precision")
    data = {"data": run.environment.data.kind}
    return data | {name: getattr(run.config, name) for name in names}


def as_blocks(compared: RenderedDiff) -> list[Block]:
    """Show layers, settings, totals and accuracies; signs carry the same meaning as colors."""
    difference = compared.difference
    blocks: list[Block] = [Line(heading(compared), "bold")]
    if any(not layer.same for layer in difference.layers):
        blocks.append(Table(_columns(_sign_and_label(difference)), layer_rows(difference)))
    blocks += [Line(field_line(field), STYLES[change_of(field)]) for field in compared.fields]
    return [*blocks, *map(Line, closing(compared))]


def as_markdown(compared: RenderedDiff) -> str:
    """Return the same as a section of markdown."""
    difference = compared.difference
    parts = [f"### {escaped(heading(compared))}\n"]
    if any(not layer.same for layer in difference.layers):
        change = Column("", _change, justify="left")
        table = Table([change, *_columns(_path_and_title)], layer_rows(difference))
        parts.append(table.render("markdown"))
    parts.append(items([*map(field_line, compared.fields), *closing(compared)]))
    return "\n".join(parts)


def as_json(compared: RenderedDiff) -> str:
    """Return the same as a JSON object."""
    return dumps(as_data(compared), indent=2) + "\n"


FORMATS = {"markdown": as_markdown, "json": as_json}
"""Diffs as text, by name."""


def as_data(compared: RenderedDiff) -> dict[str, Any]:
    """Return the same as JSON values; ``arguments`` are those that differ."""
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
    """Return both names and where they are from."""
    sides = (compared.before, compared.after)
    first, second = (f"{s.architecture.name} ({printable(str(s.path))})" for s in sides)
    return f"{first} -> {second}"


LayerRow = LayerChange | int
"""A layer that differs, or how many layers in a row do not."""


def layer_rows(difference: ArchitectureDiff) -> list[LayerRow]:
    """Return the layers that differ; those between them are counted."""
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
    """Return the columns of a diff of layers; cells hold the values of both sides."""

    def both(text: Callable[[Row], str]) -> Callable[[LayerRow], Cell]:
        return lambda row: _cell(row, _both([text(side) for side in _sides(row)]))

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


def arguments_text(layer: LayerChange) -> str:
    """Return the arguments that differ; of a layer of one side those that are not defaults."""
    if layer.change not in ("added", "removed"):
        return ", ".join(
            f"{change.field} {value_text(change.before)} -> {value_text(change.after)}"
            for change in layer.arguments
        )
    return ", ".join(
        f"{argument} {value_text(json_value(value))}"
        for argument, value in layer.row.layer.non_default_arguments().items()
        if argument in layer.row.arguments
        and (argument, value) != ("name", layer.row.title)  # the first cell says it
    )


def _both(texts: Sequence[str]) -> str:
    """Return before and after, once where they are the same; nothing for zero on both sides."""
    both = " -> ".join(dict.fromkeys(texts))
    return "" if both == "0" else both


def change_of(field: FieldChange) -> str:
    """Return whether it was ``added``, ``removed`` or ``changed``."""
    if field.before is None:
        return "added"
    return "removed" if field.after is None else "changed"


def field_line(field: FieldChange) -> str:
    """Return a setting that differs: ``~ train.optimizer.SGD.lr 0.01 -> 0.1``."""
    return f"{SIGNS[change_of(field)]} {field_text(field)}"


def field_text(field: FieldChange) -> str:
    """Return the same without the sign."""
    change, name = change_of(field), printable(field.field)
    if change == "changed":
        return f"{name} {value_text(field.before)} -> {value_text(field.after)}"
    return f"{name} {value_text(field.after if change == 'added' else field.before)}"


def value_text(value: Any) -> str:
    """Return a value of a document in one line; a single number where all axes agree."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple) and value and len(set(map(repr, value))) == 1:
        return value_text(value[0])
    if isinstance(value, bool | list | tuple | dict):
        return printable(json.dumps(json_value(value), ensure_ascii=False)).replace('"', "")
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def closing(compared: RenderedDiff) -> list[str]:
    """Return the totals, the faults, and how accuracy changed."""
    difference = compared.difference
    sides = (difference.before, difference.after)
    lines = [] if compared.differs else ["no difference"]
    totals = {
        "parameters": [side.parameters for side in sides],
        "MACs": [side.macs for side in sides],
    }
    for name, (a, b) in totals.items():
        lines.append(f"{name} {a:,}" if a == b else f"{name} {a:,} -> {b:,} ({b - a:+,})")
    fields = _both([per_axis_text(side.receptive_field) for side in sides])
    memory = _both([memory_text(side.activation_bytes) for side in sides])
    lines += [f"receptive field {fields}", f"activations {memory}"]
    counts = [f"{difference.count(change)} {change}" for change in SIGNS if change != "kept"]
    if difference:
        lines.append(f"layers: {', '.join(counts)}, {difference.count('kept')} kept")
    lines += [f"fault: {side.fault}" for side in sides if side.fault]
    if difference.differs_after_fault and all(layer.same for layer in difference.layers):
        lines.append("layers after the fault differ; fix it to see which")
    return lines + accuracy_lines(compared.before, compared.after)


def accuracy_lines(before: Selection, after: Selection) -> list[str]:
    """Return how accuracy changed; for a side without a finished run, how to train it."""
    lines = []
    sides = [(subject, summarize_runs(subject.finished)) for subject in (before, after)]
    for subject, summaries in sides:
        for summary in summaries:
            seeds = f"{len(summary.seeds)} seed{'s' * (len(summary.seeds) != 1)}"
            lines.append(
                f"{summary.name} on {printable(summary.dataset)}, {seeds}: test accuracy best "
                f"{spread_text(summary.best_test)}, last {spread_text(summary.last_test)}; "
                f"training best {spread_text(summary.best_train)}"
            )
        if not summaries and subject.architecture.train is None:
            lines.append(f"{subject.architecture.name}: cannot be trained, it has no train section")
        elif not summaries:
            train_hint = printable(subject.train_hint)
            lines.append(f"{subject.architecture.name}: no finished run; {train_hint}")
        if subject.excluded_note:
            lines.append(printable(subject.excluded_note))
        lines += [f"skipped: {line}" for line in subject.unreadable]
    for a in sides[0][1]:
        lines += [_moved(a, b) for b in sides[1][1] if a.dataset == b.dataset]
    return lines


def _moved(a: NetworkStatistics, b: NetworkStatistics) -> str:
    best, last = (
        fmean(getattr(b, name)) - fmean(getattr(a, name)) for name in ("best_test", "last_test")
    )
    return f"test accuracy on {printable(a.dataset)}: best {best:+.2f}, last {last:+.2f} points"


def change_lines(difference: ArchitectureDiff) -> tuple[str, ...]:
    """Return added, removed and changed layers, equal ones in one line; then the settings."""
    lines = []
    for change in ("added", "removed", "changed"):
        counts = Counter(_layer(layer) for layer in difference.layers if layer.change == change)
        for text, count in counts.items():
            lines.append(f"{change.capitalize()} {f'{count} × ' if count > 1 else ''}{text}")
    lines += [f"{change_of(field).capitalize()} {field_text(field)}" for field in difference.fields]
    return tuple(lines)


def _layer(layer: LayerChange) -> str:
    kind, arguments = printable(layer.row.kind), arguments_text(layer)
    if layer.change == "changed":
        return f"{kind}: {arguments}"
    return f"{kind} ({arguments})" if arguments else kind
