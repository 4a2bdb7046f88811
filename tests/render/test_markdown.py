"""Text in markdown, held against what renders it."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from netbuilder.render.markdown import Marked, escaped, items
from netbuilder.render.table import Column, Table

WORDS = [
    "a", "max_lr", "1.", "12)", "-", "+", "=", "---", "===", "#", "##", ">", "*", "**", "_", "__",
    "~~", "`", "``", "|", "\\", "[x](y)", "![i](u)", "<b>", "</b>", "<!--", "&amp;", "&lt", "&#60;",
    "https://a.b", "http:", "ftp://c", "x@y.z", "@user", "$x$", "$$", ":smile:",
    "{{", "}}", "!", "(", ")", "C#", "😀", "שלום",
]  # fmt: skip
LINES = (
    st.text(st.characters(exclude_categories=("C", "Z")), max_size=30)
    | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
    | st.lists(st.sampled_from(WORDS), max_size=5).map("".join)
)
"""Text of one line without control characters, as `printable` leaves it."""


def table(*row: str) -> str:
    """A table of that row of text below a header."""
    columns: list[Column[tuple[str, ...]]] = [
        Column("layer", lambda row: row[0], text=lambda cell: cell, justify="left"),
        Column("b", lambda row: row[1], text=lambda cell: cell),
    ]
    return Table(columns, [row]).render("markdown")


def reader() -> MarkdownIt:
    """What renders GitHub's flavour: tables, struck text, addresses as links."""
    made = MarkdownIt("gfm-like")
    assert made.linkify
    # It would link a.b without http, which GitHub does not, and mail, which nothing prevents.
    made.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
    return made


def shown(rendered: str) -> str:
    """What HTML of text alone shows."""
    return html.unescape(rendered).strip()


@settings(deadline=None, max_examples=500)
@given(LINES)
@example("1) a")
@example("1.")
@example("--- ---")
@example("C #")
@example("snake_case _x_ a__b")
@example("a\\|b")
def test_a_line_is_shown_as_it_is(line: str) -> None:
    """As a paragraph, a heading, an item and a cell it renders to that very text."""
    render = reader().render
    text = line.strip()
    if text:
        assert shown(render(escaped(text))) == f"<p>{text}</p>"
        assert shown(render(f"# {escaped(text)}")) == f"<h1>{text}</h1>"
        assert shown(render(items([text]))) == f"<ul>\n<li>{text}</li>\n</ul>"
    cells = re.findall(r"<td[^>]*>(.*)</td>", render(table(text, "c")))
    assert list(map(shown, cells)) == [text, "c"]


@pytest.mark.parametrize(
    "text",
    ["99.57 ± 0.01", "max_lr 0.1 -> 0.2", "once: data, loop (all)", "archs/iter10.yaml", "-4,900"],
)
def test_plain_words_stay_readable(text: str) -> None:
    """Nothing is escaped in which nobody reads markup."""
    assert escaped(text) == text


def test_an_address_is_no_link() -> None:
    """A code host makes links of what looks like an address, unless it is taken apart."""
    assert escaped("see www.a.b, WWW.a.b and https://a.b: or a. b") == (
        "see www\\.a.b, WWW\\.a.b and https\\://a.b: or a. b"
    )


def test_markdown_is_not_escaped_again() -> None:
    """What is marked already goes through as it is, in a cell too."""
    assert escaped(escaped("a*b")) == r"a\*b"
    assert table(Marked("**x**"), "*") == "| layer | b |\n| --- | ---: |\n| **x** | \\* |\n"
