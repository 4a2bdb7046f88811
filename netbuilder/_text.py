"""Text for messages: quoting, did-you-mean, plurals and natural order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from functools import lru_cache

LARGEST = 2**31 - 1
"""Largest size or count: the range of a 32-bit index, beyond which torch is not reliable."""
MAX_QUOTED = 40
"""Characters of a string that a message quotes."""
MAX_FORM = 120
"""Characters of what a message proposes to write."""
MAX_SUGGESTED = 12
"""Names that a message lists when none is close to the unknown word."""


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


def proposal(text: str) -> str:
    """Return the end of a message that proposes to write something; empty if it is long."""
    return text if len(text) <= MAX_FORM else ""


def flow(value: object) -> str:
    """Return a value as a document writes it on one line."""
    if isinstance(value, str):
        return value if re.fullmatch("[A-Za-z][A-Za-z0-9_]*", value) else repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(part)}" for key, part in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


def value_in(text: str) -> object:
    """Return the value that a text probably means: a number, numbers or a boolean; None if unclear.

    Numbers may be in parentheses, as in Python, and joined by commas or by x.
    """
    bare = text.strip().strip("()[]").lower()
    if bare in _WORDS:
        return _WORDS[bare]
    if len(bare) > MAX_QUOTED or not re.fullmatch(r"[-+.0-9e]+(?:\s*[,x]\s*[-+.0-9e]+)*,?", bare):
        return None
    try:
        numbers = [_number(part) for part in re.split("[,x]", bare.rstrip(","))]
    except ValueError:
        return None
    return numbers if len(numbers) > 1 or text.strip()[:1] in ("(", "[") else numbers[0]


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def describe(value: object) -> str:
    """Return a value as messages describe it: its type and, if short, the value."""
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
            return f"a list of {len(value)}" if value else "an empty list"
        case Mapping():
            return "a mapping"
    return f"a {type(value).__name__}"


MAX_COMPARED = 250_000
"""Characters of known names that the suggestions for one document compare: about 100 words."""

_compared: ContextVar[dict[tuple[str, tuple[str, ...]], int] | None] = ContextVar(
    "compared", default=None
)


@contextmanager
def limited_suggestions() -> Iterator[None]:
    """Limit the search for close names in the ``with`` block to `MAX_COMPARED` characters."""
    token = _compared.set({})
    try:
        yield
    finally:
        _compared.reset(token)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the closest known one, or all of them."""
    word, names = word[:60].lower(), tuple(known)
    if _may_compare(word, names) and (match := _closest(word, names)):
        return f"; did you mean {match}?"
    return _known(names)


def _may_compare(word: str, known: tuple[str, ...]) -> bool:
    """Return whether the search for a name that is close to a word is within the limit."""
    compared = _compared.get()
    if compared is None or (word, known) in compared:
        return True
    if sum(compared.values()) >= MAX_COMPARED:
        return False
    compared[word, known] = sum(map(len, known))
    return True


@lru_cache(maxsize=256)  # a document may repeat one mistake ten thousand times
def _closest(word: str, known: tuple[str, ...]) -> str:
    """Return the known name that is closest to a word; empty if none is close."""
    names = {name.lower(): name for name in known}
    matches = get_close_matches(word, names, n=1, cutoff=0.65)
    return names[matches[0]] if matches else ""


@lru_cache(maxsize=16)
def _known(known: tuple[str, ...]) -> str:
    names = {name.lower(): name for name in known}
    if not names:
        return "; it has no options"
    listed = ", ".join(list(names.values())[:MAX_SUGGESTED])
    return f"; known: {listed}" + (", …" if len(names) > MAX_SUGGESTED else "")


def natural_key(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """Return a sort key that compares the numbers in names by value: iter2 before iter10."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return tuple((text, int(digits or 0)) for text, digits in parts), name
