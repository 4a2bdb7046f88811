"""What a document changes of the one before it, as lines of plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from netbuilder.analysis import Analysis, Row
from netbuilder.component import Component
from netbuilder.errors import printable
from netbuilder.schema import TrainConfig


def changes(before: Analysis, after: Analysis) -> tuple[str, ...]:
    """Layers added, removed and changed, then the fields of ``train`` that differ."""
    return (*_layers(before.outermost, after.outermost), *_training(before, after))


def _layers(before: Sequence[Row], after: Sequence[Row]) -> Iterator[str]:
    old, new = [_value(row.layer) for row in before], [_value(row.layer) for row in after]
    added: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        left, right = list(range(i, j)), list(range(k, m))
        if tag == "replace":
            for a, b in zip(list(left), list(right), strict=False):
                if before[a].kind == after[b].kind:
                    changed[f"{old[a]} to {new[b]}"] += 1
                    left.remove(a)
                    right.remove(b)
        removed.update(old[a] for a in left if tag != "equal")
        added.update(new[b] for b in right if tag != "equal")
    for word, found in (("Added", added), ("Removed", removed), ("Changed", changed)):
        for text, count in found.items():
            yield f"{word} {f'{count} × ' if count > 1 else ''}{text}"


def _training(before: Analysis, after: Analysis) -> Iterator[str]:
    old, new = before.architecture.train, after.architecture.train
    for name in TrainConfig.model_fields:
        was, now = (_value(getattr(train, name)) if train else "none" for train in (old, new))
        if was != now:
            yield f"Training: {name.replace('_', ' ')} {now}, before {was}"


def _value(value: object) -> str:
    """A value as a line shows it; of a component what is not at its default."""
    if isinstance(value, Component):
        given = ", ".join(f"{name} {_value(part)}" for name, part in value.brief().items())
        return printable(f"{value.kind} ({given})" if given else value.kind)
    if isinstance(value, tuple) and (not value or isinstance(value[0], Component)):
        return ", then ".join(map(_value, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
