"""Values that meet in; equal sizes, or an error that says which differ, out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tensorcalc import canonical
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import ShapeError, Span
from tensorcalc.ir import Einsum, Merge, Node
from tensorcalc.shapes import Shapes
from tensorcalc.value.operand import Value, notes_of


def contract(
    shapes: Shapes,
    factors: Sequence[tuple[Node, Sequence[Hashable]]],
    output: Sequence[Hashable],
    span: Span | None,
    values: Sequence[Value] = (),
) -> Node:
    """The Einsum of `factors` under any hashable labels; equal labels have equal sizes."""
    sizes: dict[Hashable, Dim] = {}
    owners: dict[Hashable, int] = {}
    merged: dict[Hashable, Dims] = {}
    for place, (node, labels) in enumerate(factors):
        for axis, (dim, label) in enumerate(zip(node.dims, labels, strict=True)):
            parts = merged_sizes(node, axis)
            known = merged.setdefault(label, parts) if parts else merged.get(label)
            if known and parts:
                shapes.same_dims(known, parts)
            owner = owners.setdefault(label, place)
            if not shapes.equate(sizes.setdefault(label, dim), dim):
                sides = [str(shapes.resolve(d)) for d in (sizes[label], dim)]
                both = [values[k] for k in (owner, place) if k < len(values)]
                raise _conflict(label, sides, both, shapes, span)
    return canonical.contract(output, sizes, factors)


def _conflict(
    label: Hashable,
    sides: Sequence[str],
    values: Sequence[Value],
    shapes: Shapes,
    span: Span | None,
) -> ShapeError:
    """The error that an index, or an axis of two operands, has two sizes."""
    message = f"the sizes would be both {sides[0]} and {sides[1]}"
    if isinstance(label, str):
        message = f"index {label} would be both {sides[0]} and {sides[1]}"
        if len(values) == 2 and values[0] is not values[1]:
            told = [f"{side} in {v.source}" for side, v in zip(sides, values, strict=True)]
            message += f": {' but '.join(told)}"
    elif len(values) == 2 and values[0] is not values[1]:
        message = " but ".join([value.describe(shapes) for value in values])
        if all(value.rank == 2 for value in values):
            message += f": {sides[0]} and {sides[1]} differ"
        if span is not None and span.text:
            message = f"{span.source}: {message}"
    return ShapeError(message, span, notes_of(values))


def make_square(value: Value, shapes: Shapes) -> bool:
    """Make the sizes of a matrix equal; False if they cannot be, or it is none."""
    if value.rank != 2:
        return False
    n = len(value.indices)
    parts = merged_sizes(value.node, n), merged_sizes(value.node, n + 1)
    shapes.same_dims(*parts)
    return shapes.equate(*value.whole)


def merged_sizes(node: Node, axis: int) -> Dims:
    """The sizes of the axes that were merged into one, as by `vec` and `kron`."""
    if isinstance(node, Merge) and axis == 0:
        return node.dims[1:]
    if isinstance(node, Einsum):
        for operand, labels in zip(node.operands, node.labels, strict=True):
            if isinstance(operand, Merge) and labels[0] == axis:
                return operand.dims[1:]
    return ()
