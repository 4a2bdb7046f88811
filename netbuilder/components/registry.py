"""Registries of the kinds that a place in a document accepts; kinds are imported when used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from importlib import import_module
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import (
    CoreSchema,
    ErrorDetails,
    InitErrorDetails,
    PydanticCustomError,
    core_schema,
)

from netbuilder._text import describe, proposal, quoted
from netbuilder.components.component import (
    FAULT,
    Component,
    by_name,
    positional_hint,
    validation_error,
)

C = TypeVar("C", bound=Component)


class Kinds(MutableMapping[str, type[C]]):
    """The kinds of a family by name; iterating over the names imports nothing.

    Args:
        modules: Each module with the names of the kinds that it defines. A module is imported when
            one of its kinds is first looked up.
    """

    def __init__(self, modules: Mapping[str, Iterable[str]]) -> None:
        self._kinds: dict[str, type[C] | str] = {
            name: module for module, names in modules.items() for name in names
        }

    def __getitem__(self, name: str) -> type[C]:
        kind = self._kinds[name]
        if isinstance(kind, str):
            kind = self._kinds[name] = _defined_kinds(import_module(kind))[name]
        return kind

    def __setitem__(self, name: str, kind: type[C]) -> None:
        self._kinds[name] = kind

    def __delitem__(self, name: str) -> None:
        del self._kinds[name]

    def __contains__(self, name: object) -> bool:
        return name in self._kinds

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


def _defined_kinds(module: ModuleType) -> dict[str, Any]:
    """Return the component classes that a module defines, by the names that documents use."""
    return {
        value.kind: value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Component)
        and value.__module__ == module.__name__
    }


class Registry(Generic[C]):
    """The kinds that a place in a document accepts, as an annotation for pydantic.

    A field of type ``Annotated[Layer, LAYERS]`` accepts the component grammar, or an instance of
    one of the kinds.

    Args:
        noun: The word for a component of this family in messages.
        modules: Each module of the family with the names of its kinds.
        definition: The name of the family in the JSON Schema; by default the noun.
    """

    def __init__(
        self,
        noun: str,
        modules: Mapping[str, Iterable[str]] | None = None,
        definition: str | None = None,
    ) -> None:
        self.noun = noun
        self.definition = definition or noun
        self.kinds: Kinds[C] = Kinds(modules or {})
        self.resolve_missing: Callable[[str], type[C] | None] = lambda name: None
        """Look up a kind that is not among ``kinds``; plugins set it."""

    def add(self, kinds: Iterable[type[C]]) -> None:
        """Add kinds."""
        self.kinds.update({kind.kind: kind for kind in kinds})

    def parse(self, value: object) -> C:
        """Return the component that a value of a document describes.

        Raises:
            ValidationError: An argument is wrong; the name of the kind is part of its place.
            PydanticCustomError: The value is not a component, or its kind is unknown.
        """
        if isinstance(value, Component) and type(value) is self.kinds.get(value.kind):
            return value
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, Mapping) or not value:
            raise validation_error(self._not_a_mapping(value))
        if len(value) > 1 or next(iter(value)) not in self.kinds:
            self._require_one_key(value)
        [(name, arguments)] = value.items()
        kind = self.kind(name)
        try:
            return kind.model_validate(by_name(kind, arguments))
        except ValidationError as error:
            lines = error.errors(include_url=False)
        except PydanticCustomError as error:
            lines = [
                ErrorDetails(type=FAULT, loc=(), msg="", input=arguments, ctx=error.context or {})
            ]
        if hint := proposal(positional_hint(kind, arguments)):
            position = "" if isinstance(arguments, Mapping) else " by position"
            message = f"found {describe(arguments)}{position}; {hint}"
            context = {"message": message}
            lines = [ErrorDetails(type=FAULT, loc=(), msg="", input=arguments, ctx=context)]
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

    def _not_a_mapping(self, value: object) -> str:
        """Return the message about a value that is no component in any form."""
        from netbuilder.components.foreign_forms import list_of_words
        from netbuilder.components.foreign_names import article

        hint = list_of_words(self.noun, self.kinds, value) if isinstance(value, list) else ""
        form = "Name, Name: scalar, Name: [positional] or Name: {field: value}"
        return f"found {describe(value)}; " + (
            hint or f"{article(self.noun)} {self.noun} is written as {form}"
        )

    def _require_one_key(self, value: Mapping[str, Any]) -> None:
        """Check that a mapping has one key, which is not the class as other tools name it.

        Raises:
            PydanticCustomError: It has not.
        """
        from netbuilder.components.foreign_forms import class_by_key, several_keys

        if message := class_by_key(self.noun, self.kinds, value):
            raise validation_error(message)
        if len(value) == 1:
            return
        names = ", ".join(quoted(str(name)) for name in list(value)[:4])
        names += ", …" if len(value) > 4 else ""
        hint = several_keys(self.noun, self.kinds, value) or "indent its arguments below its name"
        raise validation_error(
            f"found {len(value)} keys ({names}) where one {self.noun} belongs; {hint}"
        )

    def serialize(self, component: C) -> dict[str, Any]:
        """Return the canonical form of a component: ``{Name: {field: value}}``, all defaults."""
        return {component.kind: component.model_dump(mode="json")}

    def kind(self, name: str) -> type[C]:
        """Return the kind ``name``; import its module if necessary.

        Raises:
            PydanticCustomError: The name is unknown.
        """
        if name not in self.kinds:
            kind = self.resolve_missing(name) if name.isidentifier() else None
            if kind is None:
                from netbuilder.components.foreign_forms import unknown

                raise validation_error(unknown(self.noun, name, self.kinds))
            self.add([kind])
        return self.kinds[name]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(self.serialize),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return a reference to the definition of the family, since layers contain layers."""
        return _define(handler, self.definition, lambda: self._forms(handler))

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


def _define(
    handler: GetJsonSchemaHandler, name: str, schema: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return a reference to a definition, which the first reference adds to the schema."""
    generator: Any = handler.generate_json_schema  # type: ignore[attr-defined]  # pydantic's own handler
    key, reference = generator.get_cache_defs_ref_schema(f"netbuilder.{name}")
    if key not in generator.definitions:
        generator.definitions[key] = {}  # layers contain layers: they refer to it meanwhile
        generator.definitions[key] = schema()
    return dict(reference)


def _reference(kind: type[Component], handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Return a reference to the definition of a kind."""
    return _define(
        handler,
        kind.kind,
        lambda: {
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "anyOf": _written_forms(kind, handler),
        },
    )


def _written_forms(kind: type[Component], handler: GetJsonSchemaHandler) -> list[dict[str, Any]]:
    """Return the JSON Schemas of the values that can follow the name of a kind.

    Only arguments by name have defaults and descriptions, which editors show.
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
    """Return the part of a JSON Schema that allows numbers, strings and booleans, or None."""
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
