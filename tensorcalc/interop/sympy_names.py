"""Names and sizes of a formula -> SymPy's symbols. Used by the writers to SymPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from tensorcalc.dims import Dim, Dims, display_names
from tensorcalc.errors import DomainError, quote
from tensorcalc.interop.libraries import library
from tensorcalc.ir import Node, Variable, sizes_of
from tensorcalc.traverse import postorder

LETTERS = "ijklpqrstuvw"
# what SymPy has in no form
NOWHERE = frozenset("adj pinv expm logm sinm cosm max min".split())
ASSUMPTIONS = ("positive", "nonnegative", "integer")


class Names:
    """The SymPy objects of one formula; `given` are some that the caller has already."""

    def __init__(self, root: Node, variables: Mapping[str, Variable], given: Mapping[str, Any]):
        self.sympy = library("sympy", "sympy")
        self.arrays = library("sympy.tensor.array.expressions", "sympy")
        self.diagonal = library("sympy.matrices.expressions.diagonal", "sympy")
        self.given = dict(given)
        self.variables = dict(variables)
        nodes = [*variables.values(), *postorder([root])]
        dims = [dim for node in nodes for dim in sizes_of(node)]
        self.shown = display_names(dims, variables)
        self.taken = {*variables, *self.shown.values()} | {n for d in dims for n in d.names}

    def size(self, dim: Dim) -> Any:
        """A size as an expression of integers and symbols."""
        total = self.sympy.Integer(0)
        for names, number in dim.terms:
            part = self.sympy.Integer(number)
            for name in names:
                shown = self.shown.get(name, name)
                known = self.given.get(shown)
                part *= self.sympy.Symbol(shown, integer=True) if known is None else known
            total += part
        return total

    def sizes(self, dims: Dims) -> tuple[Any, ...]:
        """The sizes of several axes."""
        return tuple([self.size(dim) for dim in dims])

    def scalar(self, variable: Variable) -> Any:
        """The symbol of a scalar, with what it is declared to be."""
        known = self.given.get(variable.name)
        if known is not None:
            return known
        assumed = {word: True for word in ASSUMPTIONS if word in variable.properties}
        return self.sympy.Symbol(variable.name, **assumed)

    def array(self, variable: Variable, kind: str) -> Any:
        """The object of a variable with axes: an `IndexedBase`, an `ArraySymbol`, a `MatrixSymbol`.

        A vector is a matrix of one column.
        """
        if variable.name in self.given:
            return self.given[variable.name]
        shape = self.sizes(variable.dims)
        if kind == "indexed":
            return self.sympy.IndexedBase(variable.name, shape=shape)
        if kind == "array":
            return self.arrays.ArraySymbol(variable.name, shape)
        return self.sympy.MatrixSymbol(variable.name, *shape, *[1] * (2 - len(shape)))

    def new(self, taken: Iterable[str] = (), letters: str = LETTERS) -> str:
        """A name that nothing has."""
        used = self.taken.union(taken)
        k = 0
        while True:
            for letter in letters:
                name = letter + (str(k) if k else "")
                if name not in used:
                    return name
            k += 1

    def function(self, argument: Any, body: Any) -> Any:
        """A `Lambda` whose argument has a name that nothing in the body has, also not inside."""
        inner = map(str, body.atoms(self.sympy.Symbol) - {argument})
        symbol = self.sympy.Symbol(self.new(inner, "tuvw"))
        return self.sympy.Lambda(symbol, body.xreplace({argument: symbol}))

    def index(self, name: str) -> Any:
        """The symbol of an index."""
        return self.sympy.Symbol(name, integer=True)

    def number(self, value: Fraction) -> Any:
        """An exact number."""
        return self.sympy.Rational(value.numerator, value.denominator)


def refused(what: str, form: str) -> DomainError:
    """The error for what SymPy cannot say."""
    others = [f'"{other}"' for other in ("matrix", "indexed", "array") if other != form]
    hint = None if what in NOWHERE else f"try form={' or form='.join(others)}"
    return DomainError(f"{quote(what)} has no counterpart in SymPy's {form} expressions", hint=hint)
