"""The elementwise kernels against mpmath at 40 digits, and at the special arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from numba import njit
from scipy import special

from tensorcalc.kernels import elementwise as kernels

NAN, INF = np.nan, np.inf


def _softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


# name, exact function, intervals, NumPy's function for special arguments
TABLE: list[tuple[str, Callable[..., Any], list[tuple[float, float]], Callable[..., Any]]] = [
    ("exp", mpmath.exp, [(-745, 709), (-1, 1), (-1e-8, 1e-8)], np.exp),
    ("expm1", mpmath.expm1, [(-1, 1), (-50, 709), (-1e-8, 1e-8)], np.expm1),
    ("log", mpmath.log, [(1e-320, 1e-308), (0.5, 2), (0, 1e300)], np.log),
    ("log1p", mpmath.log1p, [(-0.99, 1), (-1e-8, 1e-8), (0, 1e18)], np.log1p),
    ("tanh", mpmath.tanh, [(-1, 1), (-25, 25), (-1e-8, 1e-8)], np.tanh),
    ("sigmoid", _sigmoid, [(-40, 40), (-740, 0)], special.expit),
    ("softplus", _softplus, [(-40, 40), (-740, 0), (0, 800)], lambda x: np.logaddexp(0, x)),
]
SPECIAL = np.array([NAN, INF, -INF, 0.0, -0.0, -1.0, 1.0, 1e308, -1e308, 5e-324, 1e3, -1e3])


def loop(name: str) -> Callable[..., Any]:
    """The function over an array, vectorised by LLVM."""
    function = getattr(kernels, name)

    @njit(error_model="numpy")
    def run(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.shape[0]):
            out[i] = function(x[i])

    def apply(x: Any) -> Any:
        out = np.empty_like(x)
        run(x, out)
        return out

    return apply


@pytest.mark.parametrize(("name", "exact", "intervals", "plain"), TABLE, ids=[t[0] for t in TABLE])
def test_accuracy(
    name: str,
    exact: Callable[..., Any],
    intervals: list[tuple[float, float]],
    plain: Callable[..., Any],
) -> None:
    """At most 2 ulp from the exact value, everywhere; special arguments as NumPy has them."""
    apply = loop(name)
    draw = np.random.default_rng(0)
    with mpmath.workdps(40):
        for low, high in intervals:
            x = draw.uniform(low, high, 300)
            for value, found in zip(x, apply(x), strict=True):
                wanted = exact(mpmath.mpf(float(value)))
                ulp = mpmath.mpf(float(np.spacing(abs(float(wanted)))))
                assert abs(mpmath.mpf(float(found)) - wanted) <= 2 * ulp, (name, value)
    with np.errstate(all="ignore"):
        expected = plain(SPECIAL)
    np.testing.assert_allclose(apply(SPECIAL), expected, rtol=4e-16, atol=0)


@pytest.mark.parametrize("x", [1e-5, 0.3, 1.0, 2.5, 9.99, 50.0, 1e6, -0.5, -3.3])
def test_gamma_functions(x: float) -> None:
    """digamma, polygamma and lgamma to 1e-12."""
    with mpmath.workdps(40):
        assert kernels.digamma(x) == pytest.approx(float(mpmath.digamma(x)), rel=1e-12, abs=1e-12)
        for order in (0, 1, 2, 5):
            wanted = float(mpmath.polygamma(order, x))
            found = kernels.polygamma(float(order), x)
            assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12)
        if x > 0:
            wanted = float(mpmath.loggamma(x))
            assert kernels.lgamma(x) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_selections_keep_nan() -> None:
    """max, min, sign and relu as in NumPy; a reciprocal of a zero norm is 0."""
    for a in (1.0, -2.0, NAN, INF):
        for b in (0.0, NAN, -INF):
            np.testing.assert_equal(kernels.maximum(a, b), np.maximum(a, b))
            np.testing.assert_equal(kernels.minimum(a, b), np.minimum(a, b))
        np.testing.assert_equal(kernels.sign(a), np.sign(a))
        np.testing.assert_equal(kernels.relu(a), np.maximum(a, 0))
    assert kernels.norm_power(0.0, -1.0) == 0
    assert kernels.norm_power(2.0, -1.0) == 0.5


def test_sums_vectorise_and_keep_nan() -> None:
    """`accumulate` frees the order of one addition, nothing else."""
    accumulate = kernels.accumulate

    @njit(error_model="numpy")
    def total(x):  # type: ignore[no-untyped-def]
        result = 0.0
        for i in range(x.shape[0]):
            result = accumulate(result, x[i])
        return result

    x = np.random.default_rng(0).normal(size=1003)
    assert total(x) == pytest.approx(x.sum(), rel=1e-12)
    assert np.isnan(total(np.array([1.0, NAN])))
    assert np.isnan(total(np.array([INF, -INF])))
    assert any("<4 x double>" in text or "<8 x double>" in text or "<2 x double>" in text
               for text in total.inspect_llvm().values())  # fmt: skip
