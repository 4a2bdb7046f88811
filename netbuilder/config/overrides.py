"""Changes of single fields from the command line: ``--set train.epochs=5``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from netbuilder._text import describe, plural
from netbuilder.components.component import by_name
from netbuilder.config.schema import COMPONENTS, Place, format_path
from netbuilder.config.yaml_nodes import parse_value
from netbuilder.errors import ConfigError

_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[([0-9]{1,6})\]")


class OptionOverride(str):
    """An override that a command's own option makes, and that messages name by the option."""

    option: str

    def __new__(cls, override: str, option: str) -> OptionOverride:
        instance = super().__new__(cls, override)
        instance.option = option
        return instance


def label(override: str) -> str:
    """Return an override as messages name it: ``--set path=value``, or the option that made it."""
    return override.option if isinstance(override, OptionOverride) else f"--set {override}"


def split_overrides(
    overrides: Iterable[str],
) -> tuple[dict[str, tuple[Any, str]], list[str]]:
    """Separate the overrides of named values, which an included file may define, from the others.

    Returns:
        The named values, each with its override, and the other overrides.

    Raises:
        ConfigError: A named value is set to something else than a number, string or boolean.
    """
    values: dict[str, tuple[Any, str]] = {}
    others = []
    for override in overrides:
        path, equals, text = override.partition("=")
        match _parse_path(path):
            case ("values", str(name)) if equals:
                value = _parse_value(override, text)
                if value is None or isinstance(value, list | dict):
                    message = f"found {describe(value)}; allowed: a number, a text, true or false"
                    raise _error(override, message)
                values[name] = (value, override)
            case _:
                others.append(override)
    return values, others


def apply_override(document: dict[str, Any], override: str) -> Place:
    """Set a field of ``document`` in place and return its place.

    Raises:
        ConfigError: The override is not of the form path=value, or the path does not exist.
    """
    path, equals, text = override.partition("=")
    place = _parse_path(path)
    if not equals or not place:
        raise _error(override, _form_hint(path, text))
    value = _parse_value(override, text)
    parent: Any = document
    for position, step in enumerate(place):
        _require_step(override, parent, place[:position], step)
        if position == len(place) - 1:
            parent[step] = value
            break
        child = parent[step] if isinstance(step, int) else parent.get(step)
        parent[step] = _as_container(child, step, place[position + 1], document)
        parent = parent[step]
    return place


def _form_hint(path: str, text: str) -> str:
    """Return how to write an override whose path is not one."""
    bare = re.sub(r"\.([0-9]+)", r"[\1]", path.strip().lstrip("+~"))
    if bare != path and text and _parse_path(bare):
        return f"write it without spaces and signs, and items in brackets: {bare}={text.strip()}"
    return "write it as field.path=value, such as train.epochs=5"


def _require_step(override: str, parent: Any, path: Place, step: str | int) -> None:
    """Check that ``parent``, the value at ``path``, can have a part ``step``."""
    if isinstance(step, int):
        name = format_path(path)
        if not isinstance(parent, list):
            message = f"{name} is {describe(parent)}, which has no items; set {name}"
            raise _error(override, message)
        if step >= len(parent):
            items = plural(len(parent), "item")
            hint = f"{name}[0] to {name}[{len(parent) - 1}], or {name}" if parent else name
            raise _error(override, f"there is no item [{step}]; the list has {items}; set {hint}")
    elif not isinstance(parent, dict):
        name = format_path(path)
        hint = (
            f"set {name}[0] or another item"
            if isinstance(parent, list) and parent
            else f"set {name}"
        )
        message = f"{name} is {describe(parent)}, which has no field {step}; {hint}"
        raise _error(override, message)


def _parse_value(override: str, text: str) -> Any:
    try:
        return parse_value(text)
    except ConfigError as error:
        raise _error(override, error.problems[0].message) from None


def _as_container(
    value: Any, step: str | int, next_step: str | int, document: Mapping[str, Any]
) -> Any:
    """Return the value at ``step`` in the form that has a part ``next_step``, if there is one."""
    if value is None:
        return {}
    if isinstance(value, str) and value == next_step:
        return {value: {}}  # a component without arguments, of which one is set
    if isinstance(step, str) and step in COMPONENTS and isinstance(next_step, str):
        try:
            return by_name(COMPONENTS[step], value)
        except PydanticCustomError:
            return value
    parameters = _block_parameters(step, document)
    if isinstance(parameters, dict) and not isinstance(value, dict):
        values = value if isinstance(value, list) else [value]
        return dict(zip(parameters, values, strict=False))
    return value


def _block_parameters(name: str | int, document: Mapping[str, Any]) -> Any:
    """Return the parameters of a block of the document; None if it defines no such block."""
    blocks = document.get("blocks")
    block = blocks.get(name) if isinstance(blocks, dict) else None
    return block.get("parameters") if isinstance(block, dict) else None


def _parse_path(path: str) -> Place:
    """Return the place that a path such as ``layers[3].Conv2d.bias`` names; empty if invalid."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            return ()
        steps.append(match[1] if match[1] else int(match[2]))
        position = match.end()
    return tuple(steps)


def _error(override: str, message: str) -> ConfigError:
    return ConfigError.at(label(override), message)
