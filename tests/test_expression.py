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

D = (
    "a, b : scalar; x, y : vector(n); z : vector(m); A, B : matrix(n, n); X : matrix(m, n)\n"
    "T : tensor(n, n, n); p, q : vector(3); Z : matrix(n, n) complex; k : scalar integer\n"
    "u : vector(m) of x; g : scalar -> scalar; h : vector(n), scalar -> vector(m)\n"
)
a, b = tc.scalar("a"), tc.scalar("b")
x, y, z = tc.vector("x", "n"), tc.vector("y", "n"), tc.vector("z", "m")
A, B, X = tc.matrix("A", "n", "n"), tc.matrix("B", "n", "n"), tc.matrix("X", "m", "n")
T = tc.tensor("T", "n", "n", "n")
p, q = tc.vector("p", 3), tc.vector("q", 3)
Z = tc.matrix("Z", "n", "n", "complex")
k, r, s = tc.scalar("k", "integer"), tc.counter("r"), tc.counter("s")
u = tc.function("u", "vector(m)", of=x)
g = tc.function("g", "scalar -> scalar")
h = tc.function("h", "vector(n), scalar -> vector(m)")

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
    (lambda: tc.divide(x, y), "x./y"),
    (lambda: tc.divide(1, X), "1./X"),
    (lambda: tc.power(x, 2), "x.^2"),
    (lambda: tc.power(2, X), "2.^X"),
    (lambda: tc.power(X, a), "X.^a"),
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
    (lambda: A["i", np.int64(1)], "A[i,1]"),
    (lambda: A["i", "j"] * tc.delta("i", "j"), "A[i,j]*delta[i,j]"),
    (lambda: tc.delta("i", 0) * x["i"], "x[0]"),
    (
        lambda: (tc.eps("i", "j", "k") * p["j"] * q["k"]).arrange("i"),
        "eps[i,j,k]*p[j]*q[k] -> [i]",
    ),
    # constants
    (lambda: A - 2 * tc.eye(), "A - 2*eye"),
    (lambda: tc.eye("n") @ x, "eye(n)*x"),
    (lambda: tc.eye(3) @ p, "p"),
    (lambda: tc.kron(tc.eye(2), A), "kron(eye(2), A)"),
    (lambda: tc.eye("2*n"), "eye(2*n)"),
    (lambda: tc.eye(tc.rows(X)), "eye(m)"),
    (lambda: tc.eye(tc.rows(X) + 1), "eye(m + 1)"),
    (lambda: tc.commutation("m", "n") @ tc.vec(X), "vec(X')"),
    (lambda: tc.vector(1, "m").T @ X, "vector(1, m)'*X"),
    (lambda: X @ tc.vector(1), "X*vector(1)"),
    (lambda: tc.matrix(a, "m", "n") + X, "a + X"),
    (lambda: tc.pi * x, "pi*x"),
    (lambda: tc.max(X, tc.matrix(1)), "max(X, matrix(1))"),
    # functions
    (lambda: abs(x), "abs(x)"),
    (lambda: Z.H @ Z, "Z^H*Z"),
    (lambda: x.H @ A.H, "x'*A'"),
    (lambda: tc.conj(Z), "conj(Z)"),
    (lambda: tc.kron(A, B, A), "kron(A, B, A)"),
    (lambda: tc.vec(X), "vec(X)"),
    (lambda: tc.cross(p, q), "cross(p, q)"),
    (lambda: tc.prod(x), "prod(x)"),
    (lambda: tc.softmax(X, 2), "softmax(X, 2)"),
    (lambda: tc.logsumexp(X), "logsumexp(X)"),
    (lambda: tc.pinv(X), "pinv(X)"),
    (lambda: tc.adj(A), "adj(A)"),
    (lambda: tc.expm(A) @ tc.logm(B), "expm(A)*logm(B)"),
    (lambda: tc.sqrtm(A) + tc.sinm(A) + tc.cosm(A), "sqrtm(A) + sinm(A) + cosm(A)"),
    # over indices, over integers
    (lambda: tc.max(X["i", "j"], over="j").arrange("i"), "max[j](X[i,j]) -> [i]"),
    (
        lambda: tc.softmax(X["i", "j"], over="j").arrange("i", "j"),
        "softmax[j](X[i,j]) -> [i,j]",
    ),
    (lambda: tc.logsumexp(X["i", "j"], over=["i", "j"]), "logsumexp[i,j](X[i,j])"),
    (lambda: tc.prod(1 + x["i"], over="i"), "prod[i](1 + x[i])"),
    (lambda: tc.mean(x["i"], over=("i",)), "mean[i](x[i])"),
    (lambda: tc.sum(A**r / (r + 1), over={"r": (0, k)}), "sum[r=0..k](A^r/(r + 1))"),
    (lambda: tc.sum(a**r, over={"r": (0, 3)}), "1 + a + a^2 + a^3"),
    (lambda: tc.prod(a + r, over={"r": (0, 2)}), "a*(a + 1)*(a + 2)"),
    (
        lambda: tc.sum(x[r] * x[r + 1], over={"r": (0, tc.len(x) - 2)}),
        "sum[r=0..n-2](x[r]*x[r+1])",
    ),
    (
        lambda: tc.sum(a**r * b**s, over={"r": (0, k), "s": (1, r)}),
        "sum[r=0..k](sum[s=1..r](a^r*b^s))",
    ),
    # written out
    (lambda: tc.block([[a, b], [0, 1]]), "[a, b; 0, 1]"),
    (lambda: tc.block([[A, x], [x.T, a]]), "[A, x; x', a]"),
    (lambda: tc.block([[A, 0], [0, B]]), "[A, 0; 0, B]"),
    (lambda: tc.block([a, b]), "[a, b]"),
    (lambda: tc.block([[a], [b]]), "[a; b]"),
    (lambda: tc.block(((x["i"], y["i"]), (0, 1)))[0, 0] * x["i"], "([x[i], y[i]; 0, 1][0,0])*x[i]"),
    # unknown functions
    (lambda: u.T @ u, "u'*u"),
    (lambda: tc.diff(u, "x"), "du/dx"),
    (lambda: g(x.T @ x), "g(x'*x)"),
    (lambda: g(x["i"]) * y["i"], "g(x[i])*y[i]"),
    (lambda: h(A @ x, 2), "h(A*x, 2)"),
    (lambda: h(x, a)["i"] * z["i"], "h(x, a)'*z"),
    # arrays
    (lambda: np.array([[1, 2], [3, 4]]) @ tc.vector("v"), "[1, 2; 3, 4]*v"),
    (lambda: tc.exp(p) + np.array([0.1, 0, -2]), "exp(p) + [0.1; 0; -2]"),
    (lambda: p.T @ np.arange(3), "p'*[0; 1; 2]"),
    (lambda: tc.einsum("ij,j->i", np.eye(2), tc.vector("v")), "[1, 0; 0, 1]*v"),
    (lambda: tc.where(np.array([True, False, True]), p, q), "where([1; 0; 1], p, q)"),
    (lambda: tc.einsum(A, [0, 1], x, [1], [0]), "A*x"),
    (lambda: tc.einsum(A, [0, 1], x, [1]), "A*x"),
    (lambda: tc.einsum(T, [..., 0], x, [0], [...]), 'einsum("...i,i->...", T, x)'),
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
    "wrong",
    [
        float("nan"), float("inf"), 1j, "x", b"x", None, [1], (1, 2), True, object(), {}, np.ones(3),
        np.float64("nan"), np.complex128(1), np.True_, np.array("2"), np.array(None), np.str_("2"),
        np.array([None]), np.array(["a"]), np.ma.ones(3), np.ones(3, np.longdouble), np.datetime64(1, "s"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_an_error(wrong: Any) -> None:
    """Our own error, from either side."""
    operations: list[Callable[[], Any]] = [
        lambda: x + wrong,
        lambda: wrong * x,
        lambda: x @ wrong,
        lambda: tc.exp(wrong) + x,
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
    (lambda: x - [1, 2], "list is not an expression"),
    (lambda: x[-1], "an index name or an integer from 0, not -1"),
    (lambda: x[True], "an index name or an integer from 0, not True"),
    (lambda: x[0:1], "an index name or an integer from 0, not slice"),
    (lambda: x["i j"], "'i j' is no index name"),
    (lambda: x["i"].arrange("i", ""), "'' is no index name"),
    (lambda: tc.sum(x["i"], over="i)"), "'i\\)' is no index name"),
    (lambda: tc.sum(r, over={"r": 3}), "r counts from one integer to another"),
    (lambda: tc.eye("n; m"), "is no size"),
    (lambda: tc.eye(1.5), "1.5 is no size"),  # type: ignore[arg-type]
    (lambda: tc.eye(True), "True is no size"),
    (lambda: tc.eye(a), "a size is"),
    (lambda: tc.vector("v", -1), "a size is"),
    (lambda: tc.vector("v", "n", "posetive"), "unknown property posetive"),
    (lambda: tc.block([]), "a list of rows"),
    (lambda: tc.block([[]]), "a list of rows"),
    (lambda: tc.block([[a], b]), "a list of rows"),
    (lambda: tc.block([[a, b], [a]]), "different lengths"),
    (lambda: tc.block([[A, B], [X, A]]), "different heights"),
    (lambda: tc.einsum("ij,j->i", A, x, out=np.ones(3)), "are for arrays"),
    (lambda: tc.einsum("ij,j->i", A, x, dtype=float), "are for arrays"),
    (lambda: tc.einsum("ij,j->i", A, [1, 2]), "list is not an expression"),
    (lambda: tc.einsum("ij,j->i", X, z), "X is m×n but z has m entries"),
    (lambda: h(x), "takes 2 arguments, 1 given"),
    (lambda: h(z, a), "h takes n"),
    (lambda: np.ones((2, 3)) @ x, "n entries"),
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
        tc.diff(g(x.T @ A @ x), "x", "x"),
        tc.diff(u.T @ u, "x", "x"),
    ]
    for expression in samples:
        twin = again(expression)
        assert twin == expression and twin.node is expression.node
        assert twin.groups == expression.groups and twin.variables == expression.variables
        assert shown(twin) == shown(expression) and twin.shape == expression.shape
        assert twin.assumptions == expression.assumptions


def shown(expression: Expr) -> str:
    """The text; what of it cannot be printed yet as its error."""
    try:
        return str(expression)
    except TypeError as error:
        return str(error)


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
    new = [
        (tc.block([[a, b], [0, 1]]), "[a, b; 0, 1]", "bmatrix"),
        (tc.diff(u.T @ u, "x"), "2*(du/dx)'*u", "frac"),
        (g(x.T @ x), "g(x'*x)", r"g\left("),
        (tc.sum(A**r, over={"r": (0, k)}), "sum[r=0..k](A^r)", "sum_{r=0}^{k}"),
        (Z.H @ Z, "Z^H*Z", "mathsf{H}"),
        (np.array([[1, 0.5], [0, 1]]) @ tc.vector("v"), "[1, 1/2; 0, 1]*v|[1, 0.5; 0, 1]*v", "bmatrix"),
    ]  # fmt: skip
    for expression, text, latex in new:
        assert str(expression) in text.split("|")
        assert repr(expression) == f"Expr({str(expression)!r}, shape={expression.shape})"
        assert latex in expression._repr_latex_()


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


def test_unknown_functions() -> None:
    """Kinds, variables by name or as expressions; derivatives; equal to those of texts."""
    v = tc.function("v", "vector(m)", of="x")
    assert v == tc.parse("v : vector(m) of x; v") and v.shape == ("m",)
    assert v.assumptions == ("x : vector(n)",) and list(v.variables) == ["x"]
    both = tc.function("w", "matrix(m, n)", of=["x", a])
    assert both == tc.parse("a : scalar; w : matrix(m, n) of x, a; w")
    assert both == tc.function("w", "matrix(m, n)", of="x, a")
    assert str(tc.diff(u.T @ u, "x")) == "2*(du/dx)'*u"
    assert tc.diff(u.T @ u, "x").variables["x"].dims == x.variables["x"].dims
    assert str(tc.diff(g(x.T @ x), "x")) == "2*g'(x'*x)*x"
    assert repr(h) == "<Function h : vector(n), scalar -> vector(m)>"
    assert repr(tc.function("f", "tensor(2, n, 3) -> matrix(2, n)")).startswith(
        "<Function f : tensor"
    )


def test_wrong_unknown_functions() -> None:
    """No kind, a formula to depend on, one name for two."""
    wrong: list[Callable[[], Any]] = [
        lambda: tc.function("v", "vector(m)"),
        lambda: tc.function("v", "scalar -> scalar", of="x"),
        lambda: tc.function("v", "scalar of x"),
        lambda: tc.function("v", "vector(m) of y; v : scalar", of="x"),
        lambda: tc.function("v w", "scalar -> scalar"),
        lambda: tc.function("exp", "scalar -> scalar"),
        lambda: tc.function("v", "scalar", of=A @ x),
        lambda: tc.function("v", "scalar", of=[]),
        lambda: tc.function("v", "scalar", of=["1x"]),
        lambda: tc.function("v", "vektor(n)", of="x"),
    ]
    for make in wrong:
        with pytest.raises(TensorcalcError):
            make()
    other = tc.function("u", "scalar", of=x)
    with pytest.raises(tc.UnknownNameError, match="u is an unknown function and also another"):
        (u.T @ u + other).node  # noqa: B018
    with pytest.raises(tc.UnknownNameError, match="g is an unknown function and also a variable"):
        (g(a) + tc.scalar("g")).node  # noqa: B018


def test_counters_count_only_in_sums() -> None:
    """Outside they have no value, and the message says where they have one."""
    with pytest.raises(TensorcalcError, match="r counts only in a sum over it") as caught:
        str(a + r)
    assert caught.value.hint is not None and 'over={"r": (0, n)}' in caught.value.hint


def test_sizes_that_cannot_be_inferred() -> None:
    """`eye()` and `vector(1)` take the size of what they stand beside."""
    with pytest.raises(ShapeError, match="a size cannot be inferred"):
        str(tc.eye())
    assert (tc.eye() + A).shape == ("n", "n")
    assert (X @ tc.vector(1)).shape == ("m",)


@pytest.mark.parametrize("twice", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_deep_expressions_of_new_kinds(twice: Callable[[Expr], Expr]) -> None:
    """Unknown functions, explicit matrices and sums over integers, 3,000 levels deep."""
    deep = a
    for _ in range(3_000):
        deep = g(deep)
    assert twice(deep) == deep and hash(twice(deep)) == hash(deep)
    assert str(deep).count("g(") == 3_000
    tall = tc.block([[a, b], [b, a]])
    for _ in range(300):
        tall = tc.exp(tall)
    assert twice(tall) == tall and tall.shape == (2, 2)
    wide = tc.sum(A**r, over={"r": (0, k)})
    for _ in range(3_000):
        wide = wide @ A + A
    assert twice(wide) == wide
