"""Generate a standalone Python module with the network as a class."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from keyword import iskeyword
from pathlib import Path

from netbuilder._text import printable
from netbuilder.components import kinds, layers
from netbuilder.components.layers.base import Layer, TorchLayer
from netbuilder.components.layers.container import Branch, Container
from netbuilder.components.layers.containers import Parallel, Residual, Sequential
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import Analysis, analyse
from netbuilder.network.build import initializers

OWN_MODULES = Path(layers.__file__).parent / "modules.py"
"""The source of classes that torch lacks; a generated module contains those that it uses."""

BUILT_IN_KINDS = frozenset(name for names in kinds.LAYERS.values() for name in names)

MODULE_ALIASES = {"torch.nn": "nn", "torchvision.ops": "ops"}

MAX_WIDTH = 99

INDENT = "    "


def python_code(architecture: Architecture) -> str:
    """Generate the source of a Python module that defines the network.

    The class is an `nn.Sequential`, has the name `class_name` returns, and takes no arguments. Its
    ``state_dict`` keys and, from the same random state, its initial weights are those of
    `netbuilder.build`. The module imports torch, and torchvision if the document uses its layers.

    Raises:
        ConfigError: A layer cannot take its input, or comes from a plugin.
    """
    analysis = analyse(architecture)
    analysis.require_sound()
    _require_torch_classes(analysis)
    own = _own_source(
        {row.kind for row in analysis.rows if _has_own_module(row.layer, row.input_shape)}
    )
    body = list(_arguments(Branch(architecture.layers, "", ("layers",)), architecture.input, 3))
    homes = {row.layer.namespace for row in analysis.rows if isinstance(row.layer, TorchLayer)}
    heading = f"{architecture.title} (netbuilder)" if architecture.title else "(netbuilder)"
    text = "\n".join(
        [
            f'"""{_in_docstring(heading)}"""',
            "",
            *_imports(own, torchvision="torchvision.ops" in homes),
            *own,
            "",
            "",
            f"class {class_name(architecture.name)}(nn.Sequential):",
            f'{INDENT}"""{_in_docstring(_summary(analysis))}"""',
            "",
            f"{INDENT}def __init__(self) -> None:",
            f"{INDENT * 2}super().__init__(",
            *body,
            f"{INDENT * 2})",
            *_initialization(analysis),
            "",
        ]
    )
    try:
        ast.parse(text)
    except (SyntaxError, MemoryError, RecursionError):
        raise ConfigError(
            f"{architecture.name}: its layers are nested too deeply for a Python module; nest them "
            "less deeply"
        ) from None
    return text


def class_name(name: str) -> str:
    """Convert the name of an architecture to a class name: ``mobilenet_v2`` to ``MobilenetV2``."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    reserved = (
        Residual.kind, Parallel.kind, "LocalResponseNorm", "Tensor", "Sequence", "Mapping",
    )  # fmt: skip
    if joined in reserved or iskeyword(joined):
        joined += "Net"
    return joined if joined[:1].isalpha() else f"Net{joined}"


def _in_docstring(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def _summary(analysis: Analysis) -> str:
    x, y = format_shape(analysis.architecture.input), format_shape(analysis.output_shape)
    return f"Takes batches of {x}, gives {y}; {analysis.parameters:,} parameters."


def _require_torch_classes(analysis: Analysis) -> None:
    for row in analysis.rows:
        layer = row.layer
        if isinstance(layer, Container):
            continue
        has_class = isinstance(layer, TorchLayer) and layer.namespace in MODULE_ALIASES
        if not (has_class and layer.kind in BUILT_IN_KINDS):
            raise ConfigError(
                f"{analysis.architecture.name}: layer {row.path}, {layer.kind}, comes from a "
                "plugin, which a standalone module cannot import; replace it with a kind of torch"
            )


def _has_own_module(layer: Layer, x: Shape) -> bool:
    """Whether the generated module contains the class of a layer for samples ``x``."""
    if isinstance(layer, TorchLayer):
        return layer.has_own_module(x)
    return isinstance(layer, Residual | Parallel)


def _own_source(names: set[str]) -> list[str]:
    """The source of these classes and of the function that they call."""
    if not names:
        return []
    if names & {Residual.kind, Parallel.kind}:
        names = names | {"join"}
    text = OWN_MODULES.read_text(encoding="utf-8")
    lines = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
            lines += ["", "", *(ast.get_source_segment(text, node) or "").splitlines()]
    return lines


def _imports(own: list[str], *, torchvision: bool) -> list[str]:
    lines = []
    if own:
        text = "\n".join(own)
        names = [name for name in ("Mapping", "Sequence") if f"{name}[" in text]
        if names:
            lines += [f"from collections.abc import {', '.join(names)}"]
            lines += ["from functools import reduce", "", "import torch"]
        lines += ["from torch import Tensor, nn"]
    else:
        lines += ["from torch import nn"]
    return [*lines, "from torchvision import ops"] if torchvision else lines


def _initialization(analysis: Analysis) -> Iterator[str]:
    """Statements that initialize parameters, in the order of `build`, for equal random draws."""
    for initializer, parameters in groupby(initializers(analysis), key=lambda pair: pair[1]):
        arguments = [f"{k}={v!r}" for k, v in initializer.non_default_arguments().items()]
        call = f"nn.init.{initializer.kind}_({{}})"
        names = [name for name, _ in parameters]
        if len(names) == 1:
            parameter = f'self.get_parameter("{names[0]}")'
            yield INDENT * 2 + call.format(", ".join([parameter, *arguments]))
            continue
        yield f"{INDENT * 2}for name in ("
        yield from (f'{INDENT * 3}"{name}",' for name in names)
        yield f"{INDENT * 2}):"
        yield INDENT * 3 + call.format(", ".join(["self.get_parameter(name)", *arguments]))


def _arguments(branch: Branch, x: Shape, level: int) -> Iterator[str]:
    """The layers of a branch as arguments of a call; a comment shows each new shape."""
    for _, layer, input_shape in branch.walk(x):
        *lines, last = _expression(layer, input_shape, level)
        yield from lines
        output_shape = layer.output_shape(input_shape)
        line = f"{last},"
        if output_shape != input_shape and not isinstance(layer, Container):
            commented = f"{line}  # {format_shape(output_shape)}"
            line = commented if len(commented) <= MAX_WIDTH else line
        yield line


def _expression(layer: Layer, x: Shape, level: int) -> Iterator[str]:
    """The lines of the call that constructs a layer, indented by ``level``."""
    if isinstance(layer, Sequential):
        comment = f"  # {layer.name}" if layer.name.isprintable() and layer.name else ""
        yield from _sequential(layer.child_branches()[0], x, level, comment=comment)
    elif isinstance(layer, Residual):
        yield from _residual(layer, x, level)
    elif isinstance(layer, Parallel):
        yield from _parallel(layer, x, level)
    elif isinstance(layer, TorchLayer):
        yield INDENT * level + _call(layer, x)


def _residual(layer: Residual, x: Shape, level: int) -> Iterator[str]:
    margin = INDENT * level
    yield f"{margin}{layer.kind}("
    for branch, input_shape in zip(layer.child_branches(), layer.inputs(x), strict=True):
        lines = _sequential(branch, input_shape, level + 1, prefix=f"{branch.name}=")
        yield from _with_comma(lines)
    yield f'{margin}{INDENT}join="{layer.join}",'
    tail = layer.tail()
    if tail is None:
        yield f"{margin}{INDENT}activation=None,"
    else:
        merged = layer.merge_shapes([b.output_shape(x) for b in layer.child_branches()])
        first, *rest = _expression(tail.layers[0], merged, level + 1)
        yield from _with_comma([f"{margin}{INDENT}activation={first.lstrip()}", *rest])
    yield f"{margin})"


def _parallel(layer: Parallel, x: Shape, level: int) -> Iterator[str]:
    margin = INDENT * level
    yield f"{margin}{layer.kind}("
    yield f"{margin}{INDENT}{{"
    for branch, input_shape in zip(layer.child_branches(), layer.inputs(x), strict=True):
        lines = _sequential(branch, input_shape, level + 2, prefix=f'"{branch.name}": ')
        yield from _with_comma(lines)
    yield f"{margin}{INDENT}}},"
    yield f'{margin}{INDENT}join="{layer.join}",'
    yield f"{margin}{INDENT}split={layer.split},"
    yield f"{margin})"


def _with_comma(lines: Iterable[str]) -> Iterator[str]:
    *rest, last = lines
    yield from rest
    yield f"{last},"


def _sequential(
    branch: Branch, x: Shape, level: int, prefix: str = "", comment: str = ""
) -> Iterator[str]:
    margin = INDENT * level
    if not branch.layers:
        yield f"{margin}{prefix}nn.Sequential()"
        return
    yield f"{margin}{prefix}nn.Sequential({comment}"
    yield from _arguments(branch, x, level + 1)
    yield f"{margin})"


def _call(layer: TorchLayer, x: Shape) -> str:
    """The constructor call: sizes and required arguments by position, the others by name."""
    sizes, required, by_position = layer.inferred_arguments(x), set(layer.required()), True
    arguments = [str(size) for size in sizes.values()] if layer.inferred_first else []
    for name, value in layer.non_default_arguments().items():
        by_position = by_position and name in required
        text = layer.format_argument(name, value)
        arguments.append(text if by_position else f"{name}={text}")
    if not layer.inferred_first:
        arguments += [f"{name}={size}" for name, size in sizes.items()]
    home = "" if layer.has_own_module(x) else f"{MODULE_ALIASES[layer.namespace]}."
    return f"{home}{layer.kind}({', '.join(arguments)})"
