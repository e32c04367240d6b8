"""``einsum("ij,j->i", A, x)`` in, its value out."""

from __future__ import annotations

from tensorcalc import value as v
from tensorcalc.einsum_string import parse_einsum
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import ParseError
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value


def einsum_call(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``einsum("ij,j->i", A, x)``: NumPy's letters are labels of the whole axes."""
    if not syntax.children or syntax.children[0].kind != "string":
        raise ParseError(
            "einsum starts with its subscripts as a string",
            syntax.span,
            'write `einsum("ij,j->i", A, x)`',
        )
    operands: list[Value] = []
    for child in syntax.children[1:]:
        operands.append((yield reader.value(child, bound)))
    summed = v.check_scopes(operands, syntax.span)
    equation, string = syntax.children[0].words[0], syntax.children[0].span
    shapes = [reader.shapes.resolve_all(value.whole) for value in operands]
    labels, output = parse_einsum(equation, shapes, string)
    indices = list(dict.fromkeys(i for value in operands for i in value.indices))
    factors = [
        (value.node, [*value.indices, *(("einsum", a) for a in own)])
        for value, own in zip(operands, labels, strict=True)
    ]
    ends = [*indices, *(("einsum", a) for a in output)]
    node = v.contract(reader.shapes, factors, ends, syntax.span, operands)
    return Value(node, tuple(indices), False, syntax.span, summed)
