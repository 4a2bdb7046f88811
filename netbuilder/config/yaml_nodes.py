"""Parses YAML to nodes: plain values with their positions.

PyYAML's C parser turns the text into a stream of events. The rest of PyYAML is not used, because it
is unsafe or surprising: its composer recurses in C until the process dies, its aliases expand
without a bound, duplicate keys vanish, and YAML 1.1 turns ``no`` into false, ``010`` into 8 and
``1:30`` into 90. Scalars follow the core schema of YAML 1.2 (section 10.3.2), plus the merge key
``<<`` of YAML 1.1, which is in common use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from netbuilder._text import quoted
from netbuilder.errors import ConfigError, Problem

MAX_DEPTH = 40
"""Levels of nesting."""
MAX_NODES = 100_000
"""Values of a document, with its aliases expanded."""
MAX_KEYS = 1_000
"""Keys of a mapping."""
MAX_DIGITS = 40
"""Characters of a number."""
MAX_REPEATS = 100
"""Repeated keys after which parsing stops."""

Scalar = str | int | float | bool | None

_NO_KEYS: dict[str, tuple[int, int]] = {}


@dataclass(frozen=True)
class Origin:
    """The place of a value before the expansion of blocks.

    Attributes:
        file: The file of the value.
        place: The path of the value in that file.
        used: Where the block that contains the value is used, for messages; empty outside blocks.
    """

    file: str
    place: tuple[str | int, ...]
    used: str = ""


@dataclass(slots=True)  # not frozen, which would make the creation several times slower
class Node:
    """A value of a document with its position.

    Attributes:
        value: A scalar, a list of nodes or a mapping to nodes.
        line: The line, from 1.
        column: The column, from 1.
        size: The values in it, itself included, with aliases expanded.
        depth: Its levels of nesting, with aliases expanded.
        keys: The line and column of each key of a mapping.
        origin: The place of the value before the expansion of blocks, if that moved it.
        expression: The text from which the value was computed, if any.
        override: The command-line override that the value depends on, if any.
    """

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    column: int
    size: int = 1
    depth: int = 1
    keys: Mapping[str, tuple[int, int]] = field(default_factory=lambda: _NO_KEYS)
    origin: Origin | None = None
    expression: str = ""
    override: str = ""

    def plain(self) -> object:
        """Return the value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def parse(text: str, file: str) -> tuple[Node, list[Problem]]:
    """Parse a document; ``file`` is its name in messages.

    Returns:
        The document, and a problem for each repeated key, of which the first counts.

    Raises:
        ConfigError: The text is not YAML, contains more than plain data, or exceeds a bound.
    """
    return _Composer(file).document(text)


def parse_value(text: str) -> object:
    """Parse a single value, such as ``0.05``, ``[3, 3]`` or ``same``.

    Raises:
        ConfigError: As `parse`; also if a key is repeated.
    """
    if not text.strip():
        return None
    node, problems = parse(text, "value")
    if problems:
        raise ConfigError(problems)
    return node.plain()


_FORBIDDEN = "[^\t\n\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]"
"""Characters that YAML does not allow in a text: control characters and lone surrogates."""

_BREAKS = dict.fromkeys(map(ord, "\t\n\r"))

_INT = re.compile(r"[-+]?[0-9]+")
_PREFIXED_INT = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def _resolve(text: str) -> Scalar:
    """Return the value of a plain scalar by the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _PREFIXED_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


class _Composer:
    """Builds the nodes of one document from PyYAML's events."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, Node | None] = {}
        self._problems: list[Problem] = []
        self._steps = 0

    def document(self, text: str) -> tuple[Node, list[Problem]]:
        # Most texts are printable but for their breaks, and compiling the pattern takes 4 ms.
        plain = text.translate(_BREAKS).isprintable()
        if not plain and (forbidden := re.search(_FORBIDDEN, text)):
            offset = forbidden.start()
            line = text.count("\n", 0, offset) + 1
            column = offset - text.rfind("\n", 0, offset)
            message = f"found the character {forbidden[0]!r}, which YAML forbids; remove it"
            raise self._error(line, column, message)
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            events = yaml.parse(text, Loader=loader)
            root = self._document(events)
        except yaml.YAMLError as error:
            line, column = _error_position(error)
            hint = "fix this line or one above it"
            if "${" in "".join(text.splitlines()[line - 1 : line]):
                hint = 'write "${...}" with quotes inside [ ] and { }'
            raise self._error(line, column, f"{_error_message(error)}; {hint}") from None
        return root, self._problems

    def _document(self, events: Iterator[yaml.Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise self._error_at(
                    event, "a second document starts; a file holds one; move it to another file"
                )
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, depth=1)
        if root is None:
            raise self._error(
                1, 1, "it contains only comments; a document has name, input and layers"
            )
        return root

    def _node(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> Node:
        self._count(event)
        if depth > MAX_DEPTH:
            raise self._error_at(event, f"nested deeper than {MAX_DEPTH} levels; nest less")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        assert isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)), "no other nodes"
        if event.tag is not None:
            raise self._error_at(
                event, f"found the tag {quoted(event.tag)}; remove it; documents are plain data"
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            assert isinstance(event, yaml.MappingStartEvent), "no other collections"
            node = self._mapping(event, events, depth)
        if node.depth > MAX_DEPTH:
            raise self._error_at(
                event, f"nested deeper than {MAX_DEPTH} levels through its aliases; nest less"
            )
        if node.size > MAX_NODES:
            raise self._error_at(
                event,
                f"it has more than {MAX_NODES:,} values with its aliases expanded; use fewer",
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, event: yaml.Event) -> None:
        """Bound the work as well as the result, since repeated merges add keys only once."""
        self._steps += 1
        if self._steps > MAX_NODES:
            raise self._error_at(
                event, f"reading it takes more than {MAX_NODES:,} steps; use fewer aliases"
            )

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor or ""
        if name not in self._anchors:
            raise self._error_at(
                event,
                f"the alias *{quoted(name)} has no anchor; write &name before a value above",
            )
        node = self._anchors[name]
        if node is None:
            raise self._error_at(
                event, f"the alias *{quoted(name)} is inside its own anchor; remove it"
            )
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        line, column = _position(event)
        plain = event.implicit[0]
        if plain and len(event.value) > MAX_DIGITS and event.value[:1] in "+-.0123456789":
            if any(kind.fullmatch(event.value) for kind in (_INT, _PREFIXED_INT, _FLOAT)):
                raise self._error_at(
                    event, f"found a number of more than {MAX_DIGITS} digits; use fewer"
                )
            return Node(event.value, line, column)
        return Node(_resolve(event.value) if plain else event.value, line, column)

    def _sequence(
        self, start: yaml.SequenceStartEvent, events: Iterator[yaml.Event], depth: int
    ) -> Node:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(_node_event(event), events, depth + 1))
        return self._collection(start, items, items)

    def _mapping(
        self, start: yaml.MappingStartEvent, events: Iterator[yaml.Event], depth: int
    ) -> Node:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
                raise self._error_at(
                    event, "a key must be plain text; fix its quotes or the indentation"
                )
            if event.anchor is not None:
                raise self._error_at(event, "an anchor belongs to a value, not to a key; move it")
            if len(own) >= MAX_KEYS:
                raise self._error_at(
                    event, f"the mapping has more than {MAX_KEYS:,} keys; use fewer"
                )
            value = self._node(_node_event(next(events)), events, depth + 1)
            key = event.value
            if key == "<<" and event.implicit[0]:
                for name, node, position in self._merge(event, value):
                    merged.setdefault(name, node)
                    keys.setdefault(name, position)
            elif key in own:
                message = (
                    f"the key {quoted(key)} is repeated, first in line {keys[key][0]}; "
                    "remove one of the two"
                )
                self._problems.append(self._problem_at(event, message))
                if len(self._problems) >= MAX_REPEATS:
                    raise ConfigError(self._problems)
            else:
                own[key] = value
                keys[key] = _position(event)
        pairs = {**merged, **own}
        return self._collection(start, pairs, list(pairs.values()), keys)

    def _merge(self, key: yaml.Event, value: Node) -> Iterator[tuple[str, Node, tuple[int, int]]]:
        for source in value.value if isinstance(value.value, list) else [value]:
            if not isinstance(source.value, dict):
                raise self._error_at(
                    key, "<< merges a mapping or a list of mappings; write one after it"
                )
            for name, node in source.value.items():
                self._count(key)
                yield name, node, source.keys[name]

    def _collection(
        self,
        start: yaml.NodeEvent,
        value: list[Node] | dict[str, Node],
        nodes: list[Node],
        keys: dict[str, tuple[int, int]] | None = None,
    ) -> Node:
        return Node(
            value,
            *_position(start),
            size=1 + sum(node.size for node in nodes),
            depth=1 + max((node.depth for node in nodes), default=0),
            keys=keys or _NO_KEYS,
        )

    def _problem_at(self, event: yaml.Event, message: str) -> Problem:
        return Problem(self._file, *_position(event), "", message)

    def _error_at(self, event: yaml.Event, message: str) -> ConfigError:
        return ConfigError([*self._problems, self._problem_at(event, message)])

    def _error(self, line: int, column: int, message: str) -> ConfigError:
        return ConfigError([*self._problems, Problem(self._file, line, column, "", message)])


def _node_event(event: yaml.Event) -> yaml.NodeEvent:
    assert isinstance(event, yaml.NodeEvent), "the parser sends a node"
    return event


def _position(event: yaml.Event) -> tuple[int, int]:
    """Return the line and column of an event, from 1."""
    mark = event.start_mark
    assert mark is not None, "every event of a parsed text has a mark"
    return mark.line + 1, mark.column + 1


def _error_position(error: yaml.YAMLError) -> tuple[int, int]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _error_message(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if problem == "exceeded maximum nesting depth":  # libyaml's own bound
        return f"nested deeper than {MAX_DEPTH} levels"
    context = getattr(error, "context", None)
    return f"not YAML: {problem}" + (f" {context}" if context else "")
