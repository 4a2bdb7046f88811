"""Field types that several kinds share: strict numbers, and values with one entry per axis."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from netbuilder._text import LARGEST, describe
from netbuilder.components.component import validation_error

Size = Annotated[int, Field(ge=1, le=LARGEST)]

Number = Annotated[float, Field(allow_inf_nan=False)]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


# --- values that stand for one number an axis ----------------------------------------------------


LIST_AS_TUPLE = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
"""YAML has lists where torch has tuples; strict validation would refuse them."""


class Length:
    """An annotation that bounds a list, before each item of one too long is found wrong."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def read(self, value: object) -> object:
        """The value, if it is no list or one of the right length."""
        if isinstance(value, list | tuple) and not self.low <= len(value) <= self.high:
            bounds = f"{self.low} to {self.high:,}" if self.low else f"at most {self.high:,}"
            raise validation_error(f"found {describe(value)}; allowed: {bounds} items")
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"minItems": self.low, "maxItems": self.high}


def per_axis(axes: int, *, low: int) -> tuple[BeforeValidator, WithJsonSchema]:
    """Annotations for a tuple of ``axes`` integers of at least ``low``; one integer means all."""
    several_of_them = f", or a list of {axes} of them" if axes > 1 else ""
    allowed = f"a whole number of at least {low}{several_of_them}"

    def read(value: object) -> tuple[int, ...]:
        items = value if isinstance(value, list | tuple) else [value] * axes
        if len(items) != axes or any(type(item) is not int or item > LARGEST for item in items):
            raise validation_error(f"found {describe(value)}; allowed: {allowed}")
        if min(items) < low:
            raise validation_error(f"found {describe(min(items))}; allowed: {allowed}")
        return tuple(items)

    one = {"type": "integer", "minimum": low, "maximum": LARGEST}
    several = {"type": "array", "items": one, "minItems": axes, "maxItems": axes}
    return BeforeValidator(read), WithJsonSchema({"anyOf": [one, several]})


Single = Annotated[tuple[int, ...], *per_axis(1, low=1)]

Pair = Annotated[tuple[int, ...], *per_axis(2, low=1)]

Triple = Annotated[tuple[int, ...], *per_axis(3, low=1)]

SingleFromZero = Annotated[tuple[int, ...], *per_axis(1, low=0)]

PairFromZero = Annotated[tuple[int, ...], *per_axis(2, low=0)]

TripleFromZero = Annotated[tuple[int, ...], *per_axis(3, low=0)]
