"""Expands blocks, repetitions and expressions of a document into plain layers.

Every node of the result keeps its position, so that a problem in a block is reported at its place
in the block, with the places where the block is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from netbuilder._text import describe, did_you_mean, quoted
from netbuilder.components.layers.base import LAYERS
from netbuilder.config.definitions import (
    BLOCK_NAME,
    SECTIONS,
    Block,
    BudgetExceeded,
    Definitions,
    Interpolator,
    Scope,
    collecting,
    entries,
    error_at,
)
from netbuilder.config.expressions import NAME, NAME_RULE, Value
from netbuilder.config.schema import format_path
from netbuilder.config.yaml_nodes import MAX_DEPTH, Node, Origin
from netbuilder.errors import ConfigError, Problem

MAX_TIMES = 10_000
"""Repetitions of a Repeat."""
MAX_NESTED = 60
"""Containers around a layer, with blocks expanded."""
MAX_PROBLEMS = 100
"""Problems after which the expansion stops."""
EXPANSION_COST = 5
"""Values that a repetition or the use of a block adds to the budget, for the work it causes."""
LAYER_ARGUMENTS = {
    "Sequential": ("layers",),
    "Residual": ("body", "shortcut"),
    "Parallel": ("branches",),
}
"""The arguments of containers that hold lists of layers."""
REPEAT_FIELDS = ("times", "index", "layers")


def needs_expansion(root: Mapping[str, object], text: str) -> bool:
    """Return whether a document may have blocks, repetitions or expressions."""
    return "${" in text or "Repeat" in text or any(section in root for section in SECTIONS)


class Expander:
    """Expands one document.

    Args:
        file: The name of the document in messages.
        folder: The folder of the files that it includes; None for a document without a file.
        changes: The named values that the command line sets, each with its override.
    """

    def __init__(
        self, file: str, folder: Path | None, changes: Mapping[str, tuple[Value, str]]
    ) -> None:
        self._file = file
        self._interpolator = Interpolator()
        self._definitions = Definitions(self._interpolator, folder, changes)
        self._problems: list[Problem] = []

    @property
    def included(self) -> Mapping[str, str]:
        """The texts of the files that the document includes, by the names it includes them by."""
        return self._definitions.included

    def expand(self, root: Node) -> Node:
        """Return a document without blocks, repetitions and expressions.

        Raises:
            ConfigError: Parts of it cannot be expanded; it has all their problems.
        """
        self._definitions.read(root, self._file)
        sections: dict[str, Node] = {}
        for name, node in entries(root).items():
            if name in SECTIONS:
                continue
            scope = self._definitions.scope(self._file, name)
            expand_section = self._layers if name == "layers" else self._interpolator.interpolate
            with collecting(self._problems):
                sections[name] = expand_section(node, scope)
        if self._problems:
            raise ConfigError(self._problems)
        return replace(root, value=sections)

    def _layers(self, node: Node, scope: Scope) -> Node:
        """Expand a list of layers; a problem of one layer does not hide those of the others."""
        if not isinstance(node.value, list):
            return self._interpolator.interpolate(node, scope)
        self._interpolator.spend(1, node, scope)
        layers: list[Node] = []
        for position, item in enumerate(node.value):
            with collecting(self._problems):
                layers.append(self._layer(item, scope.at(position)))
            if len(self._problems) > MAX_PROBLEMS:
                raise BudgetExceeded(self._problems)
        return replace(node, value=layers)

    def _layer(self, node: Node, scope: Scope) -> Node:
        if isinstance(node.value, str):
            node = self._interpolator.interpolate(node, scope)
        name, arguments = _split_layer(node)
        inner = scope.at(name) if name and isinstance(node.value, dict) else scope
        blocks = self._definitions.blocks
        if name == "Repeat":
            return self._repeat(node, arguments, self._nest(node, inner))
        if name in blocks:
            return self._use(blocks[name], node, arguments, self._nest(node, inner))
        if blocks and name and re.fullmatch(BLOCK_NAME, name):
            message = f"unknown block {quoted(name)}{did_you_mean(name, blocks)}"
            raise error_at(node, scope, message)
        if name in LAYER_ARGUMENTS and arguments is not None:
            expanded = self._container_arguments(name, arguments, self._nest(node, inner))
            if expanded is not None:
                return replace(node, value={name: expanded})
        return self._interpolator.interpolate(node, scope)

    def _nest(self, node: Node, scope: Scope) -> Scope:
        """Return the scope of the layers in a container."""
        if scope.depth >= MAX_NESTED:
            message = f"nested in more than {MAX_NESTED} containers with blocks expanded; nest less"
            raise error_at(node, scope, message)
        return replace(scope, depth=scope.depth + 1)

    # --- containers -------------------------------------------------------------------------------

    def _container_arguments(self, kind: str, arguments: Node, scope: Scope) -> Node | None:
        """Expand the arguments of a container; None for a single value, which holds no layers."""
        if isinstance(arguments.value, dict):
            parts = arguments.value.items()
            expanded = {key: self._argument(kind, key, part, scope) for key, part in parts}
            return replace(arguments, value=expanded)
        if not isinstance(arguments.value, list):
            return None
        if kind == "Sequential":
            return self._layers(arguments, scope)
        names = LAYERS.kinds[kind].positional()
        items = []
        for position, part in enumerate(arguments.value):
            key = names[position] if position < len(names) else str(position)
            items.append(self._argument(kind, key, part, scope))
        return replace(arguments, value=items)

    def _argument(self, kind: str, key: str, node: Node, scope: Scope) -> Node:
        inner = scope.at(key)
        if key not in LAYER_ARGUMENTS[kind]:
            return self._interpolator.interpolate(node, inner)
        if key == "branches" and isinstance(node.value, dict):
            branches = node.value.items()
            layers = {name: self._layers(branch, inner.at(name)) for name, branch in branches}
            return replace(node, value=layers)
        return self._layers(node, inner)

    # --- repetition -------------------------------------------------------------------------------

    def _repeat(self, node: Node, arguments: Node | None, scope: Scope) -> Node:
        self._interpolator.spend(EXPANSION_COST, node, scope)
        parts = self._repeat_parts(node, arguments, scope)
        layers = parts["layers"]
        times, index = self._times(parts["times"], scope), self._index(parts.get("index"), scope)
        if index is None:
            copies = self._repeat_identical(node, layers, times, scope)
        else:
            copies = self._repeat_indexed(layers, times, index, scope)
        return _sequential(node, f"Repeat {times}", replace(layers, value=copies), scope)

    def _repeat_parts(self, node: Node, arguments: Node | None, scope: Scope) -> Mapping[str, Node]:
        """Return the fields of a Repeat, after a check of their names and of its layers."""
        if arguments is not None and not isinstance(arguments.value, dict):
            description = describe(arguments.plain())
            message = f"found {description}; write Repeat: {{times: 2, layers: [...]}}"
            raise error_at(arguments, scope, message)
        parts = entries(arguments) if arguments else {}
        for key, part in parts.items():
            if key not in REPEAT_FIELDS:
                hint = did_you_mean(key, REPEAT_FIELDS)
                if key in ("n", "count", "repeat", "number", "num", "depth"):
                    hint = "; write times"
                message = f"unknown field{hint}"
                raise error_at(part, scope.at(key), message)
        for key in ("times", "layers"):
            if key not in parts:
                raise error_at(node, scope.at(key), "this field is required")
        if not isinstance(parts["layers"].value, list):
            message = f"found {describe(parts['layers'].plain())}; allowed: a list of layers"
            raise error_at(parts["layers"], scope.at("layers"), message)
        return parts

    def _repeat_identical(self, node: Node, layers: Node, times: int, scope: Scope) -> list[Node]:
        """Expand the layers once and spend the budget of the other repetitions."""
        budget = self._interpolator.budget
        copies = self._repetition(layers, scope) * times
        cost = budget - self._interpolator.budget
        self._interpolator.spend(cost * (times - 1), node, scope)
        return copies

    def _repeat_indexed(self, layers: Node, times: int, index: str, scope: Scope) -> list[Node]:
        copies: list[Node] = []
        problem_count = len(self._problems)
        overrides = {name: text for name, text in scope.overrides.items() if name != index}
        names = dict(scope.names)
        scope = replace(scope, names=names, overrides=overrides)
        for i in range(times):
            names[index] = i
            copies += self._repetition(layers, scope)
            if len(self._problems) > problem_count:
                break  # the other repetitions have the same problems
        return copies

    def _repetition(self, layers: Node, scope: Scope) -> list[Node]:
        expanded = self._layers(layers, scope.at("layers")).value
        assert isinstance(expanded, list), "a list of layers expands to a list"
        return [
            replace(layer, origin=Origin(scope.file, (*scope.place, "layers", position)))
            for position, layer in enumerate(expanded)
        ]

    def _times(self, node: Node, scope: Scope) -> int:
        result = self._interpolator.interpolate(node, scope.at("times"))
        if type(result.value) is not int or not 0 <= result.value <= MAX_TIMES:
            description = describe(result.value)
            message = f"found {description}; allowed: a whole number from 0 to {MAX_TIMES:,}"
            raise error_at(result, scope.at("times"), message)
        return result.value

    def _index(self, node: Node | None, scope: Scope) -> str | None:
        if node is None:
            return None
        if not isinstance(node.value, str) or not re.fullmatch(NAME, node.value):
            message = f"found {describe(node.plain())}; allowed: {NAME_RULE}"
            raise error_at(node, scope.at("index"), message)
        if node.value in scope.names:
            message = f"{node.value} is already defined; choose another name"
            raise error_at(node, scope.at("index"), message)
        return node.value

    # --- blocks -----------------------------------------------------------------------------------

    def _use(self, block: Block, node: Node, arguments: Node | None, scope: Scope) -> Node:
        """Expand the use of a block to a Sequential."""
        self._interpolator.spend(EXPANSION_COST, node, scope)
        self._check_nesting(block, node, scope)
        use = f"used in {scope.file}:{node.line}:{node.column} {format_path(scope.place)}"
        inner = Scope(
            file=block.file,
            place=("blocks", block.name),
            names=self._definitions.values,
            overrides=self._definitions.overrides,
            stack=(*scope.stack, block.name),
            depth=scope.depth,
        )
        explicit = self._explicit_arguments(block, node, arguments, scope)
        inner = self._bind(block, node, explicit, scope, inner)
        inner = replace(inner.at("layers"), uses=(use, *scope.uses))
        return _sequential(node, block.name, self._layers(block.layers, inner), inner, use)

    def _check_nesting(self, block: Block, node: Node, scope: Scope) -> None:
        """Check that a block does not use itself and that blocks are not nested too deep."""
        if block.name in scope.stack:
            cycle = " → ".join([*scope.stack[scope.stack.index(block.name) :], block.name])
            message = (
                f"the block {block.name}, defined in {block.place}, uses itself: {cycle}; "
                "remove one of these uses"
            )
            raise error_at(node, scope, message)
        if len(scope.stack) >= MAX_DEPTH:
            message = f"blocks are nested deeper than {MAX_DEPTH} levels; nest less"
            raise error_at(node, scope, message)

    def _bind(
        self,
        block: Block,
        node: Node,
        explicit: Mapping[str, tuple[Node, Value]],
        scope: Scope,
        inner: Scope,
    ) -> Scope:
        """Return the scope ``inner`` of a block with its parameters as names.

        A default may use the named values and the parameters before it.
        """
        names, overrides = dict(inner.names), dict(inner.overrides)
        inner = replace(inner, names=names, overrides=overrides)
        for name, default in block.parameters.items():
            if name in explicit:
                argument, value = explicit[name]
            elif default.value is None:
                message = f"{name} is required; {block.name} is defined in {block.place}"
                raise error_at(node, scope, message)
            else:
                argument, value = self._interpolator.interpolate_scalar(
                    default, inner.at("parameters", name)
                )
            names[name] = value
            overrides.pop(name, None)
            if argument.override:
                overrides[name] = argument.override
        return inner

    def _explicit_arguments(
        self, block: Block, node: Node, arguments: Node | None, scope: Scope
    ) -> dict[str, tuple[Node, Value]]:
        """Return the arguments that a use of a block sets, by the names of the parameters."""
        names = list(block.parameters)
        if arguments is None or arguments.value is None:
            items: dict[str, Node] = {}
        elif isinstance(arguments.value, dict):
            items = arguments.value
        else:
            values = arguments.value if isinstance(arguments.value, list) else [arguments]
            if len(values) > len(names):
                accepted = f"at most {len(names)}: {', '.join(names)}" if names else "none"
                message = f"found {len(values)} arguments; {block.name} takes {accepted}"
                raise error_at(node, scope, message)
            items = dict(zip(names, values, strict=False))
        for name, value in items.items():
            if name not in block.parameters:
                message = f"unknown parameter{did_you_mean(name, names)}; see {block.place}"
                raise error_at(value, scope.at(name), message)
        return {
            name: self._interpolator.interpolate_scalar(value, scope.at(name))
            for name, value in items.items()
        }


def _split_layer(node: Node) -> tuple[str | None, Node | None]:
    """Return the name and the arguments of a layer as written; None for what is missing."""
    if isinstance(node.value, str):
        return node.value, None
    if isinstance(node.value, dict) and len(node.value) == 1:
        [(name, arguments)] = node.value.items()
        return name, arguments
    return None, None


def _sequential(node: Node, name: str, layers: Node, scope: Scope, use: str = "") -> Node:
    """Return a Sequential called ``name`` at the position of ``node``.

    With ``use``, the layers are those of a block, and ``scope`` is their place in it.
    """
    if use:
        layers = replace(layers, origin=Origin(scope.file, tuple(scope.place), use))
    label = Node(name, node.line, node.column)
    arguments = Node({"layers": layers, "name": label}, node.line, node.column)
    return Node({"Sequential": arguments}, node.line, node.column, origin=node.origin)
