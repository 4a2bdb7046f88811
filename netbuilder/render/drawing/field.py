"""The receptive field over the input, layer by layer: nested outlines with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netbuilder._text import printable
from netbuilder.components.shapes import Shape, format_shape, spatial
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.render.drawing.fonts import SMALL, shorten, text_width
from netbuilder.render.drawing.marks import Label, Mark, Piece
from netbuilder.render.drawing.style import css
from netbuilder.render.network_text import field_text

SIDE = 252.0
"""The length of the longer side of the input."""

SHORTEST = 10.0
"""The shortest side of the input, however long the other is."""

MOST_STEPS = 12
"""The most outlines."""

LINE = 19.0
LEADER = 34.0
"""The room for the lines from outlines to their labels."""

WIDEST_NAME = 300.0
PIXELS = 32
"""The longest side of an input of which each pixel is drawn."""


@dataclass(frozen=True)
class Step:
    """A layer with a larger receptive field than all layers before it.

    Attributes:
        row: The layer.
        is_whole: Whether every layer from this one on sees the whole input.
        has_holes: Whether its positions skip positions that they span.
    """

    row: Row
    is_whole: bool
    has_holes: bool


def field_panel(analysis: Analysis) -> tuple[Piece, list[str]]:
    """Return the labels of the panel as a piece whose top left is (0, 0), and its outlines."""
    sizes = spatial(analysis.architecture.input)
    steps = thin(steps_of(analysis), sizes)
    if len(sizes) == 1:
        return _line_panel(analysis, steps, sizes)
    return _image_panel(analysis, steps, sizes)


def steps_of(analysis: Analysis) -> list[Step]:
    """Return the layers where the receptive field grows, and the first that sees everything."""
    whole = analysis.first_whole()
    steps: list[Step] = []
    largest = (1,) * len(spatial(analysis.architecture.input))
    for row in analysis.rows:
        if row.is_container:
            continue
        grows = any(a > b for a, b in zip(row.receptive_field, largest, strict=True))
        if grows or row is whole:
            steps.append(Step(row, row is whole, any(row.coverage.holes)))
            largest = tuple(map(max, row.receptive_field, largest))
    if not steps:  # every layer reads its own position only
        leaves = [row for row in analysis.rows if not row.is_container]
        steps = [Step(leaf, False, any(leaf.coverage.holes)) for leaf in leaves[:1]]
    return steps


def thin(steps: Sequence[Step], sizes: Shape) -> list[Step]:
    """Return at most `MOST_STEPS` of them, those that can be told apart first."""
    choice: list[Step] = []
    for step in steps:
        is_new = not choice or _visible(step, sizes) != _visible(choice[-1], sizes)
        if is_new or step.is_whole or (step.has_holes and not any(s.has_holes for s in choice)):
            choice.append(step)
    if steps and choice[-1] is not steps[-1]:
        choice.append(steps[-1])
    if len(choice) <= MOST_STEPS:
        return choice
    needed = [i for i, step in enumerate(choice) if step.is_whole]
    needed += [i for i, step in enumerate(choice) if step.has_holes][:1]
    places = {round(i * (len(choice) - 1) / (MOST_STEPS - 3)) for i in range(MOST_STEPS - 2)}
    return [step for i, step in enumerate(choice) if i in places or i in needed]


def _visible(step: Step, sizes: Shape) -> tuple[int, ...]:
    """Return the part of the field that is on the input."""
    return tuple(map(min, step.row.receptive_field, sizes))


def _style(step: Step) -> str:
    return "field" + " all" * step.is_whole + " holes" * step.has_holes


def _texts(step: Step, analysis: Analysis) -> tuple[str, str]:
    """Return the name of a layer, and what it sees."""
    name = shorten(printable(f"{step.row.path} {step.row.title}"), SMALL, WIDEST_NAME)
    text = field_text(step.row, analysis)
    text += ", with holes" if step.has_holes else ""
    text += ": sees all from here on" if step.is_whole else ""
    return name, text


def _labels(
    steps: Sequence[Step], analysis: Analysis, x: float, ys: Sequence[float]
) -> tuple[list[Label], float]:
    """Return the labels of steps in two columns, and how far they go to the right."""
    texts = [_texts(step, analysis) for step in steps]
    second = x + max((text_width(name, SMALL, bold=True) for name, _ in texts), default=0) + 10
    labels, right = [], x
    for step, (name, text), y in zip(steps, texts, ys, strict=True):
        style = "whole" if step.is_whole else "part"
        labels.append(Label(x, y + 4, name, style, "start"))
        labels.append(Label(second, y + 4, text, style, "start"))
        right = max(right, second + text_width(text, SMALL, bold=step.is_whole))
    return labels, right


def _image_panel(
    analysis: Analysis, steps: Sequence[Step], sizes: Shape
) -> tuple[Piece, list[str]]:
    """Return outlines around the center of the input, from the largest to the smallest."""
    rows, columns = sizes[-2:]
    scale = SIDE / max(rows, columns)
    height, width = (max(SHORTEST, side * scale) for side in (rows, columns))
    elements = [f'<rect {css("image")} width="{width:.1f}" height="{height:.1f}"/>']
    if max(rows, columns) <= PIXELS:
        lines = [f"M{i * width / columns:.1f} 0v{height:.1f}" for i in range(1, columns)]
        lines += [f"M0 {i * height / rows:.1f}h{width:.1f}" for i in range(1, rows)]
        elements.append(f'<path {css("grid")} d="{"".join(lines)}"/>')
    ys = _spread([height / 2 + _side(step, 0, rows, height) / 2 for step in steps], LINE)
    leaders = []
    # The largest first; the outline of the whole input last, so that no other one covers it.
    pairs = list(zip(steps, ys, strict=True))[::-1]
    for step, y in sorted(pairs, key=lambda pair: pair[0].is_whole):
        tall, wide = _side(step, 0, rows, height), _side(step, 1, columns, width)
        left, top = (width - wide) / 2, (height - tall) / 2
        elements.append(
            f'<rect {css(_style(step))} x="{left:.1f}" y="{top:.1f}" '
            f'width="{wide:.1f}" height="{tall:.1f}"/>'
        )
        corner = f"M{left + wide:.1f} {top + tall:.1f}"
        leaders.append(
            f'<path {css("leader")} d="{corner}L{width + 8:.1f} {top + tall:.1f}'
            f'L{width + LEADER - 8:.1f} {y:.1f}h5"/>'
        )
    labels, right = _labels(steps, analysis, width + LEADER, ys)
    marks: list[Mark] = list(labels)
    below = max(height, ys[-1] + 8 if ys else 0)
    text = f"input of {format_shape(sizes)}"
    if len(sizes) > 2:
        text += ", of which the last two axes are drawn"
    marks.append(Label(0, below + 17, text, "note", "start"))
    right = max(right, text_width(text, SMALL))
    return Piece(right, 0, below + 20, tuple(marks)), [*elements, *leaders]


def _side(step: Step, axis: int, size: int, length: float) -> float:
    """Return the length of a side of an outline, along the last axis but one or the last."""
    return min(step.row.receptive_field[-2:][axis], size) / size * length


def _spread(ideal: Sequence[float], distance: float) -> list[float]:
    """Return ascending places near the ideal ones, with a distance between neighbors."""
    places: list[float] = []
    for y in ideal:
        places.append(max(y, places[-1] + distance) if places else y)
    # Back up where the last ones were pushed below their ideal places.
    limit = max(ideal[-1], distance * (len(ideal) - 1) + 8) if ideal else 0.0
    for i in reversed(range(len(places))):
        places[i] = min(places[i], limit)
        limit = places[i] - distance
    return places


def _line_panel(analysis: Analysis, steps: Sequence[Step], sizes: Shape) -> tuple[Piece, list[str]]:
    """Return the input as a line, and below it a bar for each step around the center."""
    width = SIDE * 1.4
    elements = [f'<rect {css("image")} width="{width:.1f}" height="12"/>']
    if sizes[0] <= PIXELS:
        lines = [f"M{i * width / sizes[0]:.1f} 0v12" for i in range(1, sizes[0])]
        elements.append(f'<path {css("grid")} d="{"".join(lines)}"/>')
    ys = [12 + 18 + i * LINE for i in range(len(steps))]
    for step, y in zip(steps, ys, strict=True):
        wide = max(2.0, min(step.row.receptive_field[0], sizes[0]) / sizes[0] * width)
        elements.append(
            f'<rect {css(_style(step))} x="{(width - wide) / 2:.1f}" y="{y - 5:.1f}" '
            f'width="{wide:.1f}" height="10"/>'
        )
    labels, right = _labels(steps, analysis, width + 16, ys)
    text = f"input of {sizes[0]} positions"
    marks: list[Mark] = [*labels, Label(width + 16, 10, text, "note", "start")]
    right = max(right, width + 16 + text_width(text, SMALL))
    return Piece(right, 0, 12 + 18 + len(steps) * LINE, tuple(marks)), elements
