"""Every layer kind compared with the torch module of its name."""

from __future__ import annotations

import inspect
from itertools import pairwise, takewhile
from typing import Any

import pytest
import torch
from layer_examples import EXAMPLES
from perturb import changed_along
from torch import Tensor, nn
from torchvision import ops

from netbuilder.components.kind_groups import DROPOUTS, VIEWS
from netbuilder.components.layers import modules
from netbuilder.components.layers.base import LAYERS, Layer, TorchLayer, Unparametrized, Weighted
from netbuilder.components.layers.container import Container
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape
from netbuilder.network.testing import (
    macs,
    output_shape,
    parameters,
    read_along,
    widest,
)

EXCLUDED = {
    "bias of BatchNorm3d": "newer than the oldest supported torch; affine covers it",
    "bias of InstanceNorm1d": "newer than the oldest supported torch; affine covers it",
    "bias of InstanceNorm2d": "newer than the oldest supported torch; affine covers it",
    "bias of InstanceNorm3d": "newer than the oldest supported torch; affine covers it",
    "bias of GroupNorm": "newer than the oldest supported torch; affine covers it",
    "return_indices": "nn.Sequential takes one output",
    "bias of BatchNorm1d": "newer than the oldest supported torch; affine covers it",
    "bias of BatchNorm2d": "newer than the oldest supported torch; affine covers it",
    "min_value of Hardtanh": "deprecated name of min_val",
    "max_value of Hardtanh": "deprecated name of max_val",
    "device": "an option of the command",
    "dtype": "an option of the command",
}
"""Arguments of torch that documents do not accept, and why."""


LEAVES = [kind for kind in LAYERS.kinds.values() if not issubclass(kind, Container)]
"""Every kind except containers, which have tests of their own."""


def layer_and_module(kind: str, arguments: object, x: Shape) -> tuple[Layer, nn.Module]:
    """Return the layer, and its module on the meta device."""
    layer = LAYERS.parse({kind: arguments})
    with torch.device("meta"):
        return layer, layer.build(x)


def examples() -> list[Any]:
    return [
        pytest.param(kind.kind, arguments, x, id=f"{kind.kind}-{arguments}-{x}")
        for kind in LEAVES
        for arguments, x in EXAMPLES.get(kind.kind, [])
    ]


pytestmark = pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning")
every_example = pytest.mark.parametrize(("kind", "arguments", "x"), examples())
every_kind = pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.kind)


@every_kind
def test_every_kind_has_an_example(kind: type[Layer]) -> None:
    """A kind without an example would skip every test of this file."""
    assert EXAMPLES.get(kind.kind)


def test_examples_and_kinds_have_the_same_unique_names() -> None:
    """The examples name exactly the layer kinds, each once."""
    assert sorted(EXAMPLES) == sorted(kind.kind for kind in LEAVES)


@every_kind
def test_arguments_match_torch(kind: type[Layer]) -> None:
    """Names, order and defaults match torch, except for inferred and excluded arguments."""
    arguments, x = EXAMPLES[kind.kind][0]
    layer = LAYERS.parse({kind.kind: arguments})
    inferred = (
        layer.inferred_arguments(x) if isinstance(layer, TorchLayer) else {"input_channels": 4}
    )
    signature = {
        name: argument.default
        for name, argument in inspect.signature(torch_class(kind.kind).__init__).parameters.items()
        if argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
        and name != "self"
        and name not in inferred
    }

    def supported(name: str) -> bool:
        return name not in EXCLUDED and f"{name} of {kind.kind}" not in EXCLUDED

    signature = {
        name: default.__name__ if isinstance(default, type) and issubclass(default, nn.Module)
        else _scalar(default)
        for name, default in signature.items()
    }  # fmt: skip
    defaults = {
        name: inspect.Parameter.empty if field.is_required() else _scalar(field.default)
        for name, field in kind.model_fields.items()
        if not (issubclass(kind, Weighted) and name == "init")  # torch's constructors have none
    }
    assert defaults == {name: default for name, default in signature.items() if supported(name)}
    assert kind.positional() == tuple(takewhile(supported, signature))


def torch_class(kind: str) -> type[nn.Module]:
    """Return the class of a kind's name in torch, or else in torchvision."""
    module: type[nn.Module] = getattr(nn, kind, None) or getattr(ops, kind)
    return module


def _scalar(value: object) -> object:
    """Return the number of a tuple of equal numbers, as torch's signatures have it."""
    value = tuple(value) if isinstance(value, list) else value
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


@every_example
def test_output_shape_matches_torch(kind: str, arguments: object, x: Shape) -> None:
    """The output shape equals that of the built module on the meta device."""
    layer, module = layer_and_module(kind, arguments, x)
    assert layer.output_shape(x) == output_shape(module, x)


@every_example
def test_parameters_match_torch(kind: str, arguments: object, x: Shape) -> None:
    """Names, shapes and order of parameters equal those of the built module."""
    layer, module = layer_and_module(kind, arguments, x)
    assert list(layer.parameter_shapes(x).items()) == parameters(module)


@every_example
def test_macs_match_the_flop_counter(kind: str, arguments: object, x: Shape) -> None:
    """Multiply-accumulates are half of the operations that torch's flop counter reports."""
    layer, module = layer_and_module(kind, arguments, x)
    assert layer.macs(x) == macs(module, x)


@every_example
def test_the_built_module_has_the_class_and_values_of_the_document(
    kind: str, arguments: object, x: Shape
) -> None:
    """The module is of torch's class of that name, with the arguments as attributes.

    Where netbuilder has its own class, that is derived from torch's.
    """
    layer, module = layer_and_module(kind, arguments, x)
    own = isinstance(layer, TorchLayer) and layer.has_own_module(x)
    assert type(module) is (getattr(modules, kind) if own else torch_class(kind))
    assert isinstance(module, torch_class(kind))
    for name, value in layer.arguments().items():
        if (kind == "PReLU" and name == "init") or name == "bias" or kind == "SqueezeExcitation":
            continue  # torch keeps these as parameters and modules
        actual = getattr(module, name)
        if kind == "Upsample" and name == "scale_factor":
            continue  # torch clears it where it recomputes the factor; the output shape covers it
        default = layer.arguments()["kernel_size"] if value is None and name == "stride" else value
        assert _scalar(actual) in (_scalar(default), _scalar(value)), name


def field_of(layer: Layer, x: Shape) -> ReceptiveField:
    return layer.receptive_field(x, ReceptiveField.of_input(x))


@every_example
def test_receptive_field_matches_the_measured_one(kind: str, arguments: object, x: Shape) -> None:
    """The rows from the first to the last that an output reads are as many as the field has."""
    layer = LAYERS.parse({kind: arguments})
    module, reported = layer.build(x), field_of(layer, x)
    for axis, size in enumerate(reported.size):
        measured = widest(_by_position(kind, read_along(module, x, axis), layer.output_shape(x)))
        if kind in SPLITTING:
            assert measured <= size
        else:
            assert measured == size


SPLITTING = ("Fold", "Unflatten")
"""Kinds that can split one axis of positions into two, so that the field is a bound."""


def _by_position(kind: str, read: Tensor, y: Shape) -> Tensor:
    """Combine what the channels of an output read where positions are spread over channels."""
    return (
        read.reshape(len(read), *y).any(1).flatten(1)
        if kind in ("PixelUnshuffle", "Unfold")
        else read
    )


@every_example
def test_changed_pixels_affect_no_output_beyond_the_field(
    kind: str, arguments: object, x: Shape
) -> None:
    """Random changes of single rows change outputs within the receptive field alone."""
    layer = LAYERS.parse({kind: arguments})
    module, reported = layer.build(x), field_of(layer, x)
    for axis, size in enumerate(reported.size):
        assert widest(changed_along(module, x, axis, seed=axis)) <= size


@every_example
def test_jump_matches_the_measured_one(kind: str, arguments: object, x: Shape) -> None:
    """Away from borders, the windows of neighboring outputs start one jump apart."""
    layer = LAYERS.parse({kind: arguments})
    reported, y = field_of(layer, x), layer.output_shape(x)
    if len(x) != len(y) or len(x) == 1 or kind == "Permute":
        return  # Flatten leaves no neighbors, and a vector's outputs all read all of it
    for axis, size in enumerate(reported.size):
        read = read_along(layer.build(x), x, axis).reshape(-1, *y)
        along = read.movedim(axis + 2, 1).flatten(2).any(2)  # (rows, positions)
        is_inner = [
            a >= 0 and b < x[axis + 1]
            for a, b in map(reported.windows[axis].span_at, range(along.shape[1]))
        ]
        starts = [
            int(p.int().argmax())
            for p, inner in zip(along.T, is_inner, strict=True)
            if inner and widest(p[:, None]) == size
        ]
        jumps = {b - a for a, b in pairwise(starts)}
        if reported.jump[axis].denominator == 1:
            assert jumps <= {reported.jump[axis]}


@every_example
def test_kinds_that_may_return_their_input_are_listed(
    kind: str, arguments: object, x: Shape
) -> None:
    """A layer whose output shares memory with its input, in either mode, is in the list."""
    layer = LAYERS.parse({kind: arguments})
    inputs = torch.randn(2, *x)
    storages = [layer.build(x).train(mode)(inputs).untyped_storage() for mode in (True, False)]
    if any(storage.data_ptr() == inputs.untyped_storage().data_ptr() for storage in storages):
        assert kind in DROPOUTS + VIEWS or getattr(layer, "inplace", False)


@pytest.mark.parametrize("rule", Layer.RULES)
def test_a_kind_must_define_every_rule(rule: str) -> None:
    """A class without one of the rules raises an error at its definition."""
    rules = {name: vars(Layer)[name] if name == rule else lambda *_: None for name in Layer.RULES}
    with pytest.raises(TypeError, match=rf"Partial does not define: {rule}$"):
        type("Partial", (Layer,), {**rules, "__module__": __name__})


def test_a_kind_must_define_the_rules_that_its_family_leaves_open() -> None:
    """A subclass of an abstract family must define the rules that the family does not."""
    with pytest.raises(TypeError, match=r"Partial does not define: output_shape, receptive_field$"):
        type("Partial", (Unparametrized,), {"__module__": __name__})
