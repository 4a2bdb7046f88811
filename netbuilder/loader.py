"""Documents from files: text → checked `Architecture`, every problem with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from netbuilder.analysis import analyse
from netbuilder.component import by_name
from netbuilder.errors import ConfigError, Problem
from netbuilder.expansion import Expander, needs_expansion
from netbuilder.reading import read_text
from netbuilder.schema import COMPONENTS, Architecture, Place, path_text
from netbuilder.strict import describe
from netbuilder.yaml_text import Node, parse, parse_value


def load(path: str | PathLike[str], overrides: Iterable[str] = ()) -> Architecture:
    """The architecture in a YAML file.

    Args:
        path: the document.
        overrides: changes to it, each as ``train.optimizer.SGD.lr=0.05``: the path of a field of
            the document, and a value that is read as YAML. The whole is checked as if the document
            said so.

    Raises:
        ConfigError: the file cannot be read or the document is wrong; ``problems`` holds all that
            is, each with file, line, column and field.
    """
    path = Path(path)
    return parse_architecture(read_text(path), str(path), overrides, path.parent)


def parse_architecture(
    text: str, file: str, overrides: Iterable[str] = (), folder: Path | None = None
) -> Architecture:
    """As `load`, from text; ``file`` names it in messages, ``folder`` holds what it includes."""
    root, problems = parse(text, file)
    if not isinstance(root.value, dict):
        message = "a document is a mapping with name, input and layers"
        raise ConfigError([Problem(file, root.line, root.column, "", message)])
    plain: Any = root.plain()
    values, others = _split(overrides)
    changes = {_override(plain, override): override for override in others}
    included: Mapping[str, str] = {}
    if values or needs_expansion(plain, "".join([text, *changes.values()])):
        if problems:
            raise ConfigError(_told(problems))
        expander = Expander(file, folder, values)
        try:
            root = expander.expand(_changed(root, plain) if changes else root)
        except ConfigError as error:
            raise ConfigError(_told(error.problems)) from None
        included, plain = expander.included, root.plain()
    source = TextSource(text, file, root, changes, included)
    try:
        architecture = Architecture.model_validate(plain)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        problems += [source.problem(line["loc"], line["ctx"]["message"]) for line in lines]
        if not any(line["loc"][:1] in (("input",), ("layers",)) for line in lines):
            problems += _shape_problems(plain, source)
    if problems:
        raise ConfigError(_told(problems))
    architecture._source = source
    return architecture


def load_until_fault(path: str | PathLike[str]) -> Architecture | None:
    """The network of a wrong document's layers before the first that is wrong.

    None where there is none: its text is no YAML, or a block that it uses cannot be written out.
    """
    path = Path(path)
    try:
        text = read_text(path)
        root, _ = parse(text, str(path))
        plain: Any = root.plain()
        if needs_expansion(plain, text):
            plain = Expander(str(path), path.parent, {}).expand(root).plain()
        network = {"name": path.stem, "input": plain["input"], "layers": plain["layers"]}
        try:
            return Architecture.model_validate(network)
        except ValidationError as error:
            wrong = [line["loc"] for line in error.errors(include_url=False)]
            first = min(place[1] for place in wrong if place[0] == "layers" and len(place) > 1)
            network["layers"] = network["layers"][:first]
            return Architecture.model_validate(network)
    except (ConfigError, LookupError, TypeError, ValueError):  # pydantic's is a ValueError
        return None


USED = " (used in "
MAX_TOLD = 100
"""Problems told of one document; whoever has more has made one mistake many times."""


def _told(problems: list[Problem]) -> list[Problem]:
    # A fault in a block is that of each of its uses; the first use is enough to find it.
    seen = {(p.file, p.line, p.column, p.field, p.message.partition(USED)[0]): p
            for p in sorted(problems, reverse=True)}  # fmt: skip
    problems = sorted(seen.values())
    if len(problems) <= MAX_TOLD:
        return problems
    last = problems[MAX_TOLD - 1]
    more = f"… and {len(problems) - MAX_TOLD:,} more problems behind this one; mend these first"
    return [*problems[:MAX_TOLD], Problem(last.file, last.line, last.column, "", more)]


def _shape_problems(plain: dict[str, Any], source: TextSource) -> list[Problem]:
    """The layer that cannot take what reaches it, in a document whose fault lies elsewhere."""
    parts = {name: plain.get(name) for name in ("input", "layers")}
    network = Architecture.model_validate({"name": "network", **parts})
    network._source = source
    fault = analyse(network).fault
    return [fault] if fault else []


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
            return Problem(f"--set {override}", 0, 0, path_text(shown), message)
        return Problem(file, line, column, path_text(shown), message)


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


def _split(
    overrides: Iterable[str],
) -> tuple[dict[str, tuple[Any, str]], list[str]]:
    """Changes of values, which may stand in another file, by their names; and the other changes."""
    values: dict[str, tuple[Any, str]] = {}
    others = []
    for override in overrides:
        path, equals, written = override.partition("=")
        match _place(path):
            case ("values", str(name)) if equals:
                value = _value(override, written)
                if value is None or isinstance(value, list | dict):
                    message = f"found {describe(value)}; allowed: a number, a text, true or false"
                    raise _refused(override, message)
                values[name] = (value, override)
            case _:
                others.append(override)
    return values, others


_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[([0-9]{1,6})\]")


def _override(document: dict[str, Any], text: str) -> Place:
    """Change a field of ``document`` as ``text`` says, and tell which."""
    path, equals, written = text.partition("=")
    place = _place(path)
    if not equals or not place:
        raise _refused(text, "write it as field.path=value, such as train.epochs=5")
    value = _value(text, written)
    here: Any = document
    for position, (step, behind) in enumerate(zip(place, (*place[1:], None), strict=True)):
        if isinstance(step, int):
            if not isinstance(here, list) or step >= len(here):
                count = len(here) if isinstance(here, list) else 0
                raise _refused(text, f"there is no [{step}] here; the list holds {count}")
        elif not isinstance(here, dict):
            parent = path_text(place[:position])
            item = f"{parent}[0]" if isinstance(here, list) and here else parent
            instead = f"set {item}{' or the like' * (item != parent)}"
            raise _refused(
                text, f"{parent} is {describe(here)}, which has no field {step}; {instead}"
            )
        if behind is None:
            here[step] = value
        else:
            here[step] = _opened(
                here[step] if isinstance(step, int) else here.get(step), step, behind, document
            )
            here = here[step]
    return place


def _value(override: str, written: str) -> Any:
    try:
        return parse_value(written)
    except ConfigError as error:
        raise _refused(override, error.problems[0].message) from None


def _opened(value: Any, step: str | int, behind: str | int, document: dict[str, Any]) -> Any:
    """``value`` in the form in which the step behind it can be taken."""
    if value is None:
        return {}
    if isinstance(value, str) and value == behind:
        return {value: {}}  # a bare component whose argument is set
    if isinstance(step, str) and step in COMPONENTS and isinstance(behind, str):
        try:
            return by_name(COMPONENTS[step], value)
        except PydanticCustomError:
            return value
    blocks = document.get("blocks")
    block = blocks.get(step) if isinstance(blocks, dict) else None
    parameters = block.get("parameters") if isinstance(block, dict) else None
    if isinstance(parameters, dict) and not isinstance(value, dict):
        values = value if isinstance(value, list) else [value]
        return dict(zip(parameters, values, strict=False))
    return value


def _place(path: str) -> Place:
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return ()
        steps.append(match[1] if match[1] else int(match[2]))
        at = match.end()
    return tuple(steps)


def _refused(override: str, message: str) -> ConfigError:
    return ConfigError([Problem(f"--set {override}", 0, 0, "", message)])
