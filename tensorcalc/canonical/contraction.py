"""The canonical numbering of a contraction: a labelled hypergraph in, an order of it out.

Operands are hyperedges, labels are vertices. Two contractions that differ only by the order of
their operands or the names of their summed labels get the same form. The method is colour
refinement with individualisation of the remaining ties (McKay, "Practical graph isomorphism",
1981), one connected component at a time. Used by `order.py` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorcalc.ir import Labels
from tensorcalc.limits import spend

# Ties are nearly always automorphisms, where every choice gives the same form; beyond this many
# choices the best form so far is taken: still a right contraction, perhaps not the canonical one.
MAX_LEAVES = 128
# A long chain of equal operands is told apart one label a round from its ends; past this many
# rounds, what is still tied keeps the order it came in.
MAX_ROUNDS = 64

Edge = tuple[bytes, Labels, bool]  # the operand's key, its labels, whether it is symmetric
Form = tuple[tuple[bytes, Labels], ...]


def canonical_form(
    rank: int, sizes: Mapping[int, str], edges: Sequence[Edge]
) -> tuple[list[int], list[Labels], list[int]]:
    """Operand order, their new labels, and the old label of each new one.

    `sizes` tells summed labels apart that nothing else does. Labels below `rank` keep their
    numbers; summed ones are renumbered from `rank` on.
    """
    numbered = []
    for component in _components(rank, edges):
        summed = sorted({a for k in component for a in edges[k][1] if a >= rank})
        form, order = _best(rank, sizes, [edges[k] for k in component], summed)
        numbered.append((form, component, order))
    numbered.sort(key=lambda item: item[0])
    operands: list[int] = []
    old = list(range(rank))
    number = {label: label for label in range(rank)}
    for _, component, order in numbered:
        for label in order:
            number[label] = len(old)
            old.append(label)
        relabelled = []
        for k in component:
            labels = tuple([number[a] for a in edges[k][1]])
            relabelled.append((edges[k][0], tuple(sorted(labels)) if edges[k][2] else labels, k))
        operands += [k for _, _, k in sorted(relabelled)]
    labels_out = []
    for k in operands:
        labels = tuple([number[a] for a in edges[k][1]])
        labels_out.append(tuple(sorted(labels)) if edges[k][2] else labels)
    return operands, labels_out, old


def _components(rank: int, edges: Sequence[Edge]) -> list[list[int]]:
    """Operands grouped by the summed labels that they share."""
    parent = list(range(len(edges)))

    def find(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    first: dict[int, int] = {}
    for k, (_, labels, _) in enumerate(edges):
        for label in labels:
            if label >= rank:
                parent[find(k)] = find(first.setdefault(label, k))
    groups: dict[int, list[int]] = {}
    for k in range(len(edges)):
        groups.setdefault(find(k), []).append(k)
    return list(groups.values())


def _ranked(signatures: Sequence[Any]) -> list[int]:
    """Each signature's place among the distinct ones, in sorted order."""
    place = {signature: i for i, signature in enumerate(sorted(set(signatures)))}
    return [place[signature] for signature in signatures]


def _refine(
    rank: int, edges: Sequence[Edge], summed: Sequence[int], colours: dict[int, int]
) -> dict[int, int]:
    """Split the colours of summed labels by what they are connected to, until nothing splits."""
    edge_colours = _ranked([key for key, _, _ in edges])
    distinct = len(set(colours.values()))
    for _ in range(MAX_ROUNDS):
        if distinct == len(summed):
            return colours
        signatures = []
        spend(1 + len(edges) // 2)
        for colour, (_, labels, symmetric) in zip(edge_colours, edges, strict=True):
            seen: Iterable[tuple[int, int]] = [
                (0, a) if a < rank else (1, colours[a]) for a in labels
            ]
            signatures.append((colour, tuple(sorted(seen) if symmetric else seen)))
        edge_colours = _ranked(signatures)
        incident: dict[int, list[tuple[int, int]]] = {label: [] for label in summed}
        for colour, (_, labels, symmetric) in zip(edge_colours, edges, strict=True):
            for axis, label in enumerate(labels):
                if label >= rank:
                    incident[label].append((colour, 0 if symmetric else axis))
        ranked = _ranked([(colours[a], tuple(sorted(incident[a]))) for a in summed])
        colours = dict(zip(summed, ranked, strict=True))
        if len(set(ranked)) == distinct:
            return colours
        distinct = len(set(ranked))
    order = sorted(summed, key=lambda label: (colours[label], label))
    return {label: place for place, label in enumerate(order)}


def _best(
    rank: int, sizes: Mapping[int, str], edges: Sequence[Edge], summed: Sequence[int]
) -> tuple[Form, list[int]]:
    """The smallest form of one component over all ways to break ties, and its label order."""
    start = dict(zip(summed, _ranked([sizes[label] for label in summed]), strict=True))
    best: tuple[Form, list[int]] | None = None
    leaves = 0
    stack = [start]
    while stack and (best is None or leaves < MAX_LEAVES):
        colours = _refine(rank, edges, summed, stack.pop())
        classes: dict[int, list[int]] = {}
        for label in summed:
            classes.setdefault(colours[label], []).append(label)
        tied = next((classes[c] for c in sorted(classes) if len(classes[c]) > 1), None)
        if tied is not None:
            for chosen in tied:
                stack.append({a: 2 * c - (a == chosen) for a, c in colours.items()})
            continue
        leaves += 1
        order = sorted(summed, key=lambda a: colours[a])
        number = {label: rank + i for i, label in enumerate(order)}
        form = tuple(
            sorted(
                (key, tuple(sorted(new) if symmetric else new))
                for key, labels, symmetric in edges
                for new in [[a if a < rank else number[a] for a in labels]]
            )
        )
        if best is None or form < best[0]:
            best = form, order
    if best is None:
        raise AssertionError("every component has a form")
    return best
