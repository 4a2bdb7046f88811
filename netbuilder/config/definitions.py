"""What a document defines before it uses it: values, blocks, and the files that bring more of both.

Everything works on nodes that know where they stand, so that each fault is told with its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from netbuilder._text import describe, did_you_mean, quoted
from netbuilder.config.expressions import NAME, NAME_RULE, ExpressionError, Value, fill, names_in
from netbuilder.config.schema import Place, format_path
from netbuilder.config.source import read_text
from netbuilder.config.yaml_nodes import Node, parse
from netbuilder.errors import ConfigError, Problem

MAX_EXPANDED = 120_000
"""Values in a document once its blocks are written out; ten thousand layers have about 70,000."""
TEXT_OF_A_VALUE = 64
"""Characters of a computed text that count as one value more."""
USES_TOLD = 3
BLOCK_NAME = r"[a-z][a-z0-9_]*"
SECTIONS = ("values", "blocks", "include")


@dataclass(frozen=True)
class Scope:
    """Where an expression stands, and what it may name.

    Attributes:
        names: what stands for what.
        changed: the names among them that depend on an override, and on which.
        stack: the blocks around.
        used: where those were used, the innermost first.
        depth: how many containers are around.
    """

    file: str
    place: Place
    names: Mapping[str, Value]
    changed: Mapping[str, str]
    stack: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    depth: int = 0

    def at(self, *steps: str | int) -> Scope:
        """The scope of a part."""
        return replace(self, place=(*self.place, *steps))


class BudgetExceeded(ConfigError):
    """A document that is not written out any further."""


def error_at(node: Node, scope: Scope, message: str) -> ConfigError:
    """The fault of ``node``, with its place and where the blocks around it are used."""
    return ConfigError([_problem(node, scope, message)])


def _problem(node: Node, scope: Scope, message: str) -> Problem:
    told = list(scope.used)
    if len(told) > USES_TOLD:
        told = [*told[: USES_TOLD - 1], "…", told[-1]]
    message += f" ({'; '.join(told)})" if told else ""
    if node.override:
        return Problem(f"--set {node.override}", None, None, format_path(scope.place), message)
    return Problem(scope.file, node.line, node.column, format_path(scope.place), message)


def entries(node: Node) -> dict[str, Node]:
    """The parts of a mapping; of anything else none."""
    return node.value if isinstance(node.value, dict) else {}


def inclusions(root: Node) -> list[Node]:
    """What a document names to include, rightly or not."""
    node = entries(root).get("include")
    if node is None:
        return []
    return node.value if isinstance(node.value, list) else [node]


class Interpolator:
    """Computes expressions, and counts what a document comes to."""

    def __init__(self) -> None:
        self.left = MAX_EXPANDED

    def plain(self, node: Node, scope: Scope) -> Node:
        """What holds no layers, with its expressions computed."""
        self.spend(1, node, scope)
        if isinstance(node.value, str) and "${" in node.value:
            return self._text(node.value, node, scope)
        if isinstance(node.value, list):
            items = [self.plain(item, scope.at(i)) for i, item in enumerate(node.value)]
            return replace(node, value=items)
        if isinstance(node.value, dict):
            pairs = {name: self.plain(part, scope.at(name)) for name, part in node.value.items()}
            return replace(node, value=pairs)
        return node

    def scalar(self, node: Node, scope: Scope) -> Node:
        """As `plain`, of what must be one value."""
        made = self.plain(node, scope)
        if made.value is None or isinstance(made.value, list | dict):
            message = f"found {describe(made.plain())}; allowed: a number, a text, true or false"
            raise error_at(node, scope, message)
        return made

    def spend(self, count: int, node: Node, scope: Scope) -> None:
        """Count values that are written out.

        Raises:
            TooLarge: there are more than `MAX_EXPANDED`.
        """
        self.left -= count
        if self.left < 0:
            message = (
                f"the document has more than {MAX_EXPANDED:,} values once it is written out; "
                "repeat less"
            )
            raise BudgetExceeded([_problem(node, scope, message)])

    def _text(self, text: str, node: Node, scope: Scope) -> Node:
        used = names_in(text) if scope.changed else ()
        override = next((scope.changed[name] for name in used if name in scope.changed), "")
        node = replace(node, expression=text, override=override)
        try:
            value = fill(text, scope.names)
        except ExpressionError as error:
            raise error_at(node, scope, f"{text[:60]}: {error}") from None
        if isinstance(value, str):
            self.spend(len(value) // TEXT_OF_A_VALUE, node, scope)
        return replace(node, value=value)


@dataclass(frozen=True)
class Block:
    """What a document calls by a name: parameters with their defaults (None: required), layers."""

    name: str
    file: str
    parameters: Mapping[str, Node]
    layers: Node
    place: str


@dataclass
class Definitions:
    """The names of one document.

    Attributes:
        changes: values that a command sets, each with the text of the override.
        changed: the values that depend on one of those, and on which.
        included: the texts of the files that the document includes, as it names them.
        problems: all that is wrong with the definitions.
    """

    filler: Interpolator
    folder: Path | None
    changes: Mapping[str, tuple[Value, str]]
    blocks: dict[str, Block] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    included: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _places: dict[str, str] = field(default_factory=dict)

    def read(self, root: Node, file: str) -> None:
        """Take the definitions of a document and of what it includes.

        Raises:
            ConfigError: with all that is wrong with them.
        """
        sections = entries(root)
        for item in inclusions(root):
            self._try(self._include, item, self.scope(file, "include"))
        self._define(sections, file)
        for name, (_, override) in self.changes.items():
            if name not in self._places:
                message = f"unknown value{did_you_mean(name, self.values)}"
                self.problems.append(Problem(f"--set {override}", None, None, f"values.{name}", message))
        if self.problems:
            raise ConfigError(self.problems)

    def scope(self, file: str, *place: str | int) -> Scope:
        """A place outside all blocks."""
        return Scope(file, place, self.values, self.changed)

    def _try(self, read: object, *arguments: object) -> None:
        assert callable(read)
        try:
            read(*arguments)
        except BudgetExceeded:
            raise
        except ConfigError as error:
            self.problems += error.problems

    def _include(self, item: Node, scope: Scope) -> None:
        name = item.value
        if not isinstance(name, str):
            raise error_at(item, scope, f"found {describe(name)}; name a file")
        path = self._path(item, name, scope)
        try:
            text = read_text(path)
        except ConfigError as error:
            raise error_at(item, scope, f"{quoted(name)}: {error.problems[0].message}") from None
        root, problems = parse(text, str(path))
        if problems:
            raise ConfigError(problems)
        if not isinstance(root.value, dict):
            message = "an included file is a mapping with values and blocks"
            raise ConfigError([Problem(str(path), 1, 1, "", message)])
        for key, (line, column) in root.keys.items():
            if key not in ("values", "blocks"):
                message = "an included file holds values and blocks; move this into the document"
                raise ConfigError([Problem(str(path), line, column, key, message)])
        self.included[name] = text
        self._define(root.value, str(path))

    def _path(self, item: Node, name: str, scope: Scope) -> Path:
        if self.folder is None:
            raise error_at(item, scope, "a text without a file has nothing beside it")
        folder = self.folder.resolve()
        try:
            path = (folder / name).resolve()
            odd = path.exists() and not path.is_file()
        except (OSError, ValueError) as error:
            raise error_at(item, scope, f"{quoted(name)}: {error}") from None
        if Path(name).is_absolute() or ".." in Path(name).parts or folder not in path.parents:
            message = f"found {quoted(name)}; allowed: a file in the document's own folder"
            raise error_at(item, scope, message)
        if odd:
            raise error_at(item, scope, f"{quoted(name)} is no ordinary file; name one")
        return self.folder / name

    def _define(self, sections: Mapping[str, Node], file: str) -> None:
        here = self.scope(file)
        for name, node in self._named(sections.get("values"), here.at("values")):
            self._try(self._value, name, node, here.at("values", name))
        for name, node in self._named(sections.get("blocks"), here.at("blocks")):
            self._try(self._block, name, node, here.at("blocks", name))

    def _named(self, node: Node | None, scope: Scope) -> list[tuple[str, Node]]:
        """What a mapping defines, each where its name stands."""
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, dict):
            found = describe(node.plain())
            message = f"found {found}; allowed: names, each with what it stands for"
            self.problems.append(_problem(node, scope, message))
            return []
        named = []
        for name, value in node.value.items():
            line, column = node.keys.get(name, (value.line, value.column))
            named.append((name, replace(value, line=line, column=column)))
        return named

    def _value(self, name: str, node: Node, scope: Scope) -> None:
        self._claim(name, node, scope, NAME)
        self.values[name] = 1  # so that a fault is told once, and not wherever the name is used
        if name in self.changes:
            self.values[name], self.changed[name] = self.changes[name]
            return
        before = {known: value for known, value in self.values.items() if known != name}
        made = self.filler.scalar(node, replace(scope, names=before))
        assert not isinstance(made.value, list | dict)
        assert made.value is not None
        self.values[name] = made.value
        if made.override:
            self.changed[name] = made.override

    def _block(self, name: str, node: Node, scope: Scope) -> None:
        self._claim(name, node, scope, BLOCK_NAME)
        parts = entries(node)
        for key, part in parts.items():
            if key not in ("parameters", "layers"):
                message = f"unknown field{did_you_mean(key, ('parameters', 'layers'))}"
                raise error_at(part, scope.at(key), message)
        if "layers" not in parts or not isinstance(parts["layers"].value, list):
            message = "a block has layers, a list, and maybe parameters with their defaults"
            raise error_at(node, scope, message)
        given = scope.at("parameters")
        parameters = dict(self._named(parts.get("parameters"), given))
        for parameter, default in parameters.items():
            if not re.fullmatch(NAME, parameter):
                message = f"found the name {quoted(parameter)}; allowed: {NAME_RULE}"
                raise error_at(default, given.at(parameter), message)
            if isinstance(default.value, list | dict):
                message = "a parameter is a name with a number, a text, true, false, or nothing"
                raise error_at(default, given.at(parameter), message)
        place = f"{scope.file}:{node.line}:{node.column}"
        self.blocks[name] = Block(name, scope.file, parameters, parts["layers"], place)

    def _claim(self, name: str, node: Node, scope: Scope, pattern: str) -> None:
        if not re.fullmatch(pattern, name):
            allowed = NAME_RULE
            if pattern == BLOCK_NAME:
                allowed = "small letters, digits and underscores, a letter first"
            raise error_at(node, scope, f"found the name {quoted(name)}; allowed: {allowed}")
        if name in self._places:
            message = f"{name} is defined already, in {self._places[name]}; rename one of the two"
            raise error_at(node, scope, message)
        self._places[name] = f"{scope.file}:{node.line}:{node.column}"
