"""The document's grammar as JSON Schema, for editors that complete and check while typing."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

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
    schema = Architecture.model_json_schema(schema_generator=_Generator)
    return {
        "$schema": _Generator.schema_dialect,
        **schema,
        "title": "netbuilder architecture",
        "description": "A network, how it is trained and what it is meant to reach.",
    }
