"""Which outputs of a module change with its input: a check of `read_along`, which uses NaN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netbuilder.components.shapes import Shape, spatial
from netbuilder.network.testing import batch_axis, evaluate

CHANGES = (3.0, -3.0, 0.1, -40.0)
"""Small and large changes of both signs, because a rectifier or maximum hides some."""


def changed_along(module: nn.Module, x: Shape, axis: int, seed: int) -> Tensor:
    """Change one random pixel at each position of an axis of a random input by each of `CHANGES`.

    Returns:
        Bool of shape (positions, output values): which values change, by any of the changes.
    """
    size = spatial(x)[axis]
    generator = torch.Generator().manual_seed(seed)
    plain = torch.randn(1, *x, dtype=torch.float64, generator=generator)
    batch = plain.repeat(size * len(CHANGES), *[1] * len(x))
    for i, sample in enumerate(batch):
        pixel = [int(torch.randint(0, length, (), generator=generator)) for length in x]
        pixel[batch_axis(x, axis) - 1] = i // len(CHANGES)
        sample[tuple(pixel)] += CHANGES[i % len(CHANGES)]
    changed = _differs(evaluate(module, plain), evaluate(module, batch))
    return changed.reshape(size, len(CHANGES), -1).any(1)


def raised_along(module: nn.Module, x: Shape, axis: int, seed: int) -> Tensor:
    """Raise all pixels at each position of an axis of a positive random input.

    Every dependence changes an output where parameters are positive and no layer is decreasing.

    Returns:
        Bool of shape (positions, output values): which values change.
    """
    size = spatial(x)[axis]
    generator = torch.Generator().manual_seed(seed)
    plain = 0.5 + torch.rand(1, *x, dtype=torch.float64, generator=generator)
    batch = plain.repeat(size, *[1] * len(x))
    positions = torch.arange(size)
    batch.movedim(batch_axis(x, axis), 1)[positions, positions] += 1.0
    return _differs(evaluate(module, plain), evaluate(module, batch))


def _differs(plain: Tensor, batch: Tensor) -> Tensor:
    # Rounding may differ with a value's position in memory.
    return ((batch - plain).abs() > 1e-9 * plain.abs().clamp(1)).flatten(1)
