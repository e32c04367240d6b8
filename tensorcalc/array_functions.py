"""Functions of vectors and matrices in the language: values in, a value out; one table entry each.

`sum tr diag norm2 …` become contractions wherever they are linear or quadratic; what is neither is
a `MatrixFunction` node. The elementwise functions are in `functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.errors import IndexNotationError, ShapeError, Span
from tensorcalc.ir import Delta
from tensorcalc.shapes import Shapes
from tensorcalc.value import Factor, Value

Implementation = Callable[[list[Value], Shapes, Span], Value]


@dataclass(frozen=True, slots=True)
class ArrayFunction:
    """How many arguments the function takes, and what it does."""

    least: int
    most: int
    apply: Implementation


def _need(value: Value, ranks: Sequence[int], what: str, shapes: Shapes, span: Span) -> None:
    if value.rank not in ranks:
        kinds = " or ".join(["a scalar", "a vector", "a matrix"][r] for r in ranks)
        raise ShapeError(
            f"{what} takes {kinds}: {value.describe(shapes)}", span, value.note or None
        )


def _square(value: Value, what: str, shapes: Shapes, span: Span) -> None:
    _need(value, [2], what, shapes, span)
    if not shapes.equate(*value.whole):
        raise ShapeError(
            f"{what} takes a square matrix: {value.describe(shapes)}", span, value.note or None
        )


def _axes(args: list[Value], what: str, shapes: Shapes, span: Span) -> list[int]:
    """The axes to reduce: all, or the one named as in Matlab: 1 over rows, 2 over columns."""
    value = args[0]
    if value.indices and not value.rank:
        index = value.indices[0]
        raise IndexNotationError(
            f"{what}(…) is over the entries of a whole vector or matrix, but this is an entry",
            span,
            f"write `{what}[{index}](…)` to sum over {index}",
        )
    if len(args) == 1:
        return list(range(value.rank))
    axis = canonical.as_number(args[1].node)
    if axis is None or axis.denominator != 1 or not 1 <= axis <= value.rank:
        raise ShapeError(
            f"the axis of {what} is 1 or 2 (of a matrix): {value.describe(shapes)}", span
        )
    return [int(axis) - 1]


def _sum(args: list[Value], shapes: Shapes, span: Span) -> Value:
    return v.sum_whole(args[0], _axes(args, "sum", shapes, span), shapes, span)


def _mean(args: list[Value], shapes: Shapes, span: Span) -> Value:
    axes = _axes(args, "mean", shapes, span)
    total = v.sum_whole(args[0], axes, shapes, span)
    factors = [Factor("*", total)]
    factors += [Factor("/", Value(canonical.size(args[0].whole[a]))) for a in axes]
    return v.multiply(factors, shapes, frozenset(total.indices), span)


def _trace(args: list[Value], shapes: Shapes, span: Span) -> Value:
    (x,) = args
    if x.rank == 0:
        return x  # tr(x'*A*x), as statisticians write it
    _square(x, "tr", shapes, span)
    n = len(x.indices)
    labels = list(range(n))
    node = v.contract(shapes, [(x.node, [*labels, n, n])], labels, span)
    return replace(x, node=node, row=False, span=span)


def _diagonal(x: Value, shapes: Shapes, span: Span) -> Value:
    n = len(x.indices)
    labels = list(range(n + 1))
    node = v.contract(shapes, [(x.node, [*labels, n])], labels, span)
    return replace(x, node=node, row=False, span=span)


def _diag(args: list[Value], shapes: Shapes, span: Span) -> Value:
    (x,) = args
    _need(x, [1, 2], "diag", shapes, span)
    if x.rank == 2:
        _square(x, "diag", shapes, span)
        return _diagonal(x, shapes, span)
    n = len(x.indices)
    dim = x.whole[0]
    node = canonical.einsum(
        n + 2,
        [*x.node.dims, dim],
        [(x.node, tuple(range(n + 1))), (Delta.of(dim), (n, n + 1))],
    )
    return replace(x, node=node, row=False, span=span)


def _norm(args: list[Value], shapes: Shapes, span: Span) -> Value:
    (x,) = args
    _need(x, [0, 1, 2], "a norm", shapes, span)
    if x.rank == 0:
        return replace(x, node=canonical.elementwise("abs", [x.node]), span=span)
    name = "norm2" if x.rank == 1 else "normF"
    return replace(x, node=canonical.matrix_function(name, x.node), row=False, span=span)


def _norm1(args: list[Value], shapes: Shapes, span: Span) -> Value:
    magnitude = replace(args[0], node=canonical.elementwise("abs", [args[0].node]))
    return v.sum_whole(magnitude, _axes([magnitude], "norm1", shapes, span), shapes, span)


def _square_function(name: str) -> Implementation:
    def apply(args: list[Value], shapes: Shapes, span: Span) -> Value:
        _square(args[0], name, shapes, span)
        return replace(args[0], node=canonical.matrix_function(name, args[0].node), span=span)

    return apply


def _inverse(args: list[Value], shapes: Shapes, span: Span) -> Value:
    if args[0].rank == 0:
        return replace(args[0], node=canonical.power(args[0].node, -1), span=span)
    return _square_function("inv")(args, shapes, span)


def _outer(args: list[Value], shapes: Shapes, span: Span) -> Value:
    for x in args:
        _need(x, [1], "outer", shapes, span)
    left, right = (replace(x, row=row) for x, row in zip(args, (False, True), strict=True))
    return v.multiply([Factor("*", left), Factor("*", right)], shapes, frozenset(), span)


def _size_of(axis: int, ranks: Sequence[int], what: str) -> Implementation:
    def apply(args: list[Value], shapes: Shapes, span: Span) -> Value:
        _need(args[0], ranks, what, shapes, span)
        return Value(canonical.size(shapes.resolve(args[0].whole[axis])), span=span)

    return apply


ARRAY_FUNCTIONS: dict[str, ArrayFunction] = {
    "sum": ArrayFunction(1, 2, _sum),
    "mean": ArrayFunction(1, 2, _mean),
    "tr": ArrayFunction(1, 1, _trace),
    "diag": ArrayFunction(1, 1, _diag),
    "norm1": ArrayFunction(1, 1, _norm1),
    "norm2": ArrayFunction(1, 1, _norm),
    "normF": ArrayFunction(1, 1, _norm),
    "inv": ArrayFunction(1, 1, _inverse),
    "det": ArrayFunction(1, 1, _square_function("det")),
    "logdet": ArrayFunction(1, 1, _square_function("logdet")),
    "outer": ArrayFunction(2, 2, _outer),
    "rows": ArrayFunction(1, 1, _size_of(0, [2], "rows")),
    "cols": ArrayFunction(1, 1, _size_of(1, [2], "cols")),
    "len": ArrayFunction(1, 1, _size_of(0, [1], "len")),
}


def mean_over(value: Value, indices: Sequence[str], span: Span) -> Value:
    """``mean[i,j](…)``: the sum over the indices, divided by their sizes."""
    sizes = [value.node.dims[value.indices.index(i)] for i in indices if i in value.indices]
    total = v.reduce_indices(value, indices, span)
    factor = canonical.number(Fraction(1))
    for dim in sizes:
        inverse = canonical.power(canonical.size(dim), -1)
        factor = canonical.einsum(0, (), [(factor, ()), (inverse, ())])
    labels = tuple(range(total.node.rank))
    node = canonical.einsum(len(labels), total.node.dims, [(total.node, labels), (factor, ())])
    return replace(total, node=node)
