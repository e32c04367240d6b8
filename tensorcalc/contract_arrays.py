"""An einsum string and arrays -> an array, by a compiled kernel. `tensorcalc.einsum` on arrays."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from operator import methodcaller
from typing import Any

import numpy as np

from tensorcalc import canonical
from tensorcalc.binding import as_array, read_array
from tensorcalc.dims import Dim
from tensorcalc.einsum_string import KIND, Labels, parse_einsum
from tensorcalc.errors import DomainError, ShapeError, quote
from tensorcalc.interpret import interpret
from tensorcalc.ir import Variable
from tensorcalc.kernel import MIN_TURNED, Kernel, compile_nodes
from tensorcalc.simplify import simplify
from tensorcalc.threads import threads

Array = np.ndarray[Any, np.dtype[Any]]
Run = Callable[..., Any]

MAX_KERNELS = 256
MAX_READY = 512
EXACT = 1 << 53  # float64 has every integer up to here
DOUBLE = np.dtype(np.float64)
SINGLES = frozenset(map(np.dtype, (np.float16, np.float32, np.complex64)))
RESULTS = frozenset(map(np.dtype, (np.float32, np.float64, np.complex64, np.complex128)))
ORDERS = ("C", "F", "A", "K")
CASTINGS = ("no", "equiv", "safe", "same_kind", "unsafe")
# the names that NumPy and opt_einsum have for ways to find a path
OPTIMIZERS = frozenset(
    "auto auto-hq branch-1 branch-2 branch-all dp dynamic-programming eager greedy opportunistic "
    "optimal random-greedy random-greedy-128".split()
)


def contract_arrays(
    equation: str,
    operands: Sequence[Any],
    ready: dict[Hashable, Run],
    *,
    out: Any = None,
    optimize: Any = False,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
) -> Any:
    """The contraction that `numpy.einsum` does with these arguments; see `tensorcalc.einsum`.

    What a later call with arrays of the same kinds is to run is entered in `ready`, under the
    equation and `KIND` of every operand; it gives a tuple that starts with the result.

    Raises
    ------
    TensorcalcError
        If the subscripts and the shapes of the operands do not fit, or a type may not be cast.
    """
    if order != "K" and (not isinstance(order, str) or order.upper() not in ORDERS):
        raise DomainError(f"the order is {', '.join(ORDERS)}, not {quote(repr(order))}")
    if casting != "safe" and casting not in CASTINGS:
        raise DomainError(f"the casting is {', '.join(CASTINGS)}, not {quote(repr(casting))}")
    if optimize is not False and optimize is not True:
        _check_optimize(optimize, len(operands))
    if out is not None:
        _check_out(out)
    plain = dtype is None and casting == "safe"
    plain = plain and all(type(operand) is np.ndarray for operand in operands)
    kind = (equation, *map(KIND, operands)) if plain else None
    run = ready.get(kind)
    if run is not None:
        result = run(*operands)[0]
    else:
        arrays = [_array(k, operand) for k, operand in enumerate(operands)]
        target = _target(arrays, operands) if dtype is None else _dtype(dtype)
        arrays = [
            array.astype(target) if dtype is None and _is_weak(operand)
            else _cast(k, array, target, casting)
            for k, (array, operand) in enumerate(zip(arrays, operands, strict=True))
        ]  # fmt: skip
        contraction = _contraction_of(equation, tuple([array.shape for array in arrays]), target)
        result = contraction(*arrays)
        if plain and isinstance(contraction, Kernel):
            run = _run(contraction, operands, arrays)
            if len(ready) >= MAX_READY:
                ready.clear()
            if run is not None:
                ready[kind] = run
    if out is not None:
        return _into(out, result, operands, casting)
    return result if order in "KC" or not np.ndim(result) else _ordered(result, order, operands)


# ── types ────────────────────────────────────────────────────────────────────────────────────


def _array(k: int, operand: Any) -> Array:
    if type(operand) is np.ndarray:
        return operand
    return read_array(f"operand {k}", operand)


def _is_weak(operand: Any) -> bool:
    """Whether it is a number of Python's, which gives way to arrays, as in NumPy (NEP 50)."""
    return isinstance(operand, int | float | complex) and not isinstance(operand, np.generic)


def _target(arrays: Sequence[Array], operands: Sequence[Any]) -> np.dtype[Any]:
    """The type to compute in."""
    given = {
        array.dtype
        for array, operand in zip(arrays, operands, strict=True)
        if not _is_weak(operand)
    }
    single = bool(given) and given <= SINGLES
    if any(array.dtype.kind == "c" for array in arrays):
        return np.dtype(np.complex64 if single else np.complex128)
    return np.dtype(np.float32 if single else np.float64)


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise DomainError(f"{quote(repr(dtype))} is not a data type") from None
    if found not in RESULTS:
        names = ", ".join(sorted(str(known) for known in RESULTS))
        raise DomainError(
            f"einsum does not compute in {found}",
            None,
            f"the types are {names}; convert the result",
        )
    native: np.dtype[Any] = found.newbyteorder("=")
    return native


def _cast(k: int, array: Array, target: np.dtype[Any], casting: str) -> Array:
    if array.dtype.kind not in "biufc":
        what = "an array of objects" if array.dtype.kind == "O" else f"of type {array.dtype}"
        raise DomainError(f"operand {k} is {what}", None, "numbers are needed, as float64")
    if not np.can_cast(array.dtype, target, casting):  # type: ignore[arg-type]
        raise DomainError(
            f"operand {k} may not be cast from {array.dtype} to {target} (casting {casting!r})",
            None,
            'pass casting="unsafe", or convert it',
        )
    if target.kind == "c":
        return array.astype(target, copy=False)
    return as_array(f"operand {k}", array.astype(target, copy=False), MIN_TURNED)


# ── results ──────────────────────────────────────────────────────────────────────────────────


def _check_out(out: Any) -> None:
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise DomainError(f"out must be an array, not {type(out).__name__}")
    if not out.flags.writeable:
        raise DomainError("out is read-only")


def _into(out: Array, result: Any, operands: Sequence[Any], casting: str) -> Array:
    """The result written to `out`. It was made before, so `out` may be an operand.

    As in NumPy, `out` may have the type of the operands: integers, too, if they fit.
    """
    result = np.asarray(result)
    if out.shape != result.shape:
        raise ShapeError(f"out has shape {out.shape}, the result {result.shape}")
    if out.dtype != result.dtype and not np.can_cast(result.dtype, out.dtype, casting):  # type: ignore[arg-type]
        common = np.result_type(
            *[o if _is_weak(o) else _array(k, o).dtype for k, o in enumerate(operands)]
        )
        if not np.can_cast(common, out.dtype, casting):  # type: ignore[arg-type]
            raise DomainError(
                f"the result may not be cast from {common} to {out.dtype} (casting {casting!r})",
                None,
                'pass casting="unsafe" or an array of the right type',
            )
        if out.dtype.kind in "iu" and common.kind in "biu":
            _check_integers(result, out.dtype)
    np.copyto(out, result, casting="unsafe")
    return out


def _check_integers(result: Array, dtype: np.dtype[Any]) -> None:
    """Refuse integers that wrap in the type, or that float64 has rounded."""
    bounds = np.iinfo(dtype)
    low, high = max(bounds.min, -EXACT), min(bounds.max, EXACT)
    if result.size and (result.min() < low or result.max() > high):
        raise DomainError(
            f"a result is beyond the integers {low} to {high} that out holds exactly",
            None,
            "pass an array of float64",
        )


def _ordered(result: Array, order: str, operands: Sequence[Any]) -> Array:
    if order in "Aa":
        flags = [_array(k, operand).flags for k, operand in enumerate(operands)]
        fortran = all(f.f_contiguous for f in flags) and not all(f.c_contiguous for f in flags)
        order = "F" if fortran else "C"
    return np.asfortranarray(result) if order in "Ff" else result


# ── contraction ──────────────────────────────────────────────────────────────────────────────


def _check_optimize(optimize: Any, count: int) -> None:
    """Refuse what NumPy and opt_einsum do not know; a path must contract all operands."""
    if optimize is None or callable(optimize) or isinstance(optimize, bool | np.bool_):
        return
    if isinstance(optimize, str):
        if optimize not in OPTIMIZERS:
            raise DomainError(f"no path is found by {quote(repr(optimize))}", None,
                              f"the ways are {', '.join(sorted(OPTIMIZERS))}")  # fmt: skip
        return
    if not isinstance(optimize, list | tuple):
        raise DomainError(f"optimize is a bool, a name or a path, not {type(optimize).__name__}")
    steps = list(optimize)
    if steps and isinstance(steps[0], str) and steps[0] != "einsum_path":
        if len(steps) == 2 and isinstance(steps[1], int | float):  # a name and a memory limit
            _check_optimize(steps[0], count)
            return
        raise DomainError("a path is a list of tuples of positions")
    for step in steps[1:] if steps and isinstance(steps[0], str) else steps:
        places = list(step) if isinstance(step, list | tuple) else []
        inside = all(isinstance(p, int | np.integer) and -count <= p < count for p in places)
        if not places or not inside or len({p % count for p in places}) < len(places):
            raise DomainError(f"the step {quote(repr(step))} of the path contracts no operands")
        count -= len(places) - 1
    if count > 1:
        raise DomainError(f"the path leaves {count} operands")


def _run(kernel: Kernel, operands: Sequence[Any], arrays: Sequence[Array]) -> Run | None:
    """What `kernel` ran for `arrays`, as a function of the `operands` they were converted from."""
    known = kernel._entries.get((threads(), *[(v.shape, v.dtype, v.flags.num) for v in arrays]))
    if known is None or known[0].threads:
        return None
    entry = known[0]
    changes: list[tuple[int, Run]] = [
        (k, methodcaller("astype", array.dtype, "C"))
        for k, (operand, array) in enumerate(zip(operands, arrays, strict=True))
        if operand is not array
    ]
    ((_, place, convert),) = entry.finish
    in_order = entry.arguments == tuple((k, None) for k in range(len(arrays)))
    if not changes and in_order and (place, convert) == (0, None):
        return entry.run

    def run(*values: Any) -> tuple[Any]:
        given = list(values)
        for k, change in changes:
            given[k] = change(given[k])
        arguments = [given[k] if make is None else make(given[k]) for k, make in entry.arguments]
        result = entry.run(*arguments)[place]
        return (result if convert is None else convert(result),)

    return run


def _contraction_of(
    equation: str, shapes: tuple[tuple[int, ...], ...], dtype: np.dtype[Any]
) -> Run:
    """What contracts arrays of these shapes."""
    if "." in equation:  # which axes broadcast depends on the sizes
        labels, output = parse_einsum(equation, shapes)
    else:
        labels, output = _plain(equation, tuple(map(len, shapes)))
    return _contraction(tuple(labels), output, dtype if dtype.kind == "c" else DOUBLE)


@lru_cache(maxsize=MAX_KERNELS)
def _plain(equation: str, ranks: tuple[int, ...]) -> tuple[list[Labels], Labels]:
    return parse_einsum(equation, [(2,) * rank for rank in ranks])


@lru_cache(maxsize=MAX_KERNELS)
def _contraction(labels: tuple[Labels, ...], output: Labels, dtype: np.dtype[Any]) -> Run:
    dims: dict[Hashable, Dim] = {label: Dim.of(label) for own in labels for label in own}
    properties = frozenset({"complex"} if dtype.kind == "c" else ())
    variables = {
        f"operand {k}": Variable.of(f"operand {k}", tuple([dims[a] for a in own]), properties)
        for k, own in enumerate(labels)
    }
    node = canonical.contract(output, dims, list(zip(variables.values(), labels, strict=True)))
    (node,) = simplify([node])
    if dtype.kind != "c":
        return compile_nodes({"value": node}, variables, single=True)

    def interpreted(*arrays: Array) -> Any:  # kernels are real
        (result,) = interpret([node], dict(zip(variables, arrays, strict=True)), variables)
        return result.astype(dtype, copy=False)[()]

    return interpreted
