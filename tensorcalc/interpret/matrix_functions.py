"""A function of matrices and its arrays in, its value out, for each place on the leading axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from tensorcalc.binding import Array
from tensorcalc.errors import DomainError
from tensorcalc.ir import MatrixFunction
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS


def norm(x: Array, axes: tuple[int, ...]) -> Array:
    """The Euclidean norm over `axes`, scaled so that squares neither overflow nor vanish."""
    if not x.size:
        return np.asarray(np.sqrt(np.sum(x * x, axis=axes)))
    scale = np.max(np.abs(x), axis=axes, keepdims=True)
    safe = np.where((scale > 0) & np.isfinite(scale), scale, np.ones((), x.dtype))
    scaled = x / safe
    total = np.sum(scaled * scaled, axis=axes)
    return np.asarray(np.sqrt(total) * np.squeeze(safe, axis=axes))


def adjugate(x: Array) -> Array:
    """The transposed cofactors, of singular matrices too, by the singular values."""
    n = x.shape[-1]
    if n == 0:
        return x
    u, s, v = np.linalg.svd(x)
    others = np.stack([np.prod(np.delete(s, k, axis=-1), axis=-1) for k in range(n)], axis=-1)
    unit = np.linalg.det(u) * np.linalg.det(v)
    turned = np.conj(np.swapaxes(v, -1, -2)) * others[..., None, :]
    return np.asarray(unit[..., None, None] * (turned @ np.conj(np.swapaxes(u, -1, -2))))


def _inv(x: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(x))
    except np.linalg.LinAlgError:  # one singular matrix must not spoil a batch
        flat = _stacked(x)
        result = np.full_like(flat, np.nan)
        for k, matrix in enumerate(flat):
            if np.linalg.det(matrix) != 0:
                result[k] = np.linalg.inv(matrix)
        return np.asarray(result.reshape(x.shape))


def _logdet(x: Array) -> Array:
    sign, value = np.linalg.slogdet(x)
    return np.asarray(np.where(sign < 0, np.nan, value))


def _logsumexp(x: Array) -> Array:
    if not x.shape[-1]:
        return np.full(x.shape[:-1], -np.inf, x.dtype)
    top = np.max(x.real, axis=-1, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(x - shift), axis=-1)) + shift[..., 0]
    return np.asarray(total)


def _stacked(x: Array) -> Array:
    """Matrices over any leading axes as a stack of them."""
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


MATRIX: dict[str, Callable[[Array], Array]] = {
    "inv": _inv,
    "det": lambda x: np.asarray(np.linalg.det(x)),
    "logdet": _logdet,
    "norm2": lambda x: norm(x, (-1,)),
    "normF": lambda x: norm(x, (-2, -1)),
    "adj": adjugate,
    "pinv": lambda x: np.asarray(np.linalg.pinv(x)) if x.size else np.swapaxes(x, -1, -2),
    "logsumexp": _logsumexp,
    "max": lambda x: np.max(x, axis=-1),
    "min": lambda x: np.min(x, axis=-1),
    "prod": lambda x: np.prod(x, axis=-1),
}


def matrix_function(node: MatrixFunction, operands: tuple[Array, ...]) -> Array:
    """The value of a function of matrices at `operands`."""
    if node.function == "power":
        return _power(*operands)
    if MATRIX_FUNCTIONS[node.function].differential is None:
        x = operands[0]
        flat = [_series(node.function, matrix, node.order) for matrix in _stacked(x)]
        shape = (*x.shape[:-2], *x.shape[-2:] * (1 + node.order))
        return np.array(flat).reshape(shape)
    x = operands[0]
    if node.function in ("max", "min") and not x.shape[-1]:
        raise DomainError(f"{node.function} of no entries has no value")
    return MATRIX[node.function](x)


def _power(base: Array, exponent: Array) -> Array:
    flat = _stacked(base)
    exponents = [integer(e) for e in np.broadcast_to(exponent, base.shape[:-2]).reshape(-1)]
    result = [
        np.linalg.matrix_power(_inv(matrix) if n < 0 else matrix, abs(n))
        for matrix, n in zip(flat, exponents, strict=True)
    ]
    return np.array(result).reshape(base.shape)


def integer(value: Array) -> int:
    """A number that must be an integer."""
    number = complex(value)
    if number.imag or number.real != round(number.real):
        raise DomainError(f"an exponent or the end of a sum is {value}, which is no integer")
    return round(number.real)


def _series(function: str, x: Array, order: int) -> Array:
    """A power series of a matrix, or the tensor of its derivatives of some order.

    The derivative in directions E, F, … is a block of the series of a larger matrix (Higham,
    "Functions of Matrices", theorem 3.6; Mathias 1996), one for every choice of unit matrices.
    """
    from scipy import linalg

    apply = getattr(linalg, function)
    n = len(x)
    if not n:
        return np.zeros((0,) * (2 + 2 * order), x.dtype)
    result = np.empty((n, n) + (n * n,) * order, np.result_type(x, float))
    for place in product(range(n * n), repeat=order):
        large = x
        for k, position in enumerate(place):
            unit = np.zeros((n, n), x.dtype)
            unit[divmod(position, n)] = 1
            side = np.kron(np.eye(2**k), unit)
            large = np.block([[large, side], [np.zeros_like(large), large]])
        with np.errstate(all="ignore"):
            block = np.asarray(apply(large))[:n, -n:]
        if np.iscomplexobj(block) and not np.iscomplexobj(result):
            if np.abs(block.imag).max() > 1e-8 * max(1.0, np.abs(block.real).max()):
                block = np.full_like(block.real, np.nan)  # not a real matrix
            block = block.real
        index: Any = (..., *place)
        result[index] = block
    return result.reshape((n, n) * (1 + order))
