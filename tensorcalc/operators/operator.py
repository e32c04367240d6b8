"""A derivative at a point as a linear operator that keeps its structure.

The operator is a Kronecker product of small blocks, each perhaps one for every value of shared
indices, or a diagonal and a product of low rank. Last after `terms.py` and `choose.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from tensorcalc.binding import read_array
from tensorcalc.errors import DomainError, ShapeError
from tensorcalc.lazy import Lazy
from tensorcalc.operators.blocks import Array, Block, singular

EXACT = 1e-13  # how far a residual may be from 0, beside the sizes of what it is made of
SPREAD = 1e-11  # how much smaller than others an entry of a diagonal may be in Woodbury's formula


class Operator(LinearOperator):  # type: ignore[misc]  # SciPy has no types
    """A linear map from arrays of the shape `col_shape` to such of `row_shape`.

    It is a SciPy ``LinearOperator`` of the flattened arrays, and ``@`` also takes an array of the
    shape `col_shape`. Made by calling the result of `tensorcalc.hessian`.

    >>> import numpy as np, tensorcalc as tc
    >>> H = tc.hessian("sum((T - U*V').^2)", "U")(U=np.ones((4, 2)), V=np.eye(3, 2))
    >>> H
    <Operator (4, 2) x (4, 2): identity (4) ⊗ matrix (2, 2)>
    >>> H.solve(np.ones((4, 2)))[0]
    array([0.5, 0.5])
    """

    def __init__(
        self,
        row_shape: Sequence[int],
        col_shape: Sequence[int],
        scale: float,
        pairs: Mapping[int, int],
        blocks: Sequence[Block],
        low: Block | None = None,
    ) -> None:
        """Blocks have rows numbered from 0, columns from ``len(row_shape)``.

        `low` is a block of low rank that is added.
        """
        self.row_shape, self.col_shape = tuple(row_shape), tuple(col_shape)
        self._scale, self._pairs, self._blocks, self._low = scale, dict(pairs), [*blocks], low
        super().__init__(np.dtype(np.float64), (prod(self.row_shape), prod(self.col_shape)))

    # ── products ─────────────────────────────────────────────────────────────────────────────

    def dot(self, x: Any) -> Any:
        """The product with an array of the shape `col_shape`, a vector, or vectors in columns."""
        if isinstance(x, LinearOperator) or (np.isscalar(x) and self.col_shape):
            return super().dot(x)
        right = _numbers(x)
        if right.shape == self.col_shape:
            return self._product(right, 0)
        if right.ndim not in (1, 2) or len(right) != self.shape[1]:
            raise ShapeError(
                f"what is multiplied has shape {right.shape}, the operator's columns are "
                f"{self.col_shape}"
            )
        return super().dot(right)

    def _matvec(self, x: Array) -> Array:
        return self._product(_numbers(x).reshape(self.col_shape), 0).reshape(-1)

    def _matmat(self, x: Array) -> Array:
        count = x.shape[1]
        made = self._product(_numbers(x).reshape(*self.col_shape, count), 1)
        return made.reshape(self.shape[0], count)

    def _product(self, x: Array, extra: int) -> Array:
        """The product, in memory of its own."""
        made = self._apply(x, extra)
        return made.copy() if np.may_share_memory(made, x) else made

    def _apply(self, x: Array, extra: int) -> Array:
        rank = len(self.row_shape)
        paired = {col: row for row, col in self._pairs.items()}
        axes = range(len(self.col_shape))
        labels = (*[paired.get(k, rank + k) for k in axes], *[-1] * extra)
        if not self._scale and not self._low:
            return np.zeros((*self.row_shape, *x.shape[len(axes) :]))
        given, own = x, labels
        if self._scale:
            for block in self._blocks:
                x, labels = block.apply(x, labels)
            x = _ordered(x * self._scale if self._scale != 1 else x, labels, rank)
        if self._low is not None:
            plain = (*range(rank, rank + len(axes)), *own[len(axes) :])
            y, labels = self._low.apply(given, plain)
            y = _ordered(y, labels, rank)
            return x + y if self._scale else y
        return x

    def _adjoint(self) -> Operator:
        rank = len(self.row_shape), len(self.col_shape)
        paired = {col: row for row, col in self._pairs.items()}

        def turned(block: Block) -> Block:
            """Rows are numbered from 0 again, and shared axes by what the new rows are."""
            made = block.transposed
            rows = tuple([label - rank[0] for label in made.rows])
            cols = tuple([label + rank[1] for label in made.cols])
            shared = tuple([self._pairs[label] for label in made.shared])
            return Block(shared, rows, cols, made.core, made.right)

        low = None if self._low is None else turned(self._low)
        blocks = [turned(block) for block in self._blocks]
        return Operator(self.col_shape, self.row_shape, self._scale, paired, blocks, low)

    _transpose = _adjoint

    # ── as arrays ────────────────────────────────────────────────────────────────────────────

    def dense(self) -> Array:
        """The whole array, with the axes `row_shape` and `col_shape`.

        If the operator has no structure this is its own array, which is read-only.
        """
        rank, shape = len(self.row_shape), (*self.row_shape, *self.col_shape)
        whole = self._whole
        if whole is not None:
            whole.flags.writeable = False
            return whole
        result = np.zeros(shape)
        if self._scale:
            strides = list(result.strides)
            for row, col in self._pairs.items():
                strides[row] += strides[rank + col]
            labels = [k for k in range(len(shape)) if k - rank not in self._pairs.values()]
            view = np.lib.stride_tricks.as_strided(
                result, [shape[k] for k in labels], [strides[k] for k in labels]
            )
            view += self._scale * self._contracted(self._blocks, labels, shape)
        if self._low is not None:
            result += self._contracted([self._low], range(len(shape)), shape)
        return result

    @property
    def _whole(self) -> Array | None:
        """The array of all entries, if that is what the operator is made of."""
        if self._low is not None or self._pairs or self._scale != 1 or len(self._blocks) != 1:
            return None
        (block,) = self._blocks
        axes = (*block.rows, *block.cols)
        is_whole = block.right is None and axes == tuple(range(len(axes)))
        return block.core if is_whole else None

    def diagonal(self) -> Array:
        """The diagonal of the matrix of a square operator, with the shape `row_shape`."""
        self._check_square()
        rank, shape = len(self.row_shape), (*self.row_shape, *self.col_shape)
        same = {rank + k: k for k in range(rank)}
        units = [(row, col) for row, col in self._pairs.items() if row != col]
        result = np.zeros(self.row_shape)
        if self._scale:
            found = self._contracted(self._blocks, range(rank), shape, same, units)
            result += self._scale * found
        if self._low is not None:
            result += self._contracted([self._low], range(rank), shape, same)
        return result

    def trace(self) -> float:
        """The trace of the matrix of a square operator."""
        return float(self.diagonal().sum())

    def _contracted(
        self,
        blocks: Sequence[Block],
        labels: Sequence[int],
        shape: Sequence[int],
        same: Mapping[int, int] | None = None,
        units: Sequence[tuple[int, int]] = (),
    ) -> Array:
        """The product of blocks and unit matrices with these axes, some set equal to others."""
        same = same or {}
        between = len(shape)
        given: list[Any] = []
        used: set[int] = set()
        for block in blocks:
            own = [*block.shared, *block.rows]
            sides = [(block.core, [*own, *block.cols])]
            if block.right is not None:
                sides = [(block.core, [*own, between]), (block.right, [between, *block.cols])]
            for array, found in sides:
                renamed = [same.get(label, label) for label in found]
                given += [array, renamed]
                used.update(renamed)
        for row, col in units:
            given += [np.eye(shape[row]), [row, col]]
            used.update((row, col))
        present = [label for label in labels if label in used]
        product = np.einsum(*given, present, optimize=True) if given else np.ones(())
        sizes = [shape[label] if label in used else 1 for label in labels]
        return np.broadcast_to(product.reshape(sizes), [shape[label] for label in labels])

    # ── equations ────────────────────────────────────────────────────────────────────────────

    def solve(self, b: Any) -> Array:
        """The x with ``self @ x = b``, through the structure.

        Parameters
        ----------
        b
            An array of the shape `row_shape`, a vector of as many entries, or vectors in columns.
            The result has the shape `col_shape`, or that of b.

        Raises
        ------
        DomainError
            If the operator is singular, or not square.
        ShapeError
            If b has another shape.
        """
        self._check_square()
        right = _numbers(b)
        count = self.shape[0]
        if right.shape == self.row_shape:
            given, extra = right, 0
        elif right.shape == (count,):
            given, extra = right.reshape(self.row_shape), 0
        elif right.ndim == 2 and len(right) == count:
            given, extra = right.reshape(*self.row_shape, right.shape[1]), 1
        else:
            raise ShapeError(
                f"the right side has shape {right.shape}, the operator's rows are {self.row_shape}"
            )
        if not given.size:
            return np.zeros(right.shape)
        made = self._solved(given, extra).reshape(right.shape)
        return made.copy() if np.may_share_memory(made, right) else made

    def _solved(self, x: Array, extra: int) -> Array:
        if not self._scale:
            raise singular()
        if self._low is None:
            return self._inverted(x, extra)
        if self._as_dense is None:
            found = self._by_woodbury(x, extra)
            found += self._by_woodbury(x - self._apply(found, extra), extra)  # refined once
            # the diagonal may hide what is added to it: then this is no solution
            size = self._size * float(np.linalg.norm(found)) + float(np.linalg.norm(x))
            if float(np.linalg.norm(self._apply(found, extra) - x)) <= EXACT * size:
                return found
        return self._whole_operator._solved(x, extra)

    def _by_woodbury(self, x: Array, extra: int) -> Array:
        rank = len(self.row_shape)
        if self._low is None:
            raise AssertionError("nothing of low rank is added")
        # Woodbury: inv(D + L*R)*x = z - inv(D)*L*inv(I + R*inv(D)*L)*R*z with z = inv(D)*x
        scaled, inner = self._capacitance
        z = self._inverted(x, extra)
        labels = (*range(rank, rank + len(self.col_shape)), *[-1] * extra)
        reduced, _ = Block((), (0,), self._low.cols, self._right).apply(z, labels)
        count = len(self._right)
        solved = inner.solved(reduced.reshape(count, reduced.size // count))
        change: Array = scaled.reshape(self.shape[0], count) @ solved
        return z - change.reshape(z.shape)

    @property
    def _right(self) -> Array:
        """The right factor of what is added."""
        if self._low is None or self._low.right is None:
            raise AssertionError("nothing of low rank is added")
        return self._low.right

    @Lazy
    def _capacitance(self) -> tuple[Array, Block]:
        """``inv(D)*L`` and ``I + R*inv(D)*L``."""
        if self._low is None:
            raise AssertionError("nothing of low rank is added")
        scaled = self._inverted(self._low.core, 1)
        right = self._right.reshape(len(self._right), self.shape[1])
        inner = right @ scaled.reshape(self.shape[0], len(right))
        norm = 1 + float(np.abs(inner).sum(0).max(initial=0.0))
        return scaled, Block((), (0,), (1,), np.eye(len(right)) + inner, norm=norm)

    @Lazy
    def _as_dense(self) -> Operator | None:
        """The operator without structure, where Woodbury's formula fails; else None."""
        if self._low is None or not self._scale:
            return None
        diagonal = [np.abs(block.core) for block in self._blocks]
        if all(d.min(initial=np.inf) > SPREAD * d.max(initial=0.0) for d in diagonal):
            try:
                self._capacitance[1].factorized()
            except DomainError:
                pass
            else:
                return None
        return self._whole_operator

    @Lazy
    def _whole_operator(self) -> Operator:
        """The operator as one dense matrix."""
        axes = tuple(range(len(self.row_shape) + len(self.col_shape)))
        rows, cols = axes[: len(self.row_shape)], axes[len(self.row_shape) :]
        whole = Block((), rows, cols, self.dense())
        return Operator(self.row_shape, self.col_shape, 1.0, {}, [whole])

    @Lazy
    def _size(self) -> float:
        """A norm of the operator, or more: of its diagonal and of what is added."""
        if self._low is None:
            raise AssertionError("nothing of low rank is added")
        diagonal = max([float(np.abs(b.core).max(initial=0.0)) for b in self._blocks], default=1.0)
        added = float(np.linalg.norm(self._low.core)) * float(np.linalg.norm(self._right))
        return abs(self._scale) * diagonal + added

    def _inverted(self, x: Array, extra: int) -> Array:
        """The solution without what is of low rank."""
        rank = len(self.row_shape)
        labels = (*range(rank), *[-1] * extra)
        for block in self._blocks:
            x, labels = block.solve(x, labels)
        labels = tuple([self._pairs.get(a, a - rank) if a >= 0 else a for a in labels])
        x = x / self._scale if self._scale != 1 else x
        return _ordered(x, labels, len(self.col_shape))

    def logdet(self) -> float:
        """The logarithm of the determinant: NaN where that is negative, -inf where it is 0.

        Raises
        ------
        DomainError
            If the operator is not square.
        """
        self._check_square()
        if self._as_dense is not None:
            return self._as_dense.logdet()
        count = self.shape[0]
        if not count:
            return 0.0
        sign, total = float(np.sign(self._scale)) ** count, 0.0
        if not self._scale:
            return -np.inf
        total = count * float(np.log(abs(self._scale)))
        for block in self._blocks:
            stack = block.matrices
            if stack.shape[1] != stack.shape[2]:
                return -np.inf  # the product of matrices that are not square has no full rank
            times = count // max(1, stack.shape[0] * stack.shape[1])
            own, size = block.logdet()
            sign, total = sign * own**times, total + times * size
        sign *= self._parity()
        if self._low is not None:
            own, size = self._capacitance[1].logdet()
            sign, total = sign * own, total + size
        if not sign:
            return -np.inf
        return total if sign > 0 else np.nan

    def _parity(self) -> float:
        """The sign of the permutation of entries by which columns go to their rows."""
        rank = len(self.row_shape)
        order = dict(self._pairs)
        for block in self._blocks:
            order.update(zip(block.rows, [col - rank for col in block.cols], strict=False))
        if all(row == col for row, col in order.items()):
            return 1.0
        target = np.arange(self.shape[0]).reshape(self.col_shape)
        target = target.transpose([order[row] for row in range(rank)]).reshape(-1)
        seen = np.zeros(len(target), bool)
        sign = 1.0
        for start in range(len(target)):
            place = start
            length = 0
            while not seen[place]:
                seen[place] = True
                place = target[place]
                length += 1
            sign *= -1.0 if length and length % 2 == 0 else 1.0
        return sign

    def _check_square(self) -> None:
        if self.row_shape != self.col_shape:
            raise DomainError(
                f"the operator is not square: its rows are {self.row_shape}, "
                f"its columns {self.col_shape}"
            )

    def __repr__(self) -> str:
        sizes = (*self.row_shape, *self.col_shape)
        inside = {label for block in self._blocks for label in block.shared}
        units = [row for row in self._pairs if row not in inside]
        names = [f"identity ({', '.join(str(sizes[k]) for k in units)})"] if units else []
        for block in self._blocks:
            names.append(_kind(block, sizes))
        shown = (" ⊗ ".join(names) or "identity ()") if self._scale else "0"
        if self._low is not None:
            rank = f"rank {len(self._right)}"
            shown = f"{shown} + {rank}" if self._scale else rank
        return f"<Operator {self.row_shape} x {self.col_shape}: {shown}>"


def _numbers(x: Any) -> Array:
    """The array with floating-point numbers, which may be complex."""
    array = read_array("the array", x)
    if array.dtype.kind not in "biufc":
        raise DomainError(f"the array is of type {array.dtype}", None, "numbers are needed")
    return array if array.dtype.kind == "c" else array.astype(np.float64, copy=False)


def _kind(block: Block, sizes: Sequence[int]) -> str:
    """What a block is, for people."""
    shared = ", ".join(str(sizes[k]) for k in block.shared)
    matrix = f"({prod(sizes[k] for k in block.rows)}, {prod(sizes[k] for k in block.cols)})"
    if block.right is not None:
        return f"rank {len(block.right)} {matrix}"
    if block.is_diagonal:
        return f"diagonal ({shared})"
    return f"matrix {matrix}" if not block.shared else f"blocks ({shared}) of {matrix}"


def _ordered(x: Array, labels: Sequence[int], rank: int) -> Array:
    """The array with its axes in the order of the labels, extra ones last."""
    wanted = [*range(rank), *[label for label in labels if label < 0]]
    return x if [*labels] == wanted else x.transpose([labels.index(label) for label in wanted])
