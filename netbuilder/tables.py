"""Analyses as rich tables; every text of a document comes out as text, never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from netbuilder.analysis import Analysis, Row
from netbuilder.shapes import spatial, written
from netbuilder.targets import Verdict, judge_document

COLUMNS = (
    "layer", "window", "output", "receptive field", "jump", "parameters", "share", "MACs", "memory",
)  # fmt: skip
BAR_WIDTH = 8
PLAIN_WIDTH = 1000
"""Wider than any table: text in a pipe is never folded."""


def summary(analysis: Analysis, *, plain: bool) -> RenderableType:
    """One architecture: a row a layer, the totals, what each target leaves, the fault if any.

    With ``plain`` it is aligned text without lines, bars or colours, for pipes and files.
    """
    architecture = analysis.architecture
    table = Table(
        box=None if plain else box.SIMPLE_HEAD,
        pad_edge=False,
        title=Text(f"{architecture.name}  {architecture.title}".rstrip(), style="bold"),
        title_justify="left",
        header_style="bold",
    )
    for name in COLUMNS:
        table.add_column(
            name, justify="left" if name in ("layer", "window") else "right", no_wrap=True
        )
    whole = first_whole(analysis)
    for row in analysis.rows:
        sees_all = Text(field_text(row, analysis), style="green bold" if row is whole else "")
        share = row.parameters / analysis.parameters if analysis.parameters else 0.0
        table.add_row(
            f"{row.path} {row.kind}",
            window_text(row),
            written(row.output_shape),
            sees_all,
            per_axis_text(row.jump),
            f"{row.parameters:,}",
            share_text(share, plain=plain),
            f"{row.macs:,}" if row.macs else "",
            memory_text(row.activation_bytes),
        )
    return Group(table, *(Text(line) for line in totals(analysis)), *_closing(analysis))


def totals(analysis: Analysis) -> list[str]:
    """What the layers add up to, and from where on the whole input is seen."""
    size = written(spatial(analysis.architecture.input))
    whole = first_whole(analysis)
    if whole:
        seen = f"sees all of the {size} input from layer {whole.path} {whole.kind} on"
    else:
        seen = f"sees {written(analysis.receptive_field)} of the {size} input"
    return [
        f"{analysis.parameters:,} parameters, {analysis.macs:,} MACs, "
        f"{memory_text(analysis.activation_bytes)} of activations for one sample; {seen}"
    ]


def comparison(analyses: Sequence[Analysis], *, plain: bool) -> Table:
    """A line for each of several architectures."""
    table = Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in ("name", "layers", "output", "receptive field", "parameters", "MACs", "memory"):
        table.add_column(name, justify="left" if name == "name" else "right", no_wrap=True)
    table.add_column("targets")
    for analysis in analyses:
        verdicts = judge_document(analysis)
        kept = "fault" if analysis.fault else f"{sum(v.met is True for v in verdicts)} of "
        table.add_row(
            Text(analysis.architecture.name),
            str(len(analysis.architecture.layers)),
            written(analysis.output_shape),
            per_axis_text(analysis.receptive_field),
            f"{analysis.parameters:,}",
            f"{analysis.macs:,}",
            memory_text(analysis.activation_bytes),
            kept if analysis.fault else f"{kept}{len(verdicts)} met",
        )
    return table


def verdict_line(verdict: Verdict) -> str:
    """A target that needs no training, with what is left of its budget."""
    name = verdict.target.replace("_", " ")
    if verdict.found is None or verdict.left is None:
        return f"target {name} {verdict.bound}: not judged, {verdict.reason}"
    word = "met" if verdict.met else "NOT met"
    left = f", {abs(verdict.left):,.10g} {'left' if verdict.left >= 0 else 'over'}"
    return f"target {name} {verdict.bound}: {word} by {verdict.found:,.10g}{left}"


def first_whole(analysis: Analysis) -> Row | None:
    """The first layer of which every output position sees the whole input."""
    size = spatial(analysis.architecture.input)
    return next(
        (
            row
            for row in analysis.rows
            if all(seen >= all_ for seen, all_ in zip(row.receptive_field, size, strict=True))
        ),
        None,
    )


def window_text(row: Row) -> str:
    """Kernel, stride, padding and dilation, those that are not torch's defaults: ``3x3 /2 p1``."""
    arguments = row.arguments
    if "output_size" in arguments:
        return "to " + "x".join("=" if n is None else str(n) for n in arguments["output_size"])
    if "kernel_size" not in arguments:
        return ""
    kernel = arguments["kernel_size"]
    parts = [written(kernel)]
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
    """The receptive field beside the input's size: ``22 of 28``."""
    size = spatial(analysis.architecture.input)
    return f"{per_axis_text(row.receptive_field)} of {per_axis_text(size)}"


def per_axis_text(values: Sequence[int | Fraction]) -> str:
    """``3`` where all axes agree, else ``3x5``; a fraction as a decimal."""
    shown = [f"{float(value):g}" if isinstance(value, Fraction) else str(value) for value in values]
    return shown[0] if len(set(shown)) == 1 else "x".join(shown)


def memory_text(count: int) -> str:
    """Bytes in the largest unit that leaves a number of at least 1."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def share_text(share: float, *, plain: bool) -> str:
    """A share of all parameters as a bar of eighths and a percentage."""
    if not share:
        return ""
    percent = f"{100 * share:.1f} %"
    if plain:
        return percent
    eighths = max(1, round(share * BAR_WIDTH * 8))
    bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return f"{bar} {percent}"


def show(renderable: RenderableType, *, plain: bool) -> None:
    """Print to stdout: as wide as the terminal, or as wide as it needs to be for a pipe."""
    console = Console(no_color=True, width=PLAIN_WIDTH) if plain else Console(highlight=False)
    if not plain:
        console.print(renderable)
        return
    with console.capture() as capture:
        console.print(renderable)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _closing(analysis: Analysis) -> list[Text]:
    lines = []
    for verdict in judge_document(analysis):
        style = {True: "green", False: "red", None: "yellow"}[verdict.met]
        lines.append(Text(verdict_line(verdict), style=style))
    if analysis.fault:
        lines.append(Text(str(analysis.fault), style="red bold"))
    return lines
