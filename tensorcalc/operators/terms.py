"""A derivative in, its terms as Kronecker products of small blocks out: symbolic, no numbers yet.

A unit matrix between an axis of the rows and one of the columns makes the term block-diagonal: it
pairs the two. What is left of the contraction falls into parts without a common index, and these
are the factors of a Kronecker product. A part whose rows and columns hang together by one summed
index only has low rank where that index is short. Before `operator.py`, which has the numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Delta, Einsum, Labels, Node

MAX_TERMS = 100  # into which sums are multiplied out

Factor = tuple[Node, Labels]


@dataclass(frozen=True, slots=True)
class Split:
    """A block as a product, ``left[rows…, k]*right[k, cols…]``; `rank` is the size of k."""

    rank: Dim
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Part:
    """A factor of a Kronecker product: ``core[shared…, rows…, cols…]``.

    `shared` are axes of the rows that are paired with one of the columns, `rows` and `cols` the
    other axes, of the columns counted from 0. `splits` are products that equal the core.
    """

    shared: tuple[int, ...]
    rows: tuple[int, ...]
    cols: tuple[int, ...]
    core: Node
    splits: tuple[Split, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """`scale` times a Kronecker product; `pairs` are axes of rows and columns that are equal."""

    scale: Node
    pairs: Mapping[int, int]
    parts: tuple[Part, ...]


def terms(node: Node, rows: int) -> list[Term]:
    """The terms of a derivative whose first `rows` axes are those of the rows."""
    return [_term(coefficient, product, rows) for coefficient, product in _products(node, rows)]


def _products(node: Node, rows: int) -> list[tuple[Fraction, Einsum]]:
    """The node as a sum of products; sums inside are multiplied out where that shows structure."""
    found: list[tuple[Fraction, Einsum]] = []
    stack = [(Fraction(1), node)]
    while stack:
        coefficient, node = stack.pop()
        if canonical.is_zero(node):
            continue
        if isinstance(node, Add):
            stack += [
                (coefficient * c, term)
                for c, term in zip(node.coefficients, node.operands, strict=True)
            ]
            continue
        if not isinstance(node, Einsum):
            axes = tuple(range(node.rank))
            node = Einsum.of(node.rank, node.dims, (node,), (axes,))
        node = _flat(node, rows)
        place = _crossing_sum(node, rows)
        if place is None or len(found) + len(stack) >= MAX_TERMS:
            found.append((coefficient, node))
            continue
        factors = list(zip(node.operands, node.labels, strict=True))
        total, labels = factors.pop(place)
        for c, term in canonical.terms_of(total):
            made = canonical.einsum(node.rank, node.sizes, [*factors, (term, labels)])
            stack.append((coefficient * c, made))
    return found[::-1]


def _flat(node: Einsum, rows: int) -> Einsum:
    """The product, with those of its factors taken apart that have such a unit matrix inside."""
    live = dict(enumerate(node.sizes))
    factors: list[Factor] = []
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Einsum) and _crosses(operand, labels, rows, node.rank):
            factors += canonical.expand(operand, labels, live)
        else:
            factors.append((operand, labels))
    if len(factors) == len(node.operands):
        return node
    sizes = tuple([live[label] for label in range(len(live))])
    operands = tuple([factor[0] for factor in factors])
    return Einsum.of(node.rank, sizes, operands, tuple([factor[1] for factor in factors]))


def _crossing_sum(node: Einsum, rows: int) -> int | None:
    """A sum among the factors that has a unit matrix inside, between rows and columns."""
    for place, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
        if isinstance(operand, Add):
            for term in operand.operands:
                if _crosses(term, labels, rows, node.rank):
                    return place
    return None


def _crosses(node: Node, labels: Labels, rows: int, rank: int) -> bool:
    """Whether a product has a unit matrix from an axis of the rows to one of the columns."""
    inner = [(node, tuple(range(node.rank)))]
    if isinstance(node, Einsum):
        inner = list(zip(node.operands, node.labels, strict=True))
    for unit, own in inner:
        if isinstance(unit, Delta) and max(own) < node.rank:
            first, second = sorted(labels[axis] for axis in own)
            if first < rows <= second < rank:
                return True
    return False


def _term(coefficient: Fraction, node: Einsum, rows: int) -> Term:
    pairs: dict[int, int] = {}
    factors: list[Factor] = []
    for operand, labels in zip(node.operands, node.labels, strict=True):
        first, second = min(labels, default=0), max(labels, default=0)
        is_pair = isinstance(operand, Delta) and first < rows <= second < node.rank
        if is_pair and first not in pairs and second - rows not in pairs.values():
            pairs[first] = second - rows
        else:
            factors.append((operand, labels))
    same = {col + rows: row for row, col in pairs.items()}
    factors = [(o, tuple([same.get(label, label) for label in labels])) for o, labels in factors]
    live = dict(enumerate(node.sizes))
    covered = {*same, *pairs, *[label for _, labels in factors for label in labels]}
    factors += [
        (canonical.ones((live[axis],)), (axis,)) for axis in range(node.rank) if axis not in covered
    ]
    numbers = [factor for factor in factors if not factor[1]]
    whole: list[list[Factor]] = []
    rest: list[list[Factor]] = []
    for group in _connected([f for f in factors if f[1]], ()):
        inside = {label for _, own in group for label in own}
        if min(inside) >= node.rank:
            numbers += group
            continue
        is_square = any(a < rows and a not in pairs for a in inside) == any(
            rows <= a < node.rank for a in inside
        )
        (whole if is_square else rest).append(group)
    parts = [_part(group, pairs, live, rows, node.rank) for group in whole]
    if rest:
        parts.append(_part([f for group in rest for f in group], pairs, live, rows, node.rank))
    parts.sort(key=lambda part: (*part.shared, *part.rows))
    scale = canonical.scale(coefficient, _einsum((), numbers, live))
    return Term(scale, pairs, tuple(parts))


def _part(
    factors: Sequence[Factor],
    pairs: Mapping[int, int],
    live: Mapping[int, Dim],
    rows: int,
    rank: int,
) -> Part:
    """The part that some factors make."""
    labels = {label for _, own in factors for label in own}
    shared = tuple([a for a in range(rows) if a in labels and a in pairs])
    left = tuple([a for a in range(rows) if a in labels and a not in pairs])
    right = tuple([a for a in range(rows, rank) if a in labels])
    splits = [] if shared or not left else _splits(factors, left, right, live, rank)
    return Part(
        shared,
        left,
        tuple([a - rows for a in right]),
        _einsum((*shared, *left, *right), factors, live),
        tuple(splits),
    )


def _splits(
    factors: Sequence[Factor], left: Labels, right: Labels, live: Mapping[int, Dim], rank: int
) -> Iterable[Split]:
    """The products of two that a part is, with one summed index between them or with none."""
    summed = sorted({label for _, own in factors for label in own if label >= rank})
    for label in (None, *summed):
        groups = _connected(factors, () if label is None else (label,))
        sides: tuple[list[Factor], list[Factor]] = [], []
        for group in groups:
            own = {a for _, inner in group for a in inner}
            if not own.isdisjoint(left) and not own.isdisjoint(right):
                break
            sides[not own.isdisjoint(right)].extend(group)
        else:
            between = max(live) + 1 if label is None else label
            sizes = {**live, between: Dim.of(1) if label is None else live[label]}
            yield Split(
                sizes[between],
                _einsum((*left, between), sides[0], sizes),
                _einsum((between, *right), sides[1], sizes),
            )


def _einsum(output: Labels, factors: Sequence[Factor], live: Mapping[int, Dim]) -> Node:
    """The contraction of factors with the given axes."""
    labels = dict.fromkeys((*output, *[label for _, own in factors for label in own]))
    number = {label: k for k, label in enumerate(labels)}
    return canonical.einsum(
        len(output),
        [live[label] for label in labels],
        [(node, tuple([number[label] for label in own])) for node, own in factors],
    )


def _connected(factors: Sequence[Factor], cut: Collection[int]) -> list[list[Factor]]:
    """The factors in groups that have no label in common but those of `cut`."""
    groups: list[tuple[set[int], list[Factor]]] = []
    for factor in factors:
        labels = set(factor[1]).difference(cut)
        joined = [factor]
        apart = []
        for own, group in groups:
            if labels.isdisjoint(own):
                apart.append((own, group))
            else:
                labels |= own
                joined = [*group, *joined]
        groups = [*apart, (labels, joined)]
    return [group for _, group in groups]
