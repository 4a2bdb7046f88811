"""Everything that the author of a plugin imports.

A plugin is a Python module with layer kinds: one class per kind, whose fields are the arguments in documents and whose
methods answer for its shapes, parameters, cost and receptive field. `check_layer` is the test that every kind passes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netbuilder.components.fields import Number as Number
from netbuilder.components.fields import NonNegative as NonNegative
from netbuilder.components.fields import Pair as Pair
from netbuilder.components.fields import PairFromZero as PairFromZero
from netbuilder.components.fields import Positive as Positive
from netbuilder.components.fields import Probability as Probability
from netbuilder.components.fields import Single as Single
from netbuilder.components.fields import SingleFromZero as SingleFromZero
from netbuilder.components.fields import Size as Size
from netbuilder.components.fields import Triple as Triple
from netbuilder.components.fields import TripleFromZero as TripleFromZero
from netbuilder.components.layers.base import Elementwise as Elementwise
from netbuilder.components.layers.base import Layer as Layer
from netbuilder.components.layers.base import TorchLayer as TorchLayer
from netbuilder.components.layers.base import Unparametrised as Unparametrised
from netbuilder.components.layers.base import Weighted as Weighted
from netbuilder.components.layers.base import require_axes as require_axes
from netbuilder.components.layers.base import require_image as require_image
from netbuilder.components.layers.base import sample_axis as sample_axis
from netbuilder.components.receptive_field.field import ReceptiveField as ReceptiveField
from netbuilder.components.receptive_field.window import Window as Window
from netbuilder.components.shapes import Shape as Shape
from netbuilder.errors import ShapeError as ShapeError

if TYPE_CHECKING:
    from netbuilder.network.testing import check_layer as check_layer

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
    "Unparametrised",
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
