"""Copies for kernels: an array with its axes in another order."""

from __future__ import annotations

from numba import int64, types

from tensorcalc.kernels.memory import zeros
from tensorcalc.kernels.subroutine import subroutine

TABLE = 512  # entries of the inner axes whose places are noted


@subroutine(types.void, addresses=True)
def permute(rank, extents, a, oa, source, b, ob, target):
    """``b = a``, of which `source` and `target` are the strides; they do not overlap.

    The places of the entries of the inner axes are noted once, so that short axes cost no loops.
    """
    outer = rank
    inner = 1
    while outer > 0 and (outer == rank or inner * extents[outer - 1] <= TABLE):
        outer -= 1
        inner *= extents[outer]
    if inner == 0:
        return
    places = zeros((2, inner), int64)
    count = 1
    for axis in range(rank - 1, outer - 1, -1):
        for k in range(count, count * extents[axis]):
            places[0, k] = places[0, k - count] + source[axis]
            places[1, k] = places[1, k - count] + target[axis]
        count *= extents[axis]
    is_dense = places[1, inner - 1] == inner - 1
    times = 1
    for axis in range(outer):
        times *= extents[axis]
    at = zeros((outer + 1,), int64)
    p, q = oa, ob
    for _ in range(times):
        if is_dense:
            for k in range(inner):
                b[q + k] = a[p + places[0, k]]
        else:
            for k in range(inner):
                b[q + places[1, k]] = a[p + places[0, k]]
        for axis in range(outer - 1, -1, -1):
            at[axis] += 1
            p += source[axis]
            q += target[axis]
            if at[axis] < extents[axis]:
                break
            p -= extents[axis] * source[axis]
            q -= extents[axis] * target[axis]
            at[axis] = 0
