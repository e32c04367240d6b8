"""The interpreter: every kind of node against a NumPy expression, and the door's error messages."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tensorcalc import canonical as c
from tensorcalc.binding import bind_sizes, check_nodes
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError, ShapeError, TensorcalcError, UnknownNameError
from tensorcalc.interpret import interpret
from tensorcalc.ir import Basis, Constant, Delta, Einsum, Map, MatrixFunction, Node, Size, Variable

M, N = Dim.of("m"), Dim.of("n")
x, y = Variable.of("x", (N,)), Variable.of("y", (N,))
A, S = Variable.of("A", (M, N)), Variable.of("S", (N, N))
s = Variable.of("s", ())
rng = np.random.default_rng(0)
VALUES: dict[str, Any] = {
    "x": rng.normal(size=3), "y": rng.normal(size=3), "A": rng.normal(size=(2, 3)),
    "S": rng.normal(size=(3, 3)), "s": 0.7,
}  # fmt: skip

LESS = c.elementwise("lt", (x, y))
CASES: list[tuple[Node, Callable[..., Any]]] = [
    (x, lambda v: v["x"]),
    (Constant.of("pi"), lambda v: np.pi),
    (c.einsum(0, (), [(Size.of(N), ()), (s, ())]), lambda v: 3 * v["s"]),
    (c.einsum(2, (N, N), [(Delta.of(N), (0, 1)), (x, (0,))]), lambda v: np.diag(v["x"])),
    (c.einsum(1, (N,), [(Basis.of(N, 1), (0,)), (x, (0,))]), lambda v: v["x"] * [0, 1, 0]),
    (c.einsum(2, (N, M), [(A, (1, 0))]), lambda v: v["A"].T),
    (c.einsum(1, (N,), [(S, (0, 0))]), lambda v: np.diag(v["S"])),
    (c.einsum(0, (N,), [(S, (0, 0))]), lambda v: np.trace(v["S"])),
    (c.einsum(1, (M, N), [(A, (0, 1)), (x, (1,))]), lambda v: v["A"] @ v["x"]),
    (c.einsum(2, (M, N), [(x, (1,))]), lambda v: np.tile(v["x"], (2, 1))),
    (c.einsum(0, (N, M), [(x, (0,))]), lambda v: 2 * v["x"].sum()),
    (c.ones((M, N)), lambda v: np.ones((2, 3))),
    (c.zeros((N,)), lambda v: np.zeros(3)),
    (c.number(Fraction(1, 3)), lambda v: 1 / 3),
    (c.add((N,), [(Fraction(2), x), (Fraction(-1, 2), y)]), lambda v: 2 * v["x"] - v["y"] / 2),
    (c.elementwise("max", (x, y)), lambda v: np.maximum(v["x"], v["y"])),
    (c.elementwise("where", (LESS, x, y)), lambda v: np.minimum(v["x"], v["y"])),
    (c.elementwise("softplus", (x,)), lambda v: np.log1p(np.exp(v["x"]))),
    (c.matrix_function("inv", S), lambda v: np.linalg.inv(v["S"])),
    (c.matrix_function("det", S), lambda v: np.linalg.det(v["S"])),
    (c.matrix_function("norm2", A), lambda v: np.linalg.norm(v["A"], axis=1)),
    (c.matrix_function("normF", A), lambda v: np.linalg.norm(v["A"])),
]  # fmt: skip


@pytest.mark.parametrize(("node", "expected"), CASES)
def test_every_kind_of_node(node: Node, expected: Callable[..., Any]) -> None:
    """Each node is what the NumPy expression says."""
    declared = {"x": x, "A": A, "y": y, "S": S, "s": s}
    result = interpret([node], VALUES, declared)[0]
    np.testing.assert_allclose(result, expected(VALUES), rtol=1e-14)


def test_results_are_never_views() -> None:
    """Writing into a result leaves the input alone."""
    value = np.ones((2, 3))
    for node in (A, c.einsum(2, (N, M), [(A, (1, 0))])):
        interpret([node], {"A": value})[0][:] = 5
    assert (value == 1).all()


def test_norms_do_not_overflow() -> None:
    """norm2 of huge, tiny, infinite and zero vectors."""
    norm = MatrixFunction.of("norm2", (), (x,))
    for vector, expected in [
        ([1e200, 1e200, 0], 1e200 * np.sqrt(2)), ([3e-200, 4e-200, 0], 5e-200),
        ([0, 0, 0], 0), ([np.inf, 1, 0], np.inf),
    ]:  # fmt: skip
        assert np.isclose(interpret([norm], {"x": vector})[0], expected, rtol=1e-15, atol=0)
    assert np.isnan(interpret([norm], {"x": [np.nan, 1, np.inf]})[0])


def test_reciprocal_of_a_zero_norm_is_zero() -> None:
    """The convention behind the subgradient of a norm at 0."""
    norm = MatrixFunction.of("norm2", (), (x,))
    inverse = Map.of("pow", (norm, c.number(-1)))
    assert interpret([inverse], {"x": np.zeros(3)})[0] == 0
    broadcast = Einsum.of(1, (N,), (norm,), ((),))
    spread = Map.of("pow", (broadcast, c.number(-3, (N,))))
    assert (interpret([spread], {"x": np.zeros(3)})[0] == 0).all()


def test_dtypes() -> None:
    """float32 stays, integers become float64, a Python number does not widen float32."""
    node = c.einsum(1, (N,), [(s, ()), (x, (0,))])
    single = np.ones(3, np.float32)
    assert interpret([node], {"x": single, "s": 2.0})[0].dtype == np.float32
    assert interpret([node], {"x": [1, 2, 3], "s": 2})[0].dtype == np.float64
    assert interpret([node], {"x": single, "s": np.float64(2)})[0].dtype == np.float64


def test_many_labels_and_operands() -> None:
    """Beyond the 52 letters and 63 operands of np.einsum."""
    vectors = [Variable.of(f"v{k}", (Dim.of(2),)) for k in range(70)]
    node = c.einsum(0, [Dim.of(2)] * 70, [(v, (k,)) for k, v in enumerate(vectors)])
    assert interpret([node], {v.name: [0.5, 0.5] for v in vectors})[0] == 1


BAD: list[tuple[dict[str, Any], type[TensorcalcError], str]] = [
    ({"x": np.zeros(3), "A": np.zeros((2, 4))}, ShapeError, "axis 1 of A has size 4, but 3"),
    ({"x": np.zeros(1), "A": np.zeros((2, 3))}, ShapeError, "but 1 is needed"),
    ({"x": np.zeros((3, 1)), "A": np.zeros((2, 3))}, ShapeError, "x has 1 axes"),
    ({"x": np.zeros(3)}, UnknownNameError, "no value for A"),
    ({"x": np.zeros(3), "A": np.zeros((2, 3)), "AA": 1}, UnknownNameError, "did you mean A"),
    ({"x": np.zeros(3) * 1j, "A": np.zeros((2, 3))}, DomainError, "complex"),
    ({"x": np.array([None] * 3), "A": np.zeros((2, 3))}, DomainError, "objects"),
    ({"x": [1, [2], 3], "A": np.zeros((2, 3))}, DomainError, "cannot be read"),
    ({"x": np.ma.masked_equal([1, 2, 3], 2), "A": np.zeros((2, 3))}, DomainError, "masked"),
]


@pytest.mark.parametrize(("values", "kind", "words"), BAD)
def test_bad_values(values: dict[str, Any], kind: type[TensorcalcError], words: str) -> None:
    """Wrong data is refused with the name, the axis and both sizes."""
    node = c.einsum(1, (M, N), [(A, (0, 1)), (x, (1,))])
    with pytest.raises(kind) as caught:
        interpret([node], values)
    assert words in str(caught.value)


def test_products_of_sizes() -> None:
    """A product tells its last unknown name, and is checked."""
    v = Variable.of("v", (M * N,))
    assert bind_sizes({"v": v, "x": x}, {"v": np.zeros(6), "x": np.zeros(3)}) == {"n": 3, "m": 2}
    with pytest.raises(ShapeError, match="no multiple of 4"):
        bind_sizes({"v": v, "x": x}, {"v": np.zeros(6), "x": np.zeros(4)})
    with pytest.raises(ShapeError, match="axis 0 of v has size 6, but 8"):
        bind_sizes({"v": v, "A": A}, {"v": np.zeros(6), "A": np.zeros((2, 4))})


def test_sizes_that_cannot_be_known() -> None:
    """A size that no shape tells, a position beyond an axis, a matrix that is not square."""
    with pytest.raises(ShapeError, match="the size n cannot be told"):
        interpret([c.ones((N,))], {})
    with pytest.raises(ShapeError, match="position 7"):
        interpret([c.einsum(0, (N,), [(Basis.of(N, 7), (0,)), (x, (0,))])], {"x": np.zeros(3)})
    with pytest.raises(ShapeError, match="square"):
        interpret([MatrixFunction.of("det", (), (A,))], {"A": np.zeros((2, 3))})


def test_inferred_sizes_are_named_by_what_they_count() -> None:
    """No message shows the name of an inferred size, such as ``A.1``."""
    rows, columns = Dim.of("B.0"), Dim.of("B.1")
    B, u = Variable.of("B", (rows, columns)), Variable.of("u", (columns,))
    with pytest.raises(ShapeError, match=r"but 3 is needed \(there are 3 columns of B\)"):
        bind_sizes({"B": B, "u": u}, {"B": np.zeros((2, 3)), "u": np.zeros(4)})
    with pytest.raises(ShapeError, match=r"but 4 is needed \(there are 4 entries of u\)"):
        bind_sizes({"u": u, "B": B}, {"B": np.zeros((2, 3)), "u": np.zeros(4)})
    with pytest.raises(ShapeError, match="the number of columns of B cannot be told"):
        check_nodes([B], {"B.0": 2})
    twice = Variable.of("v", (Dim.of("v.0") * 2,))
    with pytest.raises(ShapeError, match=r"no multiple of 2$"):
        bind_sizes({"v": twice}, {"v": np.zeros(3)})
