"""Functions of whole matrices for kernels: a C-contiguous array in, a number or an array out."""

from __future__ import annotations

import math
from typing import Any

from numba import float64, int32, njit, types

from tensorcalc.kernels.blas import N, _gemm
from tensorcalc.kernels.elementwise import accumulate
from tensorcalc.kernels.factor import (
    factor_det,
    factor_inverse,
    factor_logdet,
    factor_solve,
    factorize,
)
from tensorcalc.kernels.memory import empty
from tensorcalc.kernels.subroutine import compact, subroutine

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


@njit(**OPTIONS)
def inv(a, out):
    """Fill out (n, n) with the inverse of a (n, n); NaN where there is none."""
    lu, pivots = empty(out.shape, out.dtype), empty((a.shape[0],), int32)
    factor_inverse(lu, pivots, factorize(a, lu, pivots), out)


@njit(**OPTIONS)
def det(a):
    """The determinant of a (n, n)."""
    lu, pivots = empty(a.shape, a.dtype), empty((a.shape[0],), int32)
    return factor_det(lu, pivots, factorize(a, lu, pivots))


@njit(**OPTIONS)
def logdet(a):
    """The logarithm of the determinant of a (n, n); NaN where that is negative."""
    lu, pivots = empty(a.shape, a.dtype), empty((a.shape[0],), int32)
    return factor_logdet(lu, pivots, factorize(a, lu, pivots))


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


@subroutine(types.void)
def _multiply(a, b, out):
    """Fill out (n, n) with the product of a and b, both (n, n) and not out."""
    compact()
    n = a.shape[0]
    if n >= 8:  # to Fortran, out' = b'*a'
        _gemm((N, N, n, n, n, 1.0, b, 0, n, a, 0, n, 0.0, out, 0, n))
        return
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@subroutine(types.void)
def matrix_power(a, exponent, out):
    """Fill out (n, n) with an integer power of a (n, n), by repeated squaring."""
    compact()
    if exponent != math.floor(exponent) or not math.isfinite(exponent):
        raise ValueError("the exponent of a power of a matrix is no integer")
    n = a.shape[0]
    square, other = empty((n, n), float64), empty((n, n), float64)
    result = empty((n, n), float64)
    for i in range(n):
        for j in range(n):
            square[i, j] = a[i, j]
            result[i, j] = 1.0 if i == j else 0.0
    if exponent < 0:
        inv(square, other)
        square, other = other, square
    count = int(abs(exponent))
    while count > 0:
        if count % 2 == 1:
            _multiply(result, square, other)
            result, other = other, result
        count //= 2
        if count > 0:
            _multiply(square, square, other)
            square, other = other, square
    for i in range(n):
        for j in range(n):
            out[i, j] = result[i, j]


# numerator of the Padé approximation of degree 13, and the norm up to which it holds in float64:
# Higham, "The scaling and squaring method for the matrix exponential revisited" (2005)
PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
    40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
PADE_NORM = 5.371920351148152


@subroutine(types.void)
def expm(a, out):
    """Fill out (n, n) with the exponential of the matrix a (n, n); NaN if a is not finite."""
    compact()
    n = a.shape[0]
    norm_1 = 0.0
    for j in range(n):
        total = 0.0
        for i in range(n):
            total += abs(float(a[i, j]))
        norm_1 = total if total > norm_1 or total != total else norm_1
    scale = 1.0 if norm_1 < math.inf else math.nan
    squarings = 0
    while PADE_NORM < norm_1 < math.inf:
        norm_1 *= 0.5
        scale *= 0.5
        squarings += 1
    x, x2 = empty((n, n), float64), empty((n, n), float64)
    x4, x6 = empty((n, n), float64), empty((n, n), float64)
    low, high = empty((n, n), float64), empty((n, n), float64)
    even, odd = empty((n, n), float64), empty((n, n), float64)
    for i in range(n):
        for j in range(n):
            x[i, j] = a[i, j] * scale
    _multiply(x, x, x2)
    _multiply(x2, x2, x4)
    _multiply(x2, x4, x6)
    for parity in range(2):  # the even powers, then the odd ones over x
        p0, p2, p4, p6 = PADE[parity], PADE[parity + 2], PADE[parity + 4], PADE[parity + 6]
        p8, p10, p12 = PADE[parity + 8], PADE[parity + 10], PADE[parity + 12]
        for i in range(n):
            for j in range(n):
                high[i, j] = p12 * x6[i, j] + p10 * x4[i, j] + p8 * x2[i, j]
        _multiply(x6, high, low)
        for i in range(n):
            for j in range(n):
                low[i, j] += p6 * x6[i, j] + p4 * x4[i, j] + p2 * x2[i, j]
                low[i, j] += p0 if i == j else 0.0
                if parity == 0:
                    even[i, j] = low[i, j]
    _multiply(x, low, odd)
    for i in range(n):
        for j in range(n):
            low[i, j], high[i, j] = even[i, j] - odd[i, j], even[i, j] + odd[i, j]
    pivots = empty((n,), int32)
    factor_solve(x, pivots, factorize(low, x, pivots), 0, high, high)
    for _ in range(squarings):
        _multiply(high, high, low)
        high, low = low, high
    for i in range(n):
        for j in range(n):
            out[i, j] = high[i, j]
