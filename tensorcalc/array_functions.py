"""Functions of vectors and matrices in the language: values in, a value out; one table entry each.

`sum tr diag norm2 …` become contractions wherever they are linear or quadratic; what is neither is
a `MatrixFunction` node. The elementwise functions are in `functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.errors import KindError, ShapeError, Span
from tensorcalc.ir import Delta, Node
from tensorcalc.kronecker import cross, kron, vec
from tensorcalc.reductions import REDUCTIONS, reduce_whole
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
        raise KindError(f"{what} takes {kinds}: {value.describe(shapes)}", span, value.note or None)


def _square(value: Value, what: str, shapes: Shapes, span: Span) -> None:
    _need(value, [2], what, shapes, span)
    if not v.make_square(value, shapes):
        raise ShapeError(
            f"{what} takes a square matrix: {value.describe(shapes)}", span, value.note or None
        )


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
    _need(x, [0, 1, 2], "diag", shapes, span)
    if x.rank == 0:
        return x
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
    node = canonical.elementwise("abs", [x.node]) if x.node.is_complex else x.node
    return replace(x, node=canonical.matrix_function(name, node), row=False, span=span)


def _norm1(args: list[Value], shapes: Shapes, span: Span) -> Value:
    magnitude = replace(args[0], node=canonical.elementwise("abs", [args[0].node]))
    return reduce_whole("sum", [magnitude], shapes, span)


# what a function of square matrices is of a matrix with one entry
OF_SCALAR: dict[str, Callable[[Node], Node]] = {
    "inv": lambda x: canonical.power(x, -1),
    "det": lambda x: x,
    "adj": lambda x: canonical.number(1, x.dims),
    "logdet": lambda x: canonical.elementwise("log", [x]),
    "expm": lambda x: canonical.elementwise("exp", [x]),
    "logm": lambda x: canonical.elementwise("log", [x]),
    "sqrtm": lambda x: canonical.power(x, Fraction(1, 2)),
    "sinm": lambda x: canonical.elementwise("sin", [x]),
    "cosm": lambda x: canonical.elementwise("cos", [x]),
}


def _square_function(name: str) -> ArrayFunction:
    def apply(args: list[Value], shapes: Shapes, span: Span) -> Value:
        (x,) = args
        if x.rank == 0:
            return replace(x, node=OF_SCALAR[name](x.node), span=span)
        _square(x, name, shapes, span)
        return replace(x, node=canonical.matrix_function(name, x.node), span=span)

    return ArrayFunction(1, 1, apply)


def _pinv(args: list[Value], shapes: Shapes, span: Span) -> Value:
    (x,) = args
    _need(x, [0, 1, 2], "pinv", shapes, span)
    if x.rank == 0:
        return replace(x, node=canonical.power(x.node, -1), span=span)
    if x.rank == 2:
        return replace(x, node=canonical.matrix_function("pinv", x.node), span=span)
    n = len(x.indices)
    norm = (
        canonical.matrix_function("norm2", canonical.elementwise("abs", [x.node]))
        if x.node.is_complex
        else canonical.matrix_function("norm2", x.node)
    )
    axes = tuple(range(n + 1))
    factors = [(canonical.conjugate(x.node), axes), (canonical.power(norm, -2), axes[:n])]
    node = canonical.einsum(n + 1, x.node.dims, factors)
    return replace(x, node=node, row=not x.row, span=span)


def _reduction(name: str) -> ArrayFunction:
    def apply(args: list[Value], shapes: Shapes, span: Span) -> Value:
        return reduce_whole(name, args, shapes, span)

    return ArrayFunction(1, 2, apply)


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
    **{name: _reduction(name) for name in REDUCTIONS},
    **{name: _square_function(name) for name in OF_SCALAR},
    "tr": ArrayFunction(1, 1, _trace),
    "diag": ArrayFunction(1, 1, _diag),
    "norm1": ArrayFunction(1, 1, _norm1),
    "norm2": ArrayFunction(1, 1, _norm),
    "normF": ArrayFunction(1, 1, _norm),
    "pinv": ArrayFunction(1, 1, _pinv),
    "vec": ArrayFunction(1, 1, vec),
    "kron": ArrayFunction(2, 16, kron),
    "cross": ArrayFunction(2, 2, cross),
    "outer": ArrayFunction(2, 2, _outer),
    "rows": ArrayFunction(1, 1, _size_of(0, [2], "rows")),
    "cols": ArrayFunction(1, 1, _size_of(1, [2], "cols")),
    "len": ArrayFunction(1, 1, _size_of(0, [1], "len")),
}
