"""Weight initialization: the functions of `torch.nn.init`, named without the underscore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from netbuilder.components.component import Component, validation_error
from netbuilder.components.fields import NonNegative, Number, Positive, Probability, Size
from netbuilder.components.shapes import Shape

if TYPE_CHECKING:
    from torch import Tensor


MAX_RANK = 8
"""The most axes of a parameter."""


class Initializer(Component):
    """A function of `torch.nn.init` that fills a parameter."""

    ranks: ClassVar[range] = range(MAX_RANK + 1)
    """The numbers of axes of the tensors that it can fill."""

    @classmethod
    def torch_name(cls) -> str:
        return f"torch.nn.init.{cls.kind}_"

    def problem(self, shape: Shape) -> str:
        """Return why a tensor of ``shape`` cannot be filled, or an empty string."""
        if len(shape) in self.ranks:
            return ""
        low, high = self.ranks[0], self.ranks[-1]
        if low == high:
            axes = str(low)
        elif high == MAX_RANK:
            axes = f"at least {low}"
        else:
            axes = f"{low} to {high}"
        return f"{self.kind} fills tensors of {axes} axes"

    def fill(self, tensor: Tensor) -> None:
        """Fill ``tensor`` in place; random values come from torch's global generator."""
        from torch.nn import init

        getattr(init, f"{self.kind}_")(tensor, **self.arguments())


class Constant(Initializer):
    """Fills with the value ``val``."""

    kind = "constant"

    val: Number


class Zeros(Initializer):
    """Fills with zeros."""

    kind = "zeros"


class Ones(Initializer):
    """Fills with ones."""

    kind = "ones"


class Eye(Initializer):
    """Fills a matrix with the identity."""

    kind = "eye"
    ranks = range(2, 3)


class Dirac(Initializer):
    """Fills a convolution with the identity, which preserves as many channels as possible."""

    kind = "dirac"
    ranks = range(3, 6)

    groups: Size = 1

    def problem(self, shape: Shape) -> str:
        if len(shape) in self.ranks and shape[0] % self.groups:
            return f"groups {self.groups} does not divide the {shape[0]} output channels"
        return super().problem(shape)


class Uniform(Initializer):
    """Fills with values from the uniform distribution over [a, b]."""

    kind = "uniform"

    a: Number = 0.0
    b: Number = 1.0

    @model_validator(mode="after")
    def _check_order(self) -> Uniform:
        if self.a > self.b:
            raise validation_error(f"a {self.a} is greater than b {self.b}; swap them")
        return self


class Normal(Initializer):
    """Fills with values from the normal distribution."""

    kind = "normal"

    mean: Number = 0.0
    std: NonNegative = 1.0


class TruncNormal(Initializer):
    """Fills with values from the normal distribution truncated to [a, b]."""

    kind = "trunc_normal"

    mean: Number = 0.0
    std: Positive = 1.0
    a: Number = -2.0
    b: Number = 2.0

    @model_validator(mode="after")
    def _check_order(self) -> TruncNormal:
        if self.a >= self.b:
            raise validation_error(f"a {self.a} is not below b {self.b}; raise b")
        return self


class XavierUniform(Initializer):
    """Fills from the uniform distribution of Glorot and Bengio (2010)."""

    kind = "xavier_uniform"
    ranks = range(2, MAX_RANK + 1)

    # The range of a weight with one input and one output is 2 * sqrt(3) times the gain.
    gain: Annotated[float, Field(ge=0, le=1e37, allow_inf_nan=False)] = 1.0


class XavierNormal(Initializer):
    """Fills from the normal distribution of Glorot and Bengio (2010)."""

    kind = "xavier_normal"
    ranks = range(2, MAX_RANK + 1)

    gain: NonNegative = 1.0


Nonlinearity = Literal[
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu",
]  # fmt: skip


class KaimingUniform(Initializer):
    """Fills from the uniform distribution of He et al. (2015) for a leaky ReLU of slope a."""

    kind = "kaiming_uniform"
    ranks = range(2, MAX_RANK + 1)

    a: Number = 0.0
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Nonlinearity = "leaky_relu"


class KaimingNormal(Initializer):
    """Fills from the normal distribution of He et al. (2015) for a leaky ReLU of slope a."""

    kind = "kaiming_normal"
    ranks = range(2, MAX_RANK + 1)

    a: Number = 0.0
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Nonlinearity = "leaky_relu"


class Orthogonal(Initializer):
    """Fills with an orthogonal matrix; the axes after the first are flattened."""

    kind = "orthogonal"
    ranks = range(2, MAX_RANK + 1)

    gain: Number = 1.0


class Sparse(Initializer):
    """Fills a matrix from the normal distribution, with a share ``sparsity`` of zeros."""

    kind = "sparse"
    ranks = range(2, 3)

    sparsity: Probability
    std: NonNegative = 0.01
