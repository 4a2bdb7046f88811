"""Dropout, which is random in training and the identity in evaluation."""

from __future__ import annotations

from typing import ClassVar

from netbuilder.components.fields import Probability
from netbuilder.components.layers.base import Elementwise, require_axes
from netbuilder.components.shapes import Shape


class Dropout(Elementwise):
    """Zeroes each value with probability ``p`` in training and scales the others by 1 / (1 - p)."""

    p: Probability = 0.5
    inplace: bool = False


class _ChannelDropout(Elementwise, abstract=True):
    """Dropout of whole channels over ``axes`` spatial axes."""

    axes: ClassVar[int]

    p: Probability = 0.5
    inplace: bool = False

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        return x


class Dropout1d(_ChannelDropout):
    """Zeroes each channel of (C, L) with probability ``p`` in training and scales the others."""

    axes = 1


class Dropout2d(_ChannelDropout):
    """Zeroes each channel of (C, H, W) with probability ``p`` in training and scales the others."""

    axes = 2


class Dropout3d(_ChannelDropout):
    """Zeroes each channel of (C, D, H, W) with probability ``p`` in training.

    The other channels are scaled.
    """

    axes = 3


class AlphaDropout(Elementwise):
    """Applies dropout that keeps the mean and variance of a SELU output."""

    p: Probability = 0.5
    inplace: bool = False


class FeatureAlphaDropout(Elementwise):
    """Applies AlphaDropout to whole channels."""

    p: Probability = 0.5
    inplace: bool = False
