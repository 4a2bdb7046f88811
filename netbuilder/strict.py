"""Strict values: nothing is turned into something else on the way in, and what is wrong is said.

Pydantic finds the faults; the words for them are this module's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import (
    CoreSchema,
    ErrorDetails,
    InitErrorDetails,
    PydanticCustomError,
    core_schema,
)

from netbuilder.errors import quoted

LARGEST = 2**31 - 1
"""A size beyond a 32-bit index is a slip of the finger, and torch does not take it everywhere."""

Size = Annotated[int, Field(ge=1, le=LARGEST)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


# --- words for what is wrong ---------------------------------------------------------------------


def describe(value: object) -> str:
    """A value as a message quotes it: short, and with its type where that is what is wrong."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {quoted(value)}"
        case int() | float():
            return f"the number {value}"
        case list() | tuple():
            return "an empty list" if not value else f"a list of {len(value)}"
        case Mapping():
            return "a mapping"
    return f"a {type(value).__name__}"


NAMES_TOLD = 12


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The tail of a message about an unknown word: the nearest known one, else all there are."""
    return _nearest(word[:60].lower(), tuple(known))


@lru_cache(maxsize=256)  # one mistake may stand in a document ten thousand times
def _nearest(word: str, known: tuple[str, ...]) -> str:
    folded = {name.lower(): name for name in known}
    near = get_close_matches(word, folded, n=1, cutoff=0.65)
    if near:
        return f"; did you mean {folded[near[0]]}?"
    names = list(folded.values())
    shown = ", ".join(names[:NAMES_TOLD]) + (", …" if len(names) > NAMES_TOLD else "")
    return f"; known: {shown}" if names else "; it takes none"


_ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
}
_COMPARED = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
INFERRED = ("in_channels", "in_features", "num_features", "num_channels", "input_channels")
"""Sizes of torch's constructors that documents never write."""
FAULT = "netbuilder_fault"
"""The type of a pydantic error whose message is already the project's own."""


def fault(message: str) -> PydanticCustomError:
    """The error that a validator raises: pydantic adds the place, the message stays as it is."""
    return PydanticCustomError(FAULT, "{message}", {"message": message})


def faults_at(
    faults: Iterable[tuple[tuple[str | int, ...], str, object]],
) -> ValidationError:
    """As `fault`, for a validator of a whole model: places in it, messages and what was found."""
    return ValidationError.from_exception_data(
        "faults",
        [
            InitErrorDetails(type=fault(message), loc=place, input=found)
            for place, message, found in faults
        ],
    )


def _explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """One of pydantic's errors about ``model`` in the words that this project uses."""
    kind, found, context = error["type"], describe(error["input"]), error.get("ctx", {})
    if kind == FAULT:
        return str(context["message"])
    if kind == "extra_forbidden" and error["loc"][-1] in INFERRED:
        return "it is inferred from the layer before; remove it"
    if kind == "extra_forbidden":
        return f"unknown field{did_you_mean(str(error['loc'][-1]), model.model_fields)}"
    if kind == "missing":
        return "it is required and missing"
    if kind in _ALLOWED:
        return f"found {found}; allowed: {_ALLOWED[kind]}"
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        return f"found {found}; allowed: {_COMPARED[bound]} {context[bound]}"
    if kind == "literal_error":
        return f"found {found}; allowed: {context['expected']}"
    return f"found {found}; {error['msg'][0].lower()}{error['msg'][1:]}"


class StrictModel(BaseModel):
    """A part of the document: unknown keys, coercions and later changes are refused."""

    # Dozens of kinds exist and a document uses a few: building a validator at its first use keeps
    # the start of every command short.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(
                        type=fault(_explain(line, cls)), loc=line["loc"], input=line["input"]
                    )
                    for line in error.errors(include_url=False)
                ],
            ) from None


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
            raise fault(f"found {describe(value)}; allowed: {bounds} items")
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
            raise fault(f"found {describe(value)}; allowed: {allowed}")
        if min(items) < low:
            raise fault(f"found {describe(min(items))}; allowed: {allowed}")
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
