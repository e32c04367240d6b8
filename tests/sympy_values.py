"""The number that a SymPy object is, by SymPy alone: explicit arrays for its symbols, and `doit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def evaluated(
    expr: Any, sizes: Mapping[str, int], values: Mapping[str, Any], indices: Sequence[Any] = ()
) -> Array:
    """The value of `expr`; `indices` are its free indices, each with the number of its values."""
    sympy = import_module("sympy")
    expr = sympy.sympify(expr)
    sums = expr.atoms(sympy.Sum, sympy.Product)
    bound = {limit[0] for part in sums for limit in part.limits}
    bound |= {index.label for index in expr.atoms(sympy.Idx)}
    free = [s for s in expr.atoms(sympy.Symbol) if s.name in sizes and s not in bound]
    expr = expr.xreplace({symbol: sympy.Integer(sizes[symbol.name]) for symbol in free})
    if not indices:
        return _number(sympy, expr, values)
    shape = [count for _, count in indices]
    result = np.empty(shape)
    for place in product(*map(range, shape)):
        here = dict(zip([index for index, _ in indices], place, strict=True))
        found = {
            part: sympy.Integer(here[str(part)])
            for part in [*expr.atoms(sympy.Idx), *expr.atoms(sympy.Symbol)]
            if str(part) in here
        }
        result[place] = _number(sympy, expr.xreplace(found).subs(found), values)
    return result


def _number(sympy: Any, expr: Any, values: Mapping[str, Any]) -> Array:
    arrays = import_module("sympy.tensor.array.expressions")
    expr = _expanded(sympy, expr)
    known: dict[Any, Any] = {}
    for part in sympy.preorder_traversal(expr):
        if isinstance(part, sympy.Indexed):
            place = tuple([int(index) for index in part.indices])
            known[part] = sympy.Float(values[str(part.base.label)][place])
        elif isinstance(part, sympy.MatrixSymbol):
            array = np.asarray(values[part.name], float)
            known[part] = sympy.ImmutableMatrix(
                array.reshape([int(n) for n in part.shape]).tolist()
            )
        elif isinstance(part, arrays.ArraySymbol):
            known[part] = sympy.ImmutableDenseNDimArray(np.asarray(values[str(part.name)]).tolist())
        elif isinstance(part, sympy.Symbol) and np.ndim(values.get(part.name, [])) == 0:
            known[part] = sympy.Float(float(values[part.name]))
    expr = _explicit(sympy, arrays, expr, known)
    if getattr(expr, "shape", None) not in (None, ()):
        return np.array(sympy.Array(expr).applyfunc(sympy.N).tolist(), float)
    return np.array(float(sympy.N(expr)))


def _expanded(sympy: Any, expr: Any) -> Any:
    """Sums and products term by term."""
    if not expr.has(sympy.Sum, sympy.Product):
        return expr
    if not isinstance(expr, sympy.Sum | sympy.Product):
        return expr.func(*[_expanded(sympy, arg) for arg in expr.args])
    *inner, (symbol, low, high) = expr.limits
    terms = []
    for number in range(int(low), int(high) + 1):
        here = {symbol: sympy.Integer(number)}
        limits = [tuple(end.xreplace(here) for end in limit) for limit in inner]
        body = expr.function.xreplace(here)
        terms.append(_expanded(sympy, expr.func(body, *limits) if limits else body))
    return sympy.Add(*terms) if isinstance(expr, sympy.Sum) else sympy.Mul(*terms)


def _explicit(sympy: Any, arrays: Any, expr: Any, known: Mapping[Any, Any]) -> Any:
    """The expression with its symbols replaced and every part computed, from the inside."""
    if expr in known:
        return known[expr]
    if not expr.args or isinstance(expr, sympy.Lambda | sympy.MatrixBase | sympy.NDimArray):
        if isinstance(expr, sympy.MatrixBase):
            return expr.applyfunc(lambda entry: _explicit(sympy, arrays, entry, known))
        if isinstance(expr, sympy.NDimArray):
            return expr.applyfunc(lambda entry: _explicit(sympy, arrays, entry, known))
        if isinstance(expr, sympy.Lambda):
            return sympy.Lambda(expr.signature, _explicit(sympy, arrays, expr.expr, known))
        return _as_explicit(expr)
    made = [_explicit(sympy, arrays, arg, known) for arg in expr.args]
    if isinstance(expr, arrays.ArrayElement):
        return made[0][tuple(map(int, expr.indices))] if expr.indices else made[0]
    if isinstance(expr, arrays.ArrayElementwiseApplyFunc):
        return sympy.Array(made[1]).applyfunc(made[0])
    if isinstance(expr, arrays.ArrayAdd):
        return sum([sympy.Array(part) for part in made[1:]], sympy.Array(made[0]))
    if type(expr).__name__ in ("DiagonalOf", "DiagonalMatrix"):
        diagonal = [made[0][k, k] for k in range(min(made[0].shape))]
        if type(expr).__name__ == "DiagonalOf":
            return sympy.Matrix(diagonal)
        return sympy.diag(*diagonal)
    if isinstance(expr, sympy.Trace | sympy.Determinant):
        return made[0].trace() if isinstance(expr, sympy.Trace) else made[0].det()
    return _as_explicit(expr.func(*made))


def _as_explicit(expr: Any) -> Any:
    if isinstance(getattr(expr, "shape", None), tuple) and hasattr(expr, "as_explicit"):
        expr = expr.as_explicit()
    return expr.doit() if hasattr(expr, "doit") else expr
