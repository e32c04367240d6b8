"""Exact fingerprints: equal for what is equal by algebra, different for what is not."""

from __future__ import annotations

import pytest

import tensorcalc as tc
from tensorcalc.expression import join
from tensorcalc.fingerprint import fingerprint

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


def fingerprints(left: str, right: str) -> tuple[int, int]:
    """Of two programs with the same sizes."""
    first, second = (tc.parse(D + text) for text in (left, right))
    nodes, _ = join([first, second])
    return fingerprint(nodes[0]), fingerprint(nodes[1])


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_formulas_have_one_fingerprint(left: str, right: str) -> None:
    """Laws of matrix algebra hold exactly."""
    first, second = fingerprints(left, right)
    assert first == second


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_other_formulas_have_another(left: str, right: str) -> None:
    """What looks alike is told apart."""
    first, second = fingerprints(left, right)
    assert first != second
