"""The variables of expressions: found by name, and made one for several expressions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tensorcalc import canonical
from tensorcalc.declarations import check_name
from tensorcalc.errors import ShapeError, UnknownNameError
from tensorcalc.ir import Node, Unknown, Variable
from tensorcalc.shapes import Shapes
from tensorcalc.simplify import Opening, simplify
from tensorcalc.traverse import postorder

if TYPE_CHECKING:
    from tensorcalc.expression import Expr


def known_variable(name: str, variables: Mapping[str, Variable]) -> Variable:
    """The variable of this name.

    Raises
    ------
    UnknownNameError
        If there is none; the hint names the nearest, or all.
    """
    if isinstance(name, str) and name in variables:  # also if it is called as a function is
        return variables[name]
    name = check_name(name)
    if name in variables:
        return variables[name]
    near = difflib.get_close_matches(name, variables, 1)
    listed = f"the variables are {', '.join(variables) or 'none'}"
    raise UnknownNameError(
        f"{name} is not a variable of the expression",
        None,
        f"did you mean {near[0]}?" if near else listed,
    )


def join(
    expressions: Sequence[Expr], *, shared: bool = False
) -> tuple[list[Node], dict[str, Variable]]:
    """The nodes of several expressions and all their variables, equal names made one variable.

    With `shared` they are as kernels compute them.
    """
    shapes = Shapes()
    merged: dict[str, Variable] = {}
    for expression in expressions:
        for name, variable in expression.variables.items():
            known = merged.setdefault(name, variable)
            if not shapes.same(known, variable):
                raise ShapeError(f"{name} is used with two different declarations")
    nodes = [e.computed if shared else e.node for e in expressions]
    solution = shapes.solution()
    if solution:
        renamed = canonical.rename_sizes([*nodes, *merged.values()], solution)
        opening = Opening.SINGLE if shared else Opening.SMALL
        nodes = simplify([renamed[node] for node in nodes], opening)
        for name, variable in merged.items():
            new = renamed[variable]
            merged[name] = new if isinstance(new, Variable) else variable
    return nodes, merged


def check_functions(root: Node, variables: Mapping[str, Variable]) -> None:
    """Refuse one name for two unknown functions, or for one and a variable."""
    found: dict[str, tuple[object, ...]] = {}
    for node in postorder([root]):
        if not isinstance(node, Unknown):
            continue
        n, operands = node.batch, node.operands
        own = node.dims[n : n + node.result]
        arguments = [o.dims[n:] if node.is_applied else getattr(o, "name", None) for o in operands]
        facts = (node.is_applied, own, *arguments)
        if node.name in variables or found.setdefault(node.name, facts) != facts:
            other = "a variable" if node.name in variables else "another function"
            raise UnknownNameError(f"{node.name} is an unknown function and also {other}")
