"""Activations, including the softmax family."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from netbuilder.components.component import validation_error
from netbuilder.components.fields import Invertible, NonNegative, Number, Positive, Size
from netbuilder.components.layers.base import (
    Elementwise,
    TorchLayer,
    Unparametrized,
    require_image,
    sample_axis,
)
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.receptive_field.window import Window
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError


def _require_invertible(slope: str, value: float, *, inplace: bool) -> None:
    """Refuse a negative slope in place, of which torch has no gradient.

    Raises:
        PydanticCustomError: The function works in place and has no inverse.
    """
    if inplace and value < 0:
        raise validation_error(
            f"{slope} {value} is negative, and in place torch then has no gradient; remove inplace"
        )


class Threshold(Elementwise):
    """Keeps values above ``threshold`` and replaces all others by ``value``."""

    threshold: Number
    value: Number
    inplace: bool = False


class ReLU(Elementwise):
    """Applies the rectified linear unit element-wise: max(0, x)."""

    inplace: bool = False


class RReLU(Elementwise):
    """Applies the randomized leaky ReLU: x, or a x where x < 0.

    The slope a is drawn from [lower, upper] in training and is their mean in evaluation.
    """

    lower: Number = 1 / 8
    upper: Number = 1 / 3
    inplace: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> RReLU:
        if self.lower > self.upper:
            raise validation_error(
                f"lower {self.lower} is greater than upper {self.upper}; swap them"
            )
        _require_invertible("lower", self.lower, inplace=self.inplace)
        return self

    def onnx_obstacle(self, x: Shape) -> str:
        return "it has no operator with random slopes"


class Hardtanh(Elementwise):
    """Clips values to [min_val, max_val]."""

    min_val: Number = -1.0
    max_val: Number = 1.0
    inplace: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Hardtanh:
        if self.min_val >= self.max_val:
            raise validation_error(
                f"min_val {self.min_val} is not below max_val {self.max_val}; use a larger max_val"
            )
        return self


class ReLU6(Elementwise):
    """Applies the ReLU6 function element-wise: min(max(0, x), 6)."""

    inplace: bool = False


class Sigmoid(Elementwise):
    """Applies the sigmoid function element-wise: 1 / (1 + exp(-x))."""


class Hardsigmoid(Elementwise):
    """Applies the hardsigmoid function element-wise: x / 6 + 1 / 2, clipped to [0, 1]."""

    inplace: bool = False


class Tanh(Elementwise):
    """Applies the hyperbolic tangent element-wise."""


class SiLU(Elementwise):
    """Applies the sigmoid linear unit (swish) element-wise: x sigmoid(x)."""

    inplace: bool = False


class Mish(Elementwise):
    """Applies the Mish function element-wise: x tanh(softplus(x))."""

    inplace: bool = False


class Hardswish(Elementwise):
    """Applies the hardswish function element-wise: x min(max(0, x + 3), 6) / 6."""

    inplace: bool = False


class ELU(Elementwise):
    """Applies the exponential linear unit element-wise: x, or alpha (exp(x) - 1) where x <= 0."""

    alpha: Number = 1.0
    inplace: bool = False

    @model_validator(mode="after")
    def _check_slope(self) -> ELU:
        _require_invertible("alpha", self.alpha, inplace=self.inplace)
        return self


class CELU(Elementwise):
    """Applies the CELU function element-wise: max(0, x) + min(0, alpha (exp(x / alpha) - 1))."""

    alpha: Invertible = 1.0
    inplace: bool = False


class SELU(Elementwise):
    """Applies the self-normalizing ELU element-wise: an ELU with fixed scale and alpha."""

    inplace: bool = False


class GELU(Elementwise):
    """Applies the Gaussian error linear unit element-wise: x Phi(x).

    Phi is the cumulative distribution function of the normal distribution.
    """

    approximate: Literal["none", "tanh"] = "none"


class Hardshrink(Elementwise):
    """Applies the hard shrinkage function element-wise: x, or 0 where abs(x) <= lambd."""

    lambd: Number = 0.5


class LeakyReLU(Elementwise):
    """Applies the leaky ReLU element-wise: x, or negative_slope x where x < 0."""

    negative_slope: Number = 0.01
    inplace: bool = False

    @model_validator(mode="after")
    def _check_slope(self) -> LeakyReLU:
        _require_invertible("negative_slope", self.negative_slope, inplace=self.inplace)
        return self


class LogSigmoid(Elementwise):
    """Applies the logarithm of the sigmoid element-wise."""


class Softplus(Elementwise):
    """Applies the softplus function element-wise: log(1 + exp(beta x)) / beta.

    Where beta x > threshold, it is x.
    """

    beta: Positive = 1.0
    threshold: Number = 20.0


class Softshrink(Elementwise):
    """Applies the soft shrinkage function element-wise: moves values toward 0 by lambd."""

    lambd: NonNegative = 0.5


class Softsign(Elementwise):
    """Applies the softsign function element-wise: x / (1 + abs(x))."""


class Tanhshrink(Elementwise):
    """Applies the tanhshrink function element-wise: x - tanh(x)."""


class PReLU(TorchLayer):
    """Applies the parametric ReLU: x, or a x where x < 0, with a learnable a.

    There is one a, or one per channel.
    """

    num_parameters: Size = 1
    init: Number = 0.25

    def output_shape(self, x: Shape) -> Shape:
        if self.num_parameters not in (1, x[0]):
            raise ShapeError(
                f"num_parameters {self.num_parameters} does not match its input {format_shape(x)}; "
                f"allowed: 1{f', or {x[0]} for one per channel' if x[0] > 1 else ''}"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_parameters,)}

    def macs(self, x: Shape) -> int:
        return 0

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field


class GLU(Unparametrized):
    """Applies the gated linear unit: half of axis ``dim`` times the sigmoid of the other half."""

    dim: int = -1

    def output_shape(self, x: Shape) -> Shape:
        axis = sample_axis(self.dim, x)
        if x[axis] % 2:
            raise ShapeError(
                f"axis {self.dim} of its input {format_shape(x)} cannot be split into two equal "
                "halves; change its size to an even number"
            )
        return (*x[:axis], x[axis] // 2, *x[axis + 1 :])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        axis = sample_axis(self.dim, x)
        halves = Window.sliding(2, dilation=x[axis] // 2)
        return field.read(*(halves if i == axis else None for i in range(len(x))))


class _SoftmaxLike(Unparametrized, abstract=True):
    """A normalization along ``dim``; by default, along the channels of 1-D and 3-D samples."""

    dim: int | None = None

    def output_shape(self, x: Shape) -> Shape:
        self.axis(x)
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, self.axis(x))

    def axis(self, x: Shape) -> int:
        """Return the axis of a sample along which the values are normalized."""
        # torch.nn.functional._get_softmax_dim: axis 0 of a batch of rank 0, 1 or 3, else axis 1.
        dim = (0 if len(x) + 1 in (0, 1, 3) else 1) if self.dim is None else self.dim
        return sample_axis(dim, x)


class Softmax(_SoftmaxLike):
    """Applies the softmax along ``dim``: exp(x) / sum(exp(x))."""


class LogSoftmax(_SoftmaxLike):
    """Applies the logarithm of the softmax along ``dim``."""


class Softmin(_SoftmaxLike):
    """Applies the softmin along ``dim``: exp(-x) / sum(exp(-x))."""


class Softmax2d(Unparametrized):
    """Applies the softmax over the channels at each position of (C, H, W)."""

    def output_shape(self, x: Shape) -> Shape:
        require_image(self, x)
        return x

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_whole(x, self.axis(x))

    def axis(self, x: Shape) -> int:
        """Return the axis of a sample along which the values are normalized."""
        return 0
