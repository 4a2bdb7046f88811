"""Numbers at the ends of their ranges: refused, or torch computes with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from budgets import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_examples import EXAMPLES
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from netbuilder.components.component import Component
from netbuilder.components.fields import LARGEST_NUMBER
from netbuilder.components.init import INITIALIZERS
from netbuilder.components.layers.base import LAYERS
from netbuilder.components.registries import AUGMENTATIONS, LOSSES, OPTIMIZERS, SCHEDULERS
from netbuilder.components.registry import Registry
from netbuilder.config.loader import parse_architecture
from netbuilder.errors import ConfigError, ShapeError

ENDS = [0.0, 5e-324, 1e-300, 1e-46, 1e-45, 1e-39, 1 / LARGEST_NUMBER, 1.0, 100.0, LARGEST_NUMBER]
BEYOND = [1.1e38, 3.5e38, 1e39, 1e300]
NUMBERS = st.sampled_from([sign * number for number in ENDS + BEYOND for sign in (1, -1)])
SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))
REGISTRIES: dict[str, Registry[Any]] = {
    "optimizer": OPTIMIZERS, "scheduler": SCHEDULERS, "loss": LOSSES, "layer": LAYERS,
    "initializer": INITIALIZERS, "augmentation": AUGMENTATIONS,
}  # fmt: skip
REQUIRED: dict[str, dict[str, Any]] = {
    "CosineAnnealingLR": {"T_max": 3},
    "MultiStepLR": {"milestones": [1]},
    "StepLR": {"step_size": 1},
}


def number_fields(kind: type[Component]) -> list[str]:
    """Return the fields of a kind that hold numbers, or lists of numbers, with a fraction."""
    return [
        name
        for name, field in kind.model_fields.items()
        if "float" in str(field.annotation) or (field.annotation is float)
    ]


KINDS = [
    (family, name)
    for family, registry in REGISTRIES.items()
    for name in registry.kinds
    if number_fields(registry.kinds[name])
]


@st.composite
def arguments(draw: st.DrawFn, family: str, kind: str) -> tuple[Any, tuple[int, ...]]:
    """Draw arguments of a kind, some of its numbers extreme, and an input shape for a layer."""
    fields: dict[str, Any] = dict(REQUIRED.get(kind, {}))
    shape: tuple[int, ...] = (6,)
    if family == "layer":
        example, shape = draw(st.sampled_from(EXAMPLES[kind]))
        layer = LAYERS.parse(kind if example is None else {kind: example})
        fields = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in layer.arguments().items()
        }
    names = number_fields(REGISTRIES[family].kinds[kind])
    required = [name for name in REGISTRIES[family].kinds[kind].required() if name in names]
    for name in {*draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)), *required}:
        number = draw(NUMBERS)
        fields[name] = draw(st.sampled_from([number, [number, draw(NUMBERS)]]))
    return {kind: fields}, shape


@pytest.mark.parametrize(("family", "kind"), KINDS)
@given(data=st.data())
@examples(5, 400, SETTINGS)
def test_a_number_is_refused_or_torch_takes_it(family: str, kind: str, data: st.DataObject) -> None:
    """Whatever the catalogue accepts, torch's part of that name computes with it."""
    value, shape = data.draw(arguments(family, kind))
    try:
        component = REGISTRIES[family].parse(value)
    except (ValidationError, PydanticCustomError):
        return
    torch.manual_seed(0)
    USES[family](component, shape)


def _train(optimizer: torch.optim.Optimizer, weight: torch.Tensor) -> Iterator[None]:
    for _ in range(3):
        weight.grad = torch.randn_like(weight)
        optimizer.step()
        yield


def _use_optimizer(component: Any, _shape: tuple[int, ...]) -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    for _ in _train(component.build([weight], fused=True), weight):
        pass


def _use_scheduler(component: Any, _shape: tuple[int, ...]) -> None:
    if component.problem(9):
        return
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = OPTIMIZERS.parse({"SGD": {"lr": 0.1, "momentum": 0.9}}).build([weight], fused=True)
    schedule = component.build(optimizer, epochs=3, steps_per_epoch=3)
    for _ in _train(optimizer, weight):
        schedule.step(*([1.0] if component.watches_loss else []))


def _use_loss(component: Any, _shape: tuple[int, ...]) -> None:
    scores = torch.randn(5, 10, requires_grad=True)
    component.build()(scores, torch.arange(5)).backward()


def _use_layer(component: Any, shape: tuple[int, ...]) -> None:
    try:
        component.output_shape(shape)
    except ShapeError:
        return
    module = component.build(shape)
    images = torch.randn(2, *shape, requires_grad=True)
    for mode in (True, False):
        output = module.train(mode)(images * 1)
        output.sum().backward()


def _use_initializer(component: Any, _shape: tuple[int, ...]) -> None:
    for shape in ((1, 1), (3, 5), (4, 2, 3, 3), (6,)):
        if not component.problem(shape):
            component.fill(torch.empty(shape))


def _use_augmentation(component: Any, _shape: tuple[int, ...]) -> None:
    if component.problem((1, 28, 28)):
        return
    generator = torch.Generator().manual_seed(0)
    draws = component.draw(3, (1, 28, 28), generator)
    component.apply(torch.rand(3, 1, 28, 28), draws)


USES = {
    "optimizer": _use_optimizer,
    "scheduler": _use_scheduler,
    "loss": _use_loss,
    "layer": _use_layer,
    "initializer": _use_initializer,
    "augmentation": _use_augmentation,
}


@pytest.mark.parametrize(
    ("train", "place", "allowed"),
    [
        ("optimizer: {SGD: {lr: 0.1, weight_decay: 1e300}}", "optimizer.SGD.weight_decay",
         "at most 1e+38"),
        ("optimizer: {Adam: 1e39}", "optimizer.Adam.lr", "at most 1e+38"),
        ("loss: {MultiMarginLoss: {margin: -1e39}}", "loss.MultiMarginLoss.margin",
         "at least -1e+38"),
    ],
)  # fmt: skip
def test_a_number_beyond_float32_has_its_place(train: str, place: str, allowed: str) -> None:
    """The message names the field and what is allowed."""
    train = train if "optimizer" in train else f"optimizer: SGD, {train}"
    text = (
        "name: a\ninput: [1, 28, 28]\nlayers: [Flatten, {Linear: 10}]\n"
        f"train: {{dataset: mnist5k, epochs: 1, {train}}}\n"
    )
    with pytest.raises(ConfigError, match=re.escape(f"allowed: {allowed}")) as refused:
        parse_architecture(text, "a.yaml")
    [problem] = refused.value.problems
    assert (problem.line, problem.field) == (4, f"train.{place}")
    assert problem.message.endswith(f"allowed: {allowed}")
