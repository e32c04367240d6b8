"""Nodes in, the sizes without which no inverse exists out, for who chooses small sizes.

A product has at most the rank of its factors: of a wide X there is no inverse of ``X'*X``. Beside
the passes; used where derivatives are compared at random points.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.ir import Einsum, MatrixFunction, Node
from tensorcalc.traverse import postorder

INVERTED = frozenset({"inv", "logdet", "power"})  # of a matrix, or in the derivative


def rank_limits(roots: Iterable[Node]) -> list[tuple[Dim, Dim]]:
    """Pairs of a size and what it must at least be for what is inverted to have full rank.

    >>> from tensorcalc import parse
    >>> [(size, least)] = rank_limits([parse("X : matrix(m, n); inv(X'*X)").node])
    >>> print(size, least)
    m n
    """
    found: dict[tuple[Dim, Dim], None] = {}
    for node in postorder(list(roots)):
        if isinstance(node, MatrixFunction) and node.function in INVERTED:
            (matrix, *_) = node.operands
            if isinstance(matrix, Einsum):
                found |= dict.fromkeys(_limits(matrix))
    return [(size, least) for size, least in found if size != least]


def _limits(matrix: Einsum) -> list[tuple[Dim, Dim]]:
    """The sizes between rows and columns of a product, and those of rows and columns."""
    ends = (matrix.rank - 2, matrix.rank - 1)
    if any(set(ends) <= set(own) for own in matrix.labels):
        return []
    found = []
    for end in ends:
        beside = {label for own in matrix.labels if end in own for label in own}
        inner = [matrix.sizes[label] for label in sorted(beside) if label >= matrix.rank]
        if inner:
            found.append((prod(inner, start=Dim.of(1)), matrix.sizes[end]))
    return found
