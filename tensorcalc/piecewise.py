"""Products and sums of `where`: nodes in, nodes where a branch that is not taken cannot spoil out.

The derivative of ``where(c, a, b)`` has the factors ``where(c, 1, 0)`` and ``where(c, 0, 1)``. A
factor that is infinite where its branch is not taken would make them NaN (0 times infinity), so
factors over the same axes go inside: ``where(c, a, 0)*g`` is ``where(c, a*g, 0)``. Two sides of
one condition then join: ``where(c, a, 0) + where(c, 0, b)`` is ``where(c, a, b)``. Used by
`simplify.py`.
"""

from __future__ import annotations

from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.ir import Add, Einsum, Map, Node


def join_where(node: Node) -> Node:
    """The node with its `where` factors and terms joined; itself if it has none."""
    if isinstance(node, Einsum):
        return _product(node)
    if isinstance(node, Add):
        return _sum(node)
    return node


def _one_sided(node: Node) -> bool:
    """Whether the node is a `where` that is 0 on one side."""
    return (
        isinstance(node, Map)
        and node.function == "where"
        and any(canonical.is_zero(branch) for branch in node.operands[1:])
    )


def _product(node: Einsum) -> Node:
    mask = next((k for k, operand in enumerate(node.operands) if _one_sided(operand)), None)
    if mask is None or len(set(node.labels[mask])) != len(node.labels[mask]):
        return node
    frame = node.labels[mask]
    inside: list[canonical.Factor] = []
    outside: list[canonical.Factor] = []
    for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
        if k != mask:
            (inside if set(labels) <= set(frame) else outside).append((operand, labels))
    if not inside:
        return node
    place = {label: axis for axis, label in enumerate(frame)}
    axes = tuple(range(len(frame)))
    moved = [(operand, tuple([place[a] for a in labels])) for operand, labels in inside]
    condition, *branches = node.operands[mask].operands
    for side, branch in enumerate(branches):
        if not canonical.is_zero(branch):
            branches[side] = canonical.einsum(len(axes), branch.dims, [*moved, (branch, axes)])
    made = canonical.elementwise("where", (condition, *branches))
    return canonical.einsum(node.rank, node.sizes, [*outside, (made, frame)])


def _sum(node: Add) -> Node:
    sides: dict[Node, list[canonical.Term]] = {}
    terms: list[canonical.Term] = []
    for coefficient, term in canonical.terms_of(node):
        if _one_sided(term):
            sides.setdefault(term.operands[0], []).append((coefficient, term))
        else:
            terms.append((coefficient, term))
    if all(len(group) == 1 for group in sides.values()):
        return node
    for condition, group in sides.items():
        branches = [
            canonical.add(node.dims, [(c, term.operands[side]) for c, term in group])
            for side in (1, 2)
        ]
        terms.append((Fraction(1), canonical.elementwise("where", (condition, *branches))))
    return canonical.add(node.dims, terms)
