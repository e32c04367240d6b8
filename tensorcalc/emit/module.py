"""A kernel's source in, the text of the Python module that the cache compiles out.

It imports our helpers; `standalone.py` writes a module that does not.
"""

from __future__ import annotations

from tensorcalc._version import __version__
from tensorcalc.emit.cache import helpers_digest
from tensorcalc.emit.source import Source

ORDER = (
    "math", "hints", "memory", "subroutine", "elementwise", "tile", "blas", "lapack", "factor",
    "linalg", "copy",
)  # fmt: skip


def kernel_module(source: Source) -> str:
    """The text that the cache compiles."""
    lines = [
        '"""A kernel written by tensorcalc; its name is the digest of this text."""',
        f"# version {__version__}, helpers {helpers_digest()}",
        "from numpy import full",
        f"from numba import float64 as double, {source.dtype} as number, int32, njit, types",
    ]
    for module in ORDER:
        names = [name for where, name in source.uses if where == module]
        if names:
            place = "math" if module == "math" else f"tensorcalc.kernels.{module}"
            lines.append(f"from {place} import {', '.join(names)}")
    return "\n".join([*lines, "", "", decorator(source, "True"), source.body])


def decorator(source: Source, cache: str) -> str:
    """The line that compiles the kernel for its one signature.

    Arguments are declared read-only, which takes writeable arrays, too.
    """
    arguments = [
        f'types.Array(number, {rank}, "C", readonly=True)' if rank else "number"
        for rank in source.ranks
    ]
    arguments += [f'types.Array(number, {rank}, "C")' for rank in source.passed]
    arguments += ["types.intp"] * 2 if source.ranged else []
    signature = f"({', '.join(arguments)}{',' if len(arguments) == 1 else ''})"
    return f'@njit([{signature}], nogil=True, error_model="numpy", cache={cache})'
