"""Pooling over windows of each channel."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from netbuilder._text import LARGEST
from netbuilder.components.component import validation_error
from netbuilder.components.fields import (
    Pair,
    PairFromZero,
    Positive,
    Single,
    SingleFromZero,
    Triple,
    TripleFromZero,
)
from netbuilder.components.layers.base import Unparametrized, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


class _Pool(Unparametrized, abstract=True):
    """A pooling over ``axes`` axes; ``stride`` defaults to the kernel size."""

    axes: ClassVar[int]
    if TYPE_CHECKING:  # each kind declares them in torch's order, for its number of axes
        kernel_size: tuple[int, ...]
        stride: tuple[int, ...] | None
        ceil_mode: bool

    @property
    def _padding(self) -> tuple[int, ...]:
        padding: tuple[int, ...] = getattr(self, "padding", (0,) * self.axes)
        return padding

    @model_validator(mode="after")
    def _check_padding(self) -> _Pool:
        if any(
            pad > kernel // 2 for pad, kernel in zip(self._padding, self.kernel_size, strict=True)
        ):
            raise validation_error(
                f"padding {format_shape(self._padding)} is more than half of "
                f"kernel {format_shape(self.kernel_size)}; use less padding"
            )
        return self

    @property
    def _dilation(self) -> tuple[int, ...]:
        dilation: tuple[int, ...] = getattr(self, "dilation", (1,) * self.axes)
        return dilation

    @property
    def _extent(self) -> tuple[int, ...]:
        """The input positions that the dilated window spans, for each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_size, self._dilation, strict=True))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        stride = self.stride or self.kernel_size
        axes = zip(self.kernel_size, stride, self._padding, self._dilation, strict=True)
        return field.read(None, *(Window.sliding(*axis) for axis in axes))

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        axes = zip(x[1:], self._padding, self._extent, self.stride or self.kernel_size, strict=True)
        out = tuple(self._positions(*axis) for axis in axes)
        if min(out) < 1:
            padded = f" with padding {format_shape(self._padding)}" if any(self._padding) else ""
            raise ShapeError(
                f"window {format_shape(self._extent)} is larger than its input "
                f"{format_shape(x)}{padded}; use a smaller kernel, or remove the layer"
            )
        return (x[0], *out)

    @classmethod
    def arguments_of(cls, module: nn.Module) -> dict[str, Any]:
        arguments = super().arguments_of(module)
        if arguments["stride"] == arguments["kernel_size"]:  # torch's default
            arguments["stride"] = None
        return arguments

    def _positions(self, size: int, pad: int, extent: int, stride: int) -> int:
        """Return the number of windows along an axis of ``size``."""
        span = size + 2 * pad - extent
        if not self.ceil_mode:
            return span // stride + 1
        count = -(-span // stride) + 1
        # torch drops a last window that would start in the padding after the input.
        return count - 1 if (count - 1) * stride >= size + pad else count


class _MaxPool(_Pool, abstract=True):
    """A max pooling, whose windows may have holes that are wider than the input."""

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        # Only the first window starts in the padding where a hole can be wider than the input.
        first = [-pad % step for pad, step in zip(self._padding, self._dilation, strict=True)]
        if any(start >= size for start, size in zip(first, x[1:], strict=True)):
            raise ShapeError(
                f"with dilation {format_shape(self._dilation)} and padding "
                f"{format_shape(self._padding)}, the first window reads none of its input "
                f"{format_shape(x)}, and torch would write outside its memory; use less dilation "
                "or no padding"
            )
        return y


class _MeanPool3d(_Pool, abstract=True):
    """A pooling that torch computes by 3-D average pooling."""

    axes = 3

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        if any(kernel > size for kernel, size in zip(self.kernel_size, x[1:], strict=True)):
            raise ShapeError(
                f"window {format_shape(self.kernel_size)} is larger than its input "
                f"{format_shape(x)}, which torch refuses in 3-D even with padding; "
                "use a smaller kernel"
            )
        return y


class MaxPool1d(_MaxPool):
    """Applies 1-D max pooling over (C, L)."""

    axes = 1
    keyword_only = frozenset({"ceil_mode"})  # torch has return_indices before it

    kernel_size: Single
    stride: Single | None = None
    padding: SingleFromZero = (0,)
    dilation: Single = (1,)
    ceil_mode: bool = False


class AvgPool1d(_Pool):
    """Applies 1-D average pooling over (C, L)."""

    axes = 1

    kernel_size: Single
    stride: Single | None = None
    padding: SingleFromZero = (0,)
    ceil_mode: bool = False
    count_include_pad: bool = True


class LPPool1d(_Pool):
    """Applies 1-D power-average pooling over (C, L): the p-norm, where p is ``norm_type``."""

    axes = 1

    norm_type: Positive
    kernel_size: Single
    stride: Single | None = None
    ceil_mode: bool = False

    def constructor_arguments(self) -> dict[str, Any]:
        """Return the arguments with integers for tuples, which this pooling alone refuses."""
        return {
            name: value[0] if isinstance(value, tuple) else value
            for name, value in self.arguments().items()
        }


class MaxPool2d(_MaxPool):
    """Applies 2-D max pooling over (C, H, W)."""

    axes = 2
    keyword_only = frozenset({"ceil_mode"})  # torch has return_indices before it

    kernel_size: Pair
    stride: Pair | None = None
    padding: PairFromZero = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False


class AvgPool2d(_Pool):
    """Applies 2-D average pooling over (C, H, W)."""

    axes = 2

    kernel_size: Pair
    stride: Pair | None = None
    padding: PairFromZero = (0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: Annotated[int, Field(ge=1, le=LARGEST)] | None = None

    def onnx_obstacle(self, x: Shape) -> str:
        return _divisor_obstacle(self, x)


class LPPool2d(_Pool):
    """Applies 2-D power-average pooling over (C, H, W): the p-norm, where p is ``norm_type``."""

    axes = 2

    norm_type: Positive
    kernel_size: Pair
    stride: Pair | None = None
    ceil_mode: bool = False


class MaxPool3d(_MaxPool):
    """Applies 3-D max pooling over (C, D, H, W)."""

    axes = 3
    keyword_only = frozenset({"ceil_mode"})  # torch has return_indices before it

    kernel_size: Triple
    stride: Triple | None = None
    padding: TripleFromZero = (0, 0, 0)
    dilation: Triple = (1, 1, 1)
    ceil_mode: bool = False


class AvgPool3d(_MeanPool3d):
    """Applies 3-D average pooling over (C, D, H, W)."""

    axes = 3

    kernel_size: Triple
    stride: Triple | None = None
    padding: TripleFromZero = (0, 0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: Annotated[int, Field(ge=1, le=LARGEST)] | None = None

    def onnx_obstacle(self, x: Shape) -> str:
        return _divisor_obstacle(self, x)


class LPPool3d(_MeanPool3d):
    """Applies 3-D power-average pooling over (C, D, H, W): the p-norm, where p is ``norm_type``."""

    axes = 3

    norm_type: Positive
    kernel_size: Triple
    stride: Triple | None = None
    ceil_mode: bool = False


def _divisor_obstacle(pool: AvgPool2d | AvgPool3d, x: Shape) -> str:
    """Return why ONNX lacks an average with its own divisor; empty if it is the usual one."""
    divisor, count = pool.divisor_override, prod(pool.kernel_size)
    strides = pool.stride or pool.kernel_size
    axes = zip(x[1:], pool.padding, pool.kernel_size, strides, strict=True)
    is_cut = pool.ceil_mode and any((n + 2 * pad - k) % step for n, pad, k, step in axes)
    skips_padding = any(pool.padding) and not pool.count_include_pad
    if divisor is None or (divisor == count and not is_cut and not skips_padding):
        return ""
    return "it divides by the number of values that a window reads, and has no divisor_override"
