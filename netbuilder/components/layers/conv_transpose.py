"""Transposed convolutions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import model_validator

from netbuilder._text import plural
from netbuilder.components.component import validation_error
from netbuilder.components.fields import (
    Pair,
    PairFromZero,
    Single,
    SingleFromZero,
    Size,
    Triple,
    TripleFromZero,
)
from netbuilder.components.layers.base import Weighted, require_axes
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError


class _ConvTranspose(Weighted, abstract=True):
    """A transposed convolution over the channels and ``axes`` spatial axes."""

    axes: ClassVar[int]
    if TYPE_CHECKING:  # each kind declares them with types for its number of axes
        out_channels: int
        kernel_size: tuple[int, ...]
        stride: tuple[int, ...]
        padding: tuple[int, ...]
        output_padding: tuple[int, ...]
        groups: int
        bias: bool
        dilation: tuple[int, ...]

    @model_validator(mode="after")
    def _check_arguments(self) -> _ConvTranspose:
        for extra, step, dilation in zip(
            self.output_padding, self.stride, self.dilation, strict=True
        ):
            if extra >= max(step, dilation):
                raise validation_error(
                    f"output_padding {extra} is not below the larger of stride {step} and "
                    f"dilation {dilation}; use a smaller output_padding"
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
        out = tuple(
            (size - 1) * step - 2 * pad + dilation * (kernel - 1) + extra + 1
            for size, kernel, step, pad, extra, dilation in zip(
                x[1:], self.kernel_size, self.stride, self.padding, self.output_padding,
                self.dilation, strict=True,
            )
        )  # fmt: skip
        if min(out) < 1:
            raise ShapeError(
                f"padding {format_shape(self.padding)} leaves {format_shape(out)} of its input "
                f"{format_shape(x)}; use less padding"
            )
        return (self.out_channels, *out)

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (x[0], self.out_channels // self.groups, *self.kernel_size)
        }
        return shapes | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, x: Shape) -> int:
        return prod(x[1:]) * prod(self.parameter_shapes(x)["weight"])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axes = zip(x[1:], self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        channels = Window.grouped(x[0], self.out_channels, self.groups)
        return field.read(channels, *(Window.transposed(*axis) for axis in axes))

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        return {"in_channels": x[0]}


class ConvTranspose1d(_ConvTranspose):
    """Applies a 1-D transposed convolution over (C, L); the input channels are inferred."""

    axes = 1

    out_channels: Size
    kernel_size: Single
    stride: Single = (1,)
    padding: SingleFromZero = (0,)
    output_padding: SingleFromZero = (0,)
    groups: Size = 1
    bias: bool = True
    dilation: Single = (1,)
    padding_mode: Literal["zeros"] = "zeros"


class ConvTranspose2d(_ConvTranspose):
    """Applies a 2-D transposed convolution over (C, H, W); the input channels are inferred."""

    axes = 2

    out_channels: Size
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: PairFromZero = (0, 0)
    output_padding: PairFromZero = (0, 0)
    groups: Size = 1
    bias: bool = True
    dilation: Pair = (1, 1)
    padding_mode: Literal["zeros"] = "zeros"


class ConvTranspose3d(_ConvTranspose):
    """Applies a 3-D transposed convolution over (C, D, H, W).

    The input channels are inferred.
    """

    axes = 3

    out_channels: Size
    kernel_size: Triple
    stride: Triple = (1, 1, 1)
    padding: TripleFromZero = (0, 0, 0)
    output_padding: TripleFromZero = (0, 0, 0)
    groups: Size = 1
    bias: bool = True
    dilation: Triple = (1, 1, 1)
    padding_mode: Literal["zeros"] = "zeros"
