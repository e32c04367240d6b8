"""Values of one shape in; their sum, or a function of them entry by entry, out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.errors import IndexNotationError, ShapeError, Span
from tensorcalc.ir import Node
from tensorcalc.shapes import Shapes
from tensorcalc.value.operand import Value, notes_of
from tensorcalc.value.scopes import check_scopes
from tensorcalc.value.sizes import merged_sizes


def align(
    values: Sequence[Value], shapes: Shapes, span: Span | None, what: str
) -> tuple[list[Node], Value]:
    """All values broadcast to common indices and one whole shape, and the frame they share."""
    summed = check_scopes(values, span)
    indices = list(dict.fromkeys(i for value in values for i in value.indices))
    shaped = [value for value in values if value.rank]
    for value in shaped[1:]:
        first = shaped[0]
        if value.rank != first.rank or (value.rank == 1 and value.row != first.row):
            raise ShapeError(
                f"{what} different shapes: {first.describe(shapes)}; {value.describe(shapes)}",
                span,
                notes_of([first, value]) or "only a scalar is broadcast to every entry",
            )
        for axis, (a, b) in enumerate(zip(first.whole, value.whole, strict=True)):
            parts = [merged_sizes(v.node, len(v.indices) + axis) for v in (first, value)]
            if all(parts):
                shapes.same_dims(*parts)
            if not shapes.equate(a, b):
                raise ShapeError(
                    f"{what} different sizes: {first.describe(shapes)}; {value.describe(shapes)}",
                    span,
                    notes_of([first, value]),
                )
    whole = shaped[0].whole if shaped else ()
    labels: list[Hashable] = [*indices, *range(len(whole))]
    dims: dict[str, Dim] = {}
    for value in values:
        for index, dim in zip(value.indices, value.node.dims, strict=False):
            if not shapes.equate(dims.setdefault(index, dim), dim):
                sides = shapes.resolve(dims[index]), shapes.resolve(dim)
                raise ShapeError(
                    f"index {index} would be both {sides[0]} and {sides[1]}", span, notes_of(values)
                )
    sizes = [*(dims[i] for i in indices), *whole]
    place = {label: axis for axis, label in enumerate(labels)}
    straight = tuple(range(len(sizes)))
    nodes = []
    for value in values:
        own = tuple([place[a] for a in (*value.indices, *range(value.rank))])
        aligned = own == straight
        node = value.node if aligned else canonical.einsum(len(sizes), sizes, [(value.node, own)])
        nodes.append(node)
    row = bool(shaped) and shaped[0].row
    return nodes, Value(nodes[0], tuple(indices), row, span, summed)


def add(
    terms: Sequence[tuple[Fraction, Value]],
    shapes: Shapes,
    bound: frozenset[str],
    span: Span | None,
) -> Value:
    """The sum of terms: equal free indices (bound ones aside), equal shapes, scalars broadcast."""
    values = [value for _, value in terms]
    free = [
        (value, indices)
        for value in values
        for indices in [frozenset(value.indices) - bound]
        if indices
    ]
    for value, indices in free[1:]:
        if indices != free[0][1]:
            missing = sorted(indices ^ free[0][1])
            raise IndexNotationError(
                f"the terms of a sum have different free indices: {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not in all of them",
                value.span or span,
                f"sum over it with `sum[{missing[0]}](…)`, or name the result's axes with an arrow"
                f" `-> [{', '.join(sorted(indices | free[0][1]))}]`",
            )
    nodes, frame = align(values, shapes, span, "the terms of a sum have")
    total = canonical.add(
        nodes[0].dims, [(c, node) for (c, _), node in zip(terms, nodes, strict=True)]
    )
    return replace(frame, node=total)


def elementwise(function: str, values: Sequence[Value], shapes: Shapes, span: Span | None) -> Value:
    """An elementwise function of values of one shape, scalars broadcast."""
    nodes, frame = align(values, shapes, span, f"the arguments of {function} have")
    return replace(frame, node=canonical.elementwise(function, nodes))
