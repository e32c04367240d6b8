"""What Python hands to operators and functions in: expressions, numbers, arrays; syntax out."""

from __future__ import annotations

import operator
from typing import Any

from tensorcalc import canonical
from tensorcalc.array_constants import constant
from tensorcalc.errors import DomainError, IndexNotationError, Span, quote
from tensorcalc.syntax import Syntax
from tensorcalc.value import Value

NOWHERE = Span("", 0, 0)


class Operand:
    """The base of `Expr`: what has a syntax of its own."""

    _syntax: Syntax
    _is_open: bool  # whether its indices wait for what stands around it

    def _leaf(self) -> Syntax:
        """What was made of the syntax, as one leaf."""
        raise NotImplementedError


def leaf(value: Value) -> Syntax:
    """A value that is made already, as syntax."""
    return Syntax("node", (), (), NOWHERE, value)


def operand_syntax(item: Any) -> Syntax:
    """An operand as syntax: an expression, a number or an array."""
    if isinstance(item, Operand):
        return item._syntax if item._is_open else item._leaf()
    if isinstance(item, Syntax):
        return item
    node = constant(item)
    if node is not None:
        return leaf(Value(node, variables={}))
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
    if isinstance(item, Operand) and item._is_open:
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


def equation_syntax(equation: str) -> Syntax:
    """The subscripts of an einsum as an operand."""
    return Syntax("string", (equation,), (), NOWHERE)
