"""IR in, IR that compares rectified arrays with zero instead of what they were made of out.

The derivative of ``relu(z)`` asks where ``z > 0``, which is where ``relu(z) > 0``. So a network
keeps one array of each layer, not two. First part of `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorcalc import canonical
from tensorcalc.ir import Map, Node
from tensorcalc.plan.nodes import with_operands
from tensorcalc.traverse import fold, postorder


def compare_rectified(roots: Sequence[Node]) -> list[Node]:
    """The same roots, where arrays that are also rectified are compared in that form."""
    nodes = postorder(roots)
    rectified = {n.operands[0] for n in nodes if isinstance(n, Map) and n.function == "relu"}

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        is_asked = isinstance(node, Map) and node.function == "gt" and node.operands[0] in rectified
        if is_asked and canonical.as_number(node.operands[1]) == 0:
            return Map.of("gt", (Map.of("relu", operands[:1]), operands[1]))
        return with_operands(node, operands)

    results = fold(roots, visit) if rectified else {root: root for root in roots}
    return [results[root] for root in roots]
