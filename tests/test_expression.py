"""Operators on expressions: the same nodes as text, and what Python asks of values."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import Expr, ShapeError, TensorcalcError

D = "a, b : scalar; x, y : vector(n); z : vector(m); A, B : matrix(n, n); X : matrix(m, n); T : tensor(n, n, n)\n"
a, b = tc.scalar("a"), tc.scalar("b")
x, y, z = tc.vector("x", "n"), tc.vector("y", "n"), tc.vector("z", "m")
A, B, X = tc.matrix("A", "n", "n"), tc.matrix("B", "n", "n"), tc.matrix("X", "m", "n")
T = tc.tensor("T", "n", "n", "n")

OPERATORS: list[tuple[Callable[[], Expr], str]] = [
    (lambda: x.T @ A @ x, "x'*A*x"),
    (lambda: x.T * A * x, "x'*A*x"),
    (lambda: A @ x, "A*x"),
    (lambda: A @ B @ x, "A*B*x"),
    (lambda: X.T @ z, "X'*z"),
    (lambda: x + y, "x + y"),
    (lambda: x - y, "x - y"),
    (lambda: -x, "-x"),
    (lambda: +x, "x"),
    (lambda: 1 + x, "1 + x"),
    (lambda: x + 1, "x + 1"),
    (lambda: 1 - x, "1 - x"),
    (lambda: 2 * x, "2*x"),
    (lambda: x * 2, "2*x"),
    (lambda: x / 2, "x/2"),
    (lambda: 1 / a, "1/a"),
    (lambda: x / a, "x/a"),
    (lambda: a**2, "a^2"),
    (lambda: 2**a, "2^a"),
    (lambda: A**3, "A^3"),
    (lambda: A**-1, "inv(A)"),
    (lambda: x @ y.T, "x*y'"),
    (lambda: tc.outer(x, y), "x*y'"),
    (lambda: tc.hadamard(x, y), "x.*y"),
    (lambda: tc.hadamard(2, y), "2*y"),
    (lambda: tc.exp(A @ x), "exp(A*x)"),
    (lambda: tc.sum(tc.log(1 + tc.exp(-tc.hadamard(z, X @ x)))), "sum(log(1 + exp(-z.*(X*x))))"),
    (lambda: tc.tr(A @ B), "tr(A*B)"),
    (lambda: tc.norm2(X @ x - z) ** 2, "norm2(X*x - z)^2"),
    (lambda: tc.where(x > 0, x, y), "where(x > 0, x, y)"),
    (lambda: tc.where(x <= y, x, y), "where(x <= y, x, y)"),
    (lambda: tc.max(x, 0), "max(x, 0)"),
    (lambda: tc.einsum("ij,j->i", A, x), "A*x"),
    (lambda: tc.einsum("i,i", x, 2 * y), "2*x'*y"),
    (lambda: tc.sum(X, 1) @ x, "sum(X,1)*x"),
    (lambda: tc.rows(X) * x, "rows(X)*x"),
    # open indices
    (lambda: A["i", "j"] * x["j"] * x["i"], "x'*A*x"),
    (lambda: x["i"] * A["i", "j"] * x["j"], "x'*A*x"),
    (lambda: x["i"] * (A["i", "j"] * x["j"]), "x'*A*x"),
    (lambda: (x["i"] * y["i"]).arrange("i"), "x.*y"),
    (lambda: A["i", "j"].arrange("j", "i"), "A'"),
    (lambda: tc.sum(x["i"] * y["i"], over="i"), "x'*y"),
    (lambda: tc.sum(A["i", "j"], over=["i", "j"]), "sum(A)"),
    (lambda: tc.sum(A["i", "j"] * x["j"], over="j"), "A*x"),
    (lambda: (A["i", "j"] + x["i"] * y["j"]).arrange("i", "j"), "A + x*y'"),
    (lambda: T["i", "j", "k"] * x["k"], "T[i,j,k]*x[k]"),
    (lambda: A["i", "i"], "tr(A)"),
    (lambda: A["i", 0], "A[i,0]"),
    (lambda: x[0] * y, "x[0]*y"),
    (lambda: (A @ x)["i"] * y["i"], "y'*A*x"),
    (lambda: -x["i"] * y["i"], "-x'*y"),
    (lambda: x["i"] / y["i"], "x[i]/y[i]"),
    (lambda: tc.exp(x["i"]) * y["i"], "exp(x)'*y"),
]


@pytest.mark.parametrize(("make", "text"), OPERATORS, ids=[text for _, text in OPERATORS])
def test_operators_equal_text(make: Callable[[], Expr], text: str) -> None:
    """The expression is equal to the parsed one, and the same node."""
    assert make() == tc.parse(D + text)
    assert make().node is tc.parse(D + text).node


NUMBERS = [
    2,
    2.0,
    Fraction(2),
    Decimal(2),
    np.float64(2),
    np.int64(2),
    np.float32(2),
    np.array(2.0),
]


@pytest.mark.parametrize("two", NUMBERS, ids=lambda n: type(n).__name__)
def test_numbers(two: Any) -> None:
    """Every kind of real number stands on either side of every operator."""
    assert two * x == x * two == tc.parse(D + "2*x")
    assert two + x == x + two == tc.parse(D + "2 + x")
    assert two - x == -(x - two)
    assert x / two == tc.parse(D + "x/2")
    assert two / a == tc.parse(D + "2/a")
    assert a**two == tc.parse(D + "a^2")


def test_floats_are_their_shortest_decimals() -> None:
    """0.1 is one tenth, as in text."""
    assert 0.1 * x == tc.parse(D + "0.1*x")


@pytest.mark.parametrize(
    "wrong", [float("nan"), float("inf"), 1j, "x", b"x", None, [1], True, np.ones(3), object()]
)
def test_what_is_no_number_is_an_error(wrong: Any) -> None:
    """Our own error, from either side."""
    operations: list[Callable[[], Any]] = [
        lambda: x + wrong,
        lambda: wrong * x,
        lambda: x @ wrong,
    ]
    for operate in operations:
        with pytest.raises((TensorcalcError, TypeError)):
            operate()
    assert Expr.__array_ufunc__ is None


ERRORS: list[tuple[Callable[[], Any], str]] = [
    (lambda: x @ y, "cannot multiply"),
    (lambda: x + A, "different shapes"),
    (lambda: X @ z, "n"),
    (lambda: x**2, "takes a scalar or a square matrix"),
    (lambda: a / x, "division by something that is not a scalar"),
    (lambda: a / 0, "division by zero"),
    (lambda: tc.tr(X), "square"),
    (lambda: x.T @ y.T, "cannot multiply"),
]


@pytest.mark.parametrize(("make", "message"), ERRORS)
def test_errors_come_where_they_are_made(make: Callable[[], Any], message: str) -> None:
    """At the operator, without a place in a text that does not exist."""
    with pytest.raises(TensorcalcError, match=message) as caught:
        make()
    assert caught.value.line is None
    assert caught.value.excerpt is None
    assert not str(caught.value).startswith("line")


def test_errors_name_the_operands() -> None:
    """The operand is called by its name or its text, not by nothing."""
    with pytest.raises(ShapeError) as caught:
        _ = X + A @ B @ x
    assert "X is m×n" in str(caught.value) and ": is" not in str(caught.value)


def test_open_indices_fail_when_looked_at() -> None:
    """A free index may still be summed by what follows."""
    open_product = x["i"] * y["j"]
    assert (open_product * A["i", "j"]) == tc.parse(D + "x'*A*y")
    wrong = x["i"] + y["j"]
    with pytest.raises(TensorcalcError, match="different free indices"):
        str(wrong)


def test_chained_products_of_open_indices_are_one_product() -> None:
    """An index that stands three times is summed once over all."""
    assert x["i"] * y["i"] * x["i"] == tc.parse(D + "sum[i](x[i]*y[i]*x[i])")


def test_equality_and_hash() -> None:
    """By normal form; never equal to what is no expression."""
    assert x.T @ y == y.T @ x
    assert len({x.T @ y, y.T @ x, x}) == 2
    assert x != y and x != "x" and x != 1 and x != None  # noqa: E711


def test_truth_and_iteration_are_refused() -> None:
    """`0 < a < 1`, `if x > 0`, `for e in x`, `sum(x)` and `y in x` mean nothing; none may hang."""
    anything: Any = x
    attempts: list[Callable[[], Any]] = [
        lambda: bool(a > 0),
        lambda: 0 < a < 1,
        lambda: iter(anything),
        lambda: y in anything,
    ]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt()


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_are_the_same_node(again: Callable[[Expr], Expr]) -> None:
    """Copy and pickle keep node, variables and axes."""
    samples = [make() for make, _ in OPERATORS] + [
        tc.diff(D + "x'*A*x", "x"),
        tc.parse("S*x", S="spd(n)"),
    ]
    for expression in samples:
        twin = again(expression)
        assert twin == expression and twin.node is expression.node
        assert twin.groups == expression.groups and twin.variables == expression.variables
        assert str(twin) == str(expression) and twin.shape == expression.shape
        assert twin.assumptions == expression.assumptions


def test_a_row_stays_a_row() -> None:
    """Orientation survives copying."""
    row = x.T
    for twin in (copy.copy(row), pickle.loads(pickle.dumps(row))):
        assert twin @ y == x.T @ y


def test_open_expressions_stay_open() -> None:
    """An expression with open indices is still a factor after a copy."""
    twin = copy.copy(x["i"])
    assert twin * y["i"] == x["i"] * y["i"]


def test_deep_expressions_are_pickled() -> None:
    """20,000 levels: no recursion."""
    deep = tc.parse("sin(" * 20_000 + "a" + ")" * 20_000)
    assert pickle.loads(pickle.dumps(deep)) == deep
    assert copy.deepcopy(deep) == deep


def test_repr_and_latex() -> None:
    """`repr` names the constructor, long texts are cut; notebooks get LaTeX."""
    assert repr(A @ x) == "Expr('A*x', shape=('n',))"
    assert len(repr(tc.parse(" + ".join(f"a{k}" for k in range(1000))))) < 300
    assert (A @ x)._repr_latex_() == r"$\displaystyle A\,\mathbf{x}$"


def test_facts() -> None:
    """Shape, variables in order of appearance, assumptions."""
    expression = tc.parse("y'*A*x + b")
    assert list(expression.variables) == ["y", "A", "x", "b"]
    assert list((z.T @ X @ x).variables) == ["z", "X", "x"]
    assert tc.parse("X : matrix(3, n); X").shape == (3, "n")
    assert tc.parse("A*x").assumptions[0].startswith("A : matrix(")
    assert (A @ x).assumptions == ()


def test_evaluate() -> None:
    """NumPy arrays and lists in, an array out; also sizes of variables that dropped out."""
    assert (x.T @ y).evaluate(x=[1, 2], y=[3, 4]) == 11
    np.testing.assert_array_equal(tc.diff("sum(x)", "x").evaluate(x=np.zeros(3)), np.ones(3))
    np.testing.assert_array_equal(
        tc.diff(D + "a*b", "x").evaluate(a=1, b=2, x=np.ones(2)), np.zeros(2)
    )
    with pytest.raises(TensorcalcError, match="w is not a variable"):
        (x.T @ y).evaluate(x=[1], y=[1], w=[1])
    with pytest.raises(TensorcalcError, match="y"):
        (x.T @ y).evaluate(x=[1])
    with pytest.raises(ShapeError):
        (x.T @ y).evaluate(x=[1, 2], y=[1])


def test_variables_of_two_declarations_do_not_mix() -> None:
    """The same name with two ranks or sizes is an error."""
    with pytest.raises(ShapeError, match="two declarations"):
        _ = x + tc.vector("x", "m")
    assert (x + tc.vector("x")).shape == ("n",)
