"""Transposing copies: offsets, strides, sizes around the tile, precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from tensorcalc.kernels import copy


@njit
def _run(m, n, a, row, column, b):  # type: ignore[no-untyped-def]
    copy.transpose(m, n, a, 3, row, column, b, 2, m, 1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (0, 4), (4, 0), (64, 65), (130, 70)])
def test_transpose(shape: tuple[int, int], dtype: Any) -> None:
    """Rows apart, columns apart, and nothing else is written."""
    m, n = shape
    a = np.random.default_rng(0).normal(size=3 + 2 * m * n + 2 * n).astype(dtype)
    a.flags.writeable = False
    for row, column in ((n, 1), (n + 2, 1), (2 * n, 2), (1, m)):
        index = 3 + np.add.outer(np.arange(m) * row, np.arange(n) * column)
        b = np.full(m * n + 4, 7, dtype)
        _run(m, n, a, row, column, b)
        np.testing.assert_array_equal(b[2 : 2 + m * n].reshape(n, m), a[index].T)
        assert (b[:2] == 7).all() and (b[2 + m * n :] == 7).all()
