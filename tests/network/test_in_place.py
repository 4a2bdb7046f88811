"""Layers in place that torch cannot train are refused, and no others."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from layer_examples import EXAMPLES

from netbuilder.components.layers.base import LAYERS
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse
from netbuilder.network.build import build
from netbuilder.network.check import check_architecture
from netbuilder.network.in_place import in_place_problems

IMAGE = (4, 6, 6)
KINDS = [
    name
    for name in EXAMPLES
    if LAYERS.kinds[name].__module__.endswith((".activation", ".dropout", ".norm"))
]
BETWEEN: list[Any] = [
    None, "Flatten", {"Sequential": ["Identity"]}, {"Dropout": 0.0}, {"Dropout": 0.3},
    {"Residual": {"body": ["Identity"]}}, "ReLU6",
]  # fmt: skip
IN_PLACE = ["ReLU", "Dropout", "AlphaDropout"]


def network(*layers: Any, shape: tuple[int, ...] = IMAGE) -> Architecture:
    """Return an architecture of a convolution and these layers; None leaves a layer out."""
    first = {"Conv2d": [shape[0], 1]} if len(shape) == 3 else {"Linear": shape[-1]}
    chain = [first, *(layer for layer in layers if layer is not None)]
    return Architecture.model_validate({"name": "net", "input": list(shape), "layers": chain})


def trains(architecture: Architecture) -> bool:
    """Whether torch computes the gradients."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of softmax without an axis
        model = build(architecture)
        try:
            model(torch.randn(2, *architecture.input)).sum().backward()
        except RuntimeError:
            return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_what_backward_needs_is_not_overwritten(kind: str) -> None:
    """The oracle is a backward pass: all that it refuses is refused, and no more."""
    for arguments, shape in EXAMPLES[kind]:
        if len(shape) != 3:
            continue
        for between in BETWEEN:
            for last in IN_PLACE:
                architecture = network(
                    {kind: arguments}, between, {last: {"inplace": True}}, shape=shape
                )
                expected = trains(architecture)
                assert (in_place_problems(analyse(architecture)) == []) == expected, (
                    arguments, between, last,
                )  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        (
            {"Residual": {"body": ["Sigmoid", {"ReLU": {"inplace": True}}]}},
            "layers[1].Residual.body[1].ReLU.inplace",
        ),
        (
            {"Residual": {"body": ["Sigmoid", "Flatten", {"Unflatten": [1, [4, 6, 6]]}, "Identity",
                                   {"Dropout2d": {"inplace": True}}]}},
            "layers[1].Residual.body[4].Dropout2d.inplace",
        ),
        (
            {"Sequential": ["Tanh", {"Sequential": [{"ReLU6": {"inplace": True}}]}]},
            "layers[1].Sequential.layers[1].Sequential.layers[0].ReLU6.inplace",
        ),
    ],
)  # fmt: skip
def test_the_place_of_a_layer_in_place_is_named(layer: Any, field: str) -> None:
    """A layer in a branch, and one after others that share memory."""
    architecture = network(layer)
    assert not trains(architecture)
    [problem] = in_place_problems(analyse(architecture))
    assert problem.field == field


def test_a_network_that_is_not_trained_may_work_in_place() -> None:
    """Without a train section, evaluation is all that happens."""
    assert check_architecture(network("Sigmoid", {"ReLU": {"inplace": True}})).is_sound
