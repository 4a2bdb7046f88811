"""Adaptive pooling: windows that follow from the output size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from netbuilder.components.fields import PerAxis
from netbuilder.components.layers.base import Unparametrized, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape


def _output_size(axes: int) -> PerAxis:
    """Return the annotation of a size per axis; null keeps the size of an axis."""
    return PerAxis(axes, low=1, nullable=axes > 1, detail=" (null keeps the size of an axis)")


class _AdaptivePool(Unparametrized, abstract=True):
    """A pooling whose windows divide each of ``axes`` axes into ``output_size`` parts."""

    axes: ClassVar[int]
    if TYPE_CHECKING:
        output_size: tuple[int | None, ...]

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        return (x[0], *(bins or size for bins, size in zip(self.output_size, x[1:], strict=True)))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axes = zip(x[1:], self.output_shape(x)[1:], strict=True)
        return field.read(None, *(Window.adaptive(*axis) for axis in axes))


class _AdaptiveMaxPool(_AdaptivePool, abstract=True):
    def onnx_obstacle(self, x: Shape) -> str:
        for size, bins in zip(x[1:], self.output_shape(x)[1:], strict=True):
            if size % bins:
                return f"it has no windows of different sizes, as for {size} positions in {bins}"
        return ""


class AdaptiveAvgPool1d(_AdaptivePool):
    """Applies 1-D adaptive average pooling over (C, L)."""

    axes = 1

    output_size: Annotated[tuple[int | None, ...], _output_size(1)]


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Applies 1-D adaptive max pooling over (C, L)."""

    axes = 1

    output_size: Annotated[tuple[int | None, ...], _output_size(1)]


class AdaptiveAvgPool2d(_AdaptivePool):
    """Applies 2-D adaptive average pooling over (C, H, W)."""

    axes = 2

    output_size: Annotated[tuple[int | None, ...], _output_size(2)]


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Applies 2-D adaptive max pooling over (C, H, W)."""

    axes = 2

    output_size: Annotated[tuple[int | None, ...], _output_size(2)]


class AdaptiveAvgPool3d(_AdaptivePool):
    """Applies 3-D adaptive average pooling over (C, D, H, W)."""

    axes = 3

    output_size: Annotated[tuple[int | None, ...], _output_size(3)]

    def onnx_obstacle(self, x: Shape) -> str:
        bins = self.output_shape(x)[1:]
        return (
            "it has no adaptive average over three axes, except to 1x1x1" if max(bins) > 1 else ""
        )


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Applies 3-D adaptive max pooling over (C, D, H, W)."""

    axes = 3

    output_size: Annotated[tuple[int | None, ...], _output_size(3)]
