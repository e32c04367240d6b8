"""Constant tensors in, with sizes given or inferred, their values out."""

from __future__ import annotations

from dataclasses import replace

from tensorcalc import canonical
from tensorcalc.counting import as_dim
from tensorcalc.declarations import dim_of, joined_size
from tensorcalc.dims import Dim
from tensorcalc.elaborate.arity import check_arity
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import KindError, ParseError
from tensorcalc.ir import Delta
from tensorcalc.kronecker import commutation
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value

SIZE_FUNCTIONS = {"rows": (2, 0), "cols": (2, 1), "len": (1, 0)}  # rank and axis
CONSTANT_TENSORS = {"vector": 1, "matrix": 2}


def constant(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``vector(1)``, ``matrix(0, m, n)``: sizes given or inferred."""
    name, children = syntax.words[0], list(syntax.children)
    rank = CONSTANT_TENSORS[name]
    if len(children) not in (1, rank + 1):
        raise ParseError(
            f"{name} takes the value of its entries, and perhaps its sizes", syntax.span,
            f"write `{name}(1)` or `{name}(1, {', '.join('mn'[2 - rank:])})`",
        )  # fmt: skip
    entry: Value = yield reader.value(children[0], bound)
    if entry.rank:
        raise KindError(
            f"{name} takes a scalar: {entry.describe(reader.shapes)}",
            children[0].span,
            entry.note or None,
        )
    given = []
    for child in children[1:]:
        given.append((yield _size(reader, child, bound)))
    dims = tuple(given) or tuple(reader.shapes.fresh() for _ in range(rank))
    n = len(entry.indices)
    sizes = (*entry.node.dims, *dims)
    node = canonical.einsum(n + rank, sizes, [(entry.node, tuple(range(n)))])
    return replace(entry, node=node, span=syntax.span)


def eye(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``eye(n)``: the unit matrix."""
    check_arity(syntax, 1, 1)
    dim = yield _size(reader, syntax.children[0], bound)
    return Value(Delta.of(dim), span=syntax.span)


def commutation_matrix(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``commutation(m, n)``: ``commutation(m, n)*vec(A)`` is ``vec(A')``."""
    check_arity(syntax, 2, 2)
    rows = yield _size(reader, syntax.children[0], bound)
    columns = yield _size(reader, syntax.children[1], bound)
    return Value(commutation(rows, columns), span=syntax.span)


def _size(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Dim]:
    """A size given to a constant: as declared, or a sum of such, of ``rows(X)``, ``len(x)``."""
    dim: Dim = yield _part_of_size(reader, syntax, bound)
    if dim.terms and all(number < 0 for _, number in dim.terms):
        raise ParseError(f"a size is not negative: {dim}", syntax.span)
    return dim


def _part_of_size(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Dim]:
    """A term or factor of a size."""
    parts: list[Dim] = []
    match syntax.kind:
        case "node":
            given = as_dim(reader.scope.given(syntax).node, reader.shapes)
            if given is not None:
                return given
        case "call" if syntax.words[0] in SIZE_FUNCTIONS:
            check_arity(syntax, 1, 1)
            argument: Value = yield reader.value(syntax.children[0], bound)
            rank, axis = SIZE_FUNCTIONS[syntax.words[0]]
            if argument.rank == rank:
                return reader.shapes.resolve(argument.whole[axis])
        case "sum" | "product" | "negate" if set(syntax.words) <= {"+", "-", "*"}:
            for child in syntax.children:
                parts.append((yield _part_of_size(reader, child, bound)))
            return joined_size(syntax, parts)
    return reader.scope.size(dim_of(syntax), syntax.span)
