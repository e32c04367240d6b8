"""The integers that a sum such as ``sum[r=0..k-1](X^r)`` counts with. Used by `elaborate/`.

One that stands in a subscript runs along an axis; one that is only a number is written out where
its ends are known, else a `RangeSum` counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorcalc import canonical, value as v
from tensorcalc.dims import Dim
from tensorcalc.errors import IndexNotationError, Span
from tensorcalc.ir import (
    Add,
    Basis,
    Counter,
    Data,
    Delta,
    Einsum,
    Merge,
    Node,
    Range,
    Section,
    Size,
    Variable,
)
from tensorcalc.shapes import Shapes
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import postorder
from tensorcalc.value import Value


@dataclass(frozen=True, slots=True)
class Counted:
    """A name that stands for the integers of a sum: one of them, or all along an axis."""

    name: str
    value: Value
    number: int | None = None
    start: Dim | None = None
    size: Dim | None = None

    def subscript(self, offset: int, span: Span) -> v.Subscript:
        """The integer as a subscript, `offset` added."""
        if self.number is not None:
            if self.number + offset < 0:
                raise IndexNotationError(f"the subscript is {self.number + offset}", span)
            return self.number + offset
        if self.start is None or self.size is None:
            raise IndexNotationError(f"{self.name} cannot be a subscript here", span)
        return v.Stretch(self.name, self.start + offset, self.size)


def is_integer(node: Node) -> bool:
    """Whether a number is known to be an integer: made of integers and entries by ``+ - *``."""
    for inner in postorder([node]):
        match inner:
            case Variable():
                if "integer" not in inner.properties:
                    return False
            case Add():
                if any(c.denominator != 1 for c in inner.coefficients):
                    return False
            case Data():
                if any(number != int(number) for number in inner.array.real.flat):
                    return False
            case Einsum() | Size() | Counter() | Range() | Delta() | Basis() | Section() | Merge():
                pass
            case _:
                return False
    return True


def stands_in_subscript(syntax: Syntax, name: str) -> bool:
    """Whether a name stands in a subscript."""
    stack = [(syntax, False)]
    while stack:
        part, inside = stack.pop()
        if inside and part.kind == "name" and part.words[0] == name:
            return True
        for place, child in enumerate(part.children):
            stack.append((child, inside or (part.kind == "subscript" and place > 0)))
    return False


def as_dim(node: Node, shapes: Shapes) -> Dim | None:
    """A sum of sizes and integers as a size; None of anything else."""
    total = Dim.of(0)
    for coefficient, term in canonical.terms_of(node):
        part = Dim.of(1) if canonical.as_number(term) == 1 else None
        if isinstance(term, Size):
            part = term.dim
        if part is None or coefficient.denominator != 1:
            return None
        total = total + part * int(coefficient)
    return shapes.resolve(total)


def offset_of(syntax: Syntax) -> int | None:
    """What a subscript such as ``r+1`` adds to the integer of a sum; None of anything else."""
    if syntax.kind == "name":
        return 0
    total = 0
    for sign, part in zip(syntax.words, syntax.children, strict=False):
        if part.kind == "number" and part.words[0].isdigit():
            total += int(part.words[0]) * (1 if sign == "+" else -1)
        elif part.kind != "name" or sign != "+":
            return None
    return total if syntax.kind == "sum" else None
