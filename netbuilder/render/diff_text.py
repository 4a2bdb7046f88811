"""The text of differences between documents: layers, fields, values and accuracies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from netbuilder._text import plural, printable
from netbuilder.network.diff import ArchitectureDiff, FieldChange, LayerChange, json_value
from netbuilder.runs.selection import Selection
from netbuilder.runs.statistics import NetworkStatistics, spread_text, summarize_runs

SIGNS = {"added": "+", "removed": "-", "changed": "~", "kept": " "}


def arguments_text(layer: LayerChange) -> str:
    """Return the arguments that differ; for an added or removed layer, those without default."""
    if layer.change not in ("added", "removed"):
        return ", ".join(
            f"{change.field} {value_text(change.before)} -> {value_text(change.after)}"
            for change in layer.arguments
        )
    return ", ".join(
        f"{argument} {value_text(json_value(value))}"
        for argument, value in layer.row.layer.non_default_arguments().items()
        if argument in layer.row.arguments
        and (argument, value) != ("name", layer.row.title)  # the title has the name
    )


def before_and_after(texts: Sequence[str]) -> str:
    """Return before and after, once if they are equal; empty if both are zero."""
    both = " -> ".join(dict.fromkeys(texts))
    return "" if both == "0" else both


def change_of(field: FieldChange) -> str:
    """Return ``added``, ``removed`` or ``changed``."""
    if field.before is None:
        return "added"
    return "removed" if field.after is None else "changed"


def field_line(field: FieldChange) -> str:
    """Return a setting that differs: ``~ train.optimizer.SGD.lr 0.01 -> 0.1``."""
    return f"{SIGNS[change_of(field)]} {field_text(field)}"


def field_text(field: FieldChange) -> str:
    """Return a setting that differs, without a sign."""
    change, name = change_of(field), printable(field.field)
    if change == "changed":
        return f"{name} {value_text(field.before)} -> {value_text(field.after)}"
    return f"{name} {value_text(field.after if change == 'added' else field.before)}"


def value_text(value: Any) -> str:
    """Return a value of a document in one line; a single number if all axes are equal."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple) and value and len(set(map(repr, value))) == 1:
        return value_text(value[0])
    if isinstance(value, bool | list | tuple | dict):
        return printable(json.dumps(json_value(value), ensure_ascii=False)).replace('"', "")
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def accuracy_lines(before: Selection, after: Selection) -> list[str]:
    """Return the change of accuracy; for a side without a finished run, how to train it."""
    lines = []
    sides = [(subject, summarize_runs(subject.finished)) for subject in (before, after)]
    for subject, summaries in sides:
        for summary in summaries:
            seeds = plural(len(summary.seeds), "seed")
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
        lines += [_accuracy_change(a, b) for b in sides[1][1] if a.dataset == b.dataset]
    return lines


def _accuracy_change(a: NetworkStatistics, b: NetworkStatistics) -> str:
    best, last = (
        fmean(getattr(b, name)) - fmean(getattr(a, name)) for name in ("best_test", "last_test")
    )
    return f"test accuracy on {printable(a.dataset)}: best {best:+.2f}, last {last:+.2f} points"


def change_lines(difference: ArchitectureDiff) -> tuple[str, ...]:
    """Return one line per added, removed or changed layer, equal ones merged; then settings."""
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
