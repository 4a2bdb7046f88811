"""Layers of `torchvision.ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from netbuilder.components.fields import LIST_AS_TUPLE, Length, Probability, Size
from netbuilder.components.layers.base import Elementwise, TorchLayer, Unparametrized
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


class StochasticDepth(Elementwise):
    """Zeroes each sample (mode row) or the whole batch with probability ``p`` in training."""

    namespace = "torchvision.ops"

    p: Probability
    mode: Literal["batch", "row"]


Activation = Literal[
    "ELU", "GELU", "Hardsigmoid", "Hardswish", "LeakyReLU", "Mish", "ReLU", "ReLU6", "Sigmoid",
    "SiLU", "Softplus", "Tanh",
]  # fmt: skip


_ACTIVATIONS = ("activation", "scale_activation")


class SqueezeExcitation(TorchLayer):
    """Scales each channel of (C, H, W) by an attention over the channel means."""

    namespace = "torchvision.ops"

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
        channels, squeezed = x[0], self.squeeze_channels
        return {
            "fc1.weight": (squeezed, channels, 1, 1),
            "fc1.bias": (squeezed,),
            "fc2.weight": (channels, squeezed, 1, 1),
            "fc2.bias": (channels,),
        }

    def macs(self, x: Shape) -> int:
        return 2 * x[0] * self.squeeze_channels

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.read_all(x)

    def inferred_arguments(self, x: Shape) -> dict[str, int]:
        return {"input_channels": x[0]}

    def constructor_arguments(self) -> dict[str, Any]:
        from torch import nn

        classes = {name: getattr(nn, getattr(self, name)) for name in _ACTIVATIONS}
        return super().constructor_arguments() | classes

    @classmethod
    def arguments_of(cls, module: nn.Module) -> dict[str, Any]:
        block: Any = module
        return {"squeeze_channels": block.fc1.out_channels} | {
            name: type(getattr(block, name)).__name__ for name in _ACTIVATIONS
        }

    def format_argument(self, name: str, value: object) -> str:
        return f"nn.{value}" if name in _ACTIVATIONS else super().format_argument(name, value)


class Permute(Unparametrized):
    """Permutes the axes to the order ``dims``, in which the batch, 0, stays first."""

    namespace = "torchvision.ops"

    dims: Annotated[tuple[int, ...], LIST_AS_TUPLE, Length(2, 6)]

    def output_shape(self, x: Shape) -> Shape:
        if sorted(self.dims) != list(range(len(x) + 1)) or self.dims[0] != 0:
            raise ShapeError(
                f"found dims {list(self.dims)}; allowed: a permutation of the {len(x) + 1} axes of "
                f"batches of {format_shape(x)} with the batch, 0, first, such as "
                f"{[0, *range(2, len(x) + 1), 1]}"
            )
        return tuple(x[dim - 1] for dim in self.dims[1:])

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        return field.permute([dim - 1 for dim in self.dims[1:]])
