"""The order of factors and of terms in index notation: what a reader expects to come first.

Used by `index_products.py` and `index.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.ir import Delta, Labels, LeviCivita, Node
from tensorcalc.printing.index_entry import Entry

Key = tuple[object, ...]


def in_reading_order(
    factors: Sequence[tuple[Node, Labels, bool]], places: Mapping[int, int]
) -> list[int]:
    """The factors of a product in order: scalars, then as the axes of the result come, then sums.

    A factor that shares a summed label with what stands there already follows it. `places` are
    those of the labels that are axes. Each factor comes with its labels, and whether it is a sum.

    >>> from tensorcalc.ir import Variable
    >>> a, x = Variable.of("a", ()), Variable.of("x", ())
    >>> in_reading_order([(x, (1,), False), (a, (), False), (a, (0, 1), False)], {0: 0})
    [1, 2, 0]
    """
    sums = [k for k, (_, _, is_sum) in enumerate(factors) if is_sum]
    order = [k for k, (_, labels, is_sum) in enumerate(factors) if not (labels or is_sum)]
    left = [k for k, (_, labels, is_sum) in enumerate(factors) if labels and not is_sum]
    order.sort(key=lambda k: _name(factors[k][0]))
    every = {label for _, labels, _ in factors for label in labels}
    waiting = sorted(places[label] for label in every if label in places)
    seen: list[int] = []
    leads = [True]  # whether nothing but deltas stands there so far

    def urgency(k: int) -> Key:
        node, labels, _ = factors[k]
        new = list(dict.fromkeys(places[a] for a in labels if places.get(a) in waiting))
        summed = [a for a in labels if a not in places]
        linked = min([seen.index(a) for a in summed if a in seen], default=len(seen))
        fits = new == waiting[: len(new)]
        if new and fits and leads[-1] and isinstance(node, Delta | LeviCivita):
            return 1, 0, 0, *_name(node), k
        if fits and (linked < len(seen) or not summed) and not (new and linked == len(seen)):
            return 2, linked, 0, *_name(node), k
        if new:
            return (3 if fits else 4), waiting.index(new[0]), len(new), *_name(node), k
        return 5, linked, -len(labels), *_name(node), k

    while left:
        chosen = min(left, key=urgency)
        left.remove(chosen)
        order.append(chosen)
        leads.append(leads[-1] and isinstance(factors[chosen][0], Delta | LeviCivita))
        for label in factors[chosen][1]:
            if places.get(label) in waiting:
                waiting.remove(places[label])
            elif label not in places and label not in seen:
                seen.append(label)
    return order + sums


def _name(node: Node) -> tuple[int, str]:
    """What factors of one rank are sorted by: by names, where they have one."""
    return (0, str(node.name)) if hasattr(node, "name") else (1, "")


def in_term_order(
    terms: Sequence[tuple[Fraction, Node, Entry]], axes: Sequence[str]
) -> list[tuple[Fraction, Node, Entry]]:
    """The terms of a sum in order, a positive one first.

    Numbers come first, then what starts with a delta, then as the axes of the first factors come.
    """
    place = {axis: k for k, axis in enumerate(axes)}

    def key(term: tuple[Fraction, Node, Entry]) -> Key:
        coefficient, node, entry = term
        names, width = entry.leads
        head = [place[name] for name in names if name in place]
        order = [place[name] for name in entry.counts if name in place]
        first = head[0] if head else len(axes)
        negative = coefficient < 0
        lone = canonical.as_number(node) is None or negative
        deltas = -entry.deltas if entry.is_delta else 1
        return lone, deltas, first, negative, width, order, entry.text[0]

    found = sorted(terms, key=key)
    positive = next((k for k, term in enumerate(found) if term[0] > 0), 0)
    return [found[positive], *found[:positive], *found[positive + 1 :]]
