"""Which way round a node stands: facts about transposes, diagonals and broadcasts of nodes.

A view only reorders, repeats or drops axes. The normal form of a sum or an elementwise function
of views is a view of it: ``exp(A')`` is ``exp(A)'``, and what does not depend on an axis is
computed without it. Only a diagonal goes inside: of ``exp(A)`` it needs that of A alone.
Used by `canonical/`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorcalc.ir import Add, Einsum, Node


def untransposed(node: Node) -> Node | None:
    """The matrix of which the node is the transpose, else None."""
    if isinstance(node, Einsum) and node.labels == ((1, 0),) and node.rank == 2:
        return node.operands[0] if len(node.sizes) == 2 else None
    return None


def stands_transposed(operands: Sequence[Node]) -> bool:
    """Whether more operands of a sum or function are transposes than are not; ties by key."""
    inner = [untransposed(operand) for operand in operands]
    flipped = [node for node in inner if node is not None]
    straight = [node for node in operands if not isinstance(node, Einsum)]
    if len(flipped) != len(straight) or not flipped:
        return len(flipped) > len(straight)
    return min(node.key for node in flipped) < min(node.key for node in straight)


def free_axes(node: Node) -> frozenset[int]:
    """The axes along which a node is known to be constant."""
    if isinstance(node, Einsum):
        covered = {label for own in node.labels for label in own}
        return frozenset(range(node.rank)) - covered
    if isinstance(node, Add) and len(node.operands) == 1:
        return free_axes(node.operands[0])
    return frozenset()


def common_free_axes(operands: Sequence[Node]) -> frozenset[int]:
    """The axes along which all operands are constant."""
    found = free_axes(operands[0])
    for operand in operands[1:]:
        if not found:
            break
        found &= free_axes(operand)
    return found
