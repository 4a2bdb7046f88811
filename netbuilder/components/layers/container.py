"""The base class of containers: layers that consist of branches of other layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from netbuilder.components.fields import LIST_AS_TUPLE, Length
from netbuilder.components.layers.base import AnyLayer, Layer
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape
from netbuilder.errors import ShapeError

if TYPE_CHECKING:
    from torch import nn


Layers = Annotated[tuple[AnyLayer, ...], LIST_AS_TUPLE, Length(0, 20_000)]


@dataclass(frozen=True)
class Branch:
    """A sequence of layers in a container; without layers, it is the identity.

    Attributes:
        layers: The layers, in sequence.
        name: The name of the branch in the container's module; empty if the layers are children of
            that module.
        place: The place of the layers among the container's arguments.
        single: Whether the argument is one layer and not a list.
    """

    layers: tuple[Layer, ...]
    name: str
    place: tuple[str, ...]
    single: bool = False

    def named_layers(self) -> Iterator[tuple[str, tuple[str | int, ...], Layer]]:
        """Yield each layer with its name in the container's module and its place in a document."""
        if self.single:
            [layer] = self.layers
            yield self.name, (*self.place, layer.kind), layer
            return
        for position, layer in enumerate(self.layers):
            name = f"{self.name}.{position}" if self.name else str(position)
            yield name, (*self.place, position, layer.kind), layer

    def walk(self, x: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Yield each layer with its name and its input shape, where ``x`` is that of the first."""
        for name, _, layer in self.named_layers():
            yield name, layer, x
            x = layer.output_shape(x)

    def output_shape(self, x: Shape) -> Shape:
        """Return the output shape of the last layer."""
        return reduce(lambda shape, layer: layer.output_shape(shape), self.layers, x)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        """Return the receptive field after the last layer, given that of the input."""
        for _, layer, shape in self.walk(x):
            field = layer.receptive_field(shape, field).sized(layer.output_shape(shape))
        return field

    def build(self, x: Shape) -> nn.Module:
        """Return the module of the branch: an `nn.Sequential`, or that of a single layer."""
        from torch import nn

        modules = [layer.build(shape) for _, layer, shape in self.walk(x)]
        return modules[0] if self.single else nn.Sequential(*modules)


class ShapeMismatch(ShapeError):
    """The outputs of the branches ``first`` and ``second`` cannot be combined."""

    def __init__(self, message: str, first: Branch, second: Branch) -> None:
        super().__init__(message)
        self.first, self.second = first, second


class Container(Layer, abstract=True):
    """A kind that applies branches to its input and merges their outputs."""

    LAYER_FIELDS: ClassVar = frozenset({"layers", "body", "shortcut", "branches", "activation"})
    """The fields of all containers that hold layers."""

    @abstractmethod
    def child_branches(self) -> tuple[Branch, ...]:
        """Return the branches, in the order of the built module's children."""

    def tail(self) -> Branch | None:
        """Return the layer after the merge, if any."""
        return None

    def inputs(self, x: Shape) -> tuple[Shape, ...]:
        """Return the input shape of each branch."""
        return (x,) * len(self.child_branches())

    def branch_receptive_fields(
        self, x: Shape, field: ReceptiveField
    ) -> tuple[ReceptiveField, ...]:
        """Return the receptive field of each branch's input."""
        return (field,) * len(self.child_branches())

    @abstractmethod
    def merge_shapes(self, shapes: Sequence[Shape]) -> Shape:
        """Return the shape of the merged outputs of the branches.

        Raises:
            ShapeMismatch: Two of them cannot be merged.
        """

    @abstractmethod
    def merge_receptive_fields(
        self, shapes: Sequence[Shape], fields: Sequence[ReceptiveField]
    ) -> ReceptiveField:
        """Return the receptive field of the merged outputs of the branches."""

    @property
    def allocates_output(self) -> bool:
        """Whether the merge allocates a new tensor instead of passing on a branch's output."""
        return True

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that do not hold layers."""
        arguments = super().arguments()
        return {name: value for name, value in arguments.items() if name not in self.LAYER_FIELDS}

    def output_shape(self, x: Shape) -> Shape:
        merged = self.merge_shapes(self._branch_outputs(x))
        tail = self.tail()
        return tail.output_shape(merged) if tail else merged

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{parameter}": shape
            for name, layer, input_shape in self._walk(x)
            for parameter, shape in layer.parameter_shapes(input_shape).items()
        }

    def macs(self, x: Shape) -> int:
        return sum(layer.macs(input_shape) for _, layer, input_shape in self._walk(x))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        inputs = zip(
            self.child_branches(),
            self.inputs(x),
            self.branch_receptive_fields(x, field),
            strict=True,
        )
        fields = [
            branch.receptive_field(shape, branch_field) for branch, shape, branch_field in inputs
        ]
        shapes = self._branch_outputs(x)
        merged = self.merge_receptive_fields(shapes, fields)
        tail = self.tail()
        return tail.receptive_field(self.merge_shapes(shapes), merged) if tail else merged

    def _branch_outputs(self, x: Shape) -> list[Shape]:
        pairs = zip(self.child_branches(), self.inputs(x), strict=True)
        return [branch.output_shape(shape) for branch, shape in pairs]

    def _walk(self, x: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Yield each layer, the tail included, with its name and its input shape."""
        for branch, shape in zip(self.child_branches(), self.inputs(x), strict=True):
            yield from branch.walk(shape)
        if tail := self.tail():
            yield from tail.walk(self.merge_shapes(self._branch_outputs(x)))
