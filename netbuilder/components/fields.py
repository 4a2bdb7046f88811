"""Field types that several kinds share: bounded numbers, and lists of one number per axis."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from netbuilder._text import LARGEST, describe, flow, proposal, value_in
from netbuilder.components.component import validation_error

Size = Annotated[int, Field(ge=1, le=LARGEST)]

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that torch never sees."""

LARGEST_NUMBER = 1e38
"""The largest number that torch sees: that of 32-bit floats, with room for small factors."""

Number = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, allow_inf_nan=False)]

Positive = Annotated[float, Field(gt=0, le=LARGEST_NUMBER, allow_inf_nan=False)]

NonNegative = Annotated[float, Field(ge=0, le=LARGEST_NUMBER, allow_inf_nan=False)]

Invertible = Annotated[float, Field(ge=1 / LARGEST_NUMBER, le=LARGEST_NUMBER, allow_inf_nan=False)]
"""A positive number whose inverse is a number too."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


# --- lists ----------------------------------------------------------------------------------------


LIST_AS_TUPLE = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
"""Accepts a YAML list where the model has a tuple, which strict validation would refuse."""


class Length:
    """Annotation that bounds the length of a list before its items are validated."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def check(self, value: object) -> object:
        """Return the value unless it is a list of another length."""
        if isinstance(value, list | tuple) and not self.low <= len(value) <= self.high:
            bounds = f"{self.low} to {self.high:,}" if self.low else f"at most {self.high:,}"
            raise validation_error(f"found {describe(value)}; allowed: {bounds} items")
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"minItems": self.low, "maxItems": self.high}


# --- lists of numbers -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """A range of numbers.

    Attributes:
        low: The lower bound.
        high: The upper bound.
        integer: Whether only integers are in the range.
        open_low: Whether the lower bound itself is excluded.
        open_high: Whether the upper bound itself is excluded.
        nullable: Whether null is accepted too.
    """

    low: float
    high: float
    integer: bool = False
    open_low: bool = False
    open_high: bool = False
    nullable: bool = False

    def __contains__(self, value: object) -> bool:
        if value is None:
            return self.nullable
        # bool is a subclass of int.
        if isinstance(value, bool) or not isinstance(value, int if self.integer else int | float):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the numbers in the range."""
        kind = "integer" if self.integer else "number"
        return {
            "type": [kind, "null"] if self.nullable else kind,
            "exclusiveMinimum" if self.open_low else "minimum": self.low,
            "exclusiveMaximum" if self.open_high else "maximum": self.high,
        }


class NumberList:
    """Annotation for a tuple of numbers that a document writes as a list.

    A single number is repeated to the shortest of the lengths. Numbers become floats unless the
    interval holds integers.

    Args:
        items: The numbers that the list may hold.
        lengths: The lengths that the list may have, in ascending order.
        allowed: What is allowed, for messages.
        scalar: The numbers that may be written without a list; None if a list is required.
        words: Strings that are accepted in place of numbers.
    """

    def __init__(
        self,
        items: Interval,
        lengths: range | tuple[int, ...],
        allowed: str,
        *,
        scalar: Interval | None = None,
        words: Collection[str] = (),
    ) -> None:
        self.items, self.lengths, self.allowed = items, lengths, allowed
        self.scalar, self.words = scalar, words

    def read(self, value: object) -> object:
        """Return the tuple that a value of a document stands for.

        Raises:
            PydanticCustomError: The value is not allowed.
        """
        if isinstance(value, str) and value in self.words:
            return value
        if self.scalar is not None and value in self.scalar:
            value = self.expand(value)
        if not isinstance(value, list | tuple) or len(value) not in self.lengths:
            raise self.error(describe(value), self._meaning(value))
        for item in value:
            if item not in self.items:
                raise self.error(describe(item), self._meaning(list(value)))
        items = self.convert(tuple(value))
        return items if self.items.integer else tuple(map(float, items))

    def expand(self, number: Any) -> tuple[Any, ...]:
        """Return the list that a single number stands for."""
        return (number,) * self.lengths[0]

    def convert(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the tuple that a list of valid numbers stands for."""
        return items

    def error(self, description: str, hint: str = "") -> PydanticCustomError:
        """Return the error for a value that is not allowed."""
        return validation_error(f"found {description}; allowed: {self.allowed}{hint}")

    def _meaning(self, value: object) -> str:
        """Return what to write instead of a value with texts or whole floats; empty if unclear."""
        right = _plain_numbers(value, integer=self.items.integer)
        if isinstance(value, str) and value.lower() in self.words:
            right = value.lower()
        # A value that is not a number does not equal itself.
        if right is None or right is value or (right == value and type(right) is type(value)):
            return ""
        try:
            self.read(right)
        except PydanticCustomError:
            return ""
        return proposal(f"; write {flow(right)}")

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values that `read` accepts."""
        forms: list[dict[str, Any]] = []
        if self.words:
            forms.append({"enum": list(self.words)})
        if self.scalar is not None:
            forms.append(self.scalar.json_schema())
        bounds = [(n, n) for n in self.lengths]
        if isinstance(self.lengths, range):
            bounds = [(self.lengths[0], self.lengths[-1])]
        item = self.items.json_schema()
        for low, high in bounds:
            forms.append({"type": "array", "items": item, "minItems": low, "maxItems": high})
        return {"anyOf": forms} if len(forms) > 1 else forms[0]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.json_schema()


def _plain_numbers(value: object, *, integer: bool) -> object:
    """Return a value with numbers in place of their texts, and integers where they belong."""
    if isinstance(value, str):
        return value_in(value)
    if isinstance(value, list):
        return [_plain_numbers(item, integer=integer) for item in value]
    if integer and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class NumberOrList(NumberList):
    """Annotation for a number or a tuple of numbers; a single number stays a number."""

    def read(self, value: object) -> object:
        items = super().read(value)
        return (
            items if isinstance(value, list | tuple) or not isinstance(items, tuple) else items[0]
        )


class Ranges(NumberList):
    """Annotation for one or more pairs of numbers, the lower one of each first."""

    def convert(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        if any(low > high for low, high in zip(items[::2], items[1::2], strict=True)):
            raise self.error(f"the list {list(items)}")
        return items


class SymmetricRanges(Ranges):
    """Annotation for pairs as in `Ranges`; a single number n means -n to n."""

    def __init__(self, limit: float, lengths: tuple[int, ...], allowed: str) -> None:
        super().__init__(Interval(-limit, limit), lengths, allowed, scalar=Interval(0, limit))

    def expand(self, number: Any) -> tuple[Any, ...]:
        return (-number, number)


class PerAxis(NumberList):
    """Annotation for one integer per axis; a single integer applies to all axes.

    Args:
        axes: The number of axes.
        low: The lowest integer.
        words: Strings that are accepted in place of integers.
        nullable: Whether the integers may be null.
        detail: An explanation that follows the allowed list in messages.
    """

    def __init__(
        self,
        axes: int,
        *,
        low: int,
        words: Collection[str] = (),
        nullable: bool = False,
        detail: str = "",
    ) -> None:
        items = Interval(low, LARGEST, integer=True, nullable=nullable)
        number = f"a whole number of at least {low}"
        allowed = ", ".join([*words, number])
        if axes > 1:
            allowed += f", or a list of {axes} of them{detail}"
        super().__init__(items, (axes,), allowed, scalar=items, words=words)


Single = Annotated[tuple[int, ...], PerAxis(1, low=1)]

Pair = Annotated[tuple[int, ...], PerAxis(2, low=1)]

Triple = Annotated[tuple[int, ...], PerAxis(3, low=1)]

SingleFromZero = Annotated[tuple[int, ...], PerAxis(1, low=0)]

PairFromZero = Annotated[tuple[int, ...], PerAxis(2, low=0)]

TripleFromZero = Annotated[tuple[int, ...], PerAxis(3, low=0)]
