"""IR -> IR: what declared properties allow, once nothing is differentiated any more.

A variable with a property is differentiated by its entries as if they were independent
(LANGUAGE, "Derivatives"), so ``A`` and ``A'`` must stay different until then. This pass runs
before a result is printed or compiled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from tensorcalc import canonical
from tensorcalc.ir import (
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    Unknown,
    Variable,
)
from tensorcalc.joins import join_factors
from tensorcalc.signs import Sign, sign
from tensorcalc.simplify import Opening, simplify
from tensorcalc.traverse import fold, postorder

USED = frozenset({"symmetric", "spd", "diagonal", "skew", "orthogonal"})
SIGNED = frozenset({"abs", "sign", "relu"})  # what the sign of the argument tells


def use_properties(roots: Sequence[Node], opening: Opening = Opening.SMALL) -> list[Node]:
    """The roots with what is known of their variables used; `opening` as for `simplify`.

    A symmetric matrix is its transpose, a skew one the negative of it, the inverse of an orthogonal
    one is its transpose, and what is positive is its own modulus.
    """
    roots = list(roots)
    nodes = postorder(roots)
    used = USED
    if any(isinstance(node, Map) and node.function in SIGNED for node in nodes):
        used = used | {"positive", "nonnegative"}
    if not any(isinstance(node, Variable | Unknown) and node.properties & used for node in nodes):
        return roots
    signs: dict[Node, Sign] = {}

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        is_inverse = isinstance(node, MatrixFunction) and node.function == "inv"
        if is_inverse and _is_orthogonal(operands[0]):
            dims = node.dims[::-1]
            return canonical.einsum(2, dims, [(operands[0], (1, 0))])
        if isinstance(node, Map) and node.function in SIGNED:
            known = sign(operands[0], signs)
            if node.function == "sign" and known is Sign.POSITIVE:
                return canonical.ones(node.dims)
            if node.function != "sign" and known is not Sign.ANY:
                return operands[0]
        if not isinstance(node, Einsum):
            return canonical.rebuild(node, operands)
        factors = list(zip(operands, node.labels, strict=True))
        while (joined := _joined(node.rank, factors)) is not None:
            factors = joined
        used = {label for _, labels in factors for label in labels} | set(range(node.rank))
        gone = {a for labels in node.labels for a in labels} - used
        number = {a: k for k, a in enumerate(a for a in range(len(node.sizes)) if a not in gone)}
        sizes = [node.sizes[a] for a in number]
        kept = [(o, tuple([number[a] for a in labels])) for o, labels in factors]
        made = canonical.einsum(node.rank, sizes, kept, properties=True)
        return join_factors(made, properties=True)

    done = fold(roots, visit)
    return simplify([done[root] for root in roots], opening)


def use_asserted(root: Node, asserted: Sequence[tuple[Variable, Node]]) -> Node:
    """The root with what is declared of definitions used: each is a variable for the while."""
    if not asserted:
        return root
    simple = simplify([node for _, node in asserted])
    stand_ins: dict[Node, Node] = {}
    for (variable, node), other in zip(asserted, simple, strict=True):
        stand_ins |= {node: variable, other: variable}
    leaves = [node for node in stand_ins if isinstance(node, Variable)]
    for node in leaves:  # another name of a variable, which has its own properties
        del stand_ins[node]
    found = dict(stand_ins)
    replaced = fold([root], canonical.rebuild, found)[root]
    if replaced is root:
        return root
    (used,) = use_properties([replaced])
    back: dict[Node, Node] = {
        variable: node for (variable, _), node in zip(asserted, simple, strict=True)
    }
    return simplify([fold([used], canonical.rebuild, back)[used]])[0]


def _is_orthogonal(node: Node) -> bool:
    if isinstance(node, Unknown):
        return not node.derivatives and not node.batch and "orthogonal" in node.properties
    return isinstance(node, Variable) and "orthogonal" in node.properties


def _joined(rank: int, factors: list[canonical.Factor]) -> list[canonical.Factor] | None:
    """The factors with one ``Q'*Q`` or ``Q*Q'`` of an orthogonal matrix gone; None if none is."""
    counts = Counter(label for _, labels in factors for label in labels)
    places = [k for k, (node, _) in enumerate(factors) if _is_orthogonal(node)]
    for j, k in combinations(places, 2):
        (left, at), (right, bt) = factors[j], factors[k]
        for axis in (0, 1):
            label = at[axis]
            if left is right and label == bt[axis] and label >= rank and counts[label] == 2:
                rest = [factor for i, factor in enumerate(factors) if i not in (j, k)]
                return [*rest, (Delta.of(left.dims[0]), (at[1 - axis], bt[1 - axis]))]
    return None
