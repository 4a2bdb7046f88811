"""Expressions, compared with Python's arithmetic."""

from __future__ import annotations

import keyword
import warnings

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
    "π", "\u00a0", "\ud800", "a.b", "0", "2", ".5",
]  # fmt: skip

numbers = st.integers(0, 50).map(str) | st.sampled_from(["width", "half", "i", "0.25", "1e1", "3."])
operators = st.sampled_from(["+", "-", "*", "/", "//", "%"])


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
        ),
        max_leaves=6,
    )


@settings(max_examples=1000, deadline=None)
@given(expressions())
def test_an_expression_evaluates_as_in_python(text: str) -> None:
    """Value and type equal Python's, and a division by zero is refused."""
    assume(len(text) <= 150)
    try:
        expected = eval(text, {"max": max}, {**NAMES, "min": min})
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="divides by zero"):
            evaluate(text, NAMES)
        return
    assume(abs(expected) < 2**50)
    result = evaluate(text, NAMES)
    assert result == expected
    assert type(result) is type(expected)


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
    ],
)
def test_an_expression_at_a_limit_of_the_grammar_is_evaluated(text: str, value: object) -> None:
    """Leading zeros, any white space, names of functions and the maximal lengths are allowed."""
    assert evaluate(text, NAMES) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1 +", "* 2", "(1", "1)", "1 2", "width width", "act + 1", "yes * 2", "unknown",
        "min()", "min(1", "min(1)", "abs(1)", "max", "1 ** 2", "1 if 1 else 2", "__import__('os')",
        "a.b", "width[0]", "lambda: 1", "'text'", "f'{i}'", "1_000", "0x10", "1; 2", "i = 3",
        "(i := 3)", "1 < 2", "not 1", "True", "None", "+1", "1, 2", "()", "[1]", "{1}", "...", "1j",
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
    with pytest.raises(ExpressionError) as error:
        evaluate(text, NAMES)
    assert 0 < len(str(error.value)) < 300
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1_000", r"^'1_000' is not allowed; allowed: numbers, names, \+ - \*"),
        ("2 ** 3", r"^'2 \*\* 3' is not allowed; allowed: numbers"),
        ("a.b", r"^'\.b' is not allowed"),
        ("x if y", r"^'if' is a Python keyword, not a name; allowed: numbers"),
        ("2 * * 3", r"^invalid syntax at '\* 3'"),
        ("2 *", r"^invalid syntax at its end"),
        ("(2", r"^a '\(' is not closed; end it with '\)'$"),
        ("2)", r"^a '\)' has no '\(' before it"),
        ("abs(2)", r"^unknown function 'abs'; allowed: min, max$"),
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
