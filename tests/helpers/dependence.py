"""What the outputs of a real module depend on, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator
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


def pixels_with_gradient(
    module: nn.Module, path: str, x: Shape, positions: int
) -> Iterator[Tensor]:
    """Which positions of the input some output positions of a layer depend on, by gradients.

    Args:
        module: The network, in float64, without layers that hide a dependence; see `smooth`.
        path: The path of the layer in the network.
        x: The shape of one input sample.
        positions: How many positions are tried at most, those in the middle first.
    """
    outputs: list[Tensor] = []
    handle = module.get_submodule(path).register_forward_hook(
        lambda _module, _arguments, output: outputs.append(output)
    )
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(1, *x, dtype=torch.float64, generator=generator, requires_grad=True)
    module(sample)
    handle.remove()
    output = outputs[-1][0]
    values = output.flatten(1) if output.dim() > 1 else output[:, None]
    weights = torch.randn(len(values), dtype=torch.float64, generator=generator)
    middle = values.shape[1] // 2 + (output.shape[-1] // 2 if output.dim() > 2 else 0)
    order = sorted(range(values.shape[1]), key=lambda i: abs(i - middle))
    for i in order[:positions]:
        [gradient] = torch.autograd.grad(values[:, i] @ weights, sample, retain_graph=True)
        yield gradient[0].ne(0).any(0)


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
