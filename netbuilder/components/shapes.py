"""Shapes of samples, as plain integers.

A shape is that of one sample, without the batch axis: ``(channels, height, width)`` for an image,
``(features,)`` for a vector. Its spatial axes are all but the first, or the only axis.
"""

from __future__ import annotations

Shape = tuple[int, ...]

LARGEST_TENSOR = 2**31 - 1
"""Largest number of values in a tensor: the range of 32-bit indices."""


def spatial(shape: Shape) -> Shape:
    """Return the sizes of the spatial axes: ``(28, 28)`` for ``(1, 28, 28)``, all of ``(784,)``."""
    return shape[1:] if len(shape) > 1 else shape


def format_shape(shape: Shape) -> str:
    """Return a shape as messages and tables show it: ``10x26x26``."""
    return "x".join(map(str, shape))
