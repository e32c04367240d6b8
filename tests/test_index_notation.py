"""Index notation of results without a matrix form, to the letter, and of random programs.

The forms are those of textbooks: Kronecker's delta where an axis is only renamed, chains of matrices
as one factor with subscripts, what the terms share before them, axes in the order of the arrow.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from concrete import numbers
from formulas import Array
from strategies import Program, program

import tensorcalc as tc
from tensorcalc.errors import TensorcalcError

DECLARED = """
a : scalar; x, y, z, w : vector(n); u : vector(m); p, q : vector(3); A, B, X : matrix(n, n)
Y, D : matrix(m, n); S : symmetric(n); T : tensor(n, n, n); U : tensor(n, n, n, n)
k : scalar integer; f : vector(n) of x; F : matrix(n, n) of X; g : scalar -> scalar
h : matrix(m, n) -> scalar
"""

# program, variables of a derivative, text
# fmt: off
GOLDEN: list[tuple[str, str, str]] = [
    ("X^2", "X", "delta[i,k]*X[l,j] + X[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("X^3", "X", "delta[i,k]*(X^2)[l,j] + X[i,k]*X[l,j] + (X^2)[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("X*A*X'", "X", "delta[i,k]*(X*A')[j,l] + (X*A)[i,l]*delta[j,k] -> [i,j,k,l]"),
    ("X'*A*X", "X", "delta[i,l]*(A*X)[k,j] + (X'*A)[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("Y'*Y", "Y", "delta[i,l]*Y[k,j] + delta[j,l]*Y[k,i] -> [i,j,k,l]"),
    ("Y*Y'", "Y", "delta[i,k]*Y[j,l] + Y[i,l]*delta[j,k] -> [i,j,k,l]"),
    ("A*X*B", "X", "A[i,k]*B[l,j] -> [i,j,k,l]"),
    ("X*A*X*B*X", "X", "delta[i,k]*(A*X*B*X)[l,j] + (X*A)[i,k]*(B*X)[l,j] + (X*A*X*B)[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("inv(X)", "X", "-inv(X)[i,k]*inv(X)[l,j] -> [i,j,k,l]"),
    ("inv(X)*A", "X", "-inv(X)[i,k]*(inv(X)*A)[l,j] -> [i,j,k,l]"),
    ("inv(X)*A*inv(X)", "X", "-inv(X)[i,k]*(inv(X)*A*inv(X))[l,j] - (inv(X)*A*inv(X))[i,k]*inv(X)[l,j] -> [i,j,k,l]"),
    ("inv(X + A)", "X", "-inv(X + A)[i,k]*inv(X + A)[l,j] -> [i,j,k,l]"),
    ("tr(inv(X))", "X X", "inv(X)[j,k]*(inv(X)^2)[l,i] + (inv(X)^2)[j,k]*inv(X)[l,i] -> [i,j,k,l]"),
    ("det(X)", "X X", "det(X)*(inv(X)[j,i]*inv(X)[l,k] - inv(X)[j,k]*inv(X)[l,i]) -> [i,j,k,l]"),
    ("logdet(X)", "X X", "-inv(X)[j,k]*inv(X)[l,i] -> [i,j,k,l]"),
    ("det(X)*inv(X)", "X", "det(X)*(inv(X)[i,j]*inv(X)[l,k] - inv(X)[i,k]*inv(X)[l,j]) -> [i,j,k,l]"),
    ("adj(X)", "X", "adj(X)[i,j]*inv(X)[l,k] - adj(X)[i,k]*inv(X)[l,j] -> [i,j,k,l]"),
    ("y'*inv(X)*y", "X X", "(inv(X)'*y)[i]*inv(X)[j,k]*(inv(X)*y)[l] + (inv(X)*y)[j]*(inv(X)'*y)[k]*inv(X)[l,i] -> [i,j,k,l]"),
    ("tr(inv(S)*A)", "S S", "(inv(S)*A*inv(S))[j,k]*inv(S)[l,i] + inv(S)[k,j]*(inv(S)*A*inv(S))[l,i] -> [i,j,k,l]"),
    ("pinv(Y)", "Y", "(pinv(Y)*pinv(Y)')[i,l]*(eye - Y*pinv(Y))[k,j] - pinv(Y)[i,k]*pinv(Y)[l,j] - (pinv(Y)*Y - eye)[i,l]*(pinv(Y)'*pinv(Y))[j,k] -> [i,j,k,l]"),
    ("tr(X^3)", "X X", "3*(delta[i,l]*X[j,k] + delta[j,k]*X[l,i]) -> [i,j,k,l]"),
    ("tr(X*A*X*B)", "X X", "A[j,k]*B[l,i] + B[j,k]*A[l,i] -> [i,j,k,l]"),
    ("tr(X'*A*X)", "X X", "(A + A')[i,k]*eye(n)[j,l] -> [i,j,k,l]"),
    ("norm2(D*X - Y)^2", "X X", "2*(D'*D)[i,k]*eye(n)[j,l] -> [i,j,k,l]"),
    ("normF(X*X' - A)^2", "X X", "4*delta[i,k]*(X'*X)[j,l] + 4*X[i,l]*X[k,j] + 2*(2*X*X' - A - A')[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("Y", "Y", "eye(m)[i,k]*eye(n)[j,l] -> [i,j,k,l]"),
    ("Y'", "Y", "eye(n)[i,l]*eye(m)[j,k] -> [i,j,k,l]"),
    ("Y.*D", "Y", "D[i,j]*delta[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("exp(Y)", "Y", "exp(Y[i,j])*delta[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("sigmoid(Y)", "Y", "sigmoid(-Y[i,j])*sigmoid(Y[i,j])*delta[i,k]*delta[j,l] -> [i,j,k,l]"),
    ("softmax(Y, 2)", "Y", "softmax(Y, 2)[i,j]*delta[i,k]*(delta[j,l] - softmax(Y, 2)[i,l]) -> [i,j,k,l]"),
    ("tr(X)*X", "X", "tr(X)*delta[i,k]*delta[j,l] + X[i,j]*delta[k,l] -> [i,j,k,l]"),
    ("sum(X)*X", "X", "sum(X)*delta[i,k]*delta[j,l] + X[i,j] -> [i,j,k,l]"),
    ("normF(X)", "X X", "delta[i,k]*delta[j,l]/normF(X) - X[i,j]*X[k,l]/normF(X)^3 -> [i,j,k,l]"),
    ("X*x", "X", "eye(n)[i,j]*x[k] -> [i,j,k]"),
    ("exp(x'*y)*A", "x", "exp(x'*y)*A[i,j]*y[k] -> [i,j,k]"),
    ("x*x'", "x", "delta[i,k]*x[j] + x[i]*delta[j,k] -> [i,j,k]"),
    ("diag(x)", "x", "eye(n)[i,j]*delta[i,k] -> [i,j,k]"),
    ("diag(x)*A", "x", "A[i,j]*delta[i,k] -> [i,j,k]"),
    ("A*diag(x)*B", "x", "A[i,k]*B[k,j] -> [i,j,k]"),
    ("(x'*A*x)*x", "x x", "delta[i,j]*((A + A')*x)[k] + delta[i,k]*((A + A')*x)[j] + x[i]*(A + A')[j,k] -> [i,j,k]"),
    ("norm2(x)", "x x x", "3*x[i]*x[j]*x[k]/norm2(x)^5 - delta[i,j]*x[k]/norm2(x)^3 - delta[i,k]*x[j]/norm2(x)^3 - x[i]*delta[j,k]/norm2(x)^3 -> [i,j,k]"),
    ("norm2(x - y)*x", "x x", "delta[i,j]*(x[k] - y[k])/norm2(x - y) + delta[i,k]*(x[j] - y[j])/norm2(x - y) + x[i]*delta[j,k]/norm2(x - y) - x[i]*(x[j] - y[j])*(x[k] - y[k])/norm2(x - y)^3 -> [i,j,k]"),
    ("logsumexp(x)", "x x x", "softmax(x)[i]*(delta[i,j]*delta[i,k] - delta[i,j]*softmax(x)[k] - delta[i,k]*softmax(x)[j] - delta[j,k]*softmax(x)[j] + 2*softmax(x)[j]*softmax(x)[k]) -> [i,j,k]"),
    ("exp(-norm2(x)^2/2)*x", "x x", "exp(-x'*x/2)*(x[i]*x[j]*x[k] - delta[i,j]*x[k] - delta[i,k]*x[j] - x[i]*delta[j,k]) -> [i,j,k]"),
    ("g(x'*x)", "x x x", "4*(g''(x'*x)*delta[i,j]*x[k] + g''(x'*x)*delta[i,k]*x[j] + 2*g'''(x'*x)*x[i]*x[j]*x[k] + g''(x'*x)*x[i]*delta[j,k]) -> [i,j,k]"),
    ("x/(x'*x)", "x x", "2*(4*x[i]*x[j]*x[k]/(x'*x)^3 - delta[i,j]*x[k]/(x'*x)^2 - delta[i,k]*x[j]/(x'*x)^2 - x[i]*delta[j,k]/(x'*x)^2) -> [i,j,k]"),
    ("x.^3", "x x", "6*delta[i,j]*delta[i,k]*x[i] -> [i,j,k]"),
    ("sin(A*x)", "x x", "-sin(A*x)[i]*A[i,j]*A[i,k] -> [i,j,k]"),
    ("sin(A*x)", "A", "delta[i,j]*cos(A*x)[i]*x[k] -> [i,j,k]"),
    ("(Y*w - u)'*(Y*w - u)", "Y w", "2*(Y[i,k]*w[j] + (Y*w - u)[i]*delta[j,k]) -> [i,j,k]"),
    ("(Y*w - u)'*(Y*w - u)", "Y Y", "2*eye(m)[i,k]*w[j]*w[l] -> [i,j,k,l]"),
    ("T[i,j,k]*y[j]*z[k] -> [i]", "", "T[i,j,k]*y[j]*z[k] -> [i]"),
    ("x[i]*y[j]*z[k]", "", "x[i]*y[j]*z[k] -> [i,j,k]"),
    ("T[i,j,k]*x[i]*x[j]*x[k]", "x", "x[j]*x[k]*(T[i,j,k] + T[j,i,k] + T[j,k,i]) -> [i]"),
    ("T[i,j,k]*x[i]*x[j]*x[k]", "x x x", "T[i,j,k] + T[i,k,j] + T[j,i,k] + T[j,k,i] + T[k,i,j] + T[k,j,i] -> [i,j,k]"),
    ("sum[i,j,k]((T[i,j,k] - x[i]*x[j]*x[k])^2)", "x", "2*x[j]*x[k]*(3*x[i]*x[j]*x[k] - T[i,j,k] - T[j,i,k] - T[j,k,i]) -> [i]"),
    ("sum[i,j,k](exp(T[i,j,k] - x[i]*x[j]*x[k]))", "x", "E[i,j,k] = exp(T[i,j,k] - x[i]*x[j]*x[k])\n-x[j]*x[k]*(E[i,j,k] + E[j,i,k] + E[j,k,i]) -> [i]"),
    ("U[i,j,k,l]*A[i,p]*A[j,q] -> [p,q,k,l]", "A", "delta[i,q]*A[r,j]*U[p,r,k,l] + A[r,i]*delta[j,q]*U[r,p,k,l] -> [i,j,k,l,p,q]"),
    ("sum[i,j,k](sin(T[i,j,k] - X[i,r]*A[j,r]*B[k,r])^2)", "X", "E[i,j,k] = T[i,j,k] - X[i,l]*A[j,l]*B[k,l]\n-2*A[k,j]*B[l,j]*cos(E[i,k,l])*sin(E[i,k,l]) -> [i,j]"),
    ("A[i,r]*B[j,r]*X[k,r] -> [i,j,k]", "X", "A[i,p]*B[j,p]*eye(n)[k,l] -> [i,j,k,l,p]"),
    ("cross(p, q)", "p", "eps[i,j,k]*q[k] -> [i,j]"),
    ("eps[i,j,k]*p[j]*q[k]*z[l] -> [i,l]", "q", "-eps[i,k,l]*p[l]*z[j] -> [i,j,k]"),
    ("(p'*q)*cross(p, q)", "p", "(p'*q)*eps[i,j,k]*q[k] + eps[i,k,l]*p[k]*q[l]*q[j] -> [i,j]"),
    ("f", "x", "df/dx"),
    ("f'*f*x", "x", "2*x*f'*df/dx + (f'*f)*eye"),
    ("tr(F)", "X", "dF/dX[k,k,i,j] -> [i,j]"),
    ("F*x", "X", "dF/dX[i,l,j,k]*x[l] -> [i,j,k]"),
    ("h(Y)^2", "Y Y", "2*(h'(Y)[i,j]*h'(Y)[k,l] + h(Y)*h''(Y)[i,j,k,l]) -> [i,j,k,l]"),
    ("prod(x)", "x", "prod[j](delta[j,i] + x[j]*(1 - delta[i,j])) -> [i]"),
    ("A^k", "A", "sum[r=0..k - 1]((A^r)[i,l]*(A^(k - 1 - r))[p,j]) -> [i,j,l,p]"),
    ("max(Y, D)", "Y", "1/2*delta[i,k]*delta[j,l]*(1 - sign(D - Y)[i,j]) -> [i,j,k,l]"),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "names", "expected"), GOLDEN, ids=[f"{text} by {names}" for text, names, _ in GOLDEN]
)
def test_forms_that_readers_know(text: str, names: str, expected: str) -> None:
    """To the letter; and what is printed is equal to the result."""
    formula = tc.parse(DECLARED + text)
    result = tc.diff(formula, *names.split()) if names else formula
    assert str(result) == expected
    again = tc.parse(DECLARED + expected)
    assert again.shape == result.shape
    assert "^k" in text or again == result  # a power by name takes long


@pytest.mark.parametrize(("text", "names"), [golden[:2] for golden in GOLDEN])
def test_latex_is_balanced(text: str, names: str) -> None:
    r"""Braces and \left … \right come in pairs."""
    formula = tc.parse(DECLARED + text)
    latex = (tc.diff(formula, *names.split()) if names else formula).to_latex()
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")


def test_ones_stand_only_for_axes_that_occur_nowhere() -> None:
    """A constant vector is a factor where its axis is in no other."""
    result = tc.diff("x : vector(n); Y : matrix(m, n); sum(x)*Y", "x")
    assert str(result) == "Y[i,j]*vector(1, n)[k] -> [i,j,k]"
    result = tc.diff("X : matrix(n, n); X^2", "X")
    assert "vector" not in str(result) and "vector" not in result.to_index()


def test_long_results_define_their_parts() -> None:
    """A result of 200 layers: no layer is written twice, and there is no index form of the whole."""
    text = "x : vector(n); T : tensor(n, n, n); s0 = x\n"
    text += "".join(f"s{k + 1} = sin(s{k}).*cos(s{k})\n" for k in range(200))
    result = tc.parse(text + "T[i,j,k]*s200[k] -> [i,j,k]")
    assert len(str(result)) < 100 * len(text) / 10


def largest(made: Program) -> list[tc.Expr]:
    """The derivatives of a program that have from three to five axes."""
    formula = tc.parse(made.text)
    variables = [name for name in formula.variables if name not in made.problem.integers]
    orders = [(name,) for name in variables] + list(product(variables, repeat=2))
    ranks = {name: formula.variables[name].rank for name in variables}
    wanted = [
        names for names in orders if 3 <= formula.node.rank + sum(ranks[n] for n in names) <= 5
    ]
    return [tc.diff(formula, *names) for names in wanted[:3]]


def values(expression: tc.Expr, made: Program) -> Array | None:
    """The value at the program's data; None where no value has an axis of some size."""
    try:
        return numbers(expression, made.problem.data)
    except tc.ShapeError:
        return None


def assert_read_back(made: Program) -> None:
    """Text and index notation of the derivatives have their values."""
    for expression in largest(made):
        expected = values(expression, made)
        declared = made.problem.declarations()
        names = {*expression.variables, *made.problem.unknown}
        known = {name: kind for name, kind in declared.items() if name in names}
        for text in (str(expression), expression.to_index()):
            try:
                again = tc.parse(text, **known)
            except TensorcalcError as error:
                if error.message == "a size cannot be inferred":
                    continue
                raise
            found = values(again, made)
            if expected is None or found is None:
                continue
            np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8, err_msg=text)


SLOW = pytest.param(range(60, 1500), marks=pytest.mark.slow, id="many")


@pytest.mark.parametrize("seeds", [pytest.param(range(60), id="few"), SLOW])
def test_random_programs_are_read_back(seeds: range) -> None:
    """Second derivatives and Jacobians of generated programs."""
    for seed in seeds:
        made = program(seed)
        try:
            assert_read_back(made)
        except Exception as error:
            raise AssertionError(f"seed {seed}\n{made.text}\n{error}") from error
