"""Constants of structure in a contraction: factors in, fewer or simpler factors out.

`Merge`, `Section` and `LeviCivita` are tensors of 0, 1 and -1 that say where entries go: with them
`vec`, `kron`, block matrices and cross products are contractions like any other. Here is what makes
them vanish again: ``vec(A)'*vec(B)`` has none left. Used by `arithmetic.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from tensorcalc.canonical.labels import Factor
from tensorcalc.dims import Dim
from tensorcalc.ir import Basis, Delta, Labels, LeviCivita, Merge, Node, Section

ONE = Dim.of(1)


class VanishesError(Exception):
    """The contraction is zero."""


@dataclass(slots=True)
class _Factors:
    """The factors of a contraction and how often each label stands."""

    rank: int
    items: list[Factor]
    counts: Counter[int]
    live: dict[int, Dim]

    def summed_out(self, labels: Sequence[int]) -> list[Factor]:
        """Nothing: a factor whose sum over these labels is 1 takes them along."""
        for label in labels:
            del self.live[label]
        return []

    def is_lone(self, label: int) -> bool:
        """Whether a label is summed and stands nowhere else."""
        return label >= self.rank and self.counts[label] == 1

    def replaced(self, gone: list[int], new: list[Factor]) -> list[Factor]:
        return [factor for k, factor in enumerate(self.items) if k not in gone] + new


def fold_structure(rank: int, live: dict[int, Dim], factors: list[Factor]) -> list[Factor] | None:
    """The factors with one constant of structure simplified; None if there is nothing to do.

    `live` are the labels with their sizes; those summed away leave it.

    Raises
    ------
    VanishesError
        If the product is zero.
    """
    places = [k for k, (node, _) in enumerate(factors) if isinstance(node, STRUCTURE)]
    if not places:
        return None
    counts = Counter(label for _, labels in factors for label in labels)
    known = _Factors(rank, factors, counts, live)
    for k in places:
        node, labels = factors[k]
        alone = ALONE[type(node)](node, labels, known)
        if alone is not None:
            return known.replaced([k], alone)
    units = [k for k, (node, _) in enumerate(factors) if isinstance(node, Basis)]
    for j, k in combinations(sorted({*places, *units}), 2):
        pair = _pair(factors[j], factors[k], known)
        if pair is not None:
            return known.replaced([j, k], pair)
    return None


def _merge(node: Node, labels: Labels, known: _Factors) -> list[Factor] | None:
    parts = list(zip(node.dims[1:], labels[1:], strict=True))
    if known.is_lone(labels[0]):  # every combination of indices has one number …
        return known.summed_out(labels[:1])
    if all(known.is_lone(label) for _, label in parts):  # … and every number one combination
        return known.summed_out(labels[1:])
    kept = [(dim, label) for dim, label in parts if dim != ONE]
    if len(kept) == 1:
        return [(Delta.of(kept[0][0]), (labels[0], kept[0][1]))]
    if len(kept) < len(parts):
        shorter = Merge.of(tuple([dim for dim, _ in kept]))
        return [(shorter, (labels[0], *[label for _, label in kept]))] if kept else []
    return None


def _section(node: Node, labels: Labels, known: _Factors) -> list[Factor] | None:
    if not isinstance(node, Section):
        raise TypeError
    outer, inner = node.dims
    if outer == inner and not node.offset.terms:
        return [(Delta.of(outer), labels)]
    if inner == ONE and node.offset.is_integer:
        return [(Basis.of(outer, node.offset.constant), labels[:1])]
    return known.summed_out(labels[:1]) if known.is_lone(labels[0]) else None


def _levi_civita(node: Node, labels: Labels, known: _Factors) -> list[Factor] | None:
    if len(set(labels)) < len(labels):
        raise VanishesError
    return None


def _pair(left: Factor, right: Factor, known: _Factors) -> list[Factor] | None:
    (a, at), (b, bt) = left, right
    if isinstance(a, Merge) and isinstance(b, Merge):
        for (outer, ot), (inner, it) in ((left, right), (right, left)):
            if it[0] in ot[1:] and it[0] >= known.rank and known.counts[it[0]] == 2:
                k = ot.index(it[0], 1)
                del known.live[it[0]]
                parts = outer.dims[1:k] + inner.dims[1:] + outer.dims[k + 1 :]
                return [(Merge.of(parts), ot[:k] + it[1:] + ot[k + 1 :])]
        if a is b and at[0] == bt[0]:
            same = [
                (Delta.of(d), p)
                for d, p in zip(a.dims[1:], zip(at[1:], bt[1:], strict=True), strict=True)
            ]
            return [left, *same]
        if a is b and at[1:] == bt[1:]:
            return [left, (Delta.of(a.dims[0]), (at[0], bt[0]))]
        return None
    if at[0] != bt[0] or isinstance(a, Merge | LeviCivita) or isinstance(b, Merge | LeviCivita):
        return None
    if isinstance(a, Section) and isinstance(b, Section):
        if a is b:
            return [left, (Delta.of(a.dims[1]), (at[1], bt[1]))]
        if _follows(a, b.offset) or _follows(b, a.offset):
            raise VanishesError
        return None
    section, unit = (left, right) if isinstance(a, Section) else (right, left)
    if isinstance(section[0], Section) and isinstance(unit[0], Basis):
        start, position = section[0].offset, Dim.of(unit[0].position)
        if _follows(section[0], position) or _is_less(position, start):
            raise VanishesError
        inside = position - start
        if inside.is_integer and _is_less(inside, section[0].dims[1]):
            return [unit, (Basis.of(section[0].dims[1], inside.constant), section[1][1:])]
    return None


def _follows(section: Section, position: Dim) -> bool:
    """Whether a position is known to be beyond the section."""
    return _is_less(section.offset + section.dims[1] - 1, position)


def _is_less(left: Dim, right: Dim) -> bool:
    """Whether a size is known to be less than another, whatever the numbers of the names."""
    rest = right - left - 1
    return all(number > 0 for _, number in rest.terms)


STRUCTURE = (Merge, Section, LeviCivita)
ALONE: dict[type[Node], Callable[[Node, Labels, _Factors], list[Factor] | None]] = {
    Merge: _merge,
    Section: _section,
    LeviCivita: _levi_civita,
}
