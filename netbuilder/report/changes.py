"""What a document changes of the one before it, as lines of plain text."""

from __future__ import annotations

from collections import Counter

from netbuilder.changes import arguments_text, change_of, field_text
from netbuilder.difference import Difference, LayerChange
from netbuilder.errors import printable


def change_lines(found: Difference) -> tuple[str, ...]:
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
