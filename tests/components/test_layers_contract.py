"""Every layer kind held against the torch module that it stands for."""

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

from netbuilder.components.layers.base import LAYERS, Layer, TorchLayer, Unparametrized, Weighted
from netbuilder.components.layers.container import Container
from netbuilder.components.layers.containers import ALIASING_KINDS
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
    "bias of BatchNorm3d": "newer than the oldest torch served; affine covers it",
    "bias of InstanceNorm1d": "newer than the oldest torch served; affine covers it",
    "bias of InstanceNorm2d": "newer than the oldest torch served; affine covers it",
    "bias of InstanceNorm3d": "newer than the oldest torch served; affine covers it",
    "bias of GroupNorm": "newer than the oldest torch served; affine covers it",
    "return_indices": "nn.Sequential takes one output",
    "bias of BatchNorm1d": "newer than the oldest torch served; affine covers it",
    "bias of BatchNorm2d": "newer than the oldest torch served; affine covers it",
    "min_value of Hardtanh": "deprecated name of min_val",
    "max_value of Hardtanh": "deprecated name of max_val",
    "device": "the command's to say",
    "dtype": "the command's to say",
}
"""Arguments of torch's that no document has, and why."""


LEAVES = [kind for kind in LAYERS.kinds.values() if not issubclass(kind, Container)]
"""Containers hold these; what they make of them is tested apart."""


def example(kind: str, written: object, x: Shape) -> tuple[Layer, nn.Module]:
    """The layer, and its module on the meta device."""
    layer = LAYERS.parse({kind: written})
    with torch.device("meta"):
        return layer, layer.build(x)


def examples() -> list[Any]:
    return [
        pytest.param(kind.kind, written, x, id=f"{kind.kind}-{written}-{x}")
        for kind in LEAVES
        for written, x in EXAMPLES.get(kind.kind, [])
    ]


pytestmark = pytest.mark.filterwarnings("ignore:Implicit dimension choice:UserWarning")
every_example = pytest.mark.parametrize(("kind", "written", "x"), examples())
every_kind = pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.kind)


@every_kind
def test_every_kind_has_an_example(kind: type[Layer]) -> None:
    """A kind without an example would pass this contract unseen."""
    assert EXAMPLES.get(kind.kind)


def test_kinds_are_the_examples_and_no_two_share_a_name() -> None:
    """The table of examples and the tuple of kinds name the same, each once."""
    assert sorted(EXAMPLES) == sorted(kind.kind for kind in LEAVES)


@every_kind
def test_arguments_are_those_of_torch(kind: type[Layer]) -> None:
    """Names, positional order and defaults are torch's, but for what is inferred or excluded."""
    written, x = EXAMPLES[kind.kind][0]
    layer = LAYERS.parse({kind.kind: written})
    inferred = (
        layer.inferred_arguments(x) if isinstance(layer, TorchLayer) else {"input_channels": 4}
    )
    signature = {
        name: argument.default
        for name, argument in inspect.signature(torchs(kind.kind).__init__).parameters.items()
        if argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
        and name != "self"
        and name not in inferred
    }

    def served(name: str) -> bool:
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
    assert defaults == {name: default for name, default in signature.items() if served(name)}
    assert kind.positional() == tuple(takewhile(served, signature))


def torchs(kind: str) -> type[nn.Module]:
    """The class of a kind's name in torch, or else in torchvision."""
    found: type[nn.Module] = getattr(nn, kind, None) or getattr(ops, kind)
    return found


def _scalar(value: object) -> object:
    """A pair of one number as torch's signatures write it."""
    value = tuple(value) if isinstance(value, list) else value
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


@every_example
def test_output_shape_is_that_of_torch(kind: str, written: object, x: Shape) -> None:
    """The output has the shape that the built module gives on the meta device."""
    layer, module = example(kind, written, x)
    assert layer.output_shape(x) == output_shape(module, x)


@every_example
def test_parameters_are_those_of_torch(kind: str, written: object, x: Shape) -> None:
    """Parameters have torch's names, shapes and order."""
    layer, module = example(kind, written, x)
    assert list(layer.parameter_shapes(x).items()) == parameters(module)


@every_example
def test_macs_are_those_of_the_flop_counter(kind: str, written: object, x: Shape) -> None:
    """Multiply-accumulates are half of what torch's flop counter counts for one sample."""
    layer, module = example(kind, written, x)
    assert layer.macs(x) == macs(module, x)


@every_example
def test_the_module_is_the_one_of_that_name(kind: str, written: object, x: Shape) -> None:
    """What is built is torch's class of the kind's name, with the values that were written."""
    layer, module = example(kind, written, x)
    assert type(module) is torchs(kind)
    for name, value in layer.arguments().items():
        if (kind == "PReLU" and name == "init") or name == "bias" or kind == "SqueezeExcitation":
            continue  # torch keeps these as parameters and modules
        found = getattr(module, name)
        if kind == "Upsample" and name == "scale_factor":
            continue  # torch forgets it where the factor is computed anew; the output's shape tells
        default = layer.arguments()["kernel_size"] if value is None and name == "stride" else value
        assert _scalar(found) in (_scalar(default), _scalar(value)), name


def field_of(layer: Layer, x: Shape) -> ReceptiveField:
    return layer.receptive_field(x, ReceptiveField.of_input(x))


@every_example
def test_receptive_field_is_the_measured_one(kind: str, written: object, x: Shape) -> None:
    """An output reads, from the first row to the last, as many as its receptive field says."""
    layer = LAYERS.parse({kind: written})
    module, reported = layer.build(x), field_of(layer, x)
    for axis, size in enumerate(reported.size):
        measured = widest(_by_position(kind, read_along(module, x, axis), layer.output_shape(x)))
        if kind in DEALT_OUT:
            assert measured <= size
        else:
            assert measured == size


DEALT_OUT = ("Fold", "Unflatten")
"""Kinds that can deal one axis of positions out over two, behind which the field is a bound."""


def _by_position(kind: str, read: Tensor, y: Shape) -> Tensor:
    """What each output reads; all channels together where positions are dealt out over them."""
    return (
        read.reshape(len(read), *y).any(1).flatten(1)
        if kind in ("PixelUnshuffle", "Unfold")
        else read
    )


@every_example
def test_no_pixel_reaches_beyond_the_field(kind: str, written: object, x: Shape) -> None:
    """Changing single pixels at random changes no output whose field lies elsewhere."""
    layer = LAYERS.parse({kind: written})
    module, reported = layer.build(x), field_of(layer, x)
    for axis, size in enumerate(reported.size):
        assert widest(changed_along(module, x, axis, seed=axis)) <= size


@every_example
def test_jump_is_the_measured_one(kind: str, written: object, x: Shape) -> None:
    """The middle of what two neighbouring outputs read lies one jump apart, away from borders."""
    layer = LAYERS.parse({kind: written})
    reported, y = field_of(layer, x), layer.output_shape(x)
    if len(x) != len(y) or len(x) == 1 or kind == "Permute":
        return  # Flatten leaves no neighbours, and a vector's outputs all read all of it
    for axis, size in enumerate(reported.size):
        read = read_along(layer.build(x), x, axis).reshape(-1, *y)
        along = read.movedim(axis + 2, 1).flatten(2).any(2)  # (rows, positions)
        inside = [
            a >= 0 and b < x[axis + 1]
            for a, b in map(reported.windows[axis].span_at, range(along.shape[1]))
        ]
        starts = [
            int(p.int().argmax())
            for p, whole in zip(along.T, inside, strict=True)
            if whole and widest(p[:, None]) == size
        ]
        jumps = {b - a for a, b in pairwise(starts)}
        if reported.jump[axis].denominator == 1:
            assert jumps <= {reported.jump[axis]}


@every_example
def test_what_hands_its_input_on_is_known(kind: str, written: object, x: Shape) -> None:
    """A layer whose output is its input's memory, trained or evaluated, is among those that may."""
    layer = LAYERS.parse({kind: written})
    given = torch.randn(2, *x)
    memory = [layer.build(x).train(mode)(given).untyped_storage() for mode in (True, False)]
    if any(one.data_ptr() == given.untyped_storage().data_ptr() for one in memory):
        assert kind in ALIASING_KINDS or getattr(layer, "inplace", False)


@pytest.mark.parametrize("rule", Layer.RULES)
def test_a_kind_without_a_rule_is_refused(rule: str) -> None:
    """A class that answers every rule but one is refused when it is made."""
    rules = {name: vars(Layer)[name] if name == rule else lambda *_: None for name in Layer.RULES}
    with pytest.raises(TypeError, match=rf"Forgetful does not define: {rule}$"):
        type("Forgetful", (Layer,), {**rules, "__module__": __name__})


def test_a_family_leaves_rules_to_its_kinds_and_a_kind_may_not() -> None:
    """What a family leaves open is asked of each class below it that is not a family itself."""
    with pytest.raises(TypeError, match=r"Open does not define: output_shape, receptive_field$"):
        type("Open", (Unparametrized,), {"__module__": __name__})
