"""IR <-> a flat list of plain facts, so that pickling a deep expression does not recurse."""

from __future__ import annotations

from typing import Any

from tensorcalc import ir
from tensorcalc.ir import Node
from tensorcalc.traverse import postorder

FACTS: dict[str, tuple[str, ...]] = {
    "Variable": ("name", "dims", "properties"),
    "Constant": ("name",),
    "Size": ("dim",),
    "Delta": ("dims",),
    "Basis": ("dims", "position"),
    "LeviCivita": ("rank",),
    "Merge": ("dims",),
    "Section": ("dims", "offset"),
    "Range": ("dims", "start"),
    "Data": ("array",),
    "Einsum": ("rank", "sizes", "operands", "labels"),
    "Add": ("dims", "coefficients", "operands"),
    "Map": ("function", "operands"),
    "MatrixFunction": ("function", "dims", "operands", "order"),
    "Unknown": ("name", "dims", "operands", "batch", "derivatives", "is_applied", "properties"),
    "Counter": ("level", "operands"),
    "RangeSum": ("operands",),
}


def pack(root: Node) -> tuple[list[tuple[Any, ...]]]:
    """The arguments of `unpack` for a node."""
    order = postorder([root])
    place = {node: k for k, node in enumerate(order)}
    rows = []
    for node in order:
        kind = type(node).__name__
        facts = [
            tuple([place[o] for o in node.operands]) if fact == "operands" else getattr(node, fact)
            for fact in FACTS[kind]
        ]
        rows.append((kind, *facts))
    return (rows,)


def unpack(rows: list[tuple[Any, ...]]) -> Node:
    """The node of which `pack` made these rows."""
    nodes: list[Node] = []
    for kind, *facts in rows:
        given: list[Any] = [
            tuple([nodes[k] for k in fact]) if name == "operands" else fact
            for name, fact in zip(FACTS[kind], facts, strict=True)
        ]
        if kind in ("Delta", "Basis", "Range"):
            given[0] = given[0][0]
        elif kind == "Merge":
            given[0] = given[0][1:]
        elif kind == "Section":
            given[:1] = given[0]
        elif kind == "Data":
            given[0].flags.writeable = False
        nodes.append(getattr(ir, kind).of(*given))
    return nodes[-1]
