"""Dropout: what is drawn in training and is the identity in evaluation."""

from __future__ import annotations

from netbuilder.layers.base import Elementwise, require_image
from netbuilder.shapes import Shape
from netbuilder.strict import Probability


class Dropout(Elementwise):
    """Each value is zeroed with probability ``p``, the others scaled by 1 / (1 - p)."""

    p: Probability = 0.5
    inplace: bool = False


class Dropout2d(Elementwise):
    """Each channel of (C, H, W) is zeroed with probability ``p``, the others scaled."""

    p: Probability = 0.5
    inplace: bool = False

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        return x
