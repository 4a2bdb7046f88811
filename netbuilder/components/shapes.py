"""Sample shapes; plain integers, no tensors.

A shape is that of one sample, without the batch axis: ``(channels, height, width)`` for an image,
``(features,)`` for a vector. Its spatial axes are those behind the first, or the only one there is.
"""

from __future__ import annotations

Shape = tuple[int, ...]


def spatial(shape: Shape) -> Shape:
    """The axes over which windows slide: ``(28, 28)`` of ``(1, 28, 28)``, all of ``(784,)``."""
    return shape[1:] if len(shape) > 1 else shape


def format_shape(shape: Shape) -> str:
    """A shape as messages and tables write it: ``10x26x26``."""
    return "x".join(map(str, shape))


LARGEST_TENSOR = 2**31 - 1
"""Values in one tensor, beyond which 32-bit indices end and a number is taken for a slip."""
