"""Contractions of two in, the same over operands whose axes stand as BLAS wants them.

What is computed anyway can be stored with its axes in any order; an array of the user's is copied
where the product of matrices is worth it. Comes after `contract.py`, before `schedule.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from tensorcalc.ir import Einsum, Labels, Node
from tensorcalc.plan.classify import classify
from tensorcalc.plan.indices import reduced_labels
from tensorcalc.plan.nodes import with_operands
from tensorcalc.traverse import fold, postorder

# nanoseconds, measured: a call of BLAS, a multiplication there; a nest (which takes long to be
# compiled, too), a multiplication there; a copy, each of its entries
CALL, BLAS, NEST, LOOP, COPY, MOVE = 150, 0.04, 300, 0.4, 100, 1.2
TILE, RAMP = 8, 16  # BLAS fills whole tiles, and each sum takes as long as if it had more terms
# entries from which on an array is far away; then it matters that the result is written along the
# same axis that the array is read along, if it has that axis
FAR, ACROSS = 1 << 19, 1.5


DEPTH = 2  # contractions below one another that are made anew for the sake of one

Order = tuple[int, ...]  # of axes: which stands first, second …


def arrange_axes(roots: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """The same roots, where contractions are made, and arrays copied, with their axes in order."""
    arranger = _Arranger(sizes)
    readers = Counter(operand for node in postorder(roots) for operand in node.operands)
    shared = {*roots, *[node for node, count in readers.items() if count > 1]}

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        made = with_operands(node, operands)
        if not isinstance(made, Einsum) or len(operands) != 2 or not reduced_labels(made):
            return made
        return arranger.arranged(made, once=node not in shared)

    results = fold(roots, visit)
    return [results[root] for root in roots]


@dataclass(frozen=True, slots=True)
class _Made:
    """A contraction as it is computed: its node, and about how long it and its copies take.

    `copies` are the operands that are copied for it, with the orders of their axes.
    """

    node: Node
    time: float
    copies: tuple[tuple[Node, Order], ...] = ()


class _Arranger:
    """The contractions that are arranged so far."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.used: dict[Node, list[Order]] = {}  # copies that there are anyway
        self.of: dict[Node, tuple[Einsum, float]] = {}  # what a result was arranged from
        self.again: dict[tuple[Node, Order], _Made] = {}

    def arranged(self, node: Einsum, *, once: bool) -> Node:
        """A contraction of two, or the same of operands whose axes stand in another order.

        One that is read `once` may be made anew for its reader.
        """
        made = self.best(node, 0)
        for axes in self.halves(node):
            turned = self.best(_with_axes(node, axes), 0)
            time = turned.time + self.copy_time(node)
            if time < made.time:
                made = _Made(_view(turned.node, axes), time, turned.copies)
        for operand, order in made.copies:
            orders = self.used.setdefault(operand, [])
            if order not in orders:
                orders.append(order)
        if once:
            self.of[made.node] = node, made.time
        return made.node

    def best(self, node: Einsum, depth: int) -> _Made:
        """The contraction as a product of matrices, or of fewer, if that is faster."""
        extents = [dim.value(self.sizes) for dim in node.sizes]
        best = _Made(node, _time(node, self.sizes))
        groups = _groups(node, extents)
        if groups is None:
            return best
        batch, m, n, k = groups
        choices = []
        for operand, own, mine in zip(node.operands, node.labels, (m, n), strict=True):
            known = [tuple([own[axis] for axis in order]) for order in self.used.get(operand, ())]
            wanted = [own, *known]
            for joined in _orders(k, node.labels):
                wanted += [(*batch, *mine, *joined), (*batch, *joined, *mine)]
            found = [order for order in dict.fromkeys(wanted) if len(order) == len(own)]
            choices.append([self.view(operand, own, order, depth) for order in found])
        for pair in product(*choices):
            moved = sum(operand.time for _, operand in pair)
            if moved >= best.time:
                continue
            labels = tuple([order for order, _ in pair])
            made = Einsum.of(node.rank, node.sizes, tuple([x.node for _, x in pair]), labels)
            time = moved + _time(made, self.sizes)
            if time < best.time:
                best = _Made(made, time, tuple([copy for _, x in pair for copy in x.copies]))
        return best

    def halves(self, node: Einsum) -> list[Order]:
        """Orders in which the result is one matrix, or a batch of them, if it is not so already."""
        groups = _groups(node, [dim.value(self.sizes) for dim in node.sizes])
        if groups is None:
            return []
        batch, m, n, _ = groups
        return [
            axes for axes in ((*batch, *m, *n), (*batch, *n, *m)) if axes != (*range(node.rank),)
        ]

    def copy_time(self, node: Node) -> float:
        """About how long it takes to copy an array, in nanoseconds."""
        return COPY + MOVE * prod(dim.value(self.sizes) for dim in node.dims)

    def view(self, operand: Node, own: Labels, order: Labels, depth: int) -> tuple[Labels, _Made]:
        """The operand with its axes in this order, made so or copied, and the time that takes."""
        if own == order:
            return order, _Made(operand, 0.0)
        axes = tuple([own.index(label) for label in order])
        copied = _view(operand, tuple([axes.index(axis) for axis in range(operand.rank)]))
        if axes in self.used.get(operand, ()):
            return order, _Made(copied, 0.0)
        best = _Made(copied, self.copy_time(operand), ((operand, axes),))
        again = self.made_again(operand, axes, depth)
        return order, again if again and again.time < best.time else best

    def made_again(self, operand: Node, axes: Order, depth: int) -> _Made | None:
        """A contraction with its axes in this order, and the time that takes more; if it can be."""
        if operand not in self.of or depth == DEPTH:
            return None
        if (operand, axes) not in self.again:
            before, time = self.of[operand]
            made = self.best(_with_axes(before, axes), depth + 1)
            self.again[operand, axes] = replace(made, time=made.time - time)
        return self.again[operand, axes]


def _with_axes(node: Einsum, axes: Order) -> Einsum:
    """The contraction with its axes in another order."""
    number = {axis: place for place, axis in enumerate(axes)}
    labels = [tuple([number.get(label, label) for label in own]) for own in node.labels]
    sizes = (*[node.sizes[axis] for axis in axes], *node.sizes[node.rank :])
    return Einsum.of(node.rank, sizes, node.operands, tuple(labels))


def _view(node: Node, labels: Labels) -> Einsum:
    """The array, whose axes have these labels, with its axes in their order."""
    dims = tuple([node.dims[labels.index(label)] for label in range(node.rank)])
    return Einsum.of(node.rank, dims, (node,), (labels,))


def _groups(node: Einsum, extents: Sequence[int]) -> list[list[int]] | None:
    """The labels of the batch, of M, N and K; None if it can be no product of matrices."""
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
    return groups


def _orders(group: Sequence[int], labels: Sequence[Labels]) -> list[Labels]:
    """The group's labels as they follow one another in the node and in its operands."""
    orders = [tuple(group), *[tuple([a for a in own if a in group]) for own in labels]]
    return list(dict.fromkeys(orders))


def _time(node: Einsum, sizes: Mapping[str, int]) -> float:
    """About how long a contraction takes, in nanoseconds."""
    extents = [dim.value(sizes) for dim in node.sizes]
    found = classify(node, sizes, lambda operand: True)
    if found.kind == "LOOP":
        return NEST + LOOP * prod(extents)
    calls = prod(extents[label] for label in found.loops)
    m, n, k = [prod(extents[label] for label in run) for run in (found.m, found.n, found.k)]
    tiles = [-(-extent // TILE) * TILE for extent in (m, n)]
    across = any(
        prod(extents[label] for label in own) >= FAR and node.rank - 1 != own[-1] < node.rank
        for own in node.labels
    )
    return calls * (CALL + BLAS * prod(tiles) * (k + RAMP)) * (ACROSS if across else 1)
