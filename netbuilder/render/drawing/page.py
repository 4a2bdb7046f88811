"""The whole picture: title, network, receptive field and legend, below one another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netbuilder._text import plural
from netbuilder.components.shapes import format_shape
from netbuilder.network.analysis import Analysis
from netbuilder.render.drawing.families import FAMILIES, family_of
from netbuilder.render.drawing.field import field_panel
from netbuilder.render.drawing.fonts import SMALL, shorten, text_width, wrap
from netbuilder.render.drawing.layout import Layout
from netbuilder.render.drawing.marks import Label, Mark, shift
from netbuilder.render.drawing.model import Block, Item, blocks_of, named_rows
from netbuilder.render.drawing.svg import MARGIN, Picture
from netbuilder.render.network_text import field_sentence, title_text, totals

WIDTH = 1190.0
"""The width that rows of a network fit."""

NARROWEST = 460.0
"""The least width of a picture, for its texts."""

WINDOW_PARTS = {
    r"\d[\dx]*": "kernel",
    r"/[\dx]+": "stride",
    r"p[\dx]+|same": "padding",
    r"d[\dx]+": "dilation",
    r"g\d+": "groups",
}
"""The parts of a window, with their meaning."""

TEXT = 12.0
"""The size of the sentences above and below the network."""

LINE = 17.0


def picture(analysis: Analysis, items: Sequence[Item], *, heading: bool = True) -> Picture:
    """Return the picture of a network.

    Args:
        analysis: The analysis of the network.
        items: What is drawn of it.
        heading: Whether its name and its sums are written above it.
    """
    architecture = analysis.architecture
    shapes = [architecture.input, *(row.output_shape for row in analysis.rows)]
    network = Layout(shapes, WIDTH).whole(architecture.input, items)
    panel, outlines = field_panel(analysis)
    width = max(NARROWEST, network.width, panel.width)
    title = title_text(analysis, ": ")
    marks: list[Mark] = []
    y = 0.0

    def write(text: str, style: str, size: float) -> None:
        nonlocal y
        for line in wrap(text, size, width):
            y += size + 5
            marks.append(Label(0, y, line, style, "start"))

    counts = (
        f"{plural(analysis.layers, 'layer')}, {plural(analysis.parameters, 'parameter')}, "
        f"{analysis.macs:,} MACs; {format_shape(architecture.input)} to "
        f"{format_shape(analysis.output_shape)}"
    )
    if heading:
        write(shorten(title, 16, 2 * width, bold=True), "name", 17.5)
        write(counts, "line", TEXT)
        y += 22
    y += network.above
    marks += shift(network.marks, 0, y)
    y += network.below + 26
    legend, y = _legend(analysis, items, width, y)
    marks += legend
    y += 34
    marks.append(Label(0, y, "Receptive field over the input", "heading", "start"))
    y += 14
    marks += shift(panel.marks, 0, y)
    field_y = y
    y += panel.below + 8
    sentence = field_sentence(analysis)
    write(f"{sentence[0].upper()}{sentence[1:]}.", "line", TEXT)
    y += 4  # below the baseline
    return Picture(
        analysis=analysis,
        width=width + 2 * MARGIN,
        height=y + 2 * MARGIN,
        title=f"The network {title}",
        description=f"{plural(analysis.layers, 'layer')}: {totals(analysis)}.",
        marks=tuple(shift(marks, MARGIN, MARGIN)),
        outlines=(
            f'<g transform="translate({MARGIN:g} {field_y + MARGIN:.1f})">', *outlines, "</g>",
        ),
    )  # fmt: skip


def _legend(
    analysis: Analysis, items: Sequence[Item], width: float, y: float
) -> tuple[list[Mark], float]:
    """Return the families of layers with their colors, and what the size of a slab means."""
    present = {family_of(row.layer) for row in named_rows(items) if not row.is_container}
    present |= {item.family for item in blocks_of(items) if isinstance(item, Block)}
    marks: list[Mark] = []
    x = 0.0
    for family in FAMILIES:
        if family not in present:
            continue
        room = text_width(family, SMALL) + 12
        if x and x + room > width:
            x, y = 0.0, y + LINE
        marks.append(Label(x + 11, y, family, "note", "start", family))
        x += room + 14
    axes = len(analysis.architecture.input) - 1
    size = "height and depth" if axes > 1 else "height"
    measure = "channels" if axes else "features"
    note = f"width: {measure}, logarithmic" + (f"; {size}: spatial size" if axes else "")
    for text in (note, _window_note(items)):
        for line in wrap(text, SMALL, width) if text else ():
            y += LINE
            marks.append(Label(0, y, line, "note", "start"))
    return marks, y


def _window_note(items: Sequence[Item]) -> str:
    """Return what the parts of windows mean, with the first of each kind as its example."""
    blocks = [block for block in blocks_of(items) if isinstance(block, Block)]
    notes = [block.note for block in blocks if not block.is_fold]
    words = [word for note in notes if not note.startswith("to ") for word in note.split()]
    meanings = []
    for pattern, meaning in WINDOW_PARTS.items():
        example = next((word for word in words if re.fullmatch(pattern, word)), None)
        if example:
            meanings.append(f"{example}: {meaning}")
    return "; ".join(meanings)
