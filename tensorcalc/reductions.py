"""Reductions of the language: over all entries, along an axis as in Matlab, over named indices.

A sum is a contraction; `max min prod logsumexp` are functions of the reduced axis
(`matrix_functions.py`), one axis after the other; `softmax` is ``exp(x - logsumexp(x))``. Used by
`array_functions.py` and `elaborate/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.dims import Dim
from tensorcalc.errors import IndexNotationError, ShapeError, Span
from tensorcalc.ir import Node
from tensorcalc.shapes import Shapes
from tensorcalc.value import Value

REDUCTIONS = ("sum", "mean", "max", "min", "prod", "softmax", "logsumexp")


def reduce_whole(name: str, args: list[Value], shapes: Shapes, span: Span) -> Value:
    """``sum(X)``, ``sum(X, 1)`` and the like: over all entries, or along an axis."""
    value = args[0]
    axes = _axes(args, name, shapes, span)
    if name == "softmax":
        if len(axes) > 1:
            raise ShapeError(
                f"softmax needs the axis it is along: {value.describe(shapes)}",
                span,
                "write `softmax(X, 2)` for each row, `softmax(X, 1)` for each column",
            )
        places = [len(value.indices) + a for a in axes]
        return replace(value, node=_reduced("softmax", value.node, places), span=span)
    if name in ("sum", "mean"):
        total = v.sum_whole(value, axes, shapes, span)
        return total if name == "sum" else _divided(total, [value.whole[a] for a in axes])
    node = _reduced(name, value.node, [len(value.indices) + a for a in axes])
    row = (value.rank == 2 and axes == [0]) or (value.row and not axes)
    return Value(node, value.indices, row, span, value.summed)


def reduce_indices(name: str, value: Value, indices: Sequence[str], span: Span) -> Value:
    """``sum[i,j](…)`` and the like: over named indices; `softmax` keeps them."""
    if name == "sum":
        return v.reduce_indices(value, indices, span)
    if name == "mean":
        sizes = [value.node.dims[value.indices.index(i)] for i in indices if i in value.indices]
        return _divided(v.reduce_indices(value, indices, span), sizes)
    for index in indices:
        v.reduce_indices(value, [index], span)  # the index is there
    places = [value.indices.index(i) for i in indices]
    node = _reduced(name, value.node, places)
    if name == "softmax":
        return replace(value, node=node, span=span)
    kept = tuple([i for i in value.indices if i not in indices])
    return replace(value, node=node, indices=kept, span=span)


def _axes(args: list[Value], what: str, shapes: Shapes, span: Span) -> list[int]:
    """The axes to reduce: all, or the one named as in Matlab: 1 over rows, 2 over columns."""
    value = args[0]
    if value.indices and not value.rank:
        index = value.indices[0]
        raise IndexNotationError(
            f"{what}(…) is over the entries of a whole vector or matrix, but this is an entry",
            span,
            f"write `{what}[{index}](…)` to go over {index}",
        )
    if len(args) == 1:
        return list(range(value.rank))
    axis = canonical.as_number(args[1].node)
    if args[1].rank or axis is None or axis.denominator != 1 or not 1 <= axis <= max(2, value.rank):
        raise ShapeError(
            f"the axis of {what} is 1 (down the rows) or 2 (along each row): "
            f"{value.describe(shapes)}",
            args[1].span or span,
        )
    if value.rank == 1:  # a column has one column, a row one row
        return [0] if (axis == 2) == value.row else []
    return [int(axis) - 1] if value.rank else []


def _reduced(name: str, node: Node, axes: Sequence[int]) -> Node:
    """The reduction over some axes of a node, one after the other; `softmax` over all at once."""
    kept = [a for a in range(node.rank) if a not in axes]
    order = [*kept, *axes]
    turned = _permuted(node, order)
    reduced = turned
    for _ in axes:
        reduced = canonical.matrix_function("logsumexp" if name == "softmax" else name, reduced)
    if name != "softmax":
        return reduced
    labels = tuple(range(node.rank))
    spread = canonical.einsum(node.rank, turned.dims, [(reduced, labels[: len(kept)])])
    if not axes:
        return canonical.number(1, node.dims)
    shifted = canonical.add(turned.dims, [(Fraction(1), turned), (Fraction(-1), spread)])
    back = [order.index(a) for a in range(node.rank)]
    return _permuted(canonical.elementwise("exp", [shifted]), back)


def _permuted(node: Node, order: Sequence[int]) -> Node:
    """The node with its axes in another order."""
    place = {axis: k for k, axis in enumerate(order)}
    dims = [node.dims[axis] for axis in order]
    labels = tuple([place[axis] for axis in range(node.rank)])
    return canonical.einsum(node.rank, dims, [(node, labels)])


def _divided(total: Value, sizes: Sequence[Dim]) -> Value:
    """The value over the product of sizes."""
    factors: list[canonical.Factor] = [(total.node, tuple(range(total.node.rank)))]
    factors += [(canonical.power(canonical.size(dim), -1), ()) for dim in sizes]
    return replace(total, node=canonical.einsum(total.node.rank, total.node.dims, factors))
