"""Text in markdown that a code host shows as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable

_REFERENCES = {"<": "&lt;", "|": "&#124;", "&": "&amp;"}
"""What HTML and tables read before any backslash."""

_MARKUP = re.compile(
    r"[\\`*\[\]~$<|]"
    r"|&(?=#?\w+;)"  # a reference
    r"|(?<![^\W_])_|_(?![^\W_])"  # inside a word, as in max_lr, it emphasises nothing
    r"|(?<!\S)#"  # opens a heading, or closes one
    r"|(?:(?<=http)|(?<=https)|(?<=ftp)):|(?<=www)\."  # a link made of itself
    r"|^>|^[-+](?=\s|$)|^[-=](?=[-=\s]*$)",  # a quotation, a list, a line
    re.IGNORECASE,
)

_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")


class Marked(str):
    """Markdown, which is not escaped again."""

    __slots__ = ()


def escaped(text: str) -> Marked:
    """One line that is shown as it is, at the beginning of a line and inside a table too.

    Only what GitHub's flavour would read something into is escaped (its specification, 0.29), so
    that the source can be read as well. Mail addresses become links there whatever one writes.
    """
    if isinstance(text, Marked):
        return text
    marked = _MARKUP.sub(lambda m: _REFERENCES.get(m[0], f"\\{m[0]}"), text)
    return Marked(_NUMBERED.sub(r"\1\\\2", marked))


def items(texts: Iterable[str]) -> str:
    """Return a list, one item per line."""
    return "".join(f"- {escaped(text)}\n" for text in texts)
