"""``sum[r=0..k](…)`` in, the sum or product over integers out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.counting import Counted, as_dim, is_integer, stands_in_subscript
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import DomainError, ParseError, UnknownNameError
from tensorcalc.ir import Counter, Range
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Factor, Value

# a sum over integers of up to so many terms is written out
MAX_WRITTEN_SUM = 64


def range_call(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``sum[r=0..k-1](…)``: written out, along an axis, or a sum that counts when run."""
    name, index = syntax.words
    start, stop, *arguments = syntax.children
    if name not in ("sum", "prod"):
        raise UnknownNameError(
            f"{name}[…=…](…) is not a sum over integers", syntax.span, "write `sum[r=0..n](…)`"
        )
    if len(arguments) != 1:
        raise ParseError(
            f"{name} takes 1 argument, {len(arguments)} given",
            syntax.span,
            f"write `{name}[{index}=…](…)`",
        )
    low: Value = yield reader.value(start, bound)
    high: Value = yield reader.value(stop, bound)
    for end, child in ((low, start), (high, stop)):
        if end.node.rank or not is_integer(end.node):
            raise DomainError(
                "a sum over integers goes from an integer to an integer: "
                f"{end.describe(reader.shapes)}",
                child.span,
                "declare it, `k : scalar integer`, or as a size, `x : vector(k)`",
            )
    first, last = canonical.as_number(low.node), canonical.as_number(high.node)
    found: Value
    if first is not None and last is not None and last - first < MAX_WRITTEN_SUM:
        found = yield _written_sum(reader, syntax, int(first), int(last), bound)
        return found
    if name == "prod":
        raise DomainError(
            f"a product over integers has at most {MAX_WRITTEN_SUM} factors, known in advance",
            syntax.span,
            "write `prod[i](…)` for the product over an index",
        )
    if stands_in_subscript(arguments[0], index):
        found = yield _axis_sum(reader, syntax, low, high, bound)
        return found
    reader.counters += 1
    counter = Counter.of(-reader.counters, (low.node, high.node))
    counted = Counted(index, Value(counter))
    found = yield _counting(reader, counted, arguments[0], bound)
    return replace(found, node=canonical.range_sum(found.node, counter), span=syntax.span)


def _counting(
    reader: Reader, counted: Counted, body: Syntax, bound: frozenset[str]
) -> Steps[Value]:
    """The value of the body while a name stands for an integer."""
    outer = reader.counted.get(counted.name)
    reader.counted[counted.name] = counted
    value: Value = yield reader.value(body, bound)
    del reader.counted[counted.name]
    if outer is not None:
        reader.counted[counted.name] = outer
    return value


def _written_sum(
    reader: Reader, syntax: Syntax, first: int, last: int, bound: frozenset[str]
) -> Steps[Value]:
    """The sum or product of the body at each integer; of none, 0 or 1 of its shape."""
    name, index = syntax.words
    terms: list[Value] = []
    for number in range(first, max(first, last) + 1):
        counted = Counted(index, Value(canonical.number(number)), number)
        terms.append((yield _counting(reader, counted, syntax.children[2], bound)))
    if name == "prod":
        factors = [Factor("*", term) for term in terms]
        if last < first:
            if terms[0].rank:
                raise DomainError("an empty product of matrices", syntax.span)
            return replace(terms[0], node=canonical.number(1, terms[0].node.dims))
        every = frozenset(i for term in terms for i in term.indices)
        return v.multiply(factors, reader.shapes, bound | every, syntax.span)
    coefficient = Fraction(1 if first <= last else 0)
    return v.add([(coefficient, term) for term in terms], reader.shapes, bound, syntax.span)


def _axis_sum(
    reader: Reader, syntax: Syntax, low: Value, high: Value, bound: frozenset[str]
) -> Steps[Value]:
    """A sum whose integer is a subscript: it runs along an axis of its own."""
    start, stop = as_dim(low.node, reader.shapes), as_dim(high.node, reader.shapes)
    if start is None or stop is None:
        raise DomainError(
            "an integer that is a subscript goes from a number or size to another",
            syntax.span,
            "write sizes: `x : vector(n)` and `sum[i=0..n-1](x[i])`",
        )
    index = syntax.words[1]
    size = stop - start + 1
    value = Value(Range.of(size, start), (index,))
    counted = Counted(index, value, None, start, size)
    body: Value = yield _counting(reader, counted, syntax.children[2], bound | {index})
    if index not in body.indices:
        factor = Factor("*", Value(canonical.size(size)))
        return v.multiply([Factor("*", body), factor], reader.shapes, bound, syntax.span)
    return v.reduce_indices(body, [index], syntax.span)
