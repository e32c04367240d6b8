"""Products by tiles: every remainder of rows, columns and terms, strides, precisions; and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from tensorcalc.kernels import blas, tile

DTYPES = (np.float64, np.float32)


@njit
def _tiled(shape, turned, adds, a, b, c):  # type: ignore[no-untyped-def]
    m, n, k = shape
    ars, acs = (1, m + 1) if turned[0] else (k + 1, 1)
    brs, bcs = (1, k + 2) if turned[1] else (n + 2, 1)
    if tile.lanes(a) == 0:  # a processor without them
        blas.whole_gemm(m, n, k, 1.0, a, 1, ars, acs, b, 2, brs, bcs, adds, c, 3, n + 3, 1)
    else:
        tile.tiled(m, n, k, a, 1, ars, acs, b, 2, brs, bcs, adds, c, 3, n + 3)


@njit
def _is_tiled(a, m, n, k, turned):  # type: ignore[no-untyped-def]
    return tile.lanes(a), tile.is_tiled(a, m, n, k, turned)


@njit
def _gemm(m, n, k, a, b, c, by_columns):  # type: ignore[no-untyped-def]
    crs, ccs = (1, m) if by_columns else (n, 1)
    blas.gemm(m, n, k, 1.0, a, 0, k, 1, b, 0, 1, k, 0.0, c, 0, crs, ccs)


def _matrix(flat: Any, offset: int, shape: tuple[int, int], more: int, turned: bool) -> Any:
    rows, columns = shape[::-1] if turned else shape
    strides = ((columns + more) * flat.itemsize, flat.itemsize)
    found = np.lib.stride_tricks.as_strided(flat[offset:], (rows, columns), strides)
    return found.T if turned else found


# one more and one less than whole tiles of either width, blocks of terms and of rows
SHAPES = [(m, n, k) for m in (1, 4, 5, 9) for n in (1, 7, 8, 25, 49) for k in (1, 3, 9)]
SHAPES += [(17, 25, 193), (129, 30, 300), (8, 24, 192), (16, 48, 385), (140, 100, 250)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_products(dtype: Any, turned: tuple[bool, bool]) -> None:
    """Against NumPy; what lies between the rows of the result stays as it is."""
    draw = np.random.default_rng(1)
    for m, n, k in SHAPES:
        a, b = (draw.normal(size=(x + 2) * (y + 2) + 9).astype(dtype) for x, y in ((m, k), (k, n)))
        for adds in (0, 1):
            c = draw.normal(size=m * (n + 3) + 3).astype(dtype)
            if not adds:
                _matrix(c, 3, (m, n), 3, False)[:] = np.nan  # is not read
            expected = c.copy()
            result = _matrix(expected, 3, (m, n), 3, False)
            product = _matrix(a, 1, (m, k), 1, turned[0]) @ _matrix(b, 2, (k, n), 2, turned[1])
            result[:] = product + (result if adds else 0)
            _tiled((m, n, k), turned, adds, a, b, c)
            bound = 1e-12 if dtype is np.float64 else 2e-4
            np.testing.assert_allclose(c, expected, bound, bound * k, err_msg=f"{(m, n, k)}")


def test_not_a_number() -> None:
    """A NaN stands in its row and column only, though rows and columns are computed beyond."""
    m, n, k = 9, 25, 3
    a, b, c = np.ones(m * k + 9 + m), np.ones((n + 2) * k + 9), np.zeros(m * (n + 3) + 3)
    a[1 + 8 * (k + 1)] = np.nan
    b[2 + 24] = np.inf
    _tiled((m, n, k), (False, False), 0, a, b, c)
    found = _matrix(c, 3, (m, n), 3, False)
    assert np.isnan(found[8]).all()
    assert np.isinf(found[:8, 24]).all()
    assert (found[:8, :24] == 3).all()


@pytest.mark.parametrize(
    ("shape", "turned", "expected"),
    [
        ((4, 100, 100), False, False),  # few rows
        ((100, 7, 100), False, False),  # few columns
        ((100, 100, 0), True, False),  # no terms
        ((128, 128, 128), False, True),
        ((2000, 2000, 2000), False, False),
        ((2000, 2000, 2000), True, False),
    ],
)
def test_where(shape: tuple[int, int, int], turned: bool, expected: bool) -> None:
    """What BLAS does faster is left to it."""
    lanes, found = _is_tiled(np.ones(1), *shape, turned)
    assert found == (expected and lanes > 0)


@pytest.mark.parametrize("by_columns", [False, True])
def test_results_by_columns(by_columns: bool) -> None:
    """A result whose columns lie together is the transposed product."""
    m, n, k = 70, 90, 80
    draw = np.random.default_rng(2)
    a, b = draw.normal(size=(m, k)), draw.normal(size=(n, k))
    c = np.zeros(m * n)
    _gemm(m, n, k, a.ravel(), b.ravel(), c, by_columns)
    found = c.reshape(n, m).T if by_columns else c.reshape(m, n)
    np.testing.assert_allclose(found, a @ b.T, 1e-12, 1e-12)
