"""Build the `torch.nn.Sequential` of an architecture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netbuilder.components.initializers import Initializer
from netbuilder.components.layers.base import Weighted
from netbuilder.components.layers.container import Container
from netbuilder.config.schema import Architecture
from netbuilder.network.analysis import Analysis, analyse

if TYPE_CHECKING:
    from torch import nn


def build(architecture: Architecture | Analysis) -> nn.Sequential:
    """Build the network in training mode, initialized from torch's global random state.

    The network maps float batches of shape ``(N, *architecture.input)`` to
    ``(N, *analyse(architecture).output_shape)``. Its children are named ``0``, ``1`` … in the order
    of the document; ``Row.path`` is the name of each layer.

    Args:
        architecture: The architecture, or its analysis, which is then not repeated.

    Raises:
        ShapeError: A layer cannot take its input.
    """
    from torch import nn

    analysis = architecture if isinstance(architecture, Analysis) else analyse(architecture)
    analysis.require_sound()
    pairs = zip(analysis.architecture.layers, analysis.outermost, strict=True)
    model = nn.Sequential(*(layer.build(row.input_shape) for layer, row in pairs))
    for name, initializer in initializers(analysis):
        initializer.fill(model.get_parameter(name))
    return model


def initializers(analysis: Analysis) -> Iterator[tuple[str, Initializer]]:
    """Yield the names of parameters that the document initializes, in order, and how.

    The document's ``init`` applies to layers with multiply-accumulates, where it can fill their
    weights; the ``init`` of a layer applies to that layer. Other parameters keep torch's default.
    """
    general = analysis.architecture.init
    for row in analysis.rows:
        if isinstance(row.layer, Container):
            continue
        own = row.layer.init if isinstance(row.layer, Weighted) else None
        by_name = dict(general.by_name()) if general and row.macs else {}
        by_name |= own.by_name() if own else {}
        if not by_name:
            continue
        for name, shape in row.layer.parameter_shapes(row.input_shape).items():
            initializer = by_name.get(name.rpartition(".")[2])
            if initializer and not initializer.problem(shape):
                yield f"{row.path}.{name}", initializer
