"""Sample shapes, windows and the arithmetic of receptive fields; plain integers, no tensors.

A shape is that of one sample, without the batch axis: ``(channels, height, width)`` for an image,
``(features,)`` for a vector. Its spatial axes are those behind the first, or the only one there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

Shape = tuple[int, ...]


def spatial(shape: Shape) -> Shape:
    """The axes over which windows slide: ``(28, 28)`` of ``(1, 28, 28)``, all of ``(784,)``."""
    return shape[1:] if len(shape) > 1 else shape


def written(shape: Shape) -> str:
    """A shape as messages and tables write it: ``10x26x26``."""
    return "x".join(map(str, shape))


@dataclass(frozen=True)
class Window:
    """What one output position reads, an entry for each spatial axis.

    ``stride`` is 0 along an axis where every output reads the same, and a fraction where the
    windows of adaptive pooling differ in size; ``kernel`` is then the largest of them.
    """

    kernel: tuple[int, ...]
    stride: tuple[int | Fraction, ...]
    dilation: tuple[int, ...] = ()

    @property
    def extent(self) -> tuple[int, ...]:
        """Input positions from the first to the last that are read: ``dilation * (k - 1) + 1``."""
        dilation = self.dilation or (1,) * len(self.kernel)
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, dilation, strict=True))


EVERYTHING = Window(kernel=(), stride=())
"""The window of a layer whose every output reads the whole of its input, such as Linear."""


@dataclass(frozen=True)
class ReceptiveField:
    """What one position sees of the network's input, an entry for each axis of the input.

    Exact for windows of one size; an upper bound behind adaptive pooling into uneven parts and
    behind a Flatten that leaves an axis.

    Attributes:
        size: input pixels from the first to the last that are seen.
        jump: input pixels between two neighbouring positions.
        grid: positions along the axis; it outlives `Flatten`, so that a layer behind it which
            reads everything is known to see everything.
    """

    size: tuple[int, ...]
    jump: tuple[int | Fraction, ...]
    grid: tuple[int, ...]

    @classmethod
    def of_input(cls, shape: Shape) -> ReceptiveField:
        """Each input position sees itself."""
        axes = spatial(shape)
        return cls((1,) * len(axes), (1,) * len(axes), axes)

    def through(self, window: Window | None, output: Shape) -> ReceptiveField:
        """The field behind a layer with this window and output shape; sizes round up.

        ``size += (extent - 1) * jump; jump *= stride`` for each axis (Araujo, Norris and Sim,
        "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019).
        """
        if window is None:
            return self
        if window is EVERYTHING or len(window.kernel) != len(self.grid):
            # Behind Flatten the axes are gone: what reads along what is left may read them all.
            return ReceptiveField(self._grown(self.grid), self.jump, (1,) * len(self.grid))
        jump = tuple(_whole(j * s) for j, s in zip(self.jump, window.stride, strict=True))
        return ReceptiveField(self._grown(window.extent), jump, spatial(output))

    def _grown(self, extent: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(
            math.ceil(size + (reach - 1) * jump)
            for size, reach, jump in zip(self.size, extent, self.jump, strict=True)
        )


def _whole(value: int | Fraction) -> int | Fraction:
    return int(value) if value.denominator == 1 else value
