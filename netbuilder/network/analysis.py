"""Shapes, receptive fields, parameters and cost of every layer, computed without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

from netbuilder.components.layers.base import Layer, require_init
from netbuilder.components.layers.container import Branch, Container, ShapeMismatch
from netbuilder.components.plugins import exception_text
from netbuilder.components.receptive_field.budget import step_budget
from netbuilder.components.receptive_field.dependence import Coverage
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import LARGEST_TENSOR, Shape, format_shape
from netbuilder.config.schema import Architecture, Place
from netbuilder.errors import Problem, ShapeError

BYTES_PER_VALUE = 4
"""The size of a float32 value; all memory numbers assume float32."""


@dataclass(frozen=True)
class Row:
    """One layer, for one sample; a container precedes its layers and holds their totals.

    Attributes:
        layer: The layer of the document.
        depth: The number of containers around the layer.
        descendants: The number of rows after this one that belong to layers of this container.
        name: The layer's name in its container, or in the network.
        path: The layer's name in the built module, as in its ``state_dict``.
        place: The layer's place in the document.
        input_shape: The shape of one input sample, without the batch axis.
        output_shape: The shape of one output sample, without the batch axis.
        receptive_field: The input positions from the first to the last that one output position
            depends on, per axis, as if the input continued beyond its borders.
        coverage: What output positions read of the input, borders and holes counted.
        jump: The input positions between two adjacent output positions, per axis; 0 where these
            depend on the same input, or have no order, as after Flatten.
        parameters: The number of learnable values.
        macs: The multiply-accumulate operations of convolutions and matrix products.
        activation_bytes: The size of the output in float32; for a container, the sum over the
            outputs of its layers.
    """

    layer: Layer
    depth: int
    descendants: int
    name: str
    path: str
    place: Place
    input_shape: Shape
    output_shape: Shape
    receptive_field: tuple[int, ...]
    coverage: Coverage
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
        """The layer's name in tables: that of a named Sequential, or the kind."""
        return str(getattr(self.layer, "name", "")) or self.kind

    @property
    def is_container(self) -> bool:
        """Whether the layer consists of other layers, whose rows follow."""
        return isinstance(self.layer, Container)

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments of the layer, defaults included."""
        return self.layer.arguments()


@dataclass(frozen=True)
class Analysis:
    """The properties of an architecture that are known before it is built.

    Attributes:
        architecture: The architecture.
        rows: One row per layer, in the order of the document; up to the fault if there is one.
        fault: The problem of the first layer that cannot take its input; None if all can.
    """

    architecture: Architecture
    rows: tuple[Row, ...]
    fault: Problem | None

    @property
    def layers(self) -> int:
        """The number of layers in the document, containers not counted."""
        return sum(map(_count, self.architecture.layers))

    def folded(self, depth: int | None = None) -> tuple[Row, ...]:
        """The rows at most ``depth`` containers deep; by default all rows."""
        return tuple(row for row in self.rows if depth is None or row.depth <= depth)

    @cached_property
    def outermost(self) -> tuple[Row, ...]:
        """The rows that no container's row includes; after a fault, some are in a container."""
        rows, position = [], 0
        while position < len(self.rows):
            rows.append(self.rows[position])
            position += 1 + self.rows[position].descendants
        return tuple(rows)

    @property
    def output_shape(self) -> Shape:
        """The shape of one output sample; with a fault, that of the last row."""
        return self.outermost[-1].output_shape if self.rows else self.architecture.input

    @property
    def parameters(self) -> int:
        """The total number of learnable values."""
        return sum(row.parameters for row in self.outermost)

    @property
    def macs(self) -> int:
        """The total multiply-accumulate operations for one sample."""
        return sum(row.macs for row in self.outermost)

    @property
    def activation_bytes(self) -> int:
        """The float32 size of all layer outputs for one sample."""
        return sum(row.activation_bytes for row in self.outermost)

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """The input positions that one output position spans, per axis of the input."""
        if self.rows:
            return self.outermost[-1].receptive_field
        return ReceptiveField.of_input(self.architecture.input).size

    @property
    def coverage(self) -> Coverage:
        """What output positions read of the input."""
        if self.rows:
            return self.outermost[-1].coverage
        shape = self.architecture.input
        return ReceptiveField.of_input(shape).coverage(shape)

    def first_whole(self, depth: int | None = None) -> Row | None:
        """Return the layer from which on every layer sees the whole input.

        Of each of these layers, one output position alone depends on every position of the input.

        Args:
            depth: A container at this depth counts for its layers.

        Returns:
            None if the last layer does not see the whole input.
        """
        first = None
        for row in reversed(self.folded(depth)):
            if row.is_container and row.descendants and row.depth != depth:
                continue
            if not row.coverage.whole:
                break
            first = row
        return first if self.coverage.whole else None

    def first_with_holes(self, depth: int | None = None) -> Row | None:
        """Return the layer from which on output positions skip positions that they span.

        Holes that another branch fills do not count.
        """
        position = 0
        for outer in self.outermost:
            rows = self.rows[position : position + 1 + outer.descendants]
            if any(outer.coverage.holes):
                shown = [r for r in rows if depth is None or r.depth <= depth]
                with_holes = [r for r in shown if any(r.coverage.holes)]
                layers = [r for r in with_holes if not r.is_container or r.depth == depth]
                return layers[0] if layers else outer
            position += 1 + outer.descendants
        return None

    def require_sound(self) -> None:
        """Raise the fault, if there is one.

        Raises:
            ShapeError: A layer cannot take its input.
        """
        if self.fault:
            raise ShapeError([self.fault])


def _count(layer: Layer) -> int:
    if not isinstance(layer, Container):
        return 1
    branches = [*layer.child_branches(), *filter(None, [layer.tail()])]
    return sum(_count(child) for branch in branches for _, _, child in branch.named_layers())


def analyse(architecture: Architecture) -> Analysis:
    """Compute shapes, receptive field, parameters and cost of every layer, for one sample.

    Raises no exception for a layer that cannot take its input: ``Analysis.rows`` then ends before
    that layer, and ``Analysis.fault`` describes the problem.
    """
    walk = _Walk(architecture)
    x, field = architecture.input, ReceptiveField.of_input(architecture.input)
    fault = None
    try:
        with step_budget():
            for position, layer in enumerate(architecture.layers):
                place = ("layers", position, layer.kind)
                x, field = walk.visit(_Position(layer, "", str(position), place, 0), x, field)
    except _Fault as error:
        fault = error.problem
    return Analysis(architecture, tuple(walk.rows), fault)


class _Fault(Exception):
    """The problem that ends a walk over the layers."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Position(NamedTuple):
    """A layer and its position in the network.

    Attributes:
        layer: The layer.
        prefix: The path of its container in the built module, with a trailing dot.
        name: Its name in the container.
        place: Its place in the document.
        depth: The number of containers around it.
    """

    layer: Layer
    prefix: str
    name: str
    place: Place
    depth: int

    def child(self, name: str, place: Place, layer: Layer) -> _Position:
        """Return the position of a layer in this container; ``place`` is relative to it."""
        prefix = f"{self.prefix}{self.name}."
        return _Position(layer, prefix, name, (*self.place, *place), self.depth + 1)

    def row(
        self,
        x: Shape,
        y: Shape,
        field: ReceptiveField,
        coverage: Coverage,
        *,
        descendants: int = 0,
        parameters: int,
        macs: int,
        activation_bytes: int,
    ) -> Row:
        """Return the row of the layer; ``x`` is its input, ``y`` its output with ``field``."""
        return Row(
            layer=self.layer,
            depth=self.depth,
            descendants=descendants,
            name=self.name,
            path=self.prefix + self.name,
            place=self.place,
            input_shape=x,
            output_shape=y,
            receptive_field=field.size,
            coverage=coverage,
            jump=field.jump,
            parameters=parameters,
            macs=macs,
            activation_bytes=activation_bytes,
        )


class _Walk:
    """Collects the rows of an architecture, layer by layer.

    Each method takes the shape and the receptive field of an input, and returns those of the
    output.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.rows: list[Row] = []
        self._architecture = architecture
        self._last: tuple[ReceptiveField, Coverage] | None = None

    def visit(self, at: _Position, x: Shape, field: ReceptiveField) -> tuple[Shape, ReceptiveField]:
        """Add the rows of a layer.

        Raises:
            _Fault: The layer, or a layer in it, cannot take its input.
        """
        try:
            if isinstance(at.layer, Container):
                return self._container(at, at.layer, x, field)
            return self._leaf(at, x, field)
        except ShapeError as error:
            raise _Fault(self._architecture.problem(at.place, str(error))) from None
        except _Fault:
            raise
        except Exception as error:  # a rule of a plugin can raise anything
            if type(at.layer).__module__.startswith("netbuilder."):
                raise
            reason = exception_text(error)
            message = f"a rule of this plugin's kind failed for {format_shape(x)}: {reason}"
            raise _Fault(self._architecture.problem(at.place, message)) from None

    def _leaf(self, at: _Position, x: Shape, field: ReceptiveField) -> tuple[Shape, ReceptiveField]:
        layer = at.layer
        y = layer.output_shape(x)
        shapes = layer.parameter_shapes(x)
        for shape in (y, *shapes.values()):
            _require_sane(shape)
        require_init(layer, shapes)
        field, macs = layer.receptive_field(x, field).sized(y), layer.macs(x)
        row = at.row(
            x,
            y,
            field,
            self._coverage(field, y),
            parameters=sum(map(prod, shapes.values())),
            macs=macs,
            activation_bytes=BYTES_PER_VALUE * prod(y),
        )
        self.rows.append(row)
        return y, field

    def _coverage(self, field: ReceptiveField, y: Shape) -> Coverage:
        """Return what a layer reads of the input; the last layer's if it has the same field."""
        if self._last is None or self._last[0] is not field:
            self._last = field, field.coverage(y)
        return self._last[1]

    def _container(
        self, at: _Position, layer: Container, x: Shape, field: ReceptiveField
    ) -> tuple[Shape, ReceptiveField]:
        start = len(self.rows)
        branches, inputs = layer.child_branches(), layer.inputs(x)
        input_fields = layer.branch_receptive_fields(x, field)
        triples = zip(branches, inputs, input_fields, strict=True)
        shapes, fields = zip(*(self._branch(at, *triple) for triple in triples), strict=True)
        y = self._merge_shapes(at, layer, shapes)
        field = layer.merge_receptive_fields(shapes, fields)
        own_bytes = BYTES_PER_VALUE * prod(y) if layer.allocates_output else 0
        if tail := layer.tail():
            y, field = self._branch(at, tail, y, field)
        descendants = self.rows[start:]
        children = [row for row in descendants if row.depth == at.depth + 1]
        row = at.row(
            x,
            y,
            field,
            self._coverage(field, y),
            descendants=len(descendants),
            parameters=sum(row.parameters for row in children),
            macs=sum(row.macs for row in children),
            activation_bytes=own_bytes + sum(row.activation_bytes for row in children),
        )
        self.rows.insert(start, row)
        return y, field

    def _branch(
        self, at: _Position, branch: Branch, x: Shape, field: ReceptiveField
    ) -> tuple[Shape, ReceptiveField]:
        """Add the rows of a branch of the container ``at``."""
        for name, place, layer in branch.named_layers():
            x, field = self.visit(at.child(name, place, layer), x, field)
        return x, field

    def _merge_shapes(self, at: _Position, layer: Container, shapes: Sequence[Shape]) -> Shape:
        """Return the shape of the merged branches; an error names the lines of two of them."""
        try:
            y = layer.merge_shapes(shapes)
        except ShapeMismatch as mismatch:
            first, second = (
                self._architecture.problem((*at.place, *branch.place), "").place
                for branch in (mismatch.first, mismatch.second)
            )
            raise ShapeError(f"{mismatch} ({first} and {second})") from None
        _require_sane(y)
        return y


def _require_sane(shape: Shape) -> None:
    """Refuse an empty tensor, and one so large that a size must be a typing error."""
    if min(shape, default=1) < 1:
        raise ShapeError(
            f"its output would be {format_shape(shape)}, which is empty; use less pooling before it"
        )
    if prod(shape) > LARGEST_TENSOR:
        raise ShapeError(
            f"it needs a tensor of {format_shape(shape)} = {prod(shape):,} values; "
            f"allowed: at most {LARGEST_TENSOR:,}; use smaller sizes"
        )
