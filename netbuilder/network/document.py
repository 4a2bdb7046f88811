"""Write the document of an architecture."""

from __future__ import annotations

from typing import Any

import yaml

from netbuilder._text import printable
from netbuilder.components.layers.base import Layer
from netbuilder.components.layers.container import Container
from netbuilder.config.schema import Architecture


def document(architecture: Architecture, remarks: str = "") -> str:
    """The text of a document with the architecture's layers, after ``remarks`` as comments."""
    lines = [f"# {printable(line)}" for line in remarks.splitlines()]
    data = {
        "name": architecture.name,
        "input": list(architecture.input),
        "layers": [layer_form(layer) for layer in architecture.layers],
    }
    text = yaml.dump(data, Dumper=_Indented, sort_keys=False, default_flow_style=None, width=100)
    return "\n".join([*lines, text])


class _Indented(yaml.SafeDumper):
    """Indents lists below their key, and writes no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def layer_form(layer: Layer) -> Any:
    """A layer as plain data for YAML, in the shortest form of the document grammar."""
    if isinstance(layer, Container):
        return _container_form(layer)
    arguments = layer.non_default_arguments()
    if not arguments:
        return layer.kind
    [first, *others] = arguments
    if not others and layer.required()[:1] == (first,) and not isinstance(arguments[first], tuple):
        return {layer.kind: arguments[first]}
    return {layer.kind: arguments}


def _container_form(layer: Container) -> Any:
    arguments = layer.non_default_arguments()
    branches = [b for b in layer.child_branches() if b.layers or b.name != "shortcut"]
    for branch in [*branches, *filter(None, [layer.tail()])]:
        children: Any = [layer_form(child) for child in branch.layers]
        parent = arguments
        for step in branch.place[:-1]:
            parent = parent.setdefault(step, {})
        parent[branch.place[-1]] = children[0] if branch.single else children
    if list(arguments) == [layer.variadic]:
        return {layer.kind: arguments[layer.variadic]}
    return {layer.kind: arguments}
