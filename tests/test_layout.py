"""Layouts: LANGUAGE's table, cell by cell."""

from __future__ import annotations

import pytest

import tensorcalc as tc
from tensorcalc.errors import DomainError
from tensorcalc.layout import LAYOUTS, is_transposed

D = "a, b : scalar; x : vector(n); y : vector(m); A : matrix(m, n); X : matrix(p, q); Y : matrix(p, q)\n"
# formula, variables, mixed, numerator, denominator
CELLS: list[tuple[str, str, str, str, str]] = [
    ("a*b", "a", "b", "b", "b"),
    ("x'*x", "x", "2*x", "2*x'", "2*x"),
    ("y'*A*x", "x", "A'*y", "y'*A", "A'*y"),
    ("tr(X'*Y)", "X", "Y", "Y'", "Y"),
    ("a*x", "a", "x", "x", "x'"),
    ("A*x", "x", "A", "A", "A'"),
    ("x'*A'", "x", "A", "A", "A'"),
    ("a*X", "a", "X", "X", "X'"),
]


@pytest.mark.parametrize(("formula", "name", "mixed", "numerator", "denominator"), CELLS)
def test_cells(formula: str, name: str, mixed: str, numerator: str, denominator: str) -> None:
    """Each kind of derivative in each layout."""
    derivative = tc.diff(D + formula, name)
    printed = tuple(derivative.to_text(layout=layout) for layout in LAYOUTS[:3])
    assert printed == (mixed, numerator, denominator)


SQUARE = "L : matrix(p, p); R : matrix(q, q)\n"
# formula, variable, the Jacobian of vec(formula) by vec(variable)
VEC = [
    ("y'*A*x", "x", "y'*A"),
    ("tr(X'*Y)", "X", "vec(Y)'"),
    ("a*x", "a", "x"),
    ("A*x", "x", "A"),
    ("a*X", "a", "vec(X)"),
    ("L*X", "X", "kron(eye(q), L)"),
    ("X*R", "X", "kron(R', eye(p))"),
    ("X'", "X", "commutation(p, q)"),
    ("X.*Y", "X", "diag(vec(Y))"),
    ("inv(L)", "L", "-kron(inv(L)', inv(L))"),
    ("x*y'", "x", "kron(y, eye(n))"),
    ("x*y'", "y", "kron(eye(m), x)"),
    ("exp(X)", "X", "diag(vec(exp(X)))"),
]


@pytest.mark.parametrize(("formula", "name", "text"), VEC)
def test_vec_layout(formula: str, name: str, text: str) -> None:
    """Magnus and Neudecker's Jacobians: kron(B', A) for A*X*B, and so on."""
    assert tc.diff(D + SQUARE + formula, name).to_text(layout="vec") == text


RANK_3 = [("a*X", "x"), ("X", "X"), ("x", "X"), ("X*0 + Y", "Y"), ("x*y'", "x")]


@pytest.mark.parametrize(("formula", "name"), RANK_3)
def test_beyond_matrices_the_axes_are_shown(formula: str, name: str) -> None:
    """Rank 3 and 4: index notation with its axes by an arrow, the same in every layout."""
    derivative = tc.diff(D + formula, name)
    texts = {derivative.to_text(layout=layout) for layout in LAYOUTS[:3]}
    assert len(texts) == 1 and "-> [i,j,k" in texts.pop()


def test_a_program_is_not_a_derivative() -> None:
    """Layouts leave what was not differentiated as it is."""
    for formula in ("x", "A", "a", "A*x"):
        expression = tc.parse(D + formula)
        assert len({expression.to_text(layout=layout) for layout in LAYOUTS}) == 1


def test_hessians_are_symmetric_in_every_layout() -> None:
    """A Hessian is the derivative of the gradient."""
    for layout in LAYOUTS:
        assert tc.hessian("x'*A*x", "x").to_text(layout=layout) in ("A + A'",)


def test_mixed_second_derivatives() -> None:
    """By x, then by y: in the denominator layout axes of y come first."""
    derivative = tc.diff(D + "y'*A*x", "x", "y")
    assert [derivative.to_text(layout=layout) for layout in LAYOUTS[:3]] == ["A'", "A'", "A"]


def test_unknown_layouts_are_errors() -> None:
    """The message lists the known ones."""
    with pytest.raises(DomainError, match="unknown layout 'sideways'") as caught:
        is_transposed((0, 1), "sideways")
    assert "numerator" in (caught.value.hint or "")


def test_latex_and_text_agree() -> None:
    """LaTeX is transposed where text is."""
    derivative = tc.diff("x'*x", "x")
    assert derivative.to_latex(layout="numerator") == r"2\,\mathbf{x}^{\top}"
