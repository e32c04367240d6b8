"""A product -> the same with each part that has a matrix form as one factor: ``(X*A)[i,l]``.

Summed labels connect factors. A part touches the rest at no more than two labels. Used by
`index_form.py`.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Hashable
from itertools import combinations

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Basis,
    Delta,
    Einsum,
    Labels,
    LeviCivita,
    Merge,
    Node,
    Range,
    Section,
    Unknown,
    Variable,
)
from tensorcalc.printing.index_entry import is_read_back, shown_length
from tensorcalc.traverse import fold
from tensorcalc.views import free_axes

STRUCTURE = (Basis, Delta, LeviCivita, Merge, Range, Section)  # written as they are
MAX_PART = 60  # symbols of a part that is written whole
Part = Callable[[Node], str | None]


class PartTexts:
    """How nodes are written whole, where they have a matrix form that is not long."""

    def __init__(self, whole_text: Part) -> None:
        self.whole_text = whole_text
        self.texts: dict[Node, str | None] = {}
        self.sizes: dict[Node, int] = {}

    def __call__(self, node: Node) -> str | None:
        if node not in self.texts:
            self.texts[node] = self.written(node)
        return self.texts[node]

    def written(self, node: Node) -> str | None:
        fold([node], self.weigh, self.sizes)
        if node.rank > 2 or node.counters or self.sizes[node] > MAX_PART:
            return None
        shown = self.whole_text(node)
        return shown if shown is not None and is_read_back(shown) else None

    def weigh(self, node: Node, sizes: tuple[int, ...]) -> int:
        """The symbols of a node, up to a few too many.

        Signs of permutations are not written whole, nor constant arguments that tell no size.
        """
        constant = isinstance(node, Unknown) and any(map(free_axes, node.operands))
        if isinstance(node, LeviCivita) or constant:
            return MAX_PART + 1
        return min(1 + sum(sizes), MAX_PART + 1)


def in_parts(node: Einsum, part: Part) -> Node:
    """The product with its parts joined, as long as that is shorter."""
    factors = list(zip(node.operands, node.labels, strict=True))
    plain = [k for k, (o, _) in enumerate(factors) if o.rank < 3 and not isinstance(o, STRUCTURE)]
    fixed = set(range(node.rank))
    fixed |= {a for k, (_, labels) in enumerate(factors) if k not in plain for a in labels}
    places = {k: [k] for k in range(len(factors))}
    joined: dict[int, Node] = {}
    at: dict[int, Labels] = {}
    waiting = _components(factors, plain, fixed)
    while waiting:
        members = waiting.pop()
        labels = [a for k in members for a in factors[k][1]]
        ends = tuple(sorted({a for a in labels if a in fixed}))
        if len(members) == 1 and len(set(labels)) == len(labels) == len(ends):
            continue
        whole = _whole(node, [factors[k] for k in members], ends, part) if len(ends) < 3 else None
        if whole is not None:
            joined[members[0]], at[members[0]] = whole
            for k in members:
                del places[k]
            continue
        torn = _torn(members, factors, fixed)
        if torn:
            fixed |= torn
            waiting += _components(factors, members, fixed)
    if not joined:
        return node
    kept = [factors[k] for k in places] + [(joined[k], at[k]) for k in sorted(joined)]
    return _renumbered(node, kept)


def _components(
    factors: list[tuple[Node, Labels]], members: list[int], fixed: set[int]
) -> list[list[int]]:
    """The factors that labels connect which are not fixed."""
    owner = {k: k for k in members}
    first: dict[int, int] = {}

    def root(k: int) -> int:
        while owner[k] != k:
            owner[k] = owner[owner[k]]
            k = owner[k]
        return k

    for k in members:
        for label in factors[k][1]:
            if label not in fixed:
                owner[root(k)] = root(first.setdefault(label, k))
    groups: dict[int, list[int]] = {}
    for k in members:
        groups.setdefault(root(k), []).append(k)
    return list(groups.values())


def _torn(members: list[int], factors: list[tuple[Node, Labels]], fixed: set[int]) -> set[int]:
    """The labels at which a part is cut: where the most of its matrices meet."""
    counts = Counts(
        label
        for k in members
        if len(set(factors[k][1])) > 1
        for label in set(factors[k][1])
        if label not in fixed
    )
    most = max(counts.values(), default=0)
    return {label for label, count in counts.items() if count == most} if most > 2 else set()


def _whole(
    node: Einsum, factors: list[tuple[Node, Labels]], ends: Labels, part: Part
) -> tuple[Node, Labels] | None:
    """A part as one factor and its labels, where its matrix form is shorter than its entries."""
    sizes: dict[Hashable, Dim] = {a: node.sizes[a] for _, labels in factors for a in labels}
    entries = 0
    for operand, labels in factors:
        shown = operand.name if isinstance(operand, Variable) else part(operand)
        if shown is None:
            return None
        entries += shown_length(shown) + (2 * len(labels) + 1) * bool(labels) + 1
    best: tuple[int, Node, Labels] | None = None
    for order in [ends, ends[::-1]] if len(ends) == 2 else [ends]:
        made = canonical.contract(order, sizes, factors)
        terms = canonical.terms_of(made)
        if len(terms) != 1 or not isinstance(made, Einsum):
            return None
        shown = part(made)
        if shown is None:
            return None
        length = shown_length(shown) + 2 * len(ends) + 3
        if best is None or length < best[0]:
            best = length, made, order
    if best is None or best[0] > entries + 2:
        return None
    return best[1], best[2]


def _renumbered(node: Einsum, factors: list[tuple[Node, Labels]]) -> Einsum:
    """The product of other factors under some of the labels."""
    number = {a: a for a in range(node.rank)}
    for _, labels in factors:
        for label in labels:
            number.setdefault(label, len(number))
    return Einsum.of(
        node.rank,
        tuple([node.sizes[a] for a in number]),
        tuple([operand for operand, _ in factors]),
        tuple([tuple([number[a] for a in labels]) for _, labels in factors]),
    )


def signs_sorted(node: Einsum) -> tuple[Einsum, int]:
    """The product with the labels of antisymmetric factors in order, and the sign of that.

    Axes come first, summed labels as the names of what they join.
    """
    if not any(isinstance(operand, LeviCivita) for operand in node.operands):
        return node, 1
    names: dict[int, str] = {}
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Variable | Unknown):
            names.update({a: min(operand.name, names.get(a, operand.name)) for a in labels})
    sign, turned = 1, []
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, LeviCivita):
            keys = [(a >= node.rank, names.get(a, "") * (a >= node.rank), a) for a in labels]
            inversions = sum(a > b for a, b in combinations(keys, 2))
            sign *= (-1) ** inversions
            labels = tuple([a for *_, a in sorted(keys)])
        turned.append(labels)
    return Einsum.of(node.rank, node.sizes, node.operands, tuple(turned)), sign


def derivatives_sorted(node: Einsum) -> Einsum:
    """The product with the labels of repeated derivatives in order: ``f''(X)[i,j,k,l]``."""
    if not any(isinstance(operand, Unknown) for operand in node.operands):
        return node
    turned: list[Labels] = []
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Unknown):
            start = operand.batch + operand.result
            groups: list[tuple[int, Labels]] = []
            at = start
            for position in operand.derivatives:
                end = at + operand.operands[position].rank - operand.batch
                groups.append((position, labels[at:end]))
                at = end
            labels = (*labels[:start], *[a for _, own in sorted(groups) for a in own])
        turned.append(labels)
    return Einsum.of(node.rank, node.sizes, node.operands, tuple(turned))
