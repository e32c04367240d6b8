"""LANGUAGE, row by row and sentence by sentence: what a program means, by plain NumPy and SciPy.

A row is a program in the variables of `HEAD` and a function that computes its value from arrays of
the same names; it is checked at several sizes, 0 and 1 among them. Nothing on the right side of a
row comes from tensorcalc. The sections stand in LANGUAGE's order.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from concrete import numbers
from numpy.linalg import det, inv, matrix_power, norm, pinv
from scipy import linalg, special

import tensorcalc as tc
from tensorcalc.errors import LimitError, TensorcalcError, UnknownNameError

Array = np.ndarray[Any, np.dtype[Any]]
Row = tuple[str, Callable[..., Any]]

HEAD = """a, b : scalar; k : scalar integer; x, y, z : vector(n); u, v : vector(m)
p : vector(n) positive; A, B : matrix(n, n); P : matrix(n, n) invertible; S : spd(n)
X, Y : matrix(m, n); T : tensor(m, n, n); f, g, h : vector(3); R : matrix(3, 3)
"""
COMPLEX = """c, d : scalar complex; q, r : vector(n) complex; w : vector(m) complex
C, D : matrix(n, n) complex; Z : matrix(m, n) complex; x : vector(n); A : matrix(n, n); a : scalar
"""
# the numbers of m and n; the first is the usual one
SOME, ONE, THIN, FLAT, NONE = (4, 3), (1, 1), (5, 1), (1, 2), (0, 0)
NO_ROWS, NO_COLUMNS = (0, 2), (3, 0)
FULL = (SOME, ONE, THIN, FLAT)
ANY = (*FULL, NONE, NO_ROWS, NO_COLUMNS)


def arrays(m: int, n: int) -> dict[str, Any]:
    """Random values of all variables; `P` has eigenvalues near 2, `p` lies between 0 and 1."""
    rng = np.random.default_rng(100 * m + n)

    def real(*shape: int) -> Array:
        return np.asarray(rng.uniform(0.2, 1.5, shape) * rng.choice([-1.0, 1.0], shape))

    def complexes(*shape: int) -> Array:
        return real(*shape) + 1j * real(*shape)

    wide = real(n, n)
    return {
        "m": m, "n": n, "a": 1.3, "b": 0.6, "k": 3.0,
        "x": real(n), "y": real(n), "z": real(n), "u": real(m), "v": real(m),
        "p": rng.uniform(0.2, 0.9, n), "A": real(n, n), "B": real(n, n),
        "P": 0.15 * real(n, n) + 2 * np.eye(n), "S": wide @ wide.T + np.eye(n),
        "X": real(m, n), "Y": real(m, n), "T": real(m, n, n),
        "f": real(3), "g": real(3), "h": real(3), "R": real(3, 3),
        "c": complex(complexes()), "d": complex(complexes()), "q": complexes(n), "r": complexes(n),
        "w": complexes(m), "C": complexes(n, n), "D": complexes(n, n), "Z": complexes(m, n),
    }  # fmt: skip


def expected(function: Callable[..., Any], data: dict[str, Any]) -> Any:
    """The function of the arrays that its arguments name."""
    with np.errstate(all="ignore"):
        return function(*[data[name] for name in inspect.signature(function).parameters])


def values(program: tc.Expr, data: dict[str, Any]) -> Array:
    """The program's value by the interpreter."""
    return program.evaluate(**{name: data[name] for name in program.variables})


def assert_value(program: tc.Expr, function: Callable[..., Any], data: dict[str, Any]) -> None:
    """Equal shapes and entries."""
    found, wanted = values(program, data), np.asarray(expected(function, data))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)


def check(row: Row, sizes: Sequence[tuple[int, int]], head: str = HEAD) -> None:
    """A row at all sizes."""
    program = tc.parse(head + row[0])
    for m, n in sizes:
        assert_value(program, row[1], arrays(m, n))


def rows(*tables: Sequence[Row]) -> list[Any]:
    """The rows of tables as test cases, named by their programs."""
    return [pytest.param(row, id=row[0]) for table in tables for row in table]


def ones(*shape: int) -> Array:
    """Ones."""
    return np.ones(shape)


def logsumexp(x: Array, axis: int | tuple[int, ...] | None = None) -> Any:
    """By its definition; SciPy's refuses arrays without entries."""
    return np.log(np.sum(np.exp(x), axis=axis))


def softmax(x: Array, axis: int) -> Array:
    """By its definition."""
    return np.asarray(np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True))


def of_symmetric(function: Callable[[Array], Array], x: Array) -> Array:
    """A function of a symmetric matrix, by its eigenvalues."""
    eigenvalues, vectors = np.linalg.eigh(x)
    return np.asarray(vectors * function(eigenvalues) @ vectors.T)


def cofactors(x: Array) -> Array:
    """The adjugate, minor by minor."""
    n = len(x)
    result = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            minor = np.delete(np.delete(x, i, 0), j, 1)
            result[j, i] = (-1) ** (i + j) * det(minor)
    return result


def alternating() -> Array:
    """Levi-Civita's symbol of three indices."""
    result = np.zeros((3, 3, 3))
    for order in permutations(range(3)):
        result[order] = det(np.eye(3)[list(order)])
    return result


def bordered(a: Any, x: Any, y: Any, b: Any) -> Array:
    """Four blocks; vectors stand as columns above, as rows to the left."""
    return np.block([[a, np.reshape(x, (-1, 1))], [np.reshape(y, (1, -1)), np.reshape(b, (1, 1))]])


# ── three ways to write the same thing ───────────────────────────────────────────────────────

SAME: list[tuple[str, str]] = [
    ("x'*A*x", "x[i]*A[i,j]*x[j]"),
    ("x'*A*x", 'einsum("i,ij,j->", x, A, x)'),
    ("X*A*y", 'einsum("ij,jk,k->i", X, A, y)'),
    ("A*x + y", 'einsum("ij,j", A, x) + y'),
    ("A*x + y", "(A*x)[i] + y[i]"),
    ("(A*x)'*y", "(A*x)[i]*y[i]"),
    ("sum(x)*(y[i]*z[i])", "sum(x)*(y'*z)"),
    # marks of other notations
    ("A@B", "A*B"),
    ("A.T", "A'"),
    ("A⊙B", "A.*B"),
    ("A⊘B", "A./B"),
    ("A·B", "A*B"),
    ("xᵀ*A*x", "x'*A*x"),
    ("a²", "a^2"),
    ("A⁻¹", "A^-1"),
    ("a ≤ b", "a <= b"),
    ("a − b", "a - b"),
    ("X[i,j] → [j,i]", "X'"),
    # one form for what is written in two ways
    ("x'*A'*y", "y'*A*x"),
    ("tr(A*B)", "tr(B*A)"),
    ("A.*eye(n)", "diag(diag(A))"),
    ("inv(A)", "A^-1"),
    ("A*A*A", "A^3"),
    ("sqrt(a)", "a^(1/2)"),
    ("norm2(x)^2", "x'*x"),
    ("kron(x, y')", "x*y'"),
    ("vec(x)", "x"),
    ("sum[r=0..3](a^r)", "1 + a + a^2 + a^3"),
    ("log(sum(exp(x)))", "logsumexp(x)"),
    ("log(sum[j](exp(X[i,j])))", "logsumexp[j](X[i,j])"),
    ("exp(x)/sum(exp(x))", "softmax(x)"),
    ("sqrt(x'*x)", "norm2(x)"),
    ("log(1 + exp(a))", "softplus(a)"),
    ("1/(1 + exp(-a))", "sigmoid(a)"),
    ("log(det(A))", "logdet(A)"),
    ("[a]", "a"),
    ("[A]", "A"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "other"), SAME, ids=[" = ".join(row) for row in SAME])
def test_one_node(program: str, other: str) -> None:
    """Two programs that are one and the same node."""
    assert tc.parse(HEAD + program).node is tc.parse(HEAD + other).node


# ── programs ─────────────────────────────────────────────────────────────────────────────────

STATEMENTS: list[Row] = [
    ("r = X*x - u\nr'*r + a*x'*x", lambda X, x, u, a: (X @ x - u) @ (X @ x - u) + a * x @ x),
    ("r = X*x - u; r[i]*r[i]", lambda X, x, u: (X @ x - u) @ (X @ x - u)),
    ("r = X*x; q[i] = X[j,i]*r[j]", lambda X, x: X.T @ X @ x),
    ("r = X*x; q[i] = X[j,i]*r[j]; q'*y", lambda X, x, y: y @ X.T @ X @ x),
    ("Q[i,j] = X[j,i]; Q*u", lambda X, u: X.T @ u),
    ("r = x; s = 2*r", lambda x: 2 * x),
    ("a + b; r = a*b", lambda a, b: a + b),
    ("a + b; a*b", lambda a, b: a * b),
    ("a + b # - 1", lambda a, b: a + b),
    ("# nothing\n\n;; a - b ; ;", lambda a, b: a - b),
    ("r = [a, b; b, a]; r[0,1] + 1", lambda b: b + 1),
    ("[a, b;\n b, a]", lambda a, b: np.array([[a, b], [b, a]])),
    ("a +\n b", lambda a, b: a + b),
    ("(a\n+ b)", lambda a, b: a + b),
    ("K : spd(n); K = S + eye; logdet(K)", lambda S, n: np.log(det(S + np.eye(n)))),
    (
        "K : spd(n); K[i,j] = exp(-(x[i] - x[j])^2) + delta[i,j]; x'*inv(K)*x + logdet(K)",
        lambda x, n: x @ inv(np.exp(-((x[:, None] - x) ** 2)) + np.eye(n)) @ x
        + np.log(det(np.exp(-((x[:, None] - x) ** 2)) + np.eye(n))),
    ),
    # sizes
    ("m*a", lambda a, m: m * a),
    ("X/rows(X)", lambda X, m: X / m),
    ("cols(X)*a + rows(X)", lambda a, m, n: n * a + m),
    ("len(x) + len(X*x)", lambda m, n: n + m),
    ("len(vec(X))", lambda m, n: m * n),
    ("n^2", lambda n: n**2),
    ("pi*a", lambda a: math.pi * a),
    # what is not reserved without subscripts
    ("delta*x", lambda x: 0.25 * x),
    ("eps + a", lambda a: 0.5 + a),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(STATEMENTS))
def test_statements(row: Row) -> None:
    """Declarations, definitions, comments, sizes."""
    program = tc.parse(HEAD + row[0])
    for m, n in ANY:
        data = {**arrays(m, n), "delta": 0.25, "eps": 0.5}
        assert_value(program, row[1], data)


KINDS: list[tuple[str, int]] = [
    ("scalar", 0), ("vector(n)", 1), ("vector(3)", 1), ("vector(m*n)", 1), ("matrix(m, n)", 2),
    ("matrix(n, 2*m)", 2), ("tensor(a, b, c)", 3), ("tensor(2, 2, 2, 2)", 4), ("tensor(n)", 1),
    ("symmetric(n)", 2), ("skew(n)", 2), ("diagonal(n)", 2), ("lower(n)", 2), ("upper(n)", 2),
    ("orthogonal(n)", 2), ("spd(n)", 2), ("scalar positive", 0), ("vector(n) nonnegative", 1),
    ("scalar integer", 0), ("matrix(n, n) complex", 2), ("matrix(n, n) invertible", 2),
    ("symmetric(n) invertible", 2), ("vector(n) positive integer", 1),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "rank"), KINDS, ids=[row[0] for row in KINDS])
def test_kinds(kind: str, rank: int) -> None:
    """A declared name has the kind's axes; a square kind has two of one size."""
    shape = tc.parse(f"t : {kind}; t").shape
    assert len(shape) == rank
    if kind.split("(")[0] in ("symmetric", "skew", "diagonal", "lower", "upper"):
        assert shape[0] == shape[1]


UNDECLARED: list[tuple[str, int]] = [
    *[(letter, 0) for letter in "abcdefg"], *[(letter, 1) for letter in "hijklmnopqrstuvwxyz"],
    *[(letter, 2) for letter in "ABCXYZ"], ("beta0", 0), ("weights", 1), ("Weights", 2),
    ("lambda", 0), ("σ", 0), ("theta", 0), ("Sigma", 2), ("t[i]", 1), ("t[i,j,k]", 3), ("c[i,j]", 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rank"), UNDECLARED, ids=[row[0] for row in UNDECLARED])
def test_undeclared_names(name: str, rank: int) -> None:
    """The defaults of matrixcalculus.org; subscripts say the rank; the assumption is shown."""
    program = tc.parse(name)
    assert len(program.shape) == rank
    assert any(line.startswith((*program.variables,)) for line in program.assumptions)


def test_sizes_are_inferred_from_use() -> None:
    """Equal names are equal sizes; what is not declared takes its sizes from its neighbours."""
    program = tc.parse("X : matrix(m, 3); r'*X*s")
    assert [str(d) for name in "rs" for d in program.variables[name].dims] == ["m", "3"]


# ── unknown functions ────────────────────────────────────────────────────────────────────────

UNKNOWN = """u : vector(m) of x; s : scalar of x; w : scalar of x, y; U : matrix(m, m) of t
x : vector(n); y : vector(n); t : scalar; a : vector(m); A : matrix(m, m)
g : scalar -> scalar; f : vector(n) -> vector(p); h : matrix(m, m) -> scalar
e : scalar, scalar -> scalar; b : vector(p)
"""
# a program, the variables it is differentiated by, the derivative, and what its text must show
CHAINS: list[tuple[str, str, str, str]] = [
    ("u", "x", "du/dx", "du/dx"),
    ("a'*u", "x", "(du/dx)'*a", "du/dx"),
    ("u'*A*u", "x", "(du/dx)'*(A + A')*u", "du/dx"),
    ("s^2", "x", "2*s*(ds/dx)", "ds/dx"),
    ("s*u", "x", "s*(du/dx) + u*(ds/dx)'", "du/dx"),
    ("exp(s)", "xx", "exp(s)*(ds/dx)*(ds/dx)' + exp(s)*(d2s/dx2)", "d2s/dx2"),
    ("a'*u", "xx", "a[i]*(d2u/dx2)[i,j,k] -> [j,k]", "d2u/dx2"),
    ("w", "xy", "d2w/dxdy", "d2w/dxdy"),
    ("u", "y", "matrix(0, m, n)", "0"),
    ("tr(A*U)", "t", "tr(A*(dU/dt))", "dU/dt"),
    ("inv(U)", "t", "-inv(U)*(dU/dt)*inv(U)", "dU/dt"),
    ("g(x'*x)", "x", "2*g'(x'*x)*x", "g'(x'*x)"),
    ("g(x'*x)", "xx", "2*g'(x'*x)*eye + 4*g''(x'*x)*x*x'", "g''(x'*x)"),
    ("sum(g(x))", "x", "g'(x)", "g'(x)"),
    ("g(t)*t", "tt", "2*g'(t) + t*g''(t)", "g''(t)"),
    ("b'*f(x)", "x", "b[i]*(df/d1(x))[i,j] -> [j]", "f"),
    ("h(A)", "A", "dh/d1(A)", "h"),
    ("h(t*A)", "t", "(dh/d1(t*A))[i,j]*A[i,j]", "h"),
    ("e(t, t)", "t", "de/d1(t, t) + de/d2(t, t)", "e"),
    ("g(x)[i]*x[i]", "x", "g(x) + g'(x).*x", "g'(x)"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "by", "derivative", "shown"), CHAINS)
def test_unknown_functions(program: str, by: str, derivative: str, shown: str) -> None:
    """Their derivatives go by the chain rule, are written as declared, and are read again.

    For values, each unknown function is a wave (`concrete.py`).
    """
    found = tc.diff(UNKNOWN + program, *by)
    data = unknown_data()
    value = numbers(found, data)
    np.testing.assert_allclose(value, numbers(tc.parse(UNKNOWN + derivative), data), atol=1e-12)
    before = tc.diff(UNKNOWN + program, *by[:-1])
    direction = np.cos(np.arange(np.size(data[by[-1]]))).reshape(np.shape(data[by[-1]]))

    def at(step: float) -> Array:
        return numbers(before, {**data, by[-1]: data[by[-1]] + step * direction})

    h = 1e-3
    slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    np.testing.assert_allclose(np.tensordot(value, direction, direction.ndim), slope, atol=1e-9)
    text = str(found)
    assert shown in text
    np.testing.assert_allclose(numbers(tc.parse(UNKNOWN + text), data), value, atol=1e-12)


def unknown_data() -> dict[str, Any]:
    """Values of the variables of `UNKNOWN`."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "x": (2,), "y": (2,), "t": (), "a": (3,), "b": (2,), "A": (3, 3),
    }  # fmt: skip
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def test_unknown_functions_have_no_value() -> None:
    """An unknown function is for derivatives and printing."""
    with pytest.raises(TensorcalcError):
        tc.parse("u : scalar of x; x : scalar; u*x").evaluate(x=1.0)


# ── matrix notation ──────────────────────────────────────────────────────────────────────────

PRODUCTS: list[Row] = [
    ("X*A", lambda X, A: X @ A),
    ("X@A*x", lambda X, A, x: X @ A @ x),
    ("a*A*b", lambda a, A, b: a * b * A),
    ("A*a", lambda A, a: a * A),
    ("a*b", lambda a, b: a * b),
    ("u'*X", lambda u, X: u @ X),
    ("(u'*X)'", lambda u, X: u @ X),
    ("u'*X*x", lambda u, X, x: u @ X @ x),
    ("x'*y*z", lambda x, y, z: (x @ y) * z),
    ("x*y'*z", lambda x, y, z: (y @ z) * x),
    ("A*x*y'", lambda A, x, y: np.outer(A @ x, y)),
    ("x'*y", lambda x, y: x @ y),
    ("x*u'", lambda x, u: np.outer(x, u)),
    ("X'", lambda X: X.T),
    ("X''", lambda X: X),
    ("a'", lambda a: a),
    ("x''", lambda x: x),
    ("X.T*u", lambda X, u: X.T @ u),
    ("A^H", lambda A: A.T),
    ("conj(x)", lambda x: x),
    ("X.*Y", lambda X, Y: X * Y),
    ("X./Y", lambda X, Y: X / Y),
    ("x.*y./z", lambda x, y, z: x * y / z),
    ("a./x", lambda a, x: a / x),
    ("x./a", lambda x, a: x / a),
    ("a.*x'", lambda a, x: a * x),
    ("x'.*y'", lambda x, y: x * y),
    ("p.^y", lambda p, y: p**y),
    ("p.^a", lambda p, a: p**a),
    ("a.^x", lambda a, x: a**x),
    ("X.^2", lambda X: X**2),
    ("X.^-1", lambda X: 1 / X),
    ("a^b", lambda a, b: a**b),
    ("a^-2", lambda a: a**-2.0),
    ("A + a", lambda A, a: A + a),
    ("1 + exp(x)", lambda x: 1 + np.exp(x)),
    ("a - x'", lambda a, x: a - x),
    ("A/a", lambda A, a: A / a),
    ("a/b", lambda a, b: a / b),
    ("A/(x'*y + 9)", lambda A, x, y: A / (x @ y + 9)),
    ("-X + Y", lambda X, Y: Y - X),
    ("+a", lambda a: a),
    ("x + 0", lambda x: x),
    ("0*x", lambda x: 0 * x),
    ("0.5*x + .25*y + 1e-1*z", lambda x, y, z: 0.5 * x + 0.25 * y + 0.1 * z),
    ("2.*x", lambda x: 2 * x),
]  # fmt: skip
POWERS: list[Row] = [
    ("A^2", lambda A: A @ A),
    ("A^3*x", lambda A, x: A @ A @ A @ x),
    ("A^1", lambda A: A),
    ("A^0", lambda n: np.eye(n)),
    ("P^-1", lambda P: inv(P)),
    ("P^-2", lambda P: inv(P) @ inv(P)),
    ("A^k", lambda A: matrix_power(A, 3)),
    ("A^(k - 1)", lambda A: matrix_power(A, 2)),
    ("P^-k", lambda P: matrix_power(inv(P), 3)),
    ("P^(1 - k)", lambda P: matrix_power(inv(P), 2)),
    ("A^(2*k)", lambda A: matrix_power(A, 6)),
    ("A^k*A^2", lambda A: matrix_power(A, 5)),
    ("P^k*inv(P)", lambda P: P @ P),
    ("(A^k)'", lambda A: matrix_power(A, 3).T),
    ("(A*B)^k", lambda A, B: matrix_power(A @ B, 3)),
    ("A^n", lambda A, n: matrix_power(A, n)),
    ("A^rows(X)", lambda A, m: matrix_power(A, m)),
    ("a^k", lambda a: a**3),
    ("x.^k", lambda x: x**3),
    ("tr(A^4)", lambda A: np.trace(matrix_power(A, 4))),
    ("x'*A^k*x", lambda x, A: x @ matrix_power(A, 3) @ x),
    ("A^2[i,j]*x[j]", lambda A, x: A @ A @ x),
]  # fmt: skip
EXPLICIT: list[Row] = [
    ("[a, b; 1, 2]", lambda a, b: np.array([[a, b], [1, 2]])),
    ("[a; b]", lambda a, b: np.array([a, b])),
    ("[a, b]", lambda a, b: np.array([a, b])),
    ("[a, b]*[b; a]", lambda a, b: 2 * a * b),
    ("[a; b]*[a, b]", lambda a, b: np.outer([a, b], [a, b])),
    ("[1, 2, 3; 4, 5, 6]", lambda: np.array([[1, 2, 3], [4, 5, 6]])),
    ("[cos(a), -sin(a); sin(a), cos(a)]*[a; b]",
     lambda a, b: np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ [a, b]),
    ("det([a, b; b, 2])", lambda a, b: 2 * a - b * b),
    ("inv([a, b; 1, 2])", lambda a, b: inv(np.array([[a, b], [1, 2]]))),
    ("[a, b; b, a][0,1]", lambda b: b),
    ("[x'*y, a; a, sum(z)]", lambda x, y, z, a: np.array([[x @ y, a], [a, np.sum(z)]])),
    ("[A, x; y', 0]", lambda A, x, y: bordered(A, x, y, 0)),
    ("[A, x; x', a]", lambda A, x, a: bordered(A, x, x, a)),
    ("[a, x'; y, A]", lambda a, x, y, A: np.block([[np.array([[a]]), x[None]], [y[:, None], A]])),
    ("[X; Y]", lambda X, Y: np.vstack([X, Y])),
    ("[X, Y]", lambda X, Y: np.hstack([X, Y])),
    ("[X, u]", lambda X, u: np.column_stack([X, u])),
    ("[u, X, v]", lambda u, X, v: np.column_stack([u, X, v])),
    ("[x; y]", lambda x, y: np.concatenate([x, y])),
    ("[x, y]", lambda x, y: np.column_stack([x, y])),
    ("[x', y']", lambda x, y: np.concatenate([x, y])),
    ("[x'; y']", lambda x, y: np.vstack([x, y])),
    ("[a; x]", lambda a, x: np.concatenate([[a], x])),
    ("[x', a]", lambda a, x: np.concatenate([x, [a]])),
    ("[A, X'; X, 0]",
     lambda A, X, m: np.block([[A, X.T], [X, np.zeros((m, m))]])),
    ("[A, 0; 0, A]*[x; y]", lambda A, x, y: np.concatenate([A @ x, A @ y])),
    ("[eye(n), A]", lambda A, n: np.hstack([np.eye(n), A])),
    ("[eye, A]", lambda A, n: np.hstack([np.eye(n), A])),
    ("[A, B; B, A]'", lambda A, B: np.block([[A.T, B.T], [B.T, A.T]])),
    ("[[a, b]; [b, a]]", lambda a, b: np.array([[a, b], [b, a]])),
    ("[X; x']*y", lambda X, x, y: np.append(X @ y, x @ y)),
    ("tr([A, B; B, S])", lambda A, S: np.trace(A) + np.trace(S)),
    ("norm2([x; y])", lambda x, y: np.sqrt(x @ x + y @ y)),
    ("exp([a, 0; 0, b])", lambda a, b: np.exp([[a, 0], [0, b]])),
    ("[x[i], a]", lambda x, a: np.stack([x, 0 * x + a], -1)),
]  # fmt: skip
CONSTANTS: list[Row] = [
    ("vector(1)'*x", lambda x: np.sum(x)),
    ("x + 2*vector(1)", lambda x: x + 2),
    ("X*vector(1)", lambda X: X.sum(1)),
    ("vector(a, n)", lambda a, n: a * ones(n)),
    ("vector(0, 3)", lambda: np.zeros(3)),
    ("vector(1, m*n)", lambda m, n: ones(m * n)),
    ("X + matrix(1)", lambda X: X + 1),
    ("matrix(0, m, n)", lambda m, n: np.zeros((m, n))),
    ("matrix(a, 2, n)", lambda a, n: a * ones(2, n)),
    ("matrix(1, rows(X), len(x))", lambda m, n: ones(m, n)),
    ("A + eye", lambda A, n: A + np.eye(n)),
    ("a*eye(n)", lambda a, n: a * np.eye(n)),
    ("eye(2)", lambda: np.eye(2)),
    ("eye(cols(X))", lambda n: np.eye(n)),
    ("inv(P - a*eye)*x", lambda P, a, n, x: inv(P - a * np.eye(n)) @ x),
    ("tr(eye(n))", lambda n: n),
    ("eye*x", lambda x: x),
    ("X*eye", lambda X: X),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(PRODUCTS, POWERS, EXPLICIT, CONSTANTS))
def test_matrix_notation(row: Row) -> None:
    """The table of matrix notation, at all sizes."""
    check(row, ANY)


PRECEDENCE: list[Row] = [
    ("P^-1'", lambda P: inv(P).T),
    ("A'^2", lambda A: A.T @ A.T),
    ("A^2'", lambda A: (A @ A).T),
    ("a^b^2", lambda a, b: (a**b) ** 2),
    ("2^3^2", lambda: 64.0),
    ("-a^2", lambda a: -(a**2)),
    ("-x.^2", lambda x: -(x**2)),
    ("-A'*x", lambda A, x: -(A.T @ x)),
    ("a^-b", lambda a, b: a**-b),
    ("a^-b*2", lambda a, b: 2 * a**-b),
    ("2*-a", lambda a: -2 * a),
    ("a/b*2", lambda a, b: a / b * 2),
    ("a*b/2*a", lambda a, b: a * a * b / 2),
    ("a/b/2", lambda a, b: a / b / 2),
    ("a/b*x", lambda a, b, x: a / b * x),
    ("x/a*b", lambda x, a, b: x / a * b),
    ("x./y.*z", lambda x, y, z: x / y * z),
    ("A*x.*y", lambda A, x, y: (A @ x) * y),
    ("x.*y*a", lambda x, y, a: x * y * a),
    ("x'*y.*a", lambda x, y, a: (x @ y) * a),
    ("X.*Y*x", lambda X, Y, x: (X * Y) @ x),
    ("a - b - 2", lambda a, b: a - b - 2),
    ("a - b + 2", lambda a, b: a - b + 2),
    ("a + b*2", lambda a, b: a + b * 2),
    ("2*x'", lambda x: 2 * x),
    ("x'*A'*y", lambda x, A, y: x @ A.T @ y),
    ("a + b < 2*b", lambda a, b: float(a + b < 2 * b)),
    ("a - 1 > b*0.1", lambda a, b: float(a - 1 > b * 0.1)),
    ("x.^2'", lambda x: x**2),
    ("2.^x", lambda x: 2**x),
    ("1/a^2", lambda a: 1 / a**2),
    ("a^2/b^2", lambda a, b: a**2 / b**2),
    ("-(a - b)", lambda a, b: b - a),
    ("--a", lambda a: a),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(PRECEDENCE))
def test_precedence(row: Row) -> None:
    """As in Matlab: ``'`` and ``^`` alike, unary minus, products alike, sums, comparisons."""
    check(row, FULL)


# each elementwise function, and where it is compared
ELEMENTWISE: dict[str, tuple[Callable[..., Any], float, float]] = {
    "exp": (np.exp, -2, 2), "log": (np.log, 0.1, 4), "log1p": (np.log1p, -0.8, 4),
    "expm1": (np.expm1, -2, 2), "sqrt": (np.sqrt, 0, 4), "abs": (np.abs, -2, 2),
    "sign": (np.sign, -2, 2), "sin": (np.sin, -4, 4), "cos": (np.cos, -4, 4),
    "tan": (np.tan, -1.2, 1.2), "arcsin": (np.arcsin, -1, 1), "arccos": (np.arccos, -1, 1),
    "arctan": (np.arctan, -4, 4), "sinh": (np.sinh, -2, 2), "cosh": (np.cosh, -2, 2),
    "tanh": (np.tanh, -2, 2), "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), -4, 4),
    "softplus": (lambda x: np.log(1 + np.exp(x)), -4, 4), "relu": (lambda x: x * (x > 0), -2, 2),
    "erf": (special.erf, -2, 2), "lgamma": (special.gammaln, 0.2, 9), "digamma": (special.psi, 0.2, 9),
}  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions(name: str) -> None:
    """Of a scalar, of the entries of a vector, a row, a matrix, and of an entry in index notation."""
    function, low, high = ELEMENTWISE[name]
    for m, n in (SOME, ONE, NO_ROWS, NO_COLUMNS):
        data = np.linspace(low, high, m * n).reshape(m, n)
        for text in (f"{name}(X)", f"{name}(X[i,j])", f"{name}(X')'"):
            program = tc.parse("X : matrix(m, n); " + text)
            np.testing.assert_allclose(program.evaluate(X=data), function(data), rtol=1e-12)
    point = (low + high) / 2 + 0.1
    np.testing.assert_allclose(tc.parse(f"{name}(a)").evaluate(a=point), function(point))


CHOICES: list[Row] = [
    ("max(x, y)", lambda x, y: np.maximum(x, y)),
    ("min(X, Y)", lambda X, Y: np.minimum(X, Y)),
    ("max(a, b)", lambda a, b: max(a, b)),
    ("max(x, 0)", lambda x: np.maximum(x, 0)),
    ("max(0, X)", lambda X: np.maximum(X, 0)),
    ("min(x, a, y)", lambda x, a, y: np.minimum(np.minimum(x, a), y)),
    ("max(x, 1)", lambda x: np.maximum(x, 1)),
    ("max(X, matrix(1))", lambda X: np.maximum(X, 1)),
    ("max(x[i], y[i])", lambda x, y: np.maximum(x, y)),
    ("max(x[i], u[j])", lambda x, u: np.maximum(x[:, None], u)),
    ("where(x > y, x, 2*y)", lambda x, y: np.where(x > y, x, 2 * y)),
    ("where(a > b, x, y)", lambda a, b, x, y: x if a > b else y),
    ("where(x > 0, 1, a)", lambda x, a: np.where(x > 0, 1, a)),
    ("where(X <= Y, X, 0)", lambda X, Y: np.where(X <= Y, X, 0)),
    ("x < y", lambda x, y: 1.0 * (x < y)),
    ("x <= x", lambda n: ones(n)),
    ("x >= y", lambda x, y: 1.0 * (x >= y)),
    ("x > x", lambda n: np.zeros(n)),
    ("(x > 0)'*y", lambda x, y: (x > 0) @ y),
]  # fmt: skip
FUNCTIONS: list[Row] = [
    ("tr(A)", lambda A: np.trace(A)),
    ("tr(X'*Y)", lambda X, Y: np.sum(X * Y)),
    ("det(P)", lambda P: det(P)),
    ("logdet(S)", lambda S: np.log(det(S))),
    ("inv(P)", lambda P: inv(P)),
    ("inv(P)*x", lambda P, x: inv(P) @ x),
    ("pinv(P)", lambda P: inv(P)),
    ("pinv(X)", lambda X: pinv(X) if X.size else X.T),
    ("pinv(x)*x", lambda x: 1.0),
    ("adj(A)", lambda A: cofactors(A)),
    ("adj(x*y')", lambda x, y: cofactors(np.outer(x, y))),
    ("sum(X)", lambda X: np.sum(X)),
    ("sum(x)", lambda x: np.sum(x)),
    ("sum(x')", lambda x: np.sum(x)),
    ("sum(a)", lambda a: a),
    ("diag(x)", lambda x: np.diag(x)),
    ("diag(A)", lambda A: np.diag(A)),
    ("diag(diag(A))*x", lambda A, x: np.diag(A) * x),
    ("diag(x)*X'*diag(u)", lambda x, X, u: x[:, None] * X.T * u),
    ("norm1(x)", lambda x: np.sum(np.abs(x))),
    ("norm1(X)", lambda X: np.sum(np.abs(X))),
    ("norm2(x)", lambda x: norm(x)),
    ("norm2(x')", lambda x: norm(x)),
    ("norm2(X)", lambda X: np.sqrt(np.sum(X**2))),
    ("normF(X)", lambda X: np.sqrt(np.sum(X**2))),
    ("norm2(a)", lambda a: abs(a)),
    ("vec(X)", lambda X: X.T.ravel()),
    ("vec(X')", lambda X: X.ravel()),
    ("vec(x*u')", lambda x, u: np.kron(u, x)),
    ("kron(X, A)", lambda X, A: np.kron(X, A)),
    ("kron(A, X, B)", lambda A, X, B: np.kron(np.kron(A, X), B)),
    ("kron(x, y)", lambda x, y: np.kron(x, y)),
    ("kron(x, X)", lambda x, X: np.kron(x[:, None], X)),
    ("kron(x', X)", lambda x, X: np.kron(x[None], X)),
    ("kron(X, x')", lambda X, x: np.kron(X, x[None])),
    ("kron(x', y')", lambda x, y: np.kron(x, y)),
    ("kron(a, X)", lambda a, X: a * X),
    ("kron(A, B)*vec(A)", lambda A, B: (B @ A @ A.T).T.ravel()),
    ("kron(eye(m), A)", lambda A, m: np.kron(np.eye(m), A)),
    ("kron(X, A)*kron(x, y)", lambda X, A, x, y: np.kron(X @ x, A @ y)),
    ("outer(x, u)", lambda x, u: np.outer(x, u)),
    ("outer(x', u)", lambda x, u: np.outer(x, u)),
    ("cross(f, g)", lambda f, g: np.cross(f, g)),
    ("f'*cross(g, h)", lambda f, g, h: det(np.array([f, g, h]))),
    ("cross(R*f, g)", lambda R, f, g: np.cross(R @ f, g)),
    ("commutation(m, n)*vec(X)", lambda X: X.ravel()),
    ("commutation(n, m)*vec(X')", lambda X: X.T.ravel()),
    ("commutation(m, n)*kron(A, X)", lambda A, X, m, n: np.array(
        [np.kron(A, X)[j * m + i] for i in range(m) for j in range(n)]) if m * n == len(np.kron(A, X)) and m * n else np.zeros((m * n, n * n))),
    ("commutation(2, 3)", lambda: np.eye(6)[[2 * j + i for i in range(2) for j in range(3)]]),
    ("softmax(x)", lambda x: softmax(x, 0)),
    ("logsumexp(x)", lambda x: logsumexp(x)),
    ("logsumexp(X)", lambda X: logsumexp(X)),
    ("prod(x)", lambda x: np.prod(x)),
]  # fmt: skip
SERIES: list[Row] = [
    ("expm(A)", lambda A: linalg.expm(A)),
    ("expm(A')*x", lambda A, x: linalg.expm(A).T @ x),
    ("logm(P)", lambda P: linalg.logm(P).real),
    ("logm(S)", lambda S: of_symmetric(np.log, S)),
    ("sqrtm(P)*sqrtm(P)", lambda P: P),
    ("sqrtm(S)", lambda S: of_symmetric(np.sqrt, S)),
    ("sinm(A)", lambda A: linalg.expm(1j * A).imag),
    ("cosm(A)", lambda A: linalg.expm(1j * A).real),
    ("expm(diag(x))", lambda x: np.diag(np.exp(x))),
    ("expm(logm(P))", lambda P: P),
    ("tr(expm(a*A))", lambda a, A: np.trace(linalg.expm(a * A))),
    ("expm([0, -a; a, 0])",
     lambda a: np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(CHOICES, FUNCTIONS))
def test_functions(row: Row) -> None:
    """The functions of entries, and of whole vectors and matrices, at all sizes."""
    sizes = FULL if row[0] in ("pinv(x)*x", "commutation(m, n)*kron(A, X)") else ANY
    check(row, sizes)


@pytest.mark.parametrize("row", rows(SERIES))
def test_functions_by_power_series(row: Row) -> None:
    """Not entry by entry, but by power series."""
    check(row, FULL)


AXES: list[Row] = [
    ("sum(X, 1)", lambda X: X.sum(0)),
    ("sum(X, 2)", lambda X: X.sum(1)),
    ("sum(X, 1)*x", lambda X, x: X.sum(0) @ x),
    ("u'*sum(X, 2)", lambda X, u: u @ X.sum(1)),
    ("sum(X, 2)*sum(X, 1)", lambda X: np.outer(X.sum(1), X.sum(0))),
    ("sum(X', 1)", lambda X: X.sum(1)),
    ("sum(x, 1)", lambda x: np.sum(x)),
    ("sum(x, 2)", lambda x: x),
    ("sum(x', 1)", lambda x: x),
    ("mean(X)", lambda X: X.mean()),
    ("mean(x)", lambda x: x.mean()),
    ("sum(x)/n", lambda x: x.mean()),
    ("mean(X, 1)", lambda X: X.mean(0)),
    ("mean(X, 2)", lambda X: X.mean(1)),
    ("mean(X, 1)*x", lambda X, x: X.mean(0) @ x),
    ("u'*mean(X, 2)", lambda X, u: u @ X.mean(1)),
    ("max(X)", lambda X: X.max()),
    ("min(x)", lambda x: x.min()),
    ("max(X, 1)", lambda X: X.max(0)),
    ("max(X, 2)", lambda X: X.max(1)),
    ("min(X, 1)*x", lambda X, x: X.min(0) @ x),
    ("u'*min(X, 2)", lambda X, u: u @ X.min(1)),
    ("max(x')", lambda x: x.max()),
    ("logsumexp(X, 1)*x", lambda X, x: logsumexp(X, 0) @ x),
    ("u'*logsumexp(X, 2)", lambda X, u: u @ logsumexp(X, 1)),
    ("softmax(X, 1)", lambda X: softmax(X, 0)),
    ("softmax(X, 2)", lambda X: softmax(X, 1)),
    ("softmax(X, 2)*x", lambda X, x: softmax(X, 1) @ x),
    ("softmax(x)'*y", lambda x, y: softmax(x, 0) @ y),
    ("softmax(x')*y", lambda x, y: softmax(x, 0) @ y),
    ("norm1(X - Y)", lambda X, Y: np.abs(X - Y).sum()),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(AXES))
def test_axes(row: Row) -> None:
    """``f(X, 1)`` is a row, of each column; ``f(X, 2)`` a column, of each row."""
    check(row, FULL)


# a function of a variable at a kink, and the subgradient of least norm there
KINKS: list[tuple[str, Any, Any]] = [
    ("abs(t)", 0.0, 0.0),
    ("sign(t)", 0.0, 0.0),
    ("relu(t)", 0.0, 0.0),
    ("max(t, 0)", 0.0, 0.5),
    ("min(t, 0)", 0.0, 0.5),
    ("max(t, 2*t)", 0.0, 1.5),
    ("t : vector(n); norm2(t)", [0.0, 0.0], [0.0, 0.0]),
    ("t : vector(n); norm1(t)", [0.0, 2.0], [0.0, 1.0]),
    ("t : matrix(m, n); normF(t)", [[0.0, 0.0]], [[0.0, 0.0]]),
    ("t : vector(n); sqrt(t'*t)", [0.0, 0.0], [0.0, 0.0]),
    ("t : vector(n); max(t)", [1.0, 2.0, 2.0], [0.0, 0.5, 0.5]),
    ("t : vector(n); min(t)", [1.0, 1.0, 2.0], [0.5, 0.5, 0.0]),
    ("t : vector(n); max[i](t[i])", [3.0, 3.0, 3.0], [1 / 3, 1 / 3, 1 / 3]),
    ("t : vector(n); prod(t)", [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    ("t : vector(n); prod(t)", [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    ("t : matrix(n, n); det(t)", [[1.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [0.0, 1.0]]),
    ("t : vector(n); norm2(t)^3", [0.0, 0.0], [0.0, 0.0]),
    ("t : vector(n); norm2(t)^2", [0.0, 1.0], [0.0, 2.0]),
]  # fmt: skip


@pytest.mark.parametrize(("program", "point", "gradient"), KINKS, ids=[row[0] for row in KINKS])
def test_kinks(program: str, point: Any, gradient: Any) -> None:
    """At a kink the derivative is the subgradient of least norm; ties share equally."""
    head = "" if ":" in program else "t : scalar; "
    found = tc.diff(head + program, "t").evaluate(t=np.array(point))
    np.testing.assert_allclose(found, gradient, atol=1e-15)


# ── index notation ───────────────────────────────────────────────────────────────────────────

INDICES: list[Row] = [
    ("X[i,j]", lambda X: X),
    ("T[i,j,k]*x[k]", lambda T, x: T @ x),
    ("(X*x)[i]*u[i]", lambda X, x, u: X @ x @ u),
    ("X'[i,j]", lambda X: X.T),
    # bound by a left side, an arrow, a sum
    ("r[i] = x[i]*y[i]", lambda x, y: x * y),
    ("x[i]*y[i] -> [i]", lambda x, y: x * y),
    ("sum[i](x[i]*y[i])", lambda x, y: x @ y),
    ("sum[i,j](X[i,j])", lambda X: np.sum(X)),
    ("X[i,j] -> [j,i]", lambda X: X.T),
    ("X[i,j]*x[j] -> [i,j]", lambda X, x: X * x),
    ("Q[j,i] = X[i,j]*u[i]", lambda X, u: X.T * u),
    # repeated over its product, quotients and parentheses included
    ("x[i]*x[i]", lambda x: x @ x),
    ("x[i]/p[i]", lambda x, p: np.sum(x / p)),
    ("x[i]*(y[i]*z[i])", lambda x, y, z: np.sum(x * y * z)),
    ("A[i,i]", lambda A: np.trace(A)),
    ("A[i,j]*B[j,i]", lambda A, B: np.trace(A @ B)),
    ("T[i,j,j]", lambda T: np.trace(T, axis1=1, axis2=2)),
    ("x[i]*y[i]*z[j]", lambda x, y, z: (x @ y) * z),
    ("(x[i]*y[j])*(z[j]*x[i])", lambda x, y, z: (x @ x) * (y @ z)),
    ("x[i]*y[i] + z[j]*z[j]", lambda x, y, z: x @ y + z @ z),
    # places of their own
    ("x[i]^2", lambda x: x**2),
    ("x[i]^2*y[i]", lambda x, y: x**2 @ y),
    ("(x[i]*y[i])^2", lambda x, y: (x @ y) ** 2),
    ("exp(x[i]*y[i])", lambda x, y: np.exp(x @ y)),
    ("exp(x[i])*y[i]", lambda x, y: np.exp(x) @ y),
    ("(x[i] + y[i])*z[i]", lambda x, y, z: (x + y) @ z),
    ("sum[i](y[i]*log(p[i]*p[i]))", lambda y, p: y @ np.log(p * p)),
    ("y[i]*sum[i](x[i]*z[i])", lambda x, y, z: y * (x @ z)),
    # free indices
    ("x[i] + a", lambda x, a: x + a),
    ("X[i,j] + u[i]*x[j]", lambda X, u, x: X + np.outer(u, x)),
    ("u[i] + x[j] -> [i,j]", lambda u, x: u[:, None] + x),
    ("sum[i,j](u[i] + x[j])", lambda u, x, m, n: n * u.sum() + m * x.sum()),
    ("x[j]*u[i]", lambda x, u: np.outer(x, u)),
    ("X[j,i]*x[i]", lambda X, x: X @ x),
    ("sum[i](log(1 + exp(-u[i]*X[i,j]*x[j])))", lambda u, X, x: np.log1p(np.exp(-u * (X @ x))).sum()),
    ("Q[i,j] = exp(X[i,j])/sum[l](exp(X[i,l]))", lambda X: softmax(X, 1)),
    # delta, eps
    ("delta[i,j]*A[j,l]", lambda A: A),
    ("x[i]*delta[i,j]", lambda x: x),
    ("x[i]*delta[i,j] -> [i,j]", lambda x: np.diag(x)),
    ("A[i,j] + delta[i,j]", lambda A, n: A + np.eye(n)),
    ("eps[i,j,l]*f[j]*g[l]", lambda f, g: np.cross(f, g)),
    ("eps[i,j,l]", alternating),
    ("eps[i,j]*f[0] -> [i,j]", lambda f: f[0] * np.array([[0, 1], [-1, 0]])),
    ("eps[i,j,l]*R[0,i]*R[1,j]*R[2,l]", lambda R: det(R)),
    ("eps[i,j,l]*eps[i,p,q] -> [j,l,p,q]", lambda: np.einsum("ijl,ipq->jlpq", alternating(), alternating())),
    ("eps[i,j,l]*eps[i,j,l]", lambda: 6.0),
    # einsum
    ('einsum("ijk->kj", T)', lambda T: T.sum(0).T),
    ('einsum("...j,j->...", T, x)', lambda T, x: T @ x),
    ('einsum("...i,...i", X, Y)', lambda X, Y: np.sum(X * Y, 1)),
    ('einsum("ii", A)', lambda A: np.trace(A)),
    ('einsum("ba", X)', lambda X: X.T),
    ('einsum("ij,jk,kl", X, A, B)', lambda X, A, B: X @ A @ B),
    ('einsum(",i", a, x)', lambda a, x: a * x),
    ('einsum("i,i->i", x, exp(y))', lambda x, y: x * np.exp(y)),
]  # fmt: skip
# whose index has entries
OVER_INDICES: list[Row] = [
    ("max[j](X[i,j])", lambda X: X.max(1)),
    ("min[i](X[i,j])", lambda X: X.min(0)),
    ("max[i,j](X[i,j])", lambda X: X.max()),
    ("max[j](X[i,j]*x[j])", lambda X, x: (X * x).max(1)),
    ("mean[j](X[i,j])", lambda X: X.mean(1)),
    ("mean[i,j](X[i,j])", lambda X: X.mean()),
    ("prod[j](X[i,j])", lambda X: X.prod(1)),
    ("prod[i,j](X[i,j])", lambda X: X.prod()),
    ("logsumexp[j](X[i,j])", lambda X: logsumexp(X, 1)),
    ("logsumexp[i,j](X[i,j])", lambda X: logsumexp(X)),
    ("logsumexp[i](x[i] + y[i])", lambda x, y: logsumexp(x + y)),
    ("softmax[j](X[i,j])", lambda X: softmax(X, 1)),
    ("softmax[i](X[i,j])", lambda X: softmax(X, 0)),
    ("softmax[j](X[i,j]) -> [j,i]", lambda X: softmax(X, 1).T),
    ("softmax[j](X[i,j])*x[j]", lambda X, x: softmax(X, 1) @ x),
    ("softmax[j](X[i,j]*a)*Y[i,j] -> [i]", lambda X, Y, a: np.sum(softmax(a * X, 1) * Y, 1)),
    ("softmax[i,j](X[i,j])", lambda X: np.exp(X) / np.exp(X).sum()),
    ("u[i] - max[j](X[i,j])", lambda u, X: u - X.max(1)),
    ("sum[i](max[j](X[i,j])*u[i])", lambda u, X: X.max(1) @ u),
    ("max[j](T[i,j,j])", lambda T: np.einsum("ijj->ij", T).max(1)),
]  # fmt: skip
OVER_INTEGERS: list[Row] = [
    ("sum[r=0..k-1](A^r)", lambda A, n: np.eye(n) + A + A @ A),
    ("sum[r=0..k](a^r)", lambda a: 1 + a + a**2 + a**3),
    ("sum[r=1..4](r*a)", lambda a: 10 * a),
    ("sum[r=1..4](r)", lambda: 10.0),
    ("sum[r=1..k](r^2)", lambda: 14.0),
    ("sum[r=5..4](a*r)", lambda: 0.0),
    ("sum[r=k..k-1](A^r)", lambda n: np.zeros((n, n))),
    ("sum[r=-1..1](a^r)", lambda a: 1 / a + 1 + a),
    ("sum[r=0..k-1](A^r*B*A^(k-1-r))", lambda A, B: B @ A @ A + A @ B @ A + A @ A @ B),
    ("sum[r=0..2](A^r*x)", lambda A, x: x + A @ x + A @ A @ x),
    ("sum[r=0..2](sum[s=0..r](a^s*b^r))", lambda a, b: sum(a**s * b**r for r in range(3) for s in range(r + 1))),
    ("sum[r=0..k](sum[s=0..r](a^s))", lambda a: sum(a**s for r in range(4) for s in range(r + 1))),
    ("sum[r=0..k](x[i]*r) -> [i]", lambda x: 6 * x),
    ("sum[i=0..n-1](x[i])", lambda x: np.sum(x)),
    ("sum[i=0..n-1](x[i]*i)", lambda x, n: x @ np.arange(n)),
    ("sum[i=0..n-1](x[i]*a^i)", lambda x, a, n: x @ a ** np.arange(n)),
    ("sum[i=1..n-1](x[i]*x[i-1])", lambda x: x[1:] @ x[:-1]),
    ("sum[i=0..n-2]((x[i+1] - x[i])^2)", lambda x: np.sum(np.diff(x) ** 2)),
    ("sum[i=0..m-1](X[i,j]*i)", lambda X, m: np.arange(m) @ X),
    ("sum[i=0..n-1](A[i,i])", lambda A: np.trace(A)),
    ("sum[r=0..2](f[r]*r)", lambda f: f[1] + 2 * f[2]),
    ("sum[r=0..1](f[r]*g[r+1])", lambda f, g: f[0] * g[1] + f[1] * g[2]),
    ("prod[r=1..3](a + r)", lambda a: (a + 1) * (a + 2) * (a + 3)),
    ("prod[r=3..1](a + r)", lambda: 1.0),
    ("prod[r=0..2](f[r])", lambda f: np.prod(f)),
    ("prod[r=0..2](A + r*eye)", lambda A, n: A @ (A + np.eye(n)) @ (A + 2 * np.eye(n))),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(INDICES))
def test_index_notation(row: Row) -> None:
    """Entries, bound and summed and free indices, delta, eps, einsum: at all sizes."""
    check(row, ANY)


@pytest.mark.parametrize("row", rows(OVER_INDICES))
def test_reductions_over_indices(row: Row) -> None:
    """``max[j] min[j] mean[j] prod[j] softmax[j] logsumexp[j]`` work like ``sum[j]``."""
    check(row, FULL)


@pytest.mark.parametrize("row", rows(OVER_INTEGERS))
def test_sums_over_integers(row: Row) -> None:
    """``sum[r=0..k-1](…)`` runs over integers; one of a subscript along the axis."""
    check(row, FULL)


# ── complex numbers ──────────────────────────────────────────────────────────────────────────

COMPLEX_NUMBERS: list[Row] = [
    ("c + d", lambda c, d: c + d),
    ("c*q", lambda c, q: c * q),
    ("q'*r", lambda q, r: q @ r),
    ("q^H*r", lambda q, r: np.vdot(q, r)),
    ("qᴴ*q", lambda q: np.vdot(q, q)),
    ("conj(q)", lambda q: q.conj()),
    ("C^H", lambda C: C.conj().T),
    ("C'", lambda C: C.T),
    ("conj(C)*q", lambda C, q: C.conj() @ q),
    ("conj(conj(C))", lambda C: C),
    ("(C*D)^H", lambda C, D: (C @ D).conj().T),
    ("q^H*C*r", lambda q, C, r: q.conj() @ C @ r),
    ("w*q^H", lambda w, q: np.outer(w, q.conj())),
    ("conj(q[i])*r[i]", lambda q, r: np.vdot(q, r)),
    ("Z^H*w", lambda Z, w: Z.conj().T @ w),
    ("A*q + x", lambda A, q, x: A @ q + x),
    ("C.*D", lambda C, D: C * D),
    ("q./r", lambda q, r: q / r),
    ("c^2", lambda c: c**2),
    ("1/c", lambda c: 1 / c),
    ("sqrt(c)", lambda c: np.sqrt(c)),
    ("C^3", lambda C: C @ C @ C),
    ("exp(q)", lambda q: np.exp(q)),
    ("sin(c)*cosh(d)", lambda c, d: np.sin(c) * np.cosh(d)),
    ("abs(q)", lambda q: np.abs(q)),
    ("norm2(q)", lambda q: norm(q)),
    ("norm2(q)^2", lambda q: norm(q) ** 2),
    ("norm1(q)", lambda q: np.sum(np.abs(q))),
    ("normF(Z)", lambda Z: norm(Z)),
    ("tr(C)", lambda C: np.trace(C)),
    ("det(C)", lambda C: det(C)),
    ("inv(C)*q", lambda C, q: inv(C) @ q),
    ("pinv(Z)", lambda Z: pinv(Z) if Z.size else Z.T),
    ("expm(C)", lambda C: linalg.expm(C) if C.size else C),
    ("sum(Z, 1)", lambda Z: Z.sum(0)),
    ("kron(C, A)", lambda C, A: np.kron(C, A)),
    ("vec(Z)", lambda Z: Z.T.ravel()),
    ("diag(q)*C", lambda q, C: q[:, None] * C),
    ("[C, q; q^H, c]", lambda C, q, c: bordered(C, q, q.conj(), c)),
    ("conj(x)", lambda x: x),
    ("A^H", lambda A: A.T),
    ("logsumexp(q)", lambda q: logsumexp(q)),
    ("prod(q)", lambda q: np.prod(q)),
    ("sum[r=0..2](c^r)", lambda c: 1 + c + c**2),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(COMPLEX_NUMBERS))
def test_complex_numbers(row: Row) -> None:
    """Complex variables; ``^H`` and `conj` conjugate, ``'`` does not."""
    check(row, ANY if "logsumexp" not in row[0] else FULL, COMPLEX)


# ── derivatives ──────────────────────────────────────────────────────────────────────────────

DERIVATIVES: list[tuple[str, str, Callable[..., Any]]] = [
    ("x'*A*x", "x", lambda x, A: (A + A.T) @ x),
    ("u'*X*x", "X", lambda u, x: np.outer(u, x)),
    ("X*x", "x", lambda X: X),
    ("X*x", "X", lambda x, m: np.einsum("ip,q->ipq", np.eye(m), x)),
    ("X", "X", lambda m, n: np.einsum("ip,jq->ijpq", np.eye(m), np.eye(n))),
    ("X'", "X", lambda m, n: np.einsum("iq,jp->ijpq", np.eye(n), np.eye(m))),
    ("a*X", "a", lambda X: X),
    ("x'*A*y", "xy", lambda A: A),
    ("u'*X*x", "xX", lambda u, n: np.einsum("p,iq->ipq", u, np.eye(n))),
    ("u'*X*x", "Xx", lambda u, n: np.einsum("p,qi->pqi", u, np.eye(n))),
    ("x'*x", "xxx", lambda n: np.zeros((n, n, n))),
    ("x'*x", "u", lambda m: np.zeros(m)),
    ("X*x", "A", lambda m, n: np.zeros((m, n, n))),
    ("log(det(P))", "P", lambda P: inv(P).T),
    ("tr(inv(P)*A)", "P", lambda P, A: -(inv(P) @ A @ inv(P)).T),
    ("tr(A^3)", "A", lambda A: 3 * (A @ A).T),
    ("tr(expm(A))", "A", lambda A: linalg.expm(A).T),
    ("softmax(x)", "x", lambda x: np.diag(softmax(x, 0)) - np.outer(softmax(x, 0), softmax(x, 0))),
    ("logsumexp(x)", "x", lambda x: softmax(x, 0)),
    ("tr(S*A)", "S", lambda A: A.T),
    ("x'*S*x", "x", lambda S, x: 2 * S @ x),
    ("x'*S*x", "S", lambda x: np.outer(x, x)),
    ("norm2(x)", "x", lambda x: x / norm(x)),
    ("[a*x; a^2]", "a", lambda a, x: np.append(x, 2 * a)),
    ("[A, x; x', 0]", "x", lambda n: np.array([[[1.0 * (k in (i, j) and n in (i, j) and i != j) for k in range(n)] for j in range(n + 1)] for i in range(n + 1)])),
    ("vec(X)", "X", lambda m, n: np.einsum("jq,ip->jipq", np.eye(n), np.eye(m)).reshape(m * n, m, n)),
    ("kron(x, y)", "y", lambda x, n: np.kron(x[:, None], np.eye(n))),
    ("cross(f, g)", "g", lambda f: np.cross(f, np.eye(3)).T),
    ("sum[r=0..k-1](a^r)", "a", lambda a: 1 + 2 * a),
    ("a^k", "a", lambda a: 3 * a**2),
    ("prod(x)", "x", lambda x: np.prod(x) / x),
]  # fmt: skip


@pytest.mark.parametrize(
    ("program", "by", "function"), DERIVATIVES, ids=[f"{p} by {by}" for p, by, _ in DERIVATIVES]
)
def test_derivatives(program: str, by: str, function: Callable[..., Any]) -> None:
    """Axes of f, then of the first variable, then of further ones; 0 by a variable not in f."""
    found = tc.diff(HEAD + program, *by)
    for m, n in FULL:
        assert_value(found, function, arrays(m, n))


LAYOUTS = ("mixed", "numerator", "denominator")
# LANGUAGE's table of layouts: program, variable, and for each layout the printed form's meaning
LAYOUT_ROWS: list[tuple[str, str, str, str, str]] = [
    ("x'*y", "x", "y", "y'", "y"),
    ("u'*X*x", "X", "u*x'", "x*u'", "u*x'"),
    ("a*x", "a", "x", "x", "x'"),
    ("X*x", "x", "X", "X", "X'"),
    ("a*X", "a", "X", "X", "X'"),
]


@pytest.mark.parametrize(("program", "by", *LAYOUTS), LAYOUT_ROWS)
def test_layouts(program: str, by: str, mixed: str, numerator: str, denominator: str) -> None:
    """Columns and rows as in the table: a printed form means the expression there, and its side."""
    derivative = tc.diff(HEAD + program, by)
    for layout, wanted in zip(LAYOUTS, (mixed, numerator, denominator), strict=True):
        printed = tc.parse(HEAD + derivative.to_text(layout=layout))
        assert printed.node is tc.parse(HEAD + wanted).node, layout
        rows_agree = [tc.parse(HEAD + text)._elaborated.row for text in (wanted, str(printed))]
        assert rows_agree[0] == printed._elaborated.row, layout


VEC: list[tuple[str, str]] = [
    ("x'*y", "x"), ("u'*X*x", "X"), ("a*x", "a"), ("X*x", "x"), ("a*X", "a"), ("X", "X"), ("X'", "X"),
    ("A*X'", "X"), ("A*B*A", "B"), ("X*x", "X"), ("x*u'", "x"), ("inv(P)", "P"), ("A.*B", "A"),
    ("kron(A, X)", "X"), ("tr(A*P)*B", "P"), ("x'*A*x", "A"), ("P^2", "P"), ("diag(x)", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "by"), VEC, ids=[f"{p} by {by}" for p, by in VEC])
def test_vec_layout(program: str, by: str) -> None:
    """After Magnus and Neudecker: the matrix of all derivatives of ``vec`` by ``vec``."""
    derivative = tc.diff(HEAD + program, by)
    rank = len(tc.parse(HEAD + program).shape)
    printed = tc.parse(HEAD + derivative.to_text(layout="vec"))
    for m, n in (SOME, FLAT):
        data = arrays(m, n)
        array = values(derivative, data)
        rows, columns = (
            np.prod(array.shape[:rank], dtype=int),
            np.prod(array.shape[rank:], dtype=int),
        )
        turned = array.transpose(*reversed(range(rank)), *reversed(range(rank, array.ndim)))
        found = values(printed, data)
        if found.ndim < 2:
            assert printed._elaborated.row == (rank == 0)
        wanted = turned.reshape((rows, columns) if found.ndim == 2 else (rows * columns,))
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)


# a kind of P, and how G = df/dP is put together by its free parameters
STRUCTURED: list[tuple[str, Callable[[Array], Array]]] = [
    ("symmetric", lambda G: G + G.T - np.diag(np.diag(G))),
    ("spd", lambda G: G + G.T - np.diag(np.diag(G))),
    ("diagonal", lambda G: np.diag(np.diag(G))),
    ("skew", lambda G: G - G.T),
]


@pytest.mark.parametrize(("kind", "free"), STRUCTURED, ids=[row[0] for row in STRUCTURED])
@pytest.mark.parametrize("formula", ["x'*V*y", "tr(V*B*V)", "sum(exp(V))"])
def test_structured(kind: str, free: Callable[[Array], Array], formula: str) -> None:
    """By entries as if independent; with `structured` by the free parameters."""
    program = f"V : {kind}(n); x, y : vector(n); B : matrix(n, n); {formula}"
    data = {**arrays(*SOME), "V": arrays(*SOME)["A"]}
    V = data["V"] = {
        "symmetric": data["A"] + data["A"].T, "spd": data["S"], "skew": data["A"] - data["A"].T,
        "diagonal": np.diag(data["x"]),
    }[kind]  # fmt: skip
    entries = {
        "x'*V*y": np.outer(data["x"], data["y"]),
        "tr(V*B*V)": (data["B"] @ V + V @ data["B"]).T,
        "sum(exp(V))": np.exp(V),
    }[formula]
    wanted = [entries, free(entries)]
    found = [values(tc.diff(program, "V", structured=s), data) for s in (False, True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


# ── errors ───────────────────────────────────────────────────────────────────────────────────

# what is rejected
REJECTED = [
    # declarations and names
    "t : vektor(n); t", "t : vector(n) pretty; t", "x : vector(n); x", "n : scalar; n",
    "t = x; t = y", "x : vector(n)", "t : scalar; t = x; t", "K : spd(m); K = A*X; K", "x = u; x",
    # sizes
    "x + u", "X*u", "X'*x", "A*X", "x'*u", "x.*u", "X^2", "X^k", "tr(X)", "inv(X)", "expm(X)",
    "adj(X)", "f[3]", "cross(x, f)", "cross(x, u)", "eps[i,j,l]*x[j]*y[l]", "[X, Y; X]",
    "[a, b; a]", "[X, x]", "[X; u']", "[T, a]", "where(x > 0, u, 0)",
    # ranks and orientations
    "x'*A'*y'", "x + y'", "x + A", "T'", "T*x", "tr(x)", "vec(T)", "kron(T, x)", "outer(A, x)",
    "max(x, y')", "sum(X, 3)", "sum(X, 0)", "sum(X, a)", "rows(x)", "diag(T)",
    # powers
    "A^0.5", "A^x", "A^(k/2)", "0^-1", "a/0", "A^(10^30)",
    # indices
    "x[i+1]", "x[a]*0.5*y[a]*z[j] + x[i]", "A[i]", "t[i,j] = x[i]", "x[i] -> [i,i]",
    "sum[l](x[i])", "max[l](x[i])", "softmax[l](x[i])", "t[i] = A*x[i]", "argmax[i](x[i])",
    "x[i]*u[i]", "x[-1]",
    # sums over integers
    "sum[r=0..a](x*r)", "sum[r=0..1.5](x*r)", "mean[r=0..3](a*r)", "prod[r=1..k](a + r)",
    "sum[i=0..k](x[i])", "sum[r=0..2](x[r-1])", "sum[r=0..3](f[r])",
    # einsum
    'einsum("ij,j->i", A)', 'einsum("ij->k", A)', 'einsum("ij,jk", A, x)', "einsum(A, x)",
    # calls
    "foo(x)", "exp(x, y)", "kron(A)", "inv()", "exp + 1", "vector(x, n)", "matrix(1, n)",
    # syntax
    "a +", "(a", "a)", "[a, b", "[a,, b]", "[]", "a b", "a $ b", "", "# nothing", "einsum('i",
    "__import__('os')",
]  # fmt: skip
# and the fix that the error must show, where LANGUAGE says it
FIXES: list[tuple[str, str]] = [
    ("vector(1)", "vector(1, n)"),
    ("eye", "eye(n)"),
    ("x*y", "x'*y"),
    ("x^2", ".^"),
    ("x'^2", ".^"),
    ("x^k", ".^"),
    ("a/x", "./"),
    ("A/B", "inv"),
    ("softmax(X)", "softmax(X, 2)"),
    ("A^a", "integer"),
    ("x[i] + u[j]", "sum["),
    ("y[i]*log(x[i]*z[i])", "sum[i]("),
    ("x[i]*y[i] + z[i]", "sum[i]("),
    ("t[i] = X[i,j]", "sum[j]("),
    ("X[i,j] -> [i]", "sum[j]("),
    ("max(x[i])", "max[i]"),
    ("softmax(x[i])", "softmax[i]"),
    ("expp(x)", "exp"),
    ("a ** b", "^"),
]


@pytest.mark.parametrize(("program", "fix"), [*((p, "") for p in REJECTED), *FIXES])
def test_errors(program: str, fix: str) -> None:
    """One error of ours with the place, the line, a caret, and the fix where one is known."""
    with pytest.raises(TensorcalcError) as caught:
        tc.parse(HEAD + program)
    error = caught.value
    assert error.line is not None and error.excerpt is not None and "^" in error.excerpt
    assert fix in f"{error.message} {error.hint}"


AT_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("x'*y", {"x": [1.0, 2.0], "y": [1.0]}),
    ("x : vector(n); y : vector(n); x + 2*y", {"x": [1.0], "y": [1.0, 2.0]}),
    ("inv(A)", {"A": [[1.0, 2.0]]}),
    ("x[3]", {"x": [1.0, 2.0]}),
    ("x'*x", {"x": [[1.0]]}),
    ("x'*x", {"x": [1j]}),
    ("x'*x", {}),
    ("x'*x", {"x": [1.0], "y": [1.0]}),
    ("k : scalar integer; A^k", {"k": 1.5, "A": [[1.0]]}),
    ("max(x)", {"x": []}),
    ("x : vector(m*n); y : vector(n); x + 0*sum(y)", {"x": [1.0] * 5, "y": [1.0] * 2}),
]  # fmt: skip


@pytest.mark.parametrize(("program", "data"), AT_CALLS, ids=[row[0] for row in AT_CALLS])
def test_errors_of_values(program: str, data: dict[str, Any]) -> None:
    """Equal names are equal sizes, of the given arrays too; numbers must be what was declared."""
    with pytest.raises(TensorcalcError):
        tc.parse(program).evaluate(**data)


def test_derivatives_by_unknown_names_are_errors() -> None:
    """By a declared variable that is not in f the derivative is zero, by an unknown name an error."""
    assert not np.any(tc.diff("y : scalar; x'*x", "y").evaluate(x=[1.0], y=1.0))
    with pytest.raises(UnknownNameError):
        tc.diff("x'*x", "y")


LIMITS: list[tuple[str, dict[str, int]]] = [
    ("a + a + a + a", {"terms": 3}),
    ("((((a))))", {"nesting": 3}),
    ("a + a + a + a + a", {"text_length": 10}),
    ("t[i,j,l,o]", {"rank": 3}),
    ("x*x'", {"rank": 1}),
    ("a^100", {"exponent": 10}),
    ("1e30*a", {"literal_digits": 20}),
]  # fmt: skip


@pytest.mark.parametrize(("program", "limits"), LIMITS, ids=[row[0] for row in LIMITS])
def test_limits(program: str, limits: dict[str, int]) -> None:
    """A limit has a name, can be changed, and gives an error that names it."""
    tc.parse(program)
    with tc.limits(**limits), pytest.raises(LimitError):
        tc.parse(program)


def test_the_order_of_derivatives_is_limited() -> None:
    """As the other limits."""
    with tc.limits(derivative_order=2), pytest.raises(LimitError):
        tc.diff("a^5", "a", "a", "a")
