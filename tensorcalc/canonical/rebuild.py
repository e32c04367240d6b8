"""A node and other operands in, the node with these in normal form out.

Every module of a constructor says here how its kind of node is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch

from tensorcalc.dims import Dim, Dims
from tensorcalc.ir import Basis, Counter, Delta, Node, Range, Variable
from tensorcalc.traverse import fold

Operands = tuple[Node, ...]
Sizes = Mapping[str, Dim]
NO_SIZES: Sizes = {}


def rebuild(node: Node, operands: Operands, sizes: Sizes = NO_SIZES) -> Node:
    """The node with other operands, again in normal form; `sizes` replaces names of sizes."""
    if not sizes and all(a is b for a, b in zip(operands, node.operands, strict=True)):
        return node
    return rebuilt(node, operands, tuple([dim.substitute(sizes) for dim in node.dims]), sizes)


def rename_sizes(roots: Iterable[Node], sizes: Sizes) -> dict[Node, Node]:
    """Every node under `roots` with its sizes replaced, again in normal form."""

    def visit(node: Node, operands: Operands) -> Node:
        return rebuild(node, operands, sizes)

    return fold(roots, visit)


@singledispatch
def rebuilt(node: Node, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    """The node with operands and dims that are new; of a kind that has neither, itself."""
    return node


@rebuilt.register(Variable)
def _rebuilt_variable(node: Variable, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return Variable.of(node.name, dims, node.properties)


@rebuilt.register(Delta)
def _rebuilt_delta(node: Delta, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return Delta.of(dims[0])


@rebuilt.register(Basis)
def _rebuilt_basis(node: Basis, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return Basis.of(dims[0], node.position)


@rebuilt.register(Range)
def _rebuilt_range(node: Range, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return Range.of(dims[0], node.start.substitute(sizes))


@rebuilt.register(Counter)
def _rebuilt_counter(node: Counter, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return Counter.of(node.level, operands)
