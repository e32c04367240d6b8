"""An elementwise function and its arrays in, its value out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tensorcalc.binding import Array
from tensorcalc.errors import DomainError
from tensorcalc.ir import Einsum, Map, MatrixFunction, Node

NORMS = ("norm2", "normF")
REAL_ONLY = frozenset({"max", "min", "relu", "lgamma", "polygamma", "sign", "lt", "le", "gt", "ge"})


def elementwise(node: Map, operands: tuple[Array, ...]) -> Array:
    """The value of an elementwise function at `operands`."""
    if node.function == "pow":
        base, exponent = operands
        result = np.power(base, exponent)
        if is_norm(node.operands[0]):
            result = np.where((base == 0) & (exponent < 0), np.zeros((), result.dtype), result)
        return np.asarray(result)
    if node.function in REAL_ONLY and any(operand.is_complex for operand in node.operands):
        raise DomainError(f"{node.function} of complex numbers is not defined")
    return np.asarray(numpy_functions()[node.function](*operands))


def is_norm(node: Node) -> bool:
    """Whether a node is a norm, perhaps broadcast."""
    if isinstance(node, Einsum) and len(node.operands) == 1 and len(node.sizes) == node.rank:
        node = node.operands[0]
    return isinstance(node, MatrixFunction) and node.function in NORMS


@cache
def numpy_functions() -> dict[str, Callable[..., Any]]:
    """The elementwise functions as NumPy and SciPy have them."""
    from scipy import special

    def sigmoid(x: Array) -> Array:
        return np.asarray(1 / (1 + np.exp(-x)) if np.iscomplexobj(x) else special.expit(x))

    def softplus(x: Array) -> Array:
        if np.iscomplexobj(x):
            return np.asarray(np.log1p(np.exp(x)))
        return np.asarray(np.logaddexp(np.zeros((), x.dtype), x))

    def where(condition: Array, x: Array, y: Array) -> Array:
        return np.where(condition != 0, x, y)

    same = "exp log log1p expm1 abs sign sin cos tan arcsin arccos arctan sinh cosh tanh".split()
    return {name: getattr(np, name) for name in same} | {
        "sigmoid": sigmoid,
        "softplus": softplus,
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
        "conj": np.conj,
    }


def _polygamma(order: Array, x: Array) -> Array:
    from scipy import special

    # (-1)^(n+1) n! zeta(n+1, x), Abramowitz and Stegun 6.4.10
    sign = np.where(order % 2 == 0, -1.0, 1.0)
    higher = sign * special.gamma(order + 1.0) * special.zeta(order + 1.0, x)
    return np.asarray(np.where(order == 0, special.digamma(x), higher))
