"""LAPACK for kernels, declared as `kernels/blas.py` declares BLAS: the routines of SciPy's library.

Each takes its Fortran arguments as one tuple, an array with an offset into it, and gives ``info``:
0, or the (1-based) place where it failed. To Fortran a C-contiguous matrix is its transpose.
"""

from __future__ import annotations

import scipy.linalg.cython_lapack

from tensorcalc.kernels.blas import _declare, _register

FACTORIZATIONS = {
    "potrf": "cipio",  # uplo, n, a, lda
    "potri": "cipio",  # uplo, n, a, lda
    "getrf": "iipipo",  # m, n, a, lda, pivots (int32)
    "getri": "ipippio",  # n, a, lda, pivots, work, its size
}

_register(scipy.linalg.cython_lapack.__pyx_capi__, list(FACTORIZATIONS))

potrf = _declare("potrf", FACTORIZATIONS["potrf"])
potri = _declare("potri", FACTORIZATIONS["potri"])
getrf = _declare("getrf", FACTORIZATIONS["getrf"])
getri = _declare("getri", FACTORIZATIONS["getri"])
