"""`Expr`: what users hold. A node of the IR with its variables, printed, evaluated, combined.

Python operators build the same syntax as the parser does, so both ways of writing obey the same
rules of shapes and indices. An expression with open indices (``A["i", "j"]``) is elaborated when
it is first looked at, everything else at once, so that errors appear where they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from tensorcalc.dims import Dim, display_names
from tensorcalc.elaborate import Elaborated, elaborate
from tensorcalc.errors import ShapeError
from tensorcalc.ir import Node, Variable
from tensorcalc.lazy import Lazy
from tensorcalc.properties import use_asserted
from tensorcalc.python_operands import (
    NOWHERE,
    Operand,
    index_name,
    leaf,
    operand_syntax,
    subscript_syntax,
)
from tensorcalc.simplify import simplify
from tensorcalc.source import NO_SOURCE, Source
from tensorcalc.syntax import Syntax
from tensorcalc.value import Value
from tensorcalc.variables import check_functions, join, known_variable

if TYPE_CHECKING:
    import numpy as np


class Expr(Operand):
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

    @classmethod
    def of(
        cls,
        node: Node,
        variables: Mapping[str, Variable],
        groups: tuple[int, ...],
        *,
        row: bool = False,
        source: Source = NO_SOURCE,
        is_normal: bool = True,
    ) -> Self:
        """The expression of a node that is already made, in `variables`.

        `source` is that of the expression it was made from. A node that is not normal has its
        products shared (`simplify`) and is computed like that.
        """
        made = cls(leaf(Value(node, row=row)), groups, variables, is_open=True)
        made._is_open = False
        made.__dict__["_elaborated"] = Elaborated(node, row, (), dict(variables), (), source)
        if not is_normal:
            made.__dict__["computed"] = node
        return made

    def _leaf(self) -> Syntax:
        made = self._elaborated
        return leaf(Value(made.node, row=made.row, variables=made.variables, origin=made.source))

    # ── facts ────────────────────────────────────────────────────────────────────────────────

    @property
    def syntax(self) -> Syntax:
        """What was written; of what was made from other expressions, a mere leaf."""
        return self._syntax

    @Lazy
    def _elaborated(self) -> Elaborated:
        syntax = self._syntax
        if syntax.kind != "program":
            syntax = Syntax("program", (), (syntax,), syntax.span)
        return elaborate(syntax)

    @Lazy
    def node(self) -> Node:
        """The node of the index IR, in normal form: equal formulas have the same one."""
        check_functions(self._elaborated.node, self.variables)
        return simplify([self._elaborated.node])[0]

    @Lazy
    def computed(self) -> Node:
        """The node as kernels compute it, with equal values."""
        return self.node

    @Lazy
    def _stated(self) -> Node:
        """The node with what is declared of definitions used, for printing."""
        return use_asserted(self.node, self.source.asserted)

    @property
    def groups(self) -> tuple[int, ...]:
        """How many axes belong to the function and to each variable it was differentiated by."""
        return (self._elaborated.node.rank,) if self._groups is None else self._groups

    @Lazy
    def variables(self) -> dict[str, Variable]:
        """The variables by name, in order of appearance, also those that dropped out."""
        found = self._elaborated.variables
        return {**{name: found.get(name, v) for name, v in self._also.items()}, **found}

    @property
    def source(self) -> Source:
        """How the text that the expression comes from was written; printers keep to it."""
        return self._elaborated.source

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
        """Whether two formulas are equal by algebra: ``(A + A')*x`` and ``A*x + A'*x`` are.

        Functions such as ``exp`` are equal at equal arguments; nothing else is known of them.
        """
        if not isinstance(other, Expr):
            return NotImplemented
        if self.node is other.node:
            return True
        if self.node.rank != other.node.rank:
            return False
        try:
            (left, right), _ = join([self, other])
        except ShapeError:  # one name, two shapes
            return False
        if left is right:
            return True
        from tensorcalc.fingerprint import fingerprints

        first, second = fingerprints(left, right)
        return first == second

    def __hash__(self) -> int:
        return hash(("Expr", self.node.rank))  # equal formulas may have different nodes

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, memo: object) -> Expr:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        made = self._elaborated
        indices = made.indices if self._is_open else ()
        facts = self.node, self.variables, self.groups, made.row, indices, self.assumptions
        return restored, (*facts, made.source)

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
        from tensorcalc.printing.document import to_text

        return self._printed(to_text, layout)

    def to_latex(self, *, layout: str = "mixed") -> str:
        """LaTeX, without delimiters."""
        from tensorcalc.printing.document import to_latex

        return self._printed(to_latex, layout)

    def to_mathml(self, *, layout: str = "mixed") -> str:
        """Presentation MathML: one ``math`` element."""
        from tensorcalc.printing.document import to_mathml

        return self._printed(to_mathml, layout)

    def to_unicode(self, *, layout: str = "mixed") -> str:
        """Text with mathematical signs, ``2·Xᵀ·(X·w − y)``: for readers, not for `parse`."""
        from tensorcalc.printing.document import to_unicode

        return self._printed(to_unicode, layout)

    def _printed(self, notation: Callable[..., str], layout: str) -> str:
        return notation(
            self._stated, self.variables, self.groups, layout, row=self._is_row, source=self.source
        )

    def to_index(self) -> str:
        """Index notation with an arrow that names the axes."""
        from tensorcalc.printing import document

        return document.to_index(self._stated, self.variables)

    def to_einsum(self) -> str:
        """Nested einsum strings."""
        from tensorcalc.printing import document

        return document.to_einsum(self._stated, self.variables)

    def to_code(self, language: str = "numpy") -> str:
        """A function in another language, with what it needs: a text that stands alone.

        Parameters
        ----------
        language
            ``numpy``, ``jax``, ``torch``, ``julia``, ``matlab`` (or ``octave``), ``c``, ``numba``
            or ``latex``.

        Raises
        ------
        DomainError
            There is no such language, or it cannot say a function of the formula.
        """
        from tensorcalc.api import to_code

        return to_code(self, language)

    # ── numbers ──────────────────────────────────────────────────────────────────────────────

    def evaluate(self, **values: Any) -> np.ndarray[Any, Any]:
        """The value by plain NumPy, without compilation: the reference.

        Keywords are the variables; every variable that occurs must be given.
        """
        from tensorcalc.interpret import interpret

        given = {known_variable(name, self.variables).name: v for name, v in values.items()}
        return interpret([self.node], given, self.variables)[0]

    def substitute(self, /, **values: Any) -> Expr:
        """The formula with variables replaced, all at the same time.

        Keywords are variables, values are expressions, numbers, arrays or program texts. A text is
        read with the variables of this formula: the same name is the same variable. Sizes follow:
        if ``x : vector(n)`` is replaced by an expression of 3 entries, n is 3 everywhere.

        Raises
        ------
        UnknownNameError
            A name that is no variable of the formula.
        KindError, ShapeError
            A replacement of another shape, or sizes that contradict each other.
        DomainError
            A variable that an unknown function depends on, or that must be real or an integer.

        >>> import tensorcalc as tc
        >>> print(tc.parse("x'*x + c").substitute(x="A*y", c=2))
        2 + y'*A'*A*y
        """
        from tensorcalc.substitute import substitute

        return substitute(self, values)

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

    def __abs__(self) -> Expr:
        return combine("call", ("abs",), [self])

    @property
    def T(self) -> Expr:
        """The transpose."""
        return combine("transpose", (), [self])

    @property
    def H(self) -> Expr:
        """The conjugate transpose.

        >>> import tensorcalc as tc
        >>> print(tc.matrix("A", "n", "n", "complex").H)
        A^H
        """
        return combine("hermitian", (), [self])

    def __getitem__(self, subscripts: Any) -> Expr:
        """Entries by index names and integers: ``A["i", "j"]``, ``x[0]``."""
        items = subscripts if isinstance(subscripts, tuple) else (subscripts,)
        children = tuple([subscript_syntax(item) for item in items])
        is_open = any(child.kind != "number" for child in children)
        return build("subscript", (), [operand_syntax(self), *children], [self], is_open=is_open)

    def arrange(self, *indices: str) -> Expr:
        """The tensor whose axes are the free `indices`, in this order (the language's arrow)."""
        words = tuple([index_name(name) for name in indices])
        return Expr(Syntax("arrow", words, (operand_syntax(self),), NOWHERE), None, self._also)

    __array_ufunc__ = None  # NumPy arrays leave operators to us


def restored(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    row: bool,
    indices: tuple[str, ...],
    assumptions: tuple[str, ...],
    source: Source = NO_SOURCE,
) -> Expr:
    """An expression from a pickle."""
    made = leaf(Value(node, row=row, origin=source))
    whole = Expr(made, groups, variables, assumptions=assumptions)
    if not indices:
        return whole
    opened = whole[indices]
    opened._assumptions = assumptions
    return opened


def build(
    kind: str,
    words: tuple[str, ...],
    children: Sequence[Syntax],
    operands: Iterable[Any],
    *,
    is_open: bool = False,
    payload: object = None,
) -> Expr:
    """The expression of a construct; `operands` are the Python objects in its `children`."""
    variables: dict[str, Variable] = {}
    for operand in operands:
        if isinstance(operand, Expr):
            variables.update(operand._also)
            is_open = is_open or operand._is_open
            if not operand._is_open:
                variables.update(operand._elaborated.variables)
    syntax = Syntax(kind, words, tuple(children), NOWHERE, payload)
    return Expr(syntax, None, variables, is_open=is_open)


def combine(
    kind: str, words: tuple[str, ...], operands: Sequence[Any], payload: object = None
) -> Expr:
    """An operator or function applied to expressions, numbers and arrays."""
    children = tuple(operand_syntax(operand) for operand in operands)
    if kind == "product" and isinstance(operands[0], Expr):
        first = operands[0]._syntax  # a*b*c is one product, as in text
        if operands[0]._is_open and first.kind == "product":
            children, words = (*first.children, *children[1:]), (*first.words, *words[1:])
    return build(kind, words, children, operands, payload=payload)
