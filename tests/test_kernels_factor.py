"""Factorizations of square matrices, compared with NumPy; matrices without an inverse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from tensorcalc.kernels import factor

DTYPES = (np.float64, np.float32)
SIZES = (0, 1, 2, 5, 16, 40, 90)
COLUMNS = (0, 1, 3, 70)
SHAPES = [*"general definite indefinite lower upper diagonal".split(), "first pivot 0"]


@njit
def _run(a, b):  # type: ignore[no-untyped-def]
    """The kind, the determinant, its logarithm, the inverse, and both solutions."""
    lu, inverse = np.empty_like(a), np.empty_like(a)
    pivots = np.empty(a.shape[0], np.int32)
    straight, transposed = np.empty_like(b), b.copy()
    kind = factor.factorize(a, lu, pivots)
    factor.factor_inverse(lu, pivots, kind, inverse)
    factor.factor_solve(lu, pivots, kind, 0, b, straight)
    factor.factor_solve(lu, pivots, kind, 1, transposed, transposed)
    det = factor.factor_det(lu, pivots, kind)
    return kind, det, factor.factor_logdet(lu, pivots, kind), inverse, straight, transposed


def _matrix(shape: str, n: int, dtype: Any) -> Any:
    a: Any = np.random.default_rng(n).normal(size=(n, n))
    match shape:
        case "definite":
            a = a @ a.T + np.eye(n)
        case "indefinite":
            a = a + a.T + 3 * np.diag(1 + np.arange(n) % 2)
        case "first pivot 0":
            a[:1, :1] = 0
        case "lower" | "upper" | "diagonal":
            a = np.tril(a) / n**0.5 + np.diag(1.5 - np.arange(n) % 3)
            a = {"lower": a, "upper": a.T, "diagonal": np.diag(np.diag(a))}[shape]
    return np.ascontiguousarray(a, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_results(shape: str, n: int, dtype: Any) -> None:
    """Inverse and solutions have small residuals; the determinant is NumPy's; a is kept."""
    a = _matrix(shape, n, dtype)
    if shape == "first pivot 0" and n < 2:
        return
    a.flags.writeable = False
    exact = a.astype(float)
    scale = float(np.finfo(dtype).eps * np.linalg.norm(exact) * 20)
    inverse = np.linalg.inv(exact)
    size = float(np.linalg.norm(inverse))
    triangular = np.array_equal(a, np.tril(a)) or np.array_equal(a, np.triu(a))
    definite = (
        not triangular and np.array_equal(a, a.T) and bool((np.linalg.eigvalsh(exact) > 0).all())
    )
    for m in COLUMNS:
        b = np.random.default_rng(m).normal(size=(n, m)).astype(dtype)
        kind, det, logdet, found, straight, transposed = _run(a, b)
        assert kind == definite
        np.testing.assert_allclose(found, inverse, rtol=0, atol=scale * size**2)
        tolerance = scale * size**2 * (1 + float(np.linalg.norm(b)))
        np.testing.assert_allclose(straight, inverse @ b, rtol=0, atol=tolerance)
        np.testing.assert_allclose(transposed, inverse.T @ b, rtol=0, atol=tolerance)
    sign, log_size = map(float, np.linalg.slogdet(exact))
    relative = scale * size + 1e-15
    np.testing.assert_allclose(logdet, log_size if sign > 0 else np.nan, atol=relative)
    if abs(log_size) < 600:
        np.testing.assert_allclose(det, sign * np.exp(log_size), rtol=relative)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 3, 16, 90])
def test_no_inverse(n: int, dtype: Any) -> None:
    """NaN everywhere, without an exception; the determinant of a singular matrix is 0."""
    b = np.zeros((n, 2), dtype)
    singular = np.zeros((n, n), dtype)
    rank_one = np.ones((n, n), dtype)
    symmetric = np.diag(np.arange(n)).astype(dtype)
    for a in (singular, symmetric, *([rank_one] if n > 1 else [])):
        _, det, logdet, *arrays = _run(a, b)
        assert det == 0
        assert logdet == -np.inf
        assert all(np.isnan(array).all() for array in arrays)
    for value in (np.nan, np.inf, -np.inf):
        for i, j in {(0, 0), (n - 1, 0), (n // 2, n - 1), (n - 1, n - 1)}:
            for regular in (np.eye(n), np.random.default_rng(n).normal(size=(n, n))):
                a = regular.astype(dtype)
                a[i, j] = value
                a[j, i] = value
                _, det, logdet, *arrays = _run(a, b)
                assert np.isnan(det)
                assert np.isnan(logdet)
                assert all(np.isnan(array).all() for array in arrays)


@pytest.mark.parametrize("n", [4, 40])
def test_range_of_determinants(n: int) -> None:
    """Products that leave the range on the way; logarithms of such as do not come back."""
    scales = np.tile([1e200, 1e200, 1e-200, 1e-200], n // 4)
    for order in (scales, scales[::-1]):
        _, det, logdet, *_ = _run(np.diag(order), np.zeros((n, 0)))
        assert det == pytest.approx(1, rel=1e-11)
        assert logdet == pytest.approx(0, abs=1e-11)
    for scale in (1e200, 1e-200):
        _, det, logdet, *_ = _run(scale * np.eye(n), np.zeros((n, 0)))
        assert det == (np.inf if scale > 1 else 0)
        assert logdet == pytest.approx(n * np.log(scale), rel=1e-14)
