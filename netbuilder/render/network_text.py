"""The values of an analysis as text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from netbuilder._text import format_number, printable
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.network.analysis import Analysis, Row
from netbuilder.network.targets import Verdict
from netbuilder.render.verdict import WORDS

BAR_WIDTH = 8
"""The length of the longest bar in characters."""


def title_text(analysis: Analysis, between: str) -> str:
    """Return the name and the title of the document in one line."""
    architecture = analysis.architecture
    parts = (architecture.name, printable(architecture.title))
    return between.join(part for part in parts if part)


def totals(analysis: Analysis, depth: int | None = None) -> str:
    """Return the totals of the network, and the first layer that sees the whole input."""
    size = format_shape(spatial(analysis.architecture.input))
    whole = first_whole(analysis, depth)
    if whole:
        field = f"sees all of the {size} input from layer {whole.path} {whole.title} on"
    else:
        field = f"sees {format_shape(analysis.receptive_field)} of the {size} input"
    return (
        f"{analysis.parameters:,} parameters, {analysis.macs:,} MACs, "
        f"{memory_text(analysis.activation_bytes)} of activations for one sample; {field}"
    )


def verdict_line(verdict: Verdict) -> str:
    """Return the verdict on a target with the distance from its bound, in one line."""
    target, word = f"target {verdict.target.replace('_', ' ')} {verdict.bound}", WORDS[verdict.met]
    if verdict.value is None or verdict.left is None:
        return f"{target}: {word}, {verdict.reason}"
    value, distance = format_number(verdict.value), format_number(abs(verdict.left))
    if verdict.met:
        return f"{target}: {value}, {word} with {distance} to spare"
    if verdict.left == 0:
        return f"{target}: {value}, {word}, the bound itself is not allowed"
    return f"{target}: {value}, {word}, off by {distance}"


def first_whole(analysis: Analysis, depth: int | None = None) -> Row | None:
    """Return the first layer whose receptive field covers the whole input.

    A container represents its layers that are deeper than ``depth``.
    """
    size = spatial(analysis.architecture.input)
    for row in analysis.folded(depth):
        if row.is_container and row.descendants and row.depth != depth:
            continue
        if all(field >= axis for field, axis in zip(row.receptive_field, size, strict=True)):
            return row
    return None


def window_text(row: Row) -> str:
    """Return kernel, stride, padding, dilation and groups without defaults: ``3x3 /2 p1``."""
    arguments = row.arguments
    if "output_size" in arguments:
        return "to " + "x".join("=" if n is None else str(n) for n in arguments["output_size"])
    if "kernel_size" not in arguments:
        return ""
    kernel = arguments["kernel_size"]
    parts = [format_shape(kernel)]
    stride = arguments.get("stride") or kernel
    if set(stride) != {1}:
        parts.append(f"/{per_axis_text(stride)}")
    padding = arguments.get("padding", ())
    if isinstance(padding, str):
        parts.append(padding)
    elif any(padding):
        parts.append(f"p{per_axis_text(padding)}")
    if set(arguments.get("dilation", (1,))) != {1}:
        parts.append(f"d{per_axis_text(arguments['dilation'])}")
    if arguments.get("groups", 1) != 1:
        parts.append(f"g{arguments['groups']}")
    return " ".join(parts)


def field_text(row: Row, analysis: Analysis) -> str:
    """Return the receptive field and the size of the input: ``22 of 28``, ``107, all of 32``."""
    field, size = row.receptive_field, spatial(analysis.architecture.input)
    larger = field != size and all(f >= axis for f, axis in zip(field, size, strict=True))
    return f"{per_axis_text(field)}{', all' if larger else ''} of {per_axis_text(size)}"


def per_axis_text(values: Sequence[int | Fraction]) -> str:
    """Return ``3`` if all axes are equal, else ``3x5``; a fraction as a decimal."""
    texts = [f"{float(value):g}" if isinstance(value, Fraction) else str(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def memory_text(count: int) -> str:
    """Return a number of bytes in the largest unit in which it is at least 1."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def share_text(share: float, largest: float, *, plain: bool) -> str:
    """Return a share of the parameters as percentage and bar, aligned with the ``largest``."""
    if not share:
        return ""
    width = len(f"{largest:.1%}")
    if plain:
        bar = "#" * round(share * BAR_WIDTH)
    else:
        whole, eighths = divmod(max(1, round(share * BAR_WIDTH * 8)), 8)
        bar = "█" * whole + ("", *"▏▎▍▌▋▊▉")[eighths]
    return f"{share:>{width}.1%} {bar}"


def layer_labels(rows: Sequence[Row]) -> list[str]:
    """Return the label of each layer in a table: its number and title, indented by its depth.

    The numbers of one depth line up on the right. The number of a layer is below the title of its
    container.
    """
    widths: dict[int, int] = {}
    for row in rows:
        if row.name.isdecimal():
            widths[row.depth] = max(widths.get(row.depth, 1), len(row.name))
    labels = []
    for row in rows:
        indent = sum(widths.get(depth, 1) + 1 for depth in range(row.depth))
        name = row.name.rjust(widths[row.depth]) if row.name.isdecimal() else row.name
        labels.append(f"{' ' * indent}{name} {printable(row.title)}")
    return labels
