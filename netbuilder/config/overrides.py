"""Changes of single fields from the command line: ``--set train.epochs=5``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic_core import PydanticCustomError

from netbuilder._text import describe
from netbuilder.components.component import by_name
from netbuilder.config.schema import COMPONENTS, Place, format_path
from netbuilder.config.yaml_nodes import parse_value
from netbuilder.errors import ConfigError


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
                    raise _error(override, message)
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
        raise _error(text, "write it as field.path=value, such as train.epochs=5")
    value = _value(text, written)
    here: Any = document
    for position, (step, behind) in enumerate(zip(place, (*place[1:], None), strict=True)):
        if isinstance(step, int):
            if not isinstance(here, list) or step >= len(here):
                count = len(here) if isinstance(here, list) else 0
                raise _error(text, f"there is no [{step}] here; the list holds {count}")
        elif not isinstance(here, dict):
            parent = format_path(place[:position])
            item = f"{parent}[0]" if isinstance(here, list) and here else parent
            instead = f"set {item}{' or the like' * (item != parent)}"
            raise _error(
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
        raise _error(override, error.problems[0].message) from None


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


def _error(override: str, message: str) -> ConfigError:
    return ConfigError.at(f"--set {override}", message)
