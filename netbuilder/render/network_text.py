"""The values of an analysis as text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from netbuilder._text import format_number, printable
from netbuilder.components.shapes import format_shape, spatial
from netbuilder.network.analysis import Analysis
from netbuilder.network.rows import Row
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
    """Return the sums over the layers, and the first layer that sees the whole input."""
    return (
        f"{analysis.parameters:,} parameters, {analysis.macs:,} MACs, "
        f"{memory_text(analysis.activation_bytes)} of activations for one sample; "
        f"{field_sentence(analysis, depth)}"
    )


def field_sentence(analysis: Analysis, depth: int | None = None) -> str:
    """Return what the network sees of its input, and the first layer that reads it with holes.

    "Sees all" holds where one output position depends on every position of the input. Else the
    sentence has the span of one position, what it reads of it, and what all read together.
    """
    text = _field_text(analysis, depth)
    holes = analysis.first_with_holes(depth)
    if holes and holes.coverage.position:
        text += (
            f"; gridding: one position of layer {holes.path} {holes.title} spans "
            f"{format_shape(holes.receptive_field)} with holes and reads at most "
            f"{format_shape(holes.coverage.position)}"
        )
    return text


def _field_text(analysis: Analysis, depth: int | None) -> str:
    shape, field = spatial(analysis.architecture.input), analysis.receptive_field
    size, span, coverage = format_shape(shape), format_shape(field), analysis.coverage
    if whole := analysis.first_whole(depth):
        return f"sees all of the {size} input from layer {whole.path} {whole.title} on"
    spans_all = all(part >= total for part, total in zip(field, shape, strict=True))
    if coverage.position is None or coverage.together is None:
        unknown = ", but may not read all of it" if spans_all else ""
        return f"one position spans {span} of the {size} input{unknown}"
    if coverage.position != tuple(map(min, field, shape)):
        read = format_shape(coverage.position)
        text = f"one position spans {span} of the {size} input and reads at most {read} of it"
    elif spans_all:
        text = f"one position spans {span} of the {size} input, but may not read all of it"
    else:
        text = f"sees {span} of the {size} input"
    if coverage.together != shape:
        text += f"; together the output positions read {format_shape(coverage.together)}"
    return text


def verdict_line(verdict: Verdict) -> str:
    """Return the verdict on a target with the distance from its bound, in one line."""
    target, word = f"target {verdict.target.replace('_', ' ')} {verdict.bound}", WORDS[verdict.met]
    if verdict.value is None or verdict.left is None:
        return f"{target}: {word}, {verdict.reason}"
    value, distance = format_number(verdict.value), format_number(abs(verdict.left))
    reason = f"; {verdict.reason}" if verdict.reason else ""
    if verdict.met:
        return f"{target}: {value}, {word} with {distance} to spare{reason}"
    if verdict.left == 0:
        return f"{target}: {value}, {word}, the bound itself is not allowed{reason}"
    return f"{target}: {value}, {word}, off by {distance}{reason}"


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
    """Return the receptive field and the input's size: ``22 of 28``, or ``107, all of 32``.

    A position that does not read all that it spans of the input: ``435, 218 of 224``.
    """
    field, size, read = (
        row.receptive_field,
        spatial(analysis.architecture.input),
        row.coverage.position,
    )
    span, total = per_axis_text(field), per_axis_text(size)
    if read is not None and read != tuple(map(min, field, size)):
        return f"{span}, {per_axis_text(read)} of {total}"
    if field != size and row.coverage.whole:
        return f"{span}, all of {total}"
    return f"{span} of {total}"


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
