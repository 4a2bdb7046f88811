"""The definitions of a document: named values, blocks, and the files that it includes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from netbuilder._text import describe, did_you_mean, quoted
from netbuilder.config.expressions import (
    NAME,
    NAME_RULE,
    ExpressionError,
    Value,
    interpolate,
    names_in,
)
from netbuilder.config.overrides import label
from netbuilder.config.schema import Architecture, Place, format_path
from netbuilder.config.source import read_text
from netbuilder.config.yaml_nodes import Node, parse
from netbuilder.errors import ConfigError, Problem

MAX_EXPANDED = 120_000
"""Values of a document with its blocks expanded; ten thousand layers have about 70,000."""
MAX_OPERATIONS = 600_000
"""Operations and operands of all expressions of a document, each counted when it is computed."""
CHARACTERS_PER_VALUE = 64
"""Characters of a computed string that count as one value."""
MAX_USES = 3
"""Uses of blocks that a message lists."""
BLOCK_NAME = r"[a-z][a-z0-9_]*"
BLOCK_NAME_RULE = "lowercase letters, digits and underscores, a letter first"
BLOCK_FIELDS = ("parameters", "layers")
SECTIONS = Architecture.definitions
"""The sections of a document that hold definitions."""
RUN_RECORD, RUN_INCLUDES = "config.json", "included"
"""The record that a run folder has, and its folder of the files that its document includes."""
INCLUDED_SECTIONS = ("values", "blocks")


@dataclass(frozen=True)
class Scope:
    """The context of an expression.

    Attributes:
        file: The file of the expression.
        place: The path of the expression in that file.
        names: The values of the names that it may use.
        overrides: The command-line override that a name depends on, for those that do.
        stack: The names of the blocks being expanded, the outermost first.
        uses: The places where these blocks are used, for messages, the innermost first.
        depth: The number of containers around the expression.
    """

    file: str
    place: Place
    names: Mapping[str, Value]
    overrides: Mapping[str, str]
    stack: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    depth: int = 0

    def at(self, *steps: str | int) -> Scope:
        """Return the scope of a part."""
        return replace(self, place=(*self.place, *steps))


class BudgetExceeded(ConfigError):
    """A document is too large or has too many problems; its expansion stops."""


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of a ConfigError to a list and continue after the ``with`` block.

    Raises:
        BudgetExceeded: The body raised it.
    """
    try:
        yield
    except BudgetExceeded:
        raise
    except ConfigError as error:
        problems += error.problems


def error_at(node: Node, scope: Scope, message: str) -> ConfigError:
    """Return the error of a node, with its position and the uses of the blocks around it."""
    return ConfigError([_problem(node, scope, message)])


def _problem(node: Node, scope: Scope, message: str) -> Problem:
    uses = list(scope.uses)
    if len(uses) > MAX_USES:
        uses = [*uses[: MAX_USES - 1], "…", uses[-1]]
    if uses:
        message += f" ({'; '.join(uses)})"
    path = format_path(scope.place)
    if node.override:
        return Problem(label(node.override), None, None, path, message)
    return Problem(scope.file, node.line, node.column, path, message)


def entries(node: Node) -> dict[str, Node]:
    """Return the parts of a mapping; a node of another type has none."""
    return node.value if isinstance(node.value, dict) else {}


def inclusions(root: Node) -> list[Node]:
    """Return the names of the files that a document includes, which may be of any type."""
    node = entries(root).get("include")
    if node is None:
        return []
    return node.value if isinstance(node.value, list) else [node]


class Interpolator:
    """Replaces expressions by their values, within a budget of values for the whole document.

    Attributes:
        budget: The number of values that the document may still have.
        operations: The number of operations that its expressions may still take.
    """

    def __init__(self) -> None:
        self.budget = MAX_EXPANDED
        self.operations = MAX_OPERATIONS

    def interpolate(self, node: Node, scope: Scope) -> Node:
        """Return a node that holds no layers, with its expressions replaced.

        Raises:
            BudgetExceeded: The document has more than `MAX_EXPANDED` values.
            ConfigError: An expression is invalid.
        """
        self.spend(1, node, scope)
        if isinstance(node.value, str) and "${" in node.value:
            return self._interpolate_text(node.value, node, scope)
        if isinstance(node.value, list):
            items = [self.interpolate(item, scope.at(i)) for i, item in enumerate(node.value)]
            return replace(node, value=items)
        if isinstance(node.value, dict):
            parts = {key: self.interpolate(part, scope.at(key)) for key, part in node.value.items()}
            return replace(node, value=parts)
        return node

    def interpolate_scalar(self, node: Node, scope: Scope) -> tuple[Node, Value]:
        """Return a node that must be a scalar, with its expressions replaced, and its value.

        Raises:
            ConfigError: As `interpolate`; also if the value is null, a list or a mapping.
        """
        result = self.interpolate(node, scope)
        if result.value is None or isinstance(result.value, list | dict):
            message = f"found {describe(result.plain())}; allowed: a number, a text, true or false"
            raise error_at(node, scope, message)
        return result, result.value

    def spend(self, count: int, node: Node, scope: Scope) -> None:
        """Reduce the budget by ``count`` values.

        Raises:
            BudgetExceeded: The budget is used up.
        """
        self.budget -= count
        if self.budget < 0:
            message = (
                f"the document has more than {MAX_EXPANDED:,} values with its blocks expanded; "
                "repeat less"
            )
            raise BudgetExceeded([_problem(node, scope, message)])

    def _spend_operations(self, count: int, node: Node, scope: Scope) -> None:
        self.operations -= count
        if self.operations < 0:
            message = (
                f"the expressions take more than {MAX_OPERATIONS:,} operations with blocks "
                "expanded; compute a named value once, or repeat less"
            )
            raise BudgetExceeded([_problem(node, scope, message)])

    def _interpolate_text(self, text: str, node: Node, scope: Scope) -> Node:
        names = names_in(text) if scope.overrides else ()
        override = next((scope.overrides[name] for name in names if name in scope.overrides), "")
        node = replace(node, expression=text, override=override)
        try:
            value = interpolate(
                text, scope.names, lambda count: self._spend_operations(count, node, scope)
            )
        except ExpressionError as error:
            raise error_at(node, scope, f"{text[:60]}: {error}") from None
        if isinstance(value, str):
            self.spend(len(value) // CHARACTERS_PER_VALUE, node, scope)
        return replace(node, value=value)


@dataclass(frozen=True)
class Block:
    """A named list of layers with parameters.

    Attributes:
        name: Its name.
        file: The file that defines it.
        parameters: The defaults of its parameters; null for a required one.
        layers: The list of its layers.
        place: The position of its definition, for messages.
    """

    name: str
    file: str
    parameters: Mapping[str, Node]
    layers: Node
    place: str


@dataclass
class Definitions:
    """The values and blocks that a document and the files it includes define.

    Attributes:
        interpolator: Computes the named values.
        folder: The folder of the document; None for a document without a file.
        changes: The named values that the command line sets, each with its override.
        blocks: The blocks by name.
        values: The named values.
        overrides: The command-line override that a named value depends on, for those that do.
        included: The texts of the included files, by the names they are included by.
        problems: The problems of the definitions.
    """

    interpolator: Interpolator
    folder: Path | None
    changes: Mapping[str, tuple[Value, str]]
    blocks: dict[str, Block] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    included: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _places: dict[str, str] = field(default_factory=dict)

    def read(self, root: Node, file: str) -> None:
        """Read the definitions of a document and of the files that it includes.

        Raises:
            ConfigError: Definitions are invalid; it has all their problems.
        """
        for item in inclusions(root):
            with collecting(self.problems):
                self._include(item, self.scope(file, "include"))
        self._define(entries(root), file)
        for name, (_, override) in self.changes.items():
            if name not in self._places:
                hint = did_you_mean(name, self.values) if self.values else "; the document has none"
                message = f"unknown value{hint}"
                problem = Problem(label(override), None, None, f"values.{name}", message)
                self.problems.append(problem)
        if self.problems:
            raise ConfigError(self.problems)

    def scope(self, file: str, *place: str | int) -> Scope:
        """Return the scope of a place outside all blocks."""
        return Scope(file, place, self.values, self.overrides)

    def _include(self, item: Node, scope: Scope) -> None:
        name = item.value
        if not isinstance(name, str):
            raise error_at(item, scope, f"found {describe(name)}; allowed: the name of a file")
        path = self._included_path(item, name, scope)
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
            if key not in INCLUDED_SECTIONS:
                message = "an included file has only values and blocks; move this to the document"
                raise ConfigError([Problem(str(path), line, column, key, message)])
        self.included[name] = text
        self._define(root.value, str(path))

    def _included_path(self, item: Node, name: str, scope: Scope) -> Path:
        """Return the path of an included file, which is in the folder of the document."""
        if self.folder is None:
            message = "a document without a file cannot include others; remove the section"
            raise error_at(item, scope, message)
        own = self.folder
        if not (own / name).exists() and (own / RUN_RECORD).is_file():
            own = own / RUN_INCLUDES  # the document of a run folder
        folder = own.resolve()
        try:
            path = (folder / name).resolve()
            is_special = path.exists() and not path.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # a link in a circle is RuntimeError
            raise error_at(item, scope, f"{quoted(name)}: {error}") from None
        if Path(name).is_absolute() or ".." in Path(name).parts or folder not in path.parents:
            message = f"found {quoted(name)}; allowed: a file in the folder of the document"
            raise error_at(item, scope, message)
        if is_special:
            raise error_at(item, scope, f"{quoted(name)} is not a regular file; name another")
        return own / name

    def _define(self, sections: Mapping[str, Node], file: str) -> None:
        scope = self.scope(file)
        for name, node in self._section(sections.get("values"), scope.at("values")):
            with collecting(self.problems):
                self._define_value(name, node, scope.at("values", name))
        for name, node in self._section(sections.get("blocks"), scope.at("blocks")):
            with collecting(self.problems):
                self._define_block(name, node, scope.at("blocks", name))

    def _section(self, node: Node | None, scope: Scope) -> list[tuple[str, Node]]:
        """Return the definitions of a mapping, each with the position of its name."""
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, dict):
            description = describe(node.plain())
            message = f"found {description}; allowed: a mapping from names to definitions"
            self.problems.append(_problem(node, scope, message))
            return []
        definitions = []
        for name, value in node.value.items():
            line, column = node.keys.get(name, (value.line, value.column))
            definitions.append((name, replace(value, line=line, column=column)))
        return definitions

    def _define_value(self, name: str, node: Node, scope: Scope) -> None:
        self._claim(name, node, scope, NAME, NAME_RULE)
        names = dict(self.values)
        self.values[name] = 1  # a placeholder, so that an error is not repeated at every use
        if name in self.changes:
            self.values[name], self.overrides[name] = self.changes[name]
            return
        result, self.values[name] = self.interpolator.interpolate_scalar(
            node, replace(scope, names=names)
        )
        if result.override:
            self.overrides[name] = result.override

    def _define_block(self, name: str, node: Node, scope: Scope) -> None:
        self._claim(name, node, scope, BLOCK_NAME, BLOCK_NAME_RULE)
        parts = entries(node)
        for key, part in parts.items():
            if key not in BLOCK_FIELDS:
                message = f"unknown field{did_you_mean(key, BLOCK_FIELDS)}"
                raise error_at(part, scope.at(key), message)
        if "layers" not in parts or not isinstance(parts["layers"].value, list):
            message = "a block has a list of layers, and optionally parameters with their defaults"
            raise error_at(node, scope, f"{message}; add layers: [...]")
        parameters = dict(self._section(parts.get("parameters"), scope.at("parameters")))
        for parameter, default in parameters.items():
            parameter_scope = scope.at("parameters", parameter)
            if not re.fullmatch(NAME, parameter):
                message = f"found the name {quoted(parameter)}; allowed: {NAME_RULE}"
                raise error_at(default, parameter_scope, message)
            if isinstance(default.value, list | dict):
                description = describe(default.plain())
                message = f"found {description}; allowed: a number, a text, true, false or null"
                raise error_at(default, parameter_scope, message)
        place = f"{scope.file}:{node.line}:{node.column}"
        self.blocks[name] = Block(name, scope.file, parameters, parts["layers"], place)

    def _claim(self, name: str, node: Node, scope: Scope, pattern: str, rule: str) -> None:
        """Check the name of a definition and record its place."""
        if not re.fullmatch(pattern, name):
            raise error_at(node, scope, f"found the name {quoted(name)}; allowed: {rule}")
        if name in self._places:
            message = f"{name} is already defined in {self._places[name]}; rename one of the two"
            raise error_at(node, scope, message)
        self._places[name] = f"{scope.file}:{node.line}:{node.column}"
