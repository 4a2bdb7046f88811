"""Normalization."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from netbuilder._text import LARGEST, plural
from netbuilder.components.fields import Interval, Number, NumberList, Probability, Size
from netbuilder.components.layers.base import Unparametrized, Weighted, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


class _BatchNorm(Weighted, abstract=True):
    """Batch normalization of each channel; the number of features is inferred."""

    ranks: ClassVar[Mapping[int, str]]
    """The ranks of the samples that the kind accepts, each with the names of its axes."""

    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5  # a larger value is num_features by mistake
    momentum: Probability | None = 0.1
    affine: bool = True
    track_running_stats: bool = True

    def output_shape(self, x: Shape) -> Shape:
        if len(x) not in self.ranks:
            allowed = " or ".join(self.ranks.values())
            kinds = {1: "BatchNorm1d", 2: "BatchNorm1d", 3: "BatchNorm2d", 4: "BatchNorm3d"}
            kind = kinds.get(len(x))
            hint = f"use {kind}, or move it" if kind else "change the input"
            raise ShapeError(f"it takes {allowed}, found {format_shape(x)}; {hint}")
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else {}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        return {"num_features": x[0]}


class BatchNorm1d(_BatchNorm):
    """Applies batch normalization over (C) or (C, L); the number of features is inferred."""

    ranks: ClassVar = {1: "features", 2: "channels x length"}


class BatchNorm2d(_BatchNorm):
    """Applies batch normalization over (C, H, W); the number of features is inferred."""

    ranks: ClassVar = {3: "channels x height x width"}


class BatchNorm3d(_BatchNorm):
    """Applies batch normalization over (C, D, H, W); the number of features is inferred."""

    ranks: ClassVar = {4: "channels x depth x height x width"}


class _InstanceNorm(Weighted, abstract=True):
    """Normalization of each channel of each sample.

    The receptive field is the whole channel, unless running statistics replace those of the sample.
    """

    axes: ClassVar[int]

    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    momentum: Probability | None = 0.1
    affine: bool = False
    track_running_stats: bool = False

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        if prod(x[1:]) == 1:
            raise ShapeError(
                f"it normalizes over the positions of a channel, and {format_shape(x)} has only "
                "one; remove it, or downsample less before it"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else {}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field if self.track_running_stats else field.read_whole(x, *range(1, len(x)))

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        return {"num_features": x[0]}


class InstanceNorm1d(_InstanceNorm):
    """Applies instance normalization over (C, L), to each channel of each sample."""

    axes = 1


class InstanceNorm2d(_InstanceNorm):
    """Applies instance normalization over (C, H, W), to each channel of each sample."""

    axes = 2


class InstanceNorm3d(_InstanceNorm):
    """Applies instance normalization over (C, D, H, W), to each channel of each sample."""

    axes = 3


class GroupNorm(Weighted):
    """Applies group normalization over groups of channels and all positions of each sample."""

    inferred_first = False

    num_groups: Size
    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    affine: bool = True

    def output_shape(self, x: Shape) -> Shape:
        if x[0] % self.num_groups:
            raise ShapeError(
                f"num_groups {self.num_groups} does not divide the {plural(x[0], 'channel')} of "
                f"{format_shape(x)}; change one of the two"
            )
        if prod(x) == self.num_groups:
            raise ShapeError(
                f"each of {self.num_groups} groups of {format_shape(x)} holds one value; "
                "use fewer groups"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else {}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        groups = Window.grouped(x[0], x[0], self.num_groups)
        return field.read(groups, *map(Window.whole, x[1:]))

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        return {"num_channels": x[0]}


class LocalResponseNorm(Unparametrized):
    """Applies local response normalization over ``size`` neighboring channels."""

    size: Size
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0

    def output_shape(self, x: Shape) -> Shape:
        if len(x) < 2:
            raise ShapeError(f"it takes channels and positions, found {format_shape(x)}; move it")
        return x

    def has_own_module(self, x: Shape) -> bool:
        return len(x) > 3  # where torch joins axes of memory that Permute may have parted

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        channels = Window.sliding(self.size, padding=self.size // 2)
        return field.read(channels, *(None for _ in x[1:]))


_SIZE = Interval(1, LARGEST, integer=True)

NormalizedShape = Annotated[
    tuple[int, ...],
    NumberList(
        _SIZE,
        range(1, 5),
        "a whole number of at least 1, or a list of 1 to 4 of them",
        scalar=_SIZE,
    ),
]


class _LastAxes(Weighted, abstract=True):
    """Normalization of each sample over its last axes; each output depends on all of them."""

    if TYPE_CHECKING:  # each kind declares them, in torch's order
        normalized_shape: Shape
        elementwise_affine: bool

    def output_shape(self, x: Shape) -> Shape:
        count = len(self.normalized_shape)
        if x[-count:] != self.normalized_shape:
            raise ShapeError(
                f"normalized_shape {format_shape(self.normalized_shape)} does not match the last "
                f"axes of its input {format_shape(x)}; write {list(x[-count:])}, or another number "
                "of axes"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        if not self.elementwise_affine:
            return {}
        shape = self.normalized_shape
        has_bias = getattr(self, "bias", False)  # RMSNorm has none
        return {"weight": shape, "bias": shape} if has_bias else {"weight": shape}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, *range(len(x) - len(self.normalized_shape), len(x)))


class LayerNorm(_LastAxes):
    """Applies layer normalization over the last axes, of shape ``normalized_shape``."""

    normalized_shape: NormalizedShape
    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    elementwise_affine: bool = True
    bias: bool = True

    @classmethod
    def arguments_of(cls, module: nn.Module) -> dict[str, Any]:
        arguments = super().arguments_of(module)
        # Without elementwise_affine, the module has no bias, whatever its argument was.
        return arguments | {"bias": arguments["bias"] or not arguments["elementwise_affine"]}


class RMSNorm(_LastAxes):
    """Applies root mean square normalization over the last axes, of shape ``normalized_shape``."""

    normalized_shape: NormalizedShape
    eps: Annotated[float, Field(gt=0, lt=1)] | None = None
    elementwise_affine: bool = True
