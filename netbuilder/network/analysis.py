"""The walk: what each layer of an architecture is, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

from netbuilder.components.layers.base import Layer, require_init
from netbuilder.components.layers.container import Branch, Container, ShapeMismatch
from netbuilder.components.plugins import exception_text
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import LARGEST_TENSOR, Shape, format_shape
from netbuilder.config.schema import Architecture, Place
from netbuilder.errors import Problem, ShapeError

BYTES_PER_VALUE = 4
"""Figures of memory are those of float32."""


@dataclass(frozen=True)
class Row:
    """One layer, for one sample; a container stands before what it holds and sums it up.

    Attributes:
        layer: as the document says.
        depth: how many containers it is in.
        inside: how many of the rows behind this one are of layers that it holds.
        name: the layer's name inside its container, or inside the network.
        path: the layer's name in the built module, as in its ``state_dict``.
        place: where the layer stands in the document.
        input_shape: without the batch axis, as is ``output_shape``.
        receptive_field: input pixels seen by one output position, an entry for each axis.
        jump: input pixels between two neighbouring output positions, an entry for each axis; 0
            where they see the same, or lie in no order, as behind Flatten.
        parameters: learnable values.
        macs: multiply-accumulates of convolutions and matrix products.
        activation_bytes: the output's size in float32; of a container, that of all outputs inside.
    """

    layer: Layer
    depth: int
    inside: int
    name: str
    path: str
    place: Place
    input_shape: Shape
    output_shape: Shape
    receptive_field: tuple[int, ...]
    jump: tuple[int | Fraction, ...]
    parameters: int
    macs: int
    activation_bytes: int

    @property
    def kind(self) -> str:
        """The layer's name in the document."""
        return self.layer.kind

    @property
    def title(self) -> str:
        """What tables call the layer: the name that a Sequential was given, or its kind."""
        return str(getattr(self.layer, "name", "")) or self.kind

    @property
    def is_container(self) -> bool:
        """Whether it sums up rows behind it."""
        return isinstance(self.layer, Container)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the layer was given and what it defaults to."""
        return self.layer.arguments()


@dataclass(frozen=True)
class Analysis:
    """What is known of an architecture before it is built.

    ``fault`` is the first layer that cannot take what reaches it; the rows up to it stand.
    """

    architecture: Architecture
    rows: tuple[Row, ...]
    fault: Problem | None

    @property
    def layers(self) -> int:
        """How many layers the document has, without the containers."""
        return sum(map(_count, self.architecture.layers))

    def folded(self, depth: int | None = None) -> tuple[Row, ...]:
        """The rows of layers in at most ``depth`` containers; all of them without a depth."""
        return tuple(row for row in self.rows if depth is None or row.depth <= depth)

    @cached_property
    def outermost(self) -> tuple[Row, ...]:
        """The rows that no other sums up; where the walk broke off, some are in a container."""
        rows, position = [], 0
        while position < len(self.rows):
            rows.append(self.rows[position])
            position += 1 + self.rows[position].inside
        return tuple(rows)

    @property
    def output_shape(self) -> Shape:
        """The shape of one output sample, as far as the walk came."""
        return self.outermost[-1].output_shape if self.rows else self.architecture.input

    @property
    def parameters(self) -> int:
        """Learnable values in all."""
        return sum(row.parameters for row in self.outermost)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample in all."""
        return sum(row.macs for row in self.outermost)

    @property
    def activation_bytes(self) -> int:
        """The float32 size of every layer's output for one sample."""
        return sum(row.activation_bytes for row in self.outermost)

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Input pixels seen by one output position, an entry for each axis of the input."""
        if self.rows:
            return self.outermost[-1].receptive_field
        return ReceptiveField.of_input(self.architecture.input).size

    def require_sound(self) -> None:
        """Raise the fault, if there is one.

        Raises:
            ShapeError: a layer cannot take what reaches it.
        """
        if self.fault:
            raise ShapeError([self.fault])


def _count(layer: Layer) -> int:
    if not isinstance(layer, Container):
        return 1
    chains = [*layer.child_branches(), *filter(None, [layer.tail()])]
    return sum(_count(member) for chain in chains for _, _, member in chain.named_layers())


def analyse(architecture: Architecture) -> Analysis:
    """Shapes, receptive field, parameters and cost of every layer, for one sample.

    A layer that cannot take what reaches it ends the walk without an exception: the rows up to it
    and ``Analysis.fault`` tell what is known and what is wrong.
    """
    walk = _Walk(architecture)
    x, field = architecture.input, ReceptiveField.of_input(architecture.input)
    fault = None
    try:
        for position, layer in enumerate(architecture.layers):
            place: Place = ("layers", position, layer.kind)
            x, field = walk.visit(layer, "", str(position), place, 0, x, field)
    except _Fault as found:
        fault = found.problem
    return Analysis(architecture, tuple(walk.rows), fault)


class _Fault(Exception):
    """What ended a walk."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Walk:
    """The rows of an architecture, as far as they are known."""

    def __init__(self, architecture: Architecture) -> None:
        self.rows: list[Row] = []
        self._architecture = architecture

    def visit(
        self,
        layer: Layer,
        above: str,
        name: str,
        place: Place,
        depth: int,
        x: Shape,
        field: ReceptiveField,
    ) -> tuple[Shape, ReceptiveField]:
        """Add the rows of a layer; give the shape and the field behind it.

        ``above`` is the path of the container that it is in.

        Raises:
            _Fault: it, or a layer inside it, cannot take what reaches it.
        """
        try:
            if isinstance(layer, Container):
                return self._container(layer, above, name, place, depth, x, field)
            y = layer.output_shape(x)
            shapes = layer.parameter_shapes(x)
            for shape in (y, *shapes.values()):
                _require_sane(shape)
            require_init(layer, shapes)
            behind, macs = layer.receptive_field(x, field), layer.macs(x)
        except ShapeError as error:
            raise _Fault(self._architecture.problem(place, str(error))) from None
        except _Fault:
            raise
        except Exception as error:
            if type(layer).__module__.startswith("netbuilder."):
                raise
            message = f"a rule of this plugin's kind failed for {format_shape(x)}: {exception_text(error)}"
            raise _Fault(self._architecture.problem(place, message)) from None
        self.rows.append(
            Row(
                layer=layer,
                depth=depth,
                inside=0,
                name=name,
                path=above + name,
                place=place,
                input_shape=x,
                output_shape=y,
                receptive_field=behind.size,
                jump=behind.jump,
                parameters=sum(map(prod, shapes.values())),
                macs=macs,
                activation_bytes=BYTES_PER_VALUE * prod(y),
            )
        )
        return y, behind

    def _container(
        self,
        layer: Container,
        above: str,
        name: str,
        place: Place,
        depth: int,
        x: Shape,
        field: ReceptiveField,
    ) -> tuple[Shape, ReceptiveField]:
        start = len(self.rows)

        def follow(chain: Branch, x: Shape, field: ReceptiveField) -> tuple[Shape, ReceptiveField]:
            for inner, inside, member in chain.named_layers():
                x, field = self.visit(
                    member, f"{above}{name}.", inner, (*place, *inside), depth + 1, x, field
                )
            return x, field

        given = zip(
            layer.child_branches(),
            layer.inputs(x),
            layer.branch_receptive_fields(x, field),
            strict=True,
        )
        shapes, fields = zip(*(follow(*each) for each in given), strict=True)
        try:
            y = layer.merge_shapes(shapes)
            _require_sane(y)
        except ShapeMismatch as misfit:
            first, second = (
                self._architecture.problem((*place, *chain.place), "").place
                for chain in (misfit.first, misfit.second)
            )
            raise ShapeError(f"{misfit} ({first} and {second})") from None
        behind = layer.merge_receptive_fields(shapes, fields)
        own = BYTES_PER_VALUE * prod(y) if layer.allocates_output else 0
        if chain := layer.tail():
            y, behind = follow(chain, y, behind)
        inside = self.rows[start:]
        held = [row for row in inside if row.depth == depth + 1]
        self.rows.insert(
            start,
            Row(
                layer=layer,
                depth=depth,
                inside=len(inside),
                name=name,
                path=above + name,
                place=place,
                input_shape=x,
                output_shape=y,
                receptive_field=behind.size,
                jump=behind.jump,
                parameters=sum(row.parameters for row in held),
                macs=sum(row.macs for row in held),
                activation_bytes=own + sum(row.activation_bytes for row in held),
            ),
        )
        return y, behind


def _require_sane(shape: Shape) -> None:
    """Refuse what holds nothing, and what only a slip of the finger asks for."""
    if min(shape, default=1) < 1:
        raise ShapeError(
            f"it leaves {format_shape(shape)}, which holds nothing; shrink less before it"
        )
    if prod(shape) > LARGEST_TENSOR:
        raise ShapeError(
            f"it makes a tensor of {format_shape(shape)} = {prod(shape):,} values; "
            f"at most {LARGEST_TENSOR:,} are taken, use smaller sizes"
        )
