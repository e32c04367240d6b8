"""Variables and array-likes in, checked arrays and the number of every size out.

The door of everything that computes (`interpret/`, `kernel.py`): behind it no rank, dtype or size
is wrong any more, and a size of 1 never stands for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fractions import Fraction
from math import inf
from numbers import Integral
from typing import Any

import numpy as np

from tensorcalc.dims import Dim, display_names
from tensorcalc.errors import DomainError, ShapeError, UnknownNameError, quote
from tensorcalc.ir import (
    Basis,
    MatrixFunction,
    Node,
    Section,
    Variable,
    sizes_of,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.traverse import postorder

Array = np.ndarray[Any, np.dtype[Any]]

# matrix functions of a square argument
SQUARE = frozenset(n for n, entry in MATRIX_FUNCTIONS.items() if "(n, n)" in entry.argument)
# where DLPack says an array lies: in the CPU's memory, also as pinned for CUDA or ROCm
HOST_DEVICES = frozenset({1, 3, 11})
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def to_float(value: Fraction) -> float:
    """The nearest float; numbers beyond its range become infinite."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def read_array(name: str, value: object) -> Array:
    """The value as NumPy sees it: the same memory if it is an array, also another library's.

    Arrays of PyTorch and JAX come through ``__array__``, others through ``__dlpack__``.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise DomainError(f"{quote(name)} is a masked array", hint="fill it: use value.filled(0)")
    try:
        if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack_device__"):
            return _foreign(name, value)
        return np.asarray(float(value) if type(value) is int else value)
    except (ValueError, TypeError, OverflowError, RuntimeError, BufferError) as error:
        said = str(error).partition("\n")[0]
        raise DomainError(f"{quote(name)} cannot be read as an array: {said}") from None


def _foreign(name: str, value: Any) -> Array:
    """The array that an object of another library holds, not copied."""
    if getattr(value, "requires_grad", False) is True:
        raise DomainError(
            f"{quote(name)} requires a gradient, which a kernel does not record",
            hint="use value.detach(), or tensorcalc.interop.torch.function for the derivative",
        )
    device = int(value.__dlpack_device__()[0])
    if device not in HOST_DEVICES:
        raise DomainError(
            f"{quote(name)} is on another device ({getattr(value, 'device', device)})",
            hint="move it to the CPU first",
        )
    return np.asarray(value) if hasattr(value, "__array__") else np.from_dlpack(value)


def as_array(name: str, value: object, turned: float = inf, *, is_complex: bool = False) -> Array:
    """The value as a native, C-contiguous float32 or float64 array; a copy only if it must be.

    Python numbers and integers become float64, with `is_complex` anything becomes complex128.
    What has no meaning as such a number is refused.
    An array in Fortran's order of at least `turned` bytes stays as it is.
    """
    array = read_array(name, value)
    kind = array.dtype.kind
    if kind == "c" and not is_complex:
        raise DomainError(f"{quote(name)} is complex", hint="declare it: `z : vector(n) complex`")
    if is_complex and kind in "biufc":
        return np.require(array, np.complex128, ["C_CONTIGUOUS", "ALIGNED", "ENSUREARRAY"])
    if kind not in "biuf" or array.dtype.itemsize > 8:
        what = "an array of objects" if kind == "O" else f"of type {array.dtype}"
        raise DomainError(f"{quote(name)} is {what}", hint="real numbers are needed, as float64")
    single = array.dtype == np.float32 or array.dtype == np.float16
    target = FLOATS[0] if single else FLOATS[1]
    fortran = array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous
    if fortran and array.size * target.itemsize >= turned:
        return np.require(array, target, ["F_CONTIGUOUS", "ALIGNED", "ENSUREARRAY"])
    return np.require(array, target, ["C_CONTIGUOUS", "ALIGNED", "ENSUREARRAY"])


def common_dtype(values: Iterable[object], arrays: Iterable[Array]) -> np.dtype[Any]:
    """float32 if every array is; Python numbers give way to arrays, as in NumPy (NEP 50)."""
    dtypes = {
        array.dtype
        for value, array in zip(values, arrays, strict=True)
        if not isinstance(value, int | float) or isinstance(value, np.generic)
    }
    return FLOATS[0] if dtypes == {FLOATS[0]} else FLOATS[1]


def check_names(
    variables: Mapping[str, Variable], values: Mapping[str, object], needed: Iterable[str]
) -> None:
    """Refuse values that no variable takes, and `needed` variables without a value."""
    for name in values:
        if name not in variables:
            close = get_close_matches(str(name), variables, n=1)
            known = ", ".join(variables) or "none"
            hint = f"did you mean {close[0]}?" if close else f"the variables are: {known}"
            raise UnknownNameError(f"there is no variable {quote(str(name))}", hint=quote(hint))
    for name in needed:
        if name not in values:
            raise UnknownNameError(f"no value for {quote(name)}", hint=f"pass {quote(name)}=…")


def bind_sizes(variables: Mapping[str, Variable], values: Mapping[str, Any]) -> dict[str, int]:
    """The number of every dim name, from the shapes of `values`; every axis is checked.

    Variables without a value say nothing. A product of names such as ``m*n`` tells its last
    unknown name; a name that no shape tells is left out.

    >>> bind_sizes({"x": Variable.of("x", (Dim.of("n"),))}, {"x": np.zeros(3)})
    {'n': 3}
    """
    axes: list[tuple[str, int, Dim, int]] = []
    for name, variable in variables.items():
        if name not in values:
            continue
        shape = np.shape(values[name])
        if len(shape) != variable.rank:
            raise ShapeError(
                f"{name} has {variable.rank} axes, but the value has {len(shape)}: shape {shape}"
            )
        axes += [(name, k, dim, shape[k]) for k, dim in enumerate(variable.dims)]
    sizes: dict[str, int] = {}
    told: dict[str, tuple[str, int]] = {}
    progress = True
    while progress:
        progress = False
        for name, axis, dim, extent in axes:
            unknown = [n for n in set(dim.names) if n not in sizes]
            parts = dim.split(unknown[0]) if len(unknown) == 1 else None
            if parts is None:
                continue
            slope, rest = parts[0].value(sizes), extent - parts[1].value(sizes)
            if slope and rest % slope == 0 and rest // slope >= 0:
                sizes[unknown[0]] = rest // slope
                told[unknown[0]] = name, axis
                progress = True
    for name, axis, dim, extent in axes:
        if any(n not in sizes for n in dim.names):
            if dim.product is None:
                continue
            known = dim.product[0]
            for n in dim.names:
                known *= sizes.get(n, 1)
            if known and extent % known == 0:
                continue
            reason = "" if dim.is_inferred else f" as its size {dim} must be"
            raise ShapeError(
                f"axis {axis} of {name} has size {extent}, which is no multiple of {known}{reason}"
            )
        if dim.value(sizes) != extent:
            text = f"axis {axis} of {name} has size {extent}, but {dim.value(sizes)} is needed"
            sources = ", ".join(
                f"there are {sizes[n]} {_entries(*told[n], variables)}"
                if "." in n
                else f"{n} is {sizes[n]} from axis {told[n][1]} of {told[n][0]}"
                for n in dict.fromkeys(dim.names)
            )
            raise ShapeError(f"{text} ({sources})" if sources else text)
    return sizes


def named_sizes(variables: Mapping[str, Variable], sizes: Mapping[str, Any]) -> dict[str, int]:
    """Sizes by the names of the IR, from the names that are shown.

    >>> named_sizes({"x": Variable.of("x", (Dim.of("x.0"),))}, {"n": 3})
    {'x.0': 3}
    """
    names = {shown: name for name, shown in shown_sizes(variables).items()}
    for name, size in sizes.items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise UnknownNameError(f"no size is called {name}", None, f"the sizes are: {known}")
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 0:
            raise DomainError(f"the size {name} is {quote(repr(size))}, not an integer from 0 on")
    return {names[name]: int(size) for name, size in sizes.items()}


def with_sizes(
    variables: Mapping[str, Variable], told: Mapping[str, int], asked: Mapping[str, int]
) -> dict[str, int]:
    """The numbers of sizes that values tell, and those that were asked for beside them.

    >>> with_sizes({}, {"n": 3}, {"m": 2})
    {'n': 3, 'm': 2}
    """
    for name, size in asked.items():
        if told.get(name, size) != size:
            shown = shown_sizes(variables)[name]
            raise ShapeError(f"{shown} is {told[name]} in the values, but {size} was asked for")
    return {**told, **asked}


def shown_sizes(variables: Mapping[str, Variable]) -> dict[str, str]:
    """What the sizes are called for the user, by their names in the IR."""
    dims = [dim for variable in variables.values() for dim in variable.dims]
    shown = display_names(dims, variables)
    return {name: shown.get(name, name) for dim in dims for name in dim.names}


def _entries(name: str, axis: int, variables: Mapping[str, Variable]) -> str:
    """What an axis counts. The name of an inferred size, such as ``A.1``, is not for the user.

    >>> _entries("x", 0, {"x": Variable.of("x", (Dim.of("x.0"),))})
    'entries of x'
    """
    words = {1: ("entries",), 2: ("rows", "columns")}
    rank = variables[name].rank if name in variables else 0
    return f"{words[rank][axis] if rank in words else f'entries along axis {axis}'} of {name}"


def check_nodes(roots: Iterable[Node], sizes: Mapping[str, int]) -> None:
    """Refuse sizes that are unknown, positions beyond an axis, and matrices that are not square."""
    order = postorder(roots)
    known = {node.name: node for node in order if isinstance(node, Variable)}
    for node in order:
        for name in (name for dim in sizes_of(node) for name in dim.names):
            if name not in sizes:
                owner, inferred, axis = name.rpartition(".")
                what = (
                    f"number of {_entries(owner, int(axis), known)}" if inferred else f"size {name}"
                )
                raise ShapeError(
                    f"the {what} cannot be told from the shapes of the values",
                    hint="pass also the variables that have an axis of this size",
                )
        if isinstance(node, Basis) and node.position >= node.dims[0].value(sizes):
            raise ShapeError(
                f"position {node.position} is outside of an axis of size "
                f"{node.dims[0].value(sizes)} (positions count from 0)"
            )
        if isinstance(node, Section):
            start, size = node.offset.value(sizes), node.dims[1].value(sizes)
            if start < 0 or start + size > node.dims[0].value(sizes):
                raise ShapeError(
                    f"positions {start} to {start + size - 1} are outside of an axis of size "
                    f"{node.dims[0].value(sizes)} (positions count from 0)"
                )
        if isinstance(node, MatrixFunction) and node.function in SQUARE:
            rows, columns = [dim.value(sizes) for dim in node.operands[0].dims[-2:]]
            if rows != columns:
                raise ShapeError(
                    f"{node.function} needs a square matrix, this one has shape {(rows, columns)}"
                )
