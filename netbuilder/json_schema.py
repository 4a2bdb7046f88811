"""The document's grammar as JSON Schema, for editors that complete and check while typing."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from netbuilder.arithmetic import NAME
from netbuilder.definitions import BLOCK_NAME
from netbuilder.expansion import MAX_TIMES
from netbuilder.schema import Architecture

FILE_NAME = "netbuilder.schema.json"
"""What the first line of a document points an editor to, beside it."""


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        """Never: pydantic's titles repeat the names of the fields in other letters."""
        return False


def document_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a document, as its author writes it.

    It says all but what one value asks of another, and it cannot tell ``3.0`` from ``3``;
    `netbuilder.load` checks these too.
    """
    schema = _computable(Architecture.model_json_schema(schema_generator=_Generator))
    schema["properties"] |= _SECTIONS
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
        **schema,
        "title": "netbuilder architecture",
        "description": "A network, how it is trained and what it is meant to reach.",
    }


_EXPRESSION = r".*\$\{[^{}]*\}.*"
_SCALAR = {"type": ["number", "string", "boolean"]}
_LAYERS = {"type": "array", "items": {"$ref": "#/$defs/layer"}}
_REPEAT: dict[str, Any] = {
    "description": "The layers several times, one behind the other; index counts from 0.",
    "type": "object",
    "additionalProperties": False,
    "required": ["times", "layers"],
    "properties": {
        "times": {"anyOf": [
            {"type": "integer", "minimum": 0, "maximum": MAX_TIMES},
            {"type": "string", "pattern": _EXPRESSION},
        ]},
        "index": {"type": "string", "pattern": NAME},
        "layers": _LAYERS,
    },
}  # fmt: skip
_SECTIONS: dict[str, Any] = {
    "include": {
        "description": "Files beside the document that hold values and blocks.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    },
    "values": {
        "description": "Numbers, texts and truths by name, for ${...}.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": NAME},
        "additionalProperties": _SCALAR,
    },
    "blocks": {
        "description": "Layers by name, with parameters; null is a parameter without a default.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{BLOCK_NAME}$"},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["layers"],
            "properties": {
                "parameters": {
                    "type": ["object", "null"],
                    "propertyNames": {"pattern": NAME},
                    "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
                },
                "layers": _LAYERS,
            },
        },
    },
}


def _computable(schema: Any) -> Any:
    """The schema with an expression allowed wherever a number, a truth or one of some words is."""
    if isinstance(schema, list):
        return [_computable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: {key: _computable(part) for key, part in value.items()}
        if name in ("properties", "$defs") else value if name == "default" else _computable(value)
        for name, value in schema.items()
    }  # fmt: skip
    computed = found.get("type") in ("integer", "number", "boolean") or "enum" in found
    if not computed and found.get("type") != ["integer", "null"]:
        return found
    kept = {key: found.pop(key) for key in ("default", "description") if key in found}
    return {**kept, "anyOf": [found, {"type": "string", "pattern": _EXPRESSION}]}
