"""Forms of components that documents do not use: a class as a value, a list, a call of Python.

It is imported only for a message about such a form.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from netbuilder._text import MAX_FORM, did_you_mean, flow, proposal, quoted
from netbuilder.components.component import Component, accepts, by_name
from netbuilder.components.foreign_names import (
    article,
    foreign_name,
    last_name,
    plain,
    plain_names,
)

CLASS_KEYS = (
    "_target_", "class_path", "class_name", "class", "cls", "type", "kind", "name", "module",
    "layer", "layer_type", "op", "optimizer", "scheduler", "loss", "dataset", "transform",
)  # fmt: skip
"""Keys with which Hydra, Lightning, Keras and others name a class."""

ARGUMENT_KEYS = ("args", "kwargs", "init_args", "_args_", "params", "config", "arguments")
"""Keys with which they name its arguments."""

LISTED = ("layer", "augmentation", "scheduler")
"""The families of which a document has lists."""

MAX_CALL = 200
"""Characters of a call that is parsed."""


def class_by_key(noun: str, kinds: Mapping[str, type[Component]], value: Any) -> str:
    """Return the message about a mapping with the class under a key; empty if it has none."""
    key = next((key for key in CLASS_KEYS if isinstance(value.get(key), str)), None)
    if key is None or any(other in kinds for other in value):
        return ""
    target = value[key]
    name = _kind_of(kinds, target)
    start = f"found the key {key}; {article(noun)} {noun} is the key itself"
    if name is None:
        if (
            key not in CLASS_KEYS[:3]
            and "." not in target
            and not foreign_name(noun, target, kinds)
        ):
            return ""
        return f"{start}: {unknown(noun, target, kinds)}"
    arguments: Any = {other: part for other, part in value.items() if other != key}
    if len(arguments) == 1 and next(iter(arguments)) in ARGUMENT_KEYS:
        [arguments] = arguments.values()
    return f"{start}: write {_form(kinds[name], arguments)}"


def several_keys(noun: str, kinds: Mapping[str, type[Component]], value: Any) -> str:
    """Return what to do about a mapping of several keys where one belongs; empty if unclear."""
    first, *rest = value
    if all(key in kinds for key in value):
        if noun in LISTED:
            return f"write each {noun} as an item of its own"
        last = rest[-1]
        return f"keep one, such as {_form(kinds[last], value[last])}"
    if first not in kinds or any(key in kinds for key in rest):
        return ""
    kind, more = kinds[first], {key: value[key] for key in rest}
    try:
        arguments = by_name(kind, value[first]) | more
    except PydanticCustomError:
        return ""
    return proposal(f"write {first}: {flow(arguments)}") if accepts(kind, arguments) else ""


def list_of_words(noun: str, kinds: Mapping[str, type[Component]], value: Any) -> str:
    """Return what to write instead of a list that begins with a name; empty for other lists."""
    if not value or not isinstance(value[0], str):
        return ""
    name = _kind_of(kinds, value[0])
    if name is None:
        return ""
    rest = value[1:]
    if len(rest) == 1 and isinstance(rest[0], list | Mapping):
        [rest] = rest
    return f"write {_form(kinds[name], rest)}"


def call(kinds: Mapping[str, type[Component]], text: str) -> str:
    """Return what to write instead of a call of Python; empty for other texts."""
    if "(" not in text:
        return ""
    name = _kind_of(kinds, text)
    if name is None:
        return ""
    kind = kinds[name]
    try:
        node = ast.parse(text[: MAX_CALL + 1].strip(), mode="eval").body
        if not isinstance(node, ast.Call):
            return f"write {_form(kind, None)}"
        values = [ast.literal_eval(part) for part in node.args]
        named = {part.arg: ast.literal_eval(part.value) for part in node.keywords if part.arg}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return f"write {_form(kind, None)}"
    position = kind.inferred_position()
    names = kind.positional()
    if position is not None and position < len(values):
        rest = values[:position] + values[position + 1 :]
        if accepts(kind, dict(zip(names, map(_with_lists, rest), strict=False)) | named):
            values = rest
    if named:
        return f"write {_form(kind, dict(zip(names, values, strict=False)) | named)}"
    return f"write {_form(kind, values)}"


def _form(kind: type[Component], arguments: Any) -> str:
    """Return a component as a document writes it; in general terms if it is invalid or long."""
    arguments = _with_lists(arguments)
    if isinstance(arguments, list) and len(arguments) == 1 and not isinstance(arguments[0], list):
        [arguments] = arguments
    try:
        is_valid = accepts(kind, by_name(kind, arguments))
    except PydanticCustomError:
        is_valid = False
    if is_valid:
        text = f"{kind.kind}: {flow(arguments)}" if arguments not in (None, [], {}) else kind.kind
        if len(text) <= MAX_FORM:
            return text
    mapping = f"{kind.kind}: {{field: value}}"
    return mapping if kind.required() else f"{kind.kind}, or {mapping}"


def _with_lists(value: Any) -> Any:
    """Return a value with lists in place of tuples."""
    if isinstance(value, list | tuple):
        return [_with_lists(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _with_lists(part) for key, part in value.items()}
    return value


def _kind_of(kinds: Mapping[str, type[Component]], text: str) -> str | None:
    """Return the name of the kind that a text means, however it is spelled; None for others."""
    return plain_names(tuple(kinds)).get(plain(last_name(text)))


def unknown(noun: str, name: str, kinds: Mapping[str, type[Component]]) -> str:
    """Return the message about an unknown name."""
    right = call(kinds, name)
    hint = f"; {right}" if right else foreign_name(noun, name, kinds)
    return f"unknown {noun} {quoted(name)}{hint or did_you_mean(name, kinds)}"
