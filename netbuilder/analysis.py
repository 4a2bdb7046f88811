"""The walk: what each layer of an architecture is, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from netbuilder.errors import ConfigError, Problem, ShapeError
from netbuilder.layers import Layer
from netbuilder.schema import Architecture, Place
from netbuilder.shapes import ReceptiveField, Shape, written

BYTES_PER_VALUE = 4
"""Figures of memory are those of float32."""


@dataclass(frozen=True)
class Row:
    """One layer, for one sample.

    Attributes:
        path: the layer's name in the built module, as in its ``state_dict``.
        kind: the layer's name in the document.
        arguments: what it was given and what it defaults to.
        input_shape: without the batch axis, as is ``output_shape``.
        receptive_field: input pixels seen by one output position, an entry for each axis.
        jump: input pixels between two neighbouring output positions, an entry for each axis.
        parameters: learnable values.
        macs: multiply-accumulates of convolutions and matrix products.
        activation_bytes: the output's size in float32.
    """

    path: str
    kind: str
    arguments: dict[str, Any]
    input_shape: Shape
    output_shape: Shape
    receptive_field: tuple[int, ...]
    jump: tuple[int | Fraction, ...]
    parameters: int
    macs: int
    activation_bytes: int


@dataclass(frozen=True)
class Analysis:
    """What is known of an architecture before it is built.

    ``fault`` is the first layer that cannot take what reaches it; the rows up to it stand.
    """

    architecture: Architecture
    rows: tuple[Row, ...]
    fault: Problem | None

    @property
    def output_shape(self) -> Shape:
        """The shape of one output sample, as far as the walk came."""
        return self.rows[-1].output_shape if self.rows else self.architecture.input

    @property
    def parameters(self) -> int:
        """Learnable values in all."""
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample in all."""
        return sum(row.macs for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """The float32 size of every layer's output for one sample."""
        return sum(row.activation_bytes for row in self.rows)

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Input pixels seen by one output position, an entry for each axis of the input."""
        if self.rows:
            return self.rows[-1].receptive_field
        return ReceptiveField.of_input(self.architecture.input).size

    def require_sound(self) -> None:
        """Raise the fault, if there is one.

        Raises:
            ShapeError: a layer cannot take what reaches it.
        """
        if self.fault:
            raise ShapeError([self.fault])


def analyse(architecture: Architecture) -> Analysis:
    """Shapes, receptive field, parameters and cost of every layer, for one sample.

    A layer that cannot take what reaches it ends the walk without an exception: the rows up to it
    and ``Analysis.fault`` tell what is known and what is wrong.
    """
    rows: list[Row] = []
    x, field = architecture.input, ReceptiveField.of_input(architecture.input)
    for position, layer in enumerate(architecture.layers):
        try:
            row, field = _visit(str(position), layer, x, field)
        except ShapeError as error:
            place: Place = ("layers", position, layer.kind)
            return Analysis(architecture, tuple(rows), architecture.problem(place, str(error)))
        rows.append(row)
        x = row.output_shape
    return Analysis(architecture, tuple(rows), None)


def _visit(path: str, layer: Layer, x: Shape, field: ReceptiveField) -> tuple[Row, ReceptiveField]:
    y = layer.output_shape(x)
    behind = field.through(layer.window(x), y)
    row = Row(
        path=path,
        kind=layer.kind,
        arguments=layer.arguments(),
        input_shape=x,
        output_shape=y,
        receptive_field=behind.size,
        jump=behind.jump,
        parameters=sum(prod(shape) for shape in layer.parameter_shapes(x).values()),
        macs=layer.macs(x),
        activation_bytes=BYTES_PER_VALUE * prod(y),
    )
    return row, behind


def require_trainable(architecture: Architecture) -> Analysis:
    """The analysis of an architecture that can be trained as its document says.

    Raises:
        ConfigError: it has no ``train`` section, a layer cannot take what reaches it, or the output
            does not fit the classes.
    """
    analysis = analyse(architecture)
    analysis.require_sound()
    if architecture.train is None:
        message = "the document has no train section; add one with dataset, epochs and optimizer"
        raise ConfigError([architecture.problem(("train",), message)])
    require_classes(analysis)
    return analysis


def require_classes(analysis: Analysis) -> None:
    """Refuse a network whose output does not hold one value for each class of its data set.

    Raises:
        ConfigError: with the shape that the network ends with.
    """
    train = analysis.architecture.train
    if train is None or analysis.fault:
        return
    classes, found = len(train.dataset.classes), analysis.output_shape
    if prod(found) != classes:
        last = len(analysis.rows) - 1
        message = (
            f"the network ends with {written(found)} = {prod(found)} values, but "
            f"{train.dataset.kind} has {classes} classes; end with {classes} channels of 1x1, "
            f"or with Linear: {classes}"
        )
        place: Place = ("layers", last, analysis.rows[last].kind)
        raise ConfigError([analysis.architecture.problem(place, message)])
