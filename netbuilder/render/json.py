"""Standard JSON, and the JSON values of records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any


def dumps(data: Any, *, indent: int | None = None) -> str:
    """Return JSON values as text; a number that is not finite, which JSON lacks, becomes null."""
    return json.dumps(_standard(data), indent=indent, allow_nan=False)


def record_data(record: Any) -> dict[str, Any]:
    """Return a dataclass as JSON values; the metadata of a field may name its ``key``."""
    return {
        field.metadata.get("key", field.name): _value(getattr(record, field.name))
        for field in fields(record)
    }


def _value(value: Any) -> Any:
    if is_dataclass(value):
        return record_data(value)
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return value


def _standard(data: Any) -> Any:
    match data:
        case float():
            return data if isfinite(data) else None
        case Mapping():
            return {key: _standard(value) for key, value in data.items()}
        case list() | tuple():
            return [_standard(value) for value in data]
    return data
