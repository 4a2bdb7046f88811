"""The JSON Schema of the grammar as users write it, for editors."""

from __future__ import annotations

from typing import Any

from netbuilder.schema import Architecture

FILE_NAME = "netbuilder.schema.json"
"""What the first line of a document points an editor to, beside it."""


def document_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a document."""
    schema = Architecture.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netbuilder architecture",
        **{key: value for key, value in schema.items() if key != "title"},
    }
