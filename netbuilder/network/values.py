"""What is known of the values after a layer, whatever the weights and the image are.

Nothing is computed from weights: each kind of layer says how the `Values` of its output follow from
those of its input, in evaluation mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

from netbuilder.components.kind_groups import (
    BATCH_NORMS,
    CONVOLUTIONS,
    DROPOUTS,
    INSTANCE_NORMS,
    TRANSPOSED_CONVOLUTIONS,
)
from netbuilder.components.shapes import format_shape
from netbuilder.network.ranges import FUNCTIONS, INFINITY, elementwise_range
from netbuilder.network.rows import Row

# fmt: off

REORDERING = ("ChannelShuffle", "Flatten", "Permute", "PixelShuffle", "PixelUnshuffle", "Unflatten")
"""Kinds that move values and change none."""

COPYING = (
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ReflectionPad1d", "ReflectionPad2d",
    "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d",
    "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
)
"""Kinds whose output has values of the input, or means of them, and leaves out or repeats some."""

CLIPPING = ("Hardsigmoid", "Hardswish", "Hardtanh", "ReLU", "ReLU6", "Threshold")
"""Kinds that give all inputs below some number one value, so that these have no gradient."""

CLAMPS = ("Hardtanh", "ReLU", "ReLU6")
"""Kinds that change no value in the range of their output."""

LINEAR_ABOVE_0 = ("CELU", "ELU", "LeakyReLU", "PReLU", "RReLU")
"""Kinds that change no value above 0."""

SOFTMAXES = ("LogSoftmax", "Softmax", "Softmax2d", "Softmin")

PADDING = (
    "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "Unfold", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d",
)
"""Kinds whose output has values of the input, and constants."""

POOLING = (
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d",
    "MaxPool2d", "MaxPool3d",
)

SAMPLE_NORMS = (*INSTANCE_NORMS, "GroupNorm", "LayerNorm", "RMSNorm")
"""Kinds that normalize each sample alone."""

UNBOUNDED = (*BATCH_NORMS, "Fold", "LPPool1d", "LPPool2d", "LPPool3d", "LocalResponseNorm")
"""Kinds of whose output nothing is known."""

FREE = (*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS, "Linear")
"""Kinds that can give each output value any number."""

# fmt: on


@dataclass(frozen=True)
class Group:
    """Output values that add up to 1, or whose exponentials do.

    Attributes:
        is_log: Whether the values are logarithms.
        count: The number of such groups in a sample; 1 if the group is all of it.
        axis: The axis of the sample along which the values lie; None once values have moved.
    """

    is_log: bool
    count: int
    axis: int | None


class Constant(NamedTuple):
    """A layer after which nothing depends on the image, the reason, and what to do."""

    row: Row
    reason: str
    remedy: str = "remove it"


@dataclass(frozen=True)
class Values:
    """What is known of the values of a tensor.

    Attributes:
        low: No value is below it.
        high: No value is above it.
        origin: The layer after which this is known; None for the input.
        group: The groups in which the values are normalized, if they are.
        source: The layer whose weights can move all values near any one number of the range at
            once; None if no layer is known to.
        constant: Why the values are equal for all images; None if they are not.
        removals: The layers that cut off or remove single values, on which no further layer works.
    """

    low: float = -INFINITY
    high: float = INFINITY
    origin: Row | None = None
    group: Group | None = None
    source: Row | None = None
    constant: Constant | None = None
    removals: tuple[Row, ...] = ()

    @property
    def width(self) -> float:
        """The largest difference between two values."""
        return self.high - self.low if self.high > self.low else 0.0

    def hull(self, *numbers: float) -> Values:
        """Return the values with the range extended to these numbers."""
        return replace(self, low=min(self.low, *numbers), high=max(self.high, *numbers))

    def by(self, row: Row) -> Values:
        """Return the values as the output of a layer that computes new ones from them."""
        return replace(self, origin=row, group=None, removals=())


def after_leaf(row: Row, values: Values) -> Values:
    """Return the values after a layer that is not a container."""
    kind = row.kind
    if kind == "Identity" or _is_identity(row):
        return values
    if kind in REORDERING:
        moved = values.group and replace(values.group, axis=None)
        return replace(values, group=moved)
    if kind in DROPOUTS:
        return _after_dropout(row, values)
    if kind in FREE:
        return Values(origin=row, source=row, constant=values.constant)
    if kind in SOFTMAXES:
        return _after_softmax(row, values)
    if kind in FUNCTIONS:
        low, high = elementwise_range(row.layer, values.low, values.high)
        is_same = (low, high) == (values.low, values.high)
        if is_same and (kind in CLAMPS or (kind in LINEAR_ABOVE_0 and low >= 0)):
            return values
        removals = (row,) if kind in CLIPPING else ()
        constant = values.constant
        if low == high and constant is None:
            constant = Constant(row, f"its output is always {low:g} for such an input")
        return replace(values.by(row), low=low, high=high, constant=constant, removals=removals)
    rule = _RULES.get(kind)
    return rule(row, values) if rule else Values(origin=row, constant=values.constant)


def _is_identity(row: Row) -> bool:
    """Whether a layer is a pooling that reads one position for each output position."""
    if row.kind not in POOLING or row.input_shape != row.output_shape:
        return False
    fields = row.arguments
    return row.kind.startswith("Adaptive") or (
        set(fields["kernel_size"]) == {1}
        and not any(fields.get("padding", ()))
        and fields.get("divisor_override") in (None, 1)
    )


def _after_dropout(row: Row, values: Values) -> Values:
    p = row.arguments["p"]
    if p == 0:
        return values
    if p == 1 and values.constant is None:
        constant = Constant(row, "it removes every value in training", "use a p below 1")
        values = replace(values, constant=constant, origin=row)
    return replace(values, removals=(*values.removals, row))


def softmax_axis(row: Row) -> int:
    """Return the axis of a sample along which a kind of `SOFTMAXES` normalizes."""
    layer: Any = row.layer
    axis: int = layer.axis(row.input_shape)
    return axis


def axis_of_one_value(row: Row) -> Constant | None:
    """Return why a layer that normalizes single values has a constant output, if it does."""
    x, kind = row.input_shape, row.kind
    if kind == "LayerNorm" and prod(row.arguments["normalized_shape"]) == 1:
        return Constant(row, "it normalizes single values, and leaves nothing of them")
    if kind not in SOFTMAXES or x[softmax_axis(row)] > 1:
        return None
    only = 0 if kind == "LogSoftmax" else 1
    dim = row.arguments.get("dim")
    axis = "the channels" if dim is None else f"dim {dim}"
    reason = f"{axis} of its input {format_shape(x)} is one value, and its {kind} is always {only}"
    others = [dim for dim, size in enumerate(x, 1) if size > 1]
    remedy = (
        f"write {kind.removesuffix('2d')}: {others[0]}, or remove it" if others else "remove it"
    )
    return Constant(row, reason, remedy)


def _after_softmax(row: Row, values: Values) -> Values:
    x, axis = row.input_shape, softmax_axis(row)
    size, is_log = x[axis], row.kind == "LogSoftmax"
    group = Group(is_log, prod(x) // size, axis)
    before, is_same = values.group, False
    if before and before.is_log and row.kind != "Softmin" and before.count == group.count:
        is_same = group.count == 1 or before.axis == axis
    others = size - 1
    if is_same:  # the softmax of these logarithms is the probabilities themselves
        low, high = math.exp(values.low), math.exp(values.high)
    else:
        low = 1 / (1 + others * _exp(values.width)) if others else 1.0
        high = 1 / (1 + others * math.exp(-values.width))
    constant = values.constant or axis_of_one_value(row)
    if is_log:
        low, high = (math.log(p) if p else -INFINITY for p in (low, high))
    return Values(low, high, row, group, None, constant, values.removals)


def _exp(v: float) -> float:
    return math.exp(v) if v < 700 else INFINITY


def _after_pool(row: Row, values: Values) -> Values:
    """Max pooling selects values; average pooling takes means, of zeros too if it pads."""
    pooled, fields = values.by(row), row.arguments
    group = values.group
    if row.kind.startswith(("AdaptiveMax", "Max")):
        return replace(pooled, origin=values.origin)
    padded = any(fields.get("padding", ())) and fields["count_include_pad"]
    divisor = fields.get("divisor_override")
    if divisor:
        scale = prod(fields["kernel_size"]) / divisor
        pooled = replace(pooled, low=values.low * scale, high=values.high * scale)
    if padded or divisor:
        return pooled.hull(0.0, values.low, values.high)
    pooled = replace(pooled, origin=values.origin)
    if group and not group.is_log and group.axis == 0:  # the mean of probabilities is one
        return replace(pooled, group=replace(group, count=prod(row.output_shape[1:])))
    if group and not group.is_log and group.axis and _averages_axis(row, group.axis):
        size = row.input_shape[group.axis]
        reason = (
            f"it averages along the axis of {size} values that add up to 1: always {1 / size:g}"
        )
        constant = Constant(row, reason, "normalize the channels in place of that axis")
        return replace(pooled, constant=values.constant or constant)
    return pooled


def _averages_axis(row: Row, axis: int) -> bool:
    """Whether each output of an average pooling is a mean over whole lines along an axis."""
    kernel = row.arguments.get("kernel_size")
    whole = kernel is None or kernel[axis - 1] == row.input_shape[axis]
    return row.output_shape[axis] == 1 and whole


def _after_copy(row: Row, values: Values) -> Values:
    if row.arguments.get("mode") == "bicubic":  # its weights are negative too
        return Values(origin=row, constant=values.constant)
    return replace(values, group=None, removals=())


def _after_padding(row: Row, values: Values) -> Values:
    return replace(values.by(row), source=None).hull(row.arguments.get("value", 0.0))


def _after_norm(row: Row, values: Values) -> Values:
    """Normalization of each sample; of n values with mean 0, none is above the root of n - 1."""
    fields, x = row.arguments, row.input_shape
    match row.kind:
        case "LayerNorm" | "RMSNorm":
            size, is_affine = prod(fields["normalized_shape"]), fields["elementwise_affine"]
        case "GroupNorm":
            size, is_affine = prod(x) // fields["num_groups"], fields["affine"]
        case _:
            size, is_affine = prod(x[1:]), fields["affine"]
            if fields["track_running_stats"]:
                return Values(origin=row, constant=values.constant)
    constant = values.constant or axis_of_one_value(row)
    limit = INFINITY if is_affine else math.sqrt(size if row.kind == "RMSNorm" else size - 1)
    return Values(-limit, limit, row, constant=constant)


def _after_gate(row: Row, values: Values) -> Values:
    """Values times factors between 0 and 1."""
    if row.arguments.get("scale_activation", "Sigmoid") not in ("Sigmoid", "Hardsigmoid"):
        return Values(origin=row, source=values.source, constant=values.constant)
    return values.by(row).hull(0.0)


_RULES: dict[str, Callable[[Row, Values], Values]] = {
    **dict.fromkeys(COPYING, _after_copy),
    **dict.fromkeys(PADDING, _after_padding),
    **dict.fromkeys(POOLING, _after_pool),
    **dict.fromkeys(SAMPLE_NORMS, _after_norm),
    "GLU": _after_gate,
    "SqueezeExcitation": _after_gate,
}
