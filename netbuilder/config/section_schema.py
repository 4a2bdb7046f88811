"""Texts and snippets of a document's sections in the JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from netbuilder.components.documentation import snippet
from netbuilder.components.field_texts import FieldText
from netbuilder.components.json_forms import field_snippets, separate_empty, wrap_list
from netbuilder.config.schema import COMPONENTS
from netbuilder.config.section_texts import TEXTS, TITLES

_UNKNOWN = FieldText("A field of this section")


def section_schema(schema: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the JSON Schema of a section with a text and a snippet for each field."""
    result = dict(schema) | {"title": TITLES[section]}
    result.pop("description", None)  # the field that has the section says what it is
    result["properties"] = field_schemas(schema, section)
    examples = {name: _example(name, part, section) for name, part in schema["properties"].items()}
    return separate_empty(result, defaultSnippets=field_snippets(examples))


def field_schemas(schema: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the fields of a section, each with what editors show about it."""
    result = {}
    for name, part in schema["properties"].items():
        constraint = {key: value for key, value in part.items() if key != "default"}
        about = {"description": _description(name, part, schema, section)}
        example = _example(name, part, section)
        if isinstance(example, dict):
            result[name] = about | {"allOf": [constraint], "defaultSnippets": [_in_lines(example)]}
        elif _text(name, section).example is None:
            result[name] = about | wrap_list(constraint) | {"default": example}
        else:
            result[name] = about | wrap_list(constraint) | {"examples": [example]}
    return result


def _in_lines(example: dict[str, Any]) -> dict[str, Any]:
    """Return what an editor inserts for a section: a line for each of its fields."""
    body = {name: snippet(part) for name, part in example.items()}
    number = count(1)
    text = re.sub(r"\$\{\d+:", lambda _: f"${{{next(number)}:", json.dumps(body))
    label = ", ".join(example)
    [*_, last] = example.values()
    if len(example) == 1 and isinstance(last, dict) and not example.keys() & COMPONENTS.keys():
        label += f": {{{', '.join(last)}}}"  # beside the field itself, which is inserted in lines
    return {"label": label, "body": json.loads(text)}


def _description(
    field: str, part: Mapping[str, Any], schema: Mapping[str, Any], section: str
) -> str:
    text = _text(field, section)
    if field in schema.get("required", ()):
        return text.description(None)
    return text.description(text.null or json.dumps(part.get("default")))


def repeat_snippet() -> dict[str, Any]:
    """Return what an editor inserts for ``Repeat``."""
    texts = TEXTS["Repeat"]
    arguments = {name: texts[name].example for name in ("times", "layers")}
    return {"label": "Repeat", "body": {"Repeat": snippet(arguments)}}


def _text(field: str, section: str) -> FieldText:
    return TEXTS[section].get(field, _UNKNOWN)


def _example(field: str, schema: Mapping[str, Any], section: str) -> Any:
    example = _text(field, section).example
    return schema.get("default", "") if example is None else example
