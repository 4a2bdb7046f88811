"""Expressions in ``${...}``: arithmetic over numbers and named values.

Python's parser parses an expression, and a whitelist of syntax nodes is evaluated. Only text that
consists of numbers, names, operators and parentheses reaches the parser. Operators have the meaning
of Python. Loops, conditions and definitions do not exist; the length and the nesting of an
expression and the size of every number are bounded.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from netbuilder._text import describe, did_you_mean, quoted

Value = int | float | bool | str

MAX_LENGTH = 200
"""Characters in an expression."""
MAX_NESTING = 20
"""Parentheses within parentheses."""
MAX_TEXT = 1024 * 1024
"""Characters that the expressions in a text may produce."""
MAX_INTEGER = 2**53
"""Largest integer; a float represents all integers up to it exactly."""

NAME = rf"^(?!(?:{'|'.join(keyword.kwlist)})$)[A-Za-z_][A-Za-z0-9_]{{0,59}}$"
"""Pattern of the names of values, parameters and indices. Python keywords are not names."""
NAME_RULE = (
    "at most 60 letters, digits and underscores, not a digit first, "
    "and not a Python keyword such as if, for or lambda"
)

_OPERATORS: dict[type[ast.operator], tuple[str, Callable[[float, float], int | float]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
}
_FUNCTIONS: dict[str, Callable[[list[float]], int | float]] = {"min": min, "max": max}
_ALLOWED = "numbers, names, + - * / // %, parentheses, min(...) and max(...)"

_TOKEN = re.compile(
    r" ?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[-+*/%(),]))"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LEADING_ZEROS = re.compile(r"(?<![\w.])0+(?=[0-9])")
# Valid in Python, but not visible in its syntax tree.
_MISPLACED = re.compile(r"\) ?\(|, ?\)")


class ExpressionError(ValueError):
    """An expression is invalid; the message says why, and the caller adds the place."""


def evaluate(text: str, names: Mapping[str, Value]) -> Value:
    """Evaluate an expression.

    Args:
        text: The expression, without ``${`` and ``}``.
        names: Values by name. Strings and booleans can only be used alone.

    Raises:
        ExpressionError: The expression is invalid, uses an unknown name, divides by zero or
            produces a number out of range.
    """
    try:
        return _value(_parse(text), names)
    except RecursionError:
        raise ExpressionError("nested too deep; nest less") from None


def interpolate(text: str, names: Mapping[str, Value]) -> Value:
    """Replace each ``${...}`` in a text by its value.

    A text that consists of a single ``${...}`` becomes the value itself, of any type.

    Raises:
        ExpressionError: As `evaluate`; also if a ``${`` is not closed or the text grows too long.
    """
    if text.startswith("${") and text.find("}") == len(text) - 1:
        return evaluate(text[2:-1], names)
    parts: list[str] = []
    remaining, position = MAX_TEXT, 0
    while (start := text.find("${", position)) >= 0:
        end = text.find("}", start)
        if end < 0:
            raise ExpressionError("a '${' is not closed; end it with '}'")
        parts += [text[position:start], _as_text(evaluate(text[start + 2 : end], names))]
        remaining -= len(parts[-1])
        if remaining < 0:
            raise ExpressionError(
                f"the text grows by more than {MAX_TEXT:,} characters; make it shorter"
            )
        position = end + 1
    return "".join(parts) + text[position:]


def names_in(text: str) -> list[str]:
    """List the names that the expressions in a text may use."""
    return [name for part in re.findall(r"\$\{([^}]*)", text) for name in _WORD.findall(part)]


def bounded(number: int | float) -> int | float:
    """Return a number that is finite and, if an integer, exact as a float.

    Raises:
        ExpressionError: The number is neither.
    """
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ExpressionError("the result is not a finite number; compute with smaller ones")
    elif abs(number) > MAX_INTEGER:
        raise ExpressionError("the result is an integer beyond 2**53; compute with smaller ones")
    return number


# --- parse ----------------------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def _parse(text: str) -> ast.expr:
    """Parse an expression into a tree of whitelisted nodes."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression has {len(text):,} characters; allowed: at most {MAX_LENGTH}"
        )
    text = " ".join(text.split())
    if not text:
        raise ExpressionError(f"the expression is empty; allowed: {_ALLOWED}")
    _check_tokens(text)
    text = _LEADING_ZEROS.sub("", text)
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        column = getattr(error, "offset", None)  # None or 0 at the end of the text
        rest = text[column - 1 :] if column else ""
        place = quoted(rest) if rest else "its end"
        raise ExpressionError(f"invalid syntax at {place}; allowed: {_ALLOWED}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.keyword):
            _check_node(node, text)
    return tree


def _check_tokens(text: str) -> None:
    """Refuse text with other tokens than those of expressions.

    Python's parser would normalize non-ASCII names, and warn about a number that touches a word.
    """
    position = depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            word = re.match(r"[\w.]+|.", text[position:].lstrip())
            assert word is not None, "the text does not end with a space"
            raise ExpressionError(f"{quoted(word[0])} is not allowed; allowed: {_ALLOWED}")
        if keyword.iskeyword(token["name"] or ""):
            raise ExpressionError(
                f"{quoted(token['name'])} is a Python keyword, not a name; allowed: {_ALLOWED}"
            )
        depth += {"(": 1, ")": -1}.get(token["sign"], 0)
        if depth < 0:
            raise ExpressionError("a ')' has no '(' before it; remove it or add the '('")
        if depth > MAX_NESTING:
            raise ExpressionError(f"nested deeper than {MAX_NESTING} levels; nest less")
        position = token.end()
    if depth:
        raise ExpressionError("a '(' is not closed; end it with ')'")
    if misplaced := _MISPLACED.search(text):
        raise ExpressionError(f"invalid syntax at {quoted(misplaced[0])}; allowed: {_ALLOWED}")


def _check_node(node: ast.expr | ast.keyword, text: str) -> None:
    """Refuse a syntax node that is not on the whitelist."""
    match node:
        case ast.Constant(value=int() | float() as number):
            bounded(number)
        case ast.Name() | ast.UnaryOp(op=ast.USub()):
            pass
        case ast.BinOp(op=sign) if type(sign) in _OPERATORS:
            pass
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in _FUNCTIONS:
                raise ExpressionError(f"unknown function {quoted(name)}; allowed: min, max")
            if len(arguments) < 2:
                raise ExpressionError(
                    f"{name} takes two numbers or more, found {len(arguments) or 'none'}"
                )
        case _:
            source = quoted(text[node.col_offset : node.end_col_offset])
            raise ExpressionError(f"{source} is not allowed; allowed: {_ALLOWED}")


# --- evaluate -------------------------------------------------------------------------------------


def _value(node: ast.expr, names: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return _lookup(name, names)
        case ast.UnaryOp(operand=operand):
            return -_number(_value(operand, names), "-")
        case ast.BinOp(left=left, op=op, right=right):
            return _operate(type(op), _value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            values = [_value(argument, names) for argument in arguments]
            return _FUNCTIONS[name]([_number(value, name) for value in values])
    raise AssertionError(f"{type(node).__name__} passed the whitelist")


def _operate(op: type[ast.operator], left: Value, right: Value) -> int | float:
    sign, compute = _OPERATORS[op]
    try:
        return bounded(compute(_number(left, sign), _number(right, sign)))
    except ZeroDivisionError:
        raise ExpressionError(f"'{sign}' divides by zero; change the right side") from None
    except OverflowError:
        raise ExpressionError(
            f"'{sign}' takes a number out of range; compute with smaller ones"
        ) from None


def _lookup(name: str, names: Mapping[str, Value]) -> Value:
    try:
        return names[name]
    except KeyError:
        known = did_you_mean(name, names) if names else "; no values are declared"
        raise ExpressionError(f"unknown name {quoted(name)}{known}") from None


def _number(value: Value, user: str) -> int | float:
    if isinstance(value, bool | str):
        raise ExpressionError(f"'{user}' takes numbers, found {describe(value)}")
    return value


def _as_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
