"""Shapes, receptive fields, parameters and cost of every layer, computed without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from netbuilder.components.layers.base import Layer
from netbuilder.components.layers.container import Container
from netbuilder.components.receptive_field.budget import step_budget
from netbuilder.components.receptive_field.dependence import Coverage
from netbuilder.components.receptive_field.field import ReceptiveField
from netbuilder.components.shapes import Shape, format_shape
from netbuilder.config.schema import Architecture
from netbuilder.errors import Problem, ShapeError
from netbuilder.network.rows import Row
from netbuilder.network.walk import Fault, Position, Walk


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

    def __str__(self) -> str:
        architecture = self.architecture
        if self.fault:
            return f"{architecture.name}: {self.fault}"
        return (
            f"{architecture.name}: {format_shape(architecture.input)} to "
            f"{format_shape(self.output_shape)}, {self.parameters:,} parameters, "
            f"{self.macs:,} MACs, receptive field {format_shape(self.receptive_field)}"
        )

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
                visible = [r for r in rows if depth is None or r.depth <= depth]
                with_holes = [r for r in visible if any(r.coverage.holes)]
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

    Raises:
        ShapeError: A rule of a plugin's kind fails, so that nothing is known of the network.
    """
    walk = Walk(architecture)
    x, field = architecture.input, ReceptiveField.of_input(architecture.input)
    fault = None
    try:
        with step_budget():
            for position, layer in enumerate(architecture.layers):
                place = ("layers", position, layer.kind)
                x, field = walk.visit(Position(layer, "", str(position), place, 0), x, field)
    except Fault as error:
        fault = _problem(architecture, walk.rows, error)
    return Analysis(architecture, tuple(walk.rows), fault)


def _problem(architecture: Architecture, rows: Sequence[Row], fault: Fault) -> Problem:
    """Return the problem of a layer; values in torch's order may be its cause."""
    from netbuilder.network.torch_order import Use, hint  # a sound network does not need it

    at = fault.at
    uses = [Use(row.layer, row.place, row.input_shape) for row in rows if not row.is_container]
    cause = hint(architecture, [*uses, Use(at.layer, at.place, fault.x)], at.place)
    channels_last = _channels_last_hint(architecture.input) if fault.x == architecture.input else ""
    return architecture.problem(at.place, f"{fault.message}{channels_last or cause}")


def _channels_last_hint(shape: Shape) -> str:
    """Return the input to write for one whose channels come last, as in Keras; empty for others."""
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) > 4:
        return f"; channels come first: write input: {[shape[2], *shape[:2]]}"
    return ""
