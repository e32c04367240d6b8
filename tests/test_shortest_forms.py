"""What a result is tidied to: the user's wording, equal forms, names for what repeats."""

from __future__ import annotations

import numpy as np
import pytest
from strategies import program

import tensorcalc as tc
from tensorcalc.equivalents import equivalents
from tensorcalc.fingerprint import fingerprints
from tensorcalc.limits import attempt, limits, spend

PRINTED = [
    # program, by what, the derivative as it is printed
    # the user's wording: order of names, signs of differences, sums the way round they were
    ("norm2(X*w - y)^2", "w", "2*X'*(X*w - y)"),
    ("norm2(y - X*w)^2", "w", "-2*X'*(y - X*w)"),
    ("h : vector(p) positive; sum(h.*(X*w - y).^2)", "h", "(X*w - y).^2"),
    ("tr(X^3 + a*X^2 + b*X)", "X", "(3*X^2 + 2*a*X + b*eye)'"),
    ("x'*A*x + b*x'*x", "x", "(A + A')*x + 2*b*x"),
    ("logdet(X + A)", "X", "inv(X + A)'"),
    ("logdet(A + X)", "X", "inv(A + X)'"),
    ("(y'*w)*(x'*z)*c", "c", "(y'*w)*(x'*z)"),
    ("t, b : scalar; [cos(t), -b; b, cos(t)]*x", "b", "[0, -1; 1, 0]*x"),
    # all terms transposed: one transpose
    ("tr(A*X*B*X)", "X", "(A*X*B + B*X*A)'"),
    ("tr(A*X^3)", "X", "(A*X^2 + X*A*X + X^2*A)'"),
    # products multiplied out where terms cancel, inverses of products apart
    ("s = sigmoid(X*w); -sum(y.*log(s) + (vector(1) - y).*log(vector(1) - s))", "w",
     "X'*(sigmoid(X*w) - y)"),
    ("X : matrix(n, n); A : matrix(n, n); det(X'*A*X)", "X", "2*det(A)*det(X)^2*inv(X)'"),
    ("det(X^2)", "X", "2*det(X)^2*inv(X)'"),
    ("X : spd(n); Y : spd(n); tr(X*inv(Y)) - logdet(X*inv(Y))", "X", "inv(Y) - inv(X)"),
    ("norm2(x)^3", "x", "3*norm2(x)*x"),
    ("s = softmax(z); -s'*log(s)", "z", "s = softmax(z)\n(s'*z)*s - z.*s"),
    ("sum(max(vector(1) - y.*(X*w), 0).^2)", "w", "-2*X'*(y.*max(0, 1 - y.*(X*w)))"),
    ("logsumexp(X)", "X", "exp(X - logsumexp(X))"),
    ("sum(log(cosh(X*w - y)))", "w", "X'*tanh(X*w - y)"),
    # functions of multiples, powers, diagonal, Kronecker and small written matrices
    ("a : scalar positive; logdet(a*X)", "X", "inv(X)'"),
    ("k : scalar integer; det(X^k)", "X", "k*det(X^k)*inv(X)'"),
    ("k : scalar integer; tr(X^-k)", "X", "-k*(inv(X)')^(1 + k)"),
    ("logdet(diag(exp(x)))", "x", "vector(1, len(x))"),
    ("x : vector(n) positive; logdet(diag(x))", "x", "1./x"),
    ("A : matrix(m, m); B : matrix(n, n); logdet(kron(A, B))", "A", "n*inv(A)'"),
    ("det([a, b; c, d])", "a", "d"),
    ("log(det([a, b; c, d]))", "a", "d/(a*d - b*c)"),
    ("a, b : scalar; [a, b; b, a]*x", "a", "x"),
    # functions of one matrix commute; derivatives of power series in directions that do
    ("x : scalar; inv(eye - x*A)", "x", "inv(eye - x*A)^2*A"),
    ("x : scalar; expm(x*A)", "x", "A*expm(x*A)"),
    ("tr(expm(X)*expm(-X))", "X", "matrix(0, rows(X), rows(X))"),
    ("tr(sinm(X)^2 + cosm(X)^2)", "X", "matrix(0, rows(X), rows(X))"),
    ("tr(X^2*expm(X))", "X", "(X^2*expm(X) + 2*X*expm(X))'"),
    ("tr(sqrtm(X)^3)", "X", "3*sqrtm(X)'/2"),
    ("X : spd(n); tr(X*logm(X))", "X", "logm(X) + eye"),
    ("X : spd(n); det(expm(X))", "X", "det(expm(X))*eye(n)"),
    # Penrose's equations; X*pinv(X) is symmetric
    ("tr(X*pinv(X))", "X", "matrix(0, rows(X), cols(X))"),
    ("y'*(eye - X*pinv(X))*y", "y", "2*(eye - X*pinv(X))*y"),
    # blocks
    ("A : matrix(n,n); B : matrix(n,m); C : matrix(m,m); tr([A, B; B', C]^2)", "B", "4*B"),
    ("x : vector(n); y : vector(m); norm2([x; y])^2", "x", "2*x"),
    ("x : vector(n); y : vector(m); exp([x; y])'*exp([x; y])", "x", "2*exp(2*x)"),
    ("X : matrix(m,n); Y : matrix(m,p); a : vector(m); [X, Y]'*a", "a", "[X'; Y']"),
    # names: the user's own, and for what repeats much
    ("X : matrix(n,m); mu : vector(m); S : spd(m); R = X - vector(1)*mu'; tr(R*inv(S)*R')", "S",
     "R = X - vector(1)*mu'\n-inv(S)*R'*R*inv(S)"),
    ("V'*softmax(K*h)", "h", "s = softmax(K*h)\nV'*(diag(s) - s*s')*K"),
    ("tr(A*pinv(X))", "X",
     "Y = pinv(X)\n(eye - X*Y)*A*Y*Y' + Y'*Y*A*(eye - Y*X) - (Y*A*Y)'"),
    ("r = X*w - y; r'*r", "w", "2*X'*(X*w - y)"),  # a name that saves nothing
]  # fmt: skip


@pytest.mark.parametrize(("text", "by", "printed"), PRINTED)
def test_derivatives_as_printed(text: str, by: str, printed: str) -> None:
    """The derivative's text."""
    assert str(tc.diff(text, by)) == printed


VEC = [
    ("x : vector(n); diag(x)", "x", "kron(eye(n), vector(1, n)).*kron(vector(1, n), eye(n))"),
    ("X : matrix(m,n); A : matrix(p,m); A*exp(X)", "X", "kron(eye(n), A)*diag(vec(exp(X)))"),
    ("k : scalar integer; X^k", "X", "sum[r=0..k - 1](kron((X')^(k - 1 - r), X^r))"),
    ("X : matrix(m,n); X*X'", "X", "kron(eye(m), X)*commutation(m, n) + kron(X, eye(m))"),
]


@pytest.mark.parametrize(("text", "by", "printed"), VEC)
def test_vec_layout(text: str, by: str, printed: str) -> None:
    """Khatri-Rao products, vectors of matrices, sums over powers in vec layout."""
    assert tc.diff(text, by).to_text(layout="vec") == printed


def test_entries_of_written_matrices_in_vec_layout() -> None:
    """The places of the entries are not lost."""
    derivative = tc.diff("t : scalar; [cos(t), -sin(t); sin(t), cos(t)]", "t")
    again = tc.parse("t : scalar\n" + derivative.to_text(layout="vec"))
    t = 0.3
    expected = [-np.sin(t), np.cos(t), -np.cos(t), -np.sin(t)]
    np.testing.assert_allclose(again.evaluate(t=t), expected, atol=1e-14)


def test_second_derivative_of_an_unknown_matrix_by_a_scalar() -> None:
    """It is no Hessian: it keeps its way round."""
    text = "x : scalar; U : matrix(m, n) of x; V : matrix(n, p) of x; U*V"
    assert str(tc.diff(text, "x", "x")) == "U*d2V/dx2 + d2U/dx2*V + 2*dU/dx*dV/dx"


@pytest.mark.parametrize("seed", range(60))
def test_equal_forms_are_equal(seed: int) -> None:
    """Other forms of a formula and of its gradient have the same value modulo a prime."""
    expression = tc.parse(program(seed).text)
    for node in [expression.node]:
        for other in equivalents(node):
            first, second = fingerprints(other, node)
            assert first == second


def test_beauty_refuses_nothing() -> None:
    """What takes too many steps to tidy is left as it is."""

    def tidied() -> str:
        spend(11)
        return "tidy"

    assert attempt(10, tidied, "plain") == "plain" and attempt(11, tidied, "plain") == "tidy"
    long = "\n".join(f"s{k + 1} = sin(A*s{k}).*cos(s{k})" for k in range(100))
    with limits(steps=400_000):
        assert str(tc.parse(f"A : matrix(n, n); s0 : vector(n)\n{long}"))
