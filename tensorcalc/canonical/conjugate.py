"""A node in, its complex conjugate out: what is real stays, variables are conjugated."""

from __future__ import annotations

from tensorcalc.canonical.rebuild import rebuild
from tensorcalc.ir import Data, Einsum, Map, Node, Unknown, Variable
from tensorcalc.traverse import fold


def conjugate(node: Node) -> Node:
    """The complex conjugate: what is real stays, of anything else that of its variables."""
    if not node.is_complex:
        return node

    def visit(inner: Node, operands: tuple[Node, ...]) -> Node:
        if not inner.is_complex:
            return inner
        if isinstance(inner, Map) and inner.function == "conj":
            return inner.operands[0]
        if isinstance(inner, Variable | Data | Unknown) or _is_diagonal(inner):
            return Map.of("conj", (inner,))
        return rebuild(inner, operands)

    return fold([node], visit)[node]


def _is_diagonal(node: Node) -> bool:
    """Whether a node is the diagonal of a mere name: it stands inside functions of entries."""
    return (
        isinstance(node, Einsum)
        and len(node.operands) == 1
        and isinstance(node.operands[0], Variable | Data | Unknown)
        and len(node.sizes) == node.rank
        and len(set(node.labels[0])) < len(node.labels[0])
    )
