"""Fully connected layers."""

from __future__ import annotations

from math import prod

from netbuilder.layers.base import TorchLayer, whole_axis
from netbuilder.shapes import Shape, Window
from netbuilder.strict import Size


class Linear(TorchLayer):
    """An affine map of the last axis; the input features come from the layer before."""

    out_features: Size
    bias: bool = True

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:-1], self.out_features)

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_features, x[-1])}
        return shapes | ({"bias": (self.out_features,)} if self.bias else {})

    def macs(self, x: Shape) -> int:
        return prod(x) * self.out_features

    def window(self, x: Shape) -> Window | None:
        return whole_axis(len(x) - 1, x)

    def inferred(self, x: Shape) -> dict[str, int]:
        return {"in_features": x[-1]}
