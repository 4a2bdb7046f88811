"""What every layer kind promises, held against the module that it builds: for tests of kinds.

A package that brings a kind of its own calls `check_layer` on an example or two of it.
"""

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
    """Hold what a layer says of samples of shape ``x`` against torch.

    Its output shape and parameters are those of the built module, its multiply-accumulates those
    of torch's flop counter, and no output reads more of any axis than its receptive field says,
    one of them exactly as much. It reads back as it is written.

    Args:
        layer: an instance of the kind, such as ``Conv2d(out_channels=3, kernel_size=3)``.
        x: channels first, without the batch; sizes that are small, unequal, and large enough for
            some output to read no padding.

    Raises:
        AssertionError: with all that differs, a line each.
    """
    with torch.device("meta"):
        module = layer.build(x)
    field = layer.receptive_field(x, ReceptiveField.of_input(x))
    said = {
        "output shape": layer.output_shape(x),
        "parameters": list(layer.parameter_shapes(x).items()),
        "macs": layer.macs(x),
        "receptive field": field.size,
        "canonical form": layer,
    }
    found = {
        "output shape": output_shape(module, x),
        "parameters": parameters(module),
        "macs": macs(module, x),
        "receptive field": tuple(
            widest(read_along(layer.build(x), x, axis)) for axis in range(len(field.size))
        ),
        "canonical form": type(layer).model_validate(json.loads(layer.model_dump_json())),
    }
    wrong = [
        f"{what}: the layer says {said[what]}, torch {found[what]}"
        for what in said
        if said[what] != found[what]
    ]
    if wrong:
        raise AssertionError(f"{layer.kind} over {format_shape(x)}\n" + "\n".join(wrong))


def parameters(module: nn.Module) -> list[tuple[str, Shape]]:
    """Names and shapes of the learnable parameters, in torch's order."""
    return [(name, tuple(value.shape)) for name, value in module.named_parameters()]


def macs(module: nn.Module, x: Shape) -> int:
    """Multiply-accumulates for one sample, as torch's own counter sees them on the meta device."""
    with FlopCounterMode(display=False) as counter:
        module.eval()(torch.empty(BATCH, *x, device="meta"))
    flops = int(counter.get_total_flops())
    assert flops % (2 * BATCH) == 0, "two for a multiply-accumulate, for each sample"
    return flops // (2 * BATCH)


def output_shape(module: nn.Module, x: Shape) -> Shape:
    """The shape of one output sample, from the meta device."""
    y: Tensor = module.eval()(torch.empty(BATCH, *x, device="meta"))
    assert len(y) == BATCH, "the batch stays in front"
    return tuple(y.shape[1:])


def read_along(module: nn.Module, x: Shape, axis: int) -> Tensor:
    """Which output reads which row of an input axis: bool of shape (rows, outputs).

    Sample i of the batch has its row i set to NaN, and NaN comes out wherever that row is read.
    """
    rows = spatial(x)[axis]
    batch = torch.zeros(rows, *x, dtype=torch.float64)
    each = torch.arange(rows)
    batch.movedim(axis + (2 if len(x) > 1 else 1), 1)[each, each] = torch.nan
    return _evaluate(module, batch).isnan().flatten(1)


CHANGES = (3.0, -3.0, 0.1, -40.0)
"""Added to a pixel: up and down, little and much, since a rectifier or maximum hides some."""


def changed_along(module: nn.Module, x: Shape, axis: int, seed: int) -> Tensor:
    """As `read_along`, by each of `CHANGES` to a pixel at random in each row of a random input."""
    rows = spatial(x)[axis]
    generator = torch.Generator().manual_seed(seed)
    plain = torch.randn(1, *x, dtype=torch.float64, generator=generator)
    batch = plain.repeat(rows * len(CHANGES), *[1] * len(x))
    for i, sample in enumerate(batch):
        pixel = [int(torch.randint(0, size, (), generator=generator)) for size in x]
        pixel[axis + (1 if len(x) > 1 else 0)] = i // len(CHANGES)
        sample[tuple(pixel)] += CHANGES[i % len(CHANGES)]
    changed = _changed(_evaluate(module, plain), _evaluate(module, batch))
    return changed.reshape(rows, len(CHANGES), -1).any(1)


def raised_along(module: nn.Module, x: Shape, axis: int, seed: int) -> Tensor:
    """As `read_along`, by raising all pixels of each row of a positive random input.

    Where parameters are positive and no layer falls, nothing that is read can hide.
    """
    rows = spatial(x)[axis]
    generator = torch.Generator().manual_seed(seed)
    plain = 0.5 + torch.rand(1, *x, dtype=torch.float64, generator=generator)
    batch = plain.repeat(rows, *[1] * len(x))
    each = torch.arange(rows)
    batch.movedim(axis + (2 if len(x) > 1 else 1), 1)[each, each] += 1.0
    return _changed(_evaluate(module, plain), _evaluate(module, batch))


def _changed(plain: Tensor, batch: Tensor) -> Tensor:
    # Rounding may differ with a value's place in memory.
    return ((batch - plain).abs() > 1e-9 * plain.abs().clamp(1)).flatten(1)


def widest(read: Tensor) -> int:
    """The most rows from the first to the last that one output reads."""
    rows = len(read)
    first = read.int().argmax(0)
    last = rows - 1 - read.flip(0).int().argmax(0)
    return int(torch.where(read.any(0), last - first + 1, 0).max())


def _evaluate(module: nn.Module, batch: Tensor) -> Tensor:
    # In float64, which oneDNN does not take, an output is a sum over its own window alone, so that
    # NaN goes nowhere else.
    assert prod(batch.shape) < 1e7, "an oracle for small networks"
    with torch.no_grad():
        out: Tensor = module.double().eval()(batch.clone())
    return out
