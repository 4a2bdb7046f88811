"""The grammar of components: layers, optimizers, schedulers, augmentations, losses, data sets.

    Name                   every argument at its default
    Name: scalar           the first positional argument
    Name: [positional]     arguments in torch's order
    Name: {field: value}   arguments by name

A kind is a class whose fields are the arguments; a `Registry` has the kinds that one place of a
document accepts. Values are strict: none is converted to another type.
"""

# No `from __future__ import annotations`: pydantic would evaluate the strings for every kind.

import re
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

from netbuilder._text import describe, did_you_mean, flow, plural, proposal, value_in
from netbuilder.components import kinds

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

_COMPARISONS = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}

INFERRED = ("in_channels", "in_features", "num_features", "num_channels", "input_channels")
"""Arguments of torch's constructors that are inferred, so that documents never have them."""

FAULT = "netbuilder_fault"
"""The type of a pydantic error whose message is final."""


def validation_error(message: str) -> PydanticCustomError:
    """Return an error for a validator to raise; pydantic adds its place."""
    return PydanticCustomError(FAULT, "{message}", {"message": message})


def validation_errors(
    faults: Iterable[tuple[tuple[str | int, ...], str, object]],
) -> ValidationError:
    """Return the errors for a validator of a whole model to raise.

    Args:
        faults: The place in the model, the message and the wrong value of each error.
    """
    return ValidationError.from_exception_data(
        "faults",
        [
            InitErrorDetails(type=validation_error(message), loc=place, input=value)
            for place, message, value in faults
        ],
    )


def explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return the message for an error of pydantic."""
    kind, value, context = error["type"], describe(error["input"]), error.get("ctx", {})
    if kind == FAULT:
        return str(context["message"])
    if kind == "extra_forbidden" and error["loc"][-1] in INFERRED:
        return "it is inferred from the layer before; remove it"
    if kind == "extra_forbidden":
        return f"unknown field{_unknown_field(str(error['loc'][-1]), model)}"
    if kind == "missing":
        return "this field is required"
    if kind in _ALLOWED:
        return f"found {value}; allowed: {_ALLOWED[kind]}{proposal(_conversion(error, model))}"
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        return f"found {value}; allowed: {_COMPARISONS[bound]} {context[bound]}"
    if kind == "literal_error":
        return f"found {value}; allowed: {context['expected']}{_closest(error)}"
    return f"found {value}; {error['msg'][0].lower()}{error['msg'][1:]}"


def _conversion(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return the value to write instead of one of the wrong type; empty if that is unclear."""
    kind, value = error["type"], error["input"]
    if kind in ("model_type", "model_attributes_type"):
        section = _section(error["ctx"]["class_name"], StrictModel)
        return f" of {', '.join(section.model_fields)}" if section else ""
    if kind in ("list_type", "tuple_type"):
        if isinstance(value, Mapping):
            return '; begin each item with "- "'
        items = value_in(value) if isinstance(value, str) else value
        items = items if isinstance(items, list) else [value if items is None else items]
        return "" if value in (None, "") else f"; write {flow(items)}"
    if kind == "string_type" and type(value) in (int, float):
        return f"; write {str(value)!r}, with quotes"
    meaning = value_in(value) if isinstance(value, str) else value
    if kind == "bool_type" and meaning in (0, 1):
        return f"; write {flow(bool(meaning))}"
    if kind in ("int_type", "int_from_float") and type(meaning) is float:
        meaning = int(meaning) if meaning.is_integer() and abs(meaning) < 2**53 else None
    numbers = (int, float) if kind == "float_type" else (int,)
    is_whole_or_real = kind in ("int_type", "int_from_float", "float_type")
    if is_whole_or_real and type(meaning) in numbers:
        return f"; write {meaning}" + (", without quotes" if isinstance(value, str) else "")
    return ""


def _section(name: str, base: type[BaseModel]) -> type[BaseModel] | None:
    """Return the section of a document with this class name."""
    for section in base.__subclasses__():
        if section.__name__ == name:
            return section
        if section is not Component and (subsection := _section(name, section)):
            return subsection
    return None


def _closest(error: ErrorDetails) -> str:
    """Return the allowed text that a wrong one means; empty if none is close."""
    if not isinstance(error["input"], str):
        return ""
    hint = did_you_mean(error["input"], re.findall("'([^']*)'", error["ctx"]["expected"]))
    return hint if "did you mean" in hint else ""


def _unknown_field(name: str, model: type[BaseModel]) -> str:
    """Return the end of a message about an unknown field."""
    from netbuilder.components.foreign_fields import foreign_field  # only mistakes need it

    # The initialization is the first field of layers, and the least likely to be meant.
    fields = sorted(model.model_fields, key="init".__eq__)
    fields += getattr(model, "definitions", ())
    section = model.__name__
    if issubclass(model, Component):
        section = _family_of(model.kind)
        variadic = model.variadic
        if variadic and any(name in names for names in kinds.LAYERS.values()):
            return f"; write {variadic}: [{{{name}: ...}}], a list"
    return foreign_field(section, name, fields) or did_you_mean(name, fields)


def _family_of(kind: str) -> str:
    """Return what messages call the family of a kind; a kind of a plugin is a layer."""
    families = {
        "optimizer": kinds.OPTIMIZERS,
        "scheduler": kinds.SCHEDULERS,
        "augmentation": kinds.AUGMENTATIONS,
        "data set": kinds.DATASETS,
    }
    for noun, modules in families.items():
        if any(kind in names for names in modules.values()):
            return noun
    return "layer"


def _explained(
    errors: list[ErrorDetails], model: type[BaseModel]
) -> list[tuple[ErrorDetails, str]]:
    """Return each error with its message.

    The error of a missing field that is present under a misspelled name is left out.
    """
    pairs = [(error, explain(error, model)) for error in errors]
    hints = [message for error, message in pairs if error["type"] == "extra_forbidden"]
    matches = [re.match(r"unknown field; (?:did you mean|write) (\w+)", hint) for hint in hints]
    names = {match[1] for match in matches if match}
    return [
        (error, message)
        for error, message in pairs
        if error["type"] != "missing" or error["loc"][-1] not in names
    ]


class StrictModel(BaseModel):
    """A section of a document: strict, frozen, without unknown keys."""

    # Validators are built when they are first used, because a document uses few of the kinds.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(
                        type=validation_error(message), loc=line["loc"], input=line["input"]
                    )
                    for line, message in _explained(error.errors(include_url=False), cls)
                ],
            ) from None


class Component(StrictModel):
    """A kind of component; its fields are its arguments, in the positional order of torch."""

    kind: ClassVar[str]
    """The name in documents; by default the name of the class, which is that in torch."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" not in cls.__dict__:
            cls.kind = cls.__name__

    keyword_only: ClassVar[frozenset[str]] = frozenset()
    """Arguments without a position in documents.

    In torch's constructor they follow an argument that documents do not have.
    """

    variadic: ClassVar[str] = ""
    """The argument that takes all positional values, like ``*args`` in torch."""

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """Return the names of the arguments, in the order of ``Name: [positional]``."""
        return tuple(name for name in cls.model_fields if name not in cls.keyword_only)

    usual: ClassVar[tuple[str, ...]] = ()
    """Arguments that an editor inserts although they have defaults."""

    @classmethod
    def torch_name(cls) -> str:
        """Return the dotted name of what a kind stands for in torch or torchvision, if anything."""
        return ""

    @classmethod
    def inferred_position(cls) -> int | None:
        """Return where torch's constructor takes a size that documents infer, if anywhere."""
        return None

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        """Return how to write positional values that must be a mistake; else an empty string."""
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

        Equal numbers for all axes become a single number if that is equivalent.
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
                with suppress(ValidationError):  # not every list has one number per axis
                    if type(self).model_validate(shorter).arguments() == self.arguments():
                        arguments = shorter
        return arguments


def positional_hint(kind: type[Component], arguments: object) -> str:
    """Return what to write instead of wrong positional values; empty if that is unclear.

    They may be the values of one list, or hold a size that torch's constructor takes first.
    """
    if isinstance(arguments, Mapping):
        if not arguments or any(part is not None for part in arguments.values()):
            return ""
        arguments = f"({', '.join(map(str, arguments))})"  # {8, 3}, a set in Python
    if isinstance(arguments, str) and isinstance(meaning := value_in(arguments), list):
        with suppress(PydanticCustomError):
            if accepts(kind, by_name(kind, meaning)):
                form = meaning[0] if len(meaning) == 1 else meaning
                return f"write {kind.kind}: {flow(form)}"
    values = list(arguments) if isinstance(arguments, list | tuple) else [arguments]
    names = kind.positional()
    if kind.variadic or not names or any(isinstance(value, Mapping) for value in values):
        return ""
    if kind.usage_hint(values):
        return ""
    if len(values) > 1 and accepts(kind, {names[0]: values}):
        form = flow(values)
        return f"{names[0]} is one list: write {kind.kind}: [{form}] or {{{names[0]}: {form}}}"
    position = kind.inferred_position()
    if position is not None and position < len(values) and type(values[position]) is int:
        rest = values[:position] + values[position + 1 :]
        if len(rest) <= len(names) and accepts(kind, dict(zip(names, rest, strict=False))):
            form = f"{kind.kind}: {flow(rest[0] if len(rest) == 1 else rest)}"
            size = f"the size {values[position]}" if len(values) > 1 else "the size"
            return f"{size} is inferred; write {form if rest else kind.kind}"
    if 1 < len(names) < len(values):
        start = len(names) - 1
        nested = [*values[:start], values[start:]]
        if accepts(kind, dict(zip(names, nested, strict=False))):
            return f"{names[start]} is one list: write {kind.kind}: {flow(nested)}"
    return ""


def accepts(kind: type[Component], arguments: dict[str, Any]) -> bool:
    """Return whether a kind accepts these arguments."""
    try:
        kind.model_validate(arguments)
    except (ValidationError, PydanticCustomError):
        return False
    return True


def by_name(kind: type[Component], arguments: object) -> dict[str, Any]:
    """Return the arguments that a document writes after a kind's name, as a mapping by name.

    Raises:
        PydanticCustomError: The kind takes fewer arguments.
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
            f"found {plural(len(values), 'positional argument')}; {kind.kind} takes {allowed}"
        )
    return dict(zip(names, values, strict=False))
