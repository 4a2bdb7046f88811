"""Moves repeated parts of the JSON Schema to definitions."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from netbuilder._text import LARGEST
from netbuilder.components.fields import LARGEST_NUMBER
from netbuilder.components.json_forms import ANNOTATIONS, ARGUMENTS, NOTHING

EXPRESSION = {"type": "string", "pattern": r".*\$\{[^{}]*\}.*"}
"""The schema of a string with an expression."""
_MIN_SHARED = 50
"""The shortest repeated subschema that gets a definition, in characters of JSON."""
_MAX_NAME = 48


class Sharing:
    """Moves repeated subschemas to definitions.

    A field is shared with its annotations and named after the field. A constraint is shared without
    them and named after the values that it allows.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._definitions: dict[str, Any] = schema["$defs"]
        self._names: dict[str, str | None] = {
            key: name
            for name, definition in self._definitions.items()
            if len(key := _key(definition)) >= _MIN_SHARED  # texts of kinds have no constraint
        }
        self._counts: Counter[str] = Counter()
        self._fields: dict[str, str] = {}
        """The name of the field that a text or a constraint is used for first."""
        self._count({name: part for name, part in schema.items() if name != "$defs"})
        for definition in self._definitions.values():
            self._count(definition)

    def shared(self) -> dict[str, Any]:
        """Return an equivalent schema that shares its repeated subschemas."""
        definitions = list(self._definitions.items())
        sections = {key: part for key, part in self._schema.items() if key != "$defs"}
        schema = _map_subschemas(sections, self._share)
        for name, definition in definitions:
            self._definitions[name] = _map_subschemas(definition, self._share)
        return schema | {"$defs": dict(sorted(self._definitions.items()))}

    def _count(self, schema: dict[str, Any]) -> None:
        """Count subschemas; the parts of a repeated subschema count once."""

        def count(part: dict[str, Any]) -> dict[str, Any]:
            key = _key(part)
            self._counts[key] += 1
            if self._counts[key] == 1:
                self._count(part)
            return part

        for field, part in schema.get("properties", {}).items():
            self._fields.setdefault(_key(part), field)
            if text := _field_text(part):
                self._fields.setdefault(text, field)
                self._counts[text] += 1
        _map_subschemas(schema, count)

    def _share(self, schema: dict[str, Any]) -> dict[str, Any]:
        text = _field_text(schema)
        if text is None or self._counts[text] == 1:
            return self._share_constraint(schema)
        if text not in self._names:
            field = self._fields[text]
            others = sum(name.partition("-")[0] == field for name in self._definitions)
            name = f"{field}-{others + 1}" if others else field
            self._names[text] = name
            self._definitions[name] = {}  # reserves the name
            self._definitions[name] = self._share_constraint(schema)
        return {"$ref": f"#/$defs/{self._names[text]}"}

    def _share_constraint(self, schema: dict[str, Any]) -> dict[str, Any]:
        key = _key(schema)
        if key not in self._names:
            shared = self._counts[key] > 1 and len(key) >= _MIN_SHARED
            self._names[key] = self._define(json.loads(key), key) if shared else None
        name = self._names[key]
        if name is None:
            return _map_subschemas(schema, self._share)
        reference = {"$ref": f"#/$defs/{name}"}
        annotations = {word: schema[word] for word in ANNOTATIONS if word in schema}
        return annotations | reference

    def _define(self, schema: dict[str, Any], key: str) -> str | None:
        name = _name(schema)
        if name is None or len(name) > _MAX_NAME:
            name = self._fields.get(key, "")
        if name in self._definitions or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            return None  # the name is in use, or a reference would have to escape it
        self._definitions[name] = {}  # reserves the name
        self._definitions[name] = _map_subschemas(schema, self._share)
        return name


def merge_arguments(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an equivalent schema in which kinds with the same arguments share their definition."""
    definitions = schema["$defs"]
    groups: dict[str, list[str]] = {}
    for name, definition in definitions.items():
        if name.endswith(ARGUMENTS):
            groups.setdefault(json.dumps(definition), []).append(name)
    group = {name: names for names in groups.values() for name in names}

    def change(part: dict[str, Any]) -> dict[str, Any]:
        part = _map_subschemas(part, change)
        match part:
            case {"doNotSuggest": True, "allOf": [{"$ref": reference}], **rest}:
                names = group[reference.rpartition("/")[2]]
                shared = {"allOf": [{"$ref": f"#/$defs/{names[0]}"}]}
                return {**rest, "doNotSuggest": True} | (
                    shared if len(names) > 1 else definitions[names[0]]
                )
            case {"properties": properties, "additionalProperties": False}:
                return part | _by_pattern(properties, definitions)
        return part

    changed = change(schema)
    text = json.dumps({name: part for name, part in changed.items() if name != "$defs"})
    text += json.dumps([part for name, part in changed["$defs"].items() if name not in group])
    rest = {
        name: part
        for name, part in changed["$defs"].items()
        if name not in group or f'"#/$defs/{name}"' in text
    }
    return changed | {"$defs": rest}


def _by_pattern(properties: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties with the arguments of kinds moved to ``patternProperties``.

    What is left has a text alone, for which yaml-language-server inserts a name without a colon. It
    matches both if they stand in different schemas.
    """
    groups: dict[str, list[str]] = {}
    result = dict(properties)
    for name, part in properties.items():
        match part:
            case {"allOf": [{"$ref": _} as text, {"$ref": reference}]}:
                result[name] = text
                arguments = json.dumps(definitions[reference.rpartition("/")[2]])
                groups.setdefault(arguments, []).append(name)
    if not groups:
        return {}
    patterns = {f"^({'|'.join(names)})$": json.loads(part) for part, names in groups.items()}
    return {"properties": result, "allOf": [{"patternProperties": patterns}]}


def drop_single_texts(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that describes an argument by position only where several kinds have it."""
    counts: Counter[str] = Counter()

    def count(part: dict[str, Any]) -> dict[str, Any]:
        counts.update(filter(None, map(_field_text, part.get("properties", {}).values())))
        return _map_subschemas(part, count)

    def change(part: dict[str, Any]) -> dict[str, Any]:
        part = _map_subschemas(part, change)
        if "prefixItems" in part:
            part["prefixItems"] = [
                item if counts[_field_text(item) or ""] > 1 else json.loads(_key(item))
                for item in part["prefixItems"]
            ]
        return part

    count(schema)
    return change(schema)


def inline_single(schema: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return an equivalent schema in which a definition with one reference stands at its place.

    Args:
        schema: The schema.
        names: The definitions that stay.
    """
    counts = Counter(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    definitions = schema["$defs"]

    def change(part: dict[str, Any]) -> dict[str, Any]:
        name = part.get("$ref", "").rpartition("/")[2]
        if counts[name] == 1 and name not in names:
            part = {key: value for key, value in part.items() if key != "$ref"} | definitions[name]
        return _map_subschemas(part, change)

    changed = change(schema)
    rest = {
        name: part for name, part in changed["$defs"].items() if counts[name] != 1 or name in names
    }
    return changed | {"$defs": rest}


def use_one_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with ``oneOf`` for ``anyOf``, whose alternatives have no value in common.

    Where all of ``anyOf`` look alike, yaml-language-server explains none of them.
    """
    changed = _map_subschemas(schema, use_one_of)
    return {"oneOf" if key == "anyOf" else key: part for key, part in changed.items()}


def _key(schema: Mapping[str, Any]) -> str:
    """Return the constraint of a schema as text, without its annotations."""
    constraint = {key: part for key, part in schema.items() if key not in ANNOTATIONS}
    return json.dumps(constraint, sort_keys=True)


def _field_text(schema: Mapping[str, Any]) -> str | None:
    """Return the schema of a field as text, with its annotations; None for other schemas."""
    is_field = "description" in schema and ("default" in schema or "examples" in schema)
    return json.dumps(schema, sort_keys=True) if is_field else None


_SINGLE = ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else")


def _map_subschemas(
    schema: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return a schema with each of its direct subschemas changed."""
    result = dict(schema)
    for key, part in schema.items():
        if key in ("properties", "patternProperties", "$defs"):
            result[key] = {name: change(value) for name, value in part.items()}
        elif key in ("anyOf", "allOf", "prefixItems"):
            result[key] = [change(value) for value in part]
        elif key in _SINGLE and part is not False:
            result[key] = change(part)
    return result


def _name(schema: dict[str, Any]) -> str | None:
    """Return a name for the values of a schema, such as ``integer_from_1_or_list_of_2``."""
    match schema:
        case {"$ref": str() as reference}:
            return reference.rpartition("/")[2]
        case {"enum": [*words]}:
            return "_or_".join(map(str, words))
        case {"const": value}:
            return str(value)
        case {"not": _} if schema == NOTHING:
            return "nothing"
        case {"type": "string", "pattern": pattern} if pattern == EXPRESSION["pattern"]:
            return "expression"
        case {"anyOf": [value, {"pattern": pattern}]} if pattern == EXPRESSION["pattern"]:
            return _name(value)  # every number, boolean and enumeration can be an expression
        case {"anyOf": [*values]}:
            names = [_name(values[0])]
            for value, other in pairwise(values):
                names.append(_length(other) if other.get("items") == value else _name(other))
            return "_or_".join(map(str, names)) if all(names) else None
        case {"type": "array", "items": items}:
            name = _name(items)
            return name and f"{_length(schema)}_{name}"
        case {"type": ["integer" as kind, "null"]}:
            return f"{_name(schema | {'type': kind})}_or_null"
        case {"type": "number", "minimum": low} if low == -LARGEST_NUMBER:
            return "float32"
        case {"type": "integer" | "number" as kind}:
            return "_".join([kind, *_bounds(schema)])
        case {"type": "boolean" | "null" as kind}:
            return str(kind)
    return None


def _length(schema: dict[str, Any]) -> str:
    low, high = schema.get("minItems", 0), schema.get("maxItems")
    if high is None:
        return "list_of"
    return f"list_of_{high}" if low == high else f"list_of_{low}_to_{high}"


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    if schema.get("minimum") == -LARGEST:
        yield "of_32_bits"
        return
    for keyword, word in _BOUNDS.items():
        if keyword in schema and schema[keyword] not in (LARGEST, LARGEST_NUMBER):
            yield f"{word}_{schema[keyword]:.10g}"


_BOUNDS = {
    "minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below",
}  # fmt: skip
