"""Exact fingerprints: equal for what is equal by algebra, different for what is not."""

from __future__ import annotations

import pytest

import tensorcalc as tc
from tensorcalc.fingerprint import fingerprints
from tensorcalc.variables import join

D = "A, B : matrix(n, n); S : symmetric(n); K : skew(n); x, y : vector(n); k : scalar integer\n"
EQUAL = [
    ("(A + A')*x", "A*x + A'*x"),
    ("(x - y)'*(x - y)", "x'*x - 2*x'*y + y'*y"),
    ("inv(A*B)", "inv(B)*inv(A)"),
    ("det(A*B)", "det(A)*det(B)"),
    ("S*x", "S'*x"),
    ("x'*K*x", "0"),
    ("tr(A*B)", "sum(A.*B')"),
    ("vec(A*B*A)", "kron(A', A)*vec(B)"),
    ("commutation(n, n)*vec(A)", "vec(A')"),
    ("expm(A')", "expm(A)'"),
    ("X^k*X", "X^(k + 1)"),
    ("A + sum[r=1..k-1](X^r*A)", "sum[r=0..k-1](X^r*A)"),
    ("exp(x)./y", "exp(x).*(1./y)"),
    ("[A, x; x', 1]*[y; 2]", "[A*y + 2*x; x'*y + 2]"),
    ("diag(x)*A*diag(y)", "(x*y').*A"),
]
DIFFERENT = [
    ("A*x", "A'*x"),
    ("exp(x)", "exp(2*x)"),
    ("kron(A, B)", "kron(B, A)"),
    ("A*B", "B*A"),
    ("tr(A*A)", "tr(A)^2"),
    ("logsumexp(x)", "logsumexp(y)"),
    ("x'*S*x", "x'*A*x"),
]


def of_texts(left: str, right: str) -> list[int]:
    """The fingerprints of two programs with the same sizes."""
    first, second = (tc.parse(D + text) for text in (left, right))
    nodes, _ = join([first, second])
    return fingerprints(*nodes)


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_formulas_have_one_fingerprint(left: str, right: str) -> None:
    """Laws of matrix algebra hold exactly."""
    first, second = of_texts(left, right)
    assert first == second


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_other_formulas_have_another(left: str, right: str) -> None:
    """What looks alike is told apart."""
    first, second = of_texts(left, right)
    assert first != second


def test_branches_and_sizes_are_told_apart() -> None:
    """Formulas that agree where a condition holds, or where two sizes are equal."""
    f = tc.parse("tan(where(x <= a, x, b))")
    assert tc.diff(f, "a") != tc.diff(f, "b")
    parts = "u : vector(m); v : vector(n); "
    formulas = [tc.parse(parts + text) for text in ("len(u)*sum(v)", "len(v)*sum(v)")]
    assert formulas[0] != formulas[1]
    assert formulas[0] == tc.parse(parts + "sum(v)*len(u)")
