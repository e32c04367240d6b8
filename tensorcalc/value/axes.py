"""A value in, the value with other axes out: transposed, subscripted, summed, arranged."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.errors import IndexNotationError, ShapeError, Span
from tensorcalc.ir import Basis, Node, Section
from tensorcalc.shapes import Shapes
from tensorcalc.value.operand import Value
from tensorcalc.value.sizes import contract


def transpose(value: Value, span: Span | None) -> Value:
    """The transpose: rows and columns swap; a scalar stays."""
    if value.rank > 2:
        raise ShapeError(
            f"only matrices and vectors have a transpose: {value.source} has {value.rank} axes",
            span,
            "name the axes: `T[i,j,k] -> [k,j,i]`",
        )
    if value.rank < 2:
        return replace(value, row=value.rank == 1 and not value.row, span=span)
    n = len(value.indices)
    order = (*range(n), n + 1, n)
    dims = [value.node.dims[a] for a in order]
    node = canonical.einsum(n + 2, dims, [(value.node, order)])
    return replace(value, node=node, span=span)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A subscript that is an index for a stretch of the axis: `size` entries from `start` on."""

    index: str
    start: Dim
    size: Dim


Subscript = str | int | Stretch


def subscript(
    base: Value, subscripts: Sequence[Subscript], shapes: Shapes, span: Span | None
) -> Value:
    """``base[i,j]``: the whole axes get index names, or are fixed at an integer (from 0)."""
    if len(subscripts) != base.rank:
        count = f"{len(subscripts)} subscript" + "s" * (len(subscripts) != 1)
        hint: str | None = base.note
        if base.source.endswith("]"):
            hint = "write all subscripts in one pair of brackets: `A[i,j]`"
        raise IndexNotationError(f"{count}, but {base.describe(shapes)}", span, hint or None)
    names: list[str] = []
    n = len(base.indices)
    labels: list[Hashable] = list(range(base.node.rank))
    factors: list[tuple[Node, Sequence[Hashable]]] = [(base.node, labels)]
    output: list[Hashable] = list(range(n))
    for axis, (sub, dim) in enumerate(zip(subscripts, base.whole, strict=True), start=n):
        if isinstance(sub, str):
            names.append(sub)
            output.append(axis)
            continue
        if isinstance(sub, Stretch):
            names.append(sub.index)
            output.append(("stretch", axis))
            outer = shapes.resolve(dim)
            beyond = sub.start + sub.size - outer
            if any(all(n < 0 for _, n in d.terms) and d.terms for d in (sub.start, beyond * -1)):
                raise ShapeError(
                    f"{sub.index} runs from {sub.start} to {sub.start + sub.size - 1}, "
                    f"but the axis has {outer} entries",
                    span,
                    "subscripts count from 0",
                )
            section = Section.of(outer, sub.size, sub.start)
            factors.append((section, (axis, ("stretch", axis))))
            continue
        size = shapes.resolve(dim)
        if size.is_integer and sub >= size.constant:
            raise ShapeError(f"subscript {sub} is out of range: the axis has {size} entries", span)
        factors.append((Basis.of(dim, sub), (axis,)))
    node = contract(shapes, factors, output, span)
    return replace(base, node=node, indices=base.indices + tuple(names), row=False, span=span)


def reduce_indices(value: Value, indices: Sequence[str], span: Span | None) -> Value:
    """The sum over named indices."""
    for index in indices:
        if index not in value.indices:
            hint = "its size is unknown; multiply by the size instead"
            if value.rank:
                hint = f"give what is summed its subscripts, as in `x[{index}]`"
            raise IndexNotationError(
                f"index {index} never occurs in what is summed over it", span, hint
            )
    keep = [a for a, i in enumerate(value.indices) if i not in indices]
    keep += range(len(value.indices), value.node.rank)
    number = {a: k for k, a in enumerate(keep)}
    labels = [number.setdefault(a, len(number)) for a in range(value.node.rank)]
    dims = [d for _, d in sorted(zip(labels, value.node.dims, strict=True), key=lambda p: p[0])]
    node = canonical.einsum(len(keep), dims, [(value.node, tuple(labels))])
    names = tuple(i for i in value.indices if i not in indices)
    return replace(value, node=node, indices=names, span=span)


def sum_whole(value: Value, axes: Sequence[int], shapes: Shapes, span: Span | None) -> Value:
    """The sum over some whole axes (numbered from 0)."""
    n = len(value.indices)
    gone = {n + a for a in axes}
    output: list[Hashable] = [a for a in range(value.node.rank) if a not in gone]
    node = contract(shapes, [(value.node, list(range(value.node.rank)))], output, span)
    row = value.rank == 2 and list(axes) == [0]
    return Value(node, value.indices, row, span, value.summed)


def arrange(
    value: Value, axes: Sequence[str], span: Span | None, outer: frozenset[str] = frozenset()
) -> Value:
    """The value with its free indices as whole axes, in the order `axes`; `outer` ones stay."""
    missing = [i for i in axes if i not in value.indices]
    if missing:
        raise IndexNotationError(
            f"index {missing[0]} is to be an axis of the result, but does not occur in it",
            span,
            f"multiply by `vector(1, n)[{missing[0]}]` to repeat along an axis of n entries",
        )
    kept = [i for i in value.indices if i in outer]
    extra = [i for i in value.indices if i not in axes and i not in outer]
    if extra:
        raise IndexNotationError(
            f"index {extra[0]} is free but the result's axes are [{', '.join(axes)}]",
            value.span or span,
            f"write `sum[{extra[0]}](…)` to sum over it",
        )
    order = [value.indices.index(i) for i in (*kept, *axes)]
    order += range(len(order), value.node.rank)
    place = {a: k for k, a in enumerate(order)}
    labels = tuple([place[a] for a in range(value.node.rank)])
    dims = [value.node.dims[a] for a in order]
    node = canonical.einsum(len(dims), dims, [(value.node, labels)])
    return Value(node, tuple(kept), value.row and not axes, span, value.summed)
