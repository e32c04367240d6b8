"""`Expr`: what users hold. A node of the IR with its variables, printed, evaluated, combined.

Python operators build the same syntax as the parser does, so both ways of writing obey the same
rules of shapes and indices. An expression with open indices (``A["i", "j"]``) is elaborated when
it is first looked at, everything else at once, so that errors appear where they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tensorcalc import canonical
from tensorcalc.dims import Dim, display_names
from tensorcalc.elaborate import Elaborated, elaborate, rename_sizes
from tensorcalc.errors import DomainError, ShapeError, Span, UnknownNameError
from tensorcalc.ir import Node, Variable
from tensorcalc.shapes import Shapes
from tensorcalc.simplify import simplify
from tensorcalc.syntax import Syntax
from tensorcalc.value import Value

if TYPE_CHECKING:
    import numpy as np

NOWHERE = Span("", 0, 0)


class Expr:
    """A formula: a tensor-valued expression in normal form.

    Made by `tensorcalc.parse`, by `tensorcalc.vector` and its like, by operators and by
    derivatives. Two expressions are equal when their normal forms are.
    """

    def __init__(
        self,
        syntax: Syntax,
        groups: tuple[int, ...] | None = None,
        variables: Mapping[str, Variable] | None = None,
        *,
        is_open: bool = False,
        assumptions: tuple[str, ...] = (),
    ) -> None:
        self._syntax = syntax
        self._assumptions = assumptions
        self._groups = groups
        self._also = dict(variables or {})
        self._is_open = is_open
        if not is_open:
            self._elaborated  # noqa: B018  (raise now what is wrong)

    @staticmethod
    def of(
        node: Node, variables: Mapping[str, Variable], groups: tuple[int, ...], *, row: bool = False
    ) -> Expr:
        """The expression of a node that is already made."""
        return Expr(_leaf(Value(node, row=row)), groups, variables)

    # ── facts ────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _elaborated(self) -> Elaborated:
        syntax = self._syntax
        if syntax.kind != "program":
            syntax = Syntax("program", (), (syntax,), syntax.span)
        return elaborate(syntax)

    @cached_property
    def node(self) -> Node:
        """The node of the index IR, in normal form: equal formulas have the same one."""
        return simplify([self._elaborated.node])[0]

    @property
    def groups(self) -> tuple[int, ...]:
        """How many axes belong to the function and to each variable it was differentiated by."""
        return (self._elaborated.node.rank,) if self._groups is None else self._groups

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """The variables by name, in order of appearance, also those that dropped out."""
        return {**self._elaborated.variables, **{
            name: v for name, v in self._also.items() if name not in self._elaborated.variables
        }}  # fmt: skip

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed: kinds of undeclared names, indices that were summed."""
        return (*self._assumptions, *self._elaborated.assumptions)

    @property
    def shape(self) -> tuple[str | int, ...]:
        """The sizes of the axes: integers, names, or letters for sizes without a name."""
        names = {n: Dim.of(c) for n, c in self._size_letters().items()}
        dims = [dim.substitute(names) for dim in self._elaborated.node.dims]
        return tuple(dim.constant if dim.is_integer else str(dim) for dim in dims)

    @property
    def _is_row(self) -> bool:
        """Whether a vector that is no derivative stands as a row."""
        return self._elaborated.row and len(self.groups) == 1

    def _size_letters(self) -> dict[str, str]:
        dims = [dim for variable in self.variables.values() for dim in variable.dims]
        return display_names(dims, self.variables)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expr) and self.node is other.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, memo: object) -> Expr:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        made = self._elaborated
        indices = made.indices if self._is_open else ()
        facts = self.node, self.variables, self.groups, made.row, indices, self.assumptions
        return _restored, facts

    # indexing would make iteration endless, and comparisons are expressions, not truths
    __iter__ = None
    __contains__ = None

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value; compare with ==, choose with where")

    # ── printing ─────────────────────────────────────────────────────────────────────────────

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        text = self.to_text()
        text = text if len(text) <= 200 else text[:199] + "…"
        return f"Expr({text!r}, shape={self.shape})"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def to_text(self, *, layout: str = "mixed") -> str:
        """Matrix notation, or index notation where there is no matrix form.

        `layout` is ``"mixed"``, ``"numerator"`` or ``"denominator"``.
        """
        from tensorcalc.printing import document

        return document.to_text(self.node, self.variables, self.groups, layout, row=self._is_row)

    def to_latex(self, *, layout: str = "mixed") -> str:
        """LaTeX, without delimiters."""
        from tensorcalc.printing import document

        return document.to_latex(self.node, self.variables, self.groups, layout, row=self._is_row)

    def to_index(self) -> str:
        """Index notation with an arrow that names the axes."""
        from tensorcalc.printing import document

        return document.to_index(self.node, self.variables)

    def to_einsum(self) -> str:
        """Nested einsum strings."""
        from tensorcalc.printing import document

        return document.to_einsum(self.node, self.variables)

    def to_code(self, language: str = "numpy") -> str:
        """A function in a programming language; ``"numpy"`` so far."""
        if language != "numpy":
            raise DomainError(f"no code for {language!r}", None, "the languages are numpy")
        from tensorcalc.printing.numpy import to_numpy

        return to_numpy(self.node, self.variables)

    # ── numbers ──────────────────────────────────────────────────────────────────────────────

    def evaluate(self, **values: Any) -> np.ndarray[Any, Any]:
        """The value by plain NumPy, without compilation: the reference.

        Keywords are the variables; every variable that occurs must be given.
        """
        from tensorcalc.interpret import interpret

        unknown = [name for name in values if name not in self.variables]
        if unknown:
            raise UnknownNameError(
                f"{unknown[0]} is not a variable of the expression",
                None,
                f"the variables are {', '.join(self.variables)}",
            )
        return interpret([self.node], values, self.variables)[0]

    # ── operators ────────────────────────────────────────────────────────────────────────────

    def __add__(self, other: Any) -> Expr:
        return combine("sum", ("+", "+"), [self, other])

    def __radd__(self, other: Any) -> Expr:
        return combine("sum", ("+", "+"), [other, self])

    def __sub__(self, other: Any) -> Expr:
        return combine("sum", ("+", "-"), [self, other])

    def __rsub__(self, other: Any) -> Expr:
        return combine("sum", ("+", "-"), [other, self])

    def __mul__(self, other: Any) -> Expr:
        return combine("product", ("*", "*"), [self, other])

    def __rmul__(self, other: Any) -> Expr:
        return combine("product", ("*", "*"), [other, self])

    def __matmul__(self, other: Any) -> Expr:
        return combine("product", ("*", "@"), [self, other])

    def __rmatmul__(self, other: Any) -> Expr:
        return combine("product", ("*", "@"), [other, self])

    def __truediv__(self, other: Any) -> Expr:
        return combine("product", ("*", "/"), [self, other])

    def __rtruediv__(self, other: Any) -> Expr:
        return combine("product", ("*", "/"), [other, self])

    def __pow__(self, other: Any) -> Expr:
        return combine("power", ("^",), [self, other])

    def __rpow__(self, other: Any) -> Expr:
        return combine("power", ("^",), [other, self])

    def __neg__(self) -> Expr:
        return combine("negate", (), [self])

    def __pos__(self) -> Expr:
        return self

    def __lt__(self, other: Any) -> Expr:
        return combine("compare", ("<",), [self, other])

    def __le__(self, other: Any) -> Expr:
        return combine("compare", ("<=",), [self, other])

    def __gt__(self, other: Any) -> Expr:
        return combine("compare", (">",), [self, other])

    def __ge__(self, other: Any) -> Expr:
        return combine("compare", (">=",), [self, other])

    @property
    def T(self) -> Expr:
        """The transpose."""
        return combine("transpose", (), [self])

    def __getitem__(self, subscripts: Any) -> Expr:
        """Entries by index names and integers: ``A["i", "j"]``, ``x[0]``."""
        items = subscripts if isinstance(subscripts, tuple) else (subscripts,)
        children = [_as_syntax(self)]
        for item in items:
            kind = "number" if isinstance(item, int) else "name"
            children.append(Syntax(kind, (str(item),), (), NOWHERE))
        is_open = self._is_open or any(isinstance(item, str) for item in items)
        syntax = Syntax("subscript", (), tuple(children), NOWHERE)
        return Expr(syntax, None, self._also, is_open=is_open)

    def arrange(self, *indices: str) -> Expr:
        """The tensor whose axes are the free `indices`, in this order (the language's arrow)."""
        return Expr(Syntax("arrow", indices, (_as_syntax(self),), NOWHERE), None, self._also)

    __array_ufunc__ = None  # NumPy arrays leave operators to us


def _restored(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    row: bool,
    indices: tuple[str, ...],
    assumptions: tuple[str, ...],
) -> Expr:
    """An expression from a pickle."""
    leaf = _leaf(Value(node, row=row))
    whole = Expr(leaf, groups, variables, assumptions=assumptions)
    if not indices:
        return whole
    opened = whole[indices]
    opened._assumptions = assumptions
    return opened


def _leaf(value: Value) -> Syntax:
    return Syntax("node", (), (), NOWHERE, value)


def _as_syntax(item: Any) -> Syntax:
    """An operand as syntax: an expression, or a number."""
    if isinstance(item, Expr):
        if item._is_open:
            return item._syntax
        made = item._elaborated
        return _leaf(Value(made.node, row=made.row, variables=made.variables))
    if isinstance(item, Syntax):
        return item
    if isinstance(item, bool | str | bytes):
        raise DomainError(f"{item!r} is not an expression or a number")
    try:
        value = item if isinstance(item, Fraction) else Fraction(str(item))
    except (ValueError, TypeError):
        raise DomainError(
            f"{type(item).__name__} is not an expression or a finite number"
        ) from None
    return _leaf(Value(canonical.number(value)))


def equation_syntax(equation: str) -> Syntax:
    """The subscripts of an einsum as an operand."""
    return Syntax("string", (equation,), (), NOWHERE)


def combine(kind: str, words: tuple[str, ...], operands: Sequence[Any]) -> Expr:
    """An operator or function applied to expressions and numbers."""
    children = tuple(_as_syntax(operand) for operand in operands)
    if kind == "product" and isinstance(operands[0], Expr):
        first = operands[0]._syntax  # a*b*c is one product, as in text
        if operands[0]._is_open and first.kind == "product":
            children, words = (*first.children, *children[1:]), (*first.words, *words[1:])
    variables: dict[str, Variable] = {}
    is_open = False
    for operand in operands:
        if isinstance(operand, Expr):
            variables.update(operand._also)
            is_open = is_open or operand._is_open
            if not operand._is_open:
                variables.update(operand._elaborated.variables)
    return Expr(Syntax(kind, words, children, NOWHERE), None, variables, is_open=is_open)


def function(name: str) -> Callable[..., Expr]:
    """The language's function `name` for expressions; ``over`` names indices, as in ``sum[i]``."""

    def apply(*args: Any, over: str | Sequence[str] = ()) -> Expr:
        names = (over,) if isinstance(over, str) else tuple(over)
        return combine("indexed_call" if names else "call", (name, *names), args)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"The function ``{name}`` of the language, of expressions and numbers."
    return apply


def join(expressions: Sequence[Expr]) -> tuple[list[Node], dict[str, Variable]]:
    """The nodes of several expressions and all their variables, equal names made one variable."""
    shapes = Shapes()
    merged: dict[str, Variable] = {}
    for expression in expressions:
        for name, variable in expression.variables.items():
            known = merged.setdefault(name, variable)
            if not shapes.same(known, variable):
                raise ShapeError(f"{name} is used with two different declarations")
    nodes = [expression.node for expression in expressions]
    solution = shapes.solution()
    if solution:
        renamed = rename_sizes([*nodes, *merged.values()], solution)
        nodes = simplify([renamed[node] for node in nodes])
        for name, variable in merged.items():
            new = renamed[variable]
            merged[name] = new if isinstance(new, Variable) else variable
    return nodes, merged
