"""Contractions of two in, the same over operands whose axes stand as BLAS wants them.

What is computed anyway can be stored with its axes in any order; an array of the user's is copied
where the product of matrices is worth it. Comes after `contract.py`, before `schedule.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from tensorcalc.ir import Einsum, Labels, Node
from tensorcalc.plan.classify import Class, classify
from tensorcalc.plan.indices import reduced_labels
from tensorcalc.plan.nodes import with_operands
from tensorcalc.traverse import fold

# nanoseconds, measured: a call of BLAS, a multiplication there and in a loop nest, an entry moved
CALL, BLAS, LOOP, MOVE = 150, 0.04, 0.4, 1.2
TILE, RAMP = 8, 16  # BLAS fills whole tiles, and each sum takes as long as if it had more terms


def arrange_axes(roots: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """The same roots, where operands are views that put their axes in order."""
    used: dict[Node, list[Labels]] = {}

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        node = with_operands(node, operands)
        if not isinstance(node, Einsum) or len(operands) != 2 or not reduced_labels(node):
            return node
        found = classify(node, sizes, lambda operand: True)
        return _arranged(node, sizes, used, found) or node

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _arranged(
    node: Einsum, sizes: Mapping[str, int], used: dict[Node, list[Labels]], now: Class
) -> Node | None:
    """The contraction as a product of matrices, or of fewer; None if that is not worth it."""
    extents = [dim.value(sizes) for dim in node.sizes]
    if any(len({*own}) != len(own) for own in node.labels):
        return None
    a, b = ({*own} for own in node.labels)
    groups = [
        [label for label in range(node.rank) if label in a and label in b],
        [label for label in range(node.rank) if label in a and label not in b],
        [label for label in range(node.rank) if label in b and label not in a],
        [label for label in range(node.rank, len(extents)) if label in a and label in b],
    ]
    if any(prod(extents[label] for label in group) == 1 for group in groups[1:]):
        return None
    batch, m, n, k = groups
    best: Node | None = None
    least = _time(now, extents)
    orders = []
    for operand, own, mine in zip(node.operands, node.labels, (m, n), strict=True):
        known = [tuple([own[axis] for axis in order]) for order in used.get(operand, ())]
        wanted = [own, *known, (*batch, *mine, *k), (*batch, *k, *mine)]
        orders.append([order for order in wanted if len(order) == len(own)])
    for pair in product(*orders):
        moved = sum(
            prod(extents[label] for label in own)
            for operand, own, order in zip(node.operands, node.labels, pair, strict=True)
            if order != own and [own.index(label) for label in order] not in used.get(operand, ())
        )
        if MOVE * moved >= least:
            continue
        new = [
            _view(operand, own, order)
            for operand, own, order in zip(node.operands, node.labels, pair, strict=True)
        ]
        made = Einsum.of(node.rank, node.sizes, tuple(new), pair)
        time = MOVE * moved + _time(classify(made, sizes, lambda operand: True), extents)
        if time < least:
            best, chosen, least = made, pair, time
    if best is not None:
        for operand, own, order in zip(node.operands, node.labels, chosen, strict=True):
            axes = tuple([own.index(label) for label in order])
            if order != own and axes not in used.setdefault(operand, []):
                used[operand].append(axes)
    return best


def _time(found: Class, extents: Sequence[int]) -> float:
    """About how long a contraction takes, in nanoseconds."""
    if found.kind == "LOOP":
        return LOOP * prod(extents)
    calls = prod(extents[label] for label in found.loops)
    m, n, k = [prod(extents[label] for label in run) for run in (found.m, found.n, found.k)]
    tiles = [-(-extent // TILE) * TILE for extent in (m, n)]
    return calls * (CALL + BLAS * prod(tiles) * (k + RAMP))


def _view(operand: Node, own: Labels, order: Labels) -> Node:
    """The operand with its axes in this order."""
    if own == order:
        return operand
    axes = tuple([order.index(label) for label in own])
    dims = tuple([operand.dims[own.index(label)] for label in order])
    return Einsum.of(len(order), dims, (operand,), (axes,))
