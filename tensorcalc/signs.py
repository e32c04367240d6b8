"""A node in, what is known of the sign of its entries out.

Used where an identity holds for positive numbers only, as ``abs(x) = x``.
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum

from tensorcalc import canonical
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.traverse import fold


class Sign(IntEnum):
    """What is known of the sign of all entries."""

    ANY = 0
    NONNEGATIVE = 1
    POSITIVE = 2


NONNEGATIVE_FUNCTIONS = frozenset({"abs", "relu"})
POSITIVE_FUNCTIONS = frozenset({"exp", "sigmoid", "softplus", "cosh"})


def sign(node: Node, known: dict[Node, Sign] | None = None) -> Sign:
    """The sign of all entries; `known` are those of nodes, to which the new ones are added.

    >>> x = Variable.of("x", ())
    >>> sign(canonical.elementwise("exp", (x,))).name, sign(x).name
    ('POSITIVE', 'ANY')
    """
    return fold([node], _visit, known)[node]


def _visit(node: Node, operands: tuple[Sign, ...]) -> Sign:
    """The sign of a node by those of its operands."""
    if node.is_complex:
        return Sign.ANY
    match node:
        case Variable() | Unknown():
            if "positive" in node.properties and not getattr(node, "derivatives", ()):
                return Sign.POSITIVE
            if "nonnegative" in node.properties and not getattr(node, "derivatives", ()):
                return Sign.NONNEGATIVE
        case Constant():
            return Sign.POSITIVE
        case Size() | Delta() | Basis() | Merge() | Section():
            return Sign.NONNEGATIVE
        case MatrixFunction() if node.function in canonical.NORMS:
            return Sign.NONNEGATIVE
        case Map() if node.function in POSITIVE_FUNCTIONS:
            return Sign.POSITIVE
        case Map() if node.function in NONNEGATIVE_FUNCTIONS:
            return Sign.NONNEGATIVE
        case Map() if node.function == "pow":
            return operands[0]
        case Add() if operands and all(c > 0 for c in node.coefficients):
            return Sign.ANY if Sign.ANY in operands else max(operands)
        case Einsum():
            counts = Counter(zip(node.operands, node.labels, strict=True))
            factors = zip(node.operands, node.labels, operands, strict=True)
            known = [sign for o, labels, sign in factors if sign or counts[o, labels] % 2]
            is_sum = len(node.sizes) > node.rank or len(known) < len(operands)
            return min([Sign.NONNEGATIVE if is_sum else Sign.POSITIVE, *known])
    return Sign.ANY
