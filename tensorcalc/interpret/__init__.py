"""IR and arrays in, arrays out, with plain NumPy: the reference for every compiled result.

One dispatch over the kinds of nodes, one NumPy expression each, no fusion and no planning; those
of `contractions.py`, `elementwise.py` and `matrix_functions.py` take more than one.
Convention: a norm that is exactly 0 raised to a negative power is 0, so that the derivative of a
norm at 0 is the subgradient of least norm; `kernels` do the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np

from tensorcalc.binding import (
    Array,
    as_array,
    bind_sizes,
    check_names,
    check_nodes,
    common_dtype,
    to_float,
)
from tensorcalc.errors import DomainError, LimitError
from tensorcalc.interpret.contractions import contraction
from tensorcalc.interpret.elementwise import elementwise, is_norm as is_norm
from tensorcalc.interpret.matrix_functions import integer, matrix_function
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Data,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Range,
    RangeSum,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.limits import current as limits
from tensorcalc.traverse import postorder, variables

CONSTANTS = {"pi": np.pi, "e": np.e}


def interpret(
    roots: Sequence[Node],
    values: Mapping[str, Any],
    declared: Mapping[str, Variable] | None = None,
) -> list[Array]:
    """The arrays that `roots` stand for, given a value for every variable in them.

    `declared` are further variables that may have a value: their shapes tell sizes, too.
    """
    used = variables(*roots)
    known = {**(declared or {}), **used}
    check_names(known, values, used)
    arrays = {
        name: as_array(name, values[name], is_complex=variable.is_complex)
        for name, variable in known.items()
        if name in values
    }
    dtype = common_dtype([values[name] for name in arrays], arrays.values())
    return evaluate(roots, arrays, bind_sizes(known, arrays), dtype)


def evaluate(
    roots: Sequence[Node],
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    dtype: np.dtype[Any],
) -> list[Array]:
    """`interpret` for arrays that are checked already and sizes that are known."""
    check_nodes(roots, sizes)
    complex_dtype = np.result_type(dtype, np.complex64)
    closed: dict[Node, Array] = {}  # what does not depend on a counter is computed once

    def compute(root: Node, counted: dict[Node, Array]) -> Array:
        known = {**closed, **counted} if counted else closed
        stack = [root]
        while stack:
            node = stack[-1]
            if node in known:
                stack.pop()
                continue
            needed = node.operands[1].operands if isinstance(node, RangeSum) else node.operands
            waiting = [operand for operand in needed if operand not in known]
            stack += reversed(waiting)
            if waiting:
                continue
            stack.pop()
            if isinstance(node, RangeSum):
                result = count_sum(node, [known[end] for end in needed], counted)
            else:
                result = visit(node, tuple([known[operand] for operand in node.operands]), known)
            kind = complex_dtype if node.is_complex else dtype
            known[node] = np.asarray(result).astype(kind, copy=False)
            if not node.counters:
                closed[node] = known[node]
        return known[root]

    def count_sum(node: RangeSum, ends: list[Array], counted: dict[Node, Array]) -> Array:
        low, high = (integer(end) for end in ends)
        sign = 1
        if high < low - 1 and _counts_powers(node):
            low, high, sign = high + 1, low - 1, -1
        if high - low >= limits().terms:
            raise LimitError(f"a sum over {high - low + 1} integers (limit terms)")
        shape = tuple([dim.value(sizes) for dim in node.dims])
        total = np.zeros(shape, complex_dtype if node.is_complex else dtype)
        for number in range(low, high + 1):
            here = {**counted, node.counter: np.asarray(number, dtype)}
            total = total + sign * compute(node.operands[0], here)
        return total

    def visit(node: Node, operands: tuple[Array, ...], known: Mapping[Node, Array]) -> Any:
        shape = tuple([dim.value(sizes) for dim in node.dims])
        match node:
            case Variable():
                return arrays[node.name]
            case Constant():
                return np.asarray(constant(node.name))
            case Size():
                return np.asarray(float(node.dim.value(sizes)))
            case Delta():
                return np.eye(shape[0])
            case Basis():
                return np.asarray(np.arange(shape[0]) == node.position)
            case LeviCivita():
                return _levi_civita(node.rank)
            case Merge():
                return np.eye(shape[0]).reshape(shape)
            case Section():
                return np.eye(shape[0], shape[1], -node.offset.value(sizes))
            case Range():
                return np.arange(shape[0]) + float(node.start.value(sizes))
            case Data():
                return np.asarray(node.array)
            case Unknown():
                raise DomainError(f"{node.name} is unknown: it has no value")
            case Einsum():
                return contraction(node, operands, known, sizes, dtype)
            case Add():
                total = np.zeros(shape, complex_dtype if node.is_complex else dtype)
                for coefficient, operand in zip(node.coefficients, operands, strict=True):
                    total += dtype.type(to_float(coefficient)) * operand
                return total
            case Map():
                return elementwise(node, operands)
            case MatrixFunction():
                return matrix_function(node, operands)
        raise TypeError(f"no rule for {node!r}")

    with np.errstate(all="ignore"):
        # copies: never a view of an input
        return [np.array(compute(root, {})) for root in roots]


def _counts_powers(node: RangeSum) -> bool:
    """Whether a sum is one over powers of a matrix.

    Backwards it is minus the sum over what lies between its ends, as a telescoping sum is (Karr
    1981): so the differential of ``X^k`` is right for negative k, too.
    """
    return any(
        isinstance(inner, MatrixFunction) and inner.function == "power"
        and node.counter in inner.operands[1].counters
        for inner in postorder([node.operands[0]])
    )  # fmt: skip


def _levi_civita(rank: int) -> Array:
    result = np.zeros((rank,) * rank)
    for order in permutations(range(rank)):
        inversions = sum(a > b for a, b in combinations(order, 2))
        result[order] = (-1) ** inversions
    return result


def constant(name: str) -> float:
    """The value of a named number."""
    if name not in CONSTANTS:
        raise DomainError(f"the constant {name} has no value")
    return CONSTANTS[name]
