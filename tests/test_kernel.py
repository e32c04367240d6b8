"""Compiled kernels against the interpreter, and everything that is checked before one runs."""

from __future__ import annotations

import copy
import pickle
import threading
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import canonical as c
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError, ShapeError, TensorcalcError, UnknownNameError
from tensorcalc.interpret import interpret
from tensorcalc.ir import Basis, Delta, Node, Size, Variable
from tensorcalc.kernel import Kernel, compile_nodes

M, N = Dim.of("m"), Dim.of("n")
X, S = Variable.of("X", (M, N)), Variable.of("S", (N, N))
y, w, s = Variable.of("y", (M,)), Variable.of("w", (N,)), Variable.of("s", ())
ALL = {"X": X, "y": y, "w": w, "S": S, "s": s}

MARGIN = c.scale(-1, c.einsum(1, (M, N), [(y, (0,)), (X, (0, 1)), (w, (1,))]))
FACTORS = [(X, (1, 0)), (y, (1,)), (c.elementwise("sigmoid", (MARGIN,)), (1,))]
LOGISTIC: dict[str, Node] = {
    "value": c.einsum(0, (M,), [(c.elementwise("softplus", (MARGIN,)), (0,))]),
    "grad": c.scale(-1, c.einsum(1, (N, M), FACTORS)),
}
SUM = c.add((N,), [(Fraction(1), w), (Fraction(1, 2), c.einsum(1, (N,), [(s, ())]))])
DISTANCE = c.add((N, N), [(Fraction(1), c.einsum(2, (N, N), [(w, (0,))])),
                          (Fraction(-1), c.einsum(2, (N, N), [(w, (1,))]))])  # fmt: skip
MIXED: dict[str, Node] = {
    "copy": X,
    "again": X,
    "outer": c.einsum(2, (M, N), [(y, (0,)), (w, (1,))]),
    "diag": c.einsum(2, (N, N), [(Delta.of(N), (0, 1)), (SUM, (0,))]),
    "entry": c.einsum(0, (N,), [(Basis.of(N, 0), (0,)), (w, (0,))]),
    "size": c.einsum(0, (), [(Size.of(M), ()), (s, ())]),
    "columns": c.einsum(1, (N, M), [(X, (1, 0))]),
    "transposed": c.einsum(2, (N, M), [(X, (1, 0))]),
    "ones": c.ones((M,)),
    "zeros": c.zeros(()),
    "kernel": c.einsum(1, (N, N), [
        (c.elementwise("exp", (c.scale(-1, c.power(DISTANCE, 2)),)), (0, 1)), (w, (1,))]),
}  # fmt: skip
PRODUCTS: dict[str, Node] = {
    "gram": c.einsum(2, (N, N, M), [(X, (2, 0)), (X, (2, 1))]),
    "XS": c.einsum(2, (M, N, N), [(X, (0, 2)), (S, (2, 1))]),
    "SX": c.einsum(2, (N, M, N), [(S, (2, 0)), (X, (1, 2))]),
    "quadratic": c.einsum(0, (N, N), [(w, (0,)), (S, (0, 1)), (w, (1,))]),
}
MATRIX: dict[str, Node] = {
    "inv": c.matrix_function("inv", S),
    "det": c.matrix_function("det", S),
    "logdet": c.matrix_function("logdet", c.einsum(2, (N, N, N), [(S, (0, 2)), (S, (1, 2))])),
    "unit": c.einsum(1, (N,), [(w, (0,)), (c.power(c.matrix_function("norm2", w), -1), ())]),
    "frobenius": c.matrix_function("normF", X),
}
GROUPS = {"logistic": LOGISTIC, "mixed": MIXED, "products": PRODUCTS, "matrix": MATRIX}


def values(m: int, n: int, seed: int = 0) -> dict[str, Any]:
    """Random data of the given sizes."""
    draw = np.random.default_rng(seed)
    shapes = {name: [{"m": m, "n": n}[d.names[0]] for d in v.dims] for name, v in ALL.items()}
    return {name: draw.normal(size=shape) for name, shape in shapes.items()}


def agree(found: dict[str, Any], group: dict[str, Node], data: dict[str, Any], rtol: float) -> None:
    """Every output is the interpreter's, in order, shape and type."""
    assert list(found) == list(group)
    expected = interpret(list(group.values()), data, ALL)
    for (name, result), wanted in zip(found.items(), expected, strict=True):
        assert result.shape == wanted.shape, name
        assert result.dtype == wanted.dtype, name
        scale = np.max(np.abs(wanted), initial=1e-300)
        np.testing.assert_allclose(result, wanted, rtol=rtol, atol=rtol * scale, err_msg=name)


@pytest.mark.parametrize("group", GROUPS)
def test_against_the_interpreter(group: str) -> None:
    """Sizes 0, 1, small (loops) and larger (BLAS); one kernel object for all."""
    kernel = compile_nodes(GROUPS[group], ALL, False)
    for m, n in [(5, 3), (40, 31), (1, 1), (3, 70), (0, 2)]:
        data = values(m, n)
        agree(kernel(**data), GROUPS[group], data, 1e-9 if group == "matrix" else 1e-12)


@pytest.mark.parametrize("group", ["logistic", "mixed"])
def test_single_precision(group: str) -> None:
    """float32 in, float32 out, to its accuracy."""
    data = {name: np.float32(value) for name, value in values(40, 31).items()}
    agree(compile_nodes(GROUPS[group], ALL, False)(**data), GROUPS[group], data, 2e-5)


@pytest.fixture(scope="module")
def product() -> Kernel:
    """X*w times s."""
    node = c.einsum(1, (M, N), [(X, (0, 1)), (w, (1,)), (s, ())])
    return compile_nodes({"f": node}, {"X": X, "w": w, "s": s, "y": y}, True)


def test_call_forms(product: Kernel) -> None:
    """By position, by keyword, mixed; a variable that dropped out may be given or not."""
    data = values(5, 3)
    expected = data["X"] @ data["w"] * data["s"]
    for result in (
        product(data["X"], data["w"], data["s"], data["y"]),
        product(data["X"], data["w"], s=data["s"]),
        product(X=data["X"], w=data["w"], s=float(data["s"]), y=data["y"]),
        product(X=data["X"].tolist(), w=data["w"], s=np.array(data["s"])),
    ):
        np.testing.assert_allclose(result, expected, rtol=1e-14)


LAYOUTS: dict[str, Any] = {
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "negative stride": lambda a: a[::-1].copy()[::-1],
    "big endian": lambda a: a.astype(">f8"),
    "read-only": lambda a: (a.setflags(write=False), a)[1],
    "misaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), offset=1).reshape(a.shape),
    "subclass": lambda a: a.view(np.matrix),
    "mixed precision": lambda a: a.astype(np.float32).astype(np.float64),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(product: Kernel, layout: str) -> None:
    """Any layout, byte order and subclass is taken."""
    data = values(5, 3)
    matrix: Any = LAYOUTS[layout](data["X"])
    expected = np.asarray(matrix, float) @ data["w"] * data["s"]
    result = product(X=matrix, w=data["w"], s=data["s"])
    assert type(result) is np.ndarray
    np.testing.assert_allclose(result, expected, rtol=1e-14)


def test_dtypes(product: Kernel) -> None:
    """Integers become float64; float32 with float64 is float64; a Python number is weak."""
    ones = np.ones((2, 2), np.float32)
    assert product(ones, ones[0], 2.0).dtype == np.float32
    assert product(ones, ones[0], np.float64(2)).dtype == np.float64
    assert product(ones, ones[0].astype(float), 2).dtype == np.float64
    assert product([[2**62]], [1], 1)[0] == 2.0**62
    big = np.full((1, 200), 100, np.int8)
    assert product(big, np.full(200, 100, np.int8), 1)[0] == 2e6


@pytest.mark.parametrize(
    "number", [3, 3.0, True, np.float64(3), np.float32(3), np.int8(3), np.array(3), np.array(3.0)]
)
def test_numbers(product: Kernel, number: Any) -> None:
    """Any kind of number, again and again; with float32 arrays only a Python number is weak."""
    data = values(5, 3)
    for precision in (np.float64, np.float32):
        X, w = data["X"].astype(precision), data["w"].astype(precision)
        weak = type(number) in (int, float, bool) or getattr(number, "dtype", None) == np.float32
        for _ in range(2):
            result = product(X=X, w=w, s=number, y=None)
            assert result.dtype == (precision if weak else np.float64)
            np.testing.assert_allclose(result, float(number) * (X @ w), rtol=1e-5)


def test_large_integers(product: Kernel) -> None:
    """A Python integer beyond 64 bits is a float; beyond those it is refused, also when warm."""
    one = np.ones((1, 1))
    assert product(X=one, w=one[0], s=2**70)[0] == 2.0**70
    with pytest.raises(DomainError, match="s cannot be read"):
        product(X=one, w=one[0], s=10**400)


def test_kinds_of_arrays_share_a_program(product: Kernel) -> None:
    """Flags that do not matter cost no second plan; a wrong type is not taken for a right one."""
    data = values(6, 4)
    given = {"X": data["X"], "w": data["w"], "s": 1.0}
    product(**given)
    entry = product._last
    given["X"].setflags(write=False)
    product(**given)
    assert product._last is entry
    np.testing.assert_allclose(product(**{**given, "X": np.ones((6, 4), int)}), data["w"].sum())
    assert product._last is entry


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_large_arrays_in_fortran_order(precision: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not copied: another program takes their transposes."""
    monkeypatch.setattr("tensorcalc.kernel.MIN_TURNED", 1000)
    outputs = {
        **LOGISTIC,
        "copy": X,
        "exp": c.elementwise("exp", (X,)),
        "norm": c.matrix_function("normF", X),
        "gram": PRODUCTS["gram"],
        "transposed": c.einsum(2, (N, M), [(X, (1, 0))]),
    }
    kernel = compile_nodes(outputs, ALL, False)
    data: dict[str, Any] = {name: np.asarray(v, precision) for name, v in values(40, 31).items()}
    expected = kernel(**data)
    turned = {**data, "X": np.asfortranarray(data["X"])}
    for _ in range(2):
        found = kernel(**turned)
        assert kernel._last is not None
        assert kernel._last.case.turned == {"X"}
        for name, wanted in expected.items():
            assert found[name].flags.c_contiguous or not found[name].ndim
            np.testing.assert_allclose(found[name], wanted, rtol=2e-5, atol=2e-5, err_msg=name)
    found["copy"][:] = 0
    assert turned["X"].any()


def read_only(array: Any) -> Any:
    """A copy that cannot be written."""
    copy = array.copy()
    copy.setflags(write=False)
    return copy


class Own(np.ndarray[Any, Any]):
    """A subclass that is no plain array."""


# values for X where a (4, 4) float64 array in C order was last, all taken
OTHERS: dict[str, Any] = {
    "the same kind": lambda a: a.copy(),
    "read-only": read_only,
    "a view": lambda a: np.stack([a, a])[1],
    "in Fortran's order": np.asfortranarray,
    "transposed": lambda a: a.T.copy().T,
    "backwards": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "every second": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
    "broadcast": lambda a: np.broadcast_to(a[0], a.shape),
    "misaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), offset=1).reshape(a.shape),
    "of records": lambda a: np.stack([a, a], -1).view([("u", float), ("v", float)])["v"][..., 0],
    "big endian": lambda a: a.astype(">f8"),
    "single": lambda a: a.astype(np.float32),
    "half": lambda a: a.astype(np.float16),
    "int64": lambda a: np.round(a * 9).astype(np.int64),
    "uint8": lambda a: np.abs(np.round(a * 9)).astype(np.uint8),
    "bool": lambda a: a > 0,
    "np.matrix": lambda a: a.view(np.matrix),
    "a subclass": lambda a: a.view(Own),
    "a list": lambda a: a.tolist(),
    "larger": lambda a: np.pad(a, ((0, 3), (0, 0))),
    "flatter": lambda a: a[:1],
    "empty": lambda a: a[:0],
    "of a type with metadata": lambda a: a.astype(np.dtype(float, metadata={"unit": "m"})),
}
REFUSED: dict[str, tuple[Any, type[TensorcalcError]]] = {
    "masked": (lambda a: np.ma.masked_array(a), DomainError),
    "complex": (lambda a: a + 0j, DomainError),
    "objects": (lambda a: a.astype(object), DomainError),
    "long double": (lambda a: a.astype(np.longdouble), DomainError),
    "seconds": (lambda a: a.astype("m8[s]"), DomainError),
    "a vector": (lambda a: a[0], ShapeError),
    "flat": (lambda a: a.reshape(-1), ShapeError),
    "rank 3": (lambda a: a[None], ShapeError),
    "0-d": (lambda a: np.array(1.0), ShapeError),
    "a number": (lambda a: 1.0, ShapeError),
    "narrower": (lambda a: np.ascontiguousarray(a[:, :3]), ShapeError),
    "wider": (lambda a: np.pad(a, ((0, 0), (0, 1))), ShapeError),
    "nothing": (lambda a: None, DomainError),
    "text": (lambda a: "abc", DomainError),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("by_name", [False, True])
def test_kinds_after_a_known_one(product: Kernel, other: str, by_name: bool) -> None:
    """What is remembered of one call is never taken for granted in the next, back and forth."""
    data = values(4, 4, seed=3)
    for given in (data["X"], OTHERS[other](data["X"]), data["X"], OTHERS[other](data["X"])):
        expected = np.asarray(given, float) @ data["w"] * 2
        result = product(X=given, w=data["w"], s=2.0) if by_name else product(given, data["w"], 2.0)
        assert type(result) is np.ndarray
        assert result.dtype == np.float64
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("other", REFUSED)
def test_refused_after_a_known_one(product: Kernel, other: str) -> None:
    """A warm kernel refuses what a cold one does, and still serves."""
    data = values(4, 4)
    change: Any
    change, kind = REFUSED[other]
    expected = product(data["X"], data["w"], 1.0)
    given = {"X": change(data["X"]), "w": data["w"], "s": 1.0}
    for args, kwargs in (((), given), (tuple(given.values()), {})):
        with pytest.raises(kind):
            product(*args, **kwargs)
        assert (product(data["X"], data["w"], 1.0) == expected).all()


def test_an_array_that_changes_in_place(product: Kernel) -> None:
    """The same object with another shape is another array."""
    own, w = np.arange(16.0).reshape(4, 4).copy(), np.arange(4.0)
    assert product(own, w, 1.0).shape == (4,)
    own.resize((3, 4), refcheck=False)
    assert product(own, w, 1.0).shape == (3,)
    own.resize((4, 3), refcheck=False)
    with pytest.raises(ShapeError):
        product(own, w, 1.0)


def test_numbers_of_changing_types(product: Kernel) -> None:
    """Each call converts its own number."""
    data = values(4, 4)
    numbers: list[Any] = [2.0, 2, np.float32(2), np.float64(2), np.array(2.0), np.array(2), True]
    for number in numbers + numbers[::-1]:
        result = product(data["X"], data["w"], number)
        np.testing.assert_allclose(result, float(number) * (data["X"] @ data["w"]), rtol=1e-14)
    for wrong in (np.ones(1), np.ones((1, 1)), [1.0], "2", None, 2j):
        with pytest.raises(TensorcalcError):
            product(data["X"], data["w"], wrong)


def test_no_array_is_kept(product: Kernel) -> None:
    """After a call neither arguments nor results are held."""
    data = values(4, 4)
    for layout in (np.ascontiguousarray, read_only, np.asfortranarray):
        X = layout(data["X"].copy())
        for _ in range(3):
            result = product(X=X, w=data["w"], s=1.0)
        kept = weakref.ref(X), weakref.ref(result)
        del X, result
        assert [k() for k in kept] == [None, None]


def test_words_that_are_names_elsewhere() -> None:
    """Any name of a variable is a keyword, and none reaches a text."""
    variables = {
        name: Variable.of(name, (N,))
        for name in [
            "self",
            "fast",
            "missing",
            "p0",
            "k1",
            "__debug__",
            "a b",
            "x):\n  os",
            "ß",
            "1",
        ]
    }
    node = c.einsum(1, (N,), [(v, (0,)) for v in variables.values()])
    kernel = compile_nodes({"f": node}, variables, True)
    data = {name: np.full(3, k + 1.0) for k, name in enumerate(variables)}
    for _ in range(2):
        assert (kernel(**data) == 3628800).all()
        assert (kernel(*data.values()) == 3628800).all()
        with pytest.raises(UnknownNameError, match="no variable slow"):
            kernel(**data, slow=1)


CALLS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((), {}, "no value for X"),
    ((1,), {}, "no value for w"),
    ((), {"w": 1, "s": 1}, "no value for X"),
    ((1, 2, 3, 4, 5), {}, "5 values given"),
    ((1, 2, 3, 4, 5), {"X": 1}, "5 values given"),
    ((1, 2, 3), {"X": 1}, "X is given twice"),
    ((1, 2), {"s": 1, "w": 1}, "w is given twice"),
    ((1, 2, 3), {"z": 1}, "no variable z"),
    ((), {"X": 1, "w": 1, "s": 1, "z": 1}, "no variable z"),
]


@pytest.mark.parametrize(("args", "kwargs", "words"), CALLS)
def test_names_and_positions(
    product: Kernel, args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    """Values too many, too few, unknown or given twice are our errors, cold and warm."""
    for _ in range(2):
        with pytest.raises(TensorcalcError, match=words):
            product(*args, **kwargs)
        product(np.ones((4, 4)), np.ones(4), 1.0)


def test_copies(product: Kernel) -> None:
    """A copied or pickled kernel computes the same."""
    data = values(4, 4)
    for other in (copy.copy(product), copy.deepcopy(product), pickle.loads(pickle.dumps(product))):
        assert list(other.variables) == list(product.variables)
        for _ in range(2):
            assert (other(data["X"], data["w"], 1.0) == product(data["X"], data["w"], 1.0)).all()


def test_no_variables_and_many() -> None:
    """A kernel of nothing, and one of more values than are compared one by one."""
    nothing = compile_nodes({"f": c.ones(())}, {}, True)
    assert nothing() == nothing() == 1
    with pytest.raises(TensorcalcError, match="1 values given"):
        nothing(1)
    many = {f"v{k}": Variable.of(f"v{k}", (N,)) for k in range(210)}
    kernel = compile_nodes(
        {"f": c.add((N,), [(Fraction(1), v) for v in many.values()])}, many, True
    )
    for _ in range(2):
        assert (kernel(*[np.ones(3)] * 210) == 210).all()
        assert (kernel(**dict.fromkeys(many, np.ones(2))) == 210).all()


def test_a_complex_array_that_only_tells_a_size() -> None:
    """The derivative of a multiple of a vector is a multiple of the unit matrix."""
    kernel = tc.compile(tc.diff("z : vector(n) complex; 3*z", "z"))
    assert (kernel(z=np.ones(2) * 1j) == 3 * np.eye(2)).all()


BAD: list[tuple[dict[str, Any], type[TensorcalcError], str]] = [
    ({"X": np.ones((2, 3)), "w": np.ones(4), "s": 1}, ShapeError, "axis 0 of w has size 4, but 3"),
    ({"X": np.ones((2, 3)), "w": np.ones(1), "s": 1}, ShapeError, "axis 0 of w has size 1, but 3"),
    ({"X": np.ones((2, 3)), "w": np.ones(3), "s": 1, "y": np.ones(3)}, ShapeError, "of y"),
    ({"X": np.ones(3), "w": np.ones(3), "s": 1}, ShapeError, "X has 2 axes"),
    ({"X": np.ones((2, 3)), "w": np.ones(3), "s": [1]}, ShapeError, "s has 0 axes"),
    ({"X": np.ones((2, 3)), "w": np.ones(3)}, UnknownNameError, "no value for s"),
    ({"X": np.ones((2, 3)), "ww": np.ones(3), "s": 1}, UnknownNameError, "did you mean w"),
    ({"X": np.ones((2, 3)), "w": "abc", "s": 1}, DomainError, "w is of type"),
    ({"X": np.ones((2, 3)), "w": None, "s": 1}, DomainError, "w is an array of objects"),
    ({"X": np.ones((2, 3)), "w": np.ones(3), "s": np.ma.array(1.0)}, DomainError, "masked"),
    ({"X": np.ma.ones((2, 3)), "w": np.ones(3), "s": 1}, DomainError, "masked"),
    ({"X": np.ones((2, 3)) * 1j, "w": np.ones(3), "s": 1}, DomainError, "complex"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "words"), BAD)
def test_bad_arguments(
    product: Kernel, data: dict[str, Any], kind: type[TensorcalcError], words: str
) -> None:
    """A wrong argument never reaches the kernel."""
    with pytest.raises(kind) as caught:
        product(**data)
    assert words in str(caught.value)


def test_positions_are_counted(product: Kernel) -> None:
    """Too many values, or one given twice."""
    with pytest.raises(TensorcalcError, match="5 values given"):
        product(1, 2, 3, 4, 5)
    with pytest.raises(TensorcalcError, match="given twice"):
        product(np.ones((1, 1)), np.ones(1), 1, X=np.ones((1, 1)))


def test_position_and_squareness_are_checked() -> None:
    """What depends on sizes alone is an error, not a wild read."""
    entry = c.einsum(0, (N,), [(Basis.of(N, 5), (0,)), (w, (0,))])
    with pytest.raises(ShapeError, match="position 5"):
        compile_nodes({"f": entry}, {"w": w}, True)(np.ones(3))


def test_results_are_fresh() -> None:
    """No result shares memory with an input or another result."""
    kernel = compile_nodes({"a": X, "b": X}, {"X": X}, False)
    data = np.ones((2, 2))
    first, second = kernel(data).values()
    first[:] = 5
    assert (data == 1).all()
    assert (second == 1).all()


def test_large_buffers_are_passed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The results are the same, fresh every time, and a saved module needs nobody to allocate."""
    monkeypatch.setattr("tensorcalc.plan.LARGE", 64)
    for group in GROUPS.values():
        kernel = compile_nodes(group, ALL, False)
        data = values(40, 31)
        first = kernel(**data)
        for result in first.values():
            if result.ndim:
                result[...] = np.nan
        agree(kernel(**data), group, data, 1e-9)


def test_save_writes_a_plain_file(product: Kernel, tmp_path: Path) -> None:
    """As `open` does: the usual mode, through a link, and also after an array in Fortran's order."""
    target, link = tmp_path / "target.py", tmp_path / "link.py"
    target.write_text("")
    mode = target.stat().st_mode
    link.symlink_to(target)
    product(X=np.asfortranarray(np.ones((400, 400))), w=np.ones(400), s=1)
    text = product.source
    product.save(link)
    assert link.is_symlink()
    assert target.stat().st_mode == mode
    assert text.partition("(")[0] in target.read_text()
    product.save("/dev/null")


def test_many_threads(product: Kernel) -> None:
    """Calls from many threads, some with new shapes, give the right results."""
    wrong: list[int] = []

    def work(k: int) -> None:
        for size in range(2, 8):
            data = values(size, size + k % 3, seed=k)
            expected = data["X"] @ data["w"] * data["s"]
            if not np.allclose(product(data["X"], data["w"], data["s"]), expected):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_too_long_to_compile_is_interpreted() -> None:
    """Thousands of terms give the right value without a compiler's hour."""
    terms = [(Fraction(1), c.elementwise("sin", (c.scale(k, w),))) for k in range(1, 2500)]
    kernel = compile_nodes({"f": c.add((N,), terms)}, {"w": w}, True)
    np.testing.assert_allclose(kernel(np.array([0.5])), np.sin(np.arange(1, 2500) * 0.5).sum())
    assert "interpreted" in kernel.plan


def test_source_and_plan_before_a_call() -> None:
    """Both can be read at once; a call then shows its own."""
    kernel = compile_nodes(LOGISTIC, ALL, False)
    assert kernel.source.startswith("def kernel(")
    assert "GEMV" in kernel.plan
    assert kernel.variables == ALL
