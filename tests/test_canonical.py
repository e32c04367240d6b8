"""Constructors fold; what they fold to has the same value as what was meant."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tensorcalc import canonical
from tensorcalc.canonical import (
    add,
    contract,
    einsum,
    elementwise,
    number,
    ones,
    power,
    scale,
    zeros,
)
from tensorcalc.dims import Dim
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Add, Basis, Delta, Einsum, Map, Node, Size, Variable

N, M = Dim.of("n"), Dim.of("m")
SIZES = {"n": 3, "m": 2}
A, B = Variable.of("A", (N, N)), Variable.of("B", (N, N))
X = Variable.of("X", (M, N))
x, y = Variable.of("x", (N,)), Variable.of("y", (N,))
a, b = Variable.of("a", ()), Variable.of("b", ())
I = Delta.of(N)  # noqa: E741
E0, E1 = Basis.of(N, 0), Basis.of(N, 1)
EXP = elementwise("exp", [x])
HALF = Fraction(1, 2)


def dot(left: Node, right: Node) -> Node:
    """The inner product of two vectors."""
    return einsum(0, [N], [(left, (0,)), (right, (0,))])


def times(*factors: Node) -> Node:
    """The entrywise product."""
    dims = factors[0].dims
    return einsum(len(dims), dims, [(f, tuple(range(len(dims)))) for f in factors])


def linear(*terms: tuple[int | Fraction, Node]) -> Node:
    """The linear combination of nodes of one shape."""
    return add(terms[0][1].dims, [(Fraction(c), node) for c, node in terms])


def plus(*terms: Node) -> Node:
    """The sum."""
    return linear(*((1, node) for node in terms))


# what is made, what it folds to
FOLDS: dict[str, Callable[[], tuple[Node, Node]]] = {
    # sums
    "x + x": lambda: (plus(x, x), scale(2, x)),
    "x - x": lambda: (linear((1, x), (-1, x)), zeros((N,))),
    "x + 0": lambda: (plus(x, zeros((N,))), x),
    "x + y = y + x": lambda: (plus(x, y), plus(y, x)),
    "2*(3*x)": lambda: (scale(2, scale(3, x)), scale(6, x)),
    "1*x": lambda: (scale(1, x), x),
    "0*x": lambda: (scale(0, x), zeros((N,))),
    "1/3*x + 2/3*x": lambda: (linear((Fraction(1, 3), x), (Fraction(2, 3), x)), x),
    "1 + 2": lambda: (plus(number(1), number(2)), number(3)),
    "1 - 1": lambda: (plus(number(1), number(-1)), zeros(())),
    # products
    "x*1": lambda: (times(x, ones((N,))), x),
    "x*0": lambda: (times(x, zeros((N,))), zeros((N,))),
    "x.*y = y.*x": lambda: (times(x, y), times(y, x)),
    "x.*x = x^2": lambda: (times(x, x), power(x, 2)),
    "x^-1.*x = 1": lambda: (times(power(x, -1), x), ones((N,))),
    "x^-1.*x.*x = x": lambda: (times(power(x, -1), x, x), x),
    "x.*x.*x = x^3": lambda: (times(x, x, x), power(x, 3)),
    "sqrt(x).*sqrt(x)": lambda: (times(power(x, HALF), power(x, HALF)), x),
    "(2x).*(3y)": lambda: (times(scale(2, x), scale(3, y)), scale(6, times(x, y))),
    "(2x)'*y = 2*(x'*y)": lambda: (dot(scale(2, x), y), scale(2, dot(x, y))),
    "(2x + 2y)'*y": lambda: (dot(plus(scale(2, x), scale(2, y)), y), scale(2, dot(plus(x, y), y))),
    "(y - x)'*A = -(x - y)'*A": lambda: (
        einsum(1, [N, N], [(linear((1, y), (-1, x)), (1,)), (A, (1, 0))]),
        scale(-1, einsum(1, [N, N], [(linear((-1, y), (1, x)), (1,)), (A, (1, 0))])),
    ),
    # transposes, deltas, unit vectors
    "A''": lambda: (einsum(2, [N, N], [(einsum(2, [N, N], [(A, (1, 0))]), (1, 0))]), A),
    "I'": lambda: (einsum(2, [N, N], [(I, (1, 0))]), I),
    "I*A": lambda: (einsum(2, [N, N, N], [(I, (0, 2)), (A, (2, 1))]), A),
    "A*I": lambda: (einsum(2, [N, N, N], [(A, (0, 2)), (I, (2, 1))]), A),
    "I*I": lambda: (einsum(2, [N, N, N], [(I, (0, 2)), (I, (2, 1))]), I),
    "I.*I": lambda: (einsum(2, [N, N], [(I, (0, 1)), (I, (0, 1))]), I),
    "I.*A": lambda: (
        einsum(2, [N, N], [(I, (0, 1)), (A, (0, 1))]),
        einsum(2, [N, N], [(I, (0, 1)), (A, (0, 0))]),
    ),
    "tr(I) = n": lambda: (einsum(0, [N], [(I, (0, 0))]), canonical.size(N)),
    "tr(I*I) = n": lambda: (einsum(0, [N, N], [(I, (0, 1)), (I, (1, 0))]), canonical.size(N)),
    "diag(I) = 1": lambda: (einsum(1, [N], [(I, (0, 0))]), ones((N,))),
    "sum(I) = n": lambda: (einsum(0, [N, N], [(I, (0, 1))]), canonical.size(N)),
    "I*1 = 1": lambda: (einsum(1, [N, N], [(I, (0, 1))]), ones((N,))),
    "tr(I*A) = tr(A)": lambda: (
        einsum(0, [N, N], [(I, (0, 1)), (A, (1, 0))]),
        einsum(0, [N], [(A, (0, 0))]),
    ),
    "e0'*e0 = 1": lambda: (dot(E0, E0), number(1)),
    "e0'*e1 = 0": lambda: (dot(E0, E1), number(0)),
    "e0.*e0 = e0": lambda: (times(E0, E0), E0),
    "e0.*e1 = 0": lambda: (times(E0, E1), zeros((N,))),
    "sum(e0) = 1": lambda: (einsum(0, [N], [(E0, (0,))]), number(1)),
    # sizes
    "sum(1) = n": lambda: (einsum(0, [N], []), canonical.size(N)),
    "sum(1) of a matrix": lambda: (einsum(0, [N, M], []), canonical.size(N * M)),
    "size 6": lambda: (canonical.size(Dim.of(6)), number(6)),
    "size 2*n": lambda: (canonical.size(N * 2), scale(2, Size.of(N))),
    # powers
    "x^1": lambda: (power(x, 1), x),
    "x^0": lambda: (power(x, 0), ones((N,))),
    "1^y": lambda: (elementwise("pow", [ones((N,)), y]), ones((N,))),
    "(x^2)^3": lambda: (power(power(x, 2), 3), power(x, 6)),
    "sqrt(x)^2": lambda: (power(power(x, HALF), 2), x),
    "sqrt(x)^4": lambda: (power(power(x, HALF), 4), power(x, 2)),
    "(x.*y)^3": lambda: (power(times(x, y), 3), times(power(x, 3), power(y, 3))),
    "(2x)^3": lambda: (power(scale(2, x), 3), scale(8, power(x, 3))),
    "(2x)^-1": lambda: (power(scale(2, x), -1), scale(HALF, power(x, -1))),
    "(-x)^3": lambda: (power(scale(-1, x), 3), scale(-1, power(x, 3))),
    "(-x)^2": lambda: (power(scale(-1, x), 2), power(x, 2)),
    "(2x+2y)^3": lambda: (power(plus(scale(2, x), scale(2, y)), 3), scale(8, power(plus(x, y), 3))),
    "2^10": lambda: (power(number(2), 10), number(1024)),
    "4^(1/2)": lambda: (power(number(4), HALF), number(2)),
    "4^(-3/2)": lambda: (power(number(4), Fraction(-3, 2)), number(Fraction(1, 8))),
    "0^2": lambda: (power(number(0), 2), number(0)),
    "norm^2": lambda: (
        times(canonical.matrix_function("norm2", x), canonical.matrix_function("norm2", x)),
        dot(x, x),
    ),
    "norm(0)^2": lambda: (power(canonical.matrix_function("norm2", zeros((N,))), 2), number(0)),
    # functions of numbers
    "exp(0)": lambda: (elementwise("exp", [number(0)]), number(1)),
    "log(1)": lambda: (elementwise("log", [number(1)]), number(0)),
    "abs(-3)": lambda: (elementwise("abs", [number(-3)]), number(3)),
    "sign(-3)": lambda: (elementwise("sign", [number(-3)]), number(-1)),
    "sign(0)": lambda: (elementwise("sign", [number(0)]), number(0)),
    "relu(-1)": lambda: (elementwise("relu", [number(-1)]), number(0)),
    "max(2, 3)": lambda: (elementwise("max", [number(2), number(3)]), number(3)),
    "max(x, x)": lambda: (elementwise("max", [x, x]), x),
    "2 < 3": lambda: (elementwise("lt", [number(2), number(3)]), number(1)),
    "3 <= 2": lambda: (elementwise("le", [number(3), number(2)]), number(0)),
    "where(1, x, y)": lambda: (elementwise("where", [ones((N,)), x, y]), x),
    "where(0, x, y)": lambda: (elementwise("where", [zeros((N,)), x, y]), y),
    "where(x, y, y)": lambda: (elementwise("where", [x, y, y]), y),
}  # fmt: skip

VALUES = {
    "A": np.arange(9.0).reshape(3, 3) ** 2 / 7, "B": np.cos(np.arange(9.0)).reshape(3, 3),
    "X": np.sin(np.arange(6.0)).reshape(2, 3), "x": np.array([0.5, 1.5, 2.0]),
    "y": np.array([0.3, -1.2, 0.7]), "a": np.array(1.5), "b": np.array(-0.4),
}  # fmt: skip


def value(node: Node) -> Any:
    """The node by NumPy."""
    return evaluate([node], VALUES, SIZES, np.dtype(np.float64))[0]


@pytest.mark.parametrize("fold", FOLDS.values(), ids=list(FOLDS))
def test_folds(fold: Callable[[], tuple[Node, Node]]) -> None:
    """What is made is the folded node itself."""
    made, folded = fold()
    assert made is folded


def raw(rank: int, sizes: list[Dim], factors: list[tuple[Node, tuple[int, ...]]]) -> Node:
    """An Einsum that is not folded."""
    return Einsum.of(
        rank, tuple(sizes), tuple(f for f, _ in factors), tuple(own for _, own in factors)
    )


PRODUCTS: list[tuple[int, list[Dim], list[tuple[Node, tuple[int, ...]]]]] = [
    (0, [N, N], [(x, (0,)), (A, (0, 1)), (y, (1,))]),
    (2, [N, N, N], [(I, (0, 2)), (A, (2, 1))]),
    (2, [N, N], [(I, (0, 1)), (A, (0, 1)), (x, (0,))]),
    (2, [N, N, N, N], [(I, (0, 2)), (I, (2, 3)), (I, (3, 1)), (x, (3,))]),
    (3, [N, N, N], [(I, (0, 1)), (I, (1, 2)), (x, (2,))]),
    (4, [N, N, N, N], [(I, (0, 3)), (I, (3, 1)), (A, (1, 2))]),
    (1, [N, M, N], [(x, (0,)), (I, (2, 2))]),
    (2, [M, N, N], [(X, (0, 2))]),
    (1, [N, N], [(E0, (1,)), (A, (0, 1))]),
    (1, [N, N], [(E0, (1,)), (E0, (1,)), (A, (0, 1)), (A, (0, 1))]),
    (1, [N, N], [(E1, (1,)), (x, (0,))]),
    (0, [N, N], [(scale(2, x), (0,)), (scale(-3, A), (0, 1)), (scale(HALF, y), (1,))]),
    (1, [N, N], [(plus(x, y), (0,)), (linear((-2, x), (-2, y)), (1,))]),
    (1, [N, N], [(power(x, -1), (0,)), (x, (0,)), (A, (0, 1))]),
    (1, [N, N], [(linear((3, EXP), (-3, ones((N,)))), (0,)), (A, (0, 1))]),
    (2, [N, N, N], [(A, (0, 0)), (A, (1, 2)), (A, (2, 1))]),
    (0, [N, N], [(einsum(2, [N, N], [(x, (0,)), (y, (1,))]), (0, 1)), (A, (1, 0))]),
    (0, [N, N], [(number(2), ()), (a, ()), (power(a, -1), ()), (A, (0, 1))]),
    (3, [N, M, N], [(zeros((N,)), (0,)), (x, (2,))]),
]


@pytest.mark.parametrize(("rank", "sizes", "factors"), PRODUCTS)
def test_products_keep_their_value(
    rank: int, sizes: list[Dim], factors: list[tuple[Node, tuple[int, ...]]]
) -> None:
    """The folded contraction has the value of the one that was asked for."""
    np.testing.assert_allclose(
        value(einsum(rank, sizes, factors)), value(raw(rank, sizes, factors)), atol=1e-12
    )


POWERS = [power, lambda node, p: elementwise("pow", (node, number(p, node.dims)))]
BASES: dict[str, Node] = {
    "x": x,
    "-x": scale(-1, x),
    "2x + 2y": linear((2, x), (2, y)),
    "x - y": linear((1, x), (-1, y)),
    "y - x": linear((-1, x), (1, y)),
    "exp - 1": linear((1, EXP), (-1, ones((N,)))),
    "1 - exp": linear((-1, EXP), (1, ones((N,)))),
    "3x - 5": linear((3, x), (-5, ones((N,)))),
    "x.*y": times(x, y),
    "-2x.*y^2": scale(-2, times(x, y, y)),
    "(x^2)": power(x, 2),
    "a broadcast": einsum(1, [N], [(a, ())]),
    "-4": number(-4, (N,)),
    "9/4": number(Fraction(9, 4), (N,)),
}


@pytest.mark.parametrize("p", [-3, -2, -1, 0, 1, 2, 3, 4, 7, HALF, -HALF, Fraction(1, 3)])
@pytest.mark.parametrize("base", BASES.values(), ids=list(BASES))
def test_powers_keep_their_value(base: Node, p: Fraction | int) -> None:
    """A folded power has the value of the plain one, where that is real."""
    plain = value(Map.of("pow", (base, number(p, base.dims))))
    folded = value(power(base, p))
    real = np.isfinite(plain)
    np.testing.assert_allclose(folded[real], plain[real], rtol=1e-12)


def test_sums_have_positive_first_terms_in_products() -> None:
    """A factor ``-(x - y)`` gives its sign away, so that equal factors of other sign meet."""
    difference, opposite = (linear((s, x), (-s, y)) for s in (1, -1))
    assert times(difference, opposite) is scale(-1, times(difference, difference))
    assert power(difference, 3) is scale(-1, power(opposite, 3))


def test_exact_numbers_stay_short() -> None:
    """Rationals stay exact until their digits grow out of hand; then they are floats' values."""
    assert canonical.as_number(power(number(Fraction(1, 3)), 5)) == Fraction(1, 243)
    big = canonical.as_number(power(number(3), 300))
    assert big == 3**300
    assert canonical.as_number(power(number(3), 10**9)) is None


def test_contract_takes_any_labels() -> None:
    """Labels are any hashable things; sizes may name labels that no factor has."""
    labels: dict[Any, Dim] = {"i": N, ("j", 1): N, 7: M}
    node = contract(["i"], labels, [(A, ("i", ("j", 1))), (x, (("j", 1),))])
    expected = einsum(1, [N, N, M], [(A, (0, 1)), (x, (1,))])
    assert node is expected
    np.testing.assert_allclose(value(node), 2 * VALUES["A"] @ VALUES["x"])


def test_is_symmetric() -> None:
    """Declared symmetry, unit matrices, and functions of symmetric matrices."""
    table: list[tuple[Node, bool]] = [
        (A, False),
        (Variable.of("S", (N, N), frozenset({"symmetric"})), True),
        (Variable.of("S", (N, N), frozenset({"spd"})), True),
        (Variable.of("D", (N, N), frozenset({"diagonal"})), True),
        (Variable.of("K", (N, N), frozenset({"skew"})), False),
        (I, True),
        (canonical.matrix_function("inv", Variable.of("S", (N, N), frozenset({"spd"}))), True),
        (canonical.matrix_function("inv", A), False),
        (x, False),
    ]
    assert [canonical.is_symmetric(node) for node, _ in table] == [known for _, known in table]


REBUILDS: list[Callable[[], Node]] = [
    lambda: dot(x, y), lambda: plus(x, y), lambda: EXP, lambda: canonical.matrix_function("det", A),
    lambda: I, lambda: E0, lambda: Size.of(N), lambda: zeros((N,)), lambda: ones((N, M)),
]  # fmt: skip


@pytest.mark.parametrize("make", REBUILDS)
def test_rebuild(make: Callable[[], Node]) -> None:
    """With the same operands and no sizes the node itself; sizes are replaced everywhere."""
    node = make()
    assert canonical.rebuild(node, node.operands) is node
    renamed = {o: canonical.rebuild(o, o.operands, {"n": Dim.of(3)}) for o in node.operands}
    done = canonical.rebuild(node, tuple(renamed.values()), {"n": Dim.of(3)})
    assert done.dims == tuple(d.substitute({"n": Dim.of(3)}) for d in node.dims)
    assert isinstance(done, Add | Einsum | Map) or type(done) is type(node)
