"""Size: 100,000 terms, 10,000 parentheses, 10,000 functions of functions; nothing recurses."""

from __future__ import annotations

import pytest

import tensorcalc as tc

MANY, DEEP = 100_000, 10_000


@pytest.mark.slow
def test_long_sum() -> None:
    """A sum of 100,000 different terms parses, differentiates and prints."""
    text = " + ".join(f"a{k}" for k in range(MANY))
    expression = tc.parse(text)
    assert len(expression.node.operands) == MANY
    assert len(str(expression)) == len(text)
    assert str(tc.diff(expression, "a7")) == "1"


def test_long_sum_of_products() -> None:
    """Terms with structure."""
    expression = tc.parse(" + ".join(f"{k}*x'*w{k}" for k in range(1, 5_000)))
    assert str(tc.diff(expression, "w17")) == "17*x"


def test_nested_parentheses() -> None:
    """10,000 parentheses around one name, and around sums."""
    assert str(tc.parse("(" * DEEP + "x" + ")" * DEEP)) == "x"
    expression = tc.parse("(a + " * DEEP + "b" + ")" * DEEP)
    assert str(expression) in (f"b + {DEEP}*a", f"{DEEP}*a + b")
    assert str(tc.diff(expression, "a")) == str(DEEP)


def test_nested_sums_of_different_terms() -> None:
    """Each parenthesis adds another term."""
    text = "".join(f"(a{k} + " for k in range(2_000)) + "b" + ")" * 2_000
    expression = tc.parse(text)
    assert len(expression.node.operands) == 2_001
    assert str(tc.diff(expression, "a1999")) == "1"


def test_nested_functions() -> None:
    """sin(sin(…)), 10,000 deep, in every notation."""
    text = "sin(" * DEEP + "a" + ")" * DEEP
    expression = tc.parse(text)
    assert str(expression) == expression.to_index() == expression.to_einsum() == text
    assert expression.to_latex().count(r"\sin") == DEEP
    derivative = tc.diff(expression, "a")
    assert "cos(a)" in str(derivative)
    assert derivative.to_index() and derivative.to_einsum() and derivative.to_code()
    assert derivative.evaluate(a=0.5) != 0


@pytest.mark.parametrize("form", ["-", "1/(1 + {})", "sqrt(1 + {})", "({})'", "({})^2 + a"])
def test_other_chains(form: str) -> None:
    """Signs, quotients, roots, transposes and powers, 1,000 deep."""
    if form == "-":
        assert str(tc.parse("-" * 1_000 + "x")) == "x"
        return
    head, tail = form.split("{}")
    text = (
        head * 1_000 + "x[0]" + tail * 1_000 if "'" in form else head * 1_000 + "a" + tail * 1_000
    )
    expression = tc.parse(text)
    assert str(expression) and expression.to_latex() and expression.to_index()


@pytest.mark.slow
def test_long_products() -> None:
    """1,000 factors in one product, and 1,000 matrices in one chain."""
    assert str(tc.parse("*".join(["a"] * 1_000))) == "a^1000"
    expression = tc.parse("x'*" + "A*B*" * 300 + "y")
    assert len(expression.node.operands) == 602
    assert str(tc.diff(expression, "y")) == "B'*A'*" * 300 + "x"
    assert tc.parse("tr(" + "*".join(["A"] * 30) + ")").node is tc.parse("tr(A^30)").node
