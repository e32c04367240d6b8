"""Formulas of the tables, written in the language: a text in, a node for given arguments out.

The tables (`functions.py`, `matrix_functions.py`, `rules.py`) say what is true for one scalar or
one matrix. `lift` makes of such a formula the same one repeated over any leading axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tensorcalc import canonical
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import DomainError
from tensorcalc.ir import (
    Add,
    Counter,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    RangeSum,
    Variable,
)
from tensorcalc.traverse import fold
from tensorcalc.views import free_axes


def _alone(node: Node, batch: int) -> Node:
    """A scalar that is the same for all of the batch."""
    axes = frozenset(range(batch))
    if not axes <= free_axes(node) and not canonical.is_zero(node):
        raise DomainError("an exponent that is not the same for all matrices of a stack")
    return canonical.without_axes(node, axes)


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
                return canonical.matrix_function(node.function, *operands, order=node.order)
            case Counter():
                ends = tuple([_alone(end, b) for end in operands])
                return canonical.einsum(b, batch, [(Counter.of(node.level, ends), ())])
            case RangeSum():
                counter = _alone(operands[1], b)
                if not isinstance(counter, Counter):
                    raise TypeError("a sum over integers counts with a Counter")
                return canonical.range_sum(operands[0], counter)
        leaf = canonical.rebuild(node, (), sizes)
        own = tuple(range(b, b + leaf.rank))
        return canonical.einsum(b + leaf.rank, dims, [(leaf, own)])

    return fold([template], visit)[template]
