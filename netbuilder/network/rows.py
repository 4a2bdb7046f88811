"""The row of one layer in an analysis."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from netbuilder._text import printable
from netbuilder.components.layers.base import Layer
from netbuilder.components.layers.container import Container
from netbuilder.components.receptive_field.dependence import Coverage
from netbuilder.components.shapes import Shape
from netbuilder.config.schema import Architecture, Place

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

    def label(self, architecture: Architecture) -> str:
        """Return its path and kind for a message, with its line if ``architecture`` knows it."""
        place = architecture.problem(self.place, "")
        label = f"layer {self.path} {self.kind}"
        return printable(f"{label} ({place.place})" if place.line else label)

    @property
    def is_container(self) -> bool:
        """Whether the layer consists of other layers, whose rows follow."""
        return isinstance(self.layer, Container)

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments of the layer, defaults included."""
        return self.layer.arguments()
