"""Arrays as constants: small ones written out, others as data; what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import DomainError, Expr, LimitError
from tensorcalc.array_constants import MAX_WRITTEN, constant
from tensorcalc.ir import Data, Node
from tensorcalc.traverse import postorder

Array = np.ndarray[Any, np.dtype[Any]]


def expression(array: Any) -> Expr:
    """The expression that is the constant."""
    node = constant(array)
    assert node is not None
    return Expr.of(node, {}, (node.rank,))


def has_data(node: Node) -> bool:
    """Whether an array was kept as it is."""
    return any(isinstance(inner, Data) for inner in postorder([node]))


WRITTEN: list[tuple[Any, str]] = [
    ([1, 2, 3], "[1; 2; 3]"),
    ([[1, 2], [3, 4]], "[1, 2; 3, 4]"),
    ([[0.1, -2.5]], "vector(1, 1)*[0.1, -2.5]"),
    ([[1, 0], [0, 0]], "[1, 0; 0, 0]"),
    ([[0, 0], [0, 0]], "matrix(0, 2, 2)"),
    ([[1, 1], [1, 1]], "[1, 1; 1, 1]"),
    ([5], "vector(5, 1)"),
    ([[5]], "matrix(5, 1, 1)"),
    ([True, False], "[1; 0]"),
    ([1e-300, 1e300], "[1e-300; 1e300]"),
]


@pytest.mark.parametrize(("array", "text"), WRITTEN)
def test_small_arrays_are_written_out(array: Any, text: str) -> None:
    """The same node as the text has, and it prints and reads back."""
    made = expression(np.array(array))
    assert made == tc.parse(text)
    assert made.shape == np.shape(array)
    assert tc.parse(str(made)) == made
    np.testing.assert_array_equal(made.evaluate(), np.array(array, float))


def test_a_matrix_of_one_column() -> None:
    """It stays a matrix."""
    made = expression(np.array([[1.0], [2.0]]))
    assert made.shape == (2, 1)
    np.testing.assert_array_equal(made.evaluate(), [[1], [2]])
    assert (made @ tc.vector("x")).shape == (2,)


def test_entries_are_their_shortest_decimals() -> None:
    """0.1 is a tenth, also of single precision; integers are exact."""
    for dtype in (np.float64, np.float32, ">f8"):
        assert expression(np.array([0.1, 3], dtype)) == tc.parse("[0.1; 3]")
    assert expression(np.array([2**62 + 1, 1])) == tc.parse(f"[{2**62 + 1}; 1]")


KEPT = {
    "large": np.arange(MAX_WRITTEN + 1.0),
    "rank 3": np.arange(8.0).reshape(2, 2, 2),
    "nan": np.array([1, np.nan, np.inf, -np.inf]),
    "complex": np.array([1 + 2j, 3]),
    "single": np.ones((9, 9), np.float32),
    "integer": np.arange(100),
    "bool": np.ones(100, bool),
    "half": np.ones(100, np.float16),
    "fortran": np.asfortranarray(np.arange(100.0).reshape(10, 10)),
    "strided": np.arange(200.0)[::2],
    "reversed": np.arange(100.0)[::-1],
    "big endian": np.arange(100, dtype=">f8"),
    "empty": np.zeros((0, 3, 2)),
}


@pytest.mark.parametrize("name", KEPT)
def test_other_arrays_are_kept(name: str) -> None:
    """As a private, read-only, contiguous copy; equal by content; also after a pickle."""
    array = KEPT[name]
    made = expression(array)
    assert isinstance(made.node, Data)
    kept = made.node.array
    assert type(kept) is np.ndarray and kept.dtype in (np.float64, np.float32, np.complex128)
    assert kept.dtype.isnative and kept.flags.c_contiguous and not kept.flags.writeable
    assert not np.may_share_memory(kept, array)
    assert made.shape == array.shape
    np.testing.assert_array_equal(made.evaluate(), array)
    twin = expression(array.copy())
    assert twin == made and twin.node is made.node and hash(twin) == hash(made)
    again = pickle.loads(pickle.dumps(made))
    assert again == made and not again.node.array.flags.writeable
    del made, twin
    restored = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(restored.evaluate(), array)


def test_a_pickle_is_read_only_in_a_new_process() -> None:
    """Where the node is made anew."""
    data = pickle.dumps(expression(np.arange(100.0)))
    program = (
        "import pickle, sys\n"
        "e = pickle.loads(sys.stdin.buffer.read())\n"
        "print(e.node.array.flags.writeable, e.evaluate().sum())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], input=data, capture_output=True, check=True
    )
    assert result.stdout.split() == [b"False", b"4950.0"]


def test_different_arrays_differ() -> None:
    """By a value, a shape, a type."""
    array = np.arange(100.0)
    others = [
        array + 1,
        array.reshape(10, 10),
        array.astype(np.float32),
        array.astype(complex),
    ]
    assert len({expression(a) for a in [array, *others]}) == 5


def test_the_array_may_change_later() -> None:
    """The constant does not."""
    array = np.zeros(100)
    made = expression(array)
    array[:] = 1
    assert made.evaluate().sum() == 0
    made.evaluate()[:] = 1
    assert made.evaluate().sum() == 0


def test_in_expressions() -> None:
    """On both sides of every operator, in functions, in einsum; derivatives."""
    random = np.random.default_rng(0)
    M, b, v = random.normal(size=(10, 10)), random.normal(size=10), random.normal(size=10)
    x = tc.vector("x")
    assert has_data((M @ x).node) and not has_data((b - x).node)
    cases = [
        (M @ x, M @ v),
        (x.T @ M, v @ M),
        (x + b, v + b),
        (b - x, b - v),
        (tc.exp(x) + b, np.exp(v) + b),
        (tc.hadamard(b, x), b * v),
        (tc.max(x, b), np.maximum(v, b)),
        (tc.where(x > b, x, b), np.where(v > b, v, b)),
        (tc.einsum("ij,j->i", M, x), M @ v),
        (tc.einsum(M, [0, 1], x, [1], [0]), M @ v),
        (tc.einsum("ijk,k->ij", M.reshape(10, 2, 5), x[0] * b[:5]), M.reshape(10, 2, 5) @ b[:5] * v[0]),
        (tc.diff(x.T @ (M @ x), "x"), (M + M.T) @ v),
        (tc.diff(tc.exp(M @ x), "x"), np.exp(M @ v)[:, None] * M),
        (x.T @ np.eye(10) @ x, v @ v),
    ]  # fmt: skip
    for made, expected in cases:
        np.testing.assert_allclose(made.evaluate(x=v), expected)


def test_compiled() -> None:
    """Constants are in the kernel: it takes the variables only."""
    random = np.random.default_rng(1)
    M, v = random.normal(size=(10, 10)), random.normal(size=10)
    x = tc.vector("x")
    kernel = tc.compile(x.T @ (M @ x) + x[0] * 0.5)
    assert list(kernel.variables) == ["x"]
    np.testing.assert_allclose(kernel(x=v), v @ M @ v + v[0] / 2)
    small = tc.compile(M[:2, :3] @ x)
    np.testing.assert_allclose(small(x=v[:3]), M[:2, :3] @ v[:3])


def test_complex_constants() -> None:
    """Conjugated where they stand under `.H`."""
    M = np.arange(4).reshape(2, 2) * (1 + 2j)
    z = tc.vector("z", 2, "complex")
    value = np.array([1 + 1j, 2])
    np.testing.assert_allclose((M @ z).H.evaluate(z=value), (M @ value).conj())
    np.testing.assert_allclose((z.H @ M @ z).evaluate(z=value), value.conj() @ M @ value)


@pytest.mark.parametrize("two", [np.float64(2), np.array(2), np.float16(2), np.uint8(2), 2.0])
def test_arrays_without_axes_are_numbers(two: Any) -> None:
    """Exact ones."""
    assert expression(two) == tc.parse("2")


REFUSED: list[tuple[Any, type[tc.TensorcalcError]]] = [
    (np.array([None, 1]), DomainError),
    (np.array(["a"]), DomainError),
    (np.array([b"a"]), DomainError),
    (np.array(["2020"], "datetime64[D]"), DomainError),
    (np.zeros(2, [("a", float)]), DomainError),
    (np.ma.zeros(2), DomainError),
    (np.array([0, 2**62] * 50), DomainError),
    (np.array([0, 2**64 - 1] * 50, np.uint64), DomainError),
    (np.zeros((1,) * 40), LimitError),
]
if np.dtype(np.longdouble).itemsize > 8:
    REFUSED.append((np.zeros(2, np.longdouble), DomainError))


@pytest.mark.parametrize(("array", "error"), REFUSED, ids=lambda x: str(getattr(x, "dtype", "")))
def test_refused(array: Any, error: type[tc.TensorcalcError]) -> None:
    """By an error that says what to do."""
    with pytest.raises(error):
        tc.vector("x") + array


@pytest.mark.parametrize(
    "item", [None, [1], (1, 2), True, "1", b"1", 1j, float("nan"), object(), {}, np.True_]
)
def test_no_constants(item: object) -> None:
    """Neither numbers nor arrays."""
    assert constant(item) is None
