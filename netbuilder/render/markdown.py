"""Escape text, so that a code host shows its markdown as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable

_REFERENCES = {"<": "&lt;", "|": "&#124;", "&": "&amp;"}
"""Characters that need a reference: HTML and tables take precedence over a backslash."""

_MARKUP = re.compile(
    r"[\\`*\[\]~$<|]"
    r"|&(?=#?\w+;)"  # a reference
    r"|(?<![^\W_])_|_(?![^\W_])"  # inside a word, as in max_lr, it is not markup
    r"|(?<!\S)#"  # a heading
    r"|(?:(?<=http)|(?<=https)|(?<=ftp)):|(?<=www)\."  # an address becomes a link
    r"|^>|^[-+](?=\s|$)|^[-=](?=[-=\s]*$)",  # a quotation, a list, a line
    re.IGNORECASE,
)

_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")


class Marked(str):
    """Text that is markdown already."""

    __slots__ = ()


def escaped(text: str) -> Marked:
    """Escape one line, for any place in markdown, the start of a line and tables included.

    Only characters that are markup in their place are escaped (GitHub Flavored Markdown Spec 0.29),
    so that the source stays readable. Mail addresses become links in any case.
    """
    if isinstance(text, Marked):
        return text
    marked = _MARKUP.sub(lambda m: _REFERENCES.get(m[0], f"\\{m[0]}"), text)
    return Marked(_NUMBERED.sub(r"\1\\\2", marked))


def items(texts: Iterable[str]) -> str:
    """Return texts as a list, one item per line."""
    return "".join(f"- {escaped(text)}\n" for text in texts)
