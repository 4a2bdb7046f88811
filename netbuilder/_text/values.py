"""Values as messages describe them and as documents write them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from netbuilder._text.words import MAX_QUOTED, quoted

LARGEST = 2**31 - 1
"""Largest size or count: the range of a 32-bit index, beyond which torch is not reliable."""
MAX_FORM = 120
"""Characters of what a message proposes to write."""


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
