"""Dropout: what is drawn in training and is the identity in evaluation."""

from __future__ import annotations

from typing import ClassVar

from netbuilder.components.fields import Probability
from netbuilder.components.layers.base import Elementwise, require_axes
from netbuilder.components.shapes import Shape


class Dropout(Elementwise):
    """Each value is zeroed with probability ``p``, the others scaled by 1 / (1 - p)."""

    p: Probability = 0.5
    inplace: bool = False


class _ChannelDropout(Elementwise, abstract=True):
    """Whole channels are zeroed with probability ``p``, the others scaled."""

    axes: ClassVar[int]

    p: Probability = 0.5
    inplace: bool = False

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        return x


class Dropout1d(_ChannelDropout):
    """Each channel of (C, L) is zeroed with probability ``p``, the others scaled."""

    axes = 1


class Dropout2d(_ChannelDropout):
    """Each channel of (C, H, W) is zeroed with probability ``p``, the others scaled."""

    axes = 2


class Dropout3d(_ChannelDropout):
    """Each channel of (C, D, H, W) is zeroed with probability ``p``, the others scaled."""

    axes = 3


class AlphaDropout(Elementwise):
    """Dropout that keeps mean and variance behind SELU."""

    p: Probability = 0.5
    inplace: bool = False


class FeatureAlphaDropout(Elementwise):
    """AlphaDropout of whole channels."""

    p: Probability = 0.5
    inplace: bool = False
