"""Neighbouring factors that make one: a contraction in, one with fewer functions of matrices out.

``X^a*X^b`` is ``X^(a + b)``, so ``X*inv(X)`` is gone; the derivative of a power series under a
trace, or in a direction that commutes with its argument, is its slope: ``tr(expm(X))`` has the
derivative ``expm(X)'``. Used by `simplify.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
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
from tensorcalc.rewrites import note
from tensorcalc.stable import softmax_of
from tensorcalc.templates import formula, lift

Factor = tuple[Node, Labels]
MAX_DEPTH, MAX_TERMS = 6, 8  # of a polynomial that is looked into


def join_factors(node: Node, *, properties: bool = False) -> Node:
    """The node with the factors joined that can be; itself if there are none.

    With `properties` a symmetric matrix is its transpose (see `properties.py`).
    """
    while isinstance(node, Einsum):
        joined = (
            _joined(node, properties)
            or note("product of two sign tensors", node, _signs(node))
            or note("entries and blocks of what is written out", node, _selected(node))
            or note("the entries of a softmax sum to 1", node, _normalized(node))
            or note("product of exponentials", node, _exponentials(node))
            or note("sum of squares beside a norm", node, _norms(node))
        )
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


def _exponentials(node: Einsum) -> Node | None:
    """``exp(x)*exp(y)`` as ``exp(x + y)`` where something cancels in the sum."""
    factors = list(zip(node.operands, node.labels, strict=True))
    exponents = [
        (k, o.operands[0], a)
        for k, (o, a) in enumerate(factors)
        if isinstance(o, Map) and o.function == "exp" and len(set(a)) == len(a)
    ]
    for (j, x, at), (k, y, bt) in permutations(exponents, 2):
        if not set(at) <= set(bt):
            continue
        axes = tuple([bt.index(a) for a in at])
        spread = [
            (coefficient, canonical.einsum(y.rank, y.dims, [(term, axes)]))
            for coefficient, term in canonical.terms_of(x)
        ]
        total = canonical.add(y.dims, [*canonical.terms_of(y), *spread])
        if len(canonical.terms_of(total)) <= len(canonical.terms_of(y)):
            rest = [factor for i, factor in enumerate(factors) if i not in (j, k)]
            made = canonical.elementwise("exp", [total])
            return canonical.einsum(node.rank, node.sizes, [*rest, (made, bt)])
    return None


def _norms(node: Einsum) -> Node | None:
    """``x'*x`` times a power of ``norm2(x)`` as a higher power of it."""
    factors = list(zip(node.operands, node.labels, strict=True))
    counts = Counter(label for _, labels in factors for label in labels)
    for k, (operand, labels) in enumerate(factors):
        is_power = isinstance(operand, Map) and operand.function == "pow"
        norm = operand.operands[0] if is_power else operand
        power = canonical.as_number(operand.operands[1]) if is_power else Fraction(1)
        if not isinstance(norm, MatrixFunction) or norm.function not in canonical.NORMS:
            continue
        (x,) = norm.operands
        squares = [j for j, (o, a) in enumerate(factors) if o is x and a[: norm.rank] == labels]
        for i, j in combinations(squares, 2):
            own = factors[i][1]
            summed = own[norm.rank :]
            alone = all(label >= node.rank and counts[label] == 2 for label in summed)
            if own != factors[j][1] or not alone or power is None:
                continue
            live: dict[Hashable, Dim] = dict(enumerate(node.sizes))
            for label in summed:
                del live[label]
            rest = [factor for at, factor in enumerate(factors) if at not in (i, j, k)]
            made = canonical.power(norm, power + 2) if power != -2 else canonical.ones(norm.dims)
            return canonical.contract(range(node.rank), live, [*rest, (made, labels)])
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
        made = canonical.contract(range(node.rank), sizes, [*kept, *new])
        return note(_name([factors[k][0] for k in gone], new), node, made)
    return None


def _name(gone: Sequence[Node], new: Sequence[Factor]) -> str:
    """The name of a join, by the factors that go and what stands in their place."""
    if any(isinstance(node, MatrixFunction) and node.order for node in gone):
        return "derivative of a power series under a trace or along its argument"
    if any(isinstance(node, MatrixFunction) and node.function == "pinv" for node in gone):
        return "a matrix and its pseudo-inverse"
    if any(isinstance(node, Delta) for node, _ in new):
        return "a matrix times its inverse"
    return "powers of one matrix"


def _changes(
    factors: list[Factor], lone: set[int], properties: bool
) -> Iterator[tuple[set[int], list[Factor]]]:
    """The joins that are possible: which factors go, and what stands in their place."""
    ends: dict[int, list[int]] = {label: [] for label in lone}
    for k, (operand, labels) in enumerate(factors):
        if isinstance(operand, MatrixFunction) and operand.function == "pinv":
            yield from _penrose(k, factors, lone)
        if isinstance(operand, MatrixFunction) and operand.order == 1 and len(labels) == 4:
            yield from _slopes(k, factors, lone, properties)
        for label in labels:
            if label in lone and operand.rank == 2:
                ends[label].append(k)
    for label, pair in ends.items():
        if len(set(pair)) == 2:
            yield from _powers(label, pair, factors, properties)
            yield from _commuted(label, pair, factors)


def _penrose(
    k: int, factors: list[Factor], lone: set[int]
) -> Iterator[tuple[set[int], list[Factor]]]:
    """``X*pinv(X)*X`` is X, and ``pinv(X)*X*pinv(X)`` is pinv(X)."""
    inverse, _ = factors[k]
    (matrix,) = inverse.operands
    for outer, inner in ((matrix, inverse), (inverse, matrix)):
        for middle, (node, (a, b)) in [(i, f) for i, f in enumerate(factors) if f[0] is inner]:
            before = [i for i, (o, at) in enumerate(factors) if o is outer and at[1] == a]
            after = [i for i, (o, at) in enumerate(factors) if o is outer and at[0] == b]
            if {a, b} <= lone and before and after and before != after and node.rank == 2:
                ends = factors[before[0]][1][0], factors[after[0]][1][1]
                yield {before[0], middle, after[0]}, [(outer, ends)]
                return


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
    root = _root(node.operands[0])
    inside = _path(c, d, factors, lone, root, properties)
    if inside:  # L(B) where B commutes
        path = [(f, _renamed(own, d, b)) for f, own in inside.values()]
        yield {k, *inside}, [(_slope(node), (a, c)), *path]
        return
    outside = _path(b, a, factors, lone, root, properties)
    if outside:  # tr(B*L(dX)) = tr(L(B)*dX)
        path = [(f, _renamed(own, a, c)) for f, own in outside.values()]
        yield {k, *outside}, [(_slope(node), (d, b)), *path]


def _path(
    start: int,
    end: int,
    factors: list[Factor],
    lone: set[int],
    root: Node | None,
    properties: bool,
) -> dict[int, Factor]:
    """The chain of matrices from one label to another that commute with `root`, by place."""
    found: dict[int, Factor] = {}
    at = start
    while {at, end} <= lone and root is not None:
        for k, (node, labels) in enumerate(factors):
            if k in found or node.rank != 2 or at not in labels or _root(node) is not root:
                continue
            if labels[0] == at or (properties and canonical.is_symmetric(node)):
                at = labels[1] if labels[0] == at else labels[0]
                found[k] = node, labels
                break
        else:
            return {}
        if at == end:
            return found
    return {}


def _renamed(labels: Labels, old: int, new: int) -> Labels:
    return tuple([new if label == old else label for label in labels])


def _commuted(
    label: int, pair: list[int], factors: list[Factor]
) -> Iterator[tuple[set[int], list[Factor]]]:
    """Two functions of one matrix, one after the other, in one order."""
    (left, at), (right, bt) = (factors[k] for k in pair)
    if not any(isinstance(node, MatrixFunction) for node in (left, right)):
        return
    if at.index(label) == bt.index(label):
        return
    if at.index(label) == 0:
        (left, at), (right, bt) = (right, bt), (left, at)
    root = _root(left)
    if left.key <= right.key or root is None or _root(right) is not root:
        return
    lone = {label for _, labels in factors for label in labels}
    if not _path(label, label, factors, lone, root, properties=False):  # no cycle: a trace has none
        yield set(pair), [(right, at), (left, bt)]


def _slope(node: MatrixFunction) -> Node:
    """The derivative of the power series as of a number, of the node's matrix."""
    entry = MATRIX_FUNCTIONS[node.function]
    (operand,) = node.operands
    template = formula(entry.argument, entry.slope or "")
    (size,) = {name for dim in template.dims for name in dim.names}
    return lift(template, {"X": operand}, (), {size: operand.dims[-1]})


def _root(node: Node, depth: int = MAX_DEPTH) -> Node | None:
    """The matrix that the node is a polynomial or a power series of; None of the identity."""
    if depth == 0:
        return node
    if isinstance(node, MatrixFunction) and node.rank == 2 and node.operands[0].rank == 2:
        return node if node.order or node.function == "pinv" else _root(node.operands[0], depth - 1)
    if isinstance(node, Delta):
        return None
    if isinstance(node, Add) and len(node.operands) <= MAX_TERMS:
        inner = {_root(term, depth - 1) for term in node.operands} - {None}
    elif isinstance(node, Einsum) and _is_chain(node):
        inner = {_root(o, depth - 1) for o in node.operands if o.rank} - {None}
    else:
        return node
    return inner.pop() if len(inner) == 1 else node if inner else None


def _is_chain(node: Einsum) -> bool:
    """Whether a product is one of scalars and of matrices, none of them transposed."""
    if node.rank != 2 or len(node.operands) > MAX_TERMS:
        return False
    after = {}
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if operand.rank not in (0, 2) or (labels and labels[0] in after):
            return False
        if labels:
            after[labels[0]] = labels[1]
    at, steps = 0, 0
    while at in after and steps <= len(after):
        at, steps = after[at], steps + 1
    return at == 1 and steps == len(after)
