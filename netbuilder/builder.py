"""Architecture → `torch.nn.Sequential`."""

from __future__ import annotations

from torch import nn

from netbuilder.analysis import analyse
from netbuilder.schema import Architecture


def build(architecture: Architecture) -> nn.Sequential:
    """The network, freshly initialised from torch's global random state, in training mode.

    It takes float batches of shape ``(N, *architecture.input)`` and gives
    ``(N, *analyse(architecture).output_shape)``; its children are named ``0``, ``1`` … in the order
    of the document.

    Raises:
        ShapeError: a layer cannot take what reaches it.
    """
    analysis = analyse(architecture)
    analysis.require_sound()
    shapes = (row.input_shape for row in analysis.rows)
    return nn.Sequential(
        *(layer.build(x) for layer, x in zip(architecture.layers, shapes, strict=True))
    )
