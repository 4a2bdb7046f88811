"""The walk over the layers of an architecture, which computes the row of each."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from netbuilder.components.foreign_code import fault_text, is_foreign
from netbuilder.components.layer_rules import RuleFault
from netbuilder.components.layers.base import Layer, require_init
from netbuilder.components.layers.container import Branch, Container, ShapeMismatch
from netbuilder.components.receptive_field.dependence import Coverage
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import LARGEST_TENSOR, Shape, format_shape
from netbuilder.config.schema import Architecture, Place
from netbuilder.errors import ShapeError
from netbuilder.network.rows import BYTES_PER_VALUE, Row


class Fault(Exception):
    """A layer that cannot take its input, which ends a walk over the layers."""

    def __init__(self, message: str, at: Position, x: Shape) -> None:
        super().__init__(message)
        self.message, self.at, self.x = message, at, x


class Position(NamedTuple):
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

    def child(self, name: str, place: Place, layer: Layer) -> Position:
        """Return the position of a layer in this container; ``place`` is relative to it."""
        prefix = f"{self.prefix}{self.name}."
        return Position(layer, prefix, name, (*self.place, *place), self.depth + 1)

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


class Walk:
    """Collects the rows of an architecture, layer by layer.

    Each method takes the shape and the receptive field of an input, and returns those of the
    output.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.rows: list[Row] = []
        self._architecture = architecture
        self._last: tuple[ReceptiveField, Coverage] | None = None

    def visit(self, at: Position, x: Shape, field: ReceptiveField) -> tuple[Shape, ReceptiveField]:
        """Add the rows of a layer.

        Raises:
            Fault: The layer, or a layer in it, cannot take its input.
            ShapeError: The kind comes from a plugin, and one of its rules fails.
        """
        try:
            if isinstance(at.layer, Container):
                return self._container(at, at.layer, x, field)
            return self._leaf(at, x, field)
        except RuleFault as error:
            raise ShapeError([self._architecture.problem(at.place, str(error))]) from None
        except ShapeError as error:
            if error.problems:
                raise  # a plugin's fault, with its place
            raise Fault(str(error), at, x) from None
        except Fault:
            raise
        except Exception as error:  # a plugin can define more than rules
            if not is_foreign(type(at.layer)):
                raise
            reason = fault_text(error)
            message = f"this plugin's kind failed for {format_shape(x)}: {reason}"
            raise ShapeError([self._architecture.problem(at.place, message)]) from None

    def _leaf(self, at: Position, x: Shape, field: ReceptiveField) -> tuple[Shape, ReceptiveField]:
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
        self, at: Position, layer: Container, x: Shape, field: ReceptiveField
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
        self, at: Position, branch: Branch, x: Shape, field: ReceptiveField
    ) -> tuple[Shape, ReceptiveField]:
        """Add the rows of a branch of the container ``at``."""
        for name, place, layer in branch.named_layers():
            x, field = self.visit(at.child(name, place, layer), x, field)
        return x, field

    def _merge_shapes(self, at: Position, layer: Container, shapes: Sequence[Shape]) -> Shape:
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
