"""Copies for kernels, between arrays with offsets and strides as `kernels/blas.py` takes them."""

from __future__ import annotations

from numba import njit

COPY_TILE = 64  # what is read of a cache line is used before the line is evicted


@njit(nogil=True, error_model="numpy")
def transpose(m, n, a, oa, ars, acs, b, ob, brs, bcs):
    """``b = a'`` for a (m, n) and b (n, m), tile by tile; they do not overlap."""
    source, target = a.reshape(-1), b.reshape(-1)
    for i0 in range(0, m, COPY_TILE):
        rows = min(COPY_TILE, m - i0)
        for j0 in range(0, n, COPY_TILE):
            for j in range(j0, min(j0 + COPY_TILE, n)):
                p = oa + i0 * ars + j * acs
                q = ob + j * brs + i0 * bcs
                for i in range(rows):
                    target[q + i * bcs] = source[p + i * ars]
