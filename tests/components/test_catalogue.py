"""The layer kinds compared with the modules of torch.nn."""

from __future__ import annotations

from omissions import LEFT_OUT
from torch import nn

from netbuilder.components.layers.base import LAYERS, Layer
from netbuilder.components.layers.container import Container

EXTRA_KINDS = {"Parallel", "Permute", "Residual", "SqueezeExcitation", "StochasticDepth"}
"""Kinds that torch.nn lacks: containers, and layers of torchvision.ops."""


def torch_modules() -> set[str]:
    """Return the name of every module class in torch.nn."""
    return {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    }


def test_every_torch_module_is_a_kind_or_a_listed_omission() -> None:
    """Each module of torch.nn is either a kind or in the list of omissions, never both."""
    kinds = set(LAYERS.kinds)
    assert torch_modules() - kinds - set(LEFT_OUT) == set()
    assert kinds & set(LEFT_OUT) == set()


def test_kinds_that_torch_lacks_are_listed() -> None:
    """A kind has the name of a module of torch.nn unless it is in EXTRA_KINDS."""
    assert set(LAYERS.kinds) - torch_modules() == EXTRA_KINDS


def test_every_kind_has_a_docstring() -> None:
    """Each kind has a docstring of its own, which editors show."""
    for kind in LAYERS.kinds.values():
        assert kind.__doc__
        assert kind.__doc__ not in (Layer.__doc__, Container.__doc__), kind
