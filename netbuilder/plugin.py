"""The interface for plugins: a plugin imports nothing else of netbuilder.

A plugin is a Python module that defines layer kinds, one class per kind. The fields of the class
are the arguments in documents; its methods compute shapes, parameters, cost and receptive field.
`check_layer` tests a kind against torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netbuilder.components.fields import (
    NonNegative,
    Number,
    Pair,
    PairFromZero,
    Positive,
    Probability,
    Single,
    SingleFromZero,
    Size,
    Triple,
    TripleFromZero,
)
from netbuilder.components.layers.base import (
    Elementwise,
    Layer,
    TorchLayer,
    Unparametrized,
    Weighted,
    require_axes,
    require_image,
    sample_axis,
)
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from netbuilder.network.testing import check_layer

__all__ = [
    "Elementwise",
    "Layer",
    "NonNegative",
    "Number",
    "Pair",
    "PairFromZero",
    "Positive",
    "Probability",
    "ReceptiveField",
    "Shape",
    "ShapeError",
    "Single",
    "SingleFromZero",
    "Size",
    "TorchLayer",
    "Triple",
    "TripleFromZero",
    "Unparametrized",
    "Weighted",
    "Window",
    "check_layer",
    "require_axes",
    "require_image",
    "sample_axis",
]


def __getattr__(name: str) -> Any:
    if name == "check_layer":  # it imports torch, which a plugin's module does not need
        return import_module("netbuilder.network.testing").check_layer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
