"""SymPy's scalars -> IR: numbers, symbols, sums and products, functions, conditions."""

from __future__ import annotations

from collections.abc import Container
from fractions import Fraction
from math import inf
from typing import Any

from tensorcalc import canonical
from tensorcalc.declarations import check_name
from tensorcalc.dims import Dim
from tensorcalc.errors import ShapeError, quote
from tensorcalc.interop.sympy_functions import READ
from tensorcalc.interop.sympy_reader import RELATIONS, Index, Reader, Reading, Scope, unsupported
from tensorcalc.ir import Constant, Range
from tensorcalc.traverse import Steps


class Scalars(Reader):
    """Reads what has no axes of its own."""

    def read_Rational(self, expr: Any, scope: Scope) -> Reading:
        return number(Fraction(int(expr.p), int(expr.q)))

    def read_Float(self, expr: Any, scope: Scope) -> Reading:
        value = float(expr)
        if value in (inf, -inf):
            raise unsupported(expr, "is beyond every float")
        return number(Fraction(repr(value)))

    def read_NaN(self, expr: Any, scope: Scope) -> Reading:
        raise unsupported(expr, "is no number")

    def read_Pi(self, expr: Any, scope: Scope) -> Reading:
        return Reading(Constant.of("pi"))

    def read_Exp1(self, expr: Any, scope: Scope) -> Reading:
        return self.formula("exp(x)", [number(1)], expr)

    def read_Symbol(self, expr: Any, scope: Scope) -> Reading:
        bound = scope.get(expr, self.free.get(expr))
        if isinstance(expr, self.sympy.Idx):
            bound = self.index(expr, scope)
        if isinstance(bound, Index):  # the index as a number
            return Reading(Range.of(bound.size, bound.start), (bound.key,))
        if bound is not None:
            return bound
        name = check_name(expr.name)
        if name in self.sizes and name not in self.variables:
            return Reading(canonical.size(Dim.of(name)))
        words = ("positive",) if expr.is_positive else ("nonnegative",) * bool(expr.is_nonnegative)
        words += ("integer",) * bool(expr.is_integer)
        return self.variable(name, (), words)

    def read_Mul(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        arrays = [part for part in parts if part.own]
        if len(arrays) > 1:
            raise unsupported(expr, "of several arrays has no meaning")
        axes = [("own", k) for k in range(len(arrays[0].own))] if arrays else []
        return self.product([(part, axes if part.own else ()) for part in parts], axes, expr)

    def read_Add(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        if len({len(part.own) for part in parts}) > 1:
            raise ShapeError(f"a scalar is added to an array in {quote(str(expr))}")
        nodes, labels = self.aligned(parts, expr)
        terms = [(Fraction(1), node) for node in nodes]
        return Reading(canonical.add(nodes[0].dims, terms), labels)

    def read_Pow(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        return self.mapped("pow", parts, expr)

    def read_function(self, expr: Any, scope: Scope) -> Steps[Reading]:
        """A function of the table; of more arguments than two, one after the other."""
        name = _name_in(READ, expr)
        parts: list[Reading] = yield self.parts(expr.args, scope)
        if name in ("Max", "Min"):
            total = parts[0]
            for part in parts[1:]:
                total = self.formula(READ[name], [total, part], expr)
            return total
        if name == "log" and len(parts) > 1:
            raise unsupported(expr)
        return self.formula(READ[name], parts, expr)

    # ── conditions ────────────────────────────────────────────────────────────────────────────────

    def read_Piecewise(self, expr: Any, scope: Scope) -> Steps[Reading]:
        if expr.args[-1].cond != self.sympy.true:
            raise unsupported(expr, "without a last case for all else has no value there")
        total: Reading = yield self.read(expr.args[-1].expr, scope)
        for value, condition in reversed(expr.args[:-1]):
            holds: Reading = yield self.read(condition, scope)
            found: Reading = yield self.read(value, scope)
            total = self.mapped("where", [holds, found, total], expr)
        return total

    def read_relation(self, expr: Any, scope: Scope) -> Steps[Reading]:
        """A comparison: 1 where it holds, else 0."""
        parts: list[Reading] = yield self.parts(expr.args, scope)
        factors = [
            self.mapped(function, parts, expr) for function in RELATIONS[_name_in(RELATIONS, expr)]
        ]
        return self.product([(factor, ()) for factor in factors], (), expr)

    def read_Unequality(self, expr: Any, scope: Scope) -> Steps[Reading]:
        equal: Reading = yield self.read(self.sympy.Eq(*expr.args, evaluate=False), scope)
        return self.formula("1 - x", [equal], expr)

    def read_And(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        return self.product([(part, ()) for part in parts], (), expr)

    def read_Or(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        total = parts[0]
        for part in parts[1:]:
            total = self.mapped("max", [total, part], expr)
        return total

    def read_ITE(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        return self.mapped("where", parts, expr)

    def read_Not(self, expr: Any, scope: Scope) -> Steps[Reading]:
        inner: Reading = yield self.read(expr.args[0], scope)
        return self.formula("1 - x", [inner], expr)

    def read_BooleanTrue(self, expr: Any, scope: Scope) -> Reading:
        return number(1)

    def read_BooleanFalse(self, expr: Any, scope: Scope) -> Reading:
        return number(0)


def _name_in(table: Container[str], expr: Any) -> str:
    """The name of an expression's class in a table."""
    return next(kind.__name__ for kind in type(expr).__mro__ if kind.__name__ in table)


def number(value: Fraction | int) -> Reading:
    """A number."""
    return Reading(canonical.number(value))
