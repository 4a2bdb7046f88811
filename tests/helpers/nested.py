"""Random networks of layers inside layers."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from strategies import NAMES, documents

from netbuilder.components.shapes import Shape
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import analyse

NESTS = settings(suppress_health_check=list(HealthCheck))


def network(*layers: object, shape: Shape = (4, 8, 8)) -> Architecture:
    """Create a network of layers in a document's form."""
    return Architecture.model_validate({"name": "a", "input": list(shape), "layers": list(layers)})


NESTED = tuple(name for name in NAMES if name != "LocalResponseNorm")
"""torch's LocalResponseNorm accepts no permuted tensor, whatever its shape."""


@st.composite
def chains(draw: st.DrawFn, x: Shape, depth: int, names: tuple[str, ...] = NESTED) -> list[Any]:
    """Draw layers for a sample ``x``, some of them containers."""
    document = draw(documents(st.just(x), names, longest=2))
    document = _without_in_place(document)
    layers = list(document["layers"])
    if depth and draw(st.booleans()):
        y = analyse(Architecture.model_validate(document)).output_shape
        layers.append(draw(containers(y, depth - 1, names)))
    return layers


@st.composite
def containers(
    draw: st.DrawFn, x: Shape, depth: int, names: tuple[str, ...] = NESTED
) -> dict[str, Any]:
    """Draw a container for a sample ``x``; a branch that does not fit is replaced by the first."""
    kind = draw(st.sampled_from(["Sequential", "Residual", "Parallel"]))
    first, second = draw(chains(x, depth, names)), draw(chains(x, depth, names))
    if kind == "Sequential":
        return {kind: {"layers": first + draw(chains(_output_shape(x, first), 0, names))}}
    a, b = _output_shape(x, first), _output_shape(x, second)
    if a != b:  # the same layers twice always fit
        second = first
    if kind == "Residual":
        join = draw(st.sampled_from(["add", "multiply"]))
        fields = {"body": first, "shortcut": second, "join": join}
        return {kind: fields | draw(st.sampled_from([{}, {"activation": "Softplus"}]))}
    join = draw(st.sampled_from(["concat", "add", "multiply", "mean"]))
    branches = {"one": first, "two": second, "three": first}
    return {kind: {"join": join, "branches": branches}}


def _output_shape(x: Shape, layers: list[Any]) -> Shape:
    return analyse(network(*layers, shape=x)).output_shape


@st.composite
def nested(
    draw: st.DrawFn, shapes: st.SearchStrategy[Shape], names: tuple[str, ...] = NESTED
) -> Architecture:
    """Draw architectures with containers inside containers."""
    x = draw(shapes)
    layer = draw(containers(x, 2, names))
    return network(layer, *draw(chains(_output_shape(x, [layer]), 0, names)), shape=x)


def _without_in_place(value: Any) -> Any:
    """Return the same layers without in-place operations, which joins refuse."""
    if isinstance(value, dict):
        return {key: _without_in_place(v) for key, v in value.items() if key != "inplace"}
    return [_without_in_place(v) for v in value] if isinstance(value, list) else value
