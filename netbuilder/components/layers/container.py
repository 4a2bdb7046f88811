"""Layers one behind the other, and what a kind answers that is made of such chains."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any

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
    """Layers one behind the other inside a container.

    Attributes:
        layers: one behind the other; none of them is the identity.
        name: the chain's name in the built module; empty where the layers are the module's own.
        place: where its layers stand among the container's arguments.
        single: it is one layer, not a list of them.
    """

    layers: tuple[Layer, ...]
    name: str
    place: tuple[str, ...]
    single: bool = False

    def named_layers(self) -> Iterator[tuple[str, tuple[str | int, ...], Layer]]:
        """Each layer with its name in the container's module and its place in the document."""
        if self.single:
            [layer] = self.layers
            yield self.name, (*self.place, layer.kind), layer
            return
        for position, layer in enumerate(self.layers):
            name = f"{self.name}.{position}" if self.name else str(position)
            yield name, (*self.place, position, layer.kind), layer

    def through(self, x: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Each layer with its name and the shape that reaches it."""
        for name, _, layer in self.named_layers():
            yield name, layer, x
            x = layer.output_shape(x)

    def output_shape(self, x: Shape) -> Shape:
        """The shape behind the last layer."""
        return reduce(lambda shape, layer: layer.output_shape(shape), self.layers, x)

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        """The field behind the last layer."""
        for _, layer, shape in self.through(x):
            field = layer.receptive_field(shape, field)
        return field

    def build(self, x: Shape) -> nn.Module:
        """The module of the chain: a Sequential, or the one layer."""
        from torch import nn

        modules = [layer.build(shape) for _, layer, shape in self.through(x)]
        return modules[0] if self.single else nn.Sequential(*modules)


class ShapeMismatch(ShapeError):
    """Two branches give shapes that cannot be joined; ``first`` and ``second`` are their places."""

    def __init__(self, message: str, first: Branch, second: Branch) -> None:
        super().__init__(message)
        self.first, self.second = first, second


class Container(Layer, abstract=True):
    """A kind that is made of branches, what joins them, and maybe a layer behind."""

    @abstractmethod
    def child_branches(self) -> tuple[Branch, ...]:
        """What is joined, in the order of the built module's children."""

    def tail(self) -> Branch | None:
        """The layer behind the join, if there is one."""
        return None

    def inputs(self, x: Shape) -> tuple[Shape, ...]:
        """What reaches each branch."""
        return (x,) * len(self.child_branches())

    def branch_receptive_fields(
        self, x: Shape, field: ReceptiveField
    ) -> tuple[ReceptiveField, ...]:
        """What one position of each branch's input sees."""
        return (field,) * len(self.child_branches())

    @abstractmethod
    def merge_shapes(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what the branches' outputs are joined to.

        Raises:
            Misfit: two of them do not fit together.
        """

    @abstractmethod
    def merge_receptive_fields(
        self, shapes: Sequence[Shape], fields: Sequence[ReceptiveField]
    ) -> ReceptiveField:
        """What one position behind the join sees."""

    @property
    def copies(self) -> bool:
        """Whether joining makes a tensor of its own."""
        return True

    def arguments(self) -> dict[str, Any]:
        """The arguments that are not layers."""
        inner = {"layers", "body", "shortcut", "branches", "activation"}
        return {name: value for name, value in super().arguments().items() if name not in inner}

    def output_shape(self, x: Shape) -> Shape:
        y = self.merge_shapes(self._outputs(x))
        behind = self.tail()
        return behind.output_shape(y) if behind else y

    def parameter_shapes(self, x: Shape) -> dict[str, tuple[int, ...]]:
        return {
            f"{name}.{parameter}": shape
            for name, layer, given in self._members(x)
            for parameter, shape in layer.parameter_shapes(given).items()
        }

    def macs(self, x: Shape) -> int:
        return sum(layer.macs(given) for _, layer, given in self._members(x))

    def receptive_field(self, x: Shape, field: ReceptiveField) -> ReceptiveField:
        given = zip(
            self.child_branches(),
            self.inputs(x),
            self.branch_receptive_fields(x, field),
            strict=True,
        )
        fields = [branch.receptive_field(shape, seen) for branch, shape, seen in given]
        joined = self.merge_receptive_fields(self._outputs(x), fields)
        behind = self.tail()
        if behind is None:
            return joined
        return behind.receptive_field(self.merge_shapes(self._outputs(x)), joined)

    def _outputs(self, x: Shape) -> list[Shape]:
        pairs = zip(self.child_branches(), self.inputs(x), strict=True)
        return [branch.output_shape(given) for branch, given in pairs]

    def _members(self, x: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        for branch, given in zip(self.child_branches(), self.inputs(x), strict=True):
            yield from branch.through(given)
        if behind := self.tail():
            yield from behind.through(self.merge_shapes(self._outputs(x)))
