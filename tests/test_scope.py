"""The names of a program: subscripts of undeclared names, integers, derivatives written as such."""

from __future__ import annotations

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.errors import IndexNotationError

U = "x : vector(n); f : scalar of x; u : vector(n) of x\n"
DERIVATIVES = [
    ("du/dx[i,j]*df/dx[j]", "du/dx*df/dx"),
    ("df/dx[j]*du/dx[i,j]", "du/dx*df/dx"),
    ("-du/dx[i,j]*df/dx[j]", "-du/dx*df/dx"),
    ("d2f/dx2[i,j]*df/dx[j]", "d2f/dx2*df/dx"),
    ("dx[i]*df/dx[i]", "dx'*df/dx"),
]


@pytest.mark.parametrize(("formula", "form"), DERIVATIVES)
def test_subscripts_of_derivatives(formula: str, form: str) -> None:
    """``du/dx[i,j]`` and ``df/dx[j]`` are two derivatives, not a name with two ranks."""
    assert str(tc.parse(U + formula)) == form


def test_other_names_keep_one_rank() -> None:
    """Beside a derivative, too."""
    with pytest.raises(IndexNotationError, match="T has"):
        tc.parse(U + "T[i,j]*df/dx[j]*T[i]")


def test_entries_of_integer_vectors_are_integers() -> None:
    """``A^(kk[0])`` is a power."""
    expression = tc.parse("kk : vector(n) integer; A : matrix(m, m); A^(kk[0] + 1)")
    a = np.array([[1.0, 1.0], [0.0, 1.0]])
    found = expression.evaluate(A=a, kk=np.array([2.0, 5.0]))
    np.testing.assert_array_equal(found, [[1, 3], [0, 1]])


@pytest.mark.parametrize("formula", ["sum[i,i](A[i,i])", "max[j,j](A[i,j])"])
def test_an_index_is_named_once(formula: str) -> None:
    """A reduction that names an index twice is an error that says so."""
    with pytest.raises(IndexNotationError, match="names an index twice"):
        tc.parse(formula)
