"""What an experienced engineer would say of a sound network at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from netbuilder.analysis import Analysis, Row
from netbuilder.errors import Problem, printable
from netbuilder.layers import Layer
from netbuilder.layers.chains import Container
from netbuilder.layers.containers import Parallel, Sequential
from netbuilder.schema import Place
from netbuilder.shapes import spatial, written

GAP = 0.25
RATIO = 1.5
"""A run overfits where its test accuracy lies this many points below the training accuracy, and its
test errors are this many times those of training. Of the ten published iterations these are the
first, second, fourth and fifth, the first two of which say so."""
LEAST_LOSS = 1 / 50
"""A border is worth a word where it is at least this part of an axis."""
LAST_EPOCHS = 3


@dataclass(frozen=True)
class Evidence:
    """What is known beside the document.

    Attributes:
        metrics: the epochs of its last run, each with ``train_accuracy`` and ``test_accuracy``.
        diverged_at: the learning rate at which a range test diverged.
    """

    metrics: Sequence[Mapping[str, float]] = ()
    diverged_at: float | None = None


@dataclass(frozen=True)
class Advice:
    """One thing to think about: where, why, and what to do; ``rule`` names it for programs."""

    rule: str
    problem: Problem
    remedy: str

    def __str__(self) -> str:
        return printable(f"{self.problem}; {self.remedy}")


def advise(analysis: Analysis, evidence: Evidence) -> list[Advice]:
    """All advice on an architecture, in the order of its text; none on one that has a fault."""
    if analysis.fault:
        return []
    found: dict[object, Advice] = {}
    for rule in RULES:
        for place, reason, remedy in rule(analysis, evidence):
            problem = analysis.architecture.problem(place, reason)
            name = rule.__name__.strip("_").replace("_", "-")
            # A layer that is repeated is told once.
            key = (name, problem.file, problem.line, problem.column, problem.field)
            found.setdefault(key, Advice(name, problem, remedy))
    return sorted(found.values(), key=lambda advice: advice.problem)


Said = Iterator[tuple[Place, str, str]]
"""A place in the document, the reason, and what to do."""


def _leaves(analysis: Analysis) -> list[Row]:
    return [row for row in analysis.rows if not isinstance(row.layer, Container)]


def _kernel(row: Row) -> tuple[int, ...]:
    """The kernel of a convolution; empty for all else."""
    if row.kind in ("Conv1d", "Conv2d", "Conv3d"):
        kernel: tuple[int, ...] = row.arguments["kernel_size"]
        return kernel
    return ()


def _never_sees_all(analysis: Analysis, evidence: Evidence) -> Said:
    size, seen = spatial(analysis.architecture.input), analysis.receptive_field
    # The last that made it larger.
    widest = max(_leaves(analysis), key=lambda row: row.receptive_field, default=None)
    if widest and any(a < b for a, b in zip(seen, size, strict=True)):
        yield (
            widest.place,
            f"the output sees {written(seen)} of the {written(size)} input, never all of it",
            "add convolutions or pooling, or end with an average over the whole map",
        )


def _sees_all_before(analysis: Analysis, evidence: Evidence) -> Said:
    size = spatial(analysis.architecture.input)
    behind: list[Row] = []
    seen: tuple[int, ...] = (1,) * len(size)
    for row in analysis.rows:
        if isinstance(row.layer, Container):
            if not isinstance(row.layer, Sequential):
                break  # a path around the layers inside sees less
            continue
        kernel, whole = _kernel(row), all(a >= b for a, b in zip(seen, size, strict=True))
        # A kernel as large as its map is how the map becomes one position.
        collapses = all(k >= n for k, n in zip(kernel, row.input_shape[1:], strict=False))
        if whole and prod(kernel) > 1 and not collapses:
            behind.append(row)
        seen = row.receptive_field
    if len(behind) > 1:
        share = sum(row.parameters for row in behind) / (analysis.parameters or 1)
        yield (
            behind[0].place,
            f"a position in the middle sees all of the {written(size)} input before this layer; "
            f"{len(behind)} convolutions with larger kernels than 1 stand from here on, with "
            f"{share:.0%} of all parameters",
            "leave them out, take kernels of 1, or pool later",
        )


def _bias_before_norm(analysis: Analysis, evidence: Evidence) -> Said:
    for chain in _chains(analysis):
        for row, behind in pairwise(chain):
            if not behind.kind.startswith("BatchNorm") or not row.arguments.get("bias"):
                continue
            # The bias of Linear lies along the last axis, that of the normalisation on the first.
            if row.kind.startswith("Conv") or (row.kind == "Linear" and len(row.output_shape) == 1):
                yield (
                    (*row.place, "bias"),
                    f"{behind.kind} behind it subtracts the mean, and the bias with it",
                    f"write bias: false; that saves {row.output_shape[0]:,} parameters",
                )


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
            ends.append(position + 1 + row.inside)
        if not isinstance(row.layer, Container) and not (
            row.kind == "Identity" or row.kind.startswith("MaxPool")
        ):
            chain.append(row)
    yield chain


def _branch(row: Row) -> bool:
    """Whether a layer is the first of a branch, or what stands behind a join."""
    steps = [step for step in row.place if isinstance(step, str)]
    first = len(row.place) >= 2 and row.place[-2] == 0
    return "activation" in steps[-2:] or (
        first and any(step in ("body", "shortcut", "branches") for step in steps[-3:])
    )


NEGATIVE_FREE = ("ReLU", "ReLU6")


def _before_output(analysis: Analysis, evidence: Evidence) -> Said:
    ends = _last(analysis.architecture.layers, ("layers",))
    for place, layer in ends:
        if layer.kind in NEGATIVE_FREE:
            yield (
                place,
                f"{layer.kind} right before the output: no score can be below zero, and a class "
                "whose score is cut off for an image learns nothing from it",
                "remove it, the loss takes scores as they are",
            )
        elif "Dropout" in layer.kind and layer.arguments()["p"] > 0:
            yield (
                place,
                f"{layer.kind} right before the output sets scores to zero while training",
                "move it before the last layer with weights",
            )


TRANSPARENT = ("Flatten", "Identity", "Unflatten", "Permute")


def _last(layers: Sequence[Layer], place: Place) -> Iterator[tuple[Place, Layer]]:
    """The layers from which the values of the output come as they are."""
    for position in reversed(range(len(layers))):
        layer = layers[position]
        here = (*place, position, layer.kind)
        if layer.kind in TRANSPARENT:
            continue
        if not isinstance(layer, Container):
            yield here, layer
        elif behind := layer.behind():
            [(_, inside, inner)] = behind.members()
            yield (*here, *inside), inner
        elif isinstance(layer, Sequential) or (
            isinstance(layer, Parallel) and layer.join == "concat"
        ):
            for chain in layer.chains():
                yield from _last(chain.layers, (*here, *chain.place))
            if isinstance(layer, Sequential) and not any(
                inner.kind not in TRANSPARENT for inner in layer.layers
            ):
                continue
        return


def _most_parameters(analysis: Analysis, evidence: Evidence) -> Said:
    # Of two layers with weights one always has half.
    weighted = [row for row in _leaves(analysis) if row.macs and row.parameters]
    for row in weighted if len(weighted) > 2 else []:
        share = row.parameters / analysis.parameters
        if share > 1 / 2:
            yield (
                row.place,
                f"it holds {share:.0%} of all parameters, {row.parameters:,} of "
                f"{analysis.parameters:,}",
                "give it fewer channels on either side, or average or pool the map before it",
            )


def _kernel_on_one_position(analysis: Analysis, evidence: Evidence) -> Said:
    for row in _leaves(analysis):
        kernel = _kernel(row)
        if prod(kernel) > 1 and set(row.input_shape[1:]) == {1}:
            yield (
                (*row.place, "kernel_size"),
                f"the map is {written(row.input_shape[1:])}: of the {written(kernel)} kernel only "
                "one weight a channel meets it, the others meet padding",
                "write kernel_size: 1 and no padding",
            )


def _border_dropped(analysis: Analysis, evidence: Evidence) -> Said:
    for row in _leaves(analysis):
        arguments = row.arguments
        pads = arguments.get("padding", (0,) * 3)
        pooling = row.kind.startswith(("MaxPool", "AvgPool", "LPPool"))
        if not (pooling or _kernel(row)) or isinstance(pads, str) or arguments.get("ceil_mode"):
            continue
        kernel = arguments["kernel_size"]
        strides = arguments.get("stride") or kernel
        dilations = arguments.get("dilation", (1,) * len(kernel))
        axes = zip(row.input_shape[1:], kernel, strides, pads, dilations, strict=False)
        lost = [
            (size, dropped)
            for size, k, stride, pad, dilation in axes
            if (extent := dilation * (k - 1) + 1) >= stride > 1
            and (dropped := (size + 2 * pad - extent) % stride - pad) >= size * LEAST_LOSS
            and dropped > 0
        ]
        if lost:
            size, dropped = lost[0]
            yield (
                row.place,
                f"its windows leave out the last {dropped} of {size} positions of an axis "
                f"({written(row.input_shape)} becomes {written(row.output_shape)})",
                "pad, or choose the layers before it so that the size comes out even"
                + (", or write ceil_mode: true" if pooling else ""),
            )


def _overfits(analysis: Analysis, evidence: Evidence) -> Said:
    train, last = analysis.architecture.train, evidence.metrics[-LAST_EPOCHS:]
    if train is None or train.augment or not last:
        return
    fitted, tested = (
        sum(epoch[name] for epoch in last) / len(last)
        for name in ("train_accuracy", "test_accuracy")
    )
    if fitted - tested >= GAP and 100 - tested >= RATIO * (100 - fitted):
        yield (
            ("train", "augment"),
            f"the last run overfits: {fitted:.2f} on the training images and {tested:.2f} on the "
            f"test images, the mean of its last {len(last)} epochs, and no augmentation",
            "add one, such as augment: [{RandomRotation: 7}]",
        )


def _peak_diverges(analysis: Analysis, evidence: Evidence) -> Said:
    train, limit = analysis.architecture.train, evidence.diverged_at
    if train is None or limit is None:
        return
    for scheduler in train.scheduler:
        if scheduler.kind == "OneCycleLR" and scheduler.arguments()["max_lr"] > limit:
            yield (
                ("train", "scheduler", "OneCycleLR", "max_lr"),
                f"it rises to {scheduler.arguments()['max_lr']:g}, and the range test diverged at "
                f"{limit:g}",
                f"stay well below, such as at {limit / 4:.2g}",
            )


RULES: tuple[Callable[[Analysis, Evidence], Said], ...] = (
    _never_sees_all, _sees_all_before, _bias_before_norm, _before_output, _most_parameters,
    _kernel_on_one_position, _border_dropped, _overfits, _peak_diverges,
)  # fmt: skip
