"""What is known of the output values of a network: the walk over its layers and joins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netbuilder.components.layers.container import Container
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.network.values import Group, Values, after_leaf


def output_values(analysis: Analysis) -> Values:
    """Return what is known of the output values of a network without a fault."""
    rows = iter(analysis.rows)
    values = Values()
    for _ in analysis.architecture.layers:
        values = _after(rows, values)
    return values


def _after(rows: Iterator[Row], values: Values) -> Values:
    """Return the values after the next layer of ``rows``, which precedes the layers in it."""
    row = next(rows)
    layer = row.layer
    if not isinstance(layer, Container):
        return after_leaf(row, values)
    share = replace(values, group=None) if row.arguments.get("split") else values
    branches = []
    for branch in layer.child_branches():
        output = share
        for _ in branch.layers:
            output = _after(rows, output)
        branches.append(output)
    joint = branches[0] if row.kind == "Sequential" else _join(row, branches)
    return _after(rows, joint) if layer.tail() else joint


def _join(row: Row, branches: Sequence[Values]) -> Values:
    """Return the values of a container whose branches are merged by its ``join``."""
    if row.kind not in ("Parallel", "Residual"):  # of a plugin
        return Values(origin=row)
    merge = {"add": _sum, "mean": _sum, "multiply": _product, "concat": _concatenation}
    join = row.arguments["join"]
    # Branches that one layer moves may cancel out each other.
    sources = {id(branch.source) for branch in branches if branch.source}
    joint = merge[join](row, branches)
    if len(sources) < len(branches) and join != "concat":
        joint = replace(joint, source=None)
    constants = [branch.constant for branch in branches]
    return replace(joint, constant=constants[0] if all(constants) else None)


def _sum(row: Row, branches: Sequence[Values]) -> Values:
    count = len(branches) if row.arguments["join"] == "mean" else 1
    groups = {branch.group for branch in branches}
    group = groups.pop() if count > 1 and len(groups) == 1 else None
    return Values(
        low=sum(branch.low for branch in branches) / count,
        high=sum(branch.high for branch in branches) / count,
        # A mean of probabilities is a probability; a mean of logarithms is not one.
        group=None if group and group.is_log else group,
        origin=branches[0].origin if group and not group.is_log else row,
        source=row if all(branch.source for branch in branches) else None,
    )


def _product(row: Row, branches: Sequence[Values]) -> Values:
    low, high = branches[0].low, branches[0].high
    for branch in branches[1:]:
        ends = [a * b if a and b else 0.0 for a in (low, high) for b in (branch.low, branch.high)]
        low, high = min(ends), max(ends)
    is_free = all(branch.source and branch.high > 0 for branch in branches)
    return Values(low, high, origin=row, source=row if is_free else None)


def _concatenation(row: Row, branches: Sequence[Values]) -> Values:
    groups = [branch.group for branch in branches]
    group = None
    if (first := groups[0]) and all(item and item.is_log == first.is_log for item in groups):
        group = Group(first.is_log, sum(item.count for item in groups if item), None)
    return Values(
        low=min(branch.low for branch in branches),
        high=max(branch.high for branch in branches),
        origin=branches[0].origin if group else row,
        group=group,
        source=row if all(branch.source for branch in branches) else None,
        removals=tuple(removal for branch in branches for removal in branch.removals),
    )
