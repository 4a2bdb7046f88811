"""A table that renders for a terminal, a pipe, a document or a program."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, overload

from netbuilder._text import printable
from netbuilder.render.json import dumps
from netbuilder.render.layout import GAP, TextColumn, fold, lay_out
from netbuilder.render.markdown import escaped

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

R = TypeVar("R")

SPACE = "\N{NO-BREAK SPACE}"


class Cell(NamedTuple):
    """A value with a text or a style that differs from those of its column.

    Attributes:
        value: The value in JSON and CSV.
        text: The text in other forms; None to use the column's.
        style: The style, as rich names it; empty to use the column's.
    """

    value: Any
    text: str | None = None
    style: str = ""


def display(value: Any) -> str:
    """Return a value as one line of text: thousands separated, empty for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    return f"{value:,}"


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column.

    Attributes:
        name: The header.
        cell: Returns a row's value, or a `Cell`.
        text: Converts a value to text.
        justify: The side on which cells line up; numbers line up on the right.
        priority: On a narrow terminal, columns of the highest priority are left out first, all of
            one priority together; those of priority 0 only as a last resort.
        style: The style, as rich names it.
        folds: Whether long cells are wrapped between words on a narrow terminal.
        optional: Whether the column is left out, except in JSON and CSV, if all cells are empty.
        key: The name in JSON and CSV; the header if empty.
        html: Returns the HTML element of a row; None for an element with the text.
    """

    name: str
    cell: Callable[[R], Any]
    text: Callable[[Any], str] = display
    justify: Literal["left", "right"] = "right"
    priority: int = 0
    style: str = ""
    folds: bool = False
    optional: bool = False
    key: str = ""
    html: Callable[[R], str] | None = None

    def read(self, row: R) -> Cell:
        """Return a row's value with its text and style."""
        value = self.cell(row)
        cell = value if isinstance(value, Cell) else Cell(value)
        text = self.text(cell.value) if cell.text is None else cell.text
        # A text may be that of a record; spaces that do not break are the project's own.
        if not text.replace(SPACE, "").isprintable():
            text = SPACE.join(map(printable, text.split(SPACE)))
        return Cell(cell.value, text, cell.style or self.style)


@dataclass(frozen=True)
class Table(Generic[R]):
    """Rows of one kind under columns.

    Attributes:
        columns: The columns from left to right.
        rows: The rows from top to bottom.
        footer: Rows that summarize the others.
        record: Returns a row as a JSON value; None for the columns' values by their keys.
        hint: How to show the columns that a narrow terminal leaves out.
        caption: The caption in HTML.
        css: The classes of the HTML element.
    """

    columns: Sequence[Column[R]]
    rows: Sequence[R]
    footer: Sequence[R] = ()
    record: Callable[[R], Any] | None = None
    hint: str = "--format plain shows all"
    caption: str = ""
    css: str = ""

    @overload
    def render(self, output: Literal["rich"]) -> RenderableType: ...

    @overload
    def render(
        self,
        output: Literal["plain", "markdown", "csv", "json", "html"],
        *,
        width: int | None = None,
    ) -> str: ...

    def render(self, output: str, *, width: int | None = None) -> RenderableType:
        """Return the table as text, or, for ``rich``, as an object that rich prints.

        Args:
            output: ``rich`` or one of `RENDERERS`.
            width: The longest line of plain text; None for no limit.
        """
        return _Rich(self) if output == "rich" else RENDERERS[output](self, width)

    def __rich__(self) -> RenderableType:
        """Return the table as rich prints it."""
        return self.render("rich")

    @cached_property
    def cells(self) -> list[list[Cell]]:
        """The cells of each row, the footer last."""
        return [[c.read(row) for c in self.columns] for row in (*self.rows, *self.footer)]

    def records(self) -> list[Any]:
        """Return every row as a JSON value."""
        record = self.record
        if record is not None:
            return [record(row) for row in (*self.rows, *self.footer)]
        keys = _keys(self)
        return [dict(zip(keys, (cell.value for cell in row), strict=True)) for row in self.cells]


# --- forms ---------------------------------------------------------------------------------------


def _keys(table: Table[Any]) -> list[str]:
    return [column.key or column.name for column in table.columns]


def _visible(table: Table[Any]) -> list[int]:
    """Return the positions of all columns but the optional ones that are empty."""
    return [
        position
        for position, column in enumerate(table.columns)
        if not column.optional or any(row[position].text for row in table.cells)
    ]


def _text_columns(table: Table[Any]) -> list[TextColumn]:
    """Return the visible columns as text."""
    return [
        TextColumn(
            column.name,
            [str(row[position].text) for row in table.cells],
            column.justify,
            column.priority,
            column.folds,
        )
        for position, column in ((p, table.columns[p]) for p in _visible(table))
    ]


def _left_out(table: Table[Any], names: Sequence[str]) -> str:
    return f"too narrow for {', '.join(names)}; {table.hint}"


def _plain(table: Table[Any], width: int | None) -> str:
    columns = _text_columns(table)
    layout = lay_out(columns, width)
    lines = [*layout.header(columns)]
    for number in range(len(table.cells)):
        lines += layout.row(columns, number)
    text = "".join(f"{GAP.join(line).rstrip()}\n" for line in lines)
    if layout.left_out:
        text += "".join(f"{line}\n" for line in fold(_left_out(table, layout.left_out), width or 0))
    return text


def _markdown(table: Table[Any], _: int | None) -> str:
    positions = _visible(table)
    columns = [table.columns[position] for position in positions]
    lines: list[Sequence[str]] = [
        [escaped(column.name) for column in columns],
        ["---" if column.justify == "left" else "---:" for column in columns],
        *([escaped(row[position].text or "") for position in positions] for row in table.cells),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _csv(table: Table[Any], _: int | None) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_keys(table))
    writer.writerows([cell.value for cell in row] for row in table.cells)
    return buffer.getvalue()


def _json(table: Table[Any], _: int | None) -> str:
    return dumps(table.records(), indent=2) + "\n"


def _html(table: Table[Any], _: int | None) -> str:
    css = f' class="{escape(table.css)}"' if table.css else ""
    caption = f"<caption><span>{escape(table.caption)}</span></caption>\n" if table.caption else ""
    positions = _visible(table)
    columns = [table.columns[position] for position in positions]
    heads = "".join(
        f'<th scope="col"{_classes(column)}>{escape(column.name)}</th>' for column in columns
    )
    rows = [
        f"<tr>{''.join(_elements(columns, row, [cells[p] for p in positions]))}</tr>\n"
        for row, cells in zip((*table.rows, *table.footer), table.cells, strict=True)
    ]
    body, foot = "".join(rows[: len(table.rows)]), "".join(rows[len(table.rows) :])
    foot = f"<tfoot>\n{foot}</tfoot>\n" if foot else ""
    head = f"<thead><tr>{heads}</tr></thead>\n"
    return f"<table{css}>\n{caption}{head}<tbody>\n{body}</tbody>\n{foot}</table>"


def _elements(columns: Sequence[Column[R]], row: R, cells: Sequence[Cell]) -> Iterator[str]:
    for position, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        if column.html is not None:
            yield column.html(row)
        elif position == 0:
            yield f'<th scope="row"><bdi>{escape(cell.text or "")}</bdi></th>'
        else:
            yield f"<td{_classes(column)}>{escape(cell.text or '')}</td>"


def _classes(column: Column[Any]) -> str:
    names = ["text"] * (column.justify == "left") + ["quiet"] * (column.style == "dim")
    return f' class="{" ".join(names)}"' if names else ""


class _Rich:
    """A table as wide as the console.

    It assembles its lines itself, because rich's table takes a second for thousands of rows.
    """

    def __init__(self, table: Table[Any]) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment
        from rich.style import Style
        from rich.text import Text

        positions, columns = _visible(self._table), _text_columns(self._table)
        layout = lay_out(columns, options.max_width)
        last = len(layout.columns) - 1
        gaps = [Segment("\n" if place == last else GAP) for place in range(last + 1)]
        bold = console.get_style("bold")

        def line(texts: Sequence[str], styles: Sequence[Style]) -> Iterator[Segment]:
            for text, style, gap in zip(texts, styles, gaps, strict=True):
                yield Segment(text, style)
                yield gap

        for texts in layout.header(columns):
            yield from line(texts, [bold] * (last + 1))
        yield Segment("─" * layout.width + "\n")
        for number, cells in enumerate(self._table.cells):
            styles = [console.get_style(cells[positions[p]].style) for p in layout.columns]
            for texts in layout.row(columns, number):
                yield from line(texts, styles)
        if layout.left_out:
            yield Text(_left_out(self._table, layout.left_out), style="dim")


RENDERERS: dict[str, Callable[[Table[Any], int | None], str]] = {
    "plain": _plain,
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
    "html": _html,
}
"""The forms of text by name."""
