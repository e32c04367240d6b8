"""Declared properties, used after the last derivative."""

from __future__ import annotations

import pytest

import tensorcalc as tc
from tensorcalc.errors import KindError

D = (
    "S : symmetric(n); P : spd(n); K : skew(n); Q : orthogonal(n); E : diagonal(n); "
    "A : matrix(n, n); x, y : vector(n); t : scalar; M : symmetric(n) of y; N : skew(n) of t; "
    "R : orthogonal(n) of t; f : vector(n) -> symmetric(n); a, b : scalar positive; "
    "v : vector(n) nonnegative; w : scalar positive of t\n"
)
FORMS = [
    ("S'*x", "S*x"),
    ("y'*inv(P)'*x", "y'*inv(P)*x"),
    ("E'*x", "E*x"),
    ("x'*K*x", "0"),
    ("K'", "-K"),
    ("tr(S*K)", "0"),
    ("Q'*Q*x", "x"),
    ("x'*Q*Q'*y", "x'*y"),
    ("inv(Q)*x", "Q'*x"),
    ("tr(Q*A*Q')", "tr(A)"),
    ("norm2(Q*x)^2", "x'*x"),
    ("x'*M'*x", "x'*M*x"),
    ("f(x)'*y", "f(x)*y"),
    ("N'", "-N"),
    ("R'*R*x", "x"),
    ("abs(a*b)", "a*b"),
    ("sqrt(a^2)", "a"),
    ("sqrt(a^2)*sign(b)", "a"),
    ("norm1(v)", "sum(v)"),
    ("relu(v)", "v"),
    ("sign(v)", "sign(v)"),
    ("abs(a - b)", "abs(a - b)"),
    ("abs(t)", "abs(t)"),
    ("abs(w + exp(t)/a)", "exp(t)/a + w"),
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


def test_properties_of_unknown_functions_in_derivatives() -> None:
    """The derivative by a scalar of a symmetric function is symmetric, that by a vector is not."""
    assert str(tc.diff(D + "x'*M*x", "x")) == "2*M*x"
    assert str(tc.diff("t : scalar; u : spd(n) of t; logdet(u)", "t")) == "tr(inv(u)*du/dt)"
    assert str(tc.diff(D + "R'*R", "t")) != "0"


def test_complex_unknown_functions_have_conjugates() -> None:
    """A function declared complex is not taken for real."""
    derivative = tc.diff("t : scalar; u : vector(n) complex of t; u^H*u", "t")
    assert str(derivative) == "(du/dt)^H*u + u^H*du/dt"


def test_spd_is_real() -> None:
    """A complex matrix that is its own transpose is not positive definite."""
    with pytest.raises(KindError, match="property of real matrices"):
        tc.parse("A : spd(n) complex; A")


ASSERTED = [
    ("K : spd(n); K = A.*A; y'*inv(K)*y", "y", "2*inv(A.^2)*y"),
    ("K : spd(n); K = A.*A; logdet(K)", "A", "2*(A.*inv(A.^2))"),
    ("K : symmetric(n); K = A.*A; inv(K)'*x", "", "inv(A.^2)*x"),
    ("L : orthogonal(n); L = expm(A - A'); L'*L*y", "", "y"),
    ("c : scalar positive; c = x'*x - 1; abs(c)", "x", "2*x"),
    ("K = A.*A; inv(K)'*x", "", "inv(A.^2)'*x"),
]


@pytest.mark.parametrize(("formula", "names", "form"), ASSERTED)
def test_definitions_have_the_properties_that_are_declared(
    formula: str, names: str, form: str
) -> None:
    """A declaration asserts the properties of a definition (LANGUAGE, "Programs")."""
    text = f"A : matrix(n, n); x, y : vector(n)\n{formula}"
    assert str(tc.diff(text, *names.split())) == form
