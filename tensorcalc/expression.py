"""`Expr`: what users hold. A node of the IR with its variables, printed, evaluated, combined.

Python operators build the same syntax as the parser does, so both ways of writing obey the same
rules of shapes and indices. An expression with open indices (``A["i", "j"]``) is elaborated when
it is first looked at, everything else at once, so that errors appear where they are made.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from tensorcalc import canonical
from tensorcalc.array_constants import constant
from tensorcalc.declarations import check_name
from tensorcalc.dims import Dim, display_names
from tensorcalc.elaborate import Elaborated, elaborate, rename_sizes
from tensorcalc.errors import (
    DomainError,
    IndexNotationError,
    ShapeError,
    Span,
    UnknownNameError,
    quote,
)
from tensorcalc.ir import Node, Unknown, Variable
from tensorcalc.lazy import Lazy
from tensorcalc.properties import use_asserted
from tensorcalc.shapes import Shapes
from tensorcalc.simplify import simplify
from tensorcalc.source import NO_SOURCE, Source
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import postorder
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

    @classmethod
    def of(
        cls,
        node: Node,
        variables: Mapping[str, Variable],
        groups: tuple[int, ...],
        *,
        row: bool = False,
        source: Source = NO_SOURCE,
    ) -> Self:
        """The expression of a node that is already made, in `variables`.

        `source` is that of the expression it was made from.
        """
        made = cls(_leaf(Value(node, row=row)), groups, variables, is_open=True)
        made._is_open = False
        made.__dict__["_elaborated"] = Elaborated(node, row, (), dict(variables), (), source)
        return made

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
        _check_functions(self._elaborated.node, self.variables)
        return simplify([self._elaborated.node])[0]

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
        from tensorcalc.printing import document

        return document.to_text(
            self._stated, self.variables, self.groups, layout, row=self._is_row, source=self.source
        )

    def to_latex(self, *, layout: str = "mixed") -> str:
        """LaTeX, without delimiters."""
        from tensorcalc.printing import document

        return document.to_latex(
            self._stated, self.variables, self.groups, layout, row=self._is_row, source=self.source
        )

    def to_mathml(self, *, layout: str = "mixed") -> str:
        """Presentation MathML: one ``math`` element."""
        from tensorcalc.printing import document

        return document.to_mathml(
            self._stated, self.variables, self.groups, layout, row=self._is_row, source=self.source
        )

    def to_unicode(self, *, layout: str = "mixed") -> str:
        """Text with mathematical signs, ``2·Xᵀ·(X·w − y)``: for readers, not for `parse`."""
        from tensorcalc.printing import document

        return document.to_unicode(
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
    leaf = _leaf(Value(node, row=row, origin=source))
    whole = Expr(leaf, groups, variables, assumptions=assumptions)
    if not indices:
        return whole
    opened = whole[indices]
    opened._assumptions = assumptions
    return opened


def _leaf(value: Value) -> Syntax:
    return Syntax("node", (), (), NOWHERE, value)


def operand_syntax(item: Any) -> Syntax:
    """An operand as syntax: an expression, a number or an array."""
    if isinstance(item, Expr):
        if item._is_open:
            return item._syntax
        made = item._elaborated
        return _leaf(Value(made.node, row=made.row, variables=made.variables, origin=made.source))
    if isinstance(item, Syntax):
        return item
    node = constant(item)
    if node is not None:
        return _leaf(Value(node, variables={}))
    if isinstance(item, bool | str | bytes):
        raise DomainError(
            f"{quote(repr(item))} is not an expression or a number",
            None,
            "texts become expressions by `tc.parse`" if isinstance(item, str) else None,
        )
    hint = None
    if isinstance(item, list | tuple):
        hint = "write `numpy.array(…)` for numbers, `tc.block(…)` for a matrix of expressions"
    raise DomainError(f"{type(item).__name__} is not an expression or a finite number", None, hint)


def index_name(name: Any) -> str:
    """An index name given from Python."""
    if not isinstance(name, str) or not (name.isascii() and name.isidentifier()):
        raise IndexNotationError(
            f"{quote(repr(name))} is no index name", None, "an index is a name such as `i`"
        )
    return name


def subscript_syntax(item: Any) -> Syntax:
    """A subscript given from Python: a name, an integer from 0, the integer of a sum."""
    if isinstance(item, Expr) and item._is_open:
        syntax = item._syntax
        if syntax.kind == "name":
            return syntax
        if syntax.kind == "sum":  # `x[r + 1]`
            parts = tuple([_digits(child) for child in syntax.children])
            return Syntax("sum", syntax.words, parts, NOWHERE)
    if isinstance(item, str):
        return Syntax("name", (index_name(item),), (), NOWHERE)
    try:
        number = -1 if isinstance(item, bool) else operator.index(item)
    except TypeError:
        number = -1
    if number < 0:
        raise IndexNotationError(
            f"a subscript is an index name or an integer from 0, not {quote(repr(item))}",
            None,
            'write `A["i", "j"]` or `x[0]`',
        )
    return Syntax("number", (str(number),), (), NOWHERE)


def _digits(syntax: Syntax) -> Syntax:
    """An integer that Python has given, as a text would have it."""
    value = canonical.as_number(syntax.payload.node) if isinstance(syntax.payload, Value) else None
    if value is None or value.denominator != 1:
        return syntax
    return Syntax("number", (str(value),), (), NOWHERE)


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


def equation_syntax(equation: str) -> Syntax:
    """The subscripts of an einsum as an operand."""
    return Syntax("string", (equation,), (), NOWHERE)


def function(name: str) -> Callable[..., Expr]:
    """The language's function `name` for expressions; ``over`` names indices, as in ``sum[i]``."""

    def apply(*args: Any, over: str | Sequence[str] | Mapping[str, tuple[Any, Any]] = ()) -> Expr:
        if isinstance(over, Mapping):
            return _counted(name, args, over)
        names = (over,) if isinstance(over, str) else tuple(over)
        words = (name, *[index_name(index) for index in names])
        return combine("indexed_call" if names else "call", words, args)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"The function ``{name}`` of the language, of expressions, numbers and arrays."
    return apply


def _counted(name: str, args: Sequence[Any], over: Mapping[str, tuple[Any, Any]]) -> Expr:
    """``sum[r=0..k](…)``, one inside the other; the first name is the outermost."""
    operands = list(args)
    for index, ends in reversed(list(over.items())):
        if not isinstance(ends, tuple) or len(ends) != 2:
            raise DomainError(
                f"{index} counts from one integer to another",
                None,
                f'write `over={{"{index}": (0, n)}}`',
            )
        operands = [combine("range_call", (name, index_name(index)), [*ends, *operands])]
    return operands[0] if over else combine("call", (name,), args)


def _check_functions(root: Node, variables: Mapping[str, Variable]) -> None:
    """Refuse one name for two unknown functions, or for one and a variable."""
    found: dict[str, tuple[object, ...]] = {}
    for node in postorder([root]):
        if not isinstance(node, Unknown):
            continue
        n, operands = node.batch, node.operands
        own = node.dims[n : n + node.result]
        arguments = [o.dims[n:] if node.is_applied else getattr(o, "name", None) for o in operands]
        facts = (node.is_applied, own, *arguments)
        if node.name in variables or found.setdefault(node.name, facts) != facts:
            other = "a variable" if node.name in variables else "another function"
            raise UnknownNameError(f"{node.name} is an unknown function and also {other}")


def known_variable(name: str, variables: Mapping[str, Variable]) -> Variable:
    """The variable of this name.

    Raises
    ------
    UnknownNameError
        If there is none; the hint names the nearest, or all.
    """
    if isinstance(name, str) and name in variables:  # also if it is called as a function is
        return variables[name]
    name = check_name(name)
    if name in variables:
        return variables[name]
    near = difflib.get_close_matches(name, variables, 1)
    listed = f"the variables are {', '.join(variables) or 'none'}"
    raise UnknownNameError(
        f"{name} is not a variable of the expression",
        None,
        f"did you mean {near[0]}?" if near else listed,
    )


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


pi = build("name", ("pi",), [], [])
