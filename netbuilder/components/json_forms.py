"""The JSON Schema of a family of kinds, with what yaml-language-server inserts and explains.

That server inserts a property with its default or its first example, which is not enough for a kind
with required arguments: kinds are offered as snippets. It offers nothing between ``{`` and ``}``
where a property matches, so what an empty mapping must satisfy stands apart from the properties.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import GetJsonSchemaHandler

from netbuilder.components.component import Component
from netbuilder.components.documentation import (
    default_of,
    field_description,
    field_example,
    markdown,
    snippet,
)
from netbuilder.components.field_texts import text_of

_NOT_SCALAR = ("array", "object", "null")

ARGUMENTS = "-arguments"
"""What follows the name of a kind in the definition of its arguments."""
NOTHING = {"not": {"type": ["array", "boolean", "number", "object", "string"]}}
"""The schema of null where an editor should not offer it."""


def family_schema(
    noun: str, kinds: Mapping[str, type[Component]], handler: GetJsonSchemaHandler
) -> dict[str, Any]:
    """Return the JSON Schema of a family: a name alone, or a name with arguments."""
    names = [
        {"$ref": _text(kind, handler)["$ref"], "const": name}
        for name, kind in kinds.items()
        if not kind.required()
    ]
    mapping = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {name: _value(kind, handler) for name, kind in kinds.items()},
        "additionalProperties": False,
        "defaultSnippets": [
            _kind_snippet(kind) for kind in kinds.values() if _arguments_to_insert(kind)
        ],
    }
    return {"title": noun, "anyOf": [{"anyOf": names}, separate_empty(mapping)]}


def list_item(family: dict[str, Any]) -> dict[str, Any]:
    """Return an equivalent schema of a family, of which an editor offers no parts as list items."""
    names, mapping = family["anyOf"]
    return {"title": family["title"], "if": {"type": "string"}, "then": names, "else": mapping}


def separate_empty(mapping: Mapping[str, Any], **then: Any) -> dict[str, Any]:
    """Return an equivalent schema of a mapping, whose properties do not match an empty mapping.

    Args:
        mapping: The schema of the mapping.
        then: What editors offer in an empty mapping.
    """
    properties = {
        name: mapping[name] for name in ("properties", "additionalProperties") if name in mapping
    }
    rest = {name: part for name, part in mapping.items() if name not in properties}
    return (
        rest
        | {"if": {"maxProperties": 0}}
        | ({"then": then} if then else {})
        | {"else": properties}
    )


def _arguments_to_insert(kind: type[Component]) -> tuple[str, ...]:
    """Return the arguments that an editor inserts with the name of a kind."""
    return (*kind.required(), *kind.usual)


def _kind_snippet(kind: type[Component]) -> dict[str, Any]:
    """Return what an editor inserts for a kind that is more than a name."""
    arguments = snippet({name: field_example(kind, name) for name in _arguments_to_insert(kind)})
    return {"label": kind.kind, "body": {kind.kind: arguments}}


def _text(kind: type[Component], handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Return a reference to what editors show about a kind."""
    return define(handler, kind.kind, lambda: _about_kind(kind))


def _about_kind(kind: type[Component]) -> dict[str, Any]:
    about = {"markdownDescription": markdown(kind)}
    return about | ({"doNotSuggest": True} if _arguments_to_insert(kind) else {})


def _value(kind: type[Component], handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Return the JSON Schema of what follows the name of a kind."""
    arguments = define(
        handler, f"{kind.kind}{ARGUMENTS}", lambda: {"anyOf": _value_forms(kind, handler)}
    )
    if not kind.required():
        return {"allOf": [_text(kind, handler), arguments]}
    return define(handler, kind.kind, lambda: _about_kind(kind) | {"allOf": [arguments]})


def _value_forms(kind: type[Component], handler: GetJsonSchemaHandler) -> list[dict[str, Any]]:
    """Return the JSON Schemas of the values that can follow the name of a kind."""
    kind.model_rebuild()
    mapping = dict(handler.resolve_ref_schema(handler(kind.__pydantic_core_schema__)))
    fields = mapping.get("properties", {})
    by_field = {
        name: wrap_list(_constraint(part)) | _about(kind, name) for name, part in fields.items()
    }
    required = kind.required()
    mapping = {
        "type": "object",
        **({"required": list(required)} if required else {}),
        "properties": by_field,
        "additionalProperties": False,
    }
    forms: list[dict[str, Any]] = [
        separate_empty(mapping, **_in_braces(kind)) if by_field else mapping
    ]
    if kind.variadic:
        return [*forms, by_field[kind.variadic]]
    values = [by_field[name] for name in kind.positional()]
    if (
        values
        and len(required) < 2
        and (scalar := _scalar(_constraint(fields[kind.positional()[0]])))
    ):
        forms.append(scalar)
    positional: dict[str, Any] = {"type": "array", "maxItems": len(values)}
    least = {"minItems": len(required)} if required else {}
    forms.append(positional | least | ({"prefixItems": values} if values else {}))
    if not required:
        forms.append(NOTHING)
    return forms


def _in_braces(kind: type[Component]) -> dict[str, Any]:
    """Return what an editor offers between the braces of a kind's arguments.

    A kind with required arguments starts with those.
    """
    required = kind.required()
    if not required:
        return {
            "defaultSnippets": field_snippets(
                {n: field_example(kind, n) for n in kind.model_fields}
            )
        }
    together = snippet({name: field_example(kind, name) for name in required})[1:-1]
    return {
        "defaultSnippets": [{"label": ", ".join(required), "bodyText": together}],
    }


def field_snippets(examples: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what an editor inserts between braces for each field."""
    return [
        {"label": name, "bodyText": snippet({name: example})[1:-1]}
        for name, example in examples.items()
    ]


ANNOTATIONS = ("title", "description", "markdownDescription", "default", "examples")
"""Keywords that allow and refuse nothing."""


def _about(kind: type[Component], field: str) -> dict[str, Any]:
    """Return the annotations of a field; an editor inserts its default or its first example."""
    about: dict[str, Any] = {"description": field_description(kind, field)}
    default = None if kind.model_fields[field].is_required() else default_of(kind, field)
    if default is not None and text_of(kind, field).example is None:
        return about | {"default": default}
    return about | {"examples": [field_example(kind, field)]}


def wrap_list(constraint: dict[str, Any]) -> dict[str, Any]:
    """Return a constraint so that an editor inserts its default or example, even for a list."""
    return {"allOf": [constraint]} if "items" in constraint else constraint


def _constraint(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema without its annotations."""
    return {key: part for key, part in schema.items() if key not in ANNOTATIONS}


def _scalar(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of a JSON Schema that allows numbers, strings and booleans, or None."""
    if schema.keys() == {"anyOf"}:
        parts = [part for part in map(_scalar, schema["anyOf"]) if part]
        return parts[0] if len(parts) == 1 else {"anyOf": parts} if parts else None
    if schema.keys().isdisjoint(("type", "enum", "const")):
        return {"allOf": [schema, {"not": {"type": list(_NOT_SCALAR)}}]}
    types = schema.get("type", ())
    types = [types] if isinstance(types, str) else list(types)
    scalars = [name for name in types if name not in _NOT_SCALAR]
    if types and not scalars:
        return None
    if scalars == types:
        return schema
    return schema | {"type": scalars[0] if len(scalars) == 1 else scalars}


def define(
    handler: GetJsonSchemaHandler, name: str, schema: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return a reference to a definition, which the first reference adds to the schema."""
    generator: Any = handler.generate_json_schema  # type: ignore[attr-defined]  # pydantic's own handler
    key, reference = generator.get_cache_defs_ref_schema(f"netbuilder.{name}")
    if key not in generator.definitions:
        generator.definitions[key] = {}  # layers contain layers: they refer to it meanwhile
        generator.definitions[key] = schema()
    return dict(reference)
