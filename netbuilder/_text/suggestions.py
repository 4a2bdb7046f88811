"""Suggestions of known names for an unknown word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from functools import lru_cache

MAX_SUGGESTED = 12
"""Names that a message lists when none is close to the unknown word."""
MAX_COMPARED = 250_000
"""Characters of known names that the suggestions for one document compare: about 100 words."""


class _Search:
    """What the suggestions for one document compared so far."""

    def __init__(self) -> None:
        self.words: set[tuple[str, tuple[str, ...]]] = set()
        self.characters = 0


_search: ContextVar[_Search | None] = ContextVar("search", default=None)


@contextmanager
def limited_suggestions() -> Iterator[None]:
    """Limit the search for close names in the ``with`` block to `MAX_COMPARED` characters."""
    token = _search.set(_Search())
    try:
        yield
    finally:
        _search.reset(token)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the closest known one, or all of them."""
    word, names = word[:60].lower(), tuple(known)
    if _may_compare(word, names) and (match := _closest(word, names)):
        return f"; did you mean {match}?"
    return _known(names)


def _may_compare(word: str, known: tuple[str, ...]) -> bool:
    """Return whether the search for a name that is close to a word is within the limit."""
    search = _search.get()
    if search is None or (word, known) in search.words:
        return True
    if search.characters >= MAX_COMPARED:
        return False
    search.words.add((word, known))
    search.characters += sum(map(len, known))
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
