"""Second derivatives as operators: form, products, solutions, determinants against dense arrays."""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, cg

import tensorcalc as tc

MF = "T : matrix(m, n); U : matrix(m, k); V : matrix(n, k); sum((T - U*V').^2)"
LOGISTIC = "y : vector(m); w : vector(n); sum(log(1 + exp(-y.*(X*w)))) + lambda/2*w'*w"
# formula, variables, shapes (or "spd": a positive definite matrix of that size), how it is shown
CASES: list[tuple[str, str, dict[str, tuple[int, ...] | int], str]] = [
    (MF, "U", {"T": (7, 6), "U": (7, 3), "V": (6, 3)}, "identity (7) ⊗ matrix (3, 3)"),
    (MF, "U V", {"T": (7, 6), "U": (7, 3), "V": (6, 3)}, "matrix (21, 18)"),
    (f"{MF} + lambda*sum(U.^2)", "U", {"U": (7, 3), "V": (6, 3), "T": (7, 6), "lambda": ()},
     "identity (7) ⊗ matrix (3, 3)"),
    (LOGISTIC, "w", {"y": (5,), "X": (5, 20), "w": (20,), "lambda": ()},
     "identity (20) ⊗ diagonal () + rank 5"),
    (LOGISTIC, "w", {"y": (50,), "X": (50, 6), "w": (6,), "lambda": ()}, "matrix (6, 6)"),
    ("x : vector(n); logsumexp(x) + x'*x", "x", {"x": (6,)}, "diagonal (6) + rank 1"),
    ("x : vector(n); logsumexp(x)", "x", {"x": (6,)}, "diagonal (6) + rank 1"),
    ("x : vector(n); sum(exp(x))", "x", {"x": (6,)}, "diagonal (6)"),
    ("A : symmetric(n); -logdet(A)", "A", {"A": 4}, "matrix (4, 4) ⊗ matrix (4, 4)"),
    ("(x'*A*x)^2 + x'*x", "x", {"x": (9,), "A": (9, 9)}, "matrix (9, 9)"),
    ("sum(exp(W).*W) + sum(W.^2)", "W", {"W": (4, 5)}, "diagonal (4, 5)"),
    ("A : symmetric(m); B : symmetric(n); X : matrix(m, n); tr(X'*A*X*B)", "X",
     {"X": (4, 3), "A": 4, "B": 3}, "matrix (4, 4) ⊗ matrix (3, 3)"),
    ("u : vector(n); v : vector(n); (u'*v)^2*exp(u'*w) + u'*u", "u",
     {"u": (11,), "v": (11,), "w": (11,)}, "identity (11) ⊗ diagonal () + rank 3"),
    ("W : matrix(k, n); sum(logsumexp(X*W', 1)) + sum(W.^2)", "W", {"X": (8, 5), "W": (4, 5)},
     "blocks (4) of (5, 5)"),
    ("X : matrix(m, n); sum((A*X*B).^2)", "X", {"A": (6, 4), "X": (4, 3), "B": (3, 5)},
     "matrix (4, 4) ⊗ matrix (3, 3)"),
    ("X : matrix(n, n); tr(X*X)", "X", {"X": (3, 3)}, "identity (3, 3)"),
    ("c : vector(n); x : vector(n); c'*x", "x", {"c": (3,), "x": (3,)}, "0"),
    ("T : tensor(n, m, k); sum(T.^4)", "T", {"T": (2, 3, 4)}, "diagonal (2, 3, 4)"),
    ("T : tensor(p, q, r); M : matrix(r, r); T[i,j,k]*M[k,l]*T[i,j,l]", "T",
     {"T": (2, 3, 4), "M": 4}, "identity (2, 3) ⊗ matrix (4, 4)"),
    ("c : vector(n); x : vector(n); (c'*x)^2", "x", {"x": (6,), "c": (6,)}, "rank 1 (6, 6)"),
    ("c : vector(n); d : vector(n); x : vector(n); (c'*x)^2 + (d'*x)^2", "x", {"x": (6,), "c": (6,), "d": (6,)}, "rank 2"),
    ("s : scalar; x : vector(n); s*sum(x.^2)", "s x", {"s": (), "x": (3,)}, "matrix (1, 3)"),
]  # fmt: skip


def values(shapes: Mapping[str, tuple[int, ...] | int], seed: int = 0) -> dict[str, Any]:
    """Random arrays; a positive definite matrix where only a size is given."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for name, shape in shapes.items():
        if isinstance(shape, int):
            a = rng.normal(size=(shape, shape))
            found[name] = a @ a.T + np.eye(shape)
        else:
            found[name] = rng.uniform(0.3, 1.2, size=shape)
    return found


def check(operator: Any, dense: Any) -> None:
    """All that an operator does agrees with the dense array."""
    close = np.testing.assert_allclose
    rng = np.random.default_rng(1)
    matrix = dense.reshape(operator.shape)
    rows, cols = operator.shape
    tolerance = {"rtol": 1e-10, "atol": 1e-10 * (1 + abs(matrix).max(initial=0))}
    close(operator.dense(), dense, **tolerance)
    x = rng.normal(size=operator.col_shape)
    close(operator @ x, (matrix @ x.reshape(-1)).reshape(operator.row_shape), **tolerance)
    many, left = rng.normal(size=(cols, 2)), rng.normal(size=rows)
    close(operator @ many, matrix @ many, **tolerance)
    close(operator.T @ left, matrix.T @ left, **tolerance)
    close(operator.T.dense().reshape(cols, rows), matrix.T, **tolerance)
    if operator.row_shape != operator.col_shape:
        with pytest.raises(tc.DomainError, match="not square"):
            operator.solve(left)
        return
    close(operator.diagonal().reshape(-1), np.diag(matrix), **tolerance)
    close(operator.trace(), np.trace(matrix), **tolerance)
    condition = np.linalg.cond(matrix)
    if not condition < 1e17:
        with pytest.raises(tc.DomainError, match="singular"):
            operator.solve(left)
        return
    if condition > 1e10:
        return
    sign, size = np.linalg.slogdet(matrix)
    close(operator.logdet(), size if sign > 0 else np.nan, rtol=1e-8, atol=1e-8)
    for right in (left, left.reshape(operator.row_shape), rng.normal(size=(rows, 3))):
        found = operator.solve(right)
        assert found.shape == right.shape
        flat = right.reshape(rows, -1)
        close(matrix @ found.reshape(rows, -1), flat, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("text", "names", "shapes", "shown"), CASES)
def test_operators(
    text: str, names: str, shapes: dict[str, tuple[int, ...] | int], shown: str
) -> None:
    """The structure that is kept, and all operations, against NumPy on the dense array."""
    second = tc.hessian(text, *names.split())
    data = values(shapes)
    operator = second(**data)
    assert repr(operator).split(": ", 1)[1].rstrip(">") == shown
    assert isinstance(operator, LinearOperator)
    dense = second.evaluate(**data)
    check(operator, dense)
    np.testing.assert_array_equal(second.dense(**data), operator.dense())


def test_random_formulas() -> None:
    """Sums of random quadratic forms with and without structure."""
    rng = random.Random(3)
    pieces = [
        "sum((A*X).^2)", "sum(X.^4)", "tr(X'*S*X*R)", "sum(exp(X))", "(u'*X*v)^2", "sum((X*v).^3)",
        "tr(X'*X)", "sum((u'*X).^2)", "sum(Z.*X.^2)", "logsumexp(vec(X))", "sum((Z.*X)*v)^2",
        "sum(X)^2",
    ]  # fmt: skip
    shapes: dict[str, tuple[int, ...] | int] = {
        "X": (4, 3), "A": (5, 4), "S": 4, "R": 3, "u": (4,), "v": (3,), "Z": (4, 3),
    }  # fmt: skip
    declared = "X : matrix(m, n); u : vector(m); v : vector(n); Z : matrix(m, n); "
    for seed in range(25):
        chosen = rng.sample(pieces, rng.randrange(1, 4))
        second = tc.hessian(declared + " + ".join(chosen), "X")
        data = values({n: shapes[n] for n in second.variables}, seed)
        check(second(**data), second.evaluate(**data))


def test_as_linear_operator() -> None:
    """SciPy's solvers take it; many right sides go through the inverse of a small matrix."""
    second = tc.hessian(MF, "U")
    data = values({"U": (60, 3), "V": (20, 3)})
    operator = second(**data)
    b = np.random.default_rng(0).normal(size=(60, 3))
    found, info = cg(operator, b.reshape(-1), rtol=1e-12)
    assert info == 0
    np.testing.assert_allclose(found.reshape(60, 3), operator.solve(b), rtol=1e-8)
    np.testing.assert_allclose(second.solve(b, **data), operator.solve(b))
    again = pickle.loads(pickle.dumps(second))
    assert again == second
    np.testing.assert_array_equal(again.solve(b, **data), operator.solve(b))
    np.testing.assert_array_equal(tc.hessian(MF, "U", **data).solve(b), operator.solve(b))


def test_ill_conditioned() -> None:
    """Where an inverse would be less exact, equations are solved."""
    hilbert = 1 / (1 + np.add.outer(np.arange(8), np.arange(8)))
    operator = tc.hessian("M : symmetric(n); X : matrix(m, n); tr(X*M*X')", "X")(
        X=np.ones((100, 8)), M=hilbert
    )
    b = np.random.default_rng(0).normal(size=(100, 8))
    residual = abs(operator @ operator.solve(b) - b).max()
    by_inverse = abs(operator @ (b @ np.linalg.inv(2 * hilbert)) - b).max()
    assert residual < by_inverse / 2


def test_diagonals_with_zeros() -> None:
    """Woodbury's formula divides by the diagonal; the sum may have an inverse where that has none."""
    c = np.random.default_rng(0).normal(size=(2, 6))
    formula = "a : vector(n); c : vector(n); d : vector(n); x : vector(n); a'*x.^3 + (c'*x)*(d'*x)"
    for zeros in (1, 2):
        x = np.ones(6)
        x[:zeros] = 0
        second = tc.hessian(formula, "x")
        data = {"a": np.ones(6), "c": c[0], "d": c[1], "x": x}
        check(second(**data), second.evaluate(**data))
    with pytest.raises(tc.DomainError, match="singular"):
        tc.hessian(formula, "x")(a=np.ones(6), c=c[0], d=c[0], x=np.zeros(6)).solve(np.ones(6))


def test_small_beside_large_entries() -> None:
    """Where Woodbury's formula would lose what is small."""
    second = tc.hessian("a : vector(n); x : vector(n); sum(exp(x)) + (a'*x)^2/2", "x")
    for smallest in (-10.0, -24.0, -36.0):
        data = {"x": np.array([smallest, 0, 0, 0, 0]), "a": np.ones(5)}
        check(second(**data), second.evaluate(**data))


@pytest.mark.parametrize("text", ["x'*x/2", "sum(exp(x))", "x'*diag(d)*x + (d'*x)^2"])
def test_results_are_new_arrays(text: str) -> None:
    """Nothing that is returned is what was given; complex vectors stay complex."""
    operator = tc.hessian("d : vector(n); x : vector(n); " + text, "x")(x=np.zeros(5), d=np.ones(5))
    matrix = operator.dense()
    given = np.arange(5.0)
    for found in (operator @ given, operator.solve(given), operator.T @ given):
        assert not np.may_share_memory(found, given)
    turned = given * 1j + 1
    np.testing.assert_allclose(operator @ turned, matrix @ turned)
    np.testing.assert_allclose(matrix @ operator.solve(turned), turned, atol=1e-12)


def test_empty() -> None:
    """Sizes of 0."""
    operator = tc.hessian(MF, "U")(U=np.ones((0, 2)), V=np.ones((3, 2)))
    assert (operator @ np.ones((0, 2))).shape == operator.solve(np.ones((0, 2))).shape == (0, 2)
    flat = tc.hessian("A : matrix(m, n); x : vector(n); sum(exp(A*x)) + x'*x", "x")
    check(flat(A=np.ones((0, 3)), x=np.ones(3)), 2 * np.eye(3))
    assert operator.logdet() == 0  # no copies of a singular matrix
    zero = tc.hessian(MF, "U")(U=np.ones((4, 2)), V=np.ones((0, 2)))
    np.testing.assert_array_equal(zero @ np.ones((4, 2)), np.zeros((4, 2)))


def test_no_complex_formulas() -> None:
    """A named error."""
    with pytest.raises(tc.DomainError, match="complex"):
        tc.hessian("z : vector(n) complex; sum(z.^3)", "z")(z=np.ones(2))


ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"V": np.ones((3, 2))}, "the data do not tell the size m"),
    ({"U": np.ones((4, 2))}, "V"),
    ({"U": np.ones((4, 2)), "V": np.ones((3, 3))}, "k"),
    ({"U": np.ones((4, 2)), "V": np.ones((3, 2)), "Q": 1}, "Q"),
]


@pytest.mark.parametrize(("data", "message"), ERRORS)
def test_errors(data: dict[str, Any], message: str) -> None:
    """Values that are missing, unknown, or of a wrong shape."""
    with pytest.raises(tc.TensorcalcError, match=message):
        tc.hessian(MF, "U")(**data)


def test_the_size_that_is_not_told_has_its_name() -> None:
    """An inferred size is called as it is shown."""
    with pytest.raises(tc.DomainError, match="do not tell the size n\n"):
        tc.hessian("normF(T - U*V')^2", "U")(V=np.ones((3, 2)))


WRONG_ARRAYS: list[tuple[Any, type[Exception], str]] = [
    (np.ones((2, 4)), tc.ShapeError, r"has shape \(2, 4\)"),
    (np.ones(5), tc.ShapeError, r"has shape \(5,\)"),
    ([["a"]], tc.DomainError, "numbers are needed"),
    ([[1], [1, 2]], tc.DomainError, "cannot be read"),
]


@pytest.mark.parametrize(("array", "error", "message"), WRONG_ARRAYS)
def test_wrong_arrays(array: Any, error: type[Exception], message: str) -> None:
    """A right side, or what is multiplied, of another shape, or without numbers."""
    operator = tc.hessian(MF, "U")(U=np.ones((4, 2)), V=np.eye(3, 2))
    for use in (operator.solve, operator.__matmul__):
        with pytest.raises(error, match=message):
            use(array)
    np.testing.assert_array_equal((operator * 2) @ np.ones(8), 2 * (operator @ np.ones(8)))


@pytest.mark.parametrize("wrong", [["x", "y"], None, 3])
def test_names_are_texts(wrong: Any) -> None:
    """Anything else is refused by name."""
    with pytest.raises(tc.ParseError, match="cannot name a variable"):
        tc.hessian("x'*y", wrong)


def test_determinants_of_what_is_singular() -> None:
    """Zeros on a diagonal, and entries that are no numbers."""
    cubic = tc.hessian("sum(x.^3)", "x")
    assert cubic.logdet(x=np.array([0.0, 1])) == -np.inf
    assert np.isnan(cubic.logdet(x=np.array([np.nan, 1])))
    blank = tc.hessian(MF, "U")(U=np.ones((4, 2)), V=np.full((3, 2), np.nan))
    assert np.isnan(blank.logdet())
    with pytest.raises(tc.DomainError, match="infinite or not numbers"):
        blank.solve(np.ones(8))
