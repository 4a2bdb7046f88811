"""Layers of `torchvision.ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from netbuilder.components.fields import LIST_AS_TUPLE, Length, Probability, Size
from netbuilder.components.layers.base import Elementwise, TorchLayer, Unparametrised
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


class StochasticDepth(Elementwise):
    """In training, each sample (mode row) or the whole batch is zeroed with probability ``p``."""

    home = "torchvision.ops"

    p: Probability
    mode: Literal["batch", "row"]


Activation = Literal[
    "ELU", "GELU", "Hardsigmoid", "Hardswish", "LeakyReLU", "Mish", "ReLU", "ReLU6", "Sigmoid",
    "SiLU", "Softplus", "Tanh",
]  # fmt: skip


_ACTIVATIONS = ("activation", "scale_activation")


class SqueezeExcitation(TorchLayer):
    """Each channel of (C, H, W) scaled by what two 1x1 convolutions make of the channels' means."""

    home = "torchvision.ops"

    squeeze_channels: Size
    activation: Activation = "ReLU"
    scale_activation: Activation = "Sigmoid"

    def output_shape(self, x: Shape) -> Shape:
        if len(x) != 3:
            raise ShapeError(
                f"it takes channels x height x width, found {format_shape(x)}; move it"
            )
        return x

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        wide, narrow = x[0], self.squeeze_channels
        return {
            "fc1.weight": (narrow, wide, 1, 1),
            "fc1.bias": (narrow,),
            "fc2.weight": (wide, narrow, 1, 1),
            "fc2.bias": (wide,),
        }

    def macs(self, x: Shape) -> int:
        return 2 * x[0] * self.squeeze_channels

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.everything(x)

    def inferred(self, x: Shape) -> dict[str, int]:
        return {"input_channels": x[0]}

    def constructed_with(self) -> dict[str, Any]:
        from torch import nn

        classes = {name: getattr(nn, getattr(self, name)) for name in _ACTIVATIONS}
        return super().constructed_with() | classes

    @classmethod
    def read_back(cls, module: nn.Module) -> dict[str, Any]:
        found: Any = module
        return {"squeeze_channels": found.fc1.out_channels} | {
            name: type(getattr(found, name)).__name__ for name in _ACTIVATIONS
        }

    def in_python(self, name: str, value: object) -> str:
        return f"nn.{value}" if name in _ACTIVATIONS else super().in_python(name, value)


class Permute(Unparametrised):
    """The axes in the order ``dims``; torch counts the batch as axis 0, which stays first."""

    home = "torchvision.ops"

    dims: Annotated[tuple[int, ...], LIST_AS_TUPLE, Length(2, 6)]

    def output_shape(self, x: Shape) -> Shape:
        if sorted(self.dims) != list(range(len(x) + 1)) or self.dims[0] != 0:
            raise ShapeError(
                f"dims {list(self.dims)} is no order of the {len(x) + 1} axes of batches of "
                f"{format_shape(x)} with the batch, 0, first; such as {[0, *range(2, len(x) + 1), 1]}"
            )
        return tuple(x[dim - 1] for dim in self.dims[1:])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.permuted([dim - 1 for dim in self.dims[1:]])
