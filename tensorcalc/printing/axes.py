"""Facts of nodes' axes that a notation needs: IR in, sets of axes out. Used by `index.py`."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Sequence

from tensorcalc.ir import (
    Add,
    Basis,
    Delta,
    Einsum,
    Labels,
    Map,
    MatrixFunction,
    Node,
    Range,
    RangeSum,
    Section,
    Unknown,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS


def repeated_over(node: Node) -> int:
    """Over how many of its first axes a function is repeated; 0 of what is no function."""
    match node:
        case Add() | Map() | RangeSum():
            return node.rank
        case MatrixFunction():
            return node.operands[0].rank - MATRIX_FUNCTIONS[node.function].rank
        case Unknown():
            return node.batch
    return 0


def told_axes(node: Node, operands: Sequence[frozenset[int]]) -> frozenset[int]:
    """The axes whose sizes a reader can tell from the entry; `operands` are those of operands.

    Of a variable each is known; of a unit tensor none.
    """
    every = frozenset(range(node.rank))
    match node:
        case Delta() | Basis():
            return frozenset()
        case Einsum():
            return told_labels(node, operands) & every
        case Add() | Map() | RangeSum():
            return frozenset().union(*operands)
        case MatrixFunction() | Unknown():
            batch = frozenset(range(repeated_over(node)))
            return (every - batch) | (batch & frozenset().union(*operands))
    return every


def told_labels(node: Einsum, operands: Sequence[frozenset[int]]) -> frozenset[int]:
    """The labels of a product whose sizes its factors tell."""
    parts = list(zip(node.operands, node.labels, operands, strict=True))
    told = {own[axis] for _, own, axes in parts for axis in axes}
    pairs = [set(own) for operand, own, _ in parts if isinstance(operand, Delta)]
    while any(0 < len(pair & told) < len(pair) for pair in pairs):
        told = told.union(*[pair for pair in pairs if pair & told])
    return frozenset(told)


Counted = frozenset[tuple[int, Range | Section]]


def counted_axes(node: Node, operands: Sequence[Counted]) -> Counted:
    """The axes whose positions stand as numbers in the entry, as in ``i*x[i]`` or ``x[i+1]``."""
    match node:
        case Range():
            return frozenset({(0, node)})
        case Einsum():
            found = counted_labels(node, operands)
            return frozenset(item for item in found if item[0] < node.rank)
    batch = repeated_over(node)
    return frozenset(item for found in operands for item in found if item[0] < batch)


def counted_labels(node: Einsum, operands: Sequence[Counted]) -> Counted:
    """The labels of a product whose positions stand as numbers in it."""
    counts = Counts(label for own in node.labels for label in own)
    found: set[tuple[int, Range | Section]] = set()
    for operand, own, axes in zip(node.operands, node.labels, operands, strict=True):
        found |= {(own[axis], item) for axis, item in axes}
        if is_shift(node, operand, own, counts) and isinstance(operand, Section):
            found.add((own[1], operand))
    return frozenset(found)


def is_shift(node: Einsum, operand: Node, labels: Labels, counts: Counts[int]) -> bool:
    """Whether a factor only shifts a subscript by a number, as in ``x[i+1]``."""
    if not isinstance(operand, Section) or not operand.offset.is_integer:
        return False
    return labels[0] >= node.rank and counts[labels[0]] == 2
