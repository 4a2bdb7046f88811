"""What the outputs of a real module depend on, pixel by pixel."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from hypothesis import assume
from torch import Tensor, nn

from netbuilder.components.shapes import Shape, spatial
from netbuilder.network.testing import evaluate


def pixels_read(module: nn.Module, x: Shape, axes: tuple[int, ...]) -> Tensor:
    """Which positions of the output are NaN where a position of the input is, by one sample each.

    Args:
        module: The module.
        x: The shape of one input sample.
        axes: For each axis of the input, the axis of the output along which it lies. Values that
            differ along other axes only are one position.

    Returns:
        Bool of shape (*input positions, output positions). An example whose output is not a number
        without that is not counted.
    """
    sizes = spatial(x)
    batch = torch.zeros(prod(sizes), *x, dtype=torch.float64)
    at = torch.unravel_index(torch.arange(prod(sizes)), sizes)
    channels = [slice(None)] * (len(x) - len(sizes))
    for i in range(prod(sizes)):
        place: Any = (i, *channels, *(int(index[i]) for index in at))
        batch[place] = torch.nan
    assume(not evaluate(module, torch.zeros(1, *x, dtype=torch.float64)).isnan().any())
    read = evaluate(module, batch).isnan()
    others = [axis + 1 for axis in range(read.dim() - 1) if axis not in axes]
    read = read.any(others) if others else read
    return read.reshape(*sizes, -1)


def pixels_with_gradient(module: nn.Module, x: Shape, position: tuple[int, ...]) -> Tensor:
    """Which positions of the input an output position of a smooth module depends on.

    Args:
        module: The module, in float64.
        x: The shape of one input sample.
        position: The place of the position along the axes of the output after the channels.
    """
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(1, *x, dtype=torch.float64, generator=generator, requires_grad=True)
    values = module(sample)[(0, slice(None), *position)]
    weights = torch.randn(values.shape, dtype=torch.float64, generator=generator)
    (values * weights).sum().backward()
    assert sample.grad is not None
    return sample.grad[0].ne(0).any(0)


def smooth(module: nn.Module) -> nn.Module:
    """Replace what hides a dependence: rectifiers, maxima, and what only acts in training."""
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
            setattr(module, name, pool)
        elif isinstance(child, nn.ReLU | nn.ReLU6 | nn.Hardswish | nn.Hardsigmoid):
            setattr(module, name, nn.Softplus())
        else:
            smooth(child)
    return module.double().eval()


def along(read: Tensor, axis: int) -> Tensor:
    """Which places along one axis of the input each output position reads, at any other place."""
    others = [i for i in range(read.dim() - 1) if i != axis]
    return read.any(others) if others else read
