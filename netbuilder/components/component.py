"""The one grammar of components: layers, optimizers, schedulers, augmentations, losses, data sets.

    Name                   every argument at its default
    Name: scalar           the first positional argument
    Name: [positional]     arguments in torch's order
    Name: {field: value}   arguments by name

A kind is a class whose fields are the arguments; a `Family` is the tuple of kinds that one place of
the document accepts. Values are strict: nothing is turned into something else on the way in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import (
    CoreSchema,
    ErrorDetails,
    InitErrorDetails,
    PydanticCustomError,
    core_schema,
)

from netbuilder._text import describe, did_you_mean, quoted

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
    """The error that a validator raises: pydantic adds the place, the message stays as it is."""
    return PydanticCustomError(FAULT, "{message}", {"message": message})


def validation_errors(
    faults: Iterable[tuple[tuple[str | int, ...], str, object]],
) -> ValidationError:
    """As `fault`, for a validator of a whole model: places in it, messages and what was found."""
    return ValidationError.from_exception_data(
        "faults",
        [
            InitErrorDetails(type=validation_error(message), loc=place, input=found)
            for place, message, found in faults
        ],
    )


def explain(error: ErrorDetails, model: type[BaseModel]) -> str:
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
                        type=validation_error(explain(line, cls)),
                        loc=line["loc"],
                        input=line["input"],
                    )
                    for line in error.errors(include_url=False)
                ],
            ) from None


class Component(StrictModel):
    """One kind of component; its fields are its arguments, in torch's positional order."""

    kind: ClassVar[str]
    """The name in documents: the class's own, which is torch's."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" not in cls.__dict__:
            cls.kind = cls.__name__

    keyword_only: ClassVar[frozenset[str]] = frozenset()
    """Arguments behind one of torch's that has no place in a document; they go by name alone."""

    variadic: ClassVar[str] = ""
    """The argument that takes all positional ones, as ``*args`` does in torch's constructor."""

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """The names of the arguments, in the order of ``Name: [positional]``."""
        return tuple(name for name in cls.model_fields if name not in cls.keyword_only)

    @classmethod
    def usage_hint(cls, values: Sequence[Any]) -> str:
        """What is to be written in place of positional values that are plainly not meant as such.

        Empty where they may be.
        """
        return ""

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """The names of the arguments that have no default."""
        return tuple(name for name, field in cls.model_fields.items() if field.is_required())

    def arguments(self) -> dict[str, Any]:
        """Every argument with its value, defaults included."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def non_default_arguments(self) -> dict[str, Any]:
        """The arguments that are not at their defaults, one number where it means all axes."""
        fields = type(self).model_fields
        given = {
            name: value
            for name, value in self.arguments().items()
            if fields[name].is_required() or value != fields[name].get_default()
        }
        for name, value in given.items():
            if isinstance(value, tuple) and len(set(value)) == 1 and type(value[0]) is int:
                shorter = given | {name: value[0]}
                with suppress(ValidationError):  # some lists are no number an axis
                    if type(self).model_validate(shorter).arguments() == self.arguments():
                        given = shorter
        return given


C = TypeVar("C", bound=Component)


def by_name(kind: type[Component], written: object) -> dict[str, Any]:
    """The arguments that a document writes behind a kind's name, as a mapping by name.

    Raises:
        PydanticCustomError: more arguments than the kind takes.
    """
    if written is None:
        return {}
    if isinstance(written, Mapping):
        return dict(written)
    if kind.variadic and isinstance(written, list | tuple):
        return {kind.variadic: written}
    names = kind.positional()
    values = written if isinstance(written, list | tuple) else [written]
    if values and (instead := kind.usage_hint(values)):
        raise validation_error(f"found {describe(values[0])} by position; write {instead}")
    if len(values) > len(names):
        takes = f"at most {len(names)}: {', '.join(names)}" if names else "none"
        raise validation_error(
            f"found {len(values)} positional arguments; {kind.kind} takes {takes}"
        )
    return dict(zip(names, values, strict=False))


class Registry(Generic[C]):
    """The kinds that one place of the document accepts, as an annotation that pydantic reads.

    A field of type ``Annotated[Layer, Family("layer", KINDS)]`` takes the component grammar or an
    instance of one of the kinds.
    """

    def __init__(
        self, noun: str, kinds: Iterable[type[C]] = (), definition: str | None = None
    ) -> None:
        self.noun = noun
        self.definition = definition or noun
        """The name of its forms in the JSON Schema."""
        self.kinds: dict[str, type[C]] = {}
        self.resolve_missing: Callable[[str], type[C] | None] = lambda name: None
        """Where a kind is looked for that is not among ``kinds``."""
        self.add(kinds)

    def add(self, kinds: Iterable[type[C]]) -> None:
        """Accept further kinds; those that hold others of the family can only be made behind it."""
        self.kinds |= {kind.kind: kind for kind in kinds}

    def read(self, value: object) -> C:
        """The component that ``value`` writes; errors carry the kind's name in their place."""
        if isinstance(value, Component) and type(value) is self.kinds.get(value.kind):
            return value
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, Mapping) or not value:
            raise validation_error(
                f"found {describe(value)}; a {self.noun} is written as Name, "
                "Name: scalar, Name: [positional] or Name: {field: value}"
            )
        if len(value) > 1:
            names = ", ".join(quoted(str(name)) for name in list(value)[:4])
            names += ", …" if len(value) > 4 else ""
            raise validation_error(
                f"found {len(value)} keys ({names}) where one "
                f"{self.noun} belongs; indent its arguments below its name"
            )
        [(name, written)] = value.items()
        kind = self.kind(name)
        try:
            return kind.model_validate(by_name(kind, written))
        except ValidationError as error:
            lines = error.errors(include_url=False)
        except PydanticCustomError as error:
            lines = [
                ErrorDetails(type=FAULT, loc=(), msg="", input=written, ctx=error.context or {})
            ]
        raise ValidationError.from_exception_data(
            name,
            [
                InitErrorDetails(
                    type=validation_error(line["ctx"]["message"]),
                    loc=(name, *line["loc"]),
                    input=line["input"],
                )
                for line in lines
            ],
        )

    def write(self, component: C) -> dict[str, Any]:
        """The canonical form of a component: ``{Name: {field: value}}`` with every default."""
        return {component.kind: component.model_dump(mode="json")}

    def kind(self, name: str) -> type[C]:
        """The kind of that name.

        Raises:
            PydanticCustomError: there is none.
        """
        if name not in self.kinds:
            found = self.resolve_missing(name) if name.isidentifier() else None
            if found is None:
                raise validation_error(
                    f"unknown {self.noun} {quoted(name)}{did_you_mean(name, self.kinds)}"
                )
            self.add([found])
        return self.kinds[name]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(self.write),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """A reference to the family's forms, which are written once: layers hold layers."""
        # Only pydantic's own handler has one, and only it is ever given here.
        generator: Any = handler.generate_json_schema  # type: ignore[attr-defined]
        name, reference = generator.get_cache_defs_ref_schema(f"netbuilder.{self.definition}")
        if name not in generator.definitions:
            generator.definitions[name] = {}  # for what refers to it while it is written
            generator.definitions[name] = self._forms(handler)
        written: dict[str, Any] = reference
        return written

    def _forms(self, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bare = [name for name, kind in self.kinds.items() if not kind.required()]
        forms = {name: _reference(kind, handler) for name, kind in self.kinds.items()}
        mapping = {
            "type": "object",
            "properties": forms,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        return {"anyOf": [{"enum": bare}, mapping] if bare else [mapping]}


def _reference(kind: type[Component], handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Return a reference to the forms of a kind, which are defined under its name."""
    generator: Any = handler.generate_json_schema  # type: ignore[attr-defined]
    name, reference = generator.get_cache_defs_ref_schema(f"netbuilder.{kind.kind}")
    if name not in generator.definitions:
        generator.definitions[name] = {}  # a kind that holds layers refers to itself
        generator.definitions[name] = {
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "anyOf": _written_forms(kind, handler),
        }
    return dict(reference)


def _written_forms(kind: type[Component], handler: GetJsonSchemaHandler) -> list[dict[str, Any]]:
    """Return the JSON Schemas of the values that a document can write after a kind's name.

    Defaults and descriptions are on the arguments by name alone, where an editor shows them.
    """
    kind.model_rebuild()
    mapping = dict(handler.resolve_ref_schema(handler(kind.__pydantic_core_schema__)))
    mapping.pop("description", None)
    by_field = mapping.get("properties", {})
    if kind.variadic:
        return [mapping, _constraint(by_field[kind.variadic])]
    values = [_constraint(by_field[name]) for name in kind.positional()]
    required = len(kind.required())
    forms: list[dict[str, Any]] = [mapping]
    if values and required < 2 and (scalar := _scalar(values[0])):
        forms.append(scalar)
    positional = {"type": "array", "minItems": required, "maxItems": len(values)}
    forms.append(positional | ({"prefixItems": values} if values else {}))
    if not required:
        forms.append({"type": "null"})
    return forms


def _constraint(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema without its annotations."""
    return {key: part for key, part in schema.items() if key not in ("default", "description")}


def _scalar(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of a JSON Schema that allows numbers, strings and booleans, if any."""
    if schema.keys() == {"anyOf"}:
        parts = [part for part in map(_scalar, schema["anyOf"]) if part]
        return parts[0] if len(parts) == 1 else {"anyOf": parts} if parts else None
    if schema.keys().isdisjoint(("type", "enum", "const")):
        return {"allOf": [schema, {"not": {"type": list(_NOT_SCALAR)}}]}
    types = schema.get("type", ())
    types = [types] if isinstance(types, str) else list(types)
    scalars = [name for name in types if name not in _NOT_SCALAR]
    if types and not scalars:
        return None
    if scalars == types:
        return schema
    return schema | {"type": scalars[0] if len(scalars) == 1 else scalars}


_NOT_SCALAR = ("array", "object", "null")
