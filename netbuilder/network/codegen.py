"""Architecture → a Python module of its own, with the network as a class."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
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
"""Where the classes are that torch has none for; a written module holds those that it needs."""

OWN_KINDS = frozenset(name for names in kinds.LAYERS.values() for name in names)

HOMES = {"torch.nn": "nn", "torchvision.ops": "ops"}

WIDTH = 99

INDENT = "    "


def python_code(architecture: Architecture) -> str:
    """The source of a Python module whose one network is `class_name` of the architecture's name.

    It needs torch alone, or torchvision where the document uses its layers. The class takes no
    arguments, is an `nn.Sequential` with the state_dict keys of `netbuilder.build`, and begins
    with the same weights from the same random state.

    Raises:
        ConfigError: a layer cannot take what reaches it, or is a plugin's own.
    """
    analysis = analyse(architecture)
    analysis.require_sound()
    kinds = {row.kind for row in analysis.rows}
    _require_torch_classes(analysis)
    own = _own_source({Residual.kind, Parallel.kind} & kinds)
    body = list(_arguments(Branch(architecture.layers, "", ("layers",)), architecture.input, 3))
    homes = {row.layer.home for row in analysis.rows if isinstance(row.layer, TorchLayer)}
    text = "\n".join(
        [
            f'"""{_in_docstring(" ".join(filter(None, (architecture.title, "(netbuilder)"))))}"""',
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
            *_initialisation(analysis),
            "",
        ]
    )
    try:
        ast.parse(text)
    except (SyntaxError, MemoryError, RecursionError):
        raise ConfigError(
            f"{architecture.name}: its layers are nested too deeply for Python to read"
        ) from None
    return text


def class_name(name: str) -> str:
    """The name of an architecture as that of a class: ``mobilenet_v2`` as ``MobilenetV2``."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    taken = joined in (Residual.kind, Parallel.kind, "Tensor", "Sequence", "Mapping")
    if taken or iskeyword(joined):
        joined += "Net"
    return joined if joined[:1].isalpha() else f"Net{joined}"


def _in_docstring(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def _summary(analysis: Analysis) -> str:
    before, behind = format_shape(analysis.architecture.input), format_shape(analysis.output_shape)
    return f"Takes batches of {before}, gives {behind}; {analysis.parameters:,} parameters."


def _require_torch_classes(analysis: Analysis) -> None:
    for row in analysis.rows:
        layer = row.layer
        known = isinstance(layer, TorchLayer) and layer.home in HOMES and layer.kind in OWN_KINDS
        if not (known or isinstance(layer, Container)):
            raise ConfigError(
                f"{analysis.architecture.name}: layer {row.path}, {layer.kind}, is a plugin's own, "
                "so that a module without it cannot be written; replace it by a kind of torch"
            )


def _own_source(names: set[str]) -> list[str]:
    """The classes of netbuilder's own that are used, and what they call."""
    if not names:
        return []
    text = OWN_MODULES.read_text(encoding="utf-8")
    parts = ["", ""]
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names | {"join"}:
            parts += [*(ast.get_source_segment(text, node) or "").splitlines(), "", ""]
    return parts[:-2]


def _imports(own: list[str], *, torchvision: bool) -> list[str]:
    lines = []
    if own:
        text = "\n".join(own)
        names = [name for name in ("Mapping", "Sequence") if f"{name}[" in text]
        lines += [f"from collections.abc import {', '.join(names)}", "from functools import reduce"]
        lines += ["", "import torch", "from torch import Tensor, nn"]
    else:
        lines += ["from torch import nn"]
    return [*lines, "from torchvision import ops"] if torchvision else lines


def _initialisation(analysis: Analysis) -> Iterator[str]:
    """Statements that fill what the document fills, in its order: the draws are then the same."""
    for initializer, parameters in groupby(initializers(analysis), key=lambda pair: pair[1]):
        arguments = [f"{k}={v!r}" for k, v in initializer.non_default_arguments().items()]
        call = f"nn.init.{initializer.kind}_({{}})"
        names = [name for name, _ in parameters]
        if len(names) == 1:
            found = f'self.get_parameter("{names[0]}")'
            yield INDENT * 2 + call.format(", ".join([found, *arguments]))
            continue
        yield f"{INDENT * 2}for name in ("
        yield from (f'{INDENT * 3}"{name}",' for name in names)
        yield f"{INDENT * 2}):"
        found = "self.get_parameter(name)"
        yield INDENT * 3 + call.format(", ".join([found, *arguments]))


def _arguments(chain: Branch, x: Shape, level: int) -> Iterator[str]:
    """The layers of a chain as arguments of a call, with each new shape."""
    for _, layer, given in chain.through(x):
        lines = list(_expression(layer, given, level))
        yield from lines[:-1]
        behind = layer.output_shape(given)
        told = f"{lines[-1]},  # {format_shape(behind)}"
        shown = behind != given and not isinstance(layer, Container) and len(told) <= WIDTH
        yield told if shown else f"{lines[-1]},"


def _expression(layer: Layer, x: Shape, level: int) -> Iterator[str]:
    """The lines of the call that makes a layer, the first as far in as the last."""
    margin = INDENT * level
    if isinstance(layer, Sequential):
        name = f"  # {layer.name}" if layer.name.isprintable() and layer.name else ""
        yield from _sequential(layer.child_branches()[0], x, level, "", name)
    elif isinstance(layer, Residual):
        yield f"{margin}{layer.kind}("
        for chain, given in zip(layer.child_branches(), layer.inputs(x), strict=True):
            yield from _named(chain, given, level + 1, f"{chain.name}=")
        yield f'{margin}{INDENT}join="{layer.join}",'
        behind = layer.tail()
        if behind is None:
            yield f"{margin}{INDENT}activation=None,"
        else:
            given = layer.merge_shapes([c.output_shape(x) for c in layer.child_branches()])
            lines = list(_expression(behind.layers[0], given, level + 1))
            lines[0] = f"{margin}{INDENT}activation={lines[0].lstrip()}"
            yield from [*lines[:-1], lines[-1] + ","]
        yield f"{margin})"
    elif isinstance(layer, Parallel):
        yield f"{margin}{layer.kind}("
        yield f"{margin}{INDENT}{{"
        for chain, given in zip(layer.child_branches(), layer.inputs(x), strict=True):
            yield from _named(chain, given, level + 2, f'"{chain.name}": ')
        yield f"{margin}{INDENT}}},"
        yield f'{margin}{INDENT}join="{layer.join}",'
        yield f"{margin}{INDENT}split={layer.split},"
        yield f"{margin})"
    elif isinstance(layer, TorchLayer):
        yield margin + _call(layer, x)


def _named(chain: Branch, x: Shape, level: int, before: str) -> Iterator[str]:
    lines = list(_sequential(chain, x, level, before))
    yield from [*lines[:-1], lines[-1] + ","]


def _sequential(chain: Branch, x: Shape, level: int, before: str, told: str = "") -> Iterator[str]:
    margin = INDENT * level
    if not chain.layers:
        yield f"{margin}{before}nn.Sequential()"
        return
    yield f"{margin}{before}nn.Sequential({told}"
    yield from _arguments(chain, x, level + 1)
    yield f"{margin})"


def _call(layer: TorchLayer, x: Shape) -> str:
    """The constructor's call: sizes and what is required by position, the rest by name."""
    sizes, required, by_position = layer.inferred(x), set(layer.required()), True
    arguments = [str(size) for size in sizes.values()] if layer.inferred_leads else []
    for name, value in layer.non_default_arguments().items():
        by_position = by_position and name in required
        text = layer.in_python(name, value)
        arguments.append(text if by_position else f"{name}={text}")
    if not layer.inferred_leads:
        arguments += [f"{name}={size}" for name, size in sizes.items()]
    return f"{HOMES[layer.home]}.{layer.kind}({', '.join(arguments)})"
