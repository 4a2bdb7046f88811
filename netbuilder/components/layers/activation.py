"""Activations of `torch.nn`, and the softmax family."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from netbuilder.components.component import validation_error
from netbuilder.components.fields import Number, Positive, Size
from netbuilder.components.layers.base import (
    Elementwise,
    TorchLayer,
    Unparametrised,
    require_image,
    sample_axis,
)
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError


class Threshold(Elementwise):
    """x where x > ``threshold``, else ``value``."""

    threshold: Number
    value: Number
    inplace: bool = False


class ReLU(Elementwise):
    """max(0, x)."""

    inplace: bool = False


class RReLU(Elementwise):
    """x, or a x where x < 0, with a drawn from [lower, upper] in training and its mean after."""

    lower: Number = 1 / 8
    upper: Number = 1 / 3
    inplace: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> RReLU:
        if self.lower > self.upper:
            raise validation_error(
                f"lower {self.lower} is greater than upper {self.upper}; swap them"
            )
        return self


class Hardtanh(Elementwise):
    """x clipped to [min_val, max_val]."""

    min_val: Number = -1.0
    max_val: Number = 1.0
    inplace: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Hardtanh:
        if self.min_val >= self.max_val:
            raise validation_error(
                f"min_val {self.min_val} is not below max_val {self.max_val}; raise that"
            )
        return self


class ReLU6(Elementwise):
    """min(max(0, x), 6)."""

    inplace: bool = False


class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""


class Hardsigmoid(Elementwise):
    """x / 6 + 1 / 2 clipped to [0, 1]."""

    inplace: bool = False


class Tanh(Elementwise):
    """tanh(x)."""


class SiLU(Elementwise):
    """x sigmoid(x)."""

    inplace: bool = False


class Mish(Elementwise):
    """x tanh(softplus(x))."""

    inplace: bool = False


class Hardswish(Elementwise):
    """x min(max(0, x + 3), 6) / 6."""

    inplace: bool = False


class ELU(Elementwise):
    """x where x > 0, else alpha (exp(x) - 1)."""

    alpha: Number = 1.0
    inplace: bool = False


class CELU(Elementwise):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1))."""

    alpha: Positive = 1.0
    inplace: bool = False


class SELU(Elementwise):
    """ELU with the self-normalising scale and alpha."""

    inplace: bool = False


class GELU(Elementwise):
    """x Phi(x), with Phi the normal distribution's cumulative function."""

    approximate: Literal["none", "tanh"] = "none"


class Hardshrink(Elementwise):
    """x, or 0 where |x| <= lambd."""

    lambd: Number = 0.5


class LeakyReLU(Elementwise):
    """x, or negative_slope x where x < 0."""

    negative_slope: Number = 0.01
    inplace: bool = False


class LogSigmoid(Elementwise):
    """log(sigmoid(x))."""


class Softplus(Elementwise):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""

    beta: Positive = 1.0
    threshold: Number = 20.0


class Softshrink(Elementwise):
    """x moved towards 0 by lambd."""

    lambd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5


class Softsign(Elementwise):
    """x / (1 + |x|)."""


class Tanhshrink(Elementwise):
    """x - tanh(x)."""


class PReLU(TorchLayer):
    """x, or a x where x < 0, with a learned ``a``: one for all, or one a channel."""

    num_parameters: Size = 1
    init: Number = 0.25

    def output_shape(self, x: Shape) -> Shape:
        if self.num_parameters not in (1, x[0]):
            raise ShapeError(
                f"num_parameters {self.num_parameters} fits no input of {format_shape(x)}; "
                f"allowed: 1 or {x[0]}, the channels"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_parameters,)}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field


class GLU(Unparametrised):
    """The first half of axis ``dim`` times the sigmoid of the second half."""

    dim: int = -1

    def output_shape(self, x: Shape) -> Shape:
        axis = sample_axis(self.dim, x)
        if x[axis] % 2:
            raise ShapeError(
                f"axis {self.dim} of its input {format_shape(x)} has no two equal halves; make it even"
            )
        return (*x[:axis], x[axis] // 2, *x[axis + 1 :])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axis = sample_axis(self.dim, x)
        halves = Window.sliding(2, dilation=x[axis] // 2)
        return field.read(*(halves if i == axis else None for i in range(len(x))))


class _SoftmaxLike(Unparametrised, abstract=True):
    """A normalisation along ``dim``; without it, along the channels of 1-D and 3-D samples."""

    dim: int | None = None

    def output_shape(self, x: Shape) -> Shape:
        self._axis(x)
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, self._axis(x))

    def _axis(self, x: Shape) -> int:
        # torch.nn.functional._get_softmax_dim: axis 0 of a batch of rank 0, 1 or 3, else axis 1.
        dim = (0 if len(x) + 1 in (0, 1, 3) else 1) if self.dim is None else self.dim
        return sample_axis(dim, x)


class Softmax(_SoftmaxLike):
    """exp(x) / sum(exp(x)) along ``dim``."""


class LogSoftmax(_SoftmaxLike):
    """log(exp(x) / sum(exp(x))) along ``dim``."""


class Softmin(_SoftmaxLike):
    """exp(-x) / sum(exp(-x)) along ``dim``."""


class Softmax2d(Unparametrised):
    """Softmax over the channels at each position of (C, H, W)."""

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, 0)
