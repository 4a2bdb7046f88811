"""Checks of layer kinds against torch, for the tests of netbuilder and of plugins."""

from __future__ import annotations

import json
from math import prod

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from netbuilder.components.layers.base import Layer
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape, format_shape, spatial

BATCH = 2


def check_layer(layer: Layer, x: Shape) -> None:
    """Check the properties of a layer against the torch module that it builds.

    The output shape and the parameters must be those of the module, the multiply-accumulates those
    of torch's flop counter. The receptive field must be the largest number of input positions that
    an output position depends on, per axis. Reading the written layer must return the same layer.

    Args:
        layer: A layer of the kind, such as ``Conv2d(out_channels=3, kernel_size=3)``.
        x: The shape of one input sample, channels first, without the batch axis. Use sizes that
            are small, unequal, and large enough for some output to depend on no padding.

    Raises:
        AssertionError: Some properties differ; the message has one line for each.
    """
    with torch.device("meta"):
        module = layer.build(x)
    field = layer.receptive_field(x, ReceptiveField.of_input(x))
    expected = {
        "output shape": output_shape(module, x),
        "parameters": parameters(module),
        "macs": macs(module, x),
        "receptive field": tuple(
            widest(read_along(layer.build(x), x, axis)) for axis in range(len(field.size))
        ),
        "canonical form": type(layer).model_validate(json.loads(layer.model_dump_json())),
    }
    actual = {
        "output shape": layer.output_shape(x),
        "parameters": list(layer.parameter_shapes(x).items()),
        "macs": layer.macs(x),
        "receptive field": field.size,
        "canonical form": layer,
    }
    differences = [
        f"{name}: the layer returns {actual[name]}, torch {expected[name]}"
        for name in actual
        if actual[name] != expected[name]
    ]
    if differences:
        raise AssertionError(f"{layer.kind} for {format_shape(x)}\n" + "\n".join(differences))


def parameters(module: nn.Module) -> list[tuple[str, Shape]]:
    """Names and shapes of the learnable parameters, in torch's order."""
    return [(name, tuple(value.shape)) for name, value in module.named_parameters()]


def macs(module: nn.Module, x: Shape) -> int:
    """Multiply-accumulates for one sample, from torch's flop counter on the meta device."""
    with FlopCounterMode(display=False) as counter:
        module.eval()(torch.empty(BATCH, *x, device="meta"))
    flops = int(counter.get_total_flops())
    assert flops % (2 * BATCH) == 0, "two flops per multiply-accumulate and sample"
    return flops // (2 * BATCH)


def output_shape(module: nn.Module, x: Shape) -> Shape:
    """The shape of one output sample, computed on the meta device."""
    y: Tensor = module.eval()(torch.empty(BATCH, *x, device="meta"))
    assert len(y) == BATCH, "the batch axis stays first"
    return tuple(y.shape[1:])


def read_along(module: nn.Module, x: Shape, axis: int) -> Tensor:
    """Find which output values depend on which positions of an input axis.

    Sample i of a batch is NaN at position i of the axis; NaN propagates to every output value that
    reads it.

    Args:
        module: The module.
        x: The shape of one input sample.
        axis: The axis among the spatial axes, from 0.

    Returns:
        Bool of shape (positions, output values).
    """
    size = spatial(x)[axis]
    batch = torch.zeros(size, *x, dtype=torch.float64)
    positions = torch.arange(size)
    batch.movedim(batch_axis(x, axis), 1)[positions, positions] = torch.nan
    return evaluate(module, batch).isnan().flatten(1)


def batch_axis(x: Shape, axis: int) -> int:
    """The axis of a batch that is the spatial axis ``axis`` of a sample of shape ``x``."""
    return axis + (2 if len(x) > 1 else 1)


def widest(read: Tensor) -> int:
    """The largest span of positions that one output value depends on, from `read_along`."""
    size = len(read)
    first = read.int().argmax(0)
    last = size - 1 - read.flip(0).int().argmax(0)
    return int(torch.where(read.any(0), last - first + 1, 0).max())


def evaluate(module: nn.Module, batch: Tensor) -> Tensor:
    """The output of a small module in evaluation mode, computed in float64.

    oneDNN does not support float64, so each output value is a sum over its own window alone and
    NaN does not spread to other values.
    """
    assert prod(batch.shape) < 1e7, "for small networks only"
    with torch.no_grad():
        output: Tensor = module.double().eval()(batch.clone())
    return output
