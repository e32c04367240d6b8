"""The BLAS intrinsics: offsets, strides, transposes, accumulation, empty sizes, precisions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numba import njit

from tensorcalc.kernels import blas, linalg

DTYPES = (np.float64, np.float32)


@njit
def _gemm(transposed, shape, beta, a, b, c):  # type: ignore[no-untyped-def]
    m, n, k = shape
    ars, acs = (1, m) if transposed[0] else (k, 1)
    brs, bcs = (1, k) if transposed[1] else (n, 1)
    crs, ccs = (1, m) if transposed[2] else (n, 1)
    blas.gemm(m, n, k, 2.0, a, 1, ars, acs, b, 2, brs, bcs, beta, c, 3, crs, ccs)


@njit
def _vectors(shape, beta, a, x, y, transposed):  # type: ignore[no-untyped-def]
    m, n = shape
    ars, acs = (1, m) if transposed else (n, 1)
    blas.gemv(m, n, 2.0, a, 1, ars, acs, x, 1, 2, beta, y, 0, 3)
    return blas.dot(n, x, 1, 2, x, 1, 2)


@njit
def _syrk(n, k, a, c, transposed):  # type: ignore[no-untyped-def]
    ars, acs = (1, n) if transposed else (k, 1)
    blas.syrk(n, k, 1.0, a, 0, ars, acs, 0.0, c, 0, n)


@njit
def _gemmt(n, k, a, b, c, turned):  # type: ignore[no-untyped-def]
    crs, ccs = (1, n) if turned else (n, 1)
    blas.gemmt(n, k, 1.0, a, 0, k, 1, b, 0, n, 1, 0.0, c, 0, crs, ccs)


@njit
def _ger(m, n, x, y, a):  # type: ignore[no-untyped-def]
    blas.ger(m, n, 1.0, x, 0, 1, y, 0, 1, a, 0, n, 1)


@njit
def _chain(a, x, y):  # type: ignore[no-untyped-def]
    n = x.shape[0]
    blas.gemm(n, 1, n, 1.0, a, 0, n, 1, x, 0, 1, 1, 0.0, y, 0, 1, 1)
    blas.gemm(1, n, n, 1.0, y, 0, n, 1, a, n, n, 1, 1.0, x, 0, 1, 1)


def test_compiled_once() -> None:
    """Arrays of any rank, constants and a result that is read-only elsewhere: one function."""
    a, x, y = np.ones((2, 3, 3)), np.ones(3), np.ones(3)
    a.flags.writeable = False
    _chain(a, x, y)
    (text,) = _chain.inspect_llvm().values()
    made = re.findall(r"^define .*blas4gemm", text, re.MULTILINE)
    assert len(made) == 1


def _pick(flat: Any, offset: int, shape: tuple[int, int], transposed: bool) -> Any:
    rows, columns = shape
    part = flat[offset : offset + rows * columns]
    return part.reshape(columns, rows).T if transposed else part.reshape(rows, columns)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (3, 4, 0), (0, 4, 5), (1, 7, 2)])
def test_gemm(dtype: Any, shape: tuple[int, int, int]) -> None:
    """All eight layouts, with and without accumulation; NaN in the result is overwritten."""
    m, n, k = shape
    draw = np.random.default_rng(1)
    a, b = (draw.normal(size=60).astype(dtype) for _ in range(2))
    for bits in range(8):
        transposed = (bool(bits & 1), bool(bits & 2), bool(bits & 4))
        product = _pick(a, 1, (m, k), transposed[0]) @ _pick(b, 2, (k, n), transposed[1])
        for beta in (0.0, 1.0):
            c = np.full(60, 1.0 if beta else np.nan, dtype)
            _gemm(transposed, shape, dtype(beta), a, b, c)
            found = _pick(c, 3, (m, n), transposed[2])
            np.testing.assert_allclose(found, 2 * product + beta, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (3, 0), (0, 3)])
def test_gemv_and_dot(dtype: Any, shape: tuple[int, int]) -> None:
    """Strided vectors, both layouts of the matrix; nothing between the strides is touched."""
    m, n = shape
    draw = np.random.default_rng(1)
    a, x = (draw.normal(size=40).astype(dtype) for _ in range(2))
    vector = x[1 : 1 + 2 * n : 2]
    for transposed in (False, True):
        for beta in (0.0, 1.0):
            y = np.ones(12, dtype)
            square = _vectors(shape, dtype(beta), a, x, y, transposed)
            product = _pick(a, 1, (m, n), transposed) @ vector
            np.testing.assert_allclose(y[: 3 * m : 3], 2 * product + beta, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(square, vector @ vector, rtol=1e-5)
            assert (y[1::3] == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_syrk_and_ger(dtype: Any) -> None:
    """Both triangles are filled, also past one tile."""
    draw = np.random.default_rng(1)
    for n, k in [(1, 1), (5, 3), (70, 4), (3, 0)]:
        a = draw.normal(size=(n, k)).astype(dtype)
        for transposed in (False, True):
            c = np.full((n, n), np.nan, dtype)
            _syrk(n, k, np.ascontiguousarray(a.T if transposed else a), c, transposed)
            np.testing.assert_allclose(c, a @ a.T, rtol=1e-4, atol=1e-5)
    x, y = (draw.normal(size=size).astype(dtype) for size in (3, 4))
    a = np.ones((3, 4), dtype)
    _ger(3, 4, x, y, a)
    np.testing.assert_allclose(a, 1 + np.outer(x, y), rtol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 5, 64, 65, 200, 1100])
def test_symmetric_products(n: int) -> None:
    """Blocks of all sizes, and the mirror of a result that stands transposed."""
    draw = np.random.default_rng(n)
    a = draw.normal(size=(n, 3))
    b = np.ascontiguousarray((a * [2.0, -1.0, 0.5]).T)
    for turned in (False, True):
        c = np.full((n, n), np.nan)
        _gemmt(n, 3, a, b, c, turned)
        np.testing.assert_allclose(c, a @ b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 5, 80])
def test_matrix_functions(n: int) -> None:
    """inv, det, logdet against NumPy on several sizes."""
    a = np.random.default_rng(n).normal(size=(n, n)) + np.eye(n) * 3
    out = np.empty_like(a)
    linalg.inv(a, out)
    np.testing.assert_allclose(out, np.linalg.inv(a), rtol=1e-9, atol=1e-12)
    sign, size = np.linalg.slogdet(a)
    np.testing.assert_allclose(linalg.det(a), np.linalg.det(a), rtol=1e-10)
    np.testing.assert_allclose(linalg.logdet(a), size if sign > 0 else np.nan, rtol=1e-10)


@pytest.mark.parametrize("n", [3, 80])
def test_singular_matrices(n: int) -> None:
    """No exception: NaN, 0 and -inf, and NaN for NaN."""
    a = np.zeros((n, n))
    out = np.empty_like(a)
    linalg.inv(a, out)
    assert np.isnan(out).all()
    assert linalg.det(a) == 0
    assert linalg.logdet(a) == -np.inf
    assert np.isnan(linalg.det(a * np.nan))


NORMS = [([3e200, 4e200], 5e200), ([3e-200, 4e-200], 5e-200), ([], 0), ([0.0], 0),
         ([np.inf, 1], np.inf), ([1e-320], 1e-320), ([3.0, -4.0], 5)]  # fmt: skip


@pytest.mark.parametrize(("vector", "expected"), NORMS)
def test_norm(vector: list[float], expected: float) -> None:
    """Squares neither overflow nor vanish."""
    assert linalg.norm(np.array(vector, float)) == pytest.approx(expected, rel=1e-15)
    assert np.isnan(linalg.norm(np.array([*vector, np.nan])))
