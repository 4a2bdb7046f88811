"""Blocks and repetition, written out: a document as its author wrote it → plain layers.

What it makes of nodes still knows where they stand: a fault inside a block is told with its place
in the block and the places where the block was used.
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
    entries,
    error_at,
)
from netbuilder.config.expressions import NAME, NAME_RULE, Value
from netbuilder.config.schema import format_path
from netbuilder.config.yaml_nodes import MAX_DEPTH, Node, Origin
from netbuilder.errors import ConfigError, Problem

MAX_TIMES = 10_000
MAX_NESTED = 60
"""Containers around a layer once blocks are written out."""
EXPANSION_COST = 5
"""Values that a repetition or the use of a block counts as, for the work that it makes."""
MAX_TOLD = 100
LAYER_ARGUMENTS = {
    "Sequential": ("layers",),
    "Residual": ("body", "shortcut"),
    "Parallel": ("branches",),
}
"""The arguments of containers in which layers stand."""


def needs_expansion(root: Mapping[str, object], text: str) -> bool:
    """Whether there is anything to write out."""
    return "${" in text or "Repeat" in text or any(section in root for section in SECTIONS)


class Expander:
    """One document on its way to plain layers.

    Args:
        file: as messages name it.
        folder: where the files are that it includes.
        changes: values that a command sets, each with the text of the override.
    """

    def __init__(
        self, file: str, folder: Path | None, changes: Mapping[str, tuple[Value, str]]
    ) -> None:
        self._file = file
        self._filler = Interpolator()
        self._known = Definitions(self._filler, folder, changes)
        self._problems: list[Problem] = []

    @property
    def included(self) -> Mapping[str, str]:
        """The texts of the files that the document includes, by the names that it gives them."""
        return self._known.included

    def expand(self, root: Node) -> Node:
        """The document with every block, repetition and expression written out.

        Raises:
            ConfigError: with all that cannot be, each with its place.
        """
        self._known.read(root, self._file)
        sections: dict[str, Node] = {}
        for name, node in entries(root).items():
            if name in SECTIONS:
                continue
            scope = self._known.scope(self._file, name)
            write = self._list if name == "layers" else self._filler.plain
            try:
                sections[name] = write(node, scope)
            except BudgetExceeded:
                raise
            except ConfigError as error:
                self._problems += error.problems
        if self._problems:
            raise ConfigError(self._problems)
        return replace(root, value=sections)

    def _list(self, node: Node, scope: Scope) -> Node:
        """A list of layers; what is wrong with one of them does not hide the others."""
        if not isinstance(node.value, list):
            return self._filler.plain(node, scope)
        self._filler.spend(1, node, scope)
        items = []
        for position, item in enumerate(node.value):
            try:
                items.append(self._layer(item, scope.at(position)))
            except BudgetExceeded:
                raise
            except ConfigError as error:
                self._problems += error.problems
                if len(self._problems) > MAX_TOLD:
                    raise BudgetExceeded(self._problems) from None
        return replace(node, value=items)

    def _layer(self, node: Node, scope: Scope) -> Node:
        if isinstance(node.value, str):
            node = self._filler.plain(node, scope)
        name, written = _named(node)
        if name is None:
            return self._filler.plain(node, scope)
        inside = scope.at(name) if isinstance(node.value, dict) else scope
        if name == "Repeat":
            return self._repeat(node, written, self._deeper(node, inside))
        if name in self._known.blocks:
            return self._use(self._known.blocks[name], node, written, self._deeper(node, inside))
        if re.fullmatch(BLOCK_NAME, name) and self._known.blocks:
            message = f"unknown block {quoted(name)}{did_you_mean(name, self._known.blocks)}"
            raise error_at(node, scope, message)
        if name in LAYER_ARGUMENTS and written is not None:
            inside = self._deeper(node, inside)
            if name == "Sequential" and isinstance(written.value, list):
                return replace(node, value={name: self._list(written, inside)})
            made = written
            if isinstance(written.value, dict):
                named = written.value.items()
                arguments = {key: self._argument(name, key, part, inside) for key, part in named}
                made = replace(written, value=arguments)
            elif isinstance(written.value, list):
                keys = dict(enumerate(LAYERS.kinds[name].positional()))
                placed = [(keys.get(i, str(i)), part) for i, part in enumerate(written.value)]
                items = [self._argument(name, key, part, inside) for key, part in placed]
                made = replace(written, value=items)
            if made is not written:
                return replace(node, value={name: made})
        return self._filler.plain(node, scope)

    def _argument(self, name: str, key: str, node: Node, scope: Scope) -> Node:
        inside = scope.at(key)
        if key in LAYER_ARGUMENTS[name]:
            return self._held(key, node, inside)
        return self._filler.plain(node, inside)

    def _deeper(self, node: Node, scope: Scope) -> Scope:
        if scope.depth >= MAX_NESTED:
            message = (
                f"it lies in more than {MAX_NESTED} containers once it is written out; nest less"
            )
            raise error_at(node, scope, message)
        return replace(scope, depth=scope.depth + 1)

    def _held(self, key: str, node: Node, scope: Scope) -> Node:
        if key == "branches" and isinstance(node.value, dict):
            branches = {name: self._list(v, scope.at(name)) for name, v in node.value.items()}
            return replace(node, value=branches)
        return self._list(node, scope)

    # --- repetition -------------------------------------------------------------------------------

    def _repeat(self, node: Node, written: Node | None, scope: Scope) -> Node:
        self._filler.spend(EXPANSION_COST, node, scope)
        if written is not None and not isinstance(written.value, dict):
            message = (
                f"found {describe(written.plain())}; write Repeat: {{times: 2, layers: [...]}}"
            )
            raise error_at(written, scope, message)
        parts = entries(written) if written else {}
        for key, part in parts.items():
            if key not in ("times", "index", "layers"):
                message = f"unknown field{did_you_mean(key, ('times', 'index', 'layers'))}"
                raise error_at(part, scope.at(key), message)
        for key in ("times", "layers"):
            if key not in parts:
                raise error_at(node, scope.at(key), "it is required and missing")
        layers = parts["layers"]
        if not isinstance(layers.value, list):
            message = f"found {describe(layers.plain())}; allowed: a list of layers"
            raise error_at(layers, scope.at("layers"), message)
        times, index = self._times(parts["times"], scope), self._index(parts.get("index"), scope)
        label = f"Repeat {times}"
        if index is None:  # all turns are the same
            before = self._filler.left
            copies = self._turn(layers, scope) * times
            self._filler.spend((before - self._filler.left) * (times - 1), node, scope)
            return _sequential(node, label, replace(layers, value=copies), scope, "")
        copies, sound = [], len(self._problems)
        for turn in range(times):
            changed = {name: text for name, text in scope.changed.items() if name != index}
            names = {**scope.names, index: turn}
            copies += self._turn(layers, replace(scope, names=names, changed=changed))
            if len(self._problems) > sound:
                break  # one turn tells what is wrong with all of them
        return _sequential(node, label, replace(layers, value=copies), scope, "")

    def _turn(self, layers: Node, scope: Scope) -> list[Node]:
        made = self._list(layers, scope.at("layers")).value
        assert isinstance(made, list)
        return [
            replace(layer, origin=Origin(scope.file, (*scope.place, "layers", position)))
            for position, layer in enumerate(made)
        ]

    def _times(self, node: Node, scope: Scope) -> int:
        made = self._filler.plain(node, scope.at("times"))
        if type(made.value) is not int or not 0 <= made.value <= MAX_TIMES:
            found = describe(made.value)
            message = f"found {found}; allowed: a whole number from 0 to {MAX_TIMES:,}"
            raise error_at(made, scope.at("times"), message)
        return made.value

    def _index(self, node: Node | None, scope: Scope) -> str | None:
        if node is None:
            return None
        if not isinstance(node.value, str) or not re.fullmatch(NAME, node.value):
            message = f"found {describe(node.plain())}; allowed: {NAME_RULE}"
            raise error_at(node, scope.at("index"), message)
        if node.value in scope.names:
            message = f"{node.value} has a meaning here already; choose another name"
            raise error_at(node, scope.at("index"), message)
        return node.value

    # --- blocks -----------------------------------------------------------------------------------

    def _use(self, block: Block, node: Node, written: Node | None, scope: Scope) -> Node:
        self._filler.spend(EXPANSION_COST, node, scope)
        if block.name in scope.stack:
            cycle = " → ".join([*scope.stack[scope.stack.index(block.name) :], block.name])
            message = (
                f"the block {block.name}, defined in {block.place}, uses itself: {cycle}; "
                "take one of these uses out"
            )
            raise error_at(node, scope, message)
        if len(scope.stack) >= MAX_DEPTH:
            raise error_at(
                node, scope, f"blocks are used deeper than {MAX_DEPTH} levels; nest less"
            )
        used = f"used in {scope.file}:{node.line}:{node.column} {format_path(scope.place)}"
        known = self._known
        inside = Scope(
            file=block.file,
            place=("blocks", block.name),
            names=dict(known.values),
            changed=dict(known.changed),
            stack=(*scope.stack, block.name),
            depth=scope.depth,
        )
        given = self._arguments(block, node, written, scope)
        names, changed = dict(inside.names), dict(inside.changed)
        for name, default in block.parameters.items():
            if name not in given and default.value is None:
                message = f"{name} is required and missing; {block.name} is in {block.place}"
                raise error_at(node, scope, message)
            if name not in given:
                here = replace(inside.at("parameters", name), names=names, changed=changed)
                given[name] = self._filler.scalar(default, here)
            value = given[name].value
            assert value is not None
            assert not isinstance(value, list | dict)
            names[name] = value
            changed.pop(name, None)
            if given[name].override:
                changed[name] = given[name].override
        layers = replace(
            inside.at("layers"), names=names, changed=changed, used=(used, *scope.used)
        )
        return _sequential(node, block.name, self._list(block.layers, layers), layers, used)

    def _arguments(
        self, block: Block, node: Node, written: Node | None, scope: Scope
    ) -> dict[str, Node]:
        names = list(block.parameters)
        if written is None or written.value is None:
            items: dict[str, Node] = {}
        elif isinstance(written.value, dict):
            items = written.value
        else:
            values = written.value if isinstance(written.value, list) else [written]
            if len(values) > len(names):
                takes = f"at most {len(names)}: {', '.join(names)}" if names else "none"
                message = f"found {len(values)} arguments; {block.name} takes {takes}"
                raise error_at(node, scope, message)
            items = dict(zip(names, values, strict=False))
        for name, value in items.items():
            if name not in block.parameters:
                message = f"unknown parameter{did_you_mean(name, names)}; see {block.place}"
                raise error_at(value, scope.at(name), message)
        return {name: self._filler.scalar(value, scope.at(name)) for name, value in items.items()}


def _named(node: Node) -> tuple[str | None, Node | None]:
    """The name of a layer as it is written, and what stands behind it."""
    if isinstance(node.value, str):
        return node.value, None
    if isinstance(node.value, dict) and len(node.value) == 1:
        [(name, written)] = node.value.items()
        return name, written
    return None, None


def _sequential(node: Node, name: str, layers: Node, scope: Scope, used: str) -> Node:
    origin = Origin(scope.file, tuple(scope.place), used)
    held = replace(layers, origin=origin) if used else layers
    label = Node(name, node.line, node.column)
    arguments = Node({"layers": held, "name": label}, node.line, node.column)
    return Node({"Sequential": arguments}, node.line, node.column, origin=node.origin)
