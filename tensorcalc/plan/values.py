"""Nodes at a point of the loops in, scalar operations out: the inside of a loop nest.

`Values` is a table of operations without repetition: what two outputs share at one point is
computed once. A node that lies in memory is a load, a sum of products that does not is never asked
for; everything else is taken apart here. Used by `schedule.py` and `nest.py`.

An index is a loop's number, or ``~position`` for a fixed position.
"""

from __future__ import annotations

from collections.abc import Container
from fractions import Fraction

from tensorcalc.binding import to_float
from tensorcalc.canonical import as_number
from tensorcalc.interpret import constant, is_norm
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    Map,
    Node,
    Size,
)
from tensorcalc.plan.contract import fixed_positions
from tensorcalc.traverse import Steps, trampoline

Key = tuple[object, ...]
Point = tuple[int, ...]

MAX_MULTIPLIED = 16  # integer powers up to here are products


class Values:
    """Operations in order; entry k is ``(operation, arguments…)``, its loops are `loops[k]`.

    Arguments are numbers of entries wrapped in a 1-tuple, floats, loop numbers or dims, by
    operation. ``("load", node, point)`` reads memory.
    """

    def __init__(self, stored: Container[Node]) -> None:
        self.stored = stored
        self.entries: list[Key] = []
        self.loops: list[frozenset[int]] = []
        self.known: dict[tuple[Node, Point], int] = {}
        self._numbers: dict[Key, int] = {}

    def define(self, node: Node, point: Point) -> int:
        """The number of the value of `node` at `point`, computed here even if it is stored."""
        return trampoline(self._compute(node, point))

    def operation(self, *key: object) -> int:
        """The number of an operation, entered if it is new."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.entries)
            self.entries.append(key)
            loops: set[int] = set()
            if key[0] == "load":
                loops.update(k for k in key[2] if k >= 0)  # type: ignore[attr-defined]
            elif key[0] in ("delta", "basis"):
                loops.update(k for k in key[1:] if isinstance(k, int) and k >= 0)
            else:
                loops.update(*(self.loops[a[0]] for a in key[1:] if isinstance(a, tuple)))
            self.loops.append(frozenset(loops))
        return found

    def _value(self, node: Node, point: Point) -> Steps[int]:
        if (node, point) in self.known:
            return self.known[node, point]
        if node in self.stored:
            result = self.operation("load", node, point)
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
                return self._unit("delta", point[0], point[1])
            case Basis():
                return self._unit("basis", point[0], ~node.position)
            case Einsum():
                number: int = yield self._product(node, point)
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

    def _unit(self, operation: str, first: int, second: int) -> int:
        if first == second or (first < 0 and second < 0):
            return self.operation("number", float(first == second))
        return self.operation("delta", *sorted((first, second), reverse=True))

    def _product(self, node: Einsum, point: Point) -> Steps[int]:
        """The product of all operands; `point` covers summed labels that no unit vector fixes."""
        fixed = fixed_positions(node)
        rest = iter(point)
        at = [~fixed[a] if a in fixed else next(rest) for a in range(len(node.sizes))]
        factors: list[int] = []
        for operand, labels in zip(node.operands, node.labels, strict=True):
            if isinstance(operand, Basis) and labels[0] in fixed:
                continue
            factors.append((yield self._value(operand, tuple([at[a] for a in labels]))))
        # what varies in fewer loops first: such products move out of the inner ones
        factors.sort(key=lambda k: (len(self.loops[k]), k))
        if not factors:
            return self.operation("number", 1.0)
        result = factors[0]
        for factor in factors[1:]:
            result = self.operation("mul", (result,), (factor,))
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
