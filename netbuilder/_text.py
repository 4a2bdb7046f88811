"""Text for messages: quoting, did-you-mean, plurals, natural order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache


def quoted(text: str) -> str:
    """A text as a message quotes it: short, and with what is not printable escaped."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def printable(text: str) -> str:
    """One line that a terminal shows as it is: control characters and the like are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


LARGEST = 2**31 - 1
"""A size beyond a 32-bit index is a slip of the finger, and torch does not take it everywhere."""


# --- words for what is wrong ---------------------------------------------------------------------


def describe(value: object) -> str:
    """A value as a message quotes it: short, and with its type where that is what is wrong."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {quoted(value)}"
        case int() if abs(value) >= 10**40:
            return f"a number of about {value.bit_length() * 3 // 10} digits"
        case int() | float():
            return f"the number {value}"
        case list() | tuple():
            return "an empty list" if not value else f"a list of {len(value)}"
        case Mapping():
            return "a mapping"
    return f"a {type(value).__name__}"


NAMES_TOLD = 12


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The tail of a message about an unknown word: the nearest known one, else all there are."""
    return _nearest(word[:60].lower(), tuple(known))


@lru_cache(maxsize=256)  # one mistake may stand in a document ten thousand times
def _nearest(word: str, known: tuple[str, ...]) -> str:
    folded = {name.lower(): name for name in known}
    near = get_close_matches(word, folded, n=1, cutoff=0.65)
    if near:
        return f"; did you mean {folded[near[0]]}?"
    names = list(folded.values())
    shown = ", ".join(names[:NAMES_TOLD]) + (", …" if len(names) > NAMES_TOLD else "")
    return f"; known: {shown}" if names else "; it takes none"


def natural_key(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """The order of names, whose numbers count up: iter2 before iter10, and that before net1."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return tuple((text, int(digits or 0)) for text, digits in parts), name
