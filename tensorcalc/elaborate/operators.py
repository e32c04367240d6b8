"""Sums, transposes, comparisons and matrices written out in, their values out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.blocks import join_blocks
from tensorcalc.elaborate.products import indices_around
from tensorcalc.elaborate.reader import Reader
from tensorcalc.functions import COMPARISONS
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value


def add(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``x + y - z``."""
    terms = []
    for sign, child in zip(syntax.words, syntax.children, strict=True):
        term = yield reader.value(child, bound)
        terms.append((Fraction(1 if sign == "+" else -1), term))
    if len({frozenset(term.indices) - bound for _, term in terms}) > 1:
        bound |= indices_around(reader)
    total = v.add(terms, reader.shapes, bound, syntax.span)
    reader.scope.note_sum(total.node)
    return total


def transpose(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``A'``."""
    operand = yield reader.value(syntax.children[0], bound)
    return v.transpose(operand, syntax.span)


def hermitian(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``A^H``."""
    operand = yield reader.value(syntax.children[0], bound)
    conjugate = replace(operand, node=canonical.conjugate(operand.node))
    return v.transpose(conjugate, syntax.span)


def compare(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``x < y``."""
    left = yield reader.value(syntax.children[0], bound)
    right = yield reader.value(syntax.children[1], bound)
    function = COMPARISONS[syntax.words[0]]
    return v.elementwise(function, [left, right], reader.shapes, syntax.span)


def rows(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``[a, b; c, d]``."""
    table: list[list[Value]] = []
    for row in syntax.children:
        table.append([])
        for child in row.children:
            table[-1].append((yield reader.value(child, bound)))
    return join_blocks(table, reader.shapes, syntax.span)
