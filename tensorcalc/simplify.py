"""IR -> IR in normal form: nested sums and products flattened, stable forms chosen.

A sum inside a sum and a product inside a product are opened when nothing else uses them, or when
they are small (`canonical.SMALL`), so that opt_einsum plans whole contractions while large shared
parts stay shared. What is only computed, never printed, may keep more of them (`Opening`): in
second derivatives of deep formulas, opening them multiplies terms. Constructors (`canonical/`) do
the rest. The pass runs until nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.ir import Add, Einsum, Node
from tensorcalc.joins import join_factors
from tensorcalc.limits import metered
from tensorcalc.piecewise import join_where
from tensorcalc.rewrites import note
from tensorcalc.rules import apply_rules
from tensorcalc.special import special_form
from tensorcalc.stable import stable_form
from tensorcalc.traverse import postorder, users

MAX_ROUNDS = 50


class Opening(Enum):
    """Which products inside of products are opened."""

    SMALL = auto()  # also shared ones if they are small: what is printed
    SINGLE = auto()  # shared ones only if they sum nothing: what is computed
    ELEMENTWISE = auto()  # none that sums, and none in one that sums: what is differentiated again


@metered
def simplify(roots: Sequence[Node], opening: Opening = Opening.SMALL) -> list[Node]:
    """The roots in normal form.

    >>> from tensorcalc.ir import Variable
    >>> from tensorcalc.dims import Dim
    >>> n = Dim.of("n")
    >>> x, y = (Variable.of(name, (n,)) for name in "xy")
    >>> total = canonical.add((n,), [(Fraction(1), x), (Fraction(1), y)])
    >>> nested = canonical.add((n,), [(Fraction(1), total), (Fraction(-1), y)])
    >>> simplify([nested]) == [x]
    True
    """
    roots = list(roots)
    for _ in range(MAX_ROUNDS):
        changed = _round(roots, opening)
        if all(a is b for a, b in zip(changed, roots, strict=True)):
            break
        roots = changed
    return roots


def _round(roots: list[Node], opening: Opening) -> list[Node]:
    order = postorder(roots)
    counts = users(roots)
    absorbed = _absorbed(order, counts, opening)
    done: dict[Node, Node] = {}
    for node in order:
        if node in absorbed:
            continue
        if isinstance(node, Add):
            new = _open_sum(node, done, counts, absorbed, opening)
        elif isinstance(node, Einsum):
            new = _open_product(node, done, counts, absorbed, opening)
        else:
            new = canonical.rebuild(node, tuple([done[o] for o in node.operands]))
        new = special_form(new)
        new = note("factors and terms of where", new, join_where(new)) or new
        new = stable_form(join_factors(new))
        done[node] = apply_rules(new) or new
    return [done[root] for root in roots]


def _absorbed(order: Sequence[Node], counts: dict[Node, int], opening: Opening) -> set[Node]:
    """Sums used once by a sum, and products used once by a product.

    They are never built themselves, so that a chain of them opens in one step.
    """
    absorbed: set[Node] = set()
    for node in order:
        if isinstance(node, Add | Einsum):
            for operand in node.operands:
                if counts[operand] != 1 or type(operand) is not type(node):
                    continue
                kept = opening is Opening.ELEMENTWISE and isinstance(node, Einsum)
                if not kept or _stays_elementwise(operand, node):  # type: ignore[arg-type]
                    absorbed.add(operand)
    return absorbed


def _opens(old: Node, new: Node, counts: dict[Node, int]) -> bool:
    """Whether an inner node is opened: `old` as it was found, `new` as it is now."""
    return counts.get(old, 1) == 1 or len(new.operands) <= canonical.SMALL


def _opens_product(
    old: Node, new: Einsum, outer: Einsum, counts: dict[Node, int], opening: Opening
) -> bool:
    """The same of a product inside of another."""
    if opening is Opening.ELEMENTWISE and not _stays_elementwise(new, outer):
        return False
    if opening is not Opening.SMALL and _sums(new):
        return counts.get(old, 1) == 1
    return _opens(old, new, counts)


def _sums(node: Einsum) -> bool:
    return len(node.sizes) > node.rank


def _stays_elementwise(inner: Einsum, outer: Einsum) -> bool:
    """Whether opening a product moves no factor into a sum or out of one, save a mere sum of it."""
    if len(outer.operands) == 1:
        return True
    return not _sums(inner) and (len(inner.operands) < 2 or not _sums(outer))


def _is_wide(inner: Einsum, outer: Einsum) -> bool:
    """Whether a product that sums nothing has more axes than the one it stands in."""
    return len(inner.sizes) == inner.rank > outer.rank


def _open_sum(
    node: Add,
    done: dict[Node, Node],
    counts: dict[Node, int],
    absorbed: set[Node],
    opening: Opening,
) -> Node:
    """The sum with the sums among its terms opened, also under a transpose."""
    terms: list[tuple[Fraction, Node]] = []
    stack: list[tuple[Fraction, Node]] = [(Fraction(1), node)]
    while stack:
        outer, total = stack.pop()
        for own, old in canonical.terms_of(total):
            coefficient = outer * own
            if old in absorbed:
                stack.append((coefficient, old))
                continue
            new = done[old]
            inner = _under_view(new)
            if isinstance(new, Add) and _opens(old, new, counts):
                terms += [(coefficient * c, term) for c, term in canonical.terms_of(new)]
            elif inner is not None and _opens(old, inner, counts):
                terms += [
                    (coefficient * c, canonical.rebuild(new, (term,)))
                    for c, term in canonical.terms_of(inner)
                ]
            else:
                terms.append((coefficient, new))
    # which way round it stands matters to who reads it; shared terms would be turned to and fro
    return canonical.add(node.dims, terms, turn=opening is Opening.SMALL)


def _under_view(node: Node) -> Add | None:
    """The sum of which a node only reorders or repeats the axes, else None."""
    if isinstance(node, Einsum) and len(node.operands) == 1 and len(node.sizes) == node.rank:
        (operand,) = node.operands
        return operand if isinstance(operand, Add) else None
    return None


def _open_product(
    node: Einsum,
    done: dict[Node, Node],
    counts: dict[Node, int],
    absorbed: set[Node],
    opening: Opening,
) -> Node:
    """The product with the products among its factors opened."""
    live = dict(enumerate(node.sizes))
    factors: list[canonical.Factor] = []
    coefficient = Fraction(1)
    changed = False
    stack = list(zip(node.operands, node.labels, strict=True))
    while stack:
        old, labels = stack.pop()
        if old in absorbed and isinstance(old, Einsum):
            stack += canonical.expand(old, labels, live)
            changed = True
            continue
        new = done[old]
        changed = changed or new is not old
        if isinstance(new, Add) and len(new.operands) == 1:
            coefficient *= new.coefficients[0]
            new = new.operands[0]
        if isinstance(new, Einsum) and (
            _opens_product(old, new, node, counts, opening) or _is_wide(new, node)
        ):
            factors += canonical.expand(new, labels, live)
            changed = True
        else:
            factors.append((new, labels))
    if not changed:
        return node
    sizes = [live[label] for label in range(len(live))]
    return canonical.scale(coefficient, canonical.einsum(node.rank, sizes, factors))
