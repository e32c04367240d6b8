"""NumPy arrays and numbers in expressions -> the nodes of constants. Used by `python_operands.py`.

A small array is written out, as ``[1, 2; 3, 4]`` is in a program, so that it prints and reads
back. Any other becomes `Data`, a private copy. NumPy is imported only where there is an array.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError, LimitError
from tensorcalc.ir import Basis, Data, Node
from tensorcalc.limits import current as limits

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

MAX_WRITTEN = 64  # entries of an array that is written out
MAX_INTEGER = 2**53  # beyond, a float does not hold every integer


def constant(item: object) -> Node | None:
    """The node of a number or an array; None of what is neither.

    >>> constant(0.5) is canonical.number(Fraction(1, 2))
    True
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(item, numpy.ndarray) and item.ndim:
            return _tensor(item)
        if isinstance(item, numpy.ndarray):
            item = item[()]
        if isinstance(item, numpy.generic) and not isinstance(item, numpy.number):
            return None
    if isinstance(item, bool | str | bytes):
        return None
    try:
        value = item if isinstance(item, Fraction) else Fraction(str(item))
    except (ValueError, ArithmeticError):
        return None
    return canonical.number(value)


def _tensor(given: Array) -> Node:
    import numpy as np

    if isinstance(given, np.ma.MaskedArray):
        raise DomainError("a masked array is no constant", None, "fill it: use array.filled(0)")
    array = np.asarray(given)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "biufc" or size > (16 if kind == "c" else 8):
        what = "objects" if kind == "O" else f"type {array.dtype}"
        raise DomainError(
            f"an array of {what} is no constant", None, "convert it: use array.astype(float)"
        )
    if array.ndim > limits().rank:
        raise LimitError(f"an array has {array.ndim} axes, more than {limits().rank} (limit rank)")
    if array.ndim <= 2 and array.size <= MAX_WRITTEN and kind != "c" and np.all(np.isfinite(array)):
        return _written(array)
    if kind in "iu" and np.any((array > MAX_INTEGER) | (array < -MAX_INTEGER)):
        raise DomainError(
            "an array has integers beyond 2^53, which floats do not hold",
            None,
            "convert it: use array.astype(float)",
        )
    single = kind == "f" and size <= 4
    target = np.complex128 if kind == "c" else np.float32 if single else np.float64
    own = np.array(array, dtype=target, order="C")
    own.flags.writeable = False
    return Data.of(own)


def _written(array: Array) -> Node:
    """The sum of the entries at their places, each the number that its shortest decimal is."""
    dims = tuple([Dim.of(n) for n in array.shape])
    terms = []
    for place in product(*[range(n) for n in array.shape]):
        entry = array[place]
        value = Fraction(int(entry)) if array.dtype.kind in "biu" else Fraction(str(entry))
        # along an axis of size 1 a broadcast, which prints as what it is
        factors = [
            (Basis.of(dims[axis], k), (axis,))
            for axis, k in enumerate(place)
            if array.shape[axis] > 1
        ]
        terms.append((value, canonical.einsum(len(dims), dims, factors)))
    return canonical.add(dims, terms)
