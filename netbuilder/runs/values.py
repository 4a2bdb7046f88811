"""The types of the values in records, with their limits, and the base class of all records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from netbuilder._text import LARGEST, describe
from netbuilder.components.component import validation_error, validation_errors

LARGEST_COUNT = 2**53
"""The largest whole number that every reader of JSON represents exactly."""

LARGEST_VALUE = 1e39
"""Above the largest float32 (3.4e38), and far enough below float64's for sums over many runs."""

MAX_SECONDS = 1e10

MAX_REASON = 2000
"""The longest reason, in characters: reasons name URLs and paths."""


def _number(value: object) -> float:
    """Accept a finite int or float; pydantic's strict union would report two errors."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise validation_error(f"found {describe(value)}; allowed: a number")
    if not abs(value) <= LARGEST_VALUE:
        raise validation_error(f"found {describe(value)}; allowed: a finite number")
    return value


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time into this machine's time zone.

    Raises:
        PydanticCustomError: The text is not a time, or a time that no time zone can show.
    """
    try:
        time = datetime.fromisoformat(text).astimezone()
        time.astimezone(UTC)  # overflows in the first and the last hours of the calendar
        return time
    except (ValueError, OverflowError):
        raise validation_error(
            f"found {describe(text)}; allowed: a time such as 2026-01-31T12:00:00+00:00"
        ) from None


def _is_time(text: str) -> str:
    parse_time(text)
    return text


DeviceName = Literal["cpu", "cuda", "mps"]
Precision = Literal["fp32", "bf16"]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Number = Annotated[int | float, PlainValidator(_number)]
Loss = Annotated[float, Field(ge=-LARGEST_VALUE, le=LARGEST_VALUE)]
Percent = Annotated[float, Field(ge=0, le=100)]
Rate = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Text = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=MAX_REASON)]
Time = Annotated[str, Field(max_length=40), AfterValidator(_is_time)]
Epochs = Annotated[int, Field(ge=1, le=LARGEST)]


class Record(BaseModel):
    """Base of all records: strict, frozen, finite; unknown keys are ignored."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        defer_build=True,
        populate_by_name=True,
    )

    def as_json(self, indent: int | None = 2) -> bytes:
        """Return the text of the record's file; keys that the file did not have stay absent."""
        values = self.model_dump(by_alias=True, exclude_unset=True)
        text = json.dumps(values, indent=indent, ensure_ascii=False)
        return (text + "\n").encode()


def contradiction(place: tuple[str | int, ...], value: object, allowed: str) -> ValidationError:
    """Return the error of a value that contradicts another one of its record."""
    return validation_errors([(place, f"found {describe(value)}; allowed: {allowed}", value)])
