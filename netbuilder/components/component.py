"""The one grammar of components: layers, optimizers, schedulers, augmentations, losses, data sets.

    Name                   every argument at its default
    Name: scalar           the first positional argument
    Name: [positional]     arguments in torch's order
    Name: {field: value}   arguments by name

A kind is a class whose fields are the arguments; a `Registry` holds the kinds that one place of a
document accepts. Values are strict: nothing is converted to another type.
"""

# Annotations are evaluated here once: pydantic would evaluate their strings again for every kind.

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from netbuilder._text import describe, did_you_mean

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


def validation_error(message: str) -> PydanticCustomError:
    """Return the error for a validator to raise: pydantic adds the place and keeps the message."""
    return PydanticCustomError(FAULT, "{message}", {"message": message})


def validation_errors(
    faults: Iterable[tuple[tuple[str | int, ...], str, object]],
) -> ValidationError:
    """Return the errors for a validator of a whole model to raise.

    Args:
        faults: for each error its place in the model, its message and the wrong value.
    """
    return ValidationError.from_exception_data(
        "faults",
        [
            InitErrorDetails(type=validation_error(message), loc=place, input=value)
            for place, message, value in faults
        ],
    )


def explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return the message of one of pydantic's errors in this project's words."""
    kind, value, context = error["type"], describe(error["input"]), error.get("ctx", {})
    if kind == FAULT:
        return str(context["message"])
    if kind == "extra_forbidden" and error["loc"][-1] in INFERRED:
        return "it is inferred from the layer before; remove it"
    if kind == "extra_forbidden":
        fields = (*model.model_fields, *getattr(model, "definitions", ()))
        return f"unknown field{did_you_mean(str(error['loc'][-1]), fields)}"
    if kind == "missing":
        return "it is required and missing"
    if kind in _ALLOWED:
        return f"found {value}; allowed: {_ALLOWED[kind]}"
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        return f"found {value}; allowed: {_COMPARED[bound]} {context[bound]}"
    if kind == "literal_error":
        return f"found {value}; allowed: {context['expected']}"
    return f"found {value}; {error['msg'][0].lower()}{error['msg'][1:]}"


def _distinct(errors: list[ErrorDetails], model: type[BaseModel]) -> list[ErrorDetails]:
    """Leave out a missing field that is there under a misspelled name."""
    hints = {explain(error, model) for error in errors if error["type"] == "extra_forbidden"}
    return [
        error
        for error in errors
        if error["type"] != "missing"
        or f"unknown field; did you mean {error['loc'][-1]}?" not in hints
    ]


class StrictModel(BaseModel):
    """A section of the document: unknown keys, coercion and later changes are refused."""

    # A document uses a few of dozens of kinds: building a validator at its first use shortens the
    # start of every command.
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
                        type=validation_error(explain(line, cls)),
                        loc=line["loc"],
                        input=line["input"],
                    )
                    for line in _distinct(error.errors(include_url=False), cls)
                ],
            ) from None


class Component(StrictModel):
    """One kind of component; its fields are its arguments, in torch's positional order."""

    kind: ClassVar[str]
    """The name in documents: by default the name of the class, which is torch's."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" not in cls.__dict__:
            cls.kind = cls.__name__

    keyword_only: ClassVar[frozenset[str]] = frozenset()
    """Arguments that documents write by name only.

    In torch's constructor they come after an argument that documents cannot write.
    """

    variadic: ClassVar[str] = ""
    """The argument that collects all positional values, as ``*args`` does in torch."""

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """Return the names of the arguments, in the order of ``Name: [positional]``."""
        return tuple(name for name in cls.model_fields if name not in cls.keyword_only)

    @classmethod
    def inferred_position(cls) -> int | None:
        """Return where torch's constructor takes a size that documents infer, if anywhere."""
        return None

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        """Return the form to write instead of positional values that cannot be meant as such.

        Empty if they can.
        """
        return ""

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """Return the names of the arguments that have no default."""
        return tuple(name for name, field in cls.model_fields.items() if field.is_required())

    def arguments(self) -> dict[str, Any]:
        """Return every argument with its value, defaults included."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def non_default_arguments(self) -> dict[str, Any]:
        """Return the arguments that differ from their defaults.

        Equal numbers for all axes become one number where that means the same.
        """
        fields = type(self).model_fields
        arguments = {
            name: value
            for name, value in self.arguments().items()
            if fields[name].is_required() or value != fields[name].get_default()
        }
        for name, value in arguments.items():
            if isinstance(value, tuple) and len(set(value)) == 1 and type(value[0]) is int:
                shorter = arguments | {name: value[0]}
                with suppress(ValidationError):  # some lists are not one number per axis
                    if type(self).model_validate(shorter).arguments() == self.arguments():
                        arguments = shorter
        return arguments


def positional_hint(kind: type[Component], arguments: object) -> str:
    """Return what to write instead of wrong positional values; empty if that is unclear.

    They may be the values of one list, or hold a size that torch's constructor takes first.
    """
    values = list(arguments) if isinstance(arguments, list | tuple) else [arguments]
    names = kind.positional()
    if kind.variadic or not names or not all(type(value) in (int, float) for value in values):
        return ""
    if len(values) > 1 and _is_valid(kind, {names[0]: values}):
        return f"{names[0]} is one list: write {kind.kind}: [{values}] or {{{names[0]}: {values}}}"
    position = kind.inferred_position()
    if position is not None and position < len(values):
        rest = values[:position] + values[position + 1 :]
        if len(rest) <= len(names) and _is_valid(kind, dict(zip(names, rest, strict=False))):
            form = f"{kind.kind}: {rest[0] if len(rest) == 1 else rest}" if rest else kind.kind
            size = f"the size {values[position]}" if len(values) > 1 else "the size"
            return f"{size} is inferred; write {form}"
    return ""


def _is_valid(kind: type[Component], arguments: dict[str, Any]) -> bool:
    try:
        kind.model_validate(arguments)
    except (ValidationError, PydanticCustomError):
        return False
    return True


def by_name(kind: type[Component], arguments: object) -> dict[str, Any]:
    """Return the arguments that a document writes after a kind's name, as a mapping by name.

    Raises:
        PydanticCustomError: more arguments than the kind takes.
    """
    if arguments is None:
        return {}
    if isinstance(arguments, Mapping):
        return dict(arguments)
    if kind.variadic and isinstance(arguments, list | tuple):
        return {kind.variadic: arguments}
    names = kind.positional()
    values = arguments if isinstance(arguments, list | tuple) else [arguments]
    if values and (usage := kind.usage_hint(values)):
        raise validation_error(f"found {describe(values[0])} by position; write {usage}")
    if len(values) > len(names):
        allowed = f"at most {len(names)}: {', '.join(names)}" if names else "none"
        raise validation_error(
            f"found {len(values)} positional arguments; {kind.kind} takes {allowed}"
        )
    return dict(zip(names, values, strict=False))
