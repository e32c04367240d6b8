"""A product in, its value out: closed, or open as a factor of a product around it."""

from __future__ import annotations

from dataclasses import replace

from tensorcalc import canonical, unknowns, value as v
from tensorcalc.elaborate.derivatives import derivative
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import DomainError
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Factor, Value


def product(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """The closed value of a product."""
    factors = yield _factors(reader, syntax, bound)
    return v.multiply(factors, reader.shapes, bound, syntax.span)


def open_product(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """A product in a product: what repeats in it waits."""
    factors = yield _factors(reader, syntax, bound)
    return v.multiply(factors, reader.shapes, bound, syntax.span, keep_open=True)


def negate(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``-x`` as a factor."""
    found: Value = yield reader.open(syntax.children[0], bound)
    return replace(found, node=canonical.scale(-1, found.node), span=syntax.span)


def closed(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """A single factor as a value."""
    opened = yield reader.open(syntax, bound)
    return v.close(opened, reader.shapes, bound)


def _factors(reader: Reader, product: Syntax, bound: frozenset[str]) -> Steps[list[Factor]]:
    factors = []
    parts = list(zip(product.words, product.children, strict=True))
    while parts:
        operator, child = parts.pop(0)
        if reader.unknowns and parts and parts[0][0] == "/":
            above, sign = child, 1
            while above.kind == "negate":  # -du/dx
                above, sign = above.children[0], -sign
            found = unknowns.derivative_of(above, parts[0][1], reader.unknowns)
            if found is not None:
                value = yield derivative(reader, found, above, parts.pop(0)[1], bound)
                value = replace(value, node=canonical.scale(sign, value.node))
                factors.append(Factor(operator, value))
                continue
        reader.around.append((product, child))
        if operator in ("/", "./"):  # the reciprocal of a product is a place of its own
            value = yield reader.value(child, bound)
            if canonical.is_zero(value.node):
                raise DomainError("division by zero", child.span)
        else:
            value = yield reader.open(child, bound)
        reader.around.pop()
        factors.append(Factor(operator, value))
    return factors


def indices_around(reader: Reader) -> frozenset[str]:
    """The free indices of the other factors of all products around: these sum or keep them."""
    others = [
        (factor, frozenset[str]())
        for product, child in reader.around
        for factor in product.children
        if factor is not child
    ]
    found: set[str] = set()
    while others:
        syntax, inside = others.pop()
        match syntax.kind:
            case "arrow" | "range_call":
                inside |= {*syntax.words}
            case "indexed_call":
                inside |= {*syntax.words[1:]}
            case "subscript":
                names = [part.words[0] for part in syntax.children[1:] if part.kind == "name"]
                found |= {*names} - inside
        others += [(part, inside) for part in syntax.children]
    return frozenset(found)
