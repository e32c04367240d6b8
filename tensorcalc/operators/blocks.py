"""One factor of a Kronecker product with its numbers: products, solutions, determinants.

An array goes through with a label per axis; a block takes away the labels of its columns and puts
those of its rows, or the other way round when equations are solved. Used by `operator.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lu_factor, lu_solve
from scipy.linalg.lapack import dgecon, dpocon

from tensorcalc.errors import DomainError

Array = np.ndarray[Any, np.dtype[Any]]
Labels = tuple[int, ...]
EPSILON = np.finfo(np.float64).eps
MANY = 8  # right sides for each row of a matrix from which on its inverse is faster …
WELL = 1e4  # … and the condition up to which it is as good


@dataclass(slots=True)
class Block:
    """``core[shared…, rows…, cols…]``, or of low rank ``core[rows…, k]*right[k, cols…]``.

    The axes have labels. There is one matrix for every value of the shared indices; without rows
    and columns it is a diagonal.
    """

    shared: Labels
    rows: Labels
    cols: Labels
    core: Array
    right: Array | None = None
    norm: float = 0.0  # of what the matrix is a sum of, if more than its own
    factors: Any = field(default=None, repr=False)
    inverse: tuple[Array | None] | None = field(default=None, repr=False)

    @property
    def is_diagonal(self) -> bool:
        """Whether the block only scales entries."""
        return not self.rows and not self.cols

    @property
    def matrices(self) -> Array:
        """The core as a stack of matrices."""
        counts = [len(self.shared), len(self.rows)]
        shape = self.core.shape
        return self.core.reshape(
            prod(shape[: counts[0]]),
            prod(shape[counts[0] : sum(counts)]),
            prod(shape[sum(counts) :]),
        )

    @property
    def transposed(self) -> Block:
        """The block of the transposed operator; labels stay."""
        first, second = len(self.shared), len(self.rows)
        if self.right is not None:
            turned = [np.moveaxis(self.right, 0, -1), np.moveaxis(self.core, -1, 0)]
            return Block((), self.cols, self.rows, turned[0], turned[1])
        axes = range(self.core.ndim)
        order = (*axes[:first], *axes[first + second :], *axes[first : first + second])
        return Block(self.shared, self.cols, self.rows, self.core.transpose(order))

    def apply(self, x: Array, labels: Labels) -> tuple[Array, Labels]:
        """The product with an array; labels of the columns become those of the rows."""
        if self.right is not None:
            sizes = self.right.shape[1:]
            x, rest = _apart(x, labels, (), self.cols)
            inner = self.right.reshape(len(self.right), prod(sizes)) @ x[0]
            made = self.core.reshape(prod(self.core.shape[:-1]), self.core.shape[-1]) @ inner
            return _together(made[None], rest, self.rows, self.core.shape[:-1])
        if self.is_diagonal:
            return x * _spread(self.core, self.shared, labels, x.ndim), labels
        sizes = self.core.shape[len(self.shared) : len(self.shared) + len(self.rows)]
        if self.is_last(labels, self.cols):
            (matrix,) = self.matrices
            kept = x.shape[: x.ndim - len(self.cols)]
            made = x.reshape(prod(kept), matrix.shape[1]) @ matrix.T
            return made.reshape((*kept, *sizes)), (*labels[: len(kept)], *self.rows)
        x, rest = _apart(x, labels, self.shared, self.cols)
        return _together(self.matrices @ x, rest, self.rows, sizes)

    def solve(self, x: Array, labels: Labels) -> tuple[Array, Labels]:
        """The solution of equations; labels of the rows become those of the columns."""
        if self.right is not None:
            raise singular()
        if self.is_diagonal:
            if not np.all(self.core):
                raise singular()
            return x / _spread(self.core, self.shared, labels, x.ndim), labels
        sizes = self.core.shape[len(self.shared) + len(self.rows) :]
        if self.is_last(labels, self.rows):
            kept = x.shape[: x.ndim - len(self.rows)]
            right = x.reshape(prod(kept), prod(x.shape[len(kept) :]))
            turned = self.turned_inverse() if len(right) > MANY * right.shape[1] else None
            made = self.solved(right.T).T if turned is None else right @ turned
            return made.reshape((*kept, *sizes)), (*labels[: len(kept)], *self.cols)
        x, rest = _apart(x, labels, self.shared, self.rows)
        made = self.solved(x[0])[None] if not self.shared else self.solved(x)
        return _together(made, rest, self.cols, sizes)

    def is_last(self, labels: Labels, wanted: Labels) -> bool:
        """Whether there is one matrix, for the last axes."""
        return not self.shared and len(labels) > 0 and labels[-len(wanted) :] == wanted

    def solved(self, right: Array) -> Array:
        """The solution for right sides in columns."""
        kind, factors = self.factorized()
        if kind == "cholesky":
            return cho_solve(factors, right, check_finite=False)  # type: ignore[no-any-return]
        if kind == "lu":
            return lu_solve(factors, right, check_finite=False)  # type: ignore[no-any-return]
        return np.linalg.solve(factors, right)

    def turned_inverse(self) -> Array | None:
        """The inverse, transposed; None where solutions would be less exact by it."""
        if self.inverse is None:
            (matrix,) = self.matrices
            if matrix.shape[0] != matrix.shape[1]:
                raise not_square()
            try:
                found = np.linalg.inv(matrix.T)
            except np.linalg.LinAlgError:
                raise singular() from None
            condition = np.abs(matrix).sum(0).max() * np.abs(found).sum(1).max()
            _check(condition)
            self.inverse = (found if condition < WELL else None,)
        return self.inverse[0]

    def factorized(self) -> tuple[str, Any]:
        """How the block's matrices are solved with, found once: Cholesky's factors, or LU."""
        if self.factors is None:
            self.factors = _factorized(self.matrices, self.norm)
        return self.factors  # type: ignore[no-any-return]

    def logdet(self) -> tuple[float, float]:
        """Sign and logarithm of the modulus of the determinant, of all its matrices together."""
        if self.right is not None:
            return 0.0, -np.inf
        with np.errstate(divide="ignore", invalid="ignore"):  # the logarithm of 0, and of NaN
            if self.is_diagonal:
                sign, size = np.sign(self.core), np.log(np.abs(self.core))
            else:
                sign, size = np.linalg.slogdet(self.matrices)
        return float(np.prod(sign)), float(np.sum(size))


def _factorized(matrices: Array, norm: float) -> tuple[str, Any]:
    if matrices.shape[1] != matrices.shape[2]:
        raise not_square()
    norms = np.abs(matrices).sum(1).max(-1, initial=norm)
    if not np.isfinite(norms).all():
        raise DomainError("the operator has entries that are infinite or not numbers")
    if len(matrices) != 1:
        try:
            inverses = np.abs(np.linalg.inv(matrices)).sum(1).max(-1, initial=0.0)
        except np.linalg.LinAlgError:
            raise singular() from None
        _check((norms * inverses).max(initial=0.0))
        return "stack", matrices
    (matrix,), (norm,) = matrices, norms
    if (np.diagonal(matrix) > 0).all() and np.array_equal(matrix, matrix.T):
        try:
            factors = cho_factor(matrix, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            pass
        else:
            _check(1 / (dpocon(factors[0], norm, uplo="L")[0] or EPSILON**2))
            return "cholesky", factors
    factors = _lu(matrix)
    _check(1 / (dgecon(factors[0], norm)[0] or EPSILON**2))
    return "lu", factors


def _check(condition: float) -> None:
    """Refuse what is singular to working precision."""
    if not condition * EPSILON < 1:
        raise singular()


def _lu(matrix: Array) -> Any:
    from warnings import catch_warnings, simplefilter

    with catch_warnings():
        simplefilter("ignore")  # a zero pivot is our own error
        return lu_factor(matrix, check_finite=False)


def singular() -> DomainError:
    """The error of equations without one solution."""
    return DomainError(
        "the operator is singular, to working precision: there is not one solution",
        None,
        "add a positive multiple of the identity, as a penalty of the formula does",
    )


def not_square() -> DomainError:
    """The error of equations with a factor that has no inverse for its shape."""
    return DomainError("the operator is a product of matrices that are not square")


def _spread(core: Array, own: Labels, labels: Labels, rank: int) -> Array:
    """The core with its axes where the labels stand, so that it multiplies entry by entry."""
    order = sorted(range(len(own)), key=lambda k: labels.index(own[k]))
    shape = [1] * rank
    for k in order:
        shape[labels.index(own[k])] = core.shape[k]
    return core.transpose(order).reshape(shape)


def _apart(
    x: Array, labels: Labels, shared: Labels, wanted: Labels
) -> tuple[Array, list[tuple[int, int]]]:
    """The array as (shared, wanted, rest), and the labels and sizes of shared and rest."""
    rest = tuple([label for label in labels if label not in shared and label not in wanted])
    order = [labels.index(label) for label in (*shared, *wanted, *rest)]
    sizes = [x.shape[k] for k in order]
    first, second = len(shared), len(shared) + len(wanted)
    shape = [prod(part) for part in (sizes[:first], sizes[first:second], sizes[second:])]
    facts = [(label, x.shape[labels.index(label)]) for label in (*shared, *rest)]
    return x.transpose(order).reshape(shape), [(len(shared), 0), *facts]


def _together(
    x: Array, facts: Sequence[tuple[int, int]], new: Labels, sizes: Sequence[int]
) -> tuple[Array, Labels]:
    """The array under shared labels, the new ones and the rest."""
    (count, _), *others = facts
    shared, rest = others[:count], others[count:]
    shape = [*[s for _, s in shared], *sizes, *[s for _, s in rest]]
    return x.reshape(shape), (*[a for a, _ in shared], *new, *[a for a, _ in rest])
