"""Neighbouring factors that make one: a contraction in, one with fewer functions of matrices out.

``X^a*X^b`` is ``X^(a + b)``, so ``X*inv(X)`` is gone; the derivative of a power series under a
trace, or in a direction that commutes with its argument, is its slope: ``tr(expm(X))`` has the
derivative ``expm(X)'``. Used by `simplify.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from fractions import Fraction
from itertools import combinations, permutations

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Add,
    Basis,
    Delta,
    Einsum,
    Labels,
    LeviCivita,
    Map,
    MatrixFunction,
    Node,
    Section,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.stable import softmax_of
from tensorcalc.templates import formula, lift

Factor = tuple[Node, Labels]


def join_factors(node: Node, *, properties: bool = False) -> Node:
    """The node with the factors joined that can be; itself if there are none.

    With `properties` a symmetric matrix is its transpose (see `properties.py`).
    """
    while isinstance(node, Einsum):
        joined = _joined(node, properties) or _signs(node) or _selected(node) or _normalized(node)
        if joined is None:
            return node
        node = joined
    return node


def _signs(node: Einsum) -> Node | None:
    """Two antisymmetric factors with a summed label in common, as differences of deltas.

    ``eps[i,j,k]*eps[i,m,n] = delta[j,m]*delta[k,n] - delta[j,n]*delta[k,m]``, and so for any rank.
    """
    factors = list(zip(node.operands, node.labels, strict=True))
    signs = [k for k, (operand, _) in enumerate(factors) if isinstance(operand, LeviCivita)]
    for j, k in combinations(signs, 2):
        left, right = factors[j][1], factors[k][1]
        if len(left) != len(right) or not any(a >= node.rank for a in set(left) & set(right)):
            continue
        rest = [factor for i, factor in enumerate(factors) if i not in (j, k)]
        unit = Delta.of(node.operands[j].dims[0])
        terms = []
        for order in permutations(range(len(right))):
            sign = (-1) ** sum(a > b for a, b in combinations(order, 2))
            deltas = [(unit, (a, right[b])) for a, b in zip(left, order, strict=True)]
            made = canonical.einsum(node.rank, node.sizes, [*rest, *deltas])
            terms.append((Fraction(sign), made))
        return canonical.add(node.dims, terms)
    return None


def _normalized(node: Einsum) -> Node | None:
    """The sum of a softmax along its axis is 1."""
    factors = list(zip(node.operands, node.labels, strict=True))
    for k, (operand, labels) in enumerate(factors):
        found = softmax_of(operand)
        if found is None:
            continue
        label = labels[found[1]]
        rest = [factor for i, factor in enumerate(factors) if i != k]
        if label < node.rank or labels.count(label) > 1 or any(label in own for _, own in rest):
            continue
        live: dict[Hashable, Dim] = dict(enumerate(node.sizes))
        del live[label]
        return canonical.contract(range(node.rank), live, rest)
    return None


def _selected(node: Einsum) -> Node | None:
    """A block or an entry of what is written out in blocks, as what stands there."""
    factors = list(zip(node.operands, node.labels, strict=True))
    for j, (place, at) in enumerate(factors):
        if not isinstance(place, Section | Basis) or at[0] < node.rank:
            continue
        for k, (operand, labels) in enumerate(factors):
            if not isinstance(operand, Add | Map) or labels.count(at[0]) != 1:
                continue
            axis = labels.index(at[0])
            if not _has_places(operand, axis):
                continue
            part = _part(operand, axis, place)
            own = labels[:axis] + at[1:] + labels[axis + 1 :]
            rest = [factor for i, factor in enumerate(factors) if i not in (j, k)]
            if any(at[0] in other for _, other in rest):
                rest.append((place, at))
            live: dict[Hashable, Dim] = dict(enumerate(node.sizes))
            if not any(at[0] in other for _, other in rest):
                del live[at[0]]
            return canonical.contract(range(node.rank), live, [*rest, (part, own)])
    return None


def _has_places(node: Node, axis: int) -> bool:
    """Whether everything in a node that varies along an axis stands at a place of it."""
    if isinstance(node, Section | Basis):
        return axis == 0
    if isinstance(node, Add | Map):
        return all(_has_places(operand, axis) for operand in node.operands)
    if not isinstance(node, Einsum):
        return False
    along = [(o, a.index(axis)) for o, a in zip(node.operands, node.labels, strict=True)
             if axis in a]  # fmt: skip
    return not along or any(_has_places(operand, own) for operand, own in along)


def _part(node: Node, axis: int, place: Section | Basis) -> Node:
    """The part of a node that a place chooses along an axis."""
    if isinstance(node, Map):
        parts = [_part(operand, axis, place) for operand in node.operands]
        return canonical.elementwise(node.function, parts)
    axes = tuple(range(node.rank))
    inner: tuple[Hashable, ...] = ("inside",) if isinstance(place, Section) else ()
    output = (*axes[:axis], *inner, *axes[axis + 1 :])
    sizes: dict[Hashable, Dim] = dict(enumerate(node.dims))
    sizes.update((label, place.dims[1]) for label in inner)
    terms = [
        (coefficient, canonical.contract(output, sizes, [(place, (axis, *inner)), (term, axes)]))
        for coefficient, term in canonical.terms_of(node)
    ]
    return canonical.add(tuple([sizes[label] for label in output]), terms)


def _joined(node: Einsum, properties: bool) -> Node | None:
    if not any(isinstance(o, MatrixFunction) and o.rank >= 2 for o in node.operands):
        return None
    counts = Counter(label for labels in node.labels for label in labels)
    lone = {a for a, count in counts.items() if a >= node.rank and count == 2}
    factors = list(zip(node.operands, node.labels, strict=True))
    for gone, new in _changes(factors, lone, properties):
        kept = [factor for k, factor in enumerate(factors) if k not in gone]
        sizes: dict[Hashable, Dim] = {a: node.sizes[a] for a in range(node.rank)}
        for operand, labels in [*kept, *new]:
            sizes.update(zip(labels, operand.dims, strict=True))
        return canonical.contract(range(node.rank), sizes, [*kept, *new])
    return None


def _changes(
    factors: list[Factor], lone: set[int], properties: bool
) -> Iterator[tuple[set[int], list[Factor]]]:
    """The joins that are possible: which factors go, and what stands in their place."""
    ends: dict[int, list[int]] = {label: [] for label in lone}
    for k, (operand, labels) in enumerate(factors):
        if isinstance(operand, MatrixFunction) and operand.order == 1 and len(labels) == 4:
            yield from _slopes(k, factors, lone, properties)
        for label in labels:
            if label in lone and operand.rank == 2:
                ends[label].append(k)
    for label, pair in ends.items():
        if len(set(pair)) == 2:
            yield from _powers(label, pair, factors, properties)


def _powers(
    label: int, pair: list[int], factors: list[Factor], properties: bool
) -> Iterator[tuple[set[int], list[Factor]]]:
    """Two powers of one matrix, one after the other."""
    (left, at), (right, bt) = (factors[k] for k in pair)
    if not any(isinstance(node, MatrixFunction) for node in (left, right)):
        return
    (base, first), (other, second) = _as_power(left), _as_power(right)
    if base is not other:
        return
    if at.index(label) == bt.index(label):
        if not (properties and canonical.is_symmetric(base)):
            return  # X*X'
        bt = bt[::-1]
    p, q = canonical.as_number(first), canonical.as_number(second)
    if p is not None and q is not None and p * q > 0:
        return  # a product, which is how such powers are written
    if at.index(label) == 0:
        at, bt = bt, at
    total = canonical.add((), [(Fraction(1), first), (Fraction(1), second)])
    yield set(pair), [(canonical.matrix_function("power", base, total), (at[0], bt[1]))]


def _as_power(node: Node) -> tuple[Node, Node]:
    """Base and exponent of a matrix as a power."""
    if isinstance(node, MatrixFunction) and node.function == "inv":
        return node.operands[0], canonical.number(-1)
    if isinstance(node, MatrixFunction) and node.function == "power":
        base, inner = _as_power(node.operands[0])
        return base, canonical.einsum(0, (), [(inner, ()), (node.operands[1], ())])
    return node, canonical.number(1)


def _slopes(
    k: int, factors: list[Factor], lone: set[int], properties: bool
) -> Iterator[tuple[set[int], list[Factor]]]:
    """The derivative of a power series under a trace, or in a direction that commutes."""
    node, (a, b, c, d) = factors[k]
    if not isinstance(node, MatrixFunction):
        return
    if a == b and a in lone:
        yield {k}, [(_slope(node), (d, c))]
    for other, (direction, labels) in enumerate(factors):
        if other == k or direction.rank != 2 or not set(labels) <= lone:
            continue
        if _root(direction) is not _root(node.operands[0]):
            continue
        either = properties and canonical.is_symmetric(direction)
        if labels == (c, d) or (either and labels == (d, c)):
            yield {k, other}, [(_slope(node), (a, c)), (direction, (c, b))]
        elif labels == (b, a) or (either and labels == (a, b)):  # tr(B*L(dX)) = tr(L(B)*dX)
            yield {k, other}, [(_slope(node), (d, a)), (direction, (a, c))]


def _slope(node: MatrixFunction) -> Node:
    """The derivative of the power series as of a number, of the node's matrix."""
    entry = MATRIX_FUNCTIONS[node.function]
    (operand,) = node.operands
    template = formula(entry.argument, entry.slope or "")
    (size,) = {name for dim in template.dims for name in dim.names}
    return lift(template, {"X": operand}, (), {size: operand.dims[-1]})


def _root(node: Node) -> Node | None:
    """The matrix that the node is a multiple, a power or a power series of."""
    while True:
        if isinstance(node, MatrixFunction) and node.rank == 2 and node.operands[0].rank == 2:
            node = node.operands[0]
        elif isinstance(node, Einsum):
            shaped = [(o, a) for o, a in zip(node.operands, node.labels, strict=True) if o.rank]
            if len(shaped) != 1 or shaped[0][1] != (0, 1):
                return node
            node = shaped[0][0]
        elif isinstance(node, Add) and len(node.operands) == 1:
            node = node.operands[0]
        else:
            return None if isinstance(node, Delta) else node
