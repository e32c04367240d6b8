"""What the tests share: a kernel cache of their own, and a way to run kernels without compiling."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

CACHE = tempfile.mkdtemp(prefix="tensorcalc-tests-")
os.environ["TENSORCALC_CACHE_DIR"] = CACHE  # before anything of ours reads it


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the kernels of this session."""
    shutil.rmtree(CACHE, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _restore() -> Iterator[None]:
    yield
    os.environ.pop("TENSORCALC_CACHE_DIR", None)


@pytest.fixture(scope="session")
def run_source(python_kernel: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Runs a program's source as plain Python."""

    def run(program: Any, values: Mapping[str, Any]) -> list[Any]:
        found = python_kernel(program)(*[values[b.variable] for b in program.arguments])
        places = [b.name for b in program.results]
        return [found[places.index(name)] for name in program.outputs]

    return run


@pytest.fixture(scope="session")
def python_kernel() -> Callable[..., Any]:
    """A program's source as plain Python, with stand-ins for the helpers: slow but exact."""
    import numpy as np

    from tensorcalc.emit.source import source
    from tensorcalc.interpret.elementwise import numpy_functions
    from tensorcalc.interpret.matrix_functions import MATRIX, norm

    def matrix(a: Any, offset: int, strides: tuple[int, ...], shape: tuple[int, ...]) -> Any:
        flat = a.reshape(-1)[offset:]
        bytes_of = tuple(s * a.itemsize for s in strides)
        return np.lib.stride_tricks.as_strided(flat, shape, bytes_of)

    def gemm(m, n, k, alpha, a, oa, ars, acs, b, ob, brs, bcs, beta, c, oc, crs, ccs):  # type: ignore[no-untyped-def]
        assert all(1 in strides for strides in [(ars, acs), (brs, bcs), (crs, ccs)])
        product = matrix(a, oa, (ars, acs), (m, k)) @ matrix(b, ob, (brs, bcs), (k, n))
        target = matrix(c, oc, (crs, ccs), (m, n))
        target[:] = alpha * product + (beta * target if beta else 0.0)

    def gemv(m, n, alpha, a, oa, ars, acs, x, ox, incx, beta, y, oy, incy):  # type: ignore[no-untyped-def]
        assert 1 in (ars, acs)
        product = matrix(a, oa, (ars, acs), (m, n)) @ matrix(x, ox, (incx,), (n,))
        target = matrix(y, oy, (incy,), (m,))
        target[:] = alpha * product + (beta * target if beta else 0.0)

    def syrk(n, k, alpha, a, oa, ars, acs, beta, c, oc, ldc):  # type: ignore[no-untyped-def]
        gemm(n, n, k, alpha, a, oa, ars, acs, a, oa, acs, ars, beta, c, oc, ldc, 1)  # type: ignore[no-untyped-call]

    def gemmt(n, k, alpha, a, oa, ars, acs, b, ob, brs, bcs, beta, c, oc, crs, ccs):  # type: ignore[no-untyped-def]
        gemm(n, n, k, alpha, a, oa, ars, acs, b, ob, brs, bcs, beta, c, oc, crs, ccs)  # type: ignore[no-untyped-call]
        found = matrix(c, oc, (crs, ccs), (n, n))
        assert np.allclose(found, found.T)

    def fill(name: str) -> Callable[..., None]:
        def function(a: Any, out: Any) -> None:
            out[...] = MATRIX[name](a)

        return function

    def factorize(a: Any, lu: Any, pivots: Any) -> int:
        lu[:] = a
        return 0

    def factor_solve(lu: Any, pivots: Any, kind: int, turned: int, b: Any, out: Any) -> None:
        out[:] = MATRIX["inv"](lu.T if turned else lu) @ b

    def permute(
        rank: int, extents: Any, a: Any, oa: int, source: Any, b: Any, ob: int, target: Any
    ) -> None:
        sides = [
            np.lib.stride_tricks.as_strided(
                x.reshape(-1)[start:], extents, [8 * stride for stride in strides]
            )
            for x, start, strides in ((a, oa, source), (b, ob, target))
        ]
        sides[1][...] = sides[0]

    names: dict[str, Any] = {
        "permute": permute, "factorize": factorize, "factor_solve": factor_solve, "int32": np.int32,
        "factor_inverse": lambda lu, pivots, kind, out: fill("inv")(lu, out),
        "factor_det": lambda lu, pivots, kind: MATRIX["det"](lu),
        "factor_logdet": lambda lu, pivots, kind: MATRIX["logdet"](lu),
        "number": np.float64, "double": np.float64, "empty": np.empty, "zeros": np.zeros,
        "reshaped": np.reshape,
        "accumulate": lambda total, x: total + x, "gemm": gemm, "gemmt": gemmt,
        "whole_gemm": gemm, "gemv": gemv, "syrk": syrk,
        "inv": fill("inv"), "det": MATRIX["det"], "logdet": MATRIX["logdet"],
        "norm": lambda a: norm(a, tuple(range(a.ndim))), "power": np.power,
        "norm_power": lambda x, p: 0.0 if x == 0 and p < 0 else x**p,
        "maximum": np.maximum, "minimum": np.minimum,
        "sqrt": np.sqrt, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
        "wide": lambda: None, "natural": lambda x: x, "known": lambda x, value: None, "full": np.full,
        "__builtins__": {"range": range, "abs": abs},
    }  # fmt: skip
    names = {**{n: f for n, f in numpy_functions().items() if n not in ("abs",)}, **names}

    def kernel(program: Any) -> Callable[..., Any]:
        scope = dict(names)
        exec(source(program, "float64").body, scope)  # noqa: S102 - our own text

        def run(*arguments: Any) -> Any:
            with np.errstate(all="ignore"):
                return scope["kernel"](*arguments)

        return run

    return kernel
