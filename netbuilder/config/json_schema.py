"""The grammar of documents as JSON Schema, for editors that complete and check while typing."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from netbuilder.components.json_forms import (
    ANNOTATIONS,
    ARGUMENTS,
    NOTHING,
    list_item,
    separate_empty,
)
from netbuilder.config.definitions import BLOCK_NAME
from netbuilder.config.expansion import MAX_TIMES
from netbuilder.config.expressions import NAME, NAME_RULE
from netbuilder.config.schema import COMPONENTS, Architecture
from netbuilder.config.schema_sharing import (
    EXPRESSION,
    Sharing,
    drop_single_texts,
    inline_single,
    merge_arguments,
    use_one_of,
)
from netbuilder.config.section_schema import (
    field_schemas,
    repeat_snippet,
    section_schema,
)
from netbuilder.config.section_texts import TEXTS

FILE_NAME = "netbuilder.schema.json"
"""Name of the schema file, which the first line of a document names for editors."""


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        """Return False: titles would only repeat the names of the fields."""
        return False

    def normalize_name(self, name: str) -> str:
        """Return the name of a definition: kinds keep their name, other classes get snake_case."""
        return self.definition_name(super().normalize_name(name))

    @staticmethod
    def definition_name(name: str) -> str:
        """Return the name of a definition, from that of a kind or another class."""
        if name.removesuffix(ARGUMENTS) in COMPONENTS:
            return name
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Config")).lower()


def document_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a document.

    It has every rule except those that relate one value to another, and it does not distinguish
    ``3.0`` from ``3``; `netbuilder.load` checks the rest.
    """
    schema = _computable(Architecture.model_json_schema(schema_generator=_Generator))
    definitions = schema["$defs"]
    for section in TEXTS:
        if (key := _Generator.definition_name(section)) in definitions:
            definitions[key] = section_schema(definitions[key], section)
    family, by_parameter = definitions["init"]["anyOf"]
    definitions["init"]["anyOf"] = [family, section_schema(by_parameter, "ByParameter")]
    definitions["name"] = _NAME
    definitions["layer"] = _with_blocks(definitions["layer"])
    definitions["augmentation"] = list_item(definitions["augmentation"])
    schema["properties"] |= _DEFINITIONS
    schema["properties"] = field_schemas(schema, "Architecture")
    names = definitions.keys()
    shared = Sharing(drop_single_texts(merge_arguments(schema))).shared()
    return {
        "$schema": _Generator.schema_dialect,
        **use_one_of(inline_single(shared, names)),
        "title": "netbuilder architecture",
        "description": "A network, how it is trained and the targets it has to meet.",
    }


def _with_blocks(layer: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a layer that can also be a block or ``Repeat``."""
    layer = list_item(layer)
    layer["then"]["anyOf"].append(_BLOCK_NAME)
    layer["else"]["defaultSnippets"].append(repeat_snippet())
    block = {
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
        "patternProperties": {f"^{BLOCK_NAME}$": _CALL},
    }  # fmt: skip
    repeat = {
        "type": "object", "additionalProperties": False, "required": ["Repeat"],
        "properties": {"Repeat": _ABOUT_REPEAT | section_schema(_REPEAT, "Repeat")},
    }  # fmt: skip
    layer["else"] = {"anyOf": [layer["else"], block, separate_empty(repeat)]}
    return layer


def schema_text() -> str:
    """Return `document_schema` as JSON: each section and definition on lines of its own."""
    schema = document_schema()
    definitions = schema.pop("$defs")
    lines = [_wrapped(name, part) for name, part in schema.items()]
    inner = ",\n".join(_wrapped(name, part) for name, part in definitions.items())
    return "{\n" + ",\n".join([*lines, f'"$defs": {{\n{inner}\n}}']) + "\n}\n"


def _wrapped(name: str, value: object) -> str:
    """Return a member of a JSON object, broken into lines after commas and brackets."""
    text = json.dumps({name: value}, separators=(",", ":"))[1:-1]
    lines = [""]
    for token in _TOKEN.findall(text):
        if lines[-1] and len(lines[-1]) + len(token) > _LINE:
            lines.append("")
        lines[-1] += token
    return "\n".join(lines)


_TOKEN = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"\[\]{},])+,?|[\[{]|[\]}],?')
"""A value with the comma after it, or a bracket."""
_LINE = 99
"""The longest line of the JSON, in characters; a comma may follow."""
_NAME = {"type": "string", "pattern": NAME, "description": f"A name: {NAME_RULE}."}
_SCALAR = {"type": ["number", "string", "boolean"]}
_LAYERS = {"type": "array", "items": {"$ref": "#/$defs/layer"}}
_NUMBER_OF_TIMES = {"type": "integer", "minimum": 0, "maximum": MAX_TIMES}
_REPEAT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["times", "layers"],
    "properties": {
        "times": {"anyOf": [_NUMBER_OF_TIMES, EXPRESSION]},
        "index": {"$ref": "#/$defs/name"},
        "layers": _LAYERS,
    },
}
_BLOCK: dict[str, Any] = {
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
}
_ABOUT_REPEAT = {
    "description": "Repeats layers in sequence; index counts from 0.", "doNotSuggest": True,
}  # fmt: skip
_BLOCK_NAME = {
    "type": "string",
    "pattern": f"^{BLOCK_NAME}$",
    "description": "A block of this document.",
}
_CALL = {"description": "A block of this document, with its parameters by name."}
_DEFINITIONS: dict[str, Any] = {
    "include": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "values": {
        "type": ["object", "null"],
        "propertyNames": {"$ref": "#/$defs/name"},
        "additionalProperties": _SCALAR,
    },
    "blocks": {
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{BLOCK_NAME}$"},
        "additionalProperties": section_schema(_BLOCK, "Block"),
    },
}

_OPAQUE = ("default", "defaultSnippets")
"""Keywords whose value is not a schema."""


def _computable(schema: Any) -> Any:
    """Return the schema with expressions allowed for numbers, booleans, enumerations and names."""
    if isinstance(schema, list):
        return [_computable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {
        name: {key: _computable(part) for key, part in value.items()}
        if name in ("properties", "$defs") else value if name in _OPAQUE else _computable(value)
        for name, value in schema.items() if not (name == "title" and value in TEXTS)
    }  # fmt: skip
    parts = result.get("anyOf", [])
    if any(isinstance(part.get("const"), str) for part in parts):
        parts.append(EXPRESSION)
    computable = [part for part in parts if EXPRESSION in part.get("anyOf", ())]
    for part in computable[1:]:  # one of the alternatives has the expressions of all
        part["anyOf"].remove(EXPRESSION)
        [only] = part.pop("anyOf")
        part.update(only)
    if {"type": "null"} in parts and any("$ref" in part for part in parts):
        result["anyOf"] = [NOTHING if part == {"type": "null"} else part for part in parts]
    computed = result.get("type") in ("integer", "number", "boolean") or "enum" in result
    if not computed and result.get("type") != ["integer", "null"]:
        return result
    annotations = {key: result.pop(key) for key in ANNOTATIONS if key in result}
    if "enum" in result:
        result.pop("type", None)  # the words have it
    return {**annotations, "anyOf": [result, EXPRESSION]}
