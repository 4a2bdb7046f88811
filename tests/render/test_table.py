"""A table in every format: nothing is lost, and nothing is wider than the terminal."""

from __future__ import annotations

import csv
import html
import io
import json
import math
from typing import Any

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console

from netbuilder.render.table import Cell, Column, Table

WIDTHS = [40, 80, 120, 200]
WORDS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=12)
ROWS = st.lists(
    st.tuples(WORDS, st.integers(-(10**9), 10**9), st.floats(width=32), WORDS), max_size=6
)
COLUMNS: tuple[Column[tuple[Any, ...]], ...] = (
    Column("name", lambda row: row[0], justify="left"),
    Column("parameters", lambda row: row[1]),
    Column("best test", lambda row: row[2], text="{:.2f}".format, priority=1),
    Column("note", lambda row: row[3], justify="left", priority=2, folds=True),
)


def console_text(table: Table[Any], width: int) -> str:
    """Return the output of a console of this width without colors."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def numbers(rows: int, columns: int) -> Table[int]:
    """Create a table of large numbers with long headers, without priorities."""

    def column(position: int) -> Column[int]:
        return Column(f"column {position}", lambda row: 10 ** (row + position))

    return Table([column(position) for position in range(columns)], range(rows))


@settings(deadline=None)
@given(ROWS)
def test_every_format_has_every_row_and_value(rows: list[tuple[Any, ...]]) -> None:
    """Rows keep their order; formats for people have text."""
    table = Table(COLUMNS, rows)
    texts = [(row[0], f"{row[1]:,}", f"{row[2]:.2f}", row[3]) for row in rows]
    lines = table.render("plain").splitlines()[1:]
    assert [line.split() for line in lines] == [[t for t in text if t] for text in texts]
    lines = console_text(table, 500).splitlines()[3:]
    assert [line.split() for line in lines] == [[t for t in text if t] for text in texts]
    cells = html5lib.parseFragment(table.render("html"), namespaceHTMLElements=False)
    body = [tuple("".join(c.itertext()) for c in row) for row in cells.iterfind(".//tbody/tr")]
    assert body == texts
    assert len(json.loads(table.render("json"))) == len(rows)
    assert len(list(csv.reader(io.StringIO(table.render("csv"))))) == len(rows) + 1


@settings(deadline=None)
@given(ROWS)
def test_json_is_standard_and_can_be_read_back(rows: list[tuple[Any, ...]]) -> None:
    """Values keep their types under the columns' names; a value that is not finite is null."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    records = json.loads(Table(COLUMNS, rows).render("json"), parse_constant=refuse)
    finite = [row[2] if math.isfinite(row[2]) else None for row in rows]
    assert [tuple(record.values()) for record in records] == [
        (row[0], row[1], value, row[3]) for row, value in zip(rows, finite, strict=True)
    ]
    assert all(list(r) == ["name", "parameters", "best test", "note"] for r in records)


@settings(deadline=None)
@given(ROWS)
def test_csv_can_be_read_back(rows: list[tuple[Any, ...]]) -> None:
    """Values have no separators of thousands and are quoted where necessary."""
    header, *lines = csv.reader(io.StringIO(Table(COLUMNS, rows).render("csv")))
    assert header == ["name", "parameters", "best test", "note"]
    assert lines == [[row[0], str(row[1]), str(row[2]), row[3]] for row in rows]


@settings(deadline=None)
@given(WORDS)
def test_markdown_and_html_render_cells_as_text(text: str) -> None:
    """Markup in a cell has no effect."""
    table: Table[str] = Table([Column("a", str), Column("b", lambda _: "c")], [text])
    rendered = MarkdownIt("gfm-like").disable("linkify").render(table.render("markdown"))
    cells = rendered.split("<td")[1].split(">", 1)[1].rsplit("</td>", 1)[0]
    assert html.unescape(cells) == text
    tree = html5lib.parseFragment(table.render("html"), namespaceHTMLElements=False)
    assert "".join(tree.find(".//tbody//bdi").itertext()) == text


@pytest.mark.parametrize("width", WIDTHS)
@settings(deadline=None)
@given(rows=ROWS, columns=st.integers(1, 30))
def test_no_line_is_wider_than_the_terminal(
    width: int, rows: list[tuple[Any, ...]], columns: int
) -> None:
    """It holds for wide letters, long cells and many columns."""
    long = [(row[0] * 9, *row[1:3], f"{row[3]} " * 20) for row in rows]
    for table in (Table(COLUMNS, rows), Table(COLUMNS, long), numbers(3, columns)):
        for text in (console_text(table, width), table.render("plain", width=width)):
            assert max(map(cell_len, text.splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("columns", [2, 5, 12])
def test_columns_are_separated_and_numbers_complete(width: int, columns: int) -> None:
    """Two blanks separate columns, and a note names those that are left out."""
    text = numbers(6, columns).render("plain", width=width)
    body = [line.split("  ") for line in text.splitlines() if line.strip()[:1] == "1"]
    known = {f"{10**power:,}" for power in range(20)}
    assert len(body) == 6
    for line in body:
        assert {cell.strip() for cell in line if cell.strip()} <= known
    count = len([cell for cell in body[0] if cell.strip()])
    assert (count == columns) == ("too narrow for" not in text)


def test_columns_are_left_out_by_their_priority() -> None:
    """The highest priority is first; columns of equal priority leave together."""
    columns: list[Column[int]] = [
        Column("name", lambda _: "x" * 10, justify="left"),
        Column("mean", lambda _: "m" * 10, priority=1),
        Column("±", lambda _: "d" * 5, priority=1),
        Column("device", lambda _: "v" * 10, priority=2),
    ]
    table = Table(columns, [0])
    outputs = {width: console_text(table, width) for width in (41, 40, 29, 28)}
    assert "too narrow" not in outputs[41]
    assert "vvv" not in outputs[40]
    assert "ddddd" in outputs[29]
    assert "device; --format plain shows all" in " ".join(outputs[40].split())
    assert "mmm" not in outputs[28]
    assert "ddd" not in outputs[28]
    assert "too narrow for device, mean;" in " ".join(outputs[28].split())


def test_long_cells_fold_before_a_column_is_left_out() -> None:
    """They break between words, and no word is lost."""
    words = "out_channels 10, kernel_size 7, bias false"
    columns: list[Column[str]] = [
        Column("layer", lambda _: "24 Conv2d", justify="left"),
        Column("arguments", str, justify="left", folds=True),
        Column("MACs", lambda _: 4900, priority=1),
    ]
    text = console_text(Table(columns, [words]), 40)
    assert "4,900" in text
    assert [w for w in text.split() if w in words.split()] == words.split()


def test_a_long_path_is_folded() -> None:
    """Every letter of a path that is longer than the terminal is printed."""
    path = "runs/" + "abcdefghij" * 8
    columns: list[Column[str]] = [
        Column("run", str, justify="left"),
        Column("verdict", lambda _: "not met", justify="left"),
    ]
    lines = console_text(Table(columns, [path]), 40).splitlines()[2:]
    assert "".join(line[:31].strip() for line in lines) == path
    assert lines[0].endswith("not met")


def test_an_optional_column_needs_a_value() -> None:
    """Formats for people leave out an empty column; formats for programs do not."""
    columns: list[Column[float | None]] = [
        Column("mean", lambda _: 1),
        Column("±", lambda value: value, optional=True, key="deviation"),
    ]
    assert "±" not in Table(columns, [None]).render("plain")
    assert "±" in Table(columns, [None, 0.5]).render("plain")
    assert json.loads(Table(columns, [None]).render("json")) == [{"mean": 1, "deviation": None}]


def test_a_cell_may_have_a_text_and_a_style() -> None:
    """The terminal has the style, the plain text the text, and the JSON the value."""
    column: Column[int] = Column("verdict", lambda _: Cell(True, "met", "green"))
    table = Table([column], [0])
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=40)
    with console.capture() as capture:
        console.print(table)
    assert "\x1b[32m" in capture.get()
    assert table.render("plain") == "verdict\n    met\n"
    assert json.loads(table.render("json")) == [{"verdict": True}]


def test_control_characters_are_escaped() -> None:
    """A record cannot move the cursor."""
    table: Table[str] = Table([Column("name", str, justify="left")], ["a\x1b[31m\nb"])
    for text in (table.render("plain"), console_text(table, 40), table.render("markdown")):
        assert "\x1b" not in text
        assert "a\\x1b" in text.replace("\\\\", "\\")
