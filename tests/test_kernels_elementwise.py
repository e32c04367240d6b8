"""The elementwise kernels against mpmath at 40 digits, and at the special arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
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
    ("exp", mpmath.exp, [(-746, 709.7), (-1, 1), (-1e-8, 1e-8), (-746, -700)], np.exp),
    ("expm1", mpmath.expm1, [(-1, 1), (-0.4, 0.4), (-50, 709), (-1e-8, 1e-8)], np.expm1),
    ("log", mpmath.log, [(1e-320, 1e-308), (0.5, 2), (0.7, 0.72), (0, 1e300)], np.log),
    ("log1p", mpmath.log1p, [(-1, 1), (-0.3, 0.45), (-1e-8, 1e-8), (0, 1e18)], np.log1p),
    ("tanh", mpmath.tanh, [(-1, 1), (-25, 25), (-1e-8, 1e-8), (18, 20)], np.tanh),
    ("sigmoid", _sigmoid, [(-40, 40), (-1, 1), (-746, 0), (-746, -700)], special.expit),
    (
        "softplus",
        _softplus,
        [(-40, 40), (-2, 2), (-746, 0), (0, 740)],
        lambda x: np.logaddexp(0, x),
    ),
    ("sin", mpmath.sin, [(-4, 4), (-1e5, 1e5), (-3e5, 3e5), (-1e-8, 1e-8), (0, 1e300)], np.sin),
    ("cos", mpmath.cos, [(-4, 4), (-1e5, 1e5), (-3e5, 3e5), (-0.1, 0.1), (0, 1e300)], np.cos),
    ("erf", mpmath.erf, [(-1, 1), (-0.3, 0.3), (-6.5, 6.5), (-1e-8, 1e-8)], special.erf),
]
NAMES = [row[0] for row in TABLE]
ODD = ("expm1", "log1p", "tanh", "sin", "erf")  # f(-0) = -0
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


def _arguments(name: str, intervals: list[tuple[float, float]], count: int) -> Any:
    """Random arguments in every interval, of all magnitudes, and next to multiples of pi/2."""
    draw = np.random.default_rng(0)
    parts: list[Any] = [draw.uniform(low, high, count) for low, high in intervals]
    for low, high in ((-744, 709), (-40, 6)):
        size = np.exp(draw.uniform(low, high, count))
        parts.append(size * (1 if name == "log" else draw.choice((-1, 1), count)))
    if name in ("sin", "cos"):
        multiples = draw.integers(1, 180_000, count) * (np.pi / 2)
        parts += [multiples, np.nextafter(multiples, 0)]
    x = np.concatenate(parts)
    return x[x > -1] if name == "log1p" else x


def _assert_accurate(name: str, exact: Callable[..., Any], x: Any) -> None:
    """At most 2 ulp from the exact value."""
    with mpmath.workdps(40):
        for value, found in zip(x.tolist(), loop(name)(x).tolist(), strict=True):
            wanted = exact(mpmath.mpf(value)) if abs(value) < 750 or name != "softplus" else None
            nearest = max(value, 0.0) if wanted is None else float(wanted)
            if wanted is None or not np.isfinite(nearest):
                assert found == nearest, (name, value)
                continue
            error = abs(mpmath.mpf(found) - wanted)
            assert error <= 2 * mpmath.mpf(float(np.spacing(abs(nearest)))), (name, value)


@cache
def compiled(name: str) -> Callable[..., float]:
    """The function of one number, or of two."""
    function = getattr(kernels, name)
    if name in ("maximum", "minimum", "norm_power", "polygamma"):
        return njit(error_model="numpy")(lambda x, y: function(x, y))
    return njit(error_model="numpy")(lambda x: function(x))


@pytest.mark.parametrize(("name", "exact", "intervals", "plain"), TABLE, ids=NAMES)
def test_accuracy(
    name: str,
    exact: Callable[..., Any],
    intervals: list[tuple[float, float]],
    plain: Callable[..., Any],
) -> None:
    """At most 2 ulp from the exact value, everywhere; special arguments as NumPy has them."""
    _assert_accurate(name, exact, _arguments(name, intervals, 200))
    apply = loop(name)
    with np.errstate(all="ignore"):
        expected = plain(SPECIAL)
    found = apply(SPECIAL)
    np.testing.assert_allclose(found, expected, rtol=4e-16, atol=0)
    if name in ODD:
        zeros = np.array([0.0, -0.0])
        np.testing.assert_array_equal(np.signbit(apply(zeros)), [False, True])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "exact", "intervals", "plain"), TABLE, ids=NAMES)
def test_accuracy_densely(
    name: str,
    exact: Callable[..., Any],
    intervals: list[tuple[float, float]],
    plain: Callable[..., Any],
) -> None:
    """The same bound at many more arguments."""
    _assert_accurate(name, exact, _arguments(name, intervals, 40_000))


@pytest.mark.parametrize("name", NAMES)
def test_vectorised(name: str) -> None:
    """LLVM computes several values at once, also where a rare argument needs a call."""
    function = getattr(kernels, name)

    @njit(error_model="numpy")
    def run(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.shape[0]):
            out[i] = function(x[i])

    run(np.ones(8), np.ones(8))
    (text,) = run.inspect_llvm().values()
    assert re.search(r"= (fmul|fadd|fsub) <[248] x double>", text)


def test_far_arguments_among_near_ones() -> None:
    """The call for a huge argument leaves its neighbours as they are."""
    draw = np.random.default_rng(0)
    for name, plain in (("sin", np.sin), ("cos", np.cos)):
        x = draw.uniform(-9, 9, 203)
        for share in (0.0, 0.1, 0.5, 1.0):
            far = draw.random(203) < share
            mixed = np.where(far, x * 1e300, x)
            np.testing.assert_allclose(loop(name)(mixed), plain(mixed), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("x", [1e-5, 0.3, 1.0, 2.5, 9.99, 50.0, 1e6, -0.5, -3.3])
def test_gamma_functions(x: float) -> None:
    """digamma, polygamma and lgamma to 1e-12."""
    with mpmath.workdps(40):
        wanted = float(mpmath.digamma(x))
        assert compiled("digamma")(x) == pytest.approx(wanted, rel=1e-12, abs=1e-12)
        for order in (0, 1, 2, 5):
            wanted = float(mpmath.polygamma(order, x))
            found = compiled("polygamma")(float(order), x)
            assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12)
        if x > 0:
            wanted = float(mpmath.loggamma(x))
            assert compiled("lgamma")(x) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_selections_keep_nan() -> None:
    """max, min, sign and relu as in NumPy; a reciprocal of a zero norm is 0."""
    for a in (1.0, -2.0, NAN, INF):
        for b in (0.0, NAN, -INF):
            np.testing.assert_equal(compiled("maximum")(a, b), np.maximum(a, b))
            np.testing.assert_equal(compiled("minimum")(a, b), np.minimum(a, b))
        np.testing.assert_equal(compiled("sign")(a), np.sign(a))
        np.testing.assert_equal(compiled("relu")(a), np.maximum(a, 0))
    assert compiled("norm_power")(0.0, -1.0) == 0
    assert compiled("norm_power")(2.0, -1.0) == 0.5


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
