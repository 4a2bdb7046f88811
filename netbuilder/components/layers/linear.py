"""Fully connected layers."""

from __future__ import annotations

from math import prod

from netbuilder.components.fields import Size
from netbuilder.components.layers.base import Weighted
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape


class Linear(Weighted):
    """Applies an affine transformation to the last axis; the input features are inferred."""

    out_features: Size
    bias: bool = True

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:-1], self.out_features)

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_features, x[-1])}
        return shapes | ({"bias": (self.out_features,)} if self.bias else {})

    def macs(self, x: Shape) -> int:
        return prod(x) * self.out_features

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, len(x) - 1)

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        return {"in_features": x[-1]}
