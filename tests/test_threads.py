"""Threads: the setting, the pool, and kernels that give what they give on one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from time import sleep
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.emit import pool
from tensorcalc.plan import ranges, slices
from tensorcalc.plan.ranges import split_range

setting = import_module("tensorcalc.threads")  # the package's attribute is the function
PROGRAMS = {
    "sum": "sum[i,j](exp(-(x[i] - y[j])^2))",
    "product": "prod[i](1 + x[i]/100)",
    "largest": "max(x.*x - x)",
    "smallest": "min(x.*x - x)",
    "largest of columns": "max(X, 1)",
    "smallest of rows": "min(X, 2)",
    "vector": "exp(X)*w",
    "loss": "y : vector(m); sum(log(1 + exp(-x.*(X*w)))) + sum(exp(X*w))",
    "two results": "X*w + x",
    "inverse": "x'*inv(eye(m) + X*X')*x + sum[i,j](exp(-(x[i] - x[j])^2))",
    "softmax": "sum[i,k](softmax[k](X[i,j]*X[k,j])*x[k])",
    "host": "sum[i,j](exp(-(x[i] - y[j])^2)) + tr(logm(eye(n) + w*w'))",
}  # fmt: skip
DATA = np.random.default_rng(3)
VALUES = {
    "x": DATA.normal(size=70), "y": DATA.normal(size=60),
    "X": DATA.normal(size=(70, 9)), "w": DATA.normal(size=9),
}  # fmt: skip
DECLARED = "X : matrix(m, n); w : vector(n); x : vector(m); y : vector(p); "


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The setting is as before after a test; kernels have ranges however small they are."""
    before = pool._get()
    monkeypatch.setattr(setting, "_number", 0)
    monkeypatch.setattr(setting, "_chosen", False)
    monkeypatch.setattr(ranges, "MIN_WORK", 0)
    monkeypatch.setattr(ranges, "MAX_ADDED", 0)
    monkeypatch.setattr(ranges, "PAUSE", 1000)
    monkeypatch.setattr(slices, "MAX_LEFT", 1)
    yield
    pool.set_blas(before)


def kernel_of(name: str) -> tc.Kernel:
    """A program's value, and gradient where it has one."""
    text = PROGRAMS[name] if name == "loss" else DECLARED + PROGRAMS[name]
    formula = tc.parse(text)
    if name not in ("sum", "loss", "inverse", "softmax"):
        return tc.compile({"value": formula})
    return tc.compile({"value": formula, "gradient": tc.diff(formula, "x")})


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels(name: str) -> None:
    """Two and three threads: what one gives, and the same bits in every call."""
    kernel = kernel_of(name)
    given = {n: VALUES[n] for n in kernel.variables}
    tc.threads(1)
    expected = kernel(**given)
    assert "c1000" not in kernel.source
    for count in (2, 3):
        tc.threads(count)
        found = [kernel(**given) for _ in range(4)]
        for output, wanted in expected.items():
            np.testing.assert_allclose(found[0][output], wanted, rtol=1e-12, atol=1e-12)
            assert len({np.asarray(one[output]).tobytes() for one in found}) == 1
        assert "c1000" in kernel.source  # a part is given its range
    tc.threads(1)
    assert all(np.array_equal(found, expected[name]) for name, found in kernel(**given).items())


def test_single_precision() -> None:
    """Numbers and arrays that are joined keep the type."""
    kernel = kernel_of("loss")
    given = {n: VALUES[n].astype(np.float32) for n in kernel.variables}
    tc.threads(2)
    found = kernel(**given)
    tc.threads(1)
    for output, wanted in kernel(**given).items():
        assert np.asarray(found[output]).dtype == np.float32
        np.testing.assert_allclose(found[output], wanted, rtol=1e-5)


def test_nan_is_the_largest() -> None:
    """As on one thread, whichever range it is in."""
    tc.threads(3)
    kernel = kernel_of("largest")
    for place in (0, 35, 69):
        x = VALUES["x"].copy()
        x[place] = np.nan
        assert np.isnan(kernel(x=x)["value"])


def test_calls_from_many_threads() -> None:
    """One has the pool, the others do their ranges themselves: the same bits."""
    tc.threads(2)
    kernels = [kernel_of(name) for name in ("sum", "loss", "two results")]
    given = [{n: VALUES[n] for n in kernel.variables} for kernel in kernels]
    expected = [kernel(**values) for kernel, values in zip(kernels, given, strict=True)]
    wrong: list[int] = []

    def work(k: int) -> None:
        for call in range(30):
            n = (k + call) % len(kernels)
            found = kernels[n](**given[n])
            if any(not np.array_equal(found[o], expected[n][o]) for o in found):
                wrong.append(k)

    several = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert not wrong
    assert pool._get() in (0, 2)


def test_einsum_follows_the_setting() -> None:
    """Arrays of a known kind, too."""
    a = np.random.default_rng(1).normal(size=(40, 50))
    for count in (1, 2, 1):
        tc.threads(count)
        for _ in range(2):
            np.testing.assert_allclose(tc.einsum("ij,ij->j", a, a), (a * a).sum(0))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"TENSORCALC_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": "0", "NUMBA_NUM_THREADS": "5"}, 5),
        ({"TENSORCALC_NUM_THREADS": "many"}, setting._processors()),
        ({}, setting._processors()),
    ],
)
def test_number(given: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it comes from before it is set; then it is what was set."""
    for name in setting.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert tc.threads() == expected
    assert tc.threads(7) == tc.threads() == 7


@pytest.mark.parametrize("count", [0, -1, True, 2.0, "2"])
def test_no_number(count: Any) -> None:
    """What is no number of threads is refused."""
    with pytest.raises(TypeError, match="integer from 1"):
        tc.threads(count)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((100, 8, 10**7, 8, 1), ()),
        ((100, 8, 10**7, 10**7, 2), ()),
        ((1, 1, 10**9, 8, 2), ()),
        ((7, 4, 10**9, 8, 2), ((0, 3), (3, 7))),
        ((64, 1, 10**8, 8, 2), tuple((8 * k, 8 * k + 8) for k in range(8))),
    ],
)
def test_ranges(
    given: tuple[int, int, int, int, int],
    expected: tuple[tuple[int, ...], ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A range for every thread, or some; none where it is not worth it."""
    monkeypatch.undo()
    assert split_range(*given) == expected


def test_pool() -> None:
    """Every task runs once, lists in order; errors arrive, and the pool works on."""
    for count in (1, 2, 4):
        done: list[tuple[int, int]] = []
        pool.run([[partial(done.append, (k, n)) for n in range(3)] for k in range(9)], count)
        assert sorted(done) == [(k, n) for k in range(9) for n in range(3)]
        assert all([n for j, n in done if j == k] == [0, 1, 2] for k in range(9))

    def fail() -> None:
        raise MemoryError("none")

    for place in range(4):
        tasks: list[list[Callable[[], None]]] = [[partial(sleep, 0.0)] for _ in range(4)]
        tasks[place] = [fail]
        with pytest.raises(MemoryError, match="none"):
            pool.run(tasks, 3)
        assert not pool._state.busy.locked()


def test_blas_has_one_thread_in_passes() -> None:
    """However they overlap; then it has as many as before, or as were set meanwhile."""
    if not pool._get():
        pytest.skip("SciPy's BLAS has no such function")
    pool.set_blas(2)
    with pool.one_blas_thread():
        with pool.one_blas_thread():
            assert pool._get() == 1
        assert pool._get() == 1
    assert pool._get() == 2
    with pool.one_blas_thread():
        tc.threads(1)
    assert pool._get() == 1
