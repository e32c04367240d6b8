"""Formulas of the tables, written in the language: a text in, a node for given arguments out.

The tables (`functions.py`, `matrix_functions.py`, `rules.py`) say what is true for one scalar or
one matrix. `lift` makes of such a formula the same one repeated over any leading axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tensorcalc import canonical
from tensorcalc.dims import Dim, Dims
from tensorcalc.ir import Add, Einsum, Map, MatrixFunction, Node, Variable
from tensorcalc.traverse import fold


@cache
def formula(declarations: str, text: str) -> Node:
    """The node of a table's formula; its names are declared by `declarations`."""
    from tensorcalc.elaborate import elaborate
    from tensorcalc.parse import parse

    return elaborate(parse(f"{declarations}\n{text}")).node


def scalar_formula(text: str) -> Node:
    """The node of a formula in the scalars ``x``, ``y`` and ``z``."""
    return formula("x, y, z : scalar", text)


def lift(
    template: Node, arguments: Mapping[str, Node], batch: Dims, sizes: Mapping[str, Dim]
) -> Node:
    """The template with nodes for its variables, repeated over the axes `batch`.

    Each argument has the dims ``(*batch, *own)``, where `own` are the dims of its variable with
    the names in `sizes` replaced. So has the result.
    """
    b = len(batch)
    leading = tuple(range(b))

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        dims = (*batch, *(dim.substitute(sizes) for dim in node.dims))
        match node:
            case Variable():
                return arguments[node.name]
            case Einsum():
                labels = [leading + tuple([a + b for a in own]) for own in node.labels]
                all_sizes = (*batch, *(dim.substitute(sizes) for dim in node.sizes))
                return canonical.einsum(len(dims), all_sizes, zip(operands, labels, strict=True))
            case Add():
                return canonical.add(dims, zip(node.coefficients, operands, strict=True))
            case Map():
                return canonical.elementwise(node.function, operands)
            case MatrixFunction():
                return canonical.matrix_function(node.function, operands[0])
        leaf = canonical.rebuild(node, (), sizes)
        own = tuple(range(b, b + leaf.rank))
        return canonical.einsum(b + leaf.rank, dims, [(leaf, own)])

    return fold([template], visit)[template]
