"""How weights begin: the functions of `torch.nn.init`, by their names without the underscore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from netbuilder.components.component import Component, validation_error
from netbuilder.components.fields import NonNegative, Number, Probability, Size
from netbuilder.components.shapes import Shape

if TYPE_CHECKING:
    from torch import Tensor


class Initializer(Component):
    """One way to fill a tensor."""

    ranks: ClassVar[range] = range(0, 9)
    """How many axes the tensors have that it can fill."""

    def problem(self, shape: Shape) -> str:
        """Why a tensor of ``shape`` cannot be filled; empty if it can."""
        if len(shape) in self.ranks:
            return ""
        low, high = self.ranks[0], self.ranks[-1]
        axes = str(low) if low == high else f"at least {low}" if high == 8 else f"{low} to {high}"
        return f"{self.kind} fills tensors of {axes} axes"

    def fill(self, tensor: Tensor) -> None:
        """Fill ``tensor`` in place, from torch's global random state where it draws."""
        from torch.nn import init

        getattr(init, f"{self.kind}_")(tensor, **self.arguments())


class Constant(Initializer):
    """``val`` everywhere."""

    kind = "constant"

    val: Number


class Zeros(Initializer):
    """0 everywhere."""

    kind = "zeros"


class Ones(Initializer):
    """1 everywhere."""

    kind = "ones"


class Eye(Initializer):
    """The identity, of matrices."""

    kind = "eye"
    ranks = range(2, 3)


class Dirac(Initializer):
    """The identity, of convolutions: as many channels as can be are passed on."""

    kind = "dirac"
    ranks = range(3, 6)

    groups: Size = 1

    def problem(self, shape: Shape) -> str:
        if len(shape) in self.ranks and shape[0] % self.groups:
            return f"groups {self.groups} does not divide the {shape[0]} output channels"
        return super().problem(shape)


class Uniform(Initializer):
    """Drawn evenly from [a, b]."""

    kind = "uniform"

    a: Number = 0.0
    b: Number = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.a > self.b:
            raise validation_error(f"a {self.a} is greater than b {self.b}; swap them")
        return self


class Normal(Initializer):
    """Drawn from a normal distribution."""

    kind = "normal"

    mean: Number = 0.0
    std: NonNegative = 1.0


class TruncNormal(Initializer):
    """Drawn from a normal distribution, again and again until it lies in [a, b]."""

    kind = "trunc_normal"

    mean: Number = 0.0
    std: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    a: Number = -2.0
    b: Number = 2.0

    @model_validator(mode="after")
    def _ordered(self) -> TruncNormal:
        if self.a >= self.b:
            raise validation_error(f"a {self.a} is not below b {self.b}; raise b")
        return self


class XavierUniform(Initializer):
    """Even, with the variance that Glorot and Bengio (2010) derive for linear activations."""

    kind = "xavier_uniform"
    ranks = range(2, 9)

    gain: NonNegative = 1.0


class XavierNormal(Initializer):
    """Normal, with the variance that Glorot and Bengio (2010) derive for linear activations."""

    kind = "xavier_normal"
    ranks = range(2, 9)

    gain: NonNegative = 1.0


Nonlinearity = Literal[
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu",
]  # fmt: skip


class KaimingUniform(Initializer):
    """Even, with the variance that He et al. (2015) derive for rectifiers of negative slope a."""

    kind = "kaiming_uniform"
    ranks = range(2, 9)

    a: Number = 0.0
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Nonlinearity = "leaky_relu"


class KaimingNormal(Initializer):
    """Normal, with the variance that He et al. (2015) derive for rectifiers of negative slope a."""

    kind = "kaiming_normal"
    ranks = range(2, 9)

    a: Number = 0.0
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Nonlinearity = "leaky_relu"


class Orthogonal(Initializer):
    """An orthogonal matrix, of the tensor with all axes behind the first as one."""

    kind = "orthogonal"
    ranks = range(2, 9)

    gain: Number = 1.0


class Sparse(Initializer):
    """Normal, with a share ``sparsity`` of each column 0."""

    kind = "sparse"
    ranks = range(2, 3)

    sparsity: Probability
    std: NonNegative = 0.01
