"""Expressions in ``${...}``: arithmetic over numbers and named values.

Python's parser parses an expression, and a whitelist of syntax nodes is evaluated. Only text that
consists of numbers, names, operators and parentheses reaches the parser. Operators have the meaning
of Python. Loops and definitions do not exist; the length and the nesting of an expression and the
size of every number are bounded, and a power is bounded before it is computed.
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

_TOO_LARGE = "the result is an integer beyond 2**53; compute with smaller ones"
MAX_DIGITS = 15
"""Decimal digits that ``round`` accepts: a float represents as many exactly."""


class ExpressionError(ValueError):
    """An expression is invalid; the message says why, and the caller adds the place."""


def _power(base: int | float, exponent: int | float) -> int | float:
    """Return a power; an integer one is not computed if it must exceed `MAX_INTEGER`."""
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent > 0
    if whole and (int(base).bit_length() - 1) * exponent > MAX_INTEGER.bit_length():
        raise ExpressionError(_TOO_LARGE)
    if base < 0 and isinstance(exponent, float) and not exponent.is_integer():
        raise ExpressionError("'**' takes a root of a negative number; change the left side")
    power: int | float = base**exponent
    return power


def _round(number: int | float, digits: int | float | None = None) -> int | float:
    if digits is None:
        return round(number)
    if not isinstance(digits, int) or abs(digits) > MAX_DIGITS:
        raise ExpressionError(
            f"round takes digits after the point, found {describe(digits)}; "
            f"allowed: a whole number from -{MAX_DIGITS} to {MAX_DIGITS}"
        )
    return round(number, digits)


_OPERATORS: dict[type[ast.operator], tuple[str, Callable[[float, float], int | float]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", _power),
}
_ORDERS: dict[type[ast.cmpop], tuple[str, Callable[[float, float], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_EQUALITIES: dict[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[..., int | float]] = {
    "min": min,
    "max": max,
    "round": _round,
    "int": int,
    "abs": abs,
}
_COUNTS: dict[str, tuple[int, int, str]] = {
    "min": (2, MAX_LENGTH, "two numbers or more"),
    "max": (2, MAX_LENGTH, "two numbers or more"),
    "round": (1, 2, "a number and optionally the digits after the point"),
    "int": (1, 1, "one number"),
    "abs": (1, 1, "one number"),
}
"""The fewest and the most arguments of a function, and both in words."""
_KEYWORDS = frozenset({"if", "else", "and", "or", "not"})
"""The Python keywords that are operators here."""
_ALLOWED = (
    "numbers, names, + - * / // % **, < <= > >= == !=, and, or, not, x if c else y, parentheses, "
    f"{', '.join(_FUNCTIONS)}"
)

_TOKEN = re.compile(
    r" ?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[<>=!]=|[-+*/%(),<>]))"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LEADING_ZEROS = re.compile(r"(?<![\w.])0+(?=[0-9])")
# Valid in Python, but not visible in its syntax tree.
_MISPLACED = re.compile(r"\) ?\(|, ?\)")


def evaluate(
    text: str, names: Mapping[str, Value], spend: Callable[[int], None] = lambda operations: None
) -> Value:
    """Evaluate an expression.

    Args:
        text: The expression, without ``${`` and ``}``.
        names: Values by name. Arithmetic takes numbers only; a condition, no strings.
        spend: Called with the number of operations before they are computed; may raise.

    Raises:
        ExpressionError: The expression is invalid, uses an unknown name, divides by zero or
            produces a number out of range.
    """
    try:
        tree, used, operations = _parse(text)
        spend(operations)
        for name in used:  # also in the part of a condition that is not computed
            _lookup(name, names)
        return _value(tree, names)
    except RecursionError:
        raise ExpressionError("nested too deep; nest less") from None


def interpolate(
    text: str, names: Mapping[str, Value], spend: Callable[[int], None] = lambda operations: None
) -> Value:
    """Replace each ``${...}`` in a text by its value.

    A text that consists of a single ``${...}`` becomes the value itself, of any type.

    Raises:
        ExpressionError: As `evaluate`; also if a ``${`` is not closed or the text grows too long.
    """
    if text.startswith("${") and text.find("}") == len(text) - 1:
        return evaluate(text[2:-1], names, spend)
    parts: list[str] = []
    remaining, position = MAX_TEXT, 0
    while (start := text.find("${", position)) >= 0:
        end = text.find("}", start)
        if end < 0:
            raise ExpressionError("a '${' is not closed; end it with '}'")
        parts += [text[position:start], _as_text(evaluate(text[start + 2 : end], names, spend))]
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
        raise ExpressionError(_TOO_LARGE)
    return number


# --- parse ----------------------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def _parse(text: str) -> tuple[ast.expr, tuple[str, ...], int]:
    """Parse an expression into a tree of whitelisted nodes.

    Returns:
        The tree, the names that it uses, and the number of its operations and operands.
    """
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
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    functions = {node.func for node in nodes if isinstance(node, ast.Call)}
    used = [node.id for node in nodes if isinstance(node, ast.Name) and node not in functions]
    return tree, tuple(dict.fromkeys(used)), len(nodes)


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
        if keyword.iskeyword(token["name"] or "") and token["name"] not in _KEYWORDS:
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
        case ast.Name() | ast.UnaryOp(op=ast.USub() | ast.Not()) | ast.IfExp() | ast.BoolOp():
            pass
        case ast.Compare(ops=signs) if all(type(op) in _ORDERS | _EQUALITIES for op in signs):
            pass
        case ast.BinOp(op=sign) if type(sign) in _OPERATORS:
            pass
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in _FUNCTIONS:
                raise ExpressionError(
                    f"unknown function {quoted(name)}; allowed: {', '.join(_FUNCTIONS)}"
                )
            fewest, most, accepted = _COUNTS[name]
            if not fewest <= len(arguments) <= most:
                raise ExpressionError(f"{name} takes {accepted}, found {len(arguments) or 'none'}")
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
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _is_true(_value(operand, names), "not")
        case ast.UnaryOp(operand=operand):
            return -_number(_value(operand, names), "-")
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            return _value(body if _is_true(_value(test, names), "if") else otherwise, names)
        case ast.BoolOp(op=op, values=operands):
            return _connect(op, operands, names)
        case ast.Compare(left=left, ops=signs, comparators=others):
            return _compare(left, signs, others, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _operate(type(op), _value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            values = [_value(argument, names) for argument in arguments]
            return _call(name, [_number(value, name) for value in values])
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


def _connect(op: ast.boolop, operands: list[ast.expr], names: Mapping[str, Value]) -> Value:
    """Return what ``and`` or ``or`` returns in Python: the operand that decides."""
    sign, decides = ("or", True) if isinstance(op, ast.Or) else ("and", False)
    for operand in operands:
        value = _value(operand, names)
        if _is_true(value, sign) is decides:
            break
    return value


def _compare(
    left: ast.expr, signs: list[ast.cmpop], others: list[ast.expr], names: Mapping[str, Value]
) -> bool:
    """Return whether each operand compares with the next, up to the first that does not."""
    value = _value(left, names)
    for op, node in zip(signs, others, strict=True):
        other = _value(node, names)
        if type(op) in _EQUALITIES:
            holds = _EQUALITIES[type(op)](value, other)
        else:
            sign, compare = _ORDERS[type(op)]
            holds = compare(_number(value, sign), _number(other, sign))
        if not holds:
            return False
        value = other
    return True


def _call(name: str, numbers: list[int | float]) -> int | float:
    try:
        return bounded(_FUNCTIONS[name](*numbers))
    except OverflowError:
        raise ExpressionError(
            f"{name} takes a number out of range; compute with smaller ones"
        ) from None


def _is_true(value: Value, user: str) -> bool:
    """Return whether a condition holds; a number holds unless it is zero."""
    if isinstance(value, str):
        raise ExpressionError(f"'{user}' takes a condition, found {describe(value)}")
    return bool(value)


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
