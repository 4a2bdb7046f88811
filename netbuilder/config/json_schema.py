"""The grammar of documents as JSON Schema, for editors that complete and check while typing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from netbuilder._text import LARGEST
from netbuilder.components.fields import LARGEST_NUMBER
from netbuilder.config.definitions import BLOCK_NAME
from netbuilder.config.expansion import MAX_TIMES
from netbuilder.config.expressions import NAME, NAME_RULE
from netbuilder.config.schema import COMPONENTS, Architecture

FILE_NAME = "netbuilder.schema.json"
"""Name of the schema file, which the first line of a document names for editors."""


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        """Return False: titles would only repeat the names of the fields."""
        return False

    def normalize_name(self, name: str) -> str:
        """Return the name of a definition: kinds keep their name, other classes get snake_case."""
        name = super().normalize_name(name)
        return name if name in COMPONENTS else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def document_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a document.

    It has every rule except those that relate one value to another, and it does not distinguish
    ``3.0`` from ``3``; `netbuilder.load` checks the rest.
    """
    schema = _computable(Architecture.model_json_schema(schema_generator=_Generator))
    schema["properties"] |= _SECTIONS
    schema["$defs"]["name"] = _NAME
    layer = schema["$defs"]["layer"]
    layer["anyOf"] += [
        {"type": "string", "pattern": f"^({BLOCK_NAME}|{_EXPRESSION})$"},
        {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
         "patternProperties": {f"^{BLOCK_NAME}$": {"description": "A block of this document."}}},
        {"type": "object", "additionalProperties": False, "required": ["Repeat"],
         "properties": {"Repeat": _REPEAT}},
    ]  # fmt: skip
    return {
        "$schema": _Generator.schema_dialect,
        **_Sharing(schema).shared(),
        "title": "netbuilder architecture",
        "description": "A network, how it is trained and the targets it has to meet.",
    }


def schema_text() -> str:
    """Return `document_schema` as JSON, with lists and objects on one line where they fit."""
    return _lines(document_schema()) + "\n"


def _lines(value: object, indent: str = "", key: str | None = None) -> str:
    prefix = f"{indent}{json.dumps(key)}: " if key is not None else indent
    line = prefix + json.dumps(value)
    if not isinstance(value, dict | list) or len(line) < _LINE:  # a comma may follow
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [_lines(part, inner, name) for name, part in value.items()]
    else:
        parts = [_lines(part, inner) for part in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([prefix + first, ",\n".join(parts), indent + last])


_LINE = 100
"""The longest line of the JSON, in characters."""
_EXPRESSION = r".*\$\{[^{}]*\}.*"
_NAME = {"type": "string", "pattern": NAME, "description": f"A name: {NAME_RULE}."}
_SCALAR = {"type": ["number", "string", "boolean"]}
_LAYERS = {"type": "array", "items": {"$ref": "#/$defs/layer"}}
_REPEAT: dict[str, Any] = {
    "description": "Repeat layers in sequence; index counts from 0.",
    "type": "object",
    "additionalProperties": False,
    "required": ["times", "layers"],
    "properties": {
        "times": {"anyOf": [
            {"type": "integer", "minimum": 0, "maximum": MAX_TIMES},
            {"type": "string", "pattern": _EXPRESSION},
        ]},
        "index": {"$ref": "#/$defs/name"},
        "layers": _LAYERS,
    },
}  # fmt: skip
_SECTIONS: dict[str, Any] = {
    "include": {
        "description": "Files in the folder of the document that define values and blocks.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    },
    "values": {
        "description": "Named numbers, strings and booleans, for ${...}.",
        "type": ["object", "null"],
        "propertyNames": {"$ref": "#/$defs/name"},
        "additionalProperties": _SCALAR,
    },
    "blocks": {
        "description": "Named lists of layers; a parameter that is null has no default.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{BLOCK_NAME}$"},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["layers"],
            "properties": {
                "parameters": {
                    "type": ["object", "null"],
                    "propertyNames": {"$ref": "#/$defs/name"},
                    "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
                },
                "layers": _LAYERS,
            },
        },
    },
}


def _computable(schema: Any) -> Any:
    """Return the schema with expressions allowed for numbers, booleans and enumerations."""
    if isinstance(schema, list):
        return [_computable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        name: {key: _computable(part) for key, part in value.items()}
        if name in ("properties", "$defs") else value if name == "default" else _computable(value)
        for name, value in schema.items() if name != "title"
    }  # fmt: skip
    computed = result.get("type") in ("integer", "number", "boolean") or "enum" in result
    if not computed and result.get("type") != ["integer", "null"]:
        return result
    annotations = {key: result.pop(key) for key in _ANNOTATIONS if key in result}
    return {**annotations, "anyOf": [result, {"type": "string", "pattern": _EXPRESSION}]}


# --- sharing --------------------------------------------------------------------------------------

_ANNOTATIONS = ("default", "description")
"""Keywords next to a ``$ref``: they differ between places that share a constraint."""
_MIN_SHARED = 50
"""The shortest repeated subschema that gets a definition, in characters of JSON."""
_MAX_NAME = 48


class _Sharing:
    """Moves repeated subschemas to definitions, named after the values that they allow."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._definitions: dict[str, Any] = schema["$defs"]
        self._names: dict[str, str | None] = {
            _key(definition): name for name, definition in self._definitions.items()
        }
        self._counts: Counter[str] = Counter()
        self._fields: dict[str, str] = {}
        self._count(schema)

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
        _map_subschemas(schema, count)

    def _share(self, schema: dict[str, Any]) -> dict[str, Any]:
        key = _key(schema)
        if key not in self._names:
            shared = self._counts[key] > 1 and len(key) >= _MIN_SHARED
            self._names[key] = self._define(json.loads(key), key) if shared else None
        name = self._names[key]
        if name is None:
            return _map_subschemas(schema, self._share)
        annotations = {word: schema[word] for word in _ANNOTATIONS if word in schema}
        return {"$ref": f"#/$defs/{name}"} | annotations

    def _define(self, schema: dict[str, Any], key: str) -> str | None:
        name = _name(schema)
        if name is None or len(name) > _MAX_NAME:
            name = self._fields.get(key, "")
        if name in self._definitions or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            return None  # the name is in use, or a reference would have to escape it
        self._definitions[name] = {}  # reserves the name
        self._definitions[name] = _map_subschemas(schema, self._share)
        return name


def _key(schema: Mapping[str, Any]) -> str:
    """Return the constraint of a schema as text, without its annotations."""
    constraint = {key: part for key, part in schema.items() if key not in _ANNOTATIONS}
    return json.dumps(constraint, sort_keys=True)


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
        elif key in ("items", "additionalProperties", "propertyNames", "not") and part is not False:
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
        case {"type": "string", "pattern": pattern} if pattern == _EXPRESSION:
            return "expression"
        case {"anyOf": [value, {"pattern": pattern}]} if pattern == _EXPRESSION:
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
