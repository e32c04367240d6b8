"""Contractions of two in, the same with one factorization for each matrix out.

The inverse, the determinant and its logarithm of one matrix share its factors, and a product with
an inverse becomes a solution of equations, unless the right side is wide and the inverse is there
anyway, or saves time as there are several such products. Which factors (Cholesky's or LU's) is
decided at run time, by the matrix. Comes after `contract.py`; used by `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from tensorcalc.ir import Einsum, MatrixFunction, Node
from tensorcalc.plan.nodes import with_operands
from tensorcalc.traverse import fold, postorder

FACTORED = frozenset({"inv", "det", "logdet"})
FACTOR, SOLVE, SOLVE_TRANSPOSED = "factor", "solve", "solve_transposed"
PLANNED = (FACTOR, SOLVE, SOLVE_TRANSPOSED)  # functions that only plans have
NARROW = 8  # columns up to which a solution is better than a product with an inverse
# several right sides with that many times the columns of the matrix make the inverse worth its
# while (measured, in products of square matrices: the inverse 1 to 3, a solution as wide 2 to 3.5)
MANY = 1.5


def is_factored(node: Node) -> bool:
    """Whether a node is computed from the factors of a matrix."""
    return bool(node.operands) and _function(node.operands[0]) == FACTOR


def factorize(roots: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """The same roots over the factors of matrices and solutions of equations."""
    needed = _explicit(roots, sizes)

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node, Einsum):
            solved = _solved(node, operands, needed, sizes)
            if solved is not None:
                return solved
        if _function(node) in FACTORED and operands[0].rank == 2:
            (matrix,) = operands
            factors = MatrixFunction.of(FACTOR, matrix.dims, (matrix,))
            return MatrixFunction.of(_function(node), node.dims, (factors,))
        return with_operands(node, operands)

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _function(node: Node) -> str:
    return node.function if isinstance(node, MatrixFunction) else ""


def _is_inverse(node: Node) -> bool:
    return _function(node) == "inv" and node.rank == 2


def _explicit(roots: Sequence[Node], sizes: Mapping[str, int]) -> set[Node]:
    """The inverses that are needed as matrices, or are multiplied by many columns."""
    found = {root for root in roots if _is_inverse(root)}
    columns: dict[Node, list[int]] = {}
    for node in postorder(roots):
        for place, operand in enumerate(node.operands):
            if not _is_inverse(operand):
                continue
            if _summed(node, place) is None:
                found.add(operand)
            else:
                columns.setdefault(operand, []).append(_width(node, place, sizes))
    for inverse, widths in columns.items():
        wide = [width for width in widths if width > NARROW]
        if len(wide) > 1 and sum(wide) >= MANY * inverse.dims[0].value(sizes):
            found.add(inverse)
    return found


def _width(node: Node, place: int, sizes: Mapping[str, int]) -> int:
    """The columns of the right side that the inverse in this place is multiplied by."""
    if not isinstance(node, Einsum):
        raise AssertionError("only contractions have right sides")
    other = node.labels[1 - place]
    return prod(node.sizes[a].value(sizes) for a in range(node.rank) if a in other)


def _summed(node: Node, place: int) -> int | None:
    """Which axis of a matrix a product of two sums over, if it keeps the other one; else None."""
    if not isinstance(node, Einsum) or len(node.operands) != 2:
        return None
    own, other = node.labels[place], node.labels[1 - place]
    if len({*own}) < 2 or len({*other}) < len(other) or node.operands[0] is node.operands[1]:
        return None
    for axis in (0, 1):
        summed, kept = own[axis], own[1 - axis]
        result = {*range(node.rank)}
        if summed >= node.rank and summed in other and kept in result and kept not in other:
            rest = {*other} - {summed}
            return axis if rest | {kept} == result else None
    return None


def _solved(
    node: Einsum, operands: tuple[Node, ...], needed: set[Node], sizes: Mapping[str, int]
) -> Node | None:
    """A product with an inverse as a solution."""
    for place, inverse in enumerate(node.operands):
        axis = _summed(node, place) if _is_inverse(inverse) else None
        if axis is None:
            continue
        own, other = node.labels[place], node.labels[1 - place]
        rest = tuple([label for label in range(node.rank) if label in other])
        if inverse in needed and _width(node, place, sizes) > NARROW:
            continue
        matrix, right = operands[place].operands[0], operands[1 - place]
        order = (own[axis], *rest)
        if order != other:
            dims = tuple([node.sizes[label] for label in order])
            axes = tuple([order.index(label) for label in other])
            right = Einsum.of(len(order), dims, (right,), (axes,))
        kept = own[1 - axis]
        dims = (node.sizes[kept], *[node.sizes[label] for label in rest])
        solution = MatrixFunction.of(SOLVE if axis else SOLVE_TRANSPOSED, dims, (matrix, right))
        result = (kept, *rest)
        if result == tuple(range(node.rank)):
            return solution
        return Einsum.of(node.rank, node.dims, (solution,), (result,))
    return None
