"""Labels of operands in, the order in which to contract them two at a time out.

opt_einsum searches: exactly for few operands, else greedily from many starts. What it finds for
many is improved: a part of the contraction tree with few leaves is searched again exactly, part
after part, until none gets cheaper. The cost is the number of multiplications. Used by
`contract.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

Labels = frozenset[int]
Step = tuple[int, int]  # positions among what is left; the result goes to the end

EXACT = 10  # operands up to which the order is the best one
WELL = 100  # operands up to which the greedy search starts many times
PART = 9  # leaves of a part that is searched again
ROUNDS = 6


def contraction_path(
    inputs: Sequence[Labels],
    output: Labels,
    extents: Mapping[int, int],
    weights: Mapping[int, float] | None = None,
    *,
    quick: bool = False,
) -> tuple[list[Step], int]:
    """The steps, and the multiplications of all. `weights` are the extents for the exact search.

    With `quick` one greedy search must do for many operands.

    >>> contraction_path([frozenset({0, 1}), frozenset({1, 2}), frozenset({2})], frozenset({0}),
    ...                  {0: 10, 1: 10, 2: 10})
    ([(1, 2), (0, 1)], 200)
    """
    count = len(inputs)
    if count < 2:
        return [], 0
    if count == 2:
        return [(0, 1)], prod(extents[label] for label in inputs[0] | inputs[1])
    weights = weights if weights and count <= EXACT else dict(extents)
    steps = _searched(inputs, output, weights, quick=quick)
    tree = _Tree(inputs, output, extents, steps)
    if EXACT < count <= WELL and not quick:
        for _ in range(ROUNDS):
            if not tree.improve():
                break
        steps = tree.steps()
    return steps, tree.cost()


def _searched(
    inputs: Sequence[Labels],
    output: Labels,
    extents: Mapping[int, int] | Mapping[int, float],
    *,
    quick: bool = False,
) -> list[Step]:
    from opt_einsum import paths

    well = "auto-hq" if len(inputs) <= WELL and not quick else "greedy"
    name = "dp" if len(inputs) <= EXACT else well
    found = paths.get_path_fn(name)(list(inputs), output, dict(extents), None)
    return _in_pairs(found)


def _in_pairs(found: Sequence[Sequence[int]]) -> list[Step]:
    """A path in which every step takes two: a longer one takes them one after the other."""
    steps: list[Step] = []
    live = 1 + sum(len(step) - 1 for step in found)
    for step in found:
        places = sorted(step)
        while len(places) > 1:
            first, second = places[0], places[1]
            steps.append((first, second))
            live -= 1
            places = [*[p - 2 for p in places[2:]], live - 1]
    return steps


@dataclass(slots=True)
class _Node:
    """A contraction of two parts, or an operand; `leaves` is a bit set of operands."""

    leaves: int
    labels: Labels
    parts: tuple[_Node, _Node] | None = None
    place: int = -1


class _Tree:
    """The contractions of a path as a tree."""

    def __init__(
        self,
        inputs: Sequence[Labels],
        output: Labels,
        extents: Mapping[int, int],
        steps: Sequence[Step],
    ) -> None:
        self.output, self.extents = output, extents
        self.where: dict[int, int] = {}
        for place, labels in enumerate(inputs):
            for label in labels:
                self.where[label] = self.where.get(label, 0) | 1 << place
        live = [_Node(1 << k, labels, None, k) for k, labels in enumerate(inputs)]
        for step in steps:
            second, first = (live.pop(k) for k in sorted(step, reverse=True))
            live.append(self.joined(first, second))
        (self.root,) = live

    def joined(self, first: _Node, second: _Node) -> _Node:
        leaves = first.leaves | second.leaves
        labels = frozenset(
            label
            for label in first.labels | second.labels
            if label in self.output or self.where[label] & ~leaves
        )
        return _Node(leaves, labels, (first, second))

    def nodes(self) -> list[_Node]:
        """All contractions, each before its parts."""
        found, stack = [], [self.root]
        while stack:
            node = stack.pop()
            if node.parts is not None:
                found.append(node)
                stack += node.parts
        return found

    def step_cost(self, node: _Node) -> int:
        first, second = node.parts or (node, node)
        return prod(self.extents[label] for label in first.labels | second.labels)

    def cost(self) -> int:
        return sum(map(self.step_cost, self.nodes()))

    def improve(self) -> bool:
        """Search every part again; whether one got cheaper."""
        better = False
        for node in self.nodes():
            better |= self.improve_at(node)
        return better

    def improve_at(self, node: _Node) -> bool:
        """Search the part below a contraction again, as far as it has few leaves."""
        if node.parts is None:  # became a leaf of a part that was changed
            return False
        leaves: list[_Node] = list(node.parts)
        inner = [node]
        while len(leaves) < PART:
            open_nodes = [leaf for leaf in leaves if leaf.parts is not None]
            if not open_nodes:
                break
            largest = max(open_nodes, key=self.step_cost)
            leaves.remove(largest)
            leaves += largest.parts or ()
            inner.append(largest)
        if len(leaves) < 3:
            return False
        old = sum(map(self.step_cost, inner))
        steps = _searched([leaf.labels for leaf in leaves], node.labels, dict(self.extents))
        live = list(leaves)
        new = 0
        for step in steps:
            second, first = (live.pop(k) for k in sorted(step, reverse=True))
            live.append(self.joined(first, second))
            new += self.step_cost(live[-1])
        if new >= old:
            return False
        node.parts = live[0].parts
        return True

    def steps(self) -> list[Step]:
        """The tree as a path."""
        live = [1 << k for k in range(self.root.leaves.bit_length())]
        steps: list[Step] = []
        for node in reversed(self.nodes()):
            low, high = sorted(live.index(part.leaves) for part in node.parts or ())
            live.pop(high)
            live.pop(low)
            live.append(node.leaves)
            steps.append((low, high))
        return steps
