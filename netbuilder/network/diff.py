"""The difference between two documents: layers, training settings and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from netbuilder.components.component import Component
from netbuilder.network.alignment import align_sequences, pair_cost
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.network.tree_alignment import align_rows


@dataclass(frozen=True)
class FieldChange:
    """A field whose value differs.

    Attributes:
        field: Its path, such as ``train.optimizer.SGD.lr``.
        before: The first value, as JSON; None if the first document has none.
        after: The second value, as JSON; None if the second document has none.
    """

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class LayerChange:
    """A layer of one document, or a pair of matching layers.

    Attributes:
        change: ``added``, ``removed``, ``changed`` (the arguments differ) or ``kept``.
        before: The row in the first document; None if the layer was added.
        after: The row in the second document; None if the layer was removed.
        arguments: The arguments that differ; their paths start at the layer.
    """

    change: Literal["added", "removed", "changed", "kept"]
    before: Row | None
    after: Row | None
    arguments: tuple[FieldChange, ...] = ()

    @property
    def row(self) -> Row:
        """The row in the second document, or in the first if the layer was removed."""
        row = self.after or self.before
        assert row is not None, "a change has at least one side"
        return row

    @property
    def affected(self) -> bool:
        """Whether the shape, receptive field, parameters or multiply-accumulates differ."""
        if self.before is None or self.after is None:
            return True
        return _measures(self.before) != _measures(self.after)

    @property
    def same(self) -> bool:
        """Whether neither the layer nor any of its measures differs."""
        return self.change == "kept" and not self.affected


@dataclass(frozen=True)
class ArchitectureDiff:
    """The difference between two documents.

    Attributes:
        before: The analysis of the first document.
        after: The analysis of the second document.
        layers: All rows of both, in order; up to the fault if a document has one.
        document: The differences in ``input`` and ``init``.
        train: The differences in the training settings.
        targets: The differences in the targets.
    """

    before: Analysis
    after: Analysis
    layers: tuple[LayerChange, ...]
    document: tuple[FieldChange, ...]
    train: tuple[FieldChange, ...]
    targets: tuple[FieldChange, ...]

    def __bool__(self) -> bool:
        """Whether anything differs; names, titles, notes and references do not count."""
        layers = any(not layer.same for layer in self.layers)
        return layers or bool(self.fields) or self.differs_after_fault or len(set(self._faults)) > 1

    @property
    def differs_after_fault(self) -> bool:
        """Whether layers after a fault differ, for which there are no rows."""
        sides = (self.before.architecture.layers, self.after.architecture.layers)
        return any(self._faults) and json_value(sides[0]) != json_value(sides[1])

    @property
    def _faults(self) -> tuple[tuple[str, str] | None, ...]:
        """The fault of each side without its line, which a comment above it would change."""
        faults = (self.before.fault, self.after.fault)
        return tuple((fault.field, fault.message) if fault else None for fault in faults)

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """All differences other than those of layers."""
        return self.document + self.train + self.targets

    def count(self, change: str) -> int:
        """The number of layers that were ``added``, ``removed``, ``changed`` or ``kept``."""
        return sum(layer.change == change for layer in self.layers)


def diff_architectures(before: Analysis, after: Analysis) -> ArchitectureDiff:
    """Compare two documents; rows are paired at the lowest total cost of changes."""
    pairs = align_rows(before.rows, after.rows)
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


def _measures(row: Row) -> tuple[object, ...]:
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
    """The differences between two values of a document, as deep as both have the same fields."""
    if before == after:
        return ()
    if _is_components(before) and _is_components(after):
        return _component_lists(field, before, after)
    if isinstance(before, Component) or isinstance(after, Component):
        if type(before) is type(after):
            assert isinstance(before, Component)
            assert isinstance(after, Component)
            return _mappings(f"{field}.{before.kind}", before.arguments(), after.arguments())
        return (FieldChange(field, json_value(before), json_value(after)),)
    if hasattr(before, "model_fields_set") or hasattr(after, "model_fields_set"):
        # A section that one document lacks counts as one without any field.
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
    return isinstance(value, tuple) and all(isinstance(item, Component) for item in value)


def _component_lists(
    field: str, before: Sequence[Component] | None, after: Sequence[Component] | None
) -> tuple[FieldChange, ...]:
    """The differences between two lists of augmentations or schedulers, aligned as layers are."""
    a, b = tuple(before or ()), tuple(after or ())

    def cost(i: int, j: int) -> int | None:
        return pair_cost(a[i].kind == b[j].kind, a[i].arguments(), b[j].arguments())

    changes: list[FieldChange] = []
    for first, second in align_sequences(a, b, cost):
        changes += _changes(field, first, second)
    return tuple(changes)


def json_value(value: object) -> Any:
    """Convert a value of a document to JSON; a component to its kind and non-default arguments."""
    if isinstance(value, Component):
        arguments = {name: json_value(v) for name, v in value.non_default_arguments().items()}
        return {value.kind: arguments} if arguments else value.kind
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple | list):
        return [json_value(item) for item in value]
    if isinstance(value, dict):
        return {name: json_value(item) for name, item in value.items()}
    return value
