"""What differs between two documents: layer by layer, in training and in targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from netbuilder.analysis import Analysis, Row
from netbuilder.component import Component

T = TypeVar("T")

GAP = 10
"""What it costs to leave an entry alone. Two of them cost more than any pair of one kind."""
CHANGED, PER_ARGUMENT, MOST_CHANGED = 6, 2, 16
"""What a pair of one kind costs: its first argument that differs, each further one, at most."""
ELSEWHERE = 1
"""What it costs more where a pair stands in another depth or branch."""
CELLS = 1_000_000
"""Pairs that are looked at; beyond, only those near the diagonal."""


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
class Difference:
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
        return any(self._faults) and as_json(sides[0]) != as_json(sides[1])

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


def difference(before: Analysis, after: Analysis) -> Difference:
    """What differs from ``before`` to ``after``; rows are paired so that the least has changed."""
    pairs = _aligned(before.rows, after.rows, _row_costs(before.rows, after.rows))
    first, second = before.architecture, after.architecture
    return Difference(
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


# --- alignment -----------------------------------------------------------------------------------

Cost = Callable[[int, int], int | None]
"""What pairing entry i of one side with entry j of the other costs; None where it cannot be."""


def _row_costs(before: Sequence[Row], after: Sequence[Row]) -> Cost:
    # Equal kinds and arguments get one number: thousands of layers are mostly the same few.
    numbers: dict[str, int] = {}
    known: list[Row] = []

    def number(row: Row) -> int:
        key = f"{row.kind} {row.arguments!r}"
        if key not in numbers:
            numbers[key] = len(known)
            known.append(row)
        return numbers[key]

    firsts, seconds = list(map(number, before)), list(map(number, after))
    branches = [[row.name.rpartition(".")[0] for row in rows] for rows in (before, after)]
    costs: dict[tuple[int, int], int | None] = {}

    def cost(i: int, j: int) -> int | None:
        pair = firsts[i], seconds[j]
        if pair not in costs:
            a, b = (known[n] for n in pair)
            costs[pair] = _pair_cost(a.kind == b.kind, a.arguments, b.arguments)
        found = costs[pair]
        if found is None:
            return None
        stays = before[i].depth == after[j].depth and branches[0][i] == branches[1][j]
        return found if stays else found + ELSEWHERE

    return cost


def _pair_cost(alike: bool, a: Mapping[str, Any], b: Mapping[str, Any]) -> int | None:
    if not alike:
        return None
    differing = sum(a.get(name) != b.get(name) for name in {*a, *b})
    return min(CHANGED + PER_ARGUMENT * (differing - 1), MOST_CHANGED) if differing else 0


def _aligned(
    before: Sequence[T], after: Sequence[T], cost: Cost
) -> list[tuple[T | None, T | None]]:
    """Both sequences in order, entries paired at the least cost (Needleman and Wunsch, 1970)."""
    start, end = 0, 0
    shortest = min(len(before), len(after))
    while start < shortest and cost(start, start) == 0:
        start += 1
    while end < shortest - start and cost(len(before) - 1 - end, len(after) - 1 - end) == 0:
        end += 1
    n, m = len(before) - start - end, len(after) - start - end
    pairs: list[tuple[T | None, T | None]] = []
    pairs += zip(before[:start], after[:start], strict=True)
    for i, j in _middle(n, m, lambda i, j: cost(start + i, start + j)):
        first = None if i is None else before[start + i]
        pairs.append((first, None if j is None else after[start + j]))
    pairs += zip(before[start + n :], after[start + m :], strict=True)
    return pairs


def _middle(n: int, m: int, cost: Cost) -> list[tuple[int | None, int | None]]:
    """The cheapest alignment of ``n`` entries with ``m``, as positions; None is a gap."""
    if not n or not m:
        return [(i, None) for i in range(n)] + [(None, j) for j in range(m)]
    reach = CELLS // n
    far = (n + m + 1) * GAP
    # steps[i] holds, from column lows[i] on, how (i, j) was reached: a pair, a gap below or beside.
    steps: list[bytearray] = []
    lows: list[int] = []
    above: list[int] = []
    for i in range(n + 1):
        middle = i * m // n
        low, high = max(0, middle - reach), min(m, middle + reach)
        here: list[int] = []
        how = bytearray()
        for j in range(low, high + 1):
            best, step = (0, 0) if i == j == 0 else (far, 0)
            if i and 0 <= (k := j - 1 - lows[-1]) < len(above):
                paired = cost(i - 1, j - 1)
                if paired is not None and above[k] + paired < best:
                    best, step = above[k] + paired, 1
            if j > low and here[-1] + GAP < best:
                best, step = here[-1] + GAP, 3
            if i and 0 <= (k := j - lows[-1]) < len(above) and above[k] + GAP < best:
                best, step = above[k] + GAP, 2
            here.append(best)
            how.append(step)
        above = here
        steps.append(how)
        lows.append(low)
    i, j = n, m
    found: list[tuple[int | None, int | None]] = []
    while i or j:
        step = steps[i][j - lows[i]]
        i, j = i - (step != 3), j - (step != 2)
        found.append((None if step == 3 else i, None if step == 2 else j))
    return found[::-1]


# --- fields --------------------------------------------------------------------------------------


def _changes(field: str, before: object, after: object) -> tuple[FieldChange, ...]:
    """What differs between two values of a document, as deep as both have the same parts."""
    if before == after:
        return ()
    if _is_components(before) and _is_components(after):
        return _component_lists(field, before, after)  # type: ignore[arg-type]  # as just seen
    if isinstance(before, Component) or isinstance(after, Component):
        if type(before) is type(after):
            assert isinstance(before, Component)
            assert isinstance(after, Component)
            named = f"{field}.{before.kind}"
            return _mappings(named, before.arguments(), after.arguments())
        return (FieldChange(field, as_json(before), as_json(after)),)
    if hasattr(before, "model_fields_set") or hasattr(after, "model_fields_set"):
        # A section that is missing on one side is one whose every field is.
        return _mappings(field, dict(before or {}), dict(after or {}))  # type: ignore[call-overload]
    return (FieldChange(field, as_json(before), as_json(after)),)


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
        return _pair_cost(a[i].kind == b[j].kind, a[i].arguments(), b[j].arguments())

    changes: list[FieldChange] = []
    for first, second in _aligned(a, b, cost):
        changes += _changes(field, first, second)
    return tuple(changes)


def as_json(value: object) -> Any:
    """A value of a document as JSON has it; a component as its kind and what is not its default."""
    if isinstance(value, Component):
        brief = {name: as_json(part) for name, part in value.brief().items()}
        return {value.kind: brief} if brief else value.kind
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple | list):
        return [as_json(part) for part in value]
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    return value
