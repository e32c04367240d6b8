"""The number of threads that kernels use: one setting of the process, read when a kernel is called.

It imports nothing of NumPy's: `emit/pool.py` has the threads themselves.
"""

from __future__ import annotations

import os
import sys

# where the number comes from if nobody has set it, in this order
VARIABLES = ("TENSORCALC_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
OWN = VARIABLES[0]

_number = 0  # 0: not known yet
_chosen = False  # whether somebody has set it for tensorcalc


def threads(count: int | None = None) -> int:
    """Set the number of threads that kernels use, if one is given, and return the number in force.

    Before it is set, it is that of the environment variable ``TENSORCALC_NUM_THREADS``, else of
    ``OMP_NUM_THREADS`` or ``NUMBA_NUM_THREADS``, else the number of processors that the process may
    run on. It holds for the whole process, from the next call of a kernel on; SciPy's BLAS, which
    kernels call, is told a number that was set here or by ``TENSORCALC_NUM_THREADS``.

    Results are the same, bit by bit, for the same number of threads.

    >>> threads(2)
    2
    >>> threads()
    2
    """
    global _number, _chosen
    if count is not None:
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise TypeError(f"the number of threads must be an integer from 1, not {count!r}")
        _number, _chosen = count, True
        pool = sys.modules.get("tensorcalc.emit.pool")
        if pool is not None:  # else it asks when it is imported
            pool.set_blas(count)
    elif not _number:
        _number = next(filter(None, map(_from, VARIABLES)), 0) or _processors()
    return _number


def chosen() -> int:
    """The number that was set for tensorcalc, not for others as well; 0 if there is none."""
    return threads() if _chosen or _from(OWN) else 0


def _from(variable: str) -> int:
    """The number in an environment variable; OpenMP's may be one per level. 0 if there is none."""
    text = os.environ.get(variable, "").split(",")[0].strip()
    return int(text) if text.isdecimal() and len(text) < 5 else 0


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
