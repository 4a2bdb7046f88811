"""Initializers: each matches torch's function and applies where the document sets it."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from torch import Tensor, nn

from netbuilder.components.init import INITIALIZERS
from netbuilder.components.initializers import Initializer
from netbuilder.components.layers.base import LAYERS, Weighted
from netbuilder.config.json_schema import document_schema
from netbuilder.config.loader import parse_architecture
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build

EXAMPLES: dict[str, Any] = {
    "constant": 0.3,
    "dirac": 2,
    "eye": None,
    "kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"},
    "kaiming_uniform": {"a": 0.2},
    "normal": [1.0, 0.5],
    "ones": None,
    "orthogonal": 1.5,
    "sparse": 0.25,
    "trunc_normal": {"std": 0.02, "a": -0.03, "b": 0.04},
    "uniform": [-0.5, 0.5],
    "xavier_normal": 2.0,
    "xavier_uniform": None,
    "zeros": None,
}


def document(*layers: object, init: object = None, shape: tuple[int, ...] = (4, 8, 8)) -> str:
    described = {"name": "a", "input": list(shape), "layers": list(layers)}
    return json.dumps(described | ({"init": init} if init is not None else {}))


def built(*layers: object, init: object = None, seed: int = 0) -> Any:
    """Build the network of these layers after setting this seed."""
    torch.manual_seed(seed)
    return build(parse_architecture(document(*layers, init=init), "net.yaml"))


@pytest.mark.parametrize("kind", INITIALIZERS.kinds.values(), ids=lambda kind: kind.kind)
def test_arguments_match_torch(kind: type[Initializer]) -> None:
    """Names, order and defaults of arguments match torch's function of that name."""
    signature = inspect.signature(getattr(nn.init, f"{kind.kind}_")).parameters
    expected = {
        name: argument.default
        for name, argument in signature.items()
        if name not in ("tensor", "generator")
    }
    actual = {
        name: inspect.Parameter.empty if field.is_required() else field.default
        for name, field in kind.model_fields.items()
    }
    assert list(actual) == list(expected)
    assert actual == expected


def test_every_initializer_of_torch_is_a_kind() -> None:
    """Each function of torch.nn.init that fills a tensor has a kind and an example."""
    functions = {
        name.removesuffix("_")
        for name in dir(nn.init)
        if name.endswith("_") and not name.startswith("_")
    }
    assert functions == set(INITIALIZERS.kinds) == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_values_match_torch(name: str) -> None:
    """From the same random state, the values equal those of torch's function."""
    initializer = INITIALIZERS.parse({name: EXAMPLES[name]})
    shape = (6, 4) if not initializer.problem((6, 4)) else (6, 4, 3, 3)
    assert not initializer.problem(shape)
    actual, expected = torch.empty(shape), torch.empty(shape)
    torch.manual_seed(1)
    with torch.no_grad():
        initializer.fill(actual)
    torch.manual_seed(1)
    getattr(nn.init, f"{name}_")(expected, **initializer.arguments())
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("kind", INITIALIZERS.kinds.values(), ids=lambda kind: kind.kind)
def test_a_shape_has_a_problem_where_torch_refuses_it(kind: type[Initializer]) -> None:
    """`problem` reports a shape if and only if torch raises an error for it."""
    initializer = INITIALIZERS.parse({kind.kind: EXAMPLES[kind.kind]})
    for shape in [
        (6,),
        (6, 4),
        (6, 4, 3),
        (6, 4, 3, 3),
        (6, 4, 3, 3, 3),
        (5, 4, 3),
        (4, 2, 1, 2, 1, 2),
    ]:
        refused = False
        try:
            with torch.no_grad():
                initializer.fill(torch.empty(shape))
        except ValueError:
            refused = True
        assert bool(initializer.problem(shape)) == refused, shape


def test_weights_without_init_match_the_torch_module() -> None:
    """Without `init` the weights equal those of the torch module after the same seed."""
    model = built({"Conv2d": [5, 3]})
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 5, 3)
    assert torch.equal(model[0].weight, conv.weight)
    assert conv.bias is not None
    assert torch.equal(model[0].bias, conv.bias)


def test_the_init_of_a_document_fills_weights_of_products_alone() -> None:
    """It fills weights of nested convolutions and linear layers, but no norms or biases."""
    nested = {"Residual": {"body": [{"Conv2d": [4, 3, 1, 1]}, "BatchNorm2d"]}}
    model = built(nested, "Flatten", {"Linear": 3}, init={"constant": 0.5})
    filled = {n for n, p in model.named_parameters() if torch.equal(p, torch.full_like(p, 0.5))}
    assert filled == {"0.body.0.weight", "2.weight"}


def test_weight_and_bias_can_have_different_initializers() -> None:
    """A mapping of `weight` and `bias` sets the initializer of each."""
    model = built({"Conv2d": [5, 3]}, init={"weight": "ones", "bias": {"constant": -2}})
    assert model[0].weight.unique().tolist() == [1]
    assert model[0].bias.unique().tolist() == [-2]


def test_the_init_of_a_layer_overrides_the_document() -> None:
    """The initializer of a layer overrides that of the document per parameter."""
    own = {"Conv2d": {"out_channels": 5, "kernel_size": 3, "init": {"bias": "ones"}}}
    model = built(own, {"BatchNorm2d": {"init": "zeros"}}, init={"weight": "ones", "bias": "zeros"})
    assert model[0].weight.unique().tolist() == [1]
    assert model[0].bias.unique().tolist() == [1]
    assert model[1].weight.unique().tolist() == [0]


def test_the_init_of_a_document_skips_tensors_that_it_cannot_fill() -> None:
    """With dirac for the whole document, a Linear keeps torch's default weights."""
    model = built({"Conv2d": [4, 3, 1, 1]}, "Flatten", {"Linear": 3}, init="dirac")
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(model[0](x), x + model[0].bias[:, None, None])
    assert model[2].weight.unique().numel() > 100


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            {"Conv2d": {"out_channels": 5, "kernel_size": 3, "init": "eye"}},
            r"init: eye fills tensors of 2 axes, but weight is 5x4x3x3",
        ),
        (
            {"Conv2d": {"out_channels": 5, "kernel_size": 3, "init": {"dirac": 2}}},
            r"init: groups 2 does not divide the 5 output channels",
        ),
        (
            {
                "Conv2d": {
                    "out_channels": 5,
                    "kernel_size": 3,
                    "bias": False,
                    "init": {"bias": "ones"},
                }
            },
            r"init: the layer has no bias; remove the initializer",
        ),
        (
            {"BatchNorm2d": {"init": "orthogonal"}},
            r"fills tensors of at least 2 axes, .* is 4; use another initializer$",
        ),
    ],
)
def test_an_initializer_that_does_not_fit_its_layer_is_a_fault(layer: object, message: str) -> None:
    """The analysis reports the problem before anything is built."""
    fault = analyse(parse_architecture(document(layer), "net.yaml")).fault
    assert fault is not None
    assert re.search(message, fault.message)


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (
            "kaiming",
            r"init: unknown initializer 'kaiming'; write kaiming_normal or kaiming_un",
        ),
        ({"normal": {"std": -1}}, r"init\.normal\.std: found the number -1"),
        ({"weights": "zeros"}, r"init: unknown initializer 'weights'"),
        ({"weight": "zeros", "scale": "ones"}, r"init\.scale: unknown field"),
        ({"uniform": [3, 2]}, r"init\.uniform: a 3.0 is greater than b 2.0"),
        ({"trunc_normal": {"std": 0}}, r"init\.trunc_normal\.std: found the number 0"),
        ({"trunc_normal": {"a": 2, "b": 2}}, r"init\.trunc_normal: a 2.0 is not below b 2.0"),
        ({"trunc_normal": {"a": 3, "b": 2}}, r"init\.trunc_normal: a 3.0 is not below b 2.0"),
    ],
)
def test_an_invalid_initializer_is_refused(init: object, message: str) -> None:
    """The error message names the field of the mistake."""
    with pytest.raises(ConfigError, match=message):
        parse_architecture(document("ReLU", init=init), "net.yaml")


def test_a_uniform_range_may_be_a_single_value() -> None:
    """A range from a to a fills the tensor with a, as in torch."""
    tensor = torch.empty(3)
    INITIALIZERS.parse({"uniform": [2, 2]}).fill(tensor)
    assert tensor.tolist() == [2, 2, 2]


def test_the_init_of_a_layer_can_be_passed_to_another() -> None:
    """In Python, a parsed initializer is accepted as an argument of another layer."""
    first = LAYERS.parse({"Linear": {"out_features": 2, "init": {"bias": "ones"}}})
    assert isinstance(first, Weighted)
    second = LAYERS.parse({"Linear": {"out_features": 2, "init": first.init}})
    assert second == first


@pytest.mark.parametrize(
    ("init", "allowed"),
    [("zeros", True), ({"weight": "zeros", "bias": "ones"}, True), ({"scale": "ones"}, False)],
)
def test_the_schema_allows_both_forms_of_init(init: object, allowed: bool) -> None:
    """The schema allows one initializer, and a mapping with one per parameter."""
    layer = {"Linear": {"out_features": 2, "init": init}}
    content = {"name": "a", "input": [4], "layers": [layer]}
    assert Draft202012Validator(document_schema()).is_valid(content) == allowed


def test_weights_depend_on_the_seed_alone() -> None:
    """The same seed gives equal weights, and another seed gives different weights."""

    def weights(seed: int) -> Tensor:
        model = built({"Conv2d": [5, 3]}, "Flatten", {"Linear": 3}, init="orthogonal", seed=seed)
        return torch.cat([value.flatten() for value in model.state_dict().values()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_the_canonical_form_contains_the_initializer() -> None:
    """An initializer in the canonical form reads back as equal."""
    layer = {"Conv2d": {"out_channels": 5, "kernel_size": 3, "init": {"dirac": 1}}}
    before = parse_architecture(document(layer, init="xavier_normal"), "net.yaml")
    assert Architecture.model_validate(before.model_dump(mode="json")) == before
