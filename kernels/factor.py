"""One factorization of a square matrix for its inverse, determinant and solutions, in Numba.

`factorize` fills ``lu`` (n, n) and ``pivots`` (n, int32) and says what they hold:

- kind 1: the upper triangle R of a Cholesky factorization, ``a = R'*R``;
- kind 0: lower G and unit upper H with ``a = G*H*P'``, LAPACK's LU of the transpose; in step k the
  columns k and ``pivots[k] - 1`` were exchanged.

All arrays are C-contiguous and of one type, float64 or float32. No function raises: where there is
no inverse, or ``a`` is not finite, the results are NaN.
"""

from __future__ import annotations

import math

from numba import types

from tensorcalc.kernels.blas import L, N, R, T, U, _trsm, _trsv
from tensorcalc.kernels.lapack import getrf, getri, potrf, potri
from tensorcalc.kernels.memory import empty
from tensorcalc.kernels.subroutine import compact, subroutine

BLOCK = 64  # columns that LAPACK inverts at once
TILE = 32  # both sides of a transposing copy stay in the cache


@subroutine(types.int64)
def factorize(a, lu, pivots):
    """Factorize a (n, n), which stays as it is, into lu and pivots; the kind of the factors.

    Cholesky if `a` is exactly symmetric and positive definite; else LU, which keeps a zero on its
    diagonal if `a` is exactly singular. A triangular matrix is its own LU, but for the scale of the
    rows of an upper one.
    """
    compact()
    n = a.shape[0]
    lower = upper = n > 0
    for i in range(n):
        j = i + 1
        while lower and j < n:
            lower = a[i, j] == 0.0
            j += 1
        j = 0
        while upper and j < i:
            upper = a[i, j] == 0.0
            j += 1
    definite = n > 0 and not lower and not upper
    for i in range(n):
        definite &= a[i, i] > 0.0
    if definite:
        for i0 in range(0, n, TILE):  # the upper triangle, compared with the lower one
            for j0 in range(i0, n, TILE):
                for i in range(i0, min(i0 + TILE, n) if definite else i0):
                    for j in range(max(i, j0), min(j0 + TILE, n)):
                        lu[i, j] = a[i, j]
                        definite &= a[i, j] - a[j, i] == 0.0  # not if they are infinite
        if definite and potrf((L, n, lu, 0, n)) == 0:
            return 1
    finite = True
    for i in range(n):
        pivots[i] = i + 1
        for j in range(n):
            lu[i, j] = a[i, j]
            finite &= a[i, j] - a[i, j] == 0.0
    if not finite:
        for i in range(n):
            for j in range(n):
                lu[i, j] = math.nan
    elif upper and not lower:
        for i in range(n):
            scale = a[i, i]
            for j in range(i + 1, n if scale != 0.0 else i):
                lu[i, j] = a[i, j] / scale
    elif n > 0 and not lower:
        getrf((n, n, lu, 0, n, pivots, 0))
    return 0


@subroutine(types.float64)
def factor_logdet(lu, pivots, kind):
    """The logarithm of the determinant: NaN where that is negative, -inf where it is 0."""
    compact()
    total = 0.0
    product = 1.0  # of pivots, in a safe range: logarithms are slow
    negative = False
    for k in range(lu.shape[0]):
        pivot = float(lu[k, k])
        if pivot == 0.0:
            return -math.inf
        negative ^= kind == 0 and (pivot < 0.0) != (pivots[k] != k + 1)
        pivot = abs(pivot)
        if 1e-150 < pivot < 1e150:
            product *= pivot
        else:
            total += math.log(pivot)
        if not 1e-150 < product < 1e150:
            total += math.log(product)
            product = 1.0
    total += math.log(product)
    if kind == 1:
        total *= 2.0
    return math.nan if negative else total


@subroutine(types.float64)
def factor_det(lu, pivots, kind):
    """The determinant."""
    compact()
    result = 1.0
    smallest = 1.0
    for k in range(lu.shape[0]):
        pivot = float(lu[k, k])
        if pivot == 0.0:
            return 0.0
        result *= pivot
        if kind == 1:
            result *= pivot
        elif pivots[k] != k + 1:
            result = -result
        smallest = min(smallest, abs(result))
    if smallest < 1e-290 or abs(result) == math.inf:  # a product on the way left the range
        size = 0.0
        sign = 1.0
        for k in range(lu.shape[0]):
            pivot = float(lu[k, k])
            size += math.log(abs(pivot))
            if kind == 0 and (pivot < 0.0) != (pivots[k] != k + 1):
                sign = -sign
        result = sign * math.exp(2.0 * size if kind == 1 else size)
    return result


@subroutine(types.void)
def factor_inverse(lu, pivots, kind, out):
    """Fill out (n, n), which is not lu, with the inverse."""
    compact()
    n = lu.shape[0]
    for i in range(n):
        for j in range(n):
            out[i, j] = lu[i, j]
    if kind == 1:
        potri((L, n, out, 0, n))
        for i0 in range(0, n, TILE):
            for j0 in range(0, i0 + 1, TILE):
                for i in range(i0, min(i0 + TILE, n)):
                    for j in range(j0, min(j0 + TILE, i)):
                        out[i, j] = out[j, i]
    elif n > 0 and getri((n, out, 0, n, pivots, 0, empty((BLOCK, n), lu.dtype), 0, BLOCK * n)):
        for i in range(n):
            for j in range(n):
                out[i, j] = math.nan


@subroutine(types.void)
def factor_solve(lu, pivots, kind, transposed, b, out):
    """Fill out (n, m) with ``inv(a)*b``, or ``inv(a')*b``; b (n, m) may be out.

    To Fortran an equation ``t*y = x`` is ``y'*t' = x'`` with its own t' and x': a solution from
    the right, without any copy.
    """
    compact()
    n, m = out.shape
    singular = m == 0
    for k in range(n):
        singular |= not abs(lu[k, k]) > 0.0  # 0 or NaN
    for i in range(n):
        for j in range(m):
            out[i, j] = math.nan if singular else b[i, j]
    if singular:
        return
    for stage in range(4):  # exchange if transposed; two triangles; exchange if not
        if stage == 0 or stage == 3:
            for step in range(n if kind == 0 and transposed == (stage == 0) else 0):
                k = step if transposed else n - 1 - step
                p = pivots[k] - 1
                for j in range(m):
                    out[k, j], out[p, j] = out[p, j], out[k, j]
            continue
        upper = kind == 1 or stage - 1 != transposed
        triangle = L if upper else U
        diagonal = U if upper and kind == 0 else N
        across = stage == 1 if kind == 1 else transposed == 1  # the triangle stands transposed
        if m == 1:
            _trsv((triangle, N if across else T, diagonal, n, lu, 0, n, out, 0, 1))
        else:
            turn = T if across else N
            _trsm((R, triangle, turn, diagonal, m, n, 1.0, lu, 0, n, out, 0, m))
