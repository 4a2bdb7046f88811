"""Layers that work in place on values that the backward pass needs, which torch refuses.

A few kinds compute their gradient from their output. Where the next layer works in place, or one
after layers that pass on the same memory, that output is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from netbuilder.components.kind_groups import DROPOUTS, VIEWS
from netbuilder.components.layers.base import Layer
from netbuilder.components.layers.container import Branch, Container
from netbuilder.config.schema import Place
from netbuilder.errors import Problem
from netbuilder.network.analysis import Analysis

NEED_OUTPUT = frozenset(
    {"LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Tanh"}
)
"""Kinds whose backward pass reads their output."""

NEED_OUTPUT_IN_PLACE = frozenset({"CELU", "ELU", "LeakyReLU", "RReLU", "SELU"})
"""Kinds whose backward pass reads their output if they work in place."""

OWN_OUTPUT = frozenset({"AlphaDropout", "FeatureAlphaDropout"})
"""Kinds whose argument ``inplace`` changes nothing in torch."""


class _Step(NamedTuple):
    """A layer of a chain, with its place in the document."""

    layer: Layer
    place: Place


def in_place_problems(analysis: Analysis) -> list[Problem]:
    """Return the layers whose work in place prevents the backward pass."""
    layers = analysis.architecture.layers
    chain = (
        _Step(layer, ("layers", position, layer.kind)) for position, layer in enumerate(layers)
    )
    return [
        analysis.architecture.problem((*step.place, "inplace"), f"{reason}; remove inplace")
        for step, reason in _faults(chain)[0]
    ]


def _faults(chain: Iterable[_Step], kind: str = "") -> tuple[list[tuple[_Step, str]], str]:
    """Return the faults of a chain, and the kind whose output the chain's output is, if any.

    Args:
        chain: The layers, in order.
        kind: The kind whose output, which backward reads, the chain's input shares.
    """
    faults: list[tuple[_Step, str]] = []
    for step in chain:
        layer, in_place = step.layer, bool(getattr(step.layer, "inplace", False))
        if isinstance(layer, Container):
            for branch in layer.child_branches():
                further, end = _faults(_steps(branch, step.place), kind)
                faults += further
            kind = "" if layer.allocates_output else end
            if tail := layer.tail():
                further, kind = _faults(_steps(tail, step.place), kind)
                faults += further
            continue
        passes_on = getattr(layer, "p", None) == 0 and layer.kind in DROPOUTS
        if passes_on or layer.kind in VIEWS:
            continue
        if in_place and kind and layer.kind not in OWN_OUTPUT:
            reason = f"it would overwrite the output of the {kind} before it, from which torch "
            faults.append((step, f"{reason}computes the gradient"))
        needed = layer.kind in NEED_OUTPUT or (in_place and layer.kind in NEED_OUTPUT_IN_PLACE)
        kind = layer.kind if needed else ""
    return faults, kind


def _steps(branch: Branch, place: Place) -> Iterator[_Step]:
    for _, inner, layer in branch.named_layers():
        yield _Step(layer, (*place, *inner))
