"""Functions of whole matrices for kernels: a C-contiguous array in, a number or an array out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from tensorcalc.kernels.elementwise import accumulate

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


@njit(**OPTIONS)
def _lu(a):
    """The LU factors of a (n, n) with partial pivoting in float64, the pivots, and the sign.

    A matrix that is exactly singular keeps a zero on the diagonal.
    """
    n = a.shape[0]
    lu = np.empty((n, n), np.float64)
    for i in range(n):
        for j in range(n):
            lu[i, j] = a[i, j]
    pivots = np.empty(n, np.int64)
    sign = 1.0
    for k in range(n):
        p = k
        largest = abs(lu[k, k])
        for i in range(k + 1, n):
            size = abs(lu[i, k])
            if size > largest or size != size:
                p, largest = i, size
        pivots[k] = p
        if p != k:
            sign = -sign
            for j in range(n):
                lu[k, j], lu[p, j] = lu[p, j], lu[k, j]
        if lu[k, k] == 0.0:
            continue
        for i in range(k + 1, n):
            factor = lu[i, k] / lu[k, k]
            lu[i, k] = factor
            if factor != 0.0:
                for j in range(k + 1, n):
                    lu[i, j] -= factor * lu[k, j]
    return lu, pivots, sign


@njit(**OPTIONS)
def _finite(a):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if not math.isfinite(a[i, j]):
                return False
    return True


LARGE = 64  # from here LAPACK is faster than plain loops


@njit(**OPTIONS)
def inv(a, out):
    """Fill out (n, n) with the inverse of a (n, n); NaN where there is none."""
    n = a.shape[0]
    lu, pivots, _ = (
        _lu(a) if n < LARGE else (np.empty((0, 0), np.float64), np.empty(0, np.int64), 0.0)
    )
    if n >= LARGE:
        _, log_size = _slogdet(a)
        if _finite(a) and log_size > -math.inf:
            out[:, :] = np.linalg.inv(a)
        else:
            out[:, :] = math.nan
        return
    singular = False
    for k in range(n):
        singular = singular or lu[k, k] == 0.0
    column = np.empty(n, np.float64)
    for j in range(n):
        for i in range(n):
            column[i] = 1.0 if i == j else 0.0
        for k in range(n):
            p = pivots[k]
            column[k], column[p] = column[p], column[k]
        for i in range(n):
            for k in range(i):
                column[i] -= lu[i, k] * column[k]
        for i in range(n - 1, -1, -1):
            for k in range(i + 1, n):
                column[i] -= lu[i, k] * column[k]
            column[i] /= lu[i, i]
        for i in range(n):
            out[i, j] = math.nan if singular else column[i]


@njit(**OPTIONS)
def _slogdet(a):
    if a.shape[0] >= LARGE and _finite(a):
        sign, log_size = np.linalg.slogdet(a)
        return float(sign), float(log_size)
    lu, _, sign = _lu(a)
    log_size = 0.0
    for k in range(lu.shape[0]):
        pivot = lu[k, k]
        if pivot < 0.0:
            sign = -sign
        if pivot == 0.0:
            return 0.0, -math.inf
        log_size += math.log(abs(pivot))
    return sign, log_size


@njit(**OPTIONS)
def det(a):
    """The determinant of a (n, n)."""
    if a.shape[0] >= LARGE and _finite(a):
        return float(np.linalg.det(a))
    lu, _, sign = _lu(a)
    for k in range(lu.shape[0]):
        sign *= lu[k, k]
    return sign


@njit(**OPTIONS)
def logdet(a):
    """The logarithm of the determinant of a (n, n); NaN where that is negative."""
    sign, log_size = _slogdet(a)
    return math.nan if sign < 0.0 else log_size


@njit(**OPTIONS)
def norm(a):
    """The Euclidean norm of all entries; squares neither overflow nor vanish."""
    x = a.reshape(-1)
    total = 0.0
    for i in range(x.shape[0]):
        total = accumulate(total, float(x[i]) * float(x[i]))
    if 1e-280 < total < 1e300:
        return math.sqrt(total)
    scale = 0.0
    for i in range(x.shape[0]):
        size = abs(float(x[i]))
        if size > scale or size != size:
            scale = size
    if scale == 0.0 or not math.isfinite(scale):
        return scale
    total = 0.0
    for i in range(x.shape[0]):
        y = float(x[i]) / scale
        total += y * y
    return scale * math.sqrt(total)
