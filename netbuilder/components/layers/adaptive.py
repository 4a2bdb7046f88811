"""Adaptive pooling: as many windows as are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, WithJsonSchema

from netbuilder._text import LARGEST, describe
from netbuilder.components.component import validation_error
from netbuilder.components.layers.base import Unparametrised, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape


def _output_size(axes: int) -> Any:
    """Annotations for a size of each axis; null keeps an axis as it is."""
    kept = " (null keeps an axis)" if axes > 1 else ""
    several_of_them = f", or a list of {axes} of them{kept}" if axes > 1 else ""

    def read(value: object) -> tuple[int | None, ...]:
        items: Any = value if isinstance(value, list | tuple) else [value] * axes
        if len(items) != axes or any(
            (item is not None or axes == 1) and (type(item) is not int or not 1 <= item <= LARGEST)
            for item in items
        ):
            raise validation_error(
                f"found {describe(value)}; allowed: a whole number of at least 1{several_of_them}"
            )
        return tuple(items)

    kinds: Any = ["integer", "null"] if axes > 1 else "integer"
    one: dict[str, Any] = {"type": kinds, "minimum": 1, "maximum": LARGEST}
    several = {"type": "array", "items": one, "minItems": axes, "maxItems": axes}
    return BeforeValidator(read), WithJsonSchema({"anyOf": [one, several]})


class _AdaptivePool(Unparametrised, abstract=True):
    """As many windows as ``output_size`` asks for, spread over all of ``axes`` axes."""

    axes: ClassVar[int]
    if TYPE_CHECKING:
        output_size: tuple[int | None, ...]

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        return (x[0], *(bins or size for bins, size in zip(self.output_size, x[1:], strict=True)))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axes = zip(x[1:], self.output_shape(x)[1:], strict=True)
        return field.read(None, *(Window.adaptive(*axis) for axis in axes))


class AdaptiveAvgPool1d(_AdaptivePool):
    """The mean of each of ``output_size`` windows over (C, L)."""

    axes = 1

    output_size: Annotated[tuple[int | None, ...], *_output_size(1)]


class AdaptiveMaxPool1d(_AdaptivePool):
    """The largest value of each of ``output_size`` windows over (C, L)."""

    axes = 1

    output_size: Annotated[tuple[int | None, ...], *_output_size(1)]


class AdaptiveAvgPool2d(_AdaptivePool):
    """The mean of each of ``output_size`` windows over (C, H, W)."""

    axes = 2

    output_size: Annotated[tuple[int | None, ...], *_output_size(2)]


class AdaptiveMaxPool2d(_AdaptivePool):
    """The largest value of each of ``output_size`` windows over (C, H, W)."""

    axes = 2

    output_size: Annotated[tuple[int | None, ...], *_output_size(2)]


class AdaptiveAvgPool3d(_AdaptivePool):
    """The mean of each of ``output_size`` windows over (C, D, H, W)."""

    axes = 3

    output_size: Annotated[tuple[int | None, ...], *_output_size(3)]


class AdaptiveMaxPool3d(_AdaptivePool):
    """The largest value of each of ``output_size`` windows over (C, D, H, W)."""

    axes = 3

    output_size: Annotated[tuple[int | None, ...], *_output_size(3)]
