"""The ``init`` field of layers and networks: an initializer for each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import GetJsonSchemaHandler

from netbuilder.components import kinds
from netbuilder.components.component import StrictModel
from netbuilder.components.registry import Registry

if TYPE_CHECKING:
    from netbuilder.components.initializers import Initializer
else:  # pydantic uses only the registry, which imports initializers when they are used
    Initializer = Any

INITIALIZERS: Registry[Initializer] = Registry("initializer", kinds.INITIALIZERS)

AnyInitializer = Annotated[Initializer, INITIALIZERS]


class ByParameter(StrictModel):
    """An initializer per parameter; without one, torch's default initialization applies."""

    weight: AnyInitializer | None = None
    bias: AnyInitializer | None = None

    def by_name(self) -> Mapping[str, Initializer]:
        """Return the initializers by the parameter's name."""
        initializers = {"weight": self.weight, "bias": self.bias}
        return {name: value for name, value in initializers.items() if value is not None}


class _Init(Registry[Any]):
    """The values of ``init``: an initializer for the weight, or one for each parameter."""

    def parse(self, value: object) -> ByParameter:
        if isinstance(value, ByParameter):
            return value
        if isinstance(value, Mapping) and value.keys() & ByParameter.model_fields.keys():
            return ByParameter.model_validate(dict(value))
        return ByParameter(weight=super().parse(value))

    def serialize(self, component: ByParameter) -> dict[str, Any]:
        return {name: INITIALIZERS.serialize(value) for name, value in component.by_name().items()}

    def _forms(self, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        by_parameter = handler(ByParameter.__pydantic_core_schema__)
        return {"anyOf": [INITIALIZERS.reference(handler), by_parameter]}


Init = Annotated[ByParameter, _Init("initializer", kinds.INITIALIZERS, definition="init")]
