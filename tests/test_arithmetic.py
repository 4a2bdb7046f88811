"""The arithmetic of expressions, held against Python's own."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netbuilder.arithmetic import ExpressionError, Value, evaluate

NAMES: dict[str, Value] = {"width": 24, "half": 0.5, "act": "ReLU", "yes": True, "i": 3}
numbers = st.integers(0, 50).map(str) | st.sampled_from(["width", "half", "i", "0.25", "1e1", "3."])
operators = st.sampled_from(["+", "-", "*", "/", "//", "%"])


def expressions() -> st.SearchStrategy[str]:
    """Expressions of every form, with blanks here and there."""
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
def test_an_expression_is_what_python_makes_of_it(text: str) -> None:
    """Value and type are Python's; what Python cannot divide is refused."""
    assume(len(text) <= 150)
    try:
        expected = eval(text, {"min": min, "max": max}, dict(NAMES))
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="zero"):
            evaluate(text, NAMES)
        return
    assume(abs(expected) < 2**50)
    found = evaluate(text, NAMES)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_alone_stands_for_anything(name: str) -> None:
    """Texts and truths are given as they are."""
    assert evaluate(f" {name} ", NAMES) is NAMES[name]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1 +", "* 2", "(1", "1)", "1 2", "width width", "act + 1", "yes * 2", "unknown",
        "min()", "min(1", "abs(1)", "min", "1 ** 2", "1 if 1 else 2", "__import__('os')", "a.b",
        "width[0]", "lambda: 1", "'text'", "1_000", "0x10", "1; 2", "i = 3", "99999999 ** 9",
        "9" * 60, "9999999999 * 9999999999 * 9999999999", "1e308 * 10", "(" * 500 + "1" + ")" * 500,
        "1" + "+1" * 5000, "-" * 5000 + "1", "π", "1e999",
    ],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    """Nothing but a message comes of it: no code runs, no recursion ends, nothing is left out."""
    with pytest.raises(ExpressionError, match=r"\A.{1,299}\Z"):
        evaluate(text, NAMES)
