"""What may happen around a kernel: odd arrays, wrong shapes, interrupts, forks. Public functions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import DomainError, ShapeError, TensorcalcError

Array = np.ndarray[Any, np.dtype[Any]]
ROOT = Path(__file__).parent.parent

FORMULA = "x'*A*x + sum(tanh(A*x))"
A, X = np.linspace(-1, 1, 9).reshape(3, 3), np.linspace(0, 2, 3)

# ── arrays ───────────────────────────────────────────────────────────────────────────────────


def read_only(array: Array) -> Array:
    """The array, not to be written to."""
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array: Array) -> Array:
    """The array at an odd address."""
    moved: Array = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def in_a_structure(array: Array) -> Array:
    """The array as a field among others."""
    rows = np.zeros(array.shape, [("before", "u1"), ("value", "f8"), ("after", "f4")])
    rows["value"] = array
    return rows["value"]


LAYOUTS: dict[str, Callable[[Array], Any]] = {
    "Fortran's order": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 3, -1)[..., ::3],
    "negative strides": lambda a: np.flip(np.flip(a).copy()),
    "big-endian": lambda a: a.astype(">f8"),
    "read-only": read_only,
    "misaligned": misaligned,
    "a field": in_a_structure,
    "a row many times": lambda a: np.broadcast_to(a[..., :1], a.shape),
    "single": lambda a: a.astype(np.float32),
    "half": lambda a: a.astype(np.float16),
    "integers": lambda a: (a * 4).astype(np.int8),
    "booleans": lambda a: a > 0,
    "lists": lambda a: a.tolist(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    """The value and the gradient are those of plain copies; the arrays stay as they are."""
    kernel = tc.compile(FORMULA)
    both = tc.value_and_grad(FORMULA, "x")
    odd, x = LAYOUTS[layout](A), LAYOUTS[layout](X)
    plain, vector = np.array(odd, np.float64), np.array(x, np.float64)
    expected = vector @ plain @ vector + np.tanh(plain @ vector).sum()
    slope = (plain + plain.T) @ vector + plain.T @ (1 - np.tanh(plain @ vector) ** 2)
    close: dict[str, Any] = {"rtol": 1e-5 if layout in ("single", "half") else 1e-12, "atol": 1e-6}
    for _ in range(2):  # the second call knows the kind of its arguments
        np.testing.assert_allclose(kernel(A=odd, x=x), expected, **close)
        value, gradient = both(x, A=odd)
        np.testing.assert_allclose(value, expected, **close)
        np.testing.assert_allclose(gradient, slope, **close)
        found = tc.einsum("i,ij,j->", x, odd, x)
        np.testing.assert_allclose(found, vector @ plain @ vector, **close)
    np.testing.assert_array_equal(np.asarray(odd, np.float64), plain)
    np.testing.assert_array_equal(np.asarray(x, np.float64), vector)


REFUSED: dict[str, Any] = {
    "objects": np.array([1, None, 2], object),
    "texts": np.array(["1", "2", "3"]),
    "dates": np.array(["2020", "2021", "2022"], "datetime64[D]"),
    "fields": np.zeros(3, [("a", "f8")]),
    "long double": np.ones(3, np.longdouble),
    "masked": np.ma.masked_array(np.ones(3), [True, False, False]),
    "ragged": [[1], [1, 2], 3],
    "None": None,
    "a set": {1, 2, 3},
    "an open file": sys.stdout,
    "a class": Array,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_wrong_types(kind: str) -> None:
    """An error of ours, from every door."""
    if kind == "long double" and np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("long double is double here")
    value = REFUSED[kind]
    kernel, both = tc.compile(FORMULA), tc.value_and_grad(FORMULA, "x")
    calls: list[Callable[[], Any]] = [
        lambda: kernel(A=A, x=value),
        lambda: both(value, A=A),
        lambda: tc.einsum("ij,j->i", A, value),
    ]
    for call in calls:
        for _ in range(2):
            with pytest.raises(DomainError):
                call()


def test_complex_needs_a_declaration() -> None:
    """A kernel of real variables refuses complex values."""
    with pytest.raises(DomainError, match="complex"):
        tc.compile(FORMULA)(A=A, x=X + 1j)


EMPTY: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    ("A*x", {"A": (0, 3), "x": (3,)}),
    ("A*x", {"A": (3, 0), "x": (0,)}),
    ("A*B", {"A": (2, 0), "B": (0, 2)}),
    ("A*B", {"A": (0, 0), "B": (0, 0)}),
    ("sum(exp(x).*x)", {"x": (0,)}),
    ("norm2(x)", {"x": (0,)}),
    ("tr(A)", {"A": (0, 0)}),
    ("A*x", {"A": (1, 1), "x": (1,)}),
    ("det(A)", {"A": (1, 1)}),
    ("a*x", {"a": (), "x": (1,)}),
    ("exp(a)", {"a": ()}),
]


@pytest.mark.parametrize(("formula", "shapes"), EMPTY, ids=str)
def test_empty_and_single(formula: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """No entries, one entry, no axes: as NumPy computes it."""
    values = {name: np.full(shape, 0.5) for name, shape in shapes.items()}
    expression = tc.parse(formula, **({"a": "scalar"} if "a" in shapes else {}))
    expected = expression.evaluate(**values)
    found = tc.compile(expression)(**values)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected)


def test_results_are_not_inputs() -> None:
    """What a kernel gives back can be written to without a change of what it was given."""
    kernel = tc.compile({"same": tc.parse("A"), "turned": tc.parse("A'"), "x": tc.parse("x + 0*x")})
    for result in kernel(A=A, x=X).values():
        assert result.flags.writeable
        assert not np.may_share_memory(result, A) and not np.may_share_memory(result, X)


def test_results_of_calls_are_apart() -> None:
    """A second call does not write to the results of the first."""
    kernel = tc.compile("A*x")
    first = kernel(A=A, x=X)
    before = first.copy()
    kernel(A=2 * A, x=X)
    tc.einsum("ij,j->i", A, X)
    np.testing.assert_array_equal(first, before)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_shape_never_enters_a_kernel() -> None:
    """All pairs of small shapes: NumPy's product where the sizes fit, else a `ShapeError`.

    The kernels are met with every shape after they have run with others.
    """
    sizes = [(), (1,), (2,), (3,), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (0, 2), (0,), (1, 2, 2)]
    kernel, both = tc.compile("A*x"), tc.value_and_grad("sum(A*x)", "x")
    calls: list[Callable[[Any, Any], Any]] = [
        lambda a, b: kernel(A=a, x=b),
        kernel,
        lambda a, b: both(b, A=a)[0],
        lambda a, b: tc.einsum("ij,j->i", a, b),
    ]
    for left in sizes * 2:
        for right in sizes:
            a, b = np.ones(left), np.ones(right)
            fits = len(left) == 2 and right == left[1:]
            for call in calls:
                if fits:
                    np.testing.assert_array_equal(np.sum(call(a, b)), np.sum(a @ b))
                else:
                    with pytest.raises(ShapeError):
                        call(a, b)


WRONG: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    ("A*B*x", {"A": (2, 3), "B": (3, 4), "x": (3,)}),
    ("tr(A)", {"A": (2, 3)}),
    ("det(A)", {"A": (3, 2)}),
    ("inv(A)*x", {"A": (3, 2), "x": (2,)}),
    ("x'*A*x", {"A": (3, 3), "x": (1,)}),
    ("x + y", {"x": (3,), "y": (1,)}),
    ("A[i,i]", {"A": (3, 4)}),
    ("[A, B]*x", {"A": (2, 2), "B": (3, 1), "x": (3,)}),
    ("kron(A, B)*x", {"A": (2, 2), "B": (2, 2), "x": (5,)}),
]


@pytest.mark.parametrize(("formula", "shapes"), WRONG, ids=str)
def test_wrong_shapes(formula: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refused before anything is computed, however the formula is written."""
    kinds = {1: "vector", 2: "matrix"}
    ranks = {name: kinds[len(shape)] for name, shape in shapes.items()}
    with pytest.raises(TensorcalcError):
        tc.compile(tc.parse(formula, **ranks))(**{n: np.ones(s) for n, s in shapes.items()})


def test_shapes_changed_in_place() -> None:
    """An array that another call saw with another shape is looked at anew."""
    kernel, x = tc.compile("A*x"), np.ones(6)
    calls: list[Callable[[Array], Array]] = [
        lambda a: kernel(A=a, x=x),
        lambda a: tc.einsum("ij,j->i", a, x),
    ]
    for call in calls:
        a = np.ones((2, 6))
        assert call(a).tolist() == [6, 6]
        a.resize((3, 4), refcheck=False)
        with pytest.raises(ShapeError):
            call(a)
        a.resize((2, 6), refcheck=False)
        assert call(a).tolist() == [6, 6]


# ── processes ────────────────────────────────────────────────────────────────────────────────

START = """
import os, signal, sys, threading, time
import numpy as np
import tensorcalc as tc
x = np.ones(3)
A = np.ones((3, 3))
def value(k=0):
    return float(tc.compile(f"x'*A*x + {k}")(A=A, x=x)), float(tc.einsum("i,ij,j", x, A, x))
def child(work):
    pid = os.fork()
    if not pid:
        os._exit(0 if work() else 1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return False
"""
SCRIPTS = {
    "fork after kernels and BLAS": """
        value()
        np.ones((200, 200)) @ np.ones((200, 200))
        tc.compile("A*B")(A=np.ones((300, 300)), B=np.ones((300, 300)))
        assert child(lambda: value() == (9, 9) and value(1) == (10, 9))
        assert value(2) == (11, 9)
    """,
    "fork while a thread compiles": """
        value()
        worker = threading.Thread(target=lambda: [value(k / 7) for k in range(4)])
        worker.start()
        for k in range(3):
            assert child(lambda: value(k + 0.5)[0] == 9.5 + k)
        worker.join()
    """,
    "spawn": """
        import multiprocessing
        if __name__ == "__main__":
            value()
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                assert pool.map(value, range(2)) == [(9, 9), (10, 9)]
    """,
    "Ctrl-C in a kernel": """
        kernel = tc.compile("sum[i,j](tanh(x[i]*y[j]))")
        expected = kernel(x=x, y=x)
        long = np.ones(20_000)
        while True:  # as long as the machine is too fast
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                kernel(x=long, y=np.ones(10_000))
                long = np.tile(long, 4)
                time.sleep(0.2)
            except KeyboardInterrupt:
                break
        assert kernel(x=x, y=x) == expected and value() == (9, 9)
    """,
    "threads, a fork, the end": """
        import atexit
        tc.threads(2)
        kernel = tc.compile("sum[i,j](tanh(x[i]*y[j]))")
        long = np.linspace(0, 1, 4000)
        expected = kernel(x=long, y=long)
        assert "c1000" in kernel.source and threading.active_count() == 2
        assert child(lambda: kernel(x=long, y=long) == expected and threading.active_count() == 2)
        assert child(lambda: value() == (9, 9))
        atexit.register(lambda: kernel(x=long, y=long))
        assert kernel(x=long, y=long) == expected
    """,
    "Ctrl-C in the compiler": """
        value()
        for k in range(4):
            timer = threading.Timer(0.02 + 0.06 * k, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            try:
                for m in range(20):
                    value(m + k / 4)
            except KeyboardInterrupt:
                pass
            else:
                raise AssertionError("there was no interrupt")
            assert value(k / 4) == (9 + k / 4, 9)
    """,
    "out of memory": """
        import resource
        kernel = tc.compile("x*y'")
        kernel(x=x, y=x)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        for call in (lambda v: kernel(x=v, y=v), lambda v: tc.einsum("i,j", v, v)):
            try:
                call(np.ones(40_000))
            except (MemoryError, tc.TensorcalcError):
                pass
            else:
                raise AssertionError("there was memory")
            assert kernel(x=x, y=x).tolist() == np.ones((3, 3)).tolist()
    """,
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes of POSIX")
@pytest.mark.parametrize("name", SCRIPTS)
def test_processes(name: str, tmp_path: Path) -> None:
    """A script that does this ends well, and says nothing."""
    script = tmp_path / "script.py"
    script.write_text(START + textwrap.dedent(SCRIPTS[name]))
    paths = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "TENSORCALC_CACHE_DIR": str(tmp_path / "kernels")},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("interrupts", "code"), [(1, 130), (2, 130)])
def test_command_is_interrupted(interrupts: int, code: int, tmp_path: Path) -> None:
    """A second Ctrl-C ends a command in the middle of a kernel, the first one after it."""
    np.save(tmp_path / "x.npy", np.ones(150_000 if interrupts > 1 else 20_000))
    paths = os.pathsep.join([str(ROOT), *sys.path])
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "tensorcalc.cli", "eval", "sum[i,j](tanh(x[i]*x[j]))", "x=x.npy"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths, "TENSORCALC_CACHE_DIR": str(tmp_path / "kernels")},
    ) as process:
        while process.poll() is None and not list(tmp_path.glob("kernels/*/*.sum")):
            time.sleep(0.01)
        for _ in range(interrupts):
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == code
        assert time.monotonic() - started < 30
