"""What differs between two documents, as a table, markdown and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from netbuilder._text import printable
from netbuilder.components.shapes import format_shape
from netbuilder.network.analysis import Row
from netbuilder.network.diff import ArchitectureDiff, FieldChange, LayerChange, json_value
from netbuilder.render.markdown import escaped, items, table
from netbuilder.render.network import memory_text, per_axis_text, problem_data
from netbuilder.render.table import FittedTable
from netbuilder.runs.run import Run
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import NetworkStatistics, spread_text, summarize_runs

SIGNS = {"added": "+", "removed": "-", "changed": "~", "kept": " "}

STYLES = {"added": "green", "removed": "red", "changed": "yellow", "kept": ""}

COLUMNS = ("layer", "arguments", "output", "receptive field", "parameters", "MACs")

FOLDING = COLUMNS[1:]

DISPENSABLE = ("MACs", "receptive field", "output", "parameters")
"""What a narrow terminal does without, the first of them first."""


@dataclass(frozen=True)
class RenderedDiff:
    """Two subjects and what differs between their documents."""

    before: Selection
    after: Selection
    difference: ArchitectureDiff

    @property
    def run(self) -> tuple[FieldChange, ...]:
        """What differs beside the documents where both sides are run folders."""
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
        """Everything that differs beside the layers."""
        return self.difference.fields + self.run

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.difference) or bool(self.run)


def _setting(run: Run) -> dict[str, Any]:
    names = ("seed", "device", "precision")
    data = {"data": run.environment.data.kind}
    return data | {name: getattr(run.config, name) for name in names}


def as_tables(compared: RenderedDiff, *, plain: bool) -> RenderableType:
    """Layers, totals, settings and accuracies; signs say the same as the colours."""
    found = compared.difference
    parts: list[RenderableType] = [Text(heading(compared), style="bold")]
    if any(not layer.same for layer in found.layers):
        rows = [
            [Text(cell, style=STYLES[layer.change] if layer else "dim") for cell in cells]
            for layer, cells in layer_rows(found)
        ]
        parts.append(
            FittedTable(COLUMNS, rows, plain=plain, dispensable=DISPENSABLE, folding=FOLDING)
        )
    parts += [Text(field_line(field), style=STYLES[change_of(field)]) for field in compared.fields]
    parts += [Text(line) for line in closing(compared)]
    return Group(*parts)


def as_markdown(compared: RenderedDiff) -> str:
    """The same as a section of markdown."""
    found = compared.difference
    parts = [f"### {escaped(heading(compared))}\n"]
    if any(not layer.same for layer in found.layers):
        rows = []
        for layer, cells in layer_rows(found):
            first, *rest = map(str.strip, cells)
            name = f"{layer.row.path} {printable(layer.row.title)}" if layer else first
            rows.append((layer.change if layer else "", name, *rest))
        parts.append(table(("", *COLUMNS), rows))
    parts.append(items([*map(field_line, compared.fields), *closing(compared)]))
    return "\n".join(parts)


def as_data(compared: RenderedDiff) -> dict[str, Any]:
    """The same as JSON values; ``arguments`` are those that differ."""
    found = compared.difference
    return {
        "before": _side_data(compared.before, found),
        "after": _side_data(compared.after, found),
        "differs": compared.differs,
        "layers": [
            {
                "change": layer.change,
                "before": _row_data(layer.before),
                "after": _row_data(layer.after),
                "arguments": [_field_data(argument) for argument in layer.arguments],
            }
            for layer in found.layers
        ],
        "document": [_field_data(field) for field in found.document],
        "train": [_field_data(field) for field in found.train],
        "targets": [_field_data(field) for field in found.targets],
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


def _side_data(subject: Selection, found: ArchitectureDiff) -> dict[str, Any]:
    analysis = found.before if subject.architecture is found.before.architecture else found.after
    return {
        "path": str(subject.path),
        "name": subject.architecture.name,
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "receptive_field": list(analysis.receptive_field),
        "activation_bytes": analysis.activation_bytes,
        "fault": problem_data(analysis.fault) if analysis.fault else None,
        "results": [asdict(summary) for summary in summarize_runs(subject.finished)],
    }


def heading(compared: RenderedDiff) -> str:
    """Both names and where they are from."""
    sides = (compared.before, compared.after)
    first, second = (f"{s.architecture.name} ({printable(str(s.path))})" for s in sides)
    return f"{first} -> {second}"


def layer_rows(found: ArchitectureDiff) -> Iterator[tuple[LayerChange | None, tuple[str, ...]]]:
    """The cells of each layer under `COLUMNS`; layers of which nothing differs are counted."""
    same = 0
    for layer in found.layers:
        if layer.same:
            same += 1
            continue
        if same:
            yield None, _same_row(same)
            same = 0
        row = layer.row
        name = f"{SIGNS[layer.change]} {'  ' * row.depth}{row.name} {printable(row.title)}"
        rows = (layer.before, layer.after)
        yield (
            layer,
            (
                name,
                arguments_text(layer),
                _both([format_shape(row.output_shape) if row else None for row in rows]),
                _both([per_axis_text(row.receptive_field) if row else None for row in rows]),
                _both([f"{row.parameters:,}" if row else None for row in rows]),
                _both([f"{row.macs:,}" if row else None for row in rows]),
            ),
        )
    if same:
        yield None, _same_row(same)


def arguments_text(layer: LayerChange) -> str:
    """The arguments that differ; of a layer of one side those that are not at their defaults."""
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


def _same_row(count: int) -> tuple[str, ...]:
    return (f"  ... {count:,} the same", *[""] * (len(COLUMNS) - 1))


def _both(texts: Sequence[str | None]) -> str:
    """Before and after, once where they are the same; nothing for a layer that has none of it."""
    both = " -> ".join(dict.fromkeys(text for text in texts if text))
    return "" if both == "0" else both


def change_of(field: FieldChange) -> str:
    """Whether it was ``added``, ``removed`` or ``changed``."""
    if field.before is None:
        return "added"
    return "removed" if field.after is None else "changed"


def field_line(field: FieldChange) -> str:
    """A setting that differs: ``~ train.optimizer.SGD.lr 0.01 -> 0.1``."""
    return f"{SIGNS[change_of(field)]} {field_text(field)}"


def field_text(field: FieldChange) -> str:
    """The same without the sign."""
    change, name = change_of(field), printable(field.field)
    if change == "changed":
        return f"{name} {value_text(field.before)} -> {value_text(field.after)}"
    return f"{name} {value_text(field.after if change == 'added' else field.before)}"


def value_text(value: Any) -> str:
    """A value of a document in one line; one number where it stands for all axes."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple) and value and len(set(map(repr, value))) == 1:
        return value_text(value[0])
    if isinstance(value, bool | list | tuple | dict):
        return printable(json.dumps(json_value(value), ensure_ascii=False)).replace('"', "")
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def closing(compared: RenderedDiff) -> list[str]:
    """The totals, what happened to accuracy, and the faults."""
    found = compared.difference
    sides = (found.before, found.after)
    lines = [] if compared.differs else ["no difference"]
    figures = {
        "parameters": [side.parameters for side in sides],
        "MACs": [side.macs for side in sides],
    }
    for name, (a, b) in figures.items():
        lines.append(
            f"{name} {a:,}" if a == b else f"{name} {a:,} -> {b:,} ({b - a:+,})"
        )  # fmt: skip
    fields = _both([per_axis_text(side.receptive_field) for side in sides])
    memory = _both([memory_text(side.activation_bytes) for side in sides])
    lines += [f"receptive field {fields}", f"activations {memory}"]
    counts = [f"{found.count(change)} {change}" for change in SIGNS if change != "kept"]
    if found:
        lines.append(f"layers: {', '.join(counts)}, {found.count('kept')} kept")
    lines += [f"fault: {side.fault}" for side in sides if side.fault]
    if found.behind_fault and all(layer.same for layer in found.layers):
        lines.append("layers behind the fault differ; mend it to see which")
    return lines + accuracy_lines(compared.before, compared.after)


def accuracy_lines(before: Selection, after: Selection) -> list[str]:
    """What happened to accuracy; where a side has no finished run, how to train it."""
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
            lines.append(f"{subject.architecture.name}: nothing to train it with, no train section")
        elif not summaries:
            train_hint = printable(subject.train_hint)
            lines.append(f"{subject.architecture.name}: no finished run; {train_hint}")
        if subject.excluded_note:
            lines.append(printable(subject.excluded_note))
        lines += [f"passed over: {line}" for line in subject.unreadable]
    for a in sides[0][1]:
        lines += [_moved(a, b) for b in sides[1][1] if a.dataset == b.dataset]
    return lines


def _moved(a: NetworkStatistics, b: NetworkStatistics) -> str:
    best, last = (
        fmean(getattr(b, name)) - fmean(getattr(a, name)) for name in ("best_test", "last_test")
    )
    return f"test accuracy on {printable(a.dataset)}: best {best:+.2f}, last {last:+.2f} points"


def change_lines(found: ArchitectureDiff) -> tuple[str, ...]:
    """Layers added, removed and changed, equal ones in one line; then the settings that differ."""
    lines = []
    for change in ("added", "removed", "changed"):
        counts = Counter(_layer(layer) for layer in found.layers if layer.change == change)
        for text, count in counts.items():
            lines.append(f"{change.capitalize()} {f'{count} × ' if count > 1 else ''}{text}")
    lines += [f"{change_of(field).capitalize()} {field_text(field)}" for field in found.fields]
    return tuple(lines)


def _layer(layer: LayerChange) -> str:
    kind, arguments = printable(layer.row.kind), arguments_text(layer)
    if layer.change == "changed":
        return f"{kind}: {arguments}"
    return f"{kind} ({arguments})" if arguments else kind
