"""Rewrite rules: both sides have the same value, the right one also at extreme points."""

from __future__ import annotations

from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.functions import FUNCTIONS
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Add, Einsum, Map, MatrixFunction, Node, Variable
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.rules import RULES, apply_rules
from tensorcalc.simplify import simplify
from tensorcalc.templates import formula
from tensorcalc.traverse import fold

SCALAR = [rule for rule in RULES if rule[0] == "x : scalar"]
PAIRS = [rule for rule in RULES if rule[0] == "x, y : scalar"]
MATRIX = [rule for rule in RULES if "matrix" in rule[0]]
POINTS = [-700.0, -40.0, -2.0, -0.5, -1e-9, 1e-300, 1e-18, 1e-9, 0.3, 2.0, 36.0, 40.0, 700.0]

MP: dict[str, Any] = {
    "exp": mpmath.exp, "log": mpmath.log, "log1p": lambda x: mpmath.log(1 + x),
    "expm1": lambda x: mpmath.exp(x) - 1, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)), "pow": lambda x, y: x**y,
    "tan": mpmath.tan, "sinh": mpmath.sinh, "cosh": mpmath.cosh,
    "abs": abs, "sign": mpmath.sign, "max": max, "sin": mpmath.sin, "cos": mpmath.cos, "tanh": mpmath.tanh,
}  # fmt: skip


def exactly(node: Node, x: Any) -> Any:
    """A scalar formula with 1,000 digits."""

    def visit(n: Node, operands: tuple[Any, ...]) -> Any:
        match n:
            case Variable():
                return x
            case Add():
                pairs = zip(n.coefficients, operands, strict=True)
                return sum(
                    (mpmath.mpf(c.numerator) / c.denominator * o for c, o in pairs), mpmath.mpf(0)
                )
            case Einsum():
                return mpmath.fprod(operands)
            case Map():
                return MP[n.function](*operands)
        raise TypeError(n)

    return fold([node], visit)[node]


@pytest.mark.parametrize(("declaration", "pattern", "better"), SCALAR)
def test_scalar_rules_are_true(declaration: str, pattern: str, better: str) -> None:
    """Both sides agree to 900 digits wherever the left one is real."""
    left, right = formula(declaration, pattern), formula(declaration, better)
    with mpmath.workdps(1000):
        for point in POINTS:
            x = mpmath.mpf(point)
            try:
                expected = exactly(left, x)
            except (ValueError, ZeroDivisionError):
                continue
            if isinstance(expected, mpmath.mpc) or not mpmath.isfinite(expected):
                continue
            assert mpmath.almosteq(expected, exactly(right, x), mpmath.mpf(10) ** -600)


@pytest.mark.parametrize(("declaration", "pattern", "better"), SCALAR)
def test_scalar_rules_are_stable(declaration: str, pattern: str, better: str) -> None:
    """The better form, in floats, is within a few units of the true value at every point."""
    right = formula(declaration, better)
    with mpmath.workdps(1000):
        for point in POINTS:
            try:
                expected = exactly(formula(declaration, pattern), mpmath.mpf(point))
            except (ValueError, ZeroDivisionError):
                continue
            if isinstance(expected, mpmath.mpc) or abs(expected) > 1e300:
                continue
            found = evaluate([right], {"x": np.asarray(point)}, {}, np.dtype(float))[0]
            assert abs(found - float(expected)) <= 4e-16 * abs(float(expected)) + 1e-320, point


@pytest.mark.parametrize(("declaration", "pattern", "better"), PAIRS)
def test_rules_of_two_scalars_are_true(declaration: str, pattern: str, better: str) -> None:
    """Both sides agree at moderate points; the better form is finite at extreme ones."""
    nodes = [formula(declaration, pattern), formula(declaration, better)]
    for x, y in [(0.3, -1.2), (2.0, 2.0), (-5.0, 4.0)]:
        left, right = evaluate(nodes, {"x": np.asarray(x), "y": np.asarray(y)}, {}, np.dtype(float))
        np.testing.assert_allclose(left, right, rtol=1e-14)
    for x, y in [(1000.0, 999.0), (-1000.0, -999.0), (0.0, 1000.0)]:
        values = {"x": np.asarray(x), "y": np.asarray(y)}
        assert np.isfinite(evaluate(nodes[1:], values, {}, np.dtype(float))[0])


@pytest.mark.parametrize(("declaration", "pattern", "better"), MATRIX)
def test_matrix_rules_are_true(declaration: str, pattern: str, better: str) -> None:
    """Both sides agree on random matrices with a positive determinant."""
    rng = np.random.default_rng(0)
    nodes = [formula(declaration, pattern), formula(declaration, better)]
    for _ in range(10):
        x = np.eye(3) * 2 + 0.4 * rng.normal(size=(3, 3))
        left, right = evaluate(nodes, {"x": x}, {"n": 3}, np.dtype(float))
        np.testing.assert_allclose(left, right, rtol=1e-12)


@pytest.mark.parametrize(("declaration", "pattern", "better"), SCALAR + MATRIX)
def test_each_rule_fires(declaration: str, pattern: str, better: str) -> None:
    """`simplify` turns the pattern into the better form, also with something in place of x."""
    (found,) = simplify([formula(declaration, pattern)])
    assert found is simplify([formula(declaration, better)])[0]
    assert apply_rules(found) is None
    inner = "sin(x)" if declaration == "x : scalar" else "(x*x')"
    texts = [
        side.replace("x", "§").replace("e§p", "exp").replace("ma§", "max")
        for side in (pattern, better)
    ]
    made = [formula(declaration, text.replace("§", inner)) for text in texts]
    assert simplify([made[0]])[0] is simplify([made[1]])[0]


FORMS = [
    # program, the same in a stable form
    ("log(1 + exp(x))", "softplus(x)"),
    ("log(exp(x) + 1)", "softplus(x)"),
    ("sum(log(1 + exp(-y.*(X*w))))", "sum(softplus(-y.*(X*w)))"),
    ("1./(1 + exp(-x))", "sigmoid(x)"),
    ("a/(1 + exp(-b))", "a*sigmoid(b)"),
    ("exp(a)/(1 + exp(a))", "sigmoid(a)"),
    ("log(1./(1 + exp(-x)))", "-softplus(-x)"),
    ("1 - 1/(1 + exp(-a))", "sigmoid(-a)"),
    ("log(det(A))", "logdet(A)"),
    ("log(1 + a + b)", "log1p(a + b)"),
    ("(exp(a) - 1)^2", "expm1(a)^2"),
    ("1 - exp(a)", "-expm1(a)"),
    ("log(1 - a)", "log1p(-a)"),
    ("log(sum(exp(x)))", "logsumexp(x)"),
    ("log(3*sum[j](exp(S[i,j]))) -> [i]", "logsumexp[j](S[i,j]) + log(3) -> [i]"),
    (  # sums over products of exponentials: one after the other, none larger than its terms
        "f[i] = log(sum[j,k](exp(X[i,j])*exp(Y[j,k])))",
        "f[i] = logsumexp[j](X[i,j] + logsumexp[k](Y[j,k]))",
    ),
    ("log(sum[i,j](exp(x[i])*exp(y[j])))", "logsumexp(x) + logsumexp(y)"),
    ("exp(x)./sum(exp(x))", "softmax(x)"),
    ("P[i,j] = exp(S[i,j])/sum[k](exp(S[i,k]))", "softmax(S, 2)"),
    ("log(softmax(x))", "x - logsumexp(x)"),
    ("sqrt(x'*x)", "norm2(x)"),
    ("1/sqrt(sum(A.*A))", "1/normF(A)"),
    ("X[i,j]*log(1 + exp(X[i,j])) -> [i,j]", "X.*softplus(X)"),
]


@pytest.mark.parametrize(("program", "stable"), FORMS)
def test_programs_take_the_stable_form(program: str, stable: str) -> None:
    """The stable form is chosen within larger formulas and in every notation."""
    assert tc.parse(program) == tc.parse(stable)


def test_a_rule_does_not_fire_on_near_misses() -> None:
    """Other coefficients, other signs and other functions stay."""
    for text in ("log(2 + exp(a))", "2*exp(a) - 1 + 1", "log(det(A)^2 + 1)"):
        assert "softplus" not in str(tc.parse(text)) and "expm1" not in str(tc.parse(text))


def test_a_product_of_matrices_of_exponentials_stays_one() -> None:
    """The exponent of its entries has an axis more than either matrix."""
    text = "X : matrix(m, n); Y : matrix(n, p); log(exp(X)*exp(Y))"
    assert tc.parse(text) == tc.parse(
        text.replace("exp(X)*exp(Y)", "einsum('ij,jk', exp(X), exp(Y))")
    )
    assert "logsumexp" not in str(tc.parse(text))


def test_every_function_of_the_rules_exists() -> None:
    """Nothing in a rule is read as an undeclared variable."""
    for declaration, *sides in RULES:
        for side in sides:
            nodes = fold([formula(declaration, side)], lambda n, _: n)
            for node in nodes:
                if isinstance(node, Map):
                    assert node.function in FUNCTIONS
                if isinstance(node, MatrixFunction):
                    assert node.function in MATRIX_FUNCTIONS
                if isinstance(node, Variable):
                    assert node.name in declaration.partition(" : ")[0]


def test_rules_of_real_numbers_leave_complex_ones() -> None:
    """``log(exp(z))`` of a complex z is z only up to a multiple of 2πi."""
    z = tc.parse("z : scalar complex; log(exp(z))")
    assert str(z) == "log(exp(z))"
    assert abs(z.evaluate(z=3 + 4j) - (3 + (4 - 2 * np.pi) * 1j)) < 1e-12
