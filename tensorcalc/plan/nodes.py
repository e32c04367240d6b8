"""A node and other operands in, the same node with these out: as it is, in no normal form.

What is planned is no formula any more, so nothing of it may fold. Used by the passes of `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Counter, Einsum, Labels, Map, MatrixFunction, Node, RangeSum, Unknown


def with_operands(node: Node, operands: tuple[Node, ...]) -> Node:
    """The node with other operands of the same shapes."""
    match node:
        case Einsum():
            return Einsum.of(node.rank, node.sizes, operands, node.labels)
        case Add():
            return Add.of(node.dims, node.coefficients, operands)
        case Map():
            return Map.of(node.function, operands)
        case MatrixFunction():
            return MatrixFunction.of(node.function, node.dims, operands, node.order)
        case Unknown():
            return Unknown.of(
                node.name, node.dims, operands, node.batch, node.derivatives, node.is_applied,
                node.properties,
            )  # fmt: skip
        case Counter():
            return Counter.of(node.level, operands)
        case RangeSum():
            return RangeSum.of(operands)
    return node


def contraction_of(
    axes: Labels, sizes: Mapping[int, Dim], factors: Sequence[tuple[Node, Labels]]
) -> Node:
    """The contraction of factors to these axes."""
    number = {label: k for k, label in enumerate(axes)}
    for _, own in factors:
        for label in own:
            number.setdefault(label, len(number))
    if len(factors) == 1 and factors[0][1] == axes:
        return factors[0][0]
    return Einsum.of(
        len(axes),
        tuple([sizes[label] for label in number]),
        tuple([operand for operand, _ in factors]),
        tuple([tuple([number[a] for a in own]) for _, own in factors]),
    )


def through(node: Einsum, place: int, inner: Einsum) -> Einsum:
    """The contraction over the operands of a contraction in this place."""
    outer = node.labels[place]
    first = len(node.sizes) - inner.rank
    labels = [
        tuple([outer[a] if a < inner.rank else first + a for a in own]) for own in inner.labels
    ]
    return Einsum.of(
        node.rank,
        (*node.sizes, *inner.sizes[inner.rank :]),
        (*node.operands[:place], *node.operands[place + 1 :], *inner.operands),
        (*node.labels[:place], *node.labels[place + 1 :], *labels),
    )
