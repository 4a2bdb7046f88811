"""Text in markdown, compared with its rendering."""

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
"""Text of one line without control characters, like the output of `printable`."""


def table(*row: str) -> str:
    """Return a table of this row below a header."""
    columns: list[Column[tuple[str, ...]]] = [
        Column("layer", lambda row: row[0], text=lambda cell: cell, justify="left"),
        Column("b", lambda row: row[1], text=lambda cell: cell),
    ]
    return Table(columns, [row]).render("markdown")


def renderer() -> MarkdownIt:
    """Create a renderer of GitHub's flavor: tables, strikethrough, addresses as links."""
    parser = MarkdownIt("gfm-like")
    assert parser.linkify
    # GitHub does not link a.b without http, and mail links cannot be prevented.
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
    return parser


def text_of(rendered: str) -> str:
    """Return the visible text of HTML without elements."""
    return html.unescape(rendered).strip()


@settings(deadline=None, max_examples=500)
@given(LINES)
@example("1) a")
@example("1.")
@example("--- ---")
@example("C #")
@example("snake_case _x_ a__b")
@example("a\\|b")
def test_a_line_renders_as_its_text(line: str) -> None:
    """It does so as a paragraph, a heading, a list item and a cell."""
    render = renderer().render
    text = line.strip()
    if text:
        assert text_of(render(escaped(text))) == f"<p>{text}</p>"
        assert text_of(render(f"# {escaped(text)}")) == f"<h1>{text}</h1>"
        assert text_of(render(items([text]))) == f"<ul>\n<li>{text}</li>\n</ul>"
    cells = re.findall(r"<td[^>]*>(.*)</td>", render(table(text, "c")))
    assert list(map(text_of, cells)) == [text, "c"]


@pytest.mark.parametrize(
    "text",
    ["99.57 ± 0.01", "max_lr 0.1 -> 0.2", "once: data, loop (all)", "archs/iter10.yaml", "-4,900"],
)
def test_plain_text_is_not_escaped(text: str) -> None:
    """Characters that are not markup in their position have no backslash."""
    assert escaped(text) == text


def test_an_address_does_not_become_a_link() -> None:
    """A dot or colon of each address is escaped."""
    assert escaped("see www.a.b, WWW.a.b and https://a.b: or a. b") == (
        "see www\\.a.b, WWW\\.a.b and https\\://a.b: or a. b"
    )


def test_markdown_is_not_escaped_again() -> None:
    """Text that is already markdown is unchanged, in a cell too."""
    assert escaped(escaped("a*b")) == r"a\*b"
    assert table(Marked("**x**"), "*") == "| layer | b |\n| --- | ---: |\n| **x** | \\* |\n"
