"""IR -> IR: what declared properties allow, once nothing is differentiated any more.

A variable with a property is differentiated by its entries as if they were independent
(LANGUAGE, "Derivatives"), so ``A`` and ``A'`` must stay different until then. This pass runs
before a result is printed or compiled.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorcalc import canonical
from tensorcalc.ir import Einsum, Node
from tensorcalc.simplify import simplify
from tensorcalc.traverse import fold, variables


def use_properties(roots: Sequence[Node]) -> list[Node]:
    """The roots with symmetric matrices equal to their transposes."""
    roots = list(roots)
    if not any(canonical.is_symmetric(variable) for variable in variables(*roots).values()):
        return roots

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if not isinstance(node, Einsum):
            return canonical.rebuild(node, operands)
        factors = zip(operands, node.labels, strict=True)
        return canonical.einsum(node.rank, node.sizes, factors, properties=True)

    done = fold(roots, visit)
    return simplify([done[root] for root in roots])
