"""A table that fits the terminal, whatever it is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

GAP = "  "

BAR = "share"
"""The column of figures behind which a bar begins."""


class FittedTable:
    """A table that leaves out columns, and says which, where the console is too narrow for all.

    Those in ``dispensable`` go, the first of them first. Those in ``folding`` are before that
    broken between words, where lines are no longer than the console. A cell has one style.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Text]],
        *,
        plain: bool,
        dispensable: Sequence[str] = (),
        folding: Sequence[str] = (),
    ) -> None:
        self._rows = rows
        self._plain = plain
        self._dispensable = dispensable
        # A header stands in one line where lines are long, else a word a line.
        self._headers = {name: name if plain else name.replace(" ", "\n") for name in columns}
        headers = [[len(word) for word in self._headers[name].split("\n")] for name in columns]
        cells = [[cell.cell_len for cell in row] for row in rows]
        widths = zip(map(max, headers), *cells, strict=True)
        self._widths = dict(zip(columns, map(max, widths), strict=True))
        self._least = dict(self._widths)
        for name in folding:
            cut = [row[list(columns).index(name)].plain.split() for row in rows]
            words = [*self._headers[name].split(), *(word for words in cut for word in words)]
            self._least[name] = max(map(cell_len, words))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._plain:
            yield Text("\n".join(self._lines()))
            return
        kept = list(self._headers)
        left_out = []
        for name in self._dispensable:
            if self._sum(self._least, kept) <= options.max_width:
                break
            if name in kept:
                kept.remove(name)
                left_out.append(name)
        widths = {name: self._widths[name] for name in kept}
        while self._sum(widths, kept) > options.max_width and (
            wide := [name for name in kept if widths[name] > self._least[name]]
        ):
            widths[max(wide, key=widths.__getitem__)] -= 1
        if widths == {name: self._widths[name] for name in kept}:
            yield from self._segments(console, kept)
        else:
            yield self._table(widths)
        if left_out:
            message = f"too narrow for {', '.join(left_out)}; --format plain shows all"
            yield Text(message, style="dim")

    @staticmethod
    def _sum(widths: Mapping[str, int], kept: Sequence[str]) -> int:
        return sum(widths[name] + len(GAP) for name in kept) - len(GAP)

    # By hand where no cell is broken: of thousands of rows, rich's table takes a second and more.

    def _lines(self) -> Iterator[str]:
        for row in (self._headers.values(), *([cell.plain for cell in row] for row in self._rows)):
            yield GAP.join(map(_aligned, row, self._widths, self._widths.values())).rstrip()

    def _segments(self, console: Console, kept: Sequence[str]) -> Iterator[Segment]:
        places = [list(self._widths).index(name) for name in kept]
        words = [self._headers[name].split("\n") for name in kept]
        height = max(map(len, words))
        bold, plain = console.get_style("bold"), Style.null()
        for line in zip(*([""] * (height - len(word)) + word for word in words), strict=True):
            yield from self._line(kept, line, [bold] * len(kept))
        yield Segment("─" * self._sum(self._widths, kept) + "\n", plain)
        for row in self._rows:
            cells = [row[place] for place in places]
            styles = [console.get_style(cell.style) for cell in cells]
            yield from self._line(kept, [cell.plain for cell in cells], styles)

    def _line(
        self, kept: Sequence[str], cells: Sequence[str], styles: Sequence[Style]
    ) -> Iterator[Segment]:
        for name, cell, style in zip(kept, cells, styles, strict=True):
            yield Segment(_aligned(cell, name, self._widths[name]), style)
            yield Segment(GAP if name != kept[-1] else "\n")

    def _table(self, widths: Mapping[str, int]) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, len(GAP) - 1, 0, 0),  # the box brings one more
            pad_edge=False,
            show_edge=False,
            header_style="bold",
        )
        for name, width in widths.items():
            table.add_column(
                self._headers[name],
                justify=_justify(name),
                no_wrap=self._least[name] == self._widths[name],
                width=width,
            )
        positions = [list(self._headers).index(name) for name in widths]
        for row in self._rows:
            table.add_row(*(row[position] for position in positions))
        return table


def _aligned(cell: str, column: str, width: int) -> str:
    blanks = " " * (width - cell_len(cell))
    return cell + blanks if _justify(column) == "left" else blanks + cell


def _justify(column: str) -> Literal["left", "right"]:
    return "left" if column in (*TEXT_COLUMNS, BAR) else "right"


TEXT_COLUMNS = (
    "", "layer", "window", "name", "targets", "arguments", "field", "run", "started",
    "data set", "device", "verdict", "seeds", "front", "network", "target", "asked", "met", "label",
    "guess", "peer",
)  # fmt: skip
"""Those that stand at the left; all others are numbers."""
