"""Differentials, derivations and derivatives by free parameters."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from equations import Point, close, untold_sizes
from strategies import Program
from test_properties import constructs, counts, for_all

import tensorcalc as tc
from tensorcalc.errors import DomainError, UnknownNameError
from tensorcalc.finite_differences import slope

# formula, variables, differential (Wikipedia, "Matrix calculus", the tables of differential
# identities), and the form from which the derivative is read off (Magnus and Neudecker)
DIFFERENTIALS = [
    ("tr(X)", "X", "tr(dX)", "df = tr(dX)"),
    ("det(X)", "X", "det(X)*tr(inv(X)*dX)", "df = det(X)*tr(inv(X)*dX)"),
    ("logdet(X)", "X", "tr(inv(X)*dX)", "df = tr(inv(X)*dX)"),
    ("A*X*B", "X", "A*dX*B", "vec(df) = kron(B', A)*vec(dX)"),
    ("X*Y", "X Y", "X*dY + dX*Y",
     "vec(df) = kron(Y', eye(rows(X)))*vec(dX) + kron(eye(cols(Y)), X)*vec(dY)"),
    ("X.*Y", "X Y", "X.*dY + Y.*dX", "vec(df) = diag(vec(Y))*vec(dX) + diag(vec(X))*vec(dY)"),
    ("X'", "X", "dX'", "vec(df) = commutation(rows(X), cols(X))*vec(dX)"),
    ("inv(X)", "X", "-inv(X)*dX*inv(X)", "vec(df) = -kron(inv(X)', inv(X))*vec(dX)"),
    ("k : scalar integer; X^k", "X", "sum[r=0..k - 1](X^r*dX*X^(k - 1 - r))",
     "vec(df) = sum[r=0..k - 1](kron((X')^(k - 1 - r), X^r))*vec(dX)"),
    ("x'*A*y", "x y", "dx'*A*y + x'*A*dy", "df = (A*y)'*dx + x'*A*dy"),
    ("a'*x; a : vector(n)", "x", "a'*dx", "df = a'*dx"),
    ("A*x", "x", "A*dx", "df = A*dx"),
    ("x'*A*x", "x", "dx'*A*x + x'*A*dx", "df = x'*(A + A')*dx"),
    ("A : symmetric(n); x'*A*x", "x", "2*dx'*A*x", "df = 2*x'*A*dx"),
    ("x'*A*x", "x A", "dx'*A*x + x'*A*dx + x'*dA*x", "df = x'*(A + A')*dx + tr(x*x'*dA)"),
    ("c*x'*x", "x c", "2*c*(dx'*x) + dc*(x'*x)", "df = 2*c*x'*dx + x'*x*dc"),
    ("norm2(A*x - b)^2; b : vector(m)", "x", "2*(A*x - b)'*A*dx", "df = 2*(A*x - b)'*A*dx"),
    ("norm2(x)", "x", "dx'*x/norm2(x)", "df = x'/norm2(x)*dx"),
    ("exp(A*x)", "x", "(A*dx).*exp(A*x)", "df = diag(exp(A*x))*A*dx"),
    ("x.*y", "x y", "dx.*y + x.*dy", "df = diag(y)*dx + diag(x)*dy"),
    ("diag(x)*y", "x", "dx.*y", "df = diag(y)*dx"),
    ("x*y'", "x y", "dx*y' + x*dy'", "vec(df) = kron(y, eye(len(x)))*dx + kron(eye(len(y)), x)*dy"),
    ("x'*X*y", "X", "x'*dX*y", "df = tr(y*x'*dX)"),
    ("tr(A*X*B)", "X", "tr(B*A*dX)", "df = tr(B*A*dX)"),
    ("tr(A'*X)", "X", "tr(A*dX')", "df = tr(A'*dX)"),
    ("tr(X'*A*X)", "X", "tr(X*dX'*A) + tr(X'*A*dX)", "df = tr(X'*(A + A')*dX)"),
    ("tr(X*A*X')", "X", "tr(X*A*dX') + tr(X'*dX*A)", "df = tr((A + A')*X'*dX)"),
    ("tr(X*X)", "X", "2*tr(X*dX)", "df = 2*tr(X*dX)"),
    ("X*X", "X", "X*dX + dX*X",
     "vec(df) = (kron(X', eye(rows(X))) + kron(eye(rows(X)), X))*vec(dX)"),
    ("X'*X", "X", "X'*dX + dX'*X",
     "vec(df) = (kron(eye(cols(X)), X') + kron(X', eye(cols(X)))*commutation(rows(X), cols(X)))*vec(dX)"),
    ("X^3", "X", "X^2*dX + X*dX*X + dX*X^2",
     "vec(df) = (kron((X')^2, eye(rows(X))) + kron(eye(rows(X)), X^2) + kron(X', X))*vec(dX)"),
    ("tr(A*inv(X))", "X", "-tr(inv(X)*A*inv(X)*dX)", "df = -tr(inv(X)*A*inv(X)*dX)"),
    ("x'*inv(X)*y", "X", "-x'*inv(X)*dX*inv(X)*y", "df = -tr(inv(X)*y*x'*inv(X)*dX)"),
    ("det(A*X*B)", "X", "det(A*X*B)*tr(B*inv(A*X*B)*A*dX)",
     "df = det(A*X*B)*tr(B*inv(A*X*B)*A*dX)"),
    ("X : matrix(3, 2); logdet(X'*X)", "X", "2*tr(X*inv(X'*X)*dX')", "df = 2*tr(inv(X'*X)*X'*dX)"),
    ("sum(A.*X)", "X", "tr(A*dX')", "df = tr(A'*dX)"),
    ("normF(X)^2", "X", "2*tr(X*dX')", "df = 2*tr(X'*dX)"),
    ("sum(exp(X))", "X", "tr(dX*exp(X)')", "df = tr(exp(X)'*dX)"),
    ("log(det(X))", "X", "tr(inv(X)*dX)", "df = tr(inv(X)*dX)"),
    ("c*X", "c", "dc*X", "df = X*dc"),
    ("a^2*b", "a b", "2*a*da*b + db*a^2", "df = 2*a*b*da + a^2*db"),
    ("X*x", "X x", "X*dx + dX*x", "df = kron(x, eye(rows(X)))'*vec(dX) + X*dx"),
    ("x'", "x", "dx'", "df' = dx"),
    ("logsumexp(x)", "x", "dx'*softmax(x)", "df = softmax(x)'*dx"),
    ("A[i,j,k]*x[k] -> [i,j]", "x", "A[i,j,k]*dx[k] -> [i,j]",
     "G = A[i,j,k] -> [i,j,k]\n" "df = G[i,j,k]*dx[k] -> [i,j]"),
    ("g : scalar -> scalar; g(x'*x)", "x", "2*(dx'*x)*g'(x'*x)", "df = 2*g'(x'*x)*x'*dx"),
    ("f*x", "x", "f*dx", "dg = f*dx"),
    ("adj(X)", "X", "tr(inv(X)*dX)*adj(X) - adj(X)*dX*inv(X)",
     "vec(df) = (vec(adj(X))*vec(inv(X)')' - kron(inv(X)', adj(X)))*vec(dX)"),
    ("T[i,j,k]*x[i]*y[j]*z[k]", "T", "dT[i,j,k]*x[i]*y[j]*z[k]",
     "G = x[i]*y[j]*z[k] -> [i,j,k]\n" "df = G[i,j,k]*dT[i,j,k]"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "names", "form", "canonical"), DIFFERENTIALS)
def test_differentials(formula: str, names: str, form: str, canonical: str) -> None:
    """Linear in the differentials of all variables that are named; both forms are true."""
    found = tc.differential(formula, *names.split())
    assert (str(found), found.canonical) == (form, canonical)
    if "g'" not in form and "Q :" not in formula:
        expression = tc.parse(formula)
        point = Point.of(expression, names.split())
        function = canonical.split("\n")[-1].partition(" = ")[0]
        letter = "g" if "g" in function else "f"
        statements = [x for x in formula.split("; ") if " : " not in x]
        point.check(f"{letter} = {statements[0]}")
        point.check(f"d{letter} = {form}")
        for line in canonical.split("\n"):
            point.check(line)


def test_kronecker_products() -> None:
    """In matrix form; the canonical form is by entries."""
    found = tc.differential("kron(X, Y)", "X", "Y")
    assert str(found) == "kron(X, dY) + kron(dX, Y)"
    point = Point.of(tc.parse("kron(X, Y)"), ["X", "Y"])
    for line in ["f = kron(X, Y)", f"df = {found}", *found.canonical.split("\n")]:
        point.check(line)


def test_names() -> None:
    """One name, several, a list, a tuple: all the same variables."""
    expected = tc.differential("x'*A*y", "x", "y")
    for names in (["x", "y"], ("x", "y")):
        found = tc.differential("x'*A*y", names)
        assert (str(found), found.canonical) == (str(expected), expected.canonical)
    assert str(tc.differential("x'*A*y", ["x"], "y")) == str(expected)
    assert str(tc.differential("x'*A*x", "x", "x")) == str(tc.differential("x'*A*x", "x"))


SECOND = [
    ("x'*A*x", "x", "2*dx'*A*dx", "d2f = dx'*(A + A')*dx"),
    ("x'*A*y", "x y", "2*dx'*A*dy", "d2f = 2*dx'*A*dy"),
    ("A*x", "x", "vector(0, rows(A))", "d2f = 0"),
    ("inv(X)", "X", "2*inv(X)*dX*inv(X)*dX*inv(X)", None),
    ("logdet(X)", "X", "-tr(inv(X)*dX*inv(X)*dX)", None),
    ("a^3", "a", "6*a*da^2", "d2f = 6*a*da^2"),
    ("a^2*b", "a b", None, "d2f = 2*b*da^2 + 4*a*da*db"),
    ("c*x'*x", "x c", None, "d2f = 4*dc*x'*dx + 2*c*dx'*dx"),
    ("tr(X'*A*X)", "X", None, None),
    ("exp(A*x)", "x", None, None),
    ("x'*X*y", "X x", None, None),
]


@pytest.mark.parametrize(("formula", "names", "form", "canonical"), SECOND)
def test_second(formula: str, names: str, form: str | None, canonical: str | None) -> None:
    """The differential of the differential, that of dX being zero."""
    found = tc.differential(formula, *names.split(), order=2)
    assert form is None or str(found) == form
    assert canonical is None or found.canonical == canonical
    point = Point.of(tc.parse(formula), names.split())
    first = tc.differential(formula, *names.split())
    moved, _ = slope(lambda t: point.value(str(first), t), 0.1)
    close(point.value(str(found)), moved, str(found), 1e-6)
    for line in found.canonical.split("\n")[:-1]:
        point.check(line)
    right = found.canonical.split("\n")[-1].partition(" = ")[2]
    if right != "0":
        close(point.value(right), moved, found.canonical, 1e-6)


def test_results_are_expressions() -> None:
    """They are evaluated, pickled and put into other formulas."""
    found = tc.differential("x'*A*x", "x")
    again = pickle.loads(pickle.dumps(found))
    assert (str(again), again.canonical) == (str(found), found.canonical)
    x, dx, a = np.array([1.0, 2.0]), np.array([0.5, -1.0]), np.eye(2)
    assert np.isclose(found.evaluate(x=x, A=a, dx=dx), 2 * x @ dx)
    assert str(found.substitute(dx="2*x")) != str(found)


NOT_TEXT = {"unknown", "unknown-map", "series", "complex", "expm", "logm", "sqrtm", "sinm", "cosm"}


@counts(30, 1500)
def test_random_differentials(seeds: Sequence[int]) -> None:
    """Both forms of the differential of a random program, by two of its variables, are true."""

    def check(made: Program) -> None:
        problem = made.problem
        names = [v.data for v in problem.variables if v.data not in problem.integers][:2]
        if not names or constructs(problem) & NOT_TEXT:
            return
        formula = tc.parse(made.text)
        values = {n: np.asarray(problem.data[n], float) for n in formula.variables}
        found = tc.differential(formula, names)
        point = Point.of(formula, names, values)
        moved, error = slope(
            lambda t: formula.evaluate(
                **{n: v + t * point.directions.get(n, np.zeros(())) for n, v in values.items()}
            ),
            0.1,
        )
        off = float(np.max(error, initial=0))
        given = values | {f"d{n}": d for n, d in point.directions.items()}
        exact = found.evaluate(**{n: given[n] for n in found.variables})
        close(exact, moved, str(found), off)
        *definitions, last = found.canonical.split("\n")
        with untold_sizes():
            for line in definitions:
                point.check(line)
        left, _, right = last.partition(" = ")
        if right == "0":
            return
        with untold_sizes():
            stacked = moved.T.reshape(-1) if left.startswith("vec(") else moved
            close(point.value(right), stacked, last, off)

    for_all(check, seeds)


STRUCTURES = [
    ("symmetric", lambda g: g + g.T - np.diag(np.diag(g))),
    ("spd", lambda g: g + g.T - np.diag(np.diag(g))),
    ("skew", lambda g: g - g.T),
    ("diagonal", lambda g: np.diag(np.diag(g))),
]


@pytest.mark.parametrize(("kind", "projected"), STRUCTURES)
def test_by_free_parameters(kind: str, projected: object) -> None:
    """LANGUAGE, "Derivatives": what `structured` makes of the derivative by entries."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=3), rng.normal(size=3)
    f = tc.parse(f"A : {kind}(n); x'*A*y")
    found = tc.diff(f, "A", structured=True).evaluate(x=x, y=y, A=np.eye(3))
    np.testing.assert_allclose(found, projected(np.outer(x, y)))  # type: ignore[operator]


def test_refusals() -> None:
    """A structure without such a formula, and a differential of nothing."""
    with pytest.raises(DomainError, match="orthogonal"):
        tc.diff("Q : orthogonal(n); tr(A*Q)", "Q", structured=True)
    with pytest.raises(UnknownNameError, match="no variable"):
        tc.differential("x'*x")
    with pytest.raises(DomainError, match="dx is a variable"):
        tc.differential("dx : vector(n); x'*dx", "x")
    with pytest.raises(DomainError, match="at least 1"):
        tc.differential("x'*x", "x", order=0)
