"""A picture as the text of an SVG file that loads nothing and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape

from netbuilder._text import plural, printable
from netbuilder.components.shapes import format_shape
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
from netbuilder.render.drawing.marks import (
    RISE,
    STRIPE,
    Border,
    Card,
    Join,
    Label,
    Mark,
    Place,
    Slab,
    Wire,
)
from netbuilder.render.drawing.style import ROOT, css, stylesheet
from netbuilder.render.network_text import field_text, window_text

CORNER = 7.0
"""The radius of a wire's corners."""

NARROWEST = 0.75
"""The least scale of a picture in a page."""

MARGIN = 16.0
"""The room around everything."""

SIGN = 5.0
"""Half the size of the sign in a join."""


@dataclass(frozen=True)
class Picture:
    """A whole picture.

    Attributes:
        analysis: The analysis of the network.
        width: Its width.
        height: Its height.
        title: Its name for a screen reader.
        description: What it shows, for a screen reader.
        marks: The parts of the network, for places of (0, 0) at the top left.
        outlines: Further elements, drawn after the marks, as SVG.
    """

    analysis: Analysis
    width: float
    height: float
    title: str
    description: str
    marks: tuple[Mark, ...]
    outlines: tuple[str, ...] = ()


def svg_text(picture: Picture, *, embed: bool) -> str:
    """Return the text; embedded, it has no style and no declaration of its namespace."""
    edge = MARGIN - 2 if embed else 0  # a page has margins of its own
    width, height = (number(side - 2 * edge) for side in (picture.width, picture.height))
    size = f'viewBox="{edge:g} {edge:g} {width} {height}"'
    if embed:  # between its own width and one in which text can be read
        least = number(NARROWEST * picture.width)
        size += f' style="min-width: {least}px; max-width: {width}px"'
    else:
        size = f'xmlns="http://www.w3.org/2000/svg" {size} width="{width}" height="{height}"'
    lines = [
        f'<svg {size} class="{ROOT}" role="img">',
        f"<title>{text(picture.title)}</title>",
        f"<desc>{text(picture.description)}</desc>",
    ]
    if not embed:
        ground = f'<rect {css("ground")} width="100%" height="100%"/>'
        lines += [f"<style>\n{stylesheet()}</style>", ground]
    lines += [
        element for mark in _back_to_front(picture.marks) for element in _elements(mark, picture)
    ]
    content = "\n".join([*lines, *picture.outlines, "</svg>"]) + "\n"
    # A terminal or a redirection may have any encoding.
    return content.encode("ascii", "xmlcharrefreplace").decode()


def _back_to_front(marks: Iterable[Mark]) -> list[Mark]:
    """Return marks in the order in which they are drawn; wires that touch are one."""
    order: tuple[type, ...] = (Border, Wire, Card, Join, Label)
    return sorted(connect(marks), key=lambda mark: order.index(type(mark)))


def connect(marks: Iterable[Mark]) -> Iterator[Mark]:
    """Yield marks with level wires in sequence replaced by one, and their arrowheads kept."""
    levels: dict[float, list[tuple[float, float]]] = {}
    for mark in marks:
        if not (isinstance(mark, Wire) and len(mark.points) == 2):
            yield mark
            continue
        (start, y), (end, _) = mark.points
        levels.setdefault(round(y, 2), []).append((start, end))
        if mark.arrow:
            yield Wire((mark.points[1],), arrow=True)
    for y, spans in levels.items():
        start, end = min(spans)
        for left, right in sorted(spans):
            if left > end + 0.01:
                yield Wire(((start, y), (end, y)))
                start = left
            end = max(end, right) if left <= end + 0.01 else right
        yield Wire(((start, y), (end, y)))


def text(value: str) -> str:
    """Return a text as the content of an element; characters that XML cannot have are escaped."""
    return escape(printable(value))


def number(value: float) -> str:
    """Return a length with one decimal at most."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def _elements(mark: Mark, picture: Picture) -> Iterator[str]:
    match mark:
        case Border():
            yield (
                f'<rect {css(mark.style)} x="{number(mark.x)}" y="{number(mark.y)}" '
                f'width="{number(mark.width)}" height="{number(mark.height)}" rx="8"/>'
            )
        case Wire():
            if len(mark.points) > 1:
                yield f'<path {css(mark.style)} d="{round_path(mark.points)}"/>'
            if mark.arrow:
                x, y = mark.points[-1]
                tip = f"M{number(x)} {number(y)}l-7 -3.5v7z"
                yield f'<path {css("arrow")} d="{tip}"/>'
        case Label():
            yield from _label(mark)
        case Card():
            yield "<g>"
            lines = [mark.hint] if mark.hint else []
            yield _hint([*lines, *(_describe(row, picture.analysis) for row in mark.rows)])
            yield from _slab(mark.slab, mark.slab_x, mark.y)
            for label in mark.labels:
                yield from _label(label)
            yield "</g>"
        case Join():
            yield "<g>"
            yield _hint([_describe(row, picture.analysis) for row in mark.rows])
            yield from _join(mark)
            for label in mark.labels:
                yield from _label(label)
            yield "</g>"


def _hint(lines: Iterable[str]) -> str:
    return f"<title>{chr(10).join(map(text, lines))}</title>"


def _describe(row: Row, analysis: Analysis) -> str:
    """Return a layer in one line."""
    window = window_text(row)
    return (
        f"{row.path} {row.title}{f' {window}' if window else ''}: "
        f"{format_shape(row.input_shape)} to {format_shape(row.output_shape)}, "
        f"{plural(row.parameters, 'parameter')}, receptive field {field_text(row, analysis)}"
    )


def _label(label: Label) -> Iterator[str]:
    if label.family:
        yield (
            f'<rect {css(label.family)} x="{number(label.x - 10)}" y="{number(label.y - 7.5)}" '
            'width="7" height="7" rx="1.5"/>'
        )
    anchor = {"middle": ' text-anchor="middle"', "end": ' text-anchor="end"'}.get(label.anchor, "")
    place = f'x="{number(label.x)}" y="{number(label.y)}"'
    number_part = f"<tspan {css('note')}>{text(label.number)}</tspan> " if label.number else ""
    note = f" <tspan {css('note')}>{text(label.note)}</tspan>" if label.note else ""
    content = f"{number_part}{text(label.text)}{note}"
    yield f"<text {css(label.style)} {place}{anchor}>{content}</text>"


def _slab(slab: Slab, x: float, y: float) -> Iterator[str]:
    """Yield the faces of a slab: front, stripes, top and right."""
    front = slab.width + STRIPE * len(slab.stripes)
    top, height = y - slab.height / 2, slab.height
    across, up = slab.back, slab.back * RISE
    yield _box(slab.family, x, top, slab.width, height)
    for position, family in enumerate(slab.stripes):
        yield _box(family, x + slab.width + position * STRIPE, top, STRIPE, height)
    outline = f"M{number(x)} {number(top)}h{number(front)}v{number(height)}h{number(-front)}z"
    if across:
        last = slab.stripes[-1] if slab.stripes else slab.family
        upper = _face(x, top, (across, -up), (front, 0), (-across, up))
        right = _face(x + front, top, (across, -up), (0, height), (-across, up))
        yield f'<path {css(slab.family)} d="{upper}"/><path {css("light edge")} d="{upper}"/>'
        yield f'<path {css(last)} d="{right}"/><path {css("dark edge")} d="{right}"/>'
    yield f'<path {css("edge")} fill="none" d="{outline}"/>'


def _face(x: float, y: float, *steps: Place) -> str:
    """Return the path of a face, from a corner along its sides."""
    return (
        f"M{number(x)} {number(y)}" + "".join(f"l{number(a)} {number(b)}" for a, b in steps) + "z"
    )


def _box(style: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect {css(style)} x="{number(x)}" y="{number(y)}" '
        f'width="{number(width)}" height="{number(height)}"/>'
    )


def _join(join: Join) -> Iterator[str]:
    """Yield the circle of a join and its sign: plus, times, bars side by side, or a mean."""
    x, y, size = join.x + 10, join.y, SIGN
    yield f'<circle {css("join")} cx="{number(x)}" cy="{number(y)}" r="10"/>'
    a, b = size, size * 0.75
    signs = {
        "add": f"M{number(x - a)} {number(y)}h{2 * a}M{number(x)} {number(y - a)}v{2 * a}",
        "multiply": (
            f"M{number(x - b)} {number(y - b)}l{2 * b} {2 * b}m0 {-2 * b}l{-2 * b} {2 * b}"
        ),
        "concat": (
            f"M{number(x - b)} {number(y - a)}v{2 * a}M{number(x)} {number(y - a)}v{2 * a}"
            f"M{number(x + b)} {number(y - a)}v{2 * a}"
        ),
        "mean": (
            f"M{number(x - a)} {number(y + b)}h{2 * a}"
            f"M{number(x - a)} {number(y)}h{2 * a}M{number(x - a)} {number(y - b)}h{2 * a}"
        ),
    }
    if sign := signs.get(join.join):
        yield f'<path {css("sign")} d="{sign}"/>'


def round_path(points: Iterable[Place]) -> str:
    """Return the path through points, each corner round."""
    line = [place for place, _ in groupby(points)]
    parts = [f"M{number(line[0][0])} {number(line[0][1])}"]
    for before, corner, after in zip(line, line[1:], line[2:], strict=False):
        start, end = _toward(corner, before), _toward(corner, after)
        parts.append(
            f"L{number(start[0])} {number(start[1])}"
            f"Q{number(corner[0])} {number(corner[1])} {number(end[0])} {number(end[1])}"
        )
    parts.append(f"L{number(line[-1][0])} {number(line[-1][1])}")
    return "".join(parts)


def _toward(corner: Place, other: Place) -> Place:
    """Return the point on the way from a corner where its curve ends."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(CORNER, length / 2) / length
    return corner[0] + dx * share, corner[1] + dy * share
