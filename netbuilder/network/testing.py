"""Checks of layer kinds against torch, for the tests of netbuilder and of plugins."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from math import prod

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from netbuilder.components.component import by_name
from netbuilder.components.foreign_code import fault_text
from netbuilder.components.layers.base import Layer
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape, spatial
from netbuilder.errors import ShapeError
from netbuilder.network.document import layer_form
from netbuilder.network.trial import module_problem

BATCH = 2


def check_layer(layer: Layer, x: Shape) -> None:
    """Check the properties of a layer against the torch module that it builds.

    The output shape and the parameters must be those of the module, the multiply-accumulates those
    of torch's flop counter. The receptive field must be the largest number of input positions that
    an output position depends on, per axis, and no smaller than that after another layer. The
    module must run in training and in evaluation mode, and be copied. The layer must be equal after
    it is written to a document or to the record of a run and read again.

    Args:
        layer: A layer of the kind, such as ``Conv2d(out_channels=3, kernel_size=3)``.
        x: The shape of one input sample, channels first, without the batch axis. Use sizes that
            are small, unequal, and large enough for some output to depend on no padding.

    Raises:
        AssertionError: Some properties differ; the message has one line for each, with the rule.
    """
    checks: dict[str, Callable[[], str]] = {
        "output shape": lambda: _differs(
            layer.output_shape(x), output_shape(_on_meta(layer, x), x)
        ),
        "parameters": lambda: _differs(
            list(layer.parameter_shapes(x).items()), parameters(_on_meta(layer, x))
        ),
        "macs": lambda: _differs(layer.macs(x), macs(_on_meta(layer, x), x)),
        "receptive field": lambda: _field_difference(layer, x),
        "receptive field after another layer": lambda: _later_field_difference(layer, x),
        "module": lambda: _module_difference(layer, x),
        "canonical form": lambda: _differs(
            layer, type(layer).model_validate(json.loads(layer.model_dump_json()))
        ),
        "document": lambda: _differs(layer, _read_from_document(layer)),
        "schema": lambda: _schema_difference(layer),
    }
    differences = []
    for name, check in checks.items():
        try:
            difference = check()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the code of a plugin can raise any exception
            reason = str(error) if isinstance(error, ShapeError) else fault_text(error)
            difference = f"the check failed: {reason}"
        if difference:
            differences.append(f"{name}: {difference}")
    if differences:
        lines = "\n".join(differences)
        raise AssertionError(f"{layer.kind} for {format_shape(x)}\n{lines}")


def _on_meta(layer: Layer, x: Shape) -> nn.Module:
    with torch.device("meta"):
        return layer.build(x)


def _differs(actual: object, expected: object) -> str:
    return "" if actual == expected else f"the layer returns {actual}, torch {expected}"


def _field_difference(layer: Layer, x: Shape) -> str:
    field = layer.receptive_field(x, ReceptiveField.of_input(x))
    _ = field.sized(layer.output_shape(x)).coverage(layer.output_shape(x))
    measured = (widest(read_along(layer.build(x), x, axis)) for axis in range(len(field.size)))
    return _differs(field.size, tuple(measured))


def _later_field_difference(layer: Layer, x: Shape) -> str:
    """Check that the rule builds on the field of its input, here that of a pooling."""
    pools = {2: nn.AvgPool1d, 3: nn.AvgPool2d, 4: nn.AvgPool3d}
    if len(x) not in pools:
        return ""
    windows = (Window.sliding(3, padding=1) for _ in spatial(x))
    before = ReceptiveField.of_input(x).read(None, *windows).sized(x)
    size = layer.receptive_field(x, before).size
    network = nn.Sequential(pools[len(x)](3, stride=1, padding=1), layer.build(x))
    measured = tuple(widest(read_along(network, x, axis)) for axis in range(len(size)))
    if all(read <= wide for read, wide in zip(measured, size, strict=True)):
        return ""
    return f"the layer returns {size}, but an output depends on {measured}; build on the field"


def _module_difference(layer: Layer, x: Shape) -> str:
    module = deepcopy(layer.build(x))  # as for a moving average of the weights
    if [*module.state_dict()] != [*layer.build(x).state_dict()]:
        return "the keys of state_dict() change from one module to the next"
    return module_problem(module, x, layer.output_shape(x))


def _schema_difference(layer: Layer) -> str:
    json.dumps(type(layer).model_json_schema())
    return ""


def _read_from_document(layer: Layer) -> Layer:
    form, kind = layer_form(layer), type(layer)
    arguments = None if isinstance(form, str) else form[layer.kind]
    return kind.model_validate(by_name(kind, arguments))


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
