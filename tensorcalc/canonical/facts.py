"""A node in; what is known of it out: a number, zero, symmetric, skew, the terms of a sum.

Used by the constructors beside it, and by the passes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeGuard

from tensorcalc.ir import Add, Delta, Einsum, MatrixFunction, Node, Unknown, Variable

Term = tuple[Fraction, Node]  # coefficient and node

ONE = Fraction(1)
SYMMETRIC = frozenset({"symmetric", "spd", "diagonal"})


def as_number(node: Node) -> Fraction | None:
    """The value of a tensor whose entries are all the same number, else None."""
    if isinstance(node, Einsum):
        return None if node.operands else ONE
    if isinstance(node, Add):
        if not node.operands:
            return Fraction(0)
        if len(node.operands) == 1 and as_number(node.operands[0]) == 1:
            return node.coefficients[0]
    return None


def is_zero(node: Node) -> bool:
    """Whether the node is the tensor of zeros."""
    return isinstance(node, Add) and not node.operands


def terms_of(node: Node) -> tuple[Term, ...]:
    """The terms of a sum; of anything else, itself."""
    if isinstance(node, Add):
        return tuple(zip(node.coefficients, node.operands, strict=True))
    return ((ONE, node),)


def is_symmetric(node: Node) -> bool:
    """Whether a matrix is known to be equal to its transpose."""
    if isinstance(node, Variable) or is_unknown_matrix(node):
        declared = node.rank == 2 and not SYMMETRIC.isdisjoint(node.properties)
        return declared and not node.is_complex
    if isinstance(node, MatrixFunction):
        return node.rank == 2 and is_symmetric(node.operands[0])
    return isinstance(node, Delta) or is_second_derivative(node)


def is_unknown_matrix(node: Node) -> TypeGuard[Unknown]:
    """Whether the node is an unknown function of matrix value, or its derivative by scalars."""
    return isinstance(node, Unknown) and node.rank == node.result == 2


def is_second_derivative(node: Node) -> bool:
    """Whether the node is the Hessian matrix of an unknown function, always symmetric."""
    return (
        isinstance(node, Unknown)
        and node.rank == 2
        and not node.batch
        and not node.result
        and len(node.derivatives) == 2
        and node.derivatives[0] == node.derivatives[1]
    )


def is_skew(node: Node) -> bool:
    """Whether a matrix is known to be its transpose with the other sign."""
    if isinstance(node, Variable) or is_unknown_matrix(node):
        return "skew" in node.properties
    return False
