"""Convolutions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import model_validator

from netbuilder._text import plural
from netbuilder.components.component import validation_error
from netbuilder.components.fields import Pair, PerAxis, Single, Size, Triple
from netbuilder.components.layers.base import Weighted, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Border, Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

Padding = Literal["same", "valid"] | tuple[int, ...]

PADDING_WORDS = ("same", "valid")

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

_BORDERS: dict[PaddingMode, Border] = {
    "zeros": "",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


class _Conv(Weighted, abstract=True):
    """A convolution over the channels and ``axes`` spatial axes."""

    axes: ClassVar[int]
    if TYPE_CHECKING:  # each kind declares them with types for its number of axes
        out_channels: int
        kernel_size: tuple[int, ...]
        stride: tuple[int, ...]
        padding: Padding
        dilation: tuple[int, ...]
        groups: int
        bias: bool
        padding_mode: PaddingMode

    @model_validator(mode="after")
    def _check_arguments(self) -> _Conv:
        if self.padding == "same" and set(self.stride) != {1}:
            raise validation_error(
                f"padding same needs stride 1, found {format_shape(self.stride)}; write a number"
            )
        if self.out_channels % self.groups:
            raise validation_error(
                f"out_channels {self.out_channels} is not a multiple of groups {self.groups}; "
                "change one of the two"
            )
        return self

    def output_shape(self, x: Shape) -> Shape:
        require_axes(self, self.axes, x)
        if x[0] % self.groups:
            raise ShapeError(
                f"groups {self.groups} does not divide the {plural(x[0], 'channel')} of its input "
                f"{format_shape(x)}; change one of the two"
            )
        self._check_padding(x)
        if self.padding == "same":
            return (self.out_channels, *x[1:])
        padded = tuple(size + 2 * pad for size, pad in zip(x[1:], self._padding, strict=True))
        extent = self._extent
        if any(reach > size for reach, size in zip(extent, padded, strict=True)):
            dilated = "" if extent == self.kernel_size else f" (dilated to {format_shape(extent)})"
            around = f" padded to {format_shape(padded)}" if padded != x[1:] else ""
            raise ShapeError(
                f"kernel {format_shape(self.kernel_size)}{dilated} is larger than its input "
                f"{format_shape(x)}{around}; use a smaller kernel, more padding, or less pooling "
                "before it"
            )
        return (
            self.out_channels,
            *(
                (size - reach) // step + 1
                for size, reach, step in zip(padded, extent, self.stride, strict=True)
            ),
        )

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (self.out_channels, x[0] // self.groups, *self.kernel_size)
        }
        return shapes | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, x: Shape) -> int:
        return prod(self.output_shape(x)[1:]) * prod(self.parameter_shapes(x)["weight"])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        border = _BORDERS[self.padding_mode]
        axes = zip(self.kernel_size, self.stride, self._padding_before, self.dilation, strict=True)
        channels = Window.grouped(x[0], self.out_channels, self.groups)
        return field.read(channels, *(Window.sliding(*axis, border) for axis in axes))

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        return {"in_channels": x[0]}

    @property
    def _extent(self) -> tuple[int, ...]:
        """The input positions that the dilated kernel spans, for each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True))

    @property
    def _padding_before(self) -> tuple[int, ...]:
        """The padding at the start of each axis."""
        if self.padding == "same":
            return tuple((extent - 1) // 2 for extent in self._extent)
        return self._padding

    @property
    def _padding(self) -> tuple[int, ...]:
        """The padding at the end of each axis, where ``same`` may pad more than at the start."""
        if isinstance(self.padding, tuple):
            return self.padding
        if self.padding == "valid":
            return (0,) * self.axes
        return tuple(extent // 2 for extent in self._extent)

    def _check_padding(self, x: Shape) -> None:
        """Check that the input is large enough for a border that is copied from it."""
        excess = {"reflect": -1, "circular": 0}.get(self.padding_mode)
        if excess is None:
            return
        for size, pad in zip(x[1:], self._padding, strict=True):
            if pad > size + excess:
                raise ShapeError(
                    f"padding {pad} in mode {self.padding_mode} needs an axis of at least "
                    f"{pad - excess}, found input {format_shape(x)}; use less padding"
                )


class Conv1d(_Conv):
    """Applies a 1-D convolution over (C, L); the input channels are inferred."""

    axes = 1

    out_channels: Size
    kernel_size: Single
    stride: Single = (1,)
    padding: Annotated[Padding, PerAxis(1, low=0, words=PADDING_WORDS)] = (0,)
    dilation: Single = (1,)
    groups: Size = 1
    bias: bool = True
    padding_mode: PaddingMode = "zeros"


class Conv2d(_Conv):
    """Applies a 2-D convolution over (C, H, W); the input channels are inferred."""

    axes = 2

    out_channels: Size
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: Annotated[Padding, PerAxis(2, low=0, words=PADDING_WORDS)] = (0, 0)
    dilation: Pair = (1, 1)
    groups: Size = 1
    bias: bool = True
    padding_mode: PaddingMode = "zeros"


class Conv3d(_Conv):
    """Applies a 3-D convolution over (C, D, H, W); the input channels are inferred."""

    axes = 3

    out_channels: Size
    kernel_size: Triple
    stride: Triple = (1, 1, 1)
    padding: Annotated[Padding, PerAxis(3, low=0, words=PADDING_WORDS)] = (0, 0, 0)
    dilation: Triple = (1, 1, 1)
    groups: Size = 1
    bias: bool = True
    padding_mode: PaddingMode = "zeros"
