"""Registries of the kinds that a place in a document accepts; kinds are imported when used."""

from __future__ import annotations

import json
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
from netbuilder.components.foreign_code import is_foreign, report_faults, value_text
from netbuilder.components.own_streams import own_streams

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
            if is_foreign(kind):
                return _foreign_component(kind, arguments)
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
        """Return the message about a value that is not a component in any form."""
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
        return self.reference(handler)

    def reference(self, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return a reference to the definition of the family, since layers contain layers."""
        from netbuilder.components.json_forms import define

        return define(handler, self.definition, lambda: self._forms(handler))

    def _forms(self, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from netbuilder.components.json_forms import family_schema

        return family_schema(self.noun, self.kinds, handler)


def _foreign_component(kind: type[C], arguments: object) -> C:
    """Return the component of a plugin's kind; what its own code raises is an error of the value.

    Raises:
        ValidationError: An argument is wrong.
        PydanticCustomError: The kind fails, or cannot be written to the record of a run.
    """

    def error(fault: str) -> PydanticCustomError:
        message = f"the plugin's kind failed with these arguments: {fault}; correct the plugin"
        return validation_error(message)

    with report_faults(error, answers=(ValidationError, PydanticCustomError)), own_streams():
        component = kind.model_validate(by_name(kind, arguments))
        _require_record(component)
    if type(component) is not kind:
        raise validation_error(
            f"the plugin's kind returned {value_text(component)} for these arguments; allowed: "
            "an instance of the kind; correct the plugin"
        )
    return component


def _require_record(component: Component) -> None:
    """Check that the record of a run can hold the arguments of a component.

    Raises:
        ValueError: It cannot.
    """
    record = json.loads(component.model_dump_json())
    try:
        type(component).model_validate(record)
    except (ValidationError, PydanticCustomError):
        message = "the record of a run cannot hold its arguments"
        raise ValueError(message) from None
    dict(component.non_default_arguments())
