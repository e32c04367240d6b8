"""``du/dx`` in, the derivative of an unknown function out."""

from __future__ import annotations

from tensorcalc import unknowns, value as v
from tensorcalc.elaborate.names import depends
from tensorcalc.elaborate.reader import Reader
from tensorcalc.elaborate.subscripts import subscript_of
from tensorcalc.errors import Span, UnknownNameError
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value


def derivative(
    reader: Reader,
    found: tuple[unknowns.UnknownFunction, tuple[int, ...]],
    above: Syntax,
    below: Syntax,
    bound: frozenset[str],
) -> Steps[Value]:
    """``du/dx``, ``du/dx[i,j]`` or ``dg/d1(x)``: a derivative of an unknown function."""
    function, positions = found
    span = Span(above.span.text, above.span.start, below.span.end)
    if below.kind == "transpose":
        found_value: Value = yield derivative(reader, found, above, below.children[0], bound)
        return v.transpose(found_value, span)
    inner = below.children[0] if below.kind == "subscript" else below
    if function.is_applied:
        if inner.kind != "call":
            raise UnknownNameError(
                f"{function.name} is a function", span, f"write `{span.source}(…)`"
            )
        arguments: list[Value] = []
        for child in inner.children:
            arguments.append((yield reader.value(child, bound)))
        value = unknowns.apply(function, arguments, positions, reader.shapes, span)
    else:
        value = unknowns.dependent(function, depends(reader, function, span), positions, span)
    children = (above.children[1:] if above.kind == "subscript" else ()) + (
        below.children[1:] if below.kind == "subscript" else ()
    )
    if not children:
        return value
    subscripts = [subscript_of(reader, child) for child in children]
    return v.subscript(value, subscripts, reader.shapes, span)
