"""Contractions of two in, weighted products with the own transpose as plain ones out.

``X'*diag(w)*X`` with weights that are known not to be negative is ``B'*B`` with
``B = diag(sqrt(w))*X``, whose half BLAS computes from one array. Comes after `contract.py`; used by
`plan`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.ir import Einsum, Labels, Map, Node
from tensorcalc.plan.nodes import contraction_of, with_operands
from tensorcalc.signs import Sign, sign
from tensorcalc.traverse import fold

Factor = tuple[Node, Labels]


def take_roots(roots: Sequence[Node]) -> list[Node]:
    """The same roots, where the weights of a symmetric product are shared by both its factors."""
    signs: dict[Node, Sign] = {}

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        made = with_operands(node, operands)
        if isinstance(made, Einsum) and made.rank == 2 and len(operands) == 2:
            return _gram(made, signs) or made
        return made

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _gram(node: Einsum, signs: dict[Node, Sign]) -> Node | None:
    """A product of a matrix, weights and its transpose as that of one matrix with its transpose."""
    factors = [
        factor
        for pair in zip(node.operands, node.labels, strict=True)
        for factor in factors_of(*pair)
    ]
    left, right = ([f for f in factors if label in f[1]] for label in (0, 1))
    weights = [f for f in factors if f not in left and f not in right]
    axes = (*range(2, len(node.sizes)), 0)
    if not weights or {*axes} != {label for _, labels in left for label in labels}:
        return None
    if Counter(left) != Counter([_swapped(factor) for factor in right]):
        return None
    sizes = dict(enumerate(node.sizes))
    labels = tuple(dict.fromkeys([label for _, own in weights for label in own]))
    weight = contraction_of(labels, sizes, weights)
    if sign(weight, signs) is Sign.ANY:
        return None
    half = canonical.number(Fraction(1, 2), weight.dims)
    shared = [(Map.of("pow", (weight, half)), labels), *left]
    matrix = contraction_of(axes, sizes, shared)
    return contraction_of((0, 1), sizes, [(matrix, axes), (matrix, (*axes[:-1], 1))])


def _swapped(factor: Factor) -> Factor:
    node, labels = factor
    return node, tuple([1 - label if label < 2 else label for label in labels])


def factors_of(node: Node, labels: Labels) -> list[Factor]:
    """The factors of an operand that is a product entry by entry, under their labels."""
    if not isinstance(node, Einsum) or len(node.sizes) != node.rank:
        return [(node, labels)]
    return [
        factor
        for operand, own in zip(node.operands, node.labels, strict=True)
        for factor in factors_of(operand, tuple([labels[axis] for axis in own]))
    ]
