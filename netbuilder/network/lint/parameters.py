"""Advice on what a network learns: what is lost again, and where its parameters sit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import prod

from netbuilder.components.layers.base import Layer
from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import Parallel, Sequential
from netbuilder.config.schema import Place
from netbuilder.network.analysis import Analysis, Row
from netbuilder.network.lint.base import CONVOLUTIONS, Finding, kernel_size, leaf_rows

TRANSPOSED = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")

NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")

DROPOUTS = (
    "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout",
)  # fmt: skip

NEGATIVE_FREE = ("ReLU", "ReLU6")

SOFTMAXES = ("LogSoftmax", "Softmax")

TRANSPARENT = ("Flatten", "Identity", "Unflatten", "Permute")

CARRIERS = ("Identity", "MaxPool1d", "MaxPool2d", "MaxPool3d")
"""Kinds behind which a bias is what it was before."""


def bias_before_norm(analysis: Analysis) -> Finding:
    """A bias that batch normalisation takes away again."""
    lost: dict[object, list[tuple[Row, Row]]] = {}
    for chain in _chains(analysis):
        for row, behind in pairwise(chain):
            # The bias of Linear lies along the last axis, that of the normalisation on the first.
            biased = row.kind in CONVOLUTIONS + TRANSPOSED or (
                row.kind == "Linear" and len(row.output_shape) == 1
            )
            if behind.kind in NORMS and biased and row.arguments["bias"]:
                lost.setdefault(_written_at(analysis, row), []).append((row, behind))
    uses: dict[object, int] = {}
    for row in leaf_rows(analysis) if lost else []:
        at = _written_at(analysis, row)
        uses[at] = uses.get(at, 0) + 1
    for at, pairs in lost.items():
        # A layer of a block that is used without normalisation, too, needs its bias there.
        if len(pairs) < uses[at]:
            continue
        row, behind = pairs[0]
        saved = sum(row.output_shape[0] for row, _ in pairs)
        where = f" in the {len(pairs):,} layers that it stands for" if len(pairs) > 1 else ""
        yield (
            (*row.place, "bias"),
            f"{behind.kind} behind it subtracts the mean, and the bias with it",
            f"write bias: false; that saves {saved:,} parameters{where}",
        )


def _written_at(analysis: Analysis, row: Row) -> object:
    """What is the same for all layers that come from one place of the text."""
    problem = analysis.architecture.problem(row.place, "")
    return problem.file, problem.line, problem.column, problem.field


def _chains(analysis: Analysis) -> Iterator[list[Row]]:
    """Runs of leaves each of which alone reads the one before.

    Identity and max pooling, which move a bias through unchanged, are left out.
    """
    ends: list[int] = []
    chain: list[Row] = []
    for position, row in enumerate(analysis.rows):
        joins = isinstance(row.layer, Container) and not isinstance(row.layer, Sequential)
        # The first layer of a branch reads what others read too, the last is joined with others.
        parent_branch = _branch(row)
        if joins or parent_branch or position in ends:
            yield chain
            chain = []
        if joins:
            ends.append(position + 1 + row.descendants)
        if not isinstance(row.layer, Container) and row.kind not in CARRIERS:
            chain.append(row)
    yield chain


def _branch(row: Row) -> bool:
    """Whether a layer is the first of a branch, or what stands behind a join."""
    steps = [step for step in row.place if isinstance(step, str)]
    first = len(row.place) >= 2 and row.place[-2] == 0
    return "activation" in steps[-2:] or (
        first and any(step in ("body", "shortcut", "branches") for step in steps[-3:])
    )


def before_output(analysis: Analysis) -> Finding:
    """What cuts off or throws away scores that nothing makes up for."""
    for place, layer, through in _last(analysis.architecture.layers, ("layers",), ""):
        where = f"right before the output{through}"
        if layer.kind in NEGATIVE_FREE:
            yield (
                place,
                f"{layer.kind} {where}: no score can be below zero, and a class whose score is cut "
                "off for an image learns nothing from it",
                "remove it, the loss takes scores as they are",
            )
        elif layer.kind in DROPOUTS and layer.arguments()["p"] > 0:
            yield (
                place,
                f"{layer.kind} {where} takes scores away while training, at random",
                "move it before the last layer with weights",
            )


def _last(
    layers: Sequence[Layer], place: Place, through: str
) -> Iterator[tuple[Place, Layer, str]]:
    """The layers from which the output's values come one by one, and what is behind them."""
    for position in reversed(range(len(layers))):
        layer = layers[position]
        here = (*place, position, layer.kind)
        if layer.kind in TRANSPARENT:
            continue
        if layer.kind in SOFTMAXES:
            through = f" and its {layer.kind}"
            continue
        if not isinstance(layer, Container):
            yield here, layer, through
            if layer.kind in NEGATIVE_FREE + DROPOUTS:
                continue
        elif behind := layer.tail():
            [(_, inside, inner)] = behind.named_layers()
            yield (*here, *inside), inner, through
        elif isinstance(layer, Sequential) or (
            isinstance(layer, Parallel) and layer.join == "concat"
        ):
            for chain in layer.child_branches():
                yield from _last(chain.layers, (*here, *chain.place), through)
            if isinstance(layer, Sequential) and all(
                inner.kind in TRANSPARENT for inner in layer.layers
            ):
                continue
        return


def most_parameters(analysis: Analysis) -> Finding:
    """A layer with more than half of everything that is learnt."""
    leaves = leaf_rows(analysis)
    # Of two layers with weights one always has half.
    weighted = [row for row in leaves if row.macs and row.parameters]
    for row in weighted if len(weighted) > 2 else []:
        share = row.parameters / analysis.parameters
        if share > 1 / 2:
            yield (
                row.place,
                f"it holds {share:.0%} of all parameters, {row.parameters:,} of "
                f"{analysis.parameters:,}",
                _lighter(row, leaves),
            )


def _lighter(row: Row, leaves: Sequence[Row]) -> str:
    """What makes a layer lighter."""
    outputs = row.output_shape[0]
    biases = outputs if row.arguments.get("bias") else 0
    before = leaves[: leaves.index(row)]
    # What nothing has looked at yet, as the input itself, is not to be averaged.
    looked_at = any(each.parameters for each in before)
    if row.kind == "Linear":
        fewer = "give it fewer features on either side"
        # What stands between, an activation or dropout, changes no shape.
        shaping = (each for each in reversed(before) if each.input_shape != each.output_shape)
        flatten = next(shaping, None)
        if looked_at and flatten and flatten.kind == "Flatten" and len(flatten.output_shape) == 1:
            channels, *axes = flatten.input_shape
            if prod(axes) > 1:
                return (
                    f"average the map before it (AdaptiveAvgPool{len(axes)}d: 1 in front of "
                    f"Flatten leaves it {channels * outputs + biases:,}), or {fewer}"
                )
        return fewer
    fewer = "give it fewer channels on either side"
    kernel = kernel_size(row)
    if prod(kernel) == 1 or not kernel:
        return fewer
    if looked_at and prod(row.output_shape[1:]) == 1 < prod(row.input_shape[1:]):
        left = (row.parameters - biases) // prod(kernel) + biases
        return (
            f"average the map before it (AdaptiveAvgPool{len(kernel)}d: 1 and a kernel of 1 leave "
            f"it {left:,}), or {fewer}"
        )
    return f"{fewer}, or a smaller kernel"


RULES: tuple[Callable[[Analysis], Finding], ...] = (
    bias_before_norm,
    before_output,
    most_parameters,
)
