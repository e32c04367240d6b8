"""Nodes at a point of the loops in, scalar operations out: the inside of a loop nest.

`Values` is a table of operations without repetition: what two outputs share at one point is
computed once. A node that lies in memory is a load, a sum of products that does not is never asked
for; everything else is taken apart here. Used by `schedule.py` and `nest.py`.

Indices are those of `indices.py`. An index that may be out of bounds guards what it loads.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from fractions import Fraction

from tensorcalc.binding import to_float
from tensorcalc.canonical import as_number
from tensorcalc.dims import Dim
from tensorcalc.interpret import constant, is_norm
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    Merge,
    Node,
    Range,
    Section,
    Size,
)
from tensorcalc.plan.indices import (
    Index,
    Point,
    at_loops,
    bounded,
    follow,
    is_reduction,
    loops,
    place,
)
from tensorcalc.traverse import Steps, trampoline

Key = tuple[object, ...]

MAX_MULTIPLIED = 16  # integer powers up to here are products


class Values:
    """Operations in order; entry k is ``(operation, arguments…)``, its loops are `loops[k]`.

    Arguments are numbers of entries wrapped in a 1-tuple, floats, loop numbers, ``~positions`` or
    dims. ``("load", node, point, indices, guards)`` reads memory: `indices` are arguments, and
    where a guard does not hold the value is 0.
    """

    def __init__(self, stored: Container[Node]) -> None:
        self.stored = stored
        self.entries: list[Key] = []
        self.loops: list[frozenset[int]] = []
        self.known: dict[tuple[Node, Point], int] = {}
        self._numbers: dict[Key, int] = {}

    def define(self, node: Node, point: tuple[int, ...]) -> int:
        """The number of what `node`, computed here even if it is stored, joins at its loops."""
        if is_reduction(node):
            return trampoline(self._value(node.operands[0], point))
        if isinstance(node, Einsum):
            return trampoline(self._product(node, *at_loops(node, loops(node).labels, point)))
        return trampoline(self._compute(node, point))

    def operation(self, *key: object) -> int:
        """The number of an operation, entered if it is new."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.entries)
            self.entries.append(key)
            given = arguments(key)
            own = [a for a in given if isinstance(a, int) and a >= 0]
            inner = [self.loops[a[0]] for a in given if isinstance(a, tuple)]
            self.loops.append(frozenset(own).union(*inner))
        return found

    def index(self, index: Index) -> int | tuple[int]:
        """An index as an argument."""
        if isinstance(index, int):
            return index
        given = [a if isinstance(a, Dim) else self.index(a) for a in index.arguments]
        return (self.operation(index.operation, *given),)

    def guards(self, indices: Iterable[Index]) -> tuple[tuple[int], ...]:
        """Conditions for the indices to be within their bounds."""
        found = dict.fromkeys(inner for index in indices for inner in bounded(index))
        return tuple(
            [(self.operation("inside", self.index(inner), inner.bound),) for inner in found]
        )

    def _load(self, node: Node, point: Point) -> int:
        indices = tuple([self.index(index) for index in point])
        return self.operation("load", node, point, indices, self.guards(point))

    def _value(self, node: Node, point: Point) -> Steps[int]:
        if (node, point) in self.known:
            return self.known[node, point]
        if node in self.stored:
            result = self._load(node, point)
        else:
            result = yield self._compute(node, point)
        self.known[node, point] = result
        return result

    def _compute(self, node: Node, point: Point) -> Steps[int]:
        match node:
            case Constant():
                return self.operation("number", constant(node.name))
            case Size():
                return self.operation("size", node.dim)
            case Delta():
                return self._unit(*point)
            case Basis() | Section() | Merge():
                return self._unit(point[0], place(node, point[1:]))
            case LeviCivita():
                return self.operation("permutation", *[self.index(index) for index in point])
            case Range():
                return self.operation("range", self.index(point[0]), node.start)
            case Einsum():
                number: int = yield self._product(node, *follow(node, dict(enumerate(point))))
                return number
            case Add():
                number = yield self._sum(node, point)
                return number
            case Map():
                if node.function == "pow":
                    number = yield self._power(node, point)
                    return number
                arguments = []
                for operand in node.operands:
                    arguments.append(((yield self._value(operand, point)),))
                return self.operation(node.function, *arguments)
        raise TypeError(f"{node!r} is not a scalar operation")

    def _unit(self, first: Index, second: Index) -> int:
        """1 where two indices agree, else 0."""
        fixed = [isinstance(index, int) and index < 0 for index in (first, second)]
        if first == second or all(fixed):
            return self.operation("number", float(first == second))
        return self.operation("delta", *sorted((self.index(first), self.index(second)), key=str))

    def _product(self, node: Einsum, at: Mapping[int, Index], spent: set[int]) -> Steps[int]:
        """The product of the operands that are not `spent` on telling the indices `at` labels."""
        factors: list[int] = []
        for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
            if k not in spent:
                factors.append((yield self._value(operand, tuple([at[a] for a in labels]))))
        # what varies in fewer loops first: such products move out of the inner ones
        factors.sort(key=lambda k: (len(self.loops[k]), k))
        result = factors[0] if factors else self.operation("number", 1.0)
        for factor in factors[1:]:
            result = self.operation("mul", (result,), (factor,))
        for guard in self.guards(at.values()):
            zero = self.operation("number", 0.0)
            result = self.operation("select", guard, (result,), (zero,))
        return result

    def _sum(self, node: Add, point: Point) -> Steps[int]:
        total: int | None = None
        for coefficient, operand in zip(node.coefficients, node.operands, strict=True):
            if as_number(operand) == 1:
                term, sign = self.operation("number", to_float(coefficient)), 1
            else:
                term, sign = (yield self._value(operand, point)), 1 if coefficient > 0 else -1
                if abs(coefficient) != 1:
                    scale = self.operation("number", abs(to_float(coefficient)))
                    term = self.operation("mul", (scale,), (term,))
            if total is None:
                total = term if sign > 0 else self.operation("neg", (term,))
            else:
                total = self.operation("add" if sign > 0 else "sub", (total,), (term,))
        return self.operation("number", 0.0) if total is None else total

    def _power(self, node: Map, point: Point) -> Steps[int]:
        base, exponent = node.operands
        x = yield self._value(base, point)
        p = as_number(exponent)
        if p is None or (is_norm(base) and p < 0):
            y = yield self._value(exponent, point)
            return self.operation("norm_power" if is_norm(base) else "pow", (x,), (y,))
        if 2 * abs(p) > 2 * MAX_MULTIPLIED or p.denominator > 2:
            return self.operation("pow", (x,), (self.operation("number", to_float(p)),))
        return self._repeated(x, p)

    def _repeated(self, x: int, p: Fraction) -> int:
        """``x^p`` for a small half integer, as products and a square root."""
        result: int | None = None
        if p.denominator == 2:
            result = self.operation("sqrt", (x,))
        count, square = int(abs(p)), x
        while count:
            if count % 2:
                result = square if result is None else self.operation("mul", (result,), (square,))
            count //= 2
            if count:
                square = self.operation("mul", (square,), (square,))
        if result is None:
            return self.operation("number", 1.0)
        if p > 0:
            return result
        return self.operation("div", (self.operation("number", 1.0),), (result,))


def arguments(key: Key) -> tuple[object, ...]:
    """What an operation takes."""
    if key[0] == "load":
        _, _, _, indices, guards = key
        return (*indices, *guards)  # type: ignore[misc]
    return key[1:]
