"""IR -> IR as index notation shows it: multiplied out where that is shorter, then gathered.

Three walks over the nodes: sums that a product collapses are multiplied out; what all terms of a
sum share is put before it; what hangs together by summed labels and has a matrix form becomes one
factor, as ``(X*A)[i,l]``. The result is for the printer alone: it is not in normal form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import prod

from tensorcalc import canonical
from tensorcalc.ir import Add, Delta, Einsum, Map, MatrixFunction, Node, RangeSum, Unknown
from tensorcalc.printing.index_factor import factored
from tensorcalc.printing.index_parts import Part, derivatives_sorted, in_parts, signs_sorted
from tensorcalc.traverse import fold, postorder, users
from tensorcalc.views import free_axes

ONE = Fraction(1)
MUCH = Fraction(8, 7)  # so much shorter must a sum be when all in it is multiplied out
MAX_ENTRY = 6  # what a function counts at most when products are compared
MAX_TERMS = 24  # of a product of sums that is multiplied out


def index_form(root: Node, part: Part | None) -> Node:
    """The node as it is written; `part` says how a node is written whole, or None.

    Without `part` only the labels of antisymmetric factors are put in order.
    """
    if part is None:
        return fold([root], sorted_signs)[root]
    opened = _written(root, part, opens_shared=True)
    closed = _written(root, part, opens_shared=False)
    return opened if 4 * _length(opened) <= 5 * _length(closed) else closed


def _length(root: Node) -> int:
    """The terms of all sums, each sum counted once, as what recurs is written once."""
    return sum(len(node.operands) for node in postorder([root]) if isinstance(node, Add))


def _written(root: Node, part: Part, *, opens_shared: bool) -> Node:
    """The node as it is written; sums that recur are opened or stay closed."""
    weights: dict[Node, int] = {}
    counts = users([root])
    recurring: set[Node] = set()

    def multiply(node: Node, operands: tuple[Node, ...]) -> Node:
        new = canonical.rebuild(node, operands)
        if not opens_shared and isinstance(new, Add) and counts[node] > 1:
            recurring.add(new)
        inner = [new, *new.operands] if isinstance(new, Add) else [new]
        if any(not recurring.isdisjoint(part.operands) for part in inner):
            return new
        if isinstance(new, Einsum):
            return _shorter(new, _collapsed(new), weights)
        return _shorter(new, _flat(new), weights, MUCH) if isinstance(new, Add) else new

    def gather(node: Node, operands: tuple[Node, ...]) -> Node:
        new = rebuilt(node, operands)
        return factored(new, part) if isinstance(new, Add) else new

    def join(node: Node, operands: tuple[Node, ...]) -> Node:
        new = sorted_signs(node, operands)
        coefficient, inner = canonical.terms_of(new)[0] if isinstance(node, Einsum) else (ONE, new)
        if not isinstance(inner, Einsum) or isinstance(node, Add):
            return new
        made = in_parts(inner, part)
        return made if coefficient == 1 else Add.of(node.dims, (coefficient,), (made,))

    for visit in (multiply, gather, join):
        root = fold([root], visit)[root]
    return root


def sorted_signs(node: Node, operands: tuple[Node, ...]) -> Node:
    """The node with other operands, labels in order where only the sign depends on it."""
    new = rebuilt(node, operands)
    if not isinstance(new, Einsum):
        return new
    made, sign = signs_sorted(derivatives_sorted(new))
    return made if sign == 1 else Add.of(node.dims, (Fraction(sign),), (made,))


def rebuilt(node: Node, operands: tuple[Node, ...]) -> Node:
    """The node with other operands, just as they are."""
    is_same = all(a is b for a, b in zip(operands, node.operands, strict=True))
    if is_same and not isinstance(node, Add):
        return node
    match node:
        case Einsum():
            return _multiplied(node, operands)
        case Add():
            return _added(node, operands)
        case Map():
            return Map.of(node.function, operands)
        case MatrixFunction():
            return MatrixFunction.of(node.function, node.dims, operands, node.order)
        case Unknown():
            return Unknown.of(
                node.name, node.dims, operands, node.batch, node.derivatives, node.is_applied
            )
        case RangeSum() if operands[1] is node.operands[1]:
            return RangeSum.of(operands)
    return canonical.rebuild(node, operands)


def _turned(node: Node) -> Node | None:
    """The negative of a product, where that makes ``1 - x`` of an ``x - 1`` in it."""
    if not isinstance(node, Einsum):
        return None
    operands = list(node.operands)
    for k, operand in enumerate(operands):
        if len(canonical.terms_of(operand)) > 1 and any(
            c < 0 and canonical.as_number(o) == 1 for c, o in canonical.terms_of(operand)
        ):
            negative = tuple([-c for c, _ in canonical.terms_of(operand)])
            operands[k] = Add.of(operand.dims, negative, operand.operands)
            return Einsum.of(node.rank, node.sizes, tuple(operands), node.labels)
    return None


def _multiplied(node: Einsum, operands: tuple[Node, ...]) -> Node:
    """The product of other factors: a sum that has become a product is opened."""
    live = dict(enumerate(node.sizes))
    coefficient = Fraction(1)
    factors: list[canonical.Factor] = []
    for old, new, labels in zip(node.operands, operands, node.labels, strict=True):
        while isinstance(new, Add) and len(new.operands) == 1:
            coefficient, new = coefficient * new.coefficients[0], new.operands[0]
        if isinstance(new, Add) and max(new.coefficients, default=Fraction(0)) < 0:
            new = Add.of(new.dims, tuple([-c for c in new.coefficients]), new.operands)
            coefficient = -coefficient
        if isinstance(old, Add) and isinstance(new, Einsum):
            factors += canonical.expand(new, labels, live)
        else:
            factors.append((new, labels))
    made = Einsum.of(
        node.rank,
        tuple([live[label] for label in range(len(live))]),
        tuple([factor for factor, _ in factors]),
        tuple([labels for _, labels in factors]),
    )
    return made if coefficient == 1 else Add.of(node.dims, (coefficient,), (made,))


def _added(node: Add, operands: tuple[Node, ...]) -> Node:
    """The sum of other terms, numbers before them joined with its own."""
    terms: list[canonical.Term] = []
    for coefficient, operand in zip(node.coefficients, operands, strict=True):
        while isinstance(operand, Add) and len(operand.operands) == 1:
            coefficient, operand = coefficient * operand.coefficients[0], operand.operands[0]
        if abs(coefficient) == 1 and isinstance(operand, Add):
            terms += [(coefficient * c, term) for c, term in canonical.terms_of(operand)]
            continue
        turned = _turned(operand) if coefficient < 0 else None
        terms.append((coefficient, operand) if turned is None else (-coefficient, turned))
    return Add.of(node.dims, tuple([c for c, _ in terms]), tuple([o for _, o in terms]))


def weigh(node: Node, sizes: Sequence[int]) -> int:
    """About how long the entry of a node is, `sizes` those of its operands.

    A summed label counts more than an axis, for it stands there twice.
    """
    match node:
        case Einsum():
            labels = [a for own in node.labels for a in own]
            return sum(sizes) + sum(1 if a < node.rank else 3 for a in labels)
        case Add():
            return 1 + sum(sizes) + 2 * len(sizes) + sum(not size for size in sizes)
        case Delta():
            return 4
    return 1 + bool(sizes) + sum(sizes)


def _weigh_parts(node: Node, sizes: Sequence[int]) -> int:
    """The same, where a function may be written in one word."""
    weight = weigh(node, sizes)
    return weight if isinstance(node, Einsum | Add) else min(weight, MAX_ENTRY)


def _shorter(old: Node, new: Node | None, weights: dict[Node, int], least: Fraction = ONE) -> Node:
    """The new node, where there is one that is shorter by at `least` such a factor."""
    if new is None or new is old:
        return old
    fold([old, new], _weigh_parts, weights)
    return new if weights[new] * least < weights[old] else old


# ── products of sums ─────────────────────────────────────────────────────────────────────────


def _collapses(node: Einsum, operand: Node, labels: Sequence[int]) -> bool:
    """Whether a factor is a sum with a term that a summed label would make shorter."""
    if not isinstance(operand, Add) or len(operand.operands) < 2:
        return False
    for _, term in canonical.terms_of(operand):
        axes = set(free_axes(term))
        if isinstance(term, Einsum):
            pairs = zip(term.operands, term.labels, strict=True)
            axes |= {a for factor, own in pairs if isinstance(factor, Delta) for a in own}
        elif isinstance(term, Delta):
            axes = {0, 1}
        if any(axis < len(labels) and labels[axis] >= node.rank for axis in axes):
            return True
    return False


def _collapsed(node: Einsum) -> Node | None:
    """The product with those sums multiplied out whose deltas then vanish."""
    pairs = zip(node.operands, node.labels, strict=True)
    places = [k for k, (o, labels) in enumerate(pairs) if _collapses(node, o, labels)]
    if not places or prod(len(node.operands[k].operands) for k in places) > MAX_TERMS:
        return None
    return canonical.add(node.dims, _terms(node, places))


def _terms(node: Einsum, places: Sequence[int]) -> Iterator[canonical.Term]:
    """The terms of a product of which the factors at `places` are multiplied out."""
    for chosen in product(*[canonical.terms_of(node.operands[k]) for k in places]):
        sums = dict(zip(places, chosen, strict=True))
        live = dict(enumerate(node.sizes))
        coefficient = Fraction(1)
        factors: list[canonical.Factor] = []
        for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
            own, factor = sums.get(k, (Fraction(1), operand))
            coefficient *= own
            if isinstance(factor, Einsum):
                factors += canonical.expand(factor, labels, live)
            else:
                factors.append((factor, labels))
        sizes = [live[label] for label in range(len(live))]
        yield coefficient, canonical.einsum(node.rank, sizes, factors)


def _flat(node: Add) -> Node | None:
    """The sum with all products of short sums among its terms multiplied out."""
    total: list[canonical.Term] = []
    for coefficient, term in canonical.terms_of(node):
        parts: list[canonical.Term] = [(Fraction(1), term)]
        if isinstance(term, Einsum):
            places = [
                k for k, o in enumerate(term.operands) if isinstance(o, Add) and len(o.operands) > 1
            ]
            if prod(len(term.operands[k].operands) for k in places) > MAX_TERMS:
                return None
            parts = list(_terms(term, places)) if places else parts
        for own, part in parts:
            flat = canonical.terms_of(part) if isinstance(part, Add) else [(Fraction(1), part)]
            total += [(coefficient * own * c, inner) for c, inner in flat]
        if len(total) > 4 * MAX_TERMS:
            return None
    return canonical.add(node.dims, total)
