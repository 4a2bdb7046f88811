"""Normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from netbuilder._text import LARGEST
from netbuilder.components.fields import LIST_AS_TUPLE, Length, Number, Probability, Size
from netbuilder.components.layers.base import Unparametrised, Weighted, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


_SIZE = {"type": "integer", "minimum": 1, "maximum": LARGEST}


class _BatchNorm(Weighted, abstract=True):
    """Batch normalisation of each channel; the features come from the layer before."""

    ranks: ClassVar[Mapping[int, str]]
    """The ranks of sample that the kind takes, and how each is written."""

    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5  # 10 here was meant as num_features
    momentum: Probability | None = 0.1
    affine: bool = True
    track_running_stats: bool = True

    def output_shape(self, x: Shape) -> Shape:
        if len(x) not in self.ranks:
            allowed = " or ".join(self.ranks.values())
            other = {1: "BatchNorm1d", 2: "BatchNorm1d", 3: "BatchNorm2d", 4: "BatchNorm3d"}.get(
                len(x)
            )
            hint = f"use {other} here, or move it" if other else "change the input"
            raise ShapeError(f"it takes {allowed}, found {format_shape(x)}; {hint}")
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else {}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field

    def inferred(self, x: Shape) -> dict[str, int]:
        return {"num_features": x[0]}


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (C) or (C, L)."""

    ranks: ClassVar = {1: "features", 2: "channels x length"}


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (C, H, W)."""

    ranks: ClassVar = {3: "channels x height x width"}


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (C, D, H, W)."""

    ranks: ClassVar = {4: "channels x depth x height x width"}


class _InstanceNorm(Weighted, abstract=True):
    """Normalisation of each channel of each sample.

    Without running statistics an output reads all positions of its channel, in evaluation too, and
    its receptive field says so.
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
                f"it takes the mean over the positions of a channel, and {format_shape(x)} has one; "
                "remove it, or shrink less before it"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else {}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field if self.track_running_stats else field.read_whole(x, *range(1, len(x)))

    def inferred(self, x: Shape) -> dict[str, int]:
        return {"num_features": x[0]}


class InstanceNorm1d(_InstanceNorm):
    """Normalisation of each channel of each sample, over (C, L)."""

    axes = 1


class InstanceNorm2d(_InstanceNorm):
    """Normalisation of each channel of each sample, over (C, H, W)."""

    axes = 2


class InstanceNorm3d(_InstanceNorm):
    """Normalisation of each channel of each sample, over (C, D, H, W)."""

    axes = 3


class GroupNorm(Weighted):
    """Normalisation of each sample over groups of channels; it reads all positions."""

    inferred_leads = False

    num_groups: Size
    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    affine: bool = True

    def output_shape(self, x: Shape) -> Shape:
        if x[0] % self.num_groups:
            raise ShapeError(
                f"num_groups {self.num_groups} does not divide the {x[0]} channels of "
                f"{format_shape(x)}; change one of the two"
            )
        if prod(x) == self.num_groups:
            raise ShapeError(
                f"each of {self.num_groups} groups of {format_shape(x)} holds one value; use fewer"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else {}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        groups = Window.grouped(x[0], x[0], self.num_groups)
        return field.read(groups, *map(Window.whole, x[1:]))

    def inferred(self, x: Shape) -> dict[str, int]:
        return {"num_channels": x[0]}


class LocalResponseNorm(Unparametrised):
    """Each value over a power of the squares of ``size`` neighbouring channels."""

    size: Size
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0

    def output_shape(self, x: Shape) -> Shape:
        if len(x) < 2:
            raise ShapeError(f"it takes channels and positions, found {format_shape(x)}; move it")
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        channels = Window.sliding(self.size, padding=self.size // 2)
        return field.read(channels, *(None for _ in x[1:]))


NormalizedShape = Annotated[
    tuple[Size, ...],
    LIST_AS_TUPLE,
    Length(1, 4),
    BeforeValidator(
        lambda value: [value] if type(value) is int else value, json_schema_input_type=Any
    ),
    WithJsonSchema(
        {
            "anyOf": [
                _SIZE,
                {"type": "array", "items": _SIZE, "minItems": 1, "maxItems": 4},
            ]
        }
    ),
]


class _LastAxes(Weighted, abstract=True):
    """Normalisation of each sample over its last axes; an output reads all of them."""

    if TYPE_CHECKING:  # each kind declares them, in torch's order
        normalized_shape: Shape
        elementwise_affine: bool

    def output_shape(self, x: Shape) -> Shape:
        count = len(self.normalized_shape)
        if x[-count:] != self.normalized_shape:
            raise ShapeError(
                f"normalized_shape {format_shape(self.normalized_shape)} is not how its input "
                f"{format_shape(x)} ends; write {list(x[-count:])}, or another number of axes"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        if not self.elementwise_affine:
            return {}
        shape = self.normalized_shape
        return {"weight": shape, "bias": shape} if self._biased else {"weight": shape}

    @property
    def _biased(self) -> bool:
        return bool(getattr(self, "bias", False))

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, *range(len(x) - len(self.normalized_shape), len(x)))


class LayerNorm(_LastAxes):
    """Mean and variance of the last axes, ``normalized_shape``, brought to 0 and 1."""

    normalized_shape: NormalizedShape
    eps: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    elementwise_affine: bool = True
    bias: bool = True

    @classmethod
    def read_back(cls, module: nn.Module) -> dict[str, Any]:
        found = super().read_back(module)
        return found | {"bias": found["bias"] or not found["elementwise_affine"]}


class RMSNorm(_LastAxes):
    """The last axes, ``normalized_shape``, over the root of their mean square."""

    normalized_shape: NormalizedShape
    eps: Annotated[float, Field(gt=0, lt=1)] | None = None
    elementwise_affine: bool = True
