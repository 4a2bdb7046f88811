"""Standard JSON of what commands report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any


def dumps(data: Any, *, indent: int | None = None) -> str:
    """Return ``data`` as JSON; a number that is not finite, which JSON lacks, becomes null."""
    return json.dumps(_standard(data), indent=indent, allow_nan=False)


def _standard(data: Any) -> Any:
    match data:
        case float():
            return data if isfinite(data) else None
        case Mapping():
            return {key: _standard(value) for key, value in data.items()}
        case list() | tuple():
            return [_standard(value) for value in data]
    return data
