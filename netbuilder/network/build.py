"""Architecture → `torch.nn.Sequential`."""

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


def build(architecture: Architecture) -> nn.Sequential:
    """The network, freshly initialised from torch's global random state, in training mode.

    It takes float batches of shape ``(N, *architecture.input)`` and gives
    ``(N, *analyse(architecture).output_shape)``; its children are named ``0``, ``1`` … in the order
    of the document, those of containers as `analyse` names their rows.

    Raises:
        ShapeError: a layer cannot take what reaches it.
    """
    from torch import nn

    analysis = analyse(architecture)
    analysis.require_sound()
    pairs = zip(architecture.layers, analysis.outermost, strict=True)
    model = nn.Sequential(*(layer.build(row.input_shape) for layer, row in pairs))
    for name, initializer in initializers(analysis):
        initializer.fill(model.get_parameter(name))
    return model


def initializers(analysis: Analysis) -> Iterator[tuple[str, Initializer]]:
    """The parameters that the document fills, in order; all else keeps torch's own beginning.

    The document's own ``init`` is for layers that multiply by a matrix, as far as it can fill
    their weights; a layer's is for that layer.
    """
    general = analysis.architecture.init
    for row in analysis.rows:
        if isinstance(row.layer, Container):
            continue
        own = row.layer.init if isinstance(row.layer, Weighted) else None
        given = dict(general.by_name()) if general and row.macs else {}
        given |= own.by_name() if own else {}
        if not given:
            continue
        for name, shape in row.layer.parameter_shapes(row.input_shape).items():
            initializer = given.get(name.rpartition(".")[2])
            if initializer and not initializer.problem(shape):
                yield f"{row.path}.{name}", initializer
