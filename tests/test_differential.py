"""Differentials, derivations and derivatives by free parameters."""

from __future__ import annotations

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.errors import DomainError, UnknownNameError

# Wikipedia, "Matrix calculus", the tables of differential identities
DIFFERENTIALS = [
    ("tr(X)", "X", "tr(dX)"),
    ("det(X)", "X", "det(X)*tr(inv(X)*dX)"),
    ("logdet(X)", "X", "tr(inv(X)*dX)"),
    ("A*X*B", "X", "A*dX*B"),
    ("X*Y", "X Y", "X*dY + dX*Y"),
    ("kron(X, Y)", "X Y", "kron(X, dY) + kron(dX, Y)"),
    ("X.*Y", "X Y", "X.*dY + Y.*dX"),
    ("X'", "X", "dX'"),
    ("inv(X)", "X", "-inv(X)*dX*inv(X)"),
    ("k : scalar integer; X^k", "X", "sum[r=0..k - 1](X^r*dX*X^(k - 1 - r))"),
    ("x'*A*y", "x y", "dx'*A*y + x'*A*dy"),
]


@pytest.mark.parametrize(("formula", "names", "form"), DIFFERENTIALS)
def test_differentials(formula: str, names: str, form: str) -> None:
    """Linear in the differentials of all variables that are named."""
    assert str(tc.differential(formula, *names.split())) == form


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
