"""IR and arrays in, arrays out, with plain NumPy: the reference for every compiled result.

One dispatch over the kinds of nodes, one NumPy expression each, no fusion and no planning.
Convention: a norm that is exactly 0 raised to a negative power is 0, so that the derivative of a
norm at 0 is the subgradient of least norm; `kernels` do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from tensorcalc.binding import (
    Array,
    all_dims as all_dims,  # also a name of this module
    as_array,
    bind_sizes,
    check_names,
    check_nodes,
    common_dtype,
    to_float,
)
from tensorcalc.errors import DomainError
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    Size,
    Variable,
)
from tensorcalc.traverse import fold, variables

CONSTANTS = {"pi": np.pi, "e": np.e}
NORMS = ("norm2", "normF")
MAX_LABELS = 52  # of np.einsum
MAX_OPERANDS = 2  # beyond, the order of contraction matters


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
    arrays = {name: as_array(name, values[name]) for name in known if name in values}
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

    def visit(node: Node, operands: tuple[Array, ...]) -> Array:
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
            case Einsum():
                return _einsum(node, operands, shape, sizes, dtype)
            case Add():
                total = np.zeros(shape, dtype)
                for coefficient, operand in zip(node.coefficients, operands, strict=True):
                    total += dtype.type(to_float(coefficient)) * operand
                return total
            case Map():
                return _map(node, operands)
            case MatrixFunction():
                return _matrix_function(node, operands)
        raise TypeError(f"no rule for {node!r}")

    def typed(node: Node, operands: tuple[Array, ...]) -> Array:
        return np.asarray(visit(node, operands)).astype(dtype, copy=False)

    with np.errstate(all="ignore"):
        results = fold(roots, typed)
    return [np.array(results[root]) for root in roots]  # copies: never a view of an input


def constant(name: str) -> float:
    """The value of a named number."""
    if name not in CONSTANTS:
        raise DomainError(f"the constant {name} has no value")
    return CONSTANTS[name]


def is_norm(node: Node) -> bool:
    """Whether a node is a norm, perhaps broadcast."""
    if isinstance(node, Einsum) and len(node.operands) == 1 and len(node.sizes) == node.rank:
        node = node.operands[0]
    return isinstance(node, MatrixFunction) and node.function in NORMS


def _einsum(
    node: Einsum,
    operands: tuple[Array, ...],
    shape: tuple[int, ...],
    sizes: Mapping[str, int],
    dtype: np.dtype[Any],
) -> Array:
    covered = sorted({a for labels in node.labels for a in labels})
    number = {label: k for k, label in enumerate(covered)}
    labels = [[number[a] for a in labels] for labels in node.labels]
    output = [number[a] for a in covered if a < node.rank]
    if not operands:
        result = np.ones((), dtype)
    elif len(covered) <= MAX_LABELS and len(operands) <= MAX_OPERANDS:
        pairs = [part for pair in zip(operands, labels, strict=True) for part in pair]
        result = np.einsum(*pairs, output)
    else:
        from opt_einsum import contract, get_symbol

        names = ["".join(map(get_symbol, part)) for part in [*labels, output]]
        result = contract(",".join(names[:-1]) + "->" + names[-1], *operands, optimize="auto")
    for label in range(node.rank, len(node.sizes)):  # a sum over a label that no operand has
        if label not in number:
            result = result * dtype.type(node.sizes[label].value(sizes))
    here = tuple([shape[a] if a in number else 1 for a in range(node.rank)])
    return np.array(np.broadcast_to(np.reshape(result, here), shape))


def _map(node: Map, operands: tuple[Array, ...]) -> Array:
    if node.function == "pow":
        base, exponent = operands
        result = np.power(base, exponent)
        if is_norm(node.operands[0]):
            result = np.where((base == 0) & (exponent < 0), np.zeros((), result.dtype), result)
        return np.asarray(result)
    return np.asarray(numpy_functions()[node.function](*operands))


@cache
def numpy_functions() -> dict[str, Callable[..., Any]]:
    """The elementwise functions as NumPy and SciPy have them."""
    from scipy import special

    def sigmoid(x: Array) -> Array:
        return np.asarray(special.expit(x))

    def where(condition: Array, x: Array, y: Array) -> Array:
        return np.where(condition != 0, x, y)

    same = "exp log log1p expm1 abs sign sin cos tan arcsin arccos arctan sinh cosh tanh".split()
    return {name: getattr(np, name) for name in same} | {
        "sigmoid": sigmoid,
        "softplus": lambda x: np.logaddexp(np.zeros((), x.dtype), x),
        "relu": lambda x: np.maximum(x, np.zeros((), x.dtype)),
        "erf": special.erf,
        "lgamma": special.gammaln,
        "digamma": special.digamma,
        "polygamma": _polygamma,
        "max": np.maximum,
        "min": np.minimum,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
        "where": where,
    }


def _polygamma(order: Array, x: Array) -> Array:
    from scipy import special

    # (-1)^(n+1) n! zeta(n+1, x), Abramowitz and Stegun 6.4.10
    sign = np.where(order % 2 == 0, -1.0, 1.0)
    higher = sign * special.gamma(order + 1.0) * special.zeta(order + 1.0, x)
    return np.asarray(np.where(order == 0, special.digamma(x), higher))


def norm(x: Array, axes: tuple[int, ...]) -> Array:
    """The Euclidean norm over `axes`, scaled so that squares neither overflow nor vanish."""
    if not x.size:
        return np.asarray(np.sqrt(np.sum(x * x, axis=axes)))
    scale = np.max(np.abs(x), axis=axes, keepdims=True)
    safe = np.where((scale > 0) & np.isfinite(scale), scale, np.ones((), x.dtype))
    scaled = x / safe
    total = np.sum(scaled * scaled, axis=axes)
    return np.asarray(np.sqrt(total) * np.squeeze(safe, axis=axes))


def _inv(x: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(x))
    except np.linalg.LinAlgError:  # one singular matrix must not spoil a batch
        flat = x.reshape(-1, *x.shape[-2:])
        result = np.full_like(flat, np.nan)
        for k, matrix in enumerate(flat):
            if np.linalg.det(matrix) != 0:
                result[k] = np.linalg.inv(matrix)
        return np.asarray(result.reshape(x.shape))


def _logdet(x: Array) -> Array:
    sign, value = np.linalg.slogdet(x)
    return np.asarray(np.where(sign < 0, np.nan, value))


MATRIX: dict[str, Callable[[Array], Array]] = {
    "inv": _inv,
    "det": lambda x: np.asarray(np.linalg.det(x)),
    "logdet": _logdet,
    "norm2": lambda x: norm(x, (-1,)),
    "normF": lambda x: norm(x, (-2, -1)),
}


def _matrix_function(node: MatrixFunction, operands: tuple[Array, ...]) -> Array:
    return MATRIX[node.function](operands[0])
