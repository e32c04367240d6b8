"""The factors of a contraction in, its Einsum in canonical order and its sign out.

The last step of `arithmetic.einsum`; the order of labels and operands is `contraction.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, permutations

from tensorcalc.canonical.contraction import canonical_form
from tensorcalc.canonical.facts import is_skew, is_symmetric
from tensorcalc.canonical.labels import Factor
from tensorcalc.dims import Dim
from tensorcalc.ir import Einsum, Labels, LeviCivita, Node

MAX_TURNED = 4  # axes of an antisymmetric factor that are put in order
MAX_VARIANTS = 36  # orders of the axes of several such factors that are tried


def numbered(
    rank: int, live: Mapping[int, Dim], factors: list[Factor], properties: bool
) -> tuple[int, Node]:
    """The Einsum with its labels and operands in canonical order, and its sign.

    The axes of an antisymmetric factor stand in the order that gives the smallest node.
    """
    variants: list[tuple[int, list[Factor]]] = [(1, [])]
    for node, labels in factors:
        is_odd = isinstance(node, LeviCivita) or (properties and is_skew(node))
        turned = _turned(labels) if is_odd and len(variants) <= MAX_VARIANTS else [(1, labels)]
        variants = [
            (sign * own, [*done, (node, order)]) for sign, done in variants for own, order in turned
        ]
    sizes = {a: str(d) for a, d in live.items()}
    found: dict[Node, set[int]] = {}
    for sign, kept in variants:
        edges = [(node.key, labels, properties and is_symmetric(node)) for node, labels in kept]
        order, labels_out, old = canonical_form(rank, sizes, edges)
        node = Einsum.of(
            rank,
            tuple([live[label] for label in old]),
            tuple([kept[k][0] for k in order]),
            tuple(labels_out),
        )
        found.setdefault(node, set()).add(sign)
    best = min(found, key=lambda node: node.key) if len(found) > 1 else next(iter(found))
    signs = found[best]
    return (signs.pop(), best) if len(signs) == 1 else (0, best)


def _turned(labels: Labels) -> list[tuple[int, Labels]]:
    """All orders of a few labels, each with the sign of its permutation."""
    if len(labels) > MAX_TURNED:
        return [(1, labels)]
    found = []
    for order in permutations(range(len(labels))):
        inversions = sum(a > b for a, b in combinations(order, 2))
        found.append(((-1) ** inversions, tuple([labels[k] for k in order])))
    return found
