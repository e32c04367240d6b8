"""Matrix forms: a contraction graph in, the product, trace, Hadamard product that it is out."""

from __future__ import annotations

import numpy as np
import pytest

import tensorcalc as tc

# program, its text: what has a matrix form gets it, whatever the notation
FORMS = [
    # chains and vectors
    ("A[i,j]*x[j]", "A*x"),
    ("A[j,i]*x[j]", "A'*x"),
    ("x[i]*A[i,j]*y[j]", "x'*A*y"),
    ("A[i,j]*B[j,k]*x[k]", "A*B*x"),
    ("x[i]*y[j]", "x*y'"),
    ("A[i,j]*B[k,j] -> [i,k]", "A*B'"),
    ("A[i,j]*A[j,k]*A[k,l]", "A^3"),
    ("X[k,i]*d[k]*X[k,j] -> [i,j]", "X'*diag(d)*X"),
    # traces: cycles, also beside other factors at the same label
    ("A[i,i]", "tr(A)"),
    ("A[i,j]*B[j,i]", "tr(A*B)"),
    ("A[i,i]*B[j,j]", "tr(A)*tr(B)"),
    ("A[i,i]*x[i]", "diag(A)'*x"),
    ("A[i,i]*B[i,i]", "diag(A)'*diag(B)"),
    ("A[i,i]*B[i,j]*x[j]", "diag(A)'*B*x"),
    # entry by entry
    ("x[i]*y[i] -> [i]", "x.*y"),
    ("A[i,j]*B[i,j] -> [i,j]", "A.*B"),
    ("A[i,i] -> [i]", "diag(A)"),
    ("x[i]*A[i,j] -> [i,j]", "diag(x)*A"),
    ("x[i]*A[i,j]*y[j] -> [i,j]", "diag(x)*A*diag(y)"),
    ("(A[i,j]*x[j])*y[i] -> [i]", "y.*(A*x)"),
    # sums
    ("sum[i](x[i])", "sum(x)"),
    ("sum[i,j](A[i,j])", "sum(A)"),
    ("sum[i](exp(x[i]))", "sum(exp(x))"),
    # common factors, signs, coefficients
    ("A*x + A'*x", "(A + A')*x"),
    ("A*x + B*x", "(A + B)*x"),
    ("A*x + A*y", "A*(x + y)"),
    ("a*x + a*y", "a*(x + y)"),
    ("2*x - 2*y", "2*x - 2*y"),
    ("-x", "-x"),
    ("x/2", "x/2"),
    ("-(x - y)", "y - x"),
    ("x - a", "x - a"),
    # constants
    ("x + 1", "1 + x"),
    ("0*x", "vector(0, len(x))"),
    ("A^0 + 0*A", "eye(rows(A))"),
]


@pytest.mark.parametrize(("program", "text"), FORMS)
def test_matrix_forms(program: str, text: str) -> None:
    """The form of least cost."""
    assert str(tc.parse(program)) == text


NO_FORM = ["T[i,j,k]*x[k]", "A[i,j]*A[i,k]*A[i,l]*x[j]*x[k]*x[l]*T[i,i,i]"]
SAME_VALUE = [
    "w'*diag(B)", "tr(A.*B)", "tr(A)*tr(B)", "(v + v)*w'*diag(A)", "tr(A./(1 + B.^2))", "A*diag(B)",
    "tr(exp(A).*(w*v'))", "sum(X',2) + sum(X'*X,2)", "sum(X*X',2) + diag(X*X')", "tr(A.*B.*A)",
    "tr(X*X')*tr(A)", "diag(A)'*diag(B)", "diag(A).*w", "diag(A)*w'", "w'*A*diag(A)", "tr(A)*A*w",
    "sum(A.*B,1)", "sum(A)*B", "w*(w'*A*v)", "sum(w)*v", "tr(w*v'*A)", "(w.*v)'*A*(w.*v)",
    "A*vector(1) + w", "vector(1)'*A*w", "X*w*v'*X'", "norm2(X*w)*v", "diag(w)*A*diag(v)*B",
    "tr(diag(w)*A)", "tr(diag(w)*A*diag(v)*B)", "A.*(w*v')", "(A*B).*(w*v')", "sum(X*A*w)*c",
    "mean(X)*A", "max(w, 0)'*v", "where(w > v, w, v)", "a^c", "w.^v", "2.^w", "w.^-1", "sqrt(w).*v",
    "1./sqrt(1 + w)", "c/(1 + w'*w)", "(1 + w'*w)^-2", "A*inv(B)*A", "inv(A*B)", "det(A)*A",
    "logdet(A)*w", "-w'*v", "-(w - v)*w'", "A - A'", "(A - A')*w", "c*eye + A", "eye - w*w'",
    "w*w' - v*v'", "3/7*w", "0.1*w", "1e-7*w", "1e30*w", "len(w)*w", "rows(X)/cols(X)*w", "w/len(w)",
    "c^-0.5*A", "abs(c)^1.5", "pi*w", "(A*A')^3", "tr(A^7)", "sum[i,j](A[i,j]*B[i,j]*w[j])", "sum[i,j](A[i,j]*B[i,j]*w[j]*v[i])", "A[i,i]*w[i]",
    "A[i,i]*B[i,j]*w[j]", "A[i,i]*B[i,i]", "(w'*v)^2*w",
]  # fmt: skip
DECLARED = "a, c : scalar; A, B : matrix(n, n); X : matrix(m, n); w, v : vector(n); y : vector(m)\n"


@pytest.mark.parametrize("program", SAME_VALUE)
def test_the_printed_text_has_the_value_of_the_program(program: str) -> None:
    """What is printed in matrix notation is read back as the same value and shape."""
    rng = np.random.default_rng(1)
    values = {
        "a": rng.uniform(0.5, 1), "c": rng.uniform(0.5, 1), "A": rng.uniform(0.5, 1, (3, 3)) + np.eye(3),
        "B": rng.uniform(0.5, 1, (3, 3)) + np.eye(3), "X": rng.uniform(0.5, 1, (2, 3)),
        "w": rng.uniform(0.5, 1, 3), "v": rng.uniform(0.5, 1, 3), "y": rng.uniform(0.5, 1, 2),
    }  # fmt: skip
    expression = tc.parse(DECLARED + program)
    again = tc.parse(DECLARED + str(expression))
    np.testing.assert_allclose(again.evaluate(**values), expression.evaluate(**values), rtol=1e-10)


@pytest.mark.parametrize("program", NO_FORM)
def test_what_has_no_form_prints_in_index_notation(program: str) -> None:
    """Nothing raises; the text is read back as the same node."""
    text = str(tc.parse(program))
    assert "[" in text
    assert tc.parse(text) == tc.parse(program)


def test_shared_parts_of_a_long_result_are_defined_once() -> None:
    """Helpers come first, and the result with them is read back."""
    f = tc.parse("a")
    for _ in range(12):
        f = tc.sin(f) * tc.cos(f) + f
    text = str(tc.diff(f, "a"))
    assert "T1 = " in text and len(text) < 20_000
    np.testing.assert_allclose(tc.parse(text).evaluate(a=0.3), tc.diff(f, "a").evaluate(a=0.3))


def test_helpers_avoid_names_in_use() -> None:
    """A variable called T1 stays."""
    f = tc.parse("T1 : scalar; T1")
    for _ in range(12):
        f = tc.sin(f) * tc.cos(f) + f
    text = str(f)
    assert "T1 =" not in text and "T2 = " in text
