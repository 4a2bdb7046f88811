"""The picture of a network as SVG, drawn from its analysis alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuilder.network.analysis import Analysis


def draw(
    analysis: Analysis, *, depth: int | None = None, unfold: bool = False, embed: bool = False
) -> str:
    """Return the picture of a network, its layers from left to right and its receptive field.

    By default repeats are folded, and large networks are drawn in less detail.

    Args:
        analysis: The analysis of the network.
        depth: Containers nested more than this deep are folded into one block.
        unfold: Whether every layer is drawn once, without folding repeats.
        embed: Whether the picture is for a page that names the network itself and contains
            `netbuilder.render.drawing.style.stylesheet`.

    Raises:
        ShapeError: A layer of the network cannot take its input.
    """
    from netbuilder.render.drawing.folding import choose_chain
    from netbuilder.render.drawing.page import picture
    from netbuilder.render.drawing.svg import svg_text

    analysis.require_sound()
    chain = choose_chain(analysis, depth, unfold)
    return svg_text(picture(analysis, chain, heading=not embed), embed=embed)
