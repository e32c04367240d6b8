"""BLAS for kernels: arrays with offsets and strides in, sums of products accumulated in place.

Numba's own `np.dot` copies what is not contiguous and cannot accumulate. Here the functions of
SciPy's `cython_blas` are registered with LLVM under fixed names and declared by intrinsics, so a
kernel that calls them can be cached: a later process registers the same names again.

A matrix is given as (array, offset, row stride, column stride), in elements; one of the strides
is 1. A vector is (array, offset, stride). ``beta`` is 0 to overwrite and 1 to accumulate.
"""

from __future__ import annotations

import ctypes
from typing import Any

import llvmlite.binding
import scipy.linalg.cython_blas
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tensorcalc.kernels.subroutine import address, compact, subroutine
from tensorcalc.kernels.tile import is_tiled, tiled

# what each routine takes: c a letter, i an int, f a number, p an array and an offset into it,
# o an int that it sets, which becomes the value of the call
ROUTINES = {
    "gemv": "ciifpipifpi",
    "ger": "iifpipipi",
    "gemm": "cciiifpipifpi",
    "syrk": "cciifpifpi",
    "trsm": "cccciifpipi",
    "trsv": "cccipipi",
}
PREFIXES = {types.float64: "d", types.float32: "s"}


def _register(table: dict[str, Any], routines: list[str]) -> None:
    """Tell LLVM where the routines are, under names that stay the same in every process."""
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    for routine in routines:
        for prefix in PREFIXES.values():
            capsule = table[prefix + routine]
            llvmlite.binding.add_symbol(
                f"tensorcalc_{prefix}{routine}", address(capsule, name_of(capsule))
            )


_register(scipy.linalg.cython_blas.__pyx_capi__, [*ROUTINES, "dot"])


def _declare(routine: str, kinds: str, result: bool = False) -> Any:
    """An intrinsic that calls `routine`; Fortran takes every argument by its address."""

    def typing(typingctx, arguments):
        arrays = [t for t in arguments if isinstance(t, types.Array | types.CPointer)]
        number = arrays[0].dtype
        name = f"tensorcalc_{PREFIXES[number]}{routine}"

        def codegen(context, builder, signature, args):
            values = cgutils.unpack_tuple(builder, args[0])
            given = list(zip(signature.args[0], values, strict=True))
            lowered, pointers, position, info = [], [], 0, None
            for kind in kinds:
                if kind == "o":
                    info = cgutils.alloca_once(builder, ir.IntType(32))
                    lowered.append(info)
                    pointers.append(info.type)
                    continue
                vtype, value = given[position]
                position += 1
                if kind == "p":
                    data = address(context, builder, vtype, value)
                    otype, offset = given[position]
                    position += 1
                    offset = context.cast(builder, offset, otype, types.intp)
                    lowered.append(builder.gep(data, [offset]))
                    pointers.append(data.type)
                    continue
                target = {"c": types.int8, "i": types.int32, "f": number}[kind]
                cast = context.cast(builder, value, vtype, target)
                slot = cgutils.alloca_once_value(builder, cast)
                lowered.append(slot)
                pointers.append(slot.type)
            returned = context.get_value_type(number) if result else ir.VoidType()
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(returned, pointers), name
            )
            value = builder.call(function, lowered)
            if info is not None:
                return builder.load(info)
            return value if result else context.get_dummy_value()

        value_type = types.int32 if "o" in kinds else number if result else types.void
        return value_type(arguments), codegen

    return intrinsic(typing)


_gemv = _declare("gemv", ROUTINES["gemv"])
_ger = _declare("ger", ROUTINES["ger"])
_gemm = _declare("gemm", ROUTINES["gemm"])
_syrk = _declare("syrk", ROUTINES["syrk"])
_trsm = _declare("trsm", ROUTINES["trsm"])
_trsv = _declare("trsv", ROUTINES["trsv"])
_dot = _declare("dot", "ipipi", result=True)

N, T, L, U, R = ord("N"), ord("T"), ord("L"), ord("U"), ord("R")


@subroutine(types.float64, addresses=True)
def dot(n, x, ox, incx, y, oy, incy):
    """``sum(x*y)`` of vectors (n)."""
    compact()
    return _dot((n, x, ox, incx, y, oy, incy))


@subroutine(types.void, addresses=True)
def gemv(m, n, alpha, a, oa, ars, acs, x, ox, incx, beta, y, oy, incy):
    """``y = alpha*a*x + beta*y`` for a (m, n), x (n), y (m)."""
    compact()
    if m <= 0:
        return
    if n <= 0:  # BLAS would return without touching y
        if beta == 0.0:
            for i in range(m):
                y[oy + i * incy] = 0.0
        return
    if acs == 1:
        _gemv((T, n, m, alpha, a, oa, ars if ars > n else n, x, ox, incx, beta, y, oy, incy))
    else:
        _gemv((N, m, n, alpha, a, oa, acs if acs > m else m, x, ox, incx, beta, y, oy, incy))


@subroutine(types.void, addresses=True)
def ger(m, n, alpha, x, ox, incx, y, oy, incy, a, oa, ars, acs):
    """``a += alpha*x*y'`` for x (m), y (n), a (m, n)."""
    compact()
    if m <= 0 or n <= 0:
        return
    if acs == 1:
        _ger((n, m, alpha, y, oy, incy, x, ox, incx, a, oa, ars if ars > n else n))
    else:
        _ger((m, n, alpha, x, ox, incx, y, oy, incy, a, oa, acs if acs > m else m))


@subroutine(types.void, addresses=True)
def whole_gemm(m, n, k, alpha, a, oa, ars, acs, b, ob, brs, bcs, beta, c, oc, crs, ccs):
    """What `gemm` does, always by BLAS, which may use several threads."""
    compact()
    if m <= 0 or n <= 0:
        return
    if k <= 0:
        if beta == 0.0:
            for i in range(m):
                for j in range(n):
                    c[oc + i * crs + j * ccs] = 0.0
        return
    if ccs == 1:  # row by row: to Fortran this is c' = b'*a'
        if bcs == 1:
            tb, ldb = N, brs if brs > n else n
        else:
            tb, ldb = T, bcs if bcs > k else k
        if acs == 1:
            ta, lda = N, ars if ars > k else k
        else:
            ta, lda = T, acs if acs > m else m
        _gemm((tb, ta, n, m, k, alpha, b, ob, ldb, a, oa, lda, beta, c, oc, crs if crs > n else n))
    else:
        if ars == 1:
            ta, lda = N, acs if acs > m else m
        else:
            ta, lda = T, ars if ars > k else k
        if brs == 1:
            tb, ldb = N, bcs if bcs > k else k
        else:
            tb, ldb = T, brs if brs > n else n
        _gemm((ta, tb, m, n, k, alpha, a, oa, lda, b, ob, ldb, beta, c, oc, ccs if ccs > m else m))


@subroutine(types.void, addresses=True)
def gemm(m, n, k, alpha, a, oa, ars, acs, b, ob, brs, bcs, beta, c, oc, crs, ccs):
    """``c = alpha*a*b + beta*c`` for a (m, k), b (k, n), c (m, n).

    By tiles where these are faster than BLAS.
    """
    compact()
    if alpha == 1.0 and (beta == 0.0 or beta == 1.0):
        if ccs == 1 and is_tiled(a, m, n, k, bcs != 1):
            tiled(m, n, k, a, oa, ars, acs, b, ob, brs, bcs, beta != 0.0, c, oc, crs)
            return
        if crs == 1 and is_tiled(a, n, m, k, ars != 1):
            tiled(n, m, k, b, ob, bcs, brs, a, oa, acs, ars, beta != 0.0, c, oc, ccs)
            return
    whole_gemm(m, n, k, alpha, a, oa, ars, acs, b, ob, brs, bcs, beta, c, oc, crs, ccs)


@subroutine(types.void, addresses=True)
def syrk(n, k, alpha, a, oa, ars, acs, beta, c, oc, ldc):
    """``c = alpha*a*a' + beta*c`` for a (n, k) and symmetric c (n, n) with rows `ldc` apart."""
    compact()
    if n <= 0:
        return
    if k <= 0:
        if beta == 0.0:
            for i in range(n):
                for j in range(n):
                    c[oc + i * ldc + j] = 0.0
        return
    if acs == 1:
        _syrk((U, T, n, k, alpha, a, oa, ars if ars > k else k, beta, c, oc, ldc if ldc > n else n))
    else:
        _syrk((U, N, n, k, alpha, a, oa, acs if acs > n else n, beta, c, oc, ldc if ldc > n else n))
    _mirror(n, c, oc, ldc, 1)  # Fortran's upper triangle is our lower one


@subroutine(types.void, addresses=True)
def _mirror(n, c, oc, crs, ccs):
    """Fill the upper triangle of a matrix from the lower one, in tiles that stay cached."""
    compact()
    for i0 in range(0, n, 32):
        for j0 in range(0, i0 + 1, 32):
            for i in range(i0, min(i0 + 32, n)):
                for j in range(j0, min(j0 + 32, i)):
                    c[oc + j * crs + i * ccs] = c[oc + i * crs + j * ccs]


@subroutine(types.void, addresses=True)
def gemmt(n, k, alpha, a, oa, ars, acs, b, ob, brs, bcs, beta, c, oc, crs, ccs):
    """``c = alpha*a*b + beta*c`` for a (n, k), b (k, n), where the result is known symmetric.

    Only blocks on and below the diagonal are computed, small ones on it and ever larger ones below:
    half the work.
    """
    compact()
    leaf = (n + 15) // 16 if n > 1024 else 64
    for i in range(0, n, leaf):
        rows = leaf if leaf < n - i else n - i
        gemm(
            rows, rows, k, alpha, a, oa + i * ars, ars, acs, b, ob + i * bcs, brs, bcs, beta,
            c, oc + i * (crs + ccs), crs, ccs,
        )  # fmt: skip
    size = leaf
    while size < n:
        for i in range(0, n - size, 2 * size):
            below = i + size
            rows = size if size < n - below else n - below
            gemm(
                rows, size, k, alpha, a, oa + below * ars, ars, acs, b, ob + i * bcs, brs, bcs,
                beta, c, oc + below * crs + i * ccs, crs, ccs,
            )  # fmt: skip
        size *= 2
    _mirror(n, c, oc, crs, ccs)
