"""IR in, the same IR over variables with their axes reversed out: for arrays in Fortran's order.

The transpose of such an array is contiguous, so no copy is needed. Comes before `plan`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tensorcalc.ir import Einsum, Node, Variable
from tensorcalc.plan.nodes import with_operands
from tensorcalc.traverse import fold


def reverse(variable: Variable) -> Variable:
    """The variable with its axes in reverse order."""
    return Variable.of(variable.name, variable.dims[::-1], variable.properties)


def turn(roots: Sequence[Node], names: Collection[str]) -> list[Node]:
    """The same roots, where the variables of these names have their axes in reverse order.

    >>> from tensorcalc.dims import Dim
    >>> X = Variable.of("X", (Dim.of("m"), Dim.of("n")))
    >>> turn([X], ["X"])[0].labels
    ((1, 0),)
    """
    turned: set[Node] = set()

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        match node:
            case Variable() if node.name in names:
                axes = tuple(range(node.rank))
                view = Einsum.of(node.rank, node.dims, (reverse(node),), (axes[::-1],))
                turned.add(view)
                return view
            case Einsum():
                direct = [a.operands[0] if a in turned else a for a in operands]
                labels = [
                    own[::-1] if a in turned else own
                    for a, own in zip(operands, node.labels, strict=True)
                ]
                return Einsum.of(node.rank, node.sizes, tuple(direct), tuple(labels))
        return with_operands(node, operands)

    results = fold(roots, visit)
    return [results[root] for root in roots]
