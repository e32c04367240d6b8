"""IR <-> a flat list of plain facts, so that pickling a deep expression does not recurse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensorcalc import ir
from tensorcalc.ir import Node, Variable
from tensorcalc.traverse import postorder

if TYPE_CHECKING:
    from tensorcalc.expression import Expr

FACTS: dict[str, tuple[str, ...]] = {
    "Variable": ("name", "dims", "properties"),
    "Constant": ("name",),
    "Size": ("dim",),
    "Delta": ("dims",),
    "Basis": ("dims", "position"),
    "Einsum": ("rank", "sizes", "operands", "labels"),
    "Add": ("dims", "coefficients", "operands"),
    "Map": ("function", "operands"),
    "MatrixFunction": ("function", "dims", "operands"),
}


def pack(node: Node, variables: Mapping[str, Variable], groups: tuple[int, ...]) -> tuple[Any, ...]:
    """The arguments of `unpack` for an expression."""
    order = postorder([*variables.values(), node])
    place = {n: k for k, n in enumerate(order)}
    rows = []
    for n in order:
        kind = type(n).__name__
        facts = [
            tuple(place[o] for o in n.operands) if fact == "operands" else getattr(n, fact)
            for fact in FACTS[kind]
        ]
        rows.append((kind, *facts))
    return rows, place[node], [(name, place[v]) for name, v in variables.items()], groups


def unpack(
    rows: list[tuple[Any, ...]], root: int, named: list[tuple[str, int]], groups: tuple[int, ...]
) -> Expr:
    """The expression of which `pack` made these rows."""
    from tensorcalc.expression import Expr

    nodes: list[Node] = []
    for kind, *facts in rows:
        names = FACTS[kind]
        given = [
            tuple(nodes[k] for k in fact) if name == "operands" else fact
            for name, fact in zip(names, facts, strict=True)
        ]
        if kind in ("Delta", "Basis"):
            given[0] = given[0][0]
        nodes.append(getattr(ir, kind).of(*given))
    variables = {name: nodes[k] for name, k in named}
    return Expr.of(
        nodes[root], {n: v for n, v in variables.items() if isinstance(v, Variable)}, groups
    )
