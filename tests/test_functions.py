"""The table of elementwise functions: derivatives against differences, templates against NumPy."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.special

from tensorcalc import exact
from tensorcalc.dims import Dim
from tensorcalc.elaborate.calls import CALLS
from tensorcalc.functions import ARGUMENTS, COMPARISONS, FUNCTIONS
from tensorcalc.interpret import evaluate, interpret
from tensorcalc.ir import Map, Variable
from tensorcalc.templates import scalar_formula

# functions that NumPy and SciPy have for complex arguments, and that are analytic there
ANALYTIC = (
    "exp log log1p expm1 sin cos tan arcsin arccos arctan sinh cosh tanh pow digamma erf".split()
)
DERIVATIVES = [
    (name, k)
    for name, entry in FUNCTIONS.items()
    for k, text in enumerate(entry.derivatives)
    if text
]
N = Dim.of("n")


def points(name: str) -> list[np.ndarray[Any, Any]]:
    """Arguments inside the domain, no ties and no kinks."""
    entry = FUNCTIONS[name]
    low, high = entry.domain
    rng = np.random.default_rng(1)
    arguments = [rng.uniform(low, high, 50) for _ in range(entry.arity)]
    if name == "polygamma":
        arguments[0] = np.arange(50.0) % 4
    return arguments


def apply(name: str, arguments: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """The function by the interpreter."""
    names = ARGUMENTS[: len(arguments)]
    node = Map.of(name, tuple(Variable.of(n, (N,)) for n in names))
    return interpret([node], dict(zip(names, arguments, strict=True)))[0]


@pytest.mark.parametrize(("name", "position"), DERIVATIVES)
def test_derivative_against_differences(name: str, position: int) -> None:
    """Each derivative of the table equals a fourth-order difference quotient."""
    arguments = points(name)
    text = FUNCTIONS[name].derivatives[position]
    assert text is not None
    node = scalar_formula(text)
    slopes = [
        evaluate(
            [node],
            {a: np.asarray(v) for a, v in zip(ARGUMENTS, row, strict=False)},
            {},
            np.dtype(float),
        )[0]
        for row in zip(*arguments, strict=True)
    ]
    step = 1e-4

    def moved(k: int) -> np.ndarray[Any, Any]:
        shifted = list(arguments)
        shifted[position] = shifted[position] + k * step
        return apply(name, shifted)

    quotient = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step)
    np.testing.assert_allclose(slopes, quotient, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ANALYTIC)
def test_derivative_by_complex_step(name: str) -> None:
    """Analytic functions: the derivative to full precision by a complex step (Squire and Trapp)."""
    arguments = points(name)
    text = FUNCTIONS[name].derivatives[0]
    assert text is not None
    node = scalar_formula(text)
    code = FUNCTIONS[name].numpy.format(*ARGUMENTS)
    function = eval(f"lambda {', '.join(ARGUMENTS[: len(arguments)])}: {code}")  # noqa: S307
    exact = function(arguments[0] + 1e-20j, *arguments[1:]).imag / 1e-20
    slopes = [
        evaluate(
            [node], dict(zip(ARGUMENTS, map(np.asarray, row), strict=False)), {}, np.dtype(float)
        )[0]
        for row in zip(*arguments, strict=True)
    ]
    np.testing.assert_allclose(slopes, exact, rtol=1e-12, atol=1e-14)


EXTREME = [
    -np.inf,
    -1e308,
    -800.0,
    -40.0,
    -1.0,
    -1e-300,
    -0.0,
    0.0,
    1e-300,
    1.0,
    40.0,
    800.0,
    1e308,
    np.inf,
    np.nan,
]


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_numpy_template_against_interpreter(name: str) -> None:
    """The template runs as printed and gives the interpreter's value, at extreme points too."""
    entry = FUNCTIONS[name]
    arguments = points(name)
    if name != "polygamma":
        grid = np.array(list(product(EXTREME, repeat=entry.arity))).T
        arguments = [np.concatenate([a, g]) for a, g in zip(arguments, grid, strict=True)]
    names = ARGUMENTS[: entry.arity]
    scope = {"np": np, "scipy": scipy, **dict(zip(names, arguments, strict=True))}
    with np.errstate(all="ignore"):
        printed = eval(entry.numpy.format(*names), scope)  # noqa: S307
    np.testing.assert_allclose(np.asarray(printed, float), apply(name, arguments), rtol=1e-13)


STABLE = [
    ("softplus", 800.0, 800.0), ("softplus", -800.0, 0.0), ("sigmoid", -40.0, np.exp(-40.0)),
    ("sigmoid", 800.0, 1.0), ("log1p", 1e-18, 1e-18), ("expm1", 1e-18, 1e-18), ("tanh", 800.0, 1.0),
    ("lgamma", 1e10, scipy.special.gammaln(1e10)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "argument", "value"), STABLE)
def test_stable_values(name: str, argument: float, value: float) -> None:
    """Functions that exist for their stability have it."""
    np.testing.assert_allclose(apply(name, [np.array([argument])]), [value], rtol=1e-15)


KINKS = [
    ("abs", (0.0,), 0, 0.0), ("relu", (0.0,), 0, 0.0), ("sign", (0.0,), 0, 0.0),
    ("max", (1.0, 1.0), 0, 0.5), ("max", (1.0, 1.0), 1, 0.5), ("min", (1.0, 1.0), 0, 0.5),
    ("min", (1.0, 1.0), 1, 0.5), ("softplus", (800.0,), 0, 1.0), ("sigmoid", (40.0,), 0, np.exp(-40.0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "point", "position", "slope"), KINKS)
def test_slopes_at_kinks_and_far_out(
    name: str, point: tuple[float, ...], position: int, slope: float
) -> None:
    """The subgradient of least norm; ties share equally; no cancellation far out."""
    text = FUNCTIONS[name].derivatives[position]
    assert text is not None
    values = dict(zip(ARGUMENTS, map(np.asarray, point), strict=False))
    found = evaluate([scalar_formula(text)], values, {}, np.dtype(float))[0]
    np.testing.assert_allclose(found, slope, rtol=1e-14)


def test_exact_values_agree_with_numpy() -> None:
    """The constructor's table of exact values is NumPy's."""
    for (name, x), y in exact.EXACT.items():
        assert apply(name, [np.array([float(x)])])[0] == float(y)


def test_every_function_can_be_written() -> None:
    """Each function is a call, a comparison or a power; arity and templates agree."""
    assert {*CALLS, *COMPARISONS.values(), "pow"} == set(FUNCTIONS)
    for entry in FUNCTIONS.values():
        arguments = [f"<{k}>" for k in range(entry.arity)]
        for template in (entry.numpy, entry.latex):
            assert all(a in template.format(*arguments) for a in arguments)
