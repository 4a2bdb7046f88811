"""The text of a document, and the line and column of every value in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from netbuilder.config.schema import COMPONENTS, Place, format_path
from netbuilder.config.yaml_nodes import Node
from netbuilder.errors import ConfigError, Problem

MAX_BYTES = 1024 * 1024


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        ConfigError: it is missing, a folder, unreadable, too large, empty or not UTF-8.
    """

    def refuse(message: str) -> ConfigError:
        return ConfigError.at(path, message)

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise refuse(f"no such file; {_meant(path)}") from None
    except IsADirectoryError:
        example = min(path.glob("*.yaml"), default="archs/iter10.yaml")
        raise refuse(f"it is a folder; name a document in it, such as {example}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise refuse(f"cannot be read: {reason}; name a file that can be") from None
    if len(data) > MAX_BYTES:
        raise refuse(f"more than {MAX_BYTES} bytes; a document is far smaller; name one")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    if not text.strip():
        raise refuse("it is empty; a document has at least name, input and layers")
    return text


def _meant(path: Path) -> str:
    """Which document may be meant by a path that leads to none."""
    there = {
        found.stem: found
        for folder in (Path("archs"), path.parent)
        for found in sorted(folder.glob("*.yaml"))
    }
    near = get_close_matches(path.stem, there, n=1)
    return f"did you mean {there[near[0]]}?" if near else "check the path"


class TextSource:
    """Where each value of a document stands: that of a mapping's entry is the place of its key.

    Attributes:
        text: the document as written.
        included: the texts of the files that it includes, by the names that it gives them.
    """

    def __init__(
        self,
        text: str,
        file: str,
        root: Node,
        changes: dict[Place, str],
        included: Mapping[str, str],
    ) -> None:
        self.text = text
        self.included = included
        self._file = file
        self._root = root
        self._changes = changes

    def problem(self, place: Place, message: str) -> Problem:
        """The problem at ``place``; what is not written there stands where its parent does.

        A place inside a block is that in the block, and the message tells where it was used.
        """
        node, file, line, column = self._root, self._file, self._root.line, self._root.column
        kind: str | None = None
        shown: list[str | int] = []
        uses: list[str] = []
        for step in place:
            child: Node | None = None
            if isinstance(node.value, dict) and isinstance(step, str):
                child = node.value.get(step)
                if child:
                    line, column = node.keys.get(step, (child.line, child.column))
            elif isinstance(node.value, list) and _takes_all(kind, step):
                child = node
            elif isinstance(node.value, list):
                index = step if isinstance(step, int) else _position(kind, step)
                if index is not None and index < len(node.value):
                    child = node.value[index]
                    line, column = child.line, child.column
            elif node.expression and _position(kind, step) == 0:
                child = node  # one value, which is the first argument
            elif isinstance(step, int):
                continue  # one value where a list may stand: documents do not number it
            shown.append(step)
            kind = step if isinstance(step, str) else None
            node = child or Node(None, line, column)
            if node.origin:
                file, shown = node.origin.file, list(node.origin.place)
                uses += [node.origin.used] * bool(node.origin.used)
        if node.expression:
            message = f"{message} ({node.expression})"
        if uses:
            message = f"{message} ({'; '.join(reversed(uses))})"
        # What is wrong is the value that was set, a part of it, or what it made of its parent.
        blamed = [
            (changed, override)
            for changed, override in self._changes.items()
            if (common := min(len(shown), len(changed)))
            and tuple(shown[:common]) == tuple(changed[:common])
        ]
        if blamed or node.override:
            _, override = max(blamed, key=lambda change: len(change[0]), default=((), ""))
            override = override or node.override
            return Problem(f"--set {override}", None, None, format_path(shown), message)
        return Problem(file, line, column, format_path(shown), message)


def _changed(node: Node, value: Any) -> Node:
    """The node with another value, whose parts stand where they stood, or where it does."""
    if isinstance(value, dict):
        old = node.value if isinstance(node.value, dict) else {}
        here = Node(None, node.line, node.column)
        parts = {key: _changed(old.get(key, here), part) for key, part in value.items()}
        return replace(node, value=parts, keys=node.keys)
    if isinstance(value, list):
        items = node.value if isinstance(node.value, list) else []
        here = Node(None, node.line, node.column)
        known = [*items, *[here] * (len(value) - len(items))]
        return replace(node, value=[_changed(*pair) for pair in zip(known, value, strict=False)])
    return replace(node, value=value)


def _takes_all(kind: str | None, field: str | int) -> bool:
    """Whether ``field`` is what all positional arguments of ``kind`` are for."""
    return kind is not None and kind in COMPONENTS and field == COMPONENTS[kind].variadic


def _position(kind: str | None, field: str | int) -> int | None:
    """Where ``field`` stands among the positional arguments of ``kind``."""
    names: tuple[str | int, ...] = (
        COMPONENTS[kind].positional() if kind and kind in COMPONENTS else ()
    )
    return names.index(field) if field in names else None
