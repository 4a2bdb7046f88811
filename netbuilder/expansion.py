"""Blocks, values and repetition, written out: a document as its author wrote it → plain layers.

It works on nodes that know where they stand, and what it makes of them still does: a fault inside a
block is told with its place in the block and the places where the block was used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from netbuilder.arithmetic import ExpressionError, Value, fill
from netbuilder.errors import ConfigError, Problem, quoted
from netbuilder.layers.containers import Sequential
from netbuilder.schema import Place, path_text
from netbuilder.strict import describe, did_you_mean
from netbuilder.yaml_text import MAX_DEPTH, Node, Origin, parse, read_text

MAX_EXPANDED = 200_000
"""Values in a document once its blocks are written out."""
MAX_TIMES = 10_000
BLOCK_NAME = r"[a-z][a-z0-9_]*"
HELD = {"Sequential": ("layers",), "Residual": ("body", "shortcut"), "Parallel": ("branches",)}
"""The arguments of containers in which layers stand."""
SECTIONS = ("values", "blocks", "include")

Names = Mapping[str, Value]


def needs_expansion(root: Mapping[str, object], text: str) -> bool:
    """Whether there is anything to write out."""
    return "${" in text or "Repeat" in text or any(section in root for section in SECTIONS)


@dataclass(frozen=True)
class Block:
    """What a document calls by a name: parameters with their defaults (None: required), layers."""

    name: str
    file: str
    parameters: Mapping[str, Node]
    layers: Node
    place: str


class Expander:
    """One document on its way to plain layers; ``included`` holds the texts of other files."""

    def __init__(self, file: str, folder: Path | None) -> None:
        self.included: dict[str, str] = {}
        self._file = file
        self._folder = folder
        self._blocks: dict[str, Block] = {}
        self._values: dict[str, Value] = {}
        self._defined: dict[str, str] = {}
        self._left = MAX_EXPANDED

    def expand(self, root: Node) -> Node:
        """The document with every block, repetition and expression written out.

        Raises:
            ConfigError: with the place of what cannot be.
        """
        sections = _entries(root)
        if "include" in sections:
            self._include(sections["include"])
        self._define(sections, self._file)
        scope = _Scope(self._file, (), self._values, ())
        return self._mapping(
            root,
            {
                name: self._list(node, scope.at(name))
                if name == "layers"
                else self._plain(node, scope.at(name))
                for name, node in sections.items()
                if name not in SECTIONS
            },
        )

    # --- definitions ------------------------------------------------------------------------------

    def _include(self, node: Node) -> None:
        items = node.value if isinstance(node.value, list) else [node]
        for item in items:
            name = item.value
            if not isinstance(name, str):
                raise self._refuse(item, ("include",), f"found {describe(name)}; name a file")
            path = self._path(item, name)
            try:
                text = read_text(path)
            except ConfigError as error:
                message = error.problems[0].message
                raise self._refuse(item, ("include",), f"{quoted(name)}: {message}") from None
            included, problems = parse(text, str(path))
            if problems:
                raise ConfigError(problems)
            sections = _entries(included)
            for key in sections:
                if key not in ("values", "blocks"):
                    line, column = included.keys[key]
                    message = "an included file holds values and blocks, nothing else"
                    raise ConfigError([Problem(str(path), line, column, key, message)])
            if not isinstance(included.value, dict):
                message = "an included file is a mapping with values and blocks"
                raise ConfigError([Problem(str(path), 1, 1, "", message)])
            self.included[name] = text
            self._define(sections, str(path))

    def _path(self, node: Node, name: str) -> Path:
        if self._folder is None:
            raise self._refuse(node, ("include",), "a text without a file has nothing beside it")
        folder = self._folder.resolve()
        path = (folder / name).resolve()
        if Path(name).is_absolute() or ".." in Path(name).parts or folder not in path.parents:
            message = f"found {quoted(name)}; allowed: a file in the document's own folder"
            raise self._refuse(node, ("include",), message)
        if path.exists() and not path.is_file():
            raise self._refuse(node, ("include",), f"{quoted(name)} is no ordinary file")
        return self._folder / name

    def _define(self, sections: Mapping[str, Node], file: str) -> None:
        values = sections.get("values")
        for name, node in self._defined_in(values, ("values",), file):
            self._claim(name, node, ("values", name), file, r"[A-Za-z_][A-Za-z0-9_]*")
            scope = _Scope(file, ("values", name), self._values, ())
            self._values[name] = self._scalar(self._plain(node, scope), scope)
        for name, node in self._defined_in(sections.get("blocks"), ("blocks",), file):
            self._claim(name, node, ("blocks", name), file, BLOCK_NAME)
            place: Place = ("blocks", name)
            parts = _entries(node)
            for key in parts:
                if key not in ("parameters", "layers"):
                    message = f"unknown field{did_you_mean(key, ('parameters', 'layers'))}"
                    raise self._refuse(parts[key], (*place, key), message, file)
            if "layers" not in parts or not isinstance(parts["layers"].value, list):
                message = "a block has layers, a list, and maybe parameters with their defaults"
                raise self._refuse(node, place, message, file)
            given = parts.get("parameters")
            parameters = dict(self._defined_in(given, (*place, "parameters"), file))
            for parameter, default in parameters.items():
                if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", parameter) or isinstance(
                    default.value, list | dict
                ):
                    message = "a parameter is a name with a number, a text, true, false, or nothing"
                    raise self._refuse(default, (*place, "parameters", parameter), message, file)
            where = f"{file}:{node.line}:{node.column}"
            self._blocks[name] = Block(name, file, parameters, parts["layers"], where)

    def _defined_in(self, node: Node | None, place: Place, file: str) -> list[tuple[str, Node]]:
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, dict):
            message = (
                f"found {describe(node.plain())}; allowed: names, each with what it stands for"
            )
            raise self._refuse(node, place, message, file)
        return [
            (name, replace(value, line=place[0], column=place[1]))
            for name, value in node.value.items()
            for place in [node.keys.get(name, (value.line, value.column))]
        ]

    def _claim(self, name: str, node: Node, place: Place, file: str, pattern: str) -> None:
        if not re.fullmatch(pattern, name):
            allowed = "letters, digits and underscores, no digit first"
            if pattern == BLOCK_NAME:
                allowed = "small letters, digits and underscores, a letter first"
            message = f"found the name {quoted(name)}; allowed: {allowed}"
            raise self._refuse(node, place, message, file)
        if name in self._defined:
            message = f"{name} is defined already, in {self._defined[name]}; rename one of the two"
            raise self._refuse(node, place, message, file)
        self._defined[name] = f"{file}:{node.line}:{node.column}"

    # --- layers -----------------------------------------------------------------------------------

    def _list(self, node: Node, scope: _Scope) -> Node:
        """A list of layers."""
        if not isinstance(node.value, list):
            return self._plain(node, scope)
        items = [self._layer(item, scope.at(i)) for i, item in enumerate(node.value)]
        self._spend(node, scope, 1)
        return replace(node, value=items)

    def _layer(self, node: Node, scope: _Scope) -> Node:
        node = self._plain(node, scope) if isinstance(node.value, str) else node
        name, written = _named(node)
        if name is None:
            return self._plain(node, scope)
        inside = scope.at(name) if isinstance(node.value, dict) else scope
        if name == "Repeat":
            return self._repeat(node, written, inside)
        if name in self._blocks:
            return self._use(self._blocks[name], node, written, inside)
        if re.fullmatch(BLOCK_NAME, name) and self._blocks:
            message = f"unknown block {quoted(name)}{did_you_mean(name, [*self._blocks])}"
            raise self._refuse_in(node, scope, message)
        if name == Sequential.kind and written is not None and isinstance(written.value, list):
            return replace(node, value={name: self._list(written, inside)})
        if name in HELD and written is not None and isinstance(written.value, dict):
            held = {
                key: self._held(key, value, inside.at(key)) if key in HELD[name] else
                self._plain(value, inside.at(key))
                for key, value in written.value.items()
            }  # fmt: skip
            return replace(node, value={name: self._mapping(written, held)})
        return self._plain(node, scope)

    def _held(self, key: str, node: Node, scope: _Scope) -> Node:
        if key == "branches" and isinstance(node.value, dict):
            branches = {name: self._list(v, scope.at(name)) for name, v in node.value.items()}
            return self._mapping(node, branches)
        return self._list(node, scope)

    def _repeat(self, node: Node, written: Node | None, scope: _Scope) -> Node:
        parts = _entries(written) if written else {}
        for key in parts:
            if key not in ("times", "index", "layers"):
                message = f"unknown field{did_you_mean(key, ('times', 'index', 'layers'))}"
                raise self._refuse_in(parts[key], scope.at(key), message)
        for key in ("times", "layers"):
            if key not in parts:
                message = "it is required and missing"
                raise self._refuse_in(node, scope.at(key), message)
        times = self._plain(parts["times"], scope.at("times")).value
        if type(times) is not int or not 0 <= times <= MAX_TIMES:
            found = describe(times)
            message = f"found {found}; allowed: a whole number from 0 to {MAX_TIMES:,}"
            raise self._refuse_in(parts["times"], scope.at("times"), message)
        index = parts["index"].value if "index" in parts else None
        if index is not None:
            if not isinstance(index, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", index):
                message = f"found {describe(index)}; allowed: a name"
                raise self._refuse_in(parts["index"], scope.at("index"), message)
            if index in scope.names:
                message = f"{index} has a meaning here already; choose another name"
                raise self._refuse_in(parts["index"], scope.at("index"), message)
        layers = parts["layers"]
        if not isinstance(layers.value, list):
            message = f"found {describe(layers.plain())}; allowed: a list of layers"
            raise self._refuse_in(layers, scope.at("layers"), message)
        copies: list[Node] = []
        for turn in range(times):
            names = {**scope.names, index: turn} if index else scope.names
            for position, item in enumerate(layers.value):
                here = replace(scope.at("layers", position), names=names)
                made = self._layer(item, here)
                copies.append(replace(made, origin=Origin(scope.file, tuple(here.place))))
            self._spend(node, scope, 1)
        return _sequential(node, f"Repeat {times}", replace(layers, value=copies), scope, "")

    def _use(self, block: Block, node: Node, written: Node | None, scope: _Scope) -> Node:
        if block.name in scope.stack:
            cycle = " → ".join([*scope.stack[scope.stack.index(block.name) :], block.name])
            message = f"the block {block.name}, defined in {block.place}, uses itself: {cycle}"
            raise self._refuse_in(node, scope, message)
        if len(scope.stack) >= MAX_DEPTH:
            raise self._refuse_in(node, scope, f"blocks are used deeper than {MAX_DEPTH} levels")
        given = self._arguments(block, node, written, scope)
        names = dict(self._values)
        inside = _Scope(block.file, ("blocks", block.name), names, (*scope.stack, block.name))
        for name, default in block.parameters.items():
            if name in given:
                names[name] = given[name]
            elif default.value is None:
                message = f"{name} is required and missing; {block.name} is in {block.place}"
                raise self._refuse_in(node, scope, message)
            else:
                here = inside.at("parameters", name)
                names[name] = self._scalar(self._plain(default, here), here)
        used = f"used in {scope.file}:{node.line}:{node.column} {path_text(scope.place)}"
        inside = replace(inside.at("layers"), used=(used, *scope.used))
        layers = self._list(block.layers, inside)
        return _sequential(node, block.name, layers, inside, used)

    def _arguments(
        self, block: Block, node: Node, written: Node | None, scope: _Scope
    ) -> dict[str, Value]:
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
                raise self._refuse_in(node, scope, message)
            items = dict(zip(names, values, strict=False))
        given = {}
        for name, value in items.items():
            if name not in block.parameters:
                message = f"unknown parameter{did_you_mean(name, names)}; see {block.place}"
                raise self._refuse_in(value, scope.at(name), message)
            given[name] = self._scalar(self._plain(value, scope.at(name)), scope.at(name))
        return given

    # --- values -----------------------------------------------------------------------------------

    def _plain(self, node: Node, scope: _Scope) -> Node:
        """What is no list of layers, with its expressions computed."""
        if isinstance(node.value, str):
            return self._text(node, scope) if "${" in node.value else self._counted(node, scope)
        if isinstance(node.value, list):
            items = [self._plain(v, scope.at(i)) for i, v in enumerate(node.value)]
            self._spend(node, scope, 1)
            return replace(node, value=items)
        if isinstance(node.value, dict):
            pairs = {name: self._plain(v, scope.at(name)) for name, v in node.value.items()}
            self._spend(node, scope, 1)
            return self._mapping(node, pairs)
        return self._counted(node, scope)

    def _counted(self, node: Node, scope: _Scope) -> Node:
        self._spend(node, scope, 1)
        return node

    def _text(self, node: Node, scope: _Scope) -> Node:
        text = str(node.value)
        self._spend(node, scope, 1)
        try:
            return replace(node, value=fill(text, scope.names), expression=text)
        except ExpressionError as error:
            raise self._refuse_in(node, scope, f"{text[:60]}: {error}") from None

    def _scalar(self, node: Node, scope: _Scope) -> Value:
        if node.value is None or isinstance(node.value, list | dict):
            message = f"found {describe(node.plain())}; allowed: a number, a text, true or false"
            raise self._refuse_in(node, scope, message)
        return node.value

    def _mapping(self, node: Node, pairs: Mapping[str, Node]) -> Node:
        return replace(node, value=dict(pairs))

    def _spend(self, node: Node, scope: _Scope, count: int) -> None:
        self._left -= count
        if self._left < 0:
            message = f"the document has more than {MAX_EXPANDED:,} values once it is written out"
            raise self._refuse_in(node, scope, message)

    def _refuse(self, node: Node, place: Place, message: str, file: str = "") -> ConfigError:
        text = path_text(place)
        return ConfigError([Problem(file or self._file, node.line, node.column, text, message)])

    def _refuse_in(self, node: Node, scope: _Scope, message: str) -> ConfigError:
        uses = f" ({'; '.join(scope.used)})" if scope.used else ""
        return self._refuse(node, scope.place, message + uses, scope.file)


@dataclass(frozen=True)
class _Scope:
    """Where an expression stands: its file and place, the names it may use, the blocks around."""

    file: str
    place: Place
    names: Names
    stack: tuple[str, ...]
    used: tuple[str, ...] = ()

    def at(self, *steps: str | int) -> _Scope:
        return replace(self, place=(*self.place, *steps))


def _entries(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}


def _named(node: Node) -> tuple[str | None, Node | None]:
    """The name of a layer as it is written, and what stands behind it."""
    if isinstance(node.value, str):
        return node.value, None
    if isinstance(node.value, dict) and len(node.value) == 1:
        [(name, written)] = node.value.items()
        return name, written
    return None, None


def _sequential(node: Node, name: str, layers: Node, scope: _Scope, used: str) -> Node:
    held = replace(layers, origin=Origin(scope.file, tuple(scope.place), used)) if used else layers
    label = Node(name, node.line, node.column)
    arguments = Node({"layers": held, "name": label}, node.line, node.column)
    return Node({"Sequential": arguments}, node.line, node.column, origin=node.origin)
