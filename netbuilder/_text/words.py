"""Words and numbers in messages: quoting, plurals and natural order."""

from __future__ import annotations

import re

MAX_QUOTED = 40
"""Characters of a string that a message quotes."""


def quoted(text: str) -> str:
    """Return a string in quotes, shortened, with unprintable characters escaped."""
    return repr(text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…")


def printable(text: str) -> str:
    """Return a string as a single line, with unprintable characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as ``1 branch`` or ``2,000 branches``."""
    if count == 1:
        return f"1 {noun}"
    suffix = "es" if noun.endswith(("s", "x", "nch", "tch", "sh")) else "s"  # but: epochs
    return f"{count:,} {noun}{suffix}"


def format_number(value: float) -> str:
    """Format a number with all digits if it is whole, else with ten significant digits."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.10g}"


def natural_key(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """Return a sort key that compares the numbers in names by value: iter2 before iter10."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return tuple((text, int(digits or 0)) for text, digits in parts), name
