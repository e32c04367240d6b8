"""Declared properties, used after the last derivative."""

from __future__ import annotations

import pytest

import tensorcalc as tc

D = (
    "S : symmetric(n); P : spd(n); K : skew(n); Q : orthogonal(n); E : diagonal(n); "
    "A : matrix(n, n); x, y : vector(n)\n"
)
FORMS = [
    ("S'*x", "S*x"),
    ("y'*inv(P)'*x", "x'*inv(P)*y"),
    ("E'*x", "E*x"),
    ("x'*K*x", "0"),
    ("K'", "-K"),
    ("tr(S*K)", "0"),
    ("Q'*Q*x", "x"),
    ("x'*Q*Q'*y", "x'*y"),
    ("inv(Q)*x", "Q'*x"),
    ("tr(Q*A*Q')", "tr(A)"),
    ("norm2(Q*x)^2", "x'*x"),
]


@pytest.mark.parametrize(("formula", "form"), FORMS)
def test_forms(formula: str, form: str) -> None:
    """What is printed uses what is declared."""
    assert str(tc.parse(D + formula)) == form


def test_entries_are_differentiated_as_if_independent() -> None:
    """A property is used afterwards only (LANGUAGE, "Derivatives")."""
    assert str(tc.diff(D + "x'*S*x", "S")) == "x*x'"
    assert str(tc.diff(D + "x'*K*y", "K")) == "x*y'"
    assert str(tc.diff(D + "tr(Q'*Q)", "Q")) == "2*Q"
