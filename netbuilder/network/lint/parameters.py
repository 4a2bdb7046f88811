"""Lint rules on parameters: those without effect, and those in one large layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod

from netbuilder.components.kind_groups import BATCH_NORMS, CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS
from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import Sequential
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Evidence, Finding, Rule, kernel_size, leaf_rows
from netbuilder.network.rows import Row

SHIFT_INVARIANT = ("Identity", "MaxPool1d", "MaxPool2d", "MaxPool3d")
"""Kinds for which a constant added to a channel of the input is added to the output."""


def bias_before_norm(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """A bias precedes batch normalization, which subtracts it again."""
    useless: dict[object, list[tuple[Row, Row]]] = {}
    for run in _linear_runs(analysis):
        for row, following in pairwise(run):
            if following.kind in BATCH_NORMS and _has_channel_bias(row):
                useless.setdefault(_source(analysis, row), []).append((row, following))
    uses: dict[object, int] = {}
    for row in leaf_rows(analysis) if useless else []:
        source = _source(analysis, row)
        uses[source] = uses.get(source, 0) + 1
    for source, pairs in useless.items():
        # A layer of a block that is also used without normalization needs its bias.
        if len(pairs) < uses[source]:
            continue
        row, norm = pairs[0]
        saved = sum(row.output_shape[0] for row, _ in pairs)
        where = f" in the {len(pairs):,} layers built from it" if len(pairs) > 1 else ""
        yield Finding(
            (*row.place, "bias"),
            f"{norm.kind} after it subtracts the mean, and the bias with it",
            f"write bias: false; that saves {saved:,} parameters{where}",
        )


def _has_channel_bias(row: Row) -> bool:
    """Whether a layer adds a bias along the axis that normalization works on, the first."""
    # The bias of Linear lies along the last axis.
    biased = row.kind in CONVOLUTIONS + TRANSPOSED_CONVOLUTIONS or (
        row.kind == "Linear" and len(row.output_shape) == 1
    )
    return biased and bool(row.arguments["bias"])


def _source(analysis: Analysis, row: Row) -> object:
    """The place in the text, equal for all layers that are built from it."""
    problem = analysis.architecture.problem(row.place, "")
    return problem.file, problem.line, problem.column, problem.field


def _linear_runs(analysis: Analysis) -> Iterator[list[Row]]:
    """Runs of layers in which each layer is the only one that reads the output of the previous.

    Layers that pass a bias on unchanged are left out.
    """
    ends: set[int] = set()
    run: list[Row] = []
    for position, row in enumerate(analysis.rows):
        joins = isinstance(row.layer, Container) and not isinstance(row.layer, Sequential)
        # Several branches read the input of their first layer, and the last is joined with others.
        if joins or _starts_branch(row) or position in ends:
            yield run
            run = []
        if joins:
            ends.add(position + 1 + row.descendants)
        if not isinstance(row.layer, Container) and row.kind not in SHIFT_INVARIANT:
            run.append(row)
    yield run


def _starts_branch(row: Row) -> bool:
    """Whether a layer is the first of a branch, or the activation after a join."""
    steps = [step for step in row.place if isinstance(step, str)]
    first = len(row.place) >= 2 and row.place[-2] == 0
    return "activation" in steps[-2:] or (
        first and any(step in ("body", "shortcut", "branches") for step in steps[-3:])
    )


def most_parameters(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """One layer has more than half of all parameters."""
    leaves = leaf_rows(analysis)
    weighted = [row for row in leaves if row.macs and row.parameters]
    if len(weighted) <= 2:  # of two layers, one always has half
        return
    total = analysis.parameters
    for row in weighted:
        share = row.parameters / total
        if share > 1 / 2:
            yield Finding(
                row.place,
                f"it holds {share:.0%} of all parameters, {row.parameters:,} of {total:,}",
                _reduction(row, leaves),
            )


def _reduction(row: Row, leaves: Sequence[Row]) -> str:
    """How to reduce the parameters of a layer."""
    previous = leaves[: next(i for i, leaf in enumerate(leaves) if leaf is row)]
    # The input itself, before any layer with parameters, is not to be averaged.
    learned = any(earlier.parameters for earlier in previous)
    if row.kind == "Linear":
        return _linear_reduction(row, previous if learned else ())
    fewer = "give it fewer channels on either side"
    kernel = kernel_size(row)
    if prod(kernel) == 1 or not kernel:
        return fewer
    if learned and prod(row.output_shape[1:]) == 1 < prod(row.input_shape[1:]):
        biases = _biases(row)
        remaining = (row.parameters - biases) // prod(kernel) + biases
        return (
            f"average the map before it (AdaptiveAvgPool{len(kernel)}d: 1 and a kernel of 1 leave "
            f"it {remaining:,}), or {fewer}"
        )
    return f"{fewer}, or a smaller kernel"


def _linear_reduction(row: Row, previous: Sequence[Row]) -> str:
    """How to reduce the parameters of a Linear layer after these layers."""
    fewer = "give it fewer features on either side"
    # Activations and dropout between the two change no shape.
    reshaping = (layer for layer in reversed(previous) if layer.input_shape != layer.output_shape)
    flatten = next(reshaping, None)
    if flatten and flatten.kind == "Flatten" and len(flatten.output_shape) == 1:
        channels, *axes = flatten.input_shape
        if prod(axes) > 1:
            remaining = channels * row.output_shape[0] + _biases(row)
            return (
                f"average the map before it (AdaptiveAvgPool{len(axes)}d: 1 in front of Flatten "
                f"leaves it {remaining:,}), or {fewer}"
            )
    return fewer


def _biases(row: Row) -> int:
    return row.output_shape[0] if row.arguments.get("bias") else 0


RULES = (
    Rule("bias-before-norm", bias_before_norm),
    Rule("most-parameters", most_parameters),
)
