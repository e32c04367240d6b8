"""Products and shapes made by merging axes: `kron`, `vec`, `commutation`; and `cross`.

All are contractions with a constant of structure (`structure.py`), so they need no rules of their
own. Conventions: Magnus and Neudecker, "Matrix Differential Calculus", chapters 2 and 3. Used by
`array_functions.py` and `elaborate/`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from tensorcalc import canonical, value as v
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import ShapeError, Span
from tensorcalc.ir import LeviCivita, Merge, Node
from tensorcalc.shapes import Shapes
from tensorcalc.value import Value


def vec(args: list[Value], shapes: Shapes, span: Span) -> Value:
    """The columns of a matrix under one another."""
    (x,) = args
    if x.rank > 2:
        raise ShapeError(f"vec takes a matrix: {x.describe(shapes)}", span)
    n = len(x.indices)
    if x.rank < 2:
        dims = x.node.dims if x.rank else (*x.node.dims, Dim.of(1))
        return replace(
            x,
            node=canonical.einsum(len(dims), dims, [(x.node, tuple(range(x.node.rank)))]),
            row=False,
            span=span,
        )
    rows, columns = shapes.resolve_all(x.whole)
    sizes = (*x.node.dims[:n], rows * columns, rows, columns)
    axes = tuple(range(n))
    factors = [(x.node, (*axes, n + 1, n + 2)), (Merge.of((columns, rows)), (n, n + 2, n + 1))]
    return replace(x, node=canonical.einsum(n + 1, sizes, factors), row=False, span=span)


def kron(args: list[Value], shapes: Shapes, span: Span) -> Value:
    """The Kronecker product of matrices; a column counts as one of one column, a row of one row."""
    product = args[0]
    for right in args[1:]:
        product = _kron(product, right, shapes, span)
    return product


def _kron(left: Value, right: Value, shapes: Shapes, span: Span) -> Value:
    for x in (left, right):
        if x.rank > 2:
            raise ShapeError(f"kron takes matrices: {x.describe(shapes)}", span)
    summed = v.check_scopes([left, right], span)
    indices = tuple(dict.fromkeys((*left.indices, *right.indices)))
    factors: list[tuple[Node, Sequence[Hashable]]] = []
    parts: dict[str, list[tuple[Hashable, Dim]]] = {"rows": [], "columns": []}
    for side, x in enumerate((left, right)):
        ends = ("rows", "columns") if x.rank == 2 else ("columns",) if x.row else ("rows",)
        own = [(side, end) for end in ends[: x.rank]]
        for label, dim in zip(own, shapes.resolve_all(x.whole), strict=True):
            parts[label[1]].append((label, dim))
        factors.append((x.node, [*x.indices, *own]))
    output: list[Hashable] = list(indices)
    for end, members in parts.items():
        if len(members) == 1:
            output.append(members[0][0])
        elif members:
            factors.append(
                (Merge.of(tuple([d for _, d in members])), [end, *[a for a, _ in members]])
            )
            output.append(end)
    node = v.contract(shapes, factors, output, span, [left, right])
    row = not parts["rows"] and bool(parts["columns"])
    return Value(node, indices, row, span, summed)


def commutation(rows: Dim, columns: Dim) -> Node:
    """The matrix K with ``K*vec(A) = vec(A')`` for A of these sizes."""
    sizes: Dims = (rows * columns, rows * columns, rows, columns)
    factors = [(Merge.of((rows, columns)), (0, 2, 3)), (Merge.of((columns, rows)), (1, 3, 2))]
    return canonical.einsum(2, sizes, factors)


def cross(args: list[Value], shapes: Shapes, span: Span) -> Value:
    """The cross product of two vectors of three entries."""
    left, right = args
    for x in args:
        if x.rank != 1 or not shapes.equate(x.whole[0], Dim.of(3)):
            raise ShapeError(f"cross takes vectors of 3 entries: {x.describe(shapes)}", span)
    summed = v.check_scopes(args, span)
    indices = tuple(dict.fromkeys((*left.indices, *right.indices)))
    factors: list[tuple[Node, Sequence[Hashable]]] = [
        (LeviCivita.of(3), [0, 1, 2]),
        (left.node, [*left.indices, 1]),
        (right.node, [*right.indices, 2]),
    ]
    node = v.contract(shapes, factors, [*indices, 0], span, args)
    return Value(node, indices, left.row and right.row, span, summed)
