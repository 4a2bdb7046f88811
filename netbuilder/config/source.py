"""The text of a document, and the line and column of every value in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from netbuilder._files import UnfitFileError, require_regular
from netbuilder.config.overrides import label
from netbuilder.config.schema import COMPONENTS, Place, format_path
from netbuilder.config.yaml_nodes import Node
from netbuilder.errors import ConfigError, Problem

MAX_BYTES = 1024 * 1024

_DESCRIPTORS = (Path("/dev/fd"), Path("/proc/self/fd"))
"""Folders of the open files of this process, such as the pipe of ``check <(…)`` in a shell."""


def read_text(path: Path) -> str:
    """Read the text of a document.

    Raises:
        ConfigError: The file is missing, a folder, unreadable, too large, empty or not UTF-8.
    """
    try:
        is_open = path == Path("/dev/stdin") or path.parent in _DESCRIPTORS
        if not is_open and not path.is_dir():
            require_regular(path)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except UnfitFileError as error:
        raise ConfigError.at(path, f"{error}; save the document as a file") from None
    except FileNotFoundError:
        raise ConfigError.at(path, f"no such file; {_path_hint(path)}") from None
    except IsADirectoryError:
        example = min(path.glob("*.yaml"), default=None)
        hint = f" in it, such as {example}" if example else "; it has none"
        message = f"it is a folder; name a document{hint}"
        raise ConfigError.at(path, message) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot be read: {reason}; choose a readable file"
        raise ConfigError.at(path, message) from None
    if len(data) > MAX_BYTES:
        message = f"larger than {MAX_BYTES:,} bytes; a document is far smaller; choose another file"
        raise ConfigError.at(path, message)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}; save the file as UTF-8"
        raise ConfigError.at(path, message) from None
    if not text.strip():
        message = "it is empty; a document has at least name, input and layers"
        raise ConfigError.at(path, message)
    return text


def _path_hint(path: Path) -> str:
    """Return a hint at the document that a path without a file may mean."""
    documents = {
        document.stem: document
        for folder in (Path("archs"), path.parent)
        for document in sorted(folder.glob("*.yaml"))
    }
    matches = get_close_matches(path.stem, documents, n=1)
    return f"did you mean {documents[matches[0]]}?" if matches else "check the path"


class TextSource:
    """The text of a document, which locates values for messages.

    Attributes:
        text: The document as written.
        included: The texts of the files that it includes, by the names it includes them by.

    Args:
        text: The document as written.
        file: The name of the document in messages.
        root: The nodes of the document, with its blocks expanded.
        changes: The places that command-line overrides changed, each with the override.
        included: See above.
    """

    def __init__(
        self,
        text: str,
        file: str,
        root: Node,
        changes: Mapping[Place, str],
        included: Mapping[str, str],
    ) -> None:
        self.text = text
        self.included = included
        self._file = file
        self._root = root
        self._changes = changes

    def problem(self, place: Place, message: str) -> Problem:
        """Return the problem with the value at ``place``.

        Its position is that of the value, or of the closest parent that is written in the document.
        For a value of a block, the position is in the block, and the message lists the uses.
        """
        location = self._locate(place)
        if location.node.expression:
            message = f"{message} ({location.node.expression})"
        if location.uses:
            message = f"{message} ({'; '.join(reversed(location.uses))})"
        field = format_path(location.path)
        if override := self._override_of(location):
            return Problem(label(override), None, None, field, message)
        return Problem(location.file, location.line, location.column, field, message)

    def value_at(self, place: Place) -> object:
        """Return the value at ``place`` as it is written, with its expressions computed."""
        return self._locate(place).node.plain()

    def _locate(self, place: Place) -> _Location:
        root = self._root
        location = _Location(root, self._file, root.line, root.column)
        kind: str | None = None
        for step in place:
            if isinstance(step, int) and not isinstance(location.node.value, list):
                continue  # a single value in place of a list, which messages do not number
            location = location.descend(kind, step)
            kind = step if isinstance(step, str) else None
        return location

    def _override_of(self, location: _Location) -> str:
        """Return the override that set a value, a part of it or a part that contains it.

        Empty if there is none.
        """
        best: Place = ()
        for path in self._changes:
            common = min(len(path), len(location.path))
            if common and tuple(path[:common]) == location.path[:common] and len(path) > len(best):
                best = path
        return self._changes[best] if best else location.node.override


@dataclass(frozen=True)
class _Location:
    """Where a value is written.

    Attributes:
        node: The value; a node without a value if it is not written.
        file: The file of the value.
        line: The line of the value or, in a mapping, of its key.
        column: The column, likewise.
        path: The path of the value in the file.
        uses: The uses of the blocks that contain the value, the outermost first.
    """

    node: Node
    file: str
    line: int
    column: int
    path: tuple[str | int, ...] = ()
    uses: tuple[str, ...] = ()

    def descend(self, kind: str | None, step: str | int) -> _Location:
        """Return the location of a part; the node is the arguments of ``kind``, if that is set."""
        node, line, column = self._child(kind, step)
        child = _Location(node, self.file, line, column, (*self.path, step), self.uses)
        if node.origin is None:
            return child
        uses = (*self.uses, node.origin.used) if node.origin.used else self.uses
        return replace(child, file=node.origin.file, path=tuple(node.origin.place), uses=uses)

    def _child(self, kind: str | None, step: str | int) -> tuple[Node, int, int]:
        """Return a part of the node with its line and column; these are the node's if missing."""
        own = (self.line, self.column)
        value = self.node.value
        if isinstance(value, dict) and step in value:
            child = value[str(step)]
            return child, *self.node.keys.get(str(step), (child.line, child.column))
        if isinstance(value, list):
            if _is_variadic(kind, step):
                return self.node, *own
            index = step if isinstance(step, int) else _position(kind, step)
            if index is not None and index < len(value):
                return value[index], value[index].line, value[index].column
        elif self.node.expression and _position(kind, step) == 0:
            return self.node, *own  # a single value, which is the first argument
        return Node(None, *own), *own


def replace_value(node: Node, value: Any) -> Node:
    """Return a node with another value, whose parts keep the positions of those they replace.

    A new part has the position of the node.
    """
    added = Node(None, node.line, node.column)
    if isinstance(value, dict):
        old = node.value if isinstance(node.value, dict) else {}
        parts = {key: replace_value(old.get(key, added), part) for key, part in value.items()}
        return replace(node, value=parts, keys=node.keys)
    if isinstance(value, list):
        items = node.value if isinstance(node.value, list) else []
        items = [*items, *[added] * (len(value) - len(items))]
        pairs = zip(items, value, strict=False)
        return replace(node, value=[replace_value(item, part) for item, part in pairs])
    return replace(node, value=value)


def _is_variadic(kind: str | None, field: str | int) -> bool:
    """Return whether ``field`` is the argument of ``kind`` that takes all positional values."""
    return kind is not None and kind in COMPONENTS and field == COMPONENTS[kind].variadic


def _position(kind: str | None, field: str | int) -> int | None:
    """Return the position of ``field`` among the positional arguments of ``kind``, if any."""
    names: tuple[str | int, ...] = ()
    if kind is not None and kind in COMPONENTS:
        names = COMPONENTS[kind].positional()
    return names.index(field) if field in names else None
