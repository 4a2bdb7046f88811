"""The catalogue held against torch.nn's own list: what is missing is missing by name."""

from __future__ import annotations

from omissions import LEFT_OUT
from torch import nn

from netbuilder.components.layers.base import LAYERS, Layer
from netbuilder.components.layers.container import Container

OURS = {"Parallel", "Permute", "Residual", "SqueezeExcitation", "StochasticDepth"}
"""Kinds beside torch.nn: containers, and layers of torchvision.ops."""


def offered() -> set[str]:
    """Every module class that torch.nn offers."""
    return {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    }


def test_all_of_torch_is_served_or_left_out_by_name() -> None:
    """A module of torch.nn is a kind or stands in the list of what is left out, never both."""
    kinds = set(LAYERS.kinds)
    assert offered() - kinds - set(LEFT_OUT) == set()
    assert kinds & set(LEFT_OUT) == set()


def test_every_kind_is_one_of_torch_or_said_to_be_ours() -> None:
    """No kind has a name of its own but those that are listed."""
    assert set(LAYERS.kinds) - offered() == OURS


def test_every_kind_says_what_it_is() -> None:
    """Each has a docstring of its own, which editors show."""
    for kind in LAYERS.kinds.values():
        assert kind.__doc__
        assert kind.__doc__ not in (Layer.__doc__, Container.__doc__), kind
