"""Several variables of any rank <-> one flat vector of their free entries. Used by `scipy.py`.

Of a structured matrix only the free entries stand in the vector: the lower triangle of a symmetric
one, the diagonal of a diagonal one. Gradients by all entries are pulled back to those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod
from typing import TypeVar

import numpy as np

from tensorcalc.binding import Array, as_array
from tensorcalc.errors import DomainError, ShapeError
from tensorcalc.ir import Variable

T = TypeVar("T")

# structure: rows and columns of the free entries of an n×n matrix, and the sign of their mirror
# images (0: none are)
FREE: dict[str, tuple[Callable[[int], Sequence[Array]], int]] = {
    "symmetric": (np.tril_indices, 1),
    "spd": (np.tril_indices, 1),
    "skew": (lambda n: np.tril_indices(n, -1), -1),
    "diagonal": (np.diag_indices, 0),
    "lower": (np.tril_indices, 0),
    "upper": (lambda n: np.triu_indices(n), 0),
}
STRAY = 1e-8  # what a start may lack of its structure, relative to its largest entry


@dataclass(frozen=True)
class Part:
    """One variable's place in the vector."""

    name: str
    shape: tuple[int, ...]
    span: slice
    # of a structured matrix: flat places of the free entries, and of their mirror images
    own: Array | None = None
    mirror: Array | None = None
    sign: int = 0  # of the mirror images

    def unpack(self, x: Array) -> Array:
        """The value in the vector; without structure a view."""
        piece = x[self.span]
        if self.own is None:
            return piece.reshape(self.shape)
        flat = np.zeros(prod(self.shape))
        if self.sign:
            flat[self.mirror] = self.sign * piece
        flat[self.own] = piece
        return flat.reshape(self.shape)

    def pull(self, derivative: Array) -> Array:
        """By the free entries, what along the last axis is a derivative by all entries."""
        if self.own is None:
            return derivative
        pulled = derivative[..., self.own]
        if self.sign:
            # on the diagonal an entry is its own mirror image, counted once
            signs = np.where(self.own == self.mirror, 0, self.sign)
            pulled = pulled + signs * derivative[..., self.mirror]
        return np.asarray(pulled)


class Packing:
    """The order of variables in the vector: one after the other, each by rows.

    >>> from tensorcalc.dims import Dim
    >>> S = Variable.of("S", (Dim.of(2), Dim.of(2)), frozenset({"symmetric"}))
    >>> packing = Packing([S], {})
    >>> packing.pack({"S": [[1.0, 2.0], [2.0, 3.0]]})
    array([1., 2., 3.])
    """

    def __init__(self, variables: Iterable[Variable], sizes: Mapping[str, int]) -> None:
        self.parts: dict[str, Part] = {}
        self.size = 0
        for variable in variables:
            part = _part(variable, tuple(dim.value(sizes) for dim in variable.dims), self.size)
            self.parts[variable.name] = part
            self.size = part.span.stop

    def pack(self, values: Mapping[str, object]) -> Array:
        """The vector of a value per variable; a number fills the free entries of its variable.

        Raises
        ------
        ShapeError
            If a value has another shape than the variable.
        DomainError
            If it has not the variable's structure.
        """
        x = np.empty(self.size)
        for name, part in self.parts.items():
            value = as_array(name, values[name])
            if not value.ndim:
                x[part.span] = value
                continue
            if value.shape != part.shape:
                raise ShapeError(f"{name} has the shape {part.shape}, the value {value.shape}")
            x[part.span] = value.reshape(-1) if part.own is None else value.reshape(-1)[part.own]
            if part.own is not None:
                off = np.max(np.abs(part.unpack(x) - value), initial=0.0)
                if not off <= STRAY * np.max(np.abs(value), initial=0.0):
                    raise DomainError(f"the value of {name} has not the structure it is declared")
        return x

    def unpack(self, x: Array) -> dict[str, Array]:
        """The value of every variable, views of `x` where they can be."""
        return {name: part.unpack(x) for name, part in self.parts.items()}

    def gradient(self, gradients: Iterable[Array]) -> Array:
        """The flat gradient, of one by all entries for each variable in order."""
        given = zip(self.parts.values(), gradients, strict=True)
        return np.concatenate([part.pull(np.reshape(array, -1)) for part, array in given])

    def jacobian(self, derivatives: Iterable[Array], rows: int) -> Array:
        """The matrix (rows, size), of a derivative of `rows` entries for each variable in order."""
        matrix = np.empty((rows, self.size))
        for part, array in zip(self.parts.values(), derivatives, strict=True):
            matrix[:, part.span] = part.pull(np.reshape(array, (rows, prod(part.shape))))
        return matrix

    def hessian(self, blocks: Iterable[Array]) -> Array:
        """The symmetric matrix (size, size), of its blocks in the order of `pairs`."""
        matrix = np.empty((self.size, self.size))
        for (upper, left), array in zip(pairs(self.parts.values()), blocks, strict=True):
            block = left.pull(np.reshape(array, (prod(upper.shape), prod(left.shape))))
            block = upper.pull(block.T).T
            if upper is left:
                block = (block + block.T) / 2  # equal but for rounding
            matrix[upper.span, left.span] = block
            matrix[left.span, upper.span] = block.T
        return matrix


def is_positive_definite(matrix: Array) -> bool:
    """Whether a symmetric matrix has a Cholesky factor."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def pairs(items: Iterable[T]) -> list[tuple[T, T]]:
    """The blocks on and above the diagonal, by rows.

    >>> pairs("UV")
    [('U', 'U'), ('U', 'V'), ('V', 'V')]
    """
    return list(combinations_with_replacement(items, 2))


def _part(variable: Variable, shape: tuple[int, ...], start: int) -> Part:
    """The place of a variable whose first entry stands at `start`."""
    name = variable.name
    if variable.is_complex:
        raise DomainError(
            f"{name} is complex: a flat vector of real numbers has no place for it",
            hint="write real and imaginary part as two variables",
        )
    if "orthogonal" in variable.properties:
        raise DomainError(
            f"{name} is orthogonal: its entries are not free to move one by one",
            hint="write it by free ones, such as expm(K) with K skew",
        )
    structure = sorted(variable.properties & FREE.keys())
    if not structure:
        return Part(name, shape, slice(start, start + prod(shape)))
    places, sign = FREE[structure[0]]
    rows, columns = places(shape[0])
    own = rows * shape[0] + columns
    mirror = columns * shape[0] + rows
    return Part(name, shape, slice(start, start + len(own)), own, mirror, sign)
