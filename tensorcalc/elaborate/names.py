"""A name, a number or a value made elsewhere in, what it means out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical, unknowns
from tensorcalc.elaborate.reader import Reader, leaf
from tensorcalc.errors import (
    DomainError,
    IndexNotationError,
    LimitError,
    ParseError,
    Span,
    UnknownNameError,
)
from tensorcalc.ir import Variable
from tensorcalc.limits import current as limits
from tensorcalc.syntax import Syntax
from tensorcalc.value import Value


@leaf
def name(reader: Reader, syntax: Syntax) -> Value:
    """What a name means; one that depends on variables, as a function of them."""
    word = syntax.words[0]
    if word in reader.counted:
        return replace(reader.counted[word].value, span=syntax.span)
    if syntax.payload == "counter":  # from Python: `tensorcalc.counter`
        raise IndexNotationError(
            f"{word} counts only in a sum over it",
            syntax.span,
            f'write `tc.sum(…, over={{"{word}": (0, n)}})`',
        )
    function = reader.unknowns.get(word)
    if function is None or word in reader.scope.definitions:
        return reader.scope.value(syntax)
    if function.is_applied:
        raise UnknownNameError(
            f"{word} is a function", syntax.span, f"write its argument: `{word}(…)`"
        )
    return unknowns.dependent(function, depends(reader, function, syntax.span), (), syntax.span)


def depends(reader: Reader, function: unknowns.UnknownFunction, span: Span) -> list[Value]:
    """The variables that an unknown function depends on."""
    values = [reader.scope.value(Syntax("name", (name,), (), span)) for name in function.depends]
    for name, value in zip(function.depends, values, strict=True):
        if not isinstance(value.node, Variable):
            raise DomainError(
                f"{function.name} depends on {name}, which is no variable: it is defined",
                span,
                f"declare a function to apply, `{function.name} : … -> …`, "
                f"and write `{function.name}({name})`",
            )
    return values


@leaf
def number(reader: Reader, syntax: Syntax) -> Value:
    """The exact value of a number as written."""
    mantissa, _, exponent = syntax.words[0].lower().partition("e")
    if exponent and abs(int(exponent)) > limits().literal_digits:
        raise LimitError(
            f"the exponent of a number is over {limits().literal_digits} (limit literal_digits)",
            syntax.span,
        )
    value = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    return Value(canonical.number(value), span=syntax.span)


@leaf
def given(reader: Reader, syntax: Syntax) -> Value:
    """A value that Python operators hold."""
    return reader.scope.given(syntax)


@leaf
def string(reader: Reader, syntax: Syntax) -> Value:
    """A string, which means nothing by itself."""
    raise ParseError(
        "a string stands where a value is needed",
        syntax.span,
        'strings are the first argument of einsum: `einsum("ij,j->i", A, x)`',
    )
