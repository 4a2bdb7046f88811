"""What stands in ``${...}``: numbers, names, ``+ - * / // %``, parentheses, ``min`` and ``max``.

A document is data and this is no language: there are no loops, no conditions and no definitions,
the length and the nesting of an expression are bounded, and so is everything that it gives. The
operators mean what they mean in Python.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from netbuilder._text import describe, did_you_mean, quoted

Value = int | float | bool | str

MAX_LENGTH = 200

MAX_NESTING = 20

MAX_FILLED = 1024 * 1024

LARGEST_WHOLE = 2**53
"""Bounds on an expression, on its nesting, on a text around expressions and on whole numbers. Up to
the last of them a float can tell whole numbers apart."""


NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,59}$"
"""What a value, a parameter or an index may be called."""


_OPERATORS: dict[str, Callable[[float, float], int | float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}

_FUNCTIONS: dict[str, Callable[[list[float]], int | float]] = {"min": min, "max": max}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>//|[-+*/%(),]))"
)

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_ALLOWED = "numbers, names, + - * / // %, parentheses, min(...) and max(...)"


class ExpressionError(ValueError):
    """An expression is wrong; the message says why, and its reader adds the place."""


class _Step(NamedTuple):
    """One step of an expression in postfix order, the stack below it.

    ``does`` is ``push`` with a number, ``load`` with a name, ``negate``, an operator, or a function
    with the number of its arguments.
    """

    does: str
    what: int | float | str = 0


def evaluate(text: str, names: Mapping[str, Value]) -> Value:
    """What an expression gives.

    Args:
        text: the expression, without ``${`` and ``}``.
        names: what it may name; text and booleans only by themselves.

    Raises:
        ExpressionError: it cannot be read, names what is not there or gives nothing sensible.
    """
    stack: list[Value] = []
    for does, what in _program(text):
        if does == "push":
            assert not isinstance(what, str), "the parser pushes numbers"
            stack.append(what)
        elif does == "load":
            assert isinstance(what, str), "the parser loads names"
            stack.append(_named(what, names))
        elif does == "negate":
            stack.append(-_number(stack.pop(), "-"))
        elif does in _FUNCTIONS:
            assert isinstance(what, int), "the parser counts arguments"
            arguments = [_number(value, does) for value in stack[-what:]]
            stack[-what:] = [_FUNCTIONS[does](arguments)]
        else:
            right, left = _number(stack.pop(), does), _number(stack.pop(), does)
            try:
                stack.append(bounded(_OPERATORS[does](left, right)))
            except ZeroDivisionError:
                raise ExpressionError(
                    f"'{does}' divides by zero; change what is behind it"
                ) from None
    return stack[0]


def fill(text: str, names: Mapping[str, Value]) -> Value:
    """``text`` with what each ``${...}`` in it gives; the value itself where it is all of it.

    Raises:
        ExpressionError: as `evaluate`, or a ``${`` is not closed, or the text grows too long.
    """
    if text.startswith("${") and text.find("}") == len(text) - 1:
        return evaluate(text[2:-1], names)
    written: list[str] = []
    room, at = MAX_FILLED, 0
    while (start := text.find("${", at)) >= 0:
        end = text.find("}", start)
        if end < 0:
            raise ExpressionError("a '${' is not closed; end it with '}'")
        written += [text[at:start], _as_text(evaluate(text[start + 2 : end], names))]
        room -= len(written[-1])
        if room < 0:
            raise ExpressionError(
                f"it makes a text of more than {MAX_FILLED:,} characters; make it shorter"
            )
        at = end + 1
    return "".join(written) + text[at:]


def names_in(text: str) -> list[str]:
    """The names that the expressions in a text may use."""
    return [name for part in re.findall(r"\$\{([^}]*)", text) for name in _WORD.findall(part)]


def bounded(number: int | float) -> int | float:
    """The number, if it is finite and, as a whole number, within what a float can tell apart.

    Raises:
        ExpressionError: it is not.
    """
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ExpressionError("it gives no finite number; compute with smaller ones")
    elif abs(number) > LARGEST_WHOLE:
        raise ExpressionError("it gives a whole number beyond 2**53; compute with smaller ones")
    return number


def _named(name: str, names: Mapping[str, Value]) -> Value:
    try:
        return names[name]
    except KeyError:
        known = did_you_mean(name, names) if names else "; no values are declared"
        raise ExpressionError(f"unknown name {quoted(name)}{known}") from None


def _number(value: Value, taker: str) -> int | float:
    if isinstance(value, bool | str):
        raise ExpressionError(f"'{taker}' takes numbers, found {describe(value)}")
    return value


def _as_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=2048)
def _program(text: str) -> tuple[_Step, ...]:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"an expression of {len(text):,} characters; allowed: at most {MAX_LENGTH}"
        )
    return tuple(_Parser(text).expression())


class _Parser:
    """Precedence climbing in three levels: sums of products of what may be negated."""

    def __init__(self, text: str) -> None:
        self._tokens = list(self._split(text.rstrip()))
        self._at = 0
        self._nesting = 0

    @staticmethod
    def _split(text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                found = text[at:].lstrip()[:1]
                raise ExpressionError(f"{found!r} has no place in it; allowed: {_ALLOWED}")
            assert token.lastgroup is not None, "each alternative is a group"
            yield token.lastgroup, token[token.lastgroup]
            at = token.end()

    def expression(self) -> list[_Step]:
        """The whole text, in postfix order."""
        if not self._tokens:
            raise ExpressionError(f"it is empty; allowed: {_ALLOWED}")
        program = self._sum()
        if self._at < len(self._tokens):
            raise ExpressionError(f"found {self._found()} where an operator or its end belongs")
        return program

    def _sum(self) -> list[_Step]:
        program = self._product()
        while sign := self._take("+", "-"):
            program += [*self._product(), _Step(sign)]
        return program

    def _product(self) -> list[_Step]:
        program = self._operand()
        while sign := self._take("*", "/", "//", "%"):
            program += [*self._operand(), _Step(sign)]
        return program

    def _operand(self) -> list[_Step]:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ExpressionError(f"nested deeper than {MAX_NESTING} levels; nest less")
        try:
            if self._take("-"):
                return [*self._operand(), _Step("negate")]
            if self._take("("):
                program = self._sum()
                self._close()
                return program
            return self._atom()
        finally:
            self._nesting -= 1

    def _atom(self) -> list[_Step]:
        sort, word = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if sort not in ("number", "name"):
            raise ExpressionError(f"found {self._found()} where a number or a name belongs")
        self._at += 1
        if sort == "number":
            number = int(word) if word.isdigit() else float(word)
            return [_Step("push", bounded(number))]
        if not self._take("("):
            return [_Step("load", word)]
        if word not in _FUNCTIONS:
            raise ExpressionError(f"unknown function {quoted(word)}; allowed: min, max")
        program, count = self._sum(), 1
        while self._take(","):
            program += self._sum()
            count += 1
        self._close()
        if count == 1:
            raise ExpressionError(f"{word} takes two numbers or more, found one")
        return [*program, _Step(word, count)]

    def _take(self, *signs: str) -> str:
        """The next token if it is one of these signs, which is then behind us."""
        if self._at < len(self._tokens):
            sort, word = self._tokens[self._at]
            if sort == "sign" and word in signs:
                self._at += 1
                return word
        return ""

    def _close(self) -> None:
        if not self._take(")"):
            raise ExpressionError(f"found {self._found()} where ')' belongs")

    def _found(self) -> str:
        return quoted(self._tokens[self._at][1]) if self._at < len(self._tokens) else "its end"
