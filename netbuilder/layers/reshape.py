"""Layers that move values and compute nothing."""

from __future__ import annotations

from math import prod

from netbuilder.errors import ShapeError
from netbuilder.layers.base import Elementwise, Unparametrised, sample_axis
from netbuilder.shapes import Shape
from netbuilder.windows import ReceptiveField


class Flatten(Unparametrised):
    """The axes from ``start_dim`` to ``end_dim`` as one; torch counts the batch as axis 0."""

    start_dim: int = 1
    end_dim: int = -1

    def output_shape(self, x: Shape) -> Shape:
        first, last = sample_axis(self.start_dim, x), sample_axis(self.end_dim, x)
        if first > last:
            raise ShapeError(f"start_dim {self.start_dim} comes after end_dim {self.end_dim}")
        return (*x[:first], prod(x[first : last + 1]), *x[last + 1 :])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.flattened(x, sample_axis(self.start_dim, x), sample_axis(self.end_dim, x))


class Identity(Elementwise):
    """Its input, unchanged."""
