"""What differs between two documents: layer by layer, in training and in targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from netbuilder.components.component import Component
from netbuilder.network.alignment import aligned, aligned_rows, pair_cost
from netbuilder.network.analysis import Analysis, Row


@dataclass(frozen=True)
class FieldChange:
    """A value that differs, as JSON has it; None where there is none on that side.

    ``field`` is its place, such as ``train.optimizer.SGD.lr``.
    """

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class LayerChange:
    """A layer of one side or of both.

    Attributes:
        change: ``added``, ``removed``, ``changed`` (its arguments differ) or ``kept``.
        before: its row in the first document; None where it was added.
        after: its row in the second; None where it was removed.
        arguments: those that differ, without the place of the layer.
    """

    change: Literal["added", "removed", "changed", "kept"]
    before: Row | None
    after: Row | None
    arguments: tuple[FieldChange, ...] = ()

    @property
    def row(self) -> Row:
        """The row as it is now, or as it was where it is gone."""
        row = self.after or self.before
        assert row is not None, "a change is of one side at least"
        return row

    @property
    def affected(self) -> bool:
        """Whether a figure differs: shape, receptive field, parameters or multiply-accumulates."""
        if self.before is None or self.after is None:
            return True
        return _figures(self.before) != _figures(self.after)

    @property
    def same(self) -> bool:
        """Whether neither the layer nor a figure of it differs."""
        return self.change == "kept" and not self.affected


@dataclass(frozen=True)
class ArchitectureDiff:
    """What differs between two documents.

    Attributes:
        before: the first.
        after: the second.
        layers: every row of both, in order; up to the fault where a document has one.
        document: what differs in ``input`` and ``init``.
        train: what differs in the training settings.
        targets: what differs in the targets.
    """

    before: Analysis
    after: Analysis
    layers: tuple[LayerChange, ...]
    document: tuple[FieldChange, ...]
    train: tuple[FieldChange, ...]
    targets: tuple[FieldChange, ...]

    def __bool__(self) -> bool:
        """Whether anything differs; names, titles, notes and published figures do not count."""
        layers = any(not layer.same for layer in self.layers)
        return layers or bool(self.fields) or self.behind_fault or len(set(self._faults)) > 1

    @property
    def behind_fault(self) -> bool:
        """Whether layers differ behind a fault, for which there are no rows."""
        sides = (self.before.architecture.layers, self.after.architecture.layers)
        return any(self._faults) and json_value(sides[0]) != json_value(sides[1])

    @property
    def _faults(self) -> tuple[tuple[str, str] | None, ...]:
        """What is wrong on each side, wherever it stands: a comment above it moves its line."""
        faults = (self.before.fault, self.after.fault)
        return tuple((fault.field, fault.message) if fault else None for fault in faults)

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """Everything that differs beside the layers."""
        return self.document + self.train + self.targets

    def count(self, change: str) -> int:
        """How many layers were ``added``, ``removed``, ``changed`` or ``kept``."""
        return sum(layer.change == change for layer in self.layers)


def diff_architectures(before: Analysis, after: Analysis) -> ArchitectureDiff:
    """What differs from ``before`` to ``after``; rows are paired so that the least has changed."""
    pairs = aligned_rows(before.rows, after.rows)
    first, second = before.architecture, after.architecture
    return ArchitectureDiff(
        before=before,
        after=after,
        layers=tuple(_layer_change(a, b) for a, b in pairs),
        document=(
            *_changes("input", first.input, second.input),
            *_changes("init", first.init, second.init),
        ),
        train=_changes("train", first.train, second.train),
        targets=_changes("targets", first.targets, second.targets),
    )


def _figures(row: Row) -> tuple[object, ...]:
    return row.output_shape, row.receptive_field, row.parameters, row.macs


def _layer_change(before: Row | None, after: Row | None) -> LayerChange:
    if before is None:
        return LayerChange("added", None, after)
    if after is None:
        return LayerChange("removed", before, None)
    arguments = _mappings("", before.arguments, after.arguments)
    return LayerChange("changed" if arguments else "kept", before, after, arguments)


# --- fields --------------------------------------------------------------------------------------


def _changes(field: str, before: Any, after: Any) -> tuple[FieldChange, ...]:
    """What differs between two values of a document, as deep as both have the same parts."""
    if before == after:
        return ()
    if _is_components(before) and _is_components(after):
        return _component_lists(field, before, after)
    if isinstance(before, Component) or isinstance(after, Component):
        if type(before) is type(after):
            assert isinstance(before, Component)
            assert isinstance(after, Component)
            named = f"{field}.{before.kind}"
            return _mappings(named, before.arguments(), after.arguments())
        return (FieldChange(field, json_value(before), json_value(after)),)
    if hasattr(before, "model_fields_set") or hasattr(after, "model_fields_set"):
        # A section that is missing on one side is one whose every field is.
        return _mappings(field, dict(before or {}), dict(after or {}))
    return (FieldChange(field, json_value(before), json_value(after)),)


def _mappings(
    field: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[FieldChange, ...]:
    return tuple(
        change
        for name in dict.fromkeys([*before, *after])
        for change in _changes(
            f"{field}.{name}" if field else name, before.get(name), after.get(name)
        )
    )


def _is_components(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, tuple) and all(isinstance(part, Component) for part in value)


def _component_lists(
    field: str, before: Sequence[Component] | None, after: Sequence[Component] | None
) -> tuple[FieldChange, ...]:
    """Augmentations or schedulers, aligned as layers are."""
    a, b = tuple(before or ()), tuple(after or ())

    def cost(i: int, j: int) -> int | None:
        return pair_cost(a[i].kind == b[j].kind, a[i].arguments(), b[j].arguments())

    changes: list[FieldChange] = []
    for first, second in aligned(a, b, cost):
        changes += _changes(field, first, second)
    return tuple(changes)


def json_value(value: object) -> Any:
    """A value of a document as JSON has it; a component as its kind and what is not its default."""
    if isinstance(value, Component):
        brief = {name: json_value(part) for name, part in value.non_default_arguments().items()}
        return {value.kind: brief} if brief else value.kind
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple | list):
        return [json_value(part) for part in value]
    if isinstance(value, dict):
        return {name: json_value(part) for name, part in value.items()}
    return value
