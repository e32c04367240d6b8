"""Factors under labels in, factors under other labels out: flattened, without deltas.

`sizes` of a contraction under construction are the dict `live`: summed labels come and go.
"""

from __future__ import annotations

from tensorcalc.dims import Dim
from tensorcalc.ir import Delta, Einsum, Labels, Node

Factor = tuple[Node, Labels]


def expand(node: Einsum, labels: Labels, live: dict[int, Dim]) -> list[Factor]:
    """The factors of an inner contraction under the labels of the outer one.

    `labels` are the outer labels of the inner axes; summed labels get new numbers in `live`.
    """
    names = list(labels)
    for dim in node.sizes[node.rank :]:
        names.append(new_label(live, dim))
    return [
        (operand, tuple([names[a] for a in inner]))
        for operand, inner in zip(node.operands, node.labels, strict=True)
    ]


def new_label(live: dict[int, Dim], dim: Dim) -> int:
    """A label not in use; labels enter `live` in ascending order, so the last is largest."""
    label = next(reversed(live), -1) + 1
    live[label] = dim
    return label


def absorb_deltas(rank: int, live: dict[int, Dim], factors: list[Factor]) -> list[Factor]:
    """Rename labels that a delta makes equal; only deltas between two outputs remain."""
    deltas = [labels for node, labels in factors if isinstance(node, Delta)]
    if not deltas:
        return factors
    name = {label: label for label in live}
    for a, b in deltas:
        low, high = sorted((name[a], name[b]))
        name = {label: low if n == high else n for label, n in name.items()}
    kept = [
        (node, tuple([name[a] for a in labels]))
        for node, labels in factors
        if not isinstance(node, Delta)
    ]
    for label, low in name.items():
        if label != low and label < rank:
            kept.append((Delta.of(live[label]), (low, label)))
        elif label != low:
            del live[label]
    return kept
