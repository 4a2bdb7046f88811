"""Expressions, compared with Python's arithmetic."""

from __future__ import annotations

import ast
import keyword
import warnings
from contextlib import suppress

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netbuilder.config.expressions import ExpressionError, Value, evaluate, interpolate
from netbuilder.config.loader import parse_architecture
from netbuilder.errors import ConfigError

NAMES: dict[str, Value] = {
    "width": 24, "half": 0.5, "act": "ReLU", "yes": True, "i": 3, "min": 7,
    "huge": 10**400,
}  # fmt: skip
TOKENS = [
    *NAMES, *keyword.kwlist, *"+-*/%(),.'\"#\\\0=:[]{}@&|^~<>!;\n\t ", "//", "**", ":=", "...",
    "min(", "max(", "abs(", "1_000", "1j", "1if", "0x1for", "1e9", "1e999", "007", "f'", "ﬁ", "ℌ",
    "if ", " else ", " and ", "not ", "==", "<=", "round(", "int(",
    "2 ** ", "1e300 ** ", "9 ** 9 ** ",
    "π", "\u00a0", "\ud800", "a.b", "0", "2", ".5",
]  # fmt: skip

numbers = st.integers(0, 50).map(str) | st.sampled_from(["width", "half", "i", "0.25", "1e1", "3."])
operators = st.sampled_from(["+", "-", "*", "/", "//", "%"])
orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def expressions() -> st.SearchStrategy[str]:
    """Generate expressions of every form, with and without spaces."""
    return st.recursive(
        numbers,
        lambda inner: st.one_of(
            st.builds("{} {} {}".format, inner, operators, inner),
            st.builds("({})".format, inner),
            st.builds("-{}".format, inner),
            st.builds("min({},{})".format, inner, inner),
            st.builds("max( {}, {}, 1 )".format, inner, inner),
            st.builds("({}) ** {}".format, inner, st.sampled_from(["0", "2", "3", "-1", "half"])),
            st.builds("round({})".format, inner),
            st.builds("round({}, {})".format, inner, st.integers(-3, 3)),
            st.builds("int({})".format, inner),
            st.builds("abs({})".format, inner),
            st.builds("({} if {} else {})".format, inner, conditions(numbers), inner),
        ),
        max_leaves=6,
    )


def conditions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Comparisons of numbers, alone, in a chain and connected."""
    comparisons = (
        st.builds("{} {} {}".format, inner, orders, inner)
        | st.builds("{} {} {} {} {}".format, inner, orders, inner, orders, inner)
        | st.sampled_from(["yes", "act == act", "act != i"])
        | inner
    )
    return (
        comparisons
        | st.builds("not {}".format, comparisons)
        | st.builds("({}) {} ({})".format, comparisons, st.sampled_from(["and", "or"]), comparisons)
    )


def parts(text: str) -> list[object]:
    """What Python computes for the parts of an expression, without those that it cannot compute."""
    names = {**NAMES, "min": min}
    results: list[object] = []
    for node in ast.walk(ast.parse(text, mode="eval").body):
        if isinstance(node, ast.expr):
            try:
                results.append(eval(compile(ast.Expression(node), "", "eval"), dict(names)))
            except ArithmeticError:
                results.append(None)
    return results


def is_out_of_range(number: object) -> bool:
    """Whether a part of an expression is none that netbuilder computes with."""
    return (
        number is None
        or isinstance(number, complex)
        or (isinstance(number, int | float) and not -(2**53) <= number <= 2**53)
    )


@settings(max_examples=1000, deadline=None)
@given(expressions() | conditions(expressions()))
def test_an_expression_evaluates_as_in_python(text: str) -> None:
    """Value and type equal Python's, and a number out of range is refused."""
    assume(len(text) <= 150)
    if any(map(is_out_of_range, parts(text))):  # of a choice, one part is not computed
        with suppress(ExpressionError):
            evaluate(text, NAMES)
        return
    result = evaluate(text, NAMES)
    expected = eval(text, {"max": max, "round": round}, {**NAMES, "min": min})
    assert result == expected
    assert type(result) is type(expected)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(["width", "0", "1", "2", "9999999", "-3", "0.5", "1e300"]), min_size=2)
)
def test_a_tower_of_powers_is_bounded(numbers: list[str]) -> None:
    """No power is computed whose result is out of range."""
    try:
        result = evaluate(" ** ".join(numbers[:12]), NAMES)
    except ExpressionError:
        return
    assert isinstance(result, float) or (isinstance(result, int) and abs(result) <= 2**53)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join) | st.text(max_size=250))
def test_any_text_gives_a_value_or_an_error_of_one_line(text: str) -> None:
    """Any text gives a value or an ExpressionError, and no warning of Python's parser."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            evaluate(text, NAMES)
        except ExpressionError as error:
            message = str(error)
            assert 0 < len(message) < 300
            assert message.isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_evaluates_to_its_value(name: str) -> None:
    """Strings, booleans and numbers of any size are returned unchanged."""
    assert evaluate(f" {name} ", NAMES) is NAMES[name]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("007", 7),
        ("1 +\n\t2", 3),
        ("1\u00a0+ 1", 2),
        ("-width // 5 * 2", -10),
        ("min + min(1, 2)", 8),
        ("1" + "+1" * 99, 100),
        ("-" * 199 + "1", -1),
        ("(" * 20 + "1" + ")" * 20, 1),
        ("9007199254740991 + 1", 2**53),
        ("2 ** 53", 2**53),
        ("(0 - 2) ** 53", -(2**53)),
        ("1 ** huge", 1),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("round(2.5)", 2),
        ("round(width * 1.3 / 8) * 8", 32),
        ("1 / 0 if 0 else 5", 5),
        ("0 < i < 5", True),
        ("i and half", 0.5),
        ("not yes or width == 24.0", True),
    ],
)
def test_an_expression_at_a_limit_of_the_grammar_is_evaluated(text: str, value: object) -> None:
    """Leading zeros, any white space, names of functions and the maximal lengths are allowed."""
    assert evaluate(text, NAMES) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1 +", "* 2", "(1", "1)", "1 2", "width width", "act + 1", "yes * 2", "unknown",
        "min()", "min(1", "min(1)", "sum(1)", "max", "1 *** 2", "1 if 1", "1 if else 2",
        "__import__('os')",
        "a.b", "width[0]", "lambda: 1", "'text'", "f'{i}'", "1_000", "0x10", "1; 2", "i = 3",
        "(i := 3)", "1 <> 2", "1 = 2", "not", "1 and", "1 in 2", "1 is 1", "not in 1", "True",
        "act < 1", "1 if act else 2", "act and 1", "-yes", "(1 < 2) * 3", "2 if 1 else unknown",
        "round()", "round(1, 2, 3)", "round(1.5, half)", "round(1, 99)", "round(1, -huge)",
        "int(1, 2)", "abs(1, 2)", "abs(huge)", "int(1e300)", "(0 - 8) ** half", "0 ** -1",
        "2 ** 54", "2 ** 9007199254740992", "9 ** 9 ** 9 ** 9", "huge ** huge", "1e300 ** 2",
        "None", "+1", "1, 2", "()", "[1]", "{1}", "...", "1j",
        "1if", "0x1for", "1 # x", "1 \\\n + 1", "\0", "(min)(1, 2)", "min(1, 2,)", "min(*i, 1)",
        "min(**i)", "min(i=1)", "1(2)", "99999999 ** 9", "9" * 60,
        "9999999999 * 9999999999 * 9999999999", "1e308 * 10", "huge / 2", "huge * half", "huge + 1",
        "(" * 21 + "1" + ")" * 21,
        "(" * 500 + "1" + ")" * 500, "1" + "+1" * 5000, "-" * 5000 + "1", "π", "ﬁ", "1e999",
        "\ud800",
    ],
)  # fmt: skip
def test_anything_but_arithmetic_is_refused(text: str) -> None:
    """The error is one printable line of less than 300 characters."""
    with pytest.raises(ExpressionError, match=r"\A.{1,299}\Z") as error:
        evaluate(text, NAMES)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1_000", r"^'1_000' is not allowed; allowed: numbers, names, \+ - \*"),
        ("2 & 3", r"^'&' is not allowed; allowed: numbers"),
        ("a.b", r"^'\.b' is not allowed"),
        ("x for y", r"^'for' is a Python keyword, not a name; allowed: numbers"),
        ("2 ** 64", r"^the result is an integer beyond 2\*\*53; compute with smaller ones$"),
        ("(0 - 8) ** half", r"^'\*\*' takes a root of a negative number; change the left side$"),
        ("1 if i else widht", r"^unknown name 'widht'; did you mean width\?$"),
        ("act and 1", r"^'and' takes a condition, found the text 'ReLU'$"),
        (
            "round(1, half)",
            r"^round takes digits after the point, found the number 0\.5; allowed: ",
        ),
        ("2 * * 3", r"^invalid syntax at '\* 3'"),
        ("2 *", r"^invalid syntax at its end"),
        ("(2", r"^a '\(' is not closed; end it with '\)'$"),
        ("2)", r"^a '\)' has no '\(' before it"),
        ("sum(2)", r"^unknown function 'sum'; allowed: min, max, round, int, abs$"),
        ("abs(1, 2)", r"^abs takes one number, found 2$"),
        ("min(2)", r"^min takes two numbers or more, found 1$"),
        ("act / 2", r"^'/' takes numbers, found the text 'ReLU'$"),
        ("widht", r"^unknown name 'widht'; did you mean width\?$"),
        ("1 % 0", r"^'%' divides by zero; change the right side$"),
        ("1" * 201, r"^the expression has 201 characters; allowed: at most 200$"),
    ],
)
def test_an_error_quotes_the_wrong_part(text: str, message: str) -> None:
    """The message contains the wrong part of the expression and what is allowed."""
    with pytest.raises(ExpressionError, match=message):
        evaluate(text, NAMES)


def test_interpolated_text_has_a_limited_length() -> None:
    """Values may add at most 1,048,576 characters to a text."""
    with pytest.raises(ExpressionError, match=r"grows by more than 1,048,576 characters"):
        interpolate("${a} ${a}", {"a": "x" * 600_000})


@pytest.mark.parametrize("name", keyword.kwlist)
@pytest.mark.parametrize(
    "section",
    [
        "values: {{'{}': 1}}\nlayers: [ReLU]\n",
        "blocks: {{a: {{parameters: {{'{}': 1}}, layers: [ReLU]}}}}\nlayers: [a]\n",
        "layers: [{{Repeat: {{times: 1, index: '{}', layers: [ReLU]}}}}]\n",
    ],
    ids=["value", "parameter", "index"],
)
def test_a_python_keyword_is_not_a_name(section: str, name: str) -> None:
    """Its definition is refused, because an expression could not use it."""
    text = "name: net\ninput: [3, 16, 16]\n" + section.format(name)
    rule = "at most 60 letters, digits and underscores, not a digit first, and not a Python keyword"
    with pytest.raises(ConfigError, match=rf"^net\.yaml:\d+:\d+: .*'{name}'; allowed: {rule}"):
        parse_architecture(text, "net.yaml")
