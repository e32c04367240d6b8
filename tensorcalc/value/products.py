"""Factors in, their product out: matrices joined, indices that repeat summed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace

from tensorcalc import canonical
from tensorcalc.errors import ShapeError, Span
from tensorcalc.ir import Node
from tensorcalc.shapes import Shapes
from tensorcalc.value.operand import Factor, Value, notes_of
from tensorcalc.value.scopes import check_scopes
from tensorcalc.value.sizes import contract


def close(value: Value, shapes: Shapes, bound: frozenset[str]) -> Value:
    """The value of a whole product: an index that repeats and is not bound is summed."""
    return multiply([Factor("*", value)], shapes, bound, value.span)


def multiply(
    factors: Sequence[Factor],
    shapes: Shapes,
    bound: frozenset[str],
    span: Span | None,
    *,
    keep_open: bool = False,
) -> Value:
    """The product of all factors, left to right, as one contraction.

    ``*`` and ``@`` join matrices, vectors and scalars; ``.*`` and ``./`` go entry by entry; ``/``
    divides by a scalar. Indices that occur more than once and are not bound are summed; with
    `keep_open` they wait, named once per occurrence, for the product that this one stands in.
    """
    values = [factor.value for factor in factors]
    summed = check_scopes(values, span)
    counts = Counter(index for value in values for index in value.indices)
    repeated = [i for i, count in counts.items() if count > 1]
    if len(factors) == 1 and (keep_open or not repeated):
        return replace(values[0], summed=summed, span=span)
    joined = _Joined(shapes, span)
    for factor in factors:
        joined.join(factor)
    parts = [(node, [joined.find(a) for a in labels]) for node, labels in joined.parts]
    indices = [i for i in counts if i in bound or i not in repeated]
    output: list[Hashable] = list(indices)
    if keep_open:
        indices, output = [], []
        for (_, labels), value in zip(parts, values, strict=True):
            for axis, index in enumerate(value.indices):
                labels[axis] = (index, len(indices))
                indices.append(index)
                output.append(labels[axis])
    else:
        summed.update(dict.fromkeys([i for i in repeated if i not in bound], span))
    whole = [joined.find(a) for a in joined.labels]
    node = contract(shapes, parts, [*output, *whole], span, values)
    return Value(node, tuple(indices), joined.row, span, summed)


class _Joined:
    """The whole part of a product as it grows from left to right."""

    def __init__(self, shapes: Shapes, span: Span | None) -> None:
        self.shapes, self.span = shapes, span
        self.parts: list[tuple[Node, list[Hashable]]] = []
        self.labels: list[int] = []
        self.row = False
        self.before: Value | None = None
        self._count = 0
        self._same: dict[Hashable, Hashable] = {}

    def find(self, label: Hashable) -> Hashable:
        while label in self._same:
            label = self._same[label]
        return label

    def join(self, factor: Factor) -> None:
        value, operator = factor.value, factor.operator
        labels = list(range(self._count, self._count + value.rank))
        self._count += value.rank
        node = value.node
        if operator in ("/", "./"):
            if operator == "/" and value.rank:
                hint = "write `./` to divide entry by entry"
                if value.rank == 2:
                    hint = f"write `*inv({value.source})`, or `./` to divide entry by entry"
                raise ShapeError(
                    f"division by something that is not a scalar: {value.describe(self.shapes)}",
                    value.span,
                    f"{hint}; {value.note}" if value.note else hint,
                )
            node = canonical.power(node, -1)
        self.parts.append((node, [*value.indices, *labels]))
        entrywise = operator in (".*", "./")
        if self.before is not None and self.labels and labels:
            self._whole(value, labels, entrywise)
        elif labels:
            self.labels, self.row = labels, value.row
        if value.rank:
            self.before = replace(value, row=self.row)

    def _whole(self, value: Value, labels: list[int], entrywise: bool) -> None:
        """Both sides have whole axes: match them."""
        left, right = self.labels, labels
        if entrywise:
            if len(left) != len(right) or (len(left) == 1 and self.row != value.row):
                self._fail(value, "entry by entry")
            self._same.update({b: a for a, b in zip(left, right, strict=True) if a != b})
            return
        kinds = (self._kind(len(left), self.row), self._kind(len(right), value.row))
        match kinds:
            case (
                ("matrix", "matrix") | ("matrix", "column") | ("row", "matrix") | ("row", "column")
            ):
                self._same[right[0]] = left[-1]
                self.labels = left[:-1] + right[1:]
                self.row = kinds[0] == "row" and len(self.labels) == 1
            case ("column", "row"):
                self.labels, self.row = left + right, False
            case _:
                self._fail(value, "as a matrix product")

    @staticmethod
    def _kind(rank: int, row: bool) -> str:
        if rank == 1:
            return "row" if row else "column"
        return "matrix" if rank == 2 else "tensor"

    def _fail(self, value: Value, how: str) -> None:
        left = self.before
        told = "" if left is None else left.describe(self.shapes) + "; "
        hint = (
            "write `x'*y` for the inner, `x*y'` for the outer and `x.*y` for the entrywise product"
        )
        if left is not None and 2 in (left.rank, value.rank):
            hint = "a row is written `x'`; `A*x` and `x'*A` are the products of matrix and vector"
        if max(len(self.labels), value.rank) > 2:
            hint = "write tensors of rank 3 and more in index notation, `T[i,j,k]*x[k]`"
        notes = notes_of([v for v in (left, value) if v is not None])
        raise ShapeError(
            f"cannot multiply {how}: {told}{value.describe(self.shapes)}",
            self.span,
            hint + (f"; {notes}" if notes else ""),
        )
