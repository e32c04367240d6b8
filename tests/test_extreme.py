"""Values and derivatives at extreme arguments, against numbers of 60 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import pytest

import tensorcalc as tc

Function = Callable[[Any], Any]
FUNCTIONS: dict[str, Function] = {
    "exp": mp.exp, "expm1": mp.expm1, "log": mp.log, "log1p": mp.log1p,
    "softplus": lambda x: mp.log1p(mp.exp(x)), "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "tanh": mp.tanh, "sinh": mp.sinh, "cosh": mp.cosh, "erf": mp.erf, "arctan": mp.atan,
    "lgamma": mp.loggamma, "digamma": mp.digamma, "sqrt": mp.sqrt, "arcsin": mp.asin,
    "arccos": mp.acos, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan,
}  # fmt: skip
REAL = (-700, -40, -20, -1, "-1e-9", "1e-18", "1e-3", 1, 20, 40, 700)
POSITIVE = ("1e-18", "1e-3", 1, 20, "1e6")
UNIT = ("-0.999999", "-1e-9", "1e-18", "0.5", "0.999999")
POINTS: dict[str, tuple[object, ...]] = {
    "log": POSITIVE, "sqrt": POSITIVE, "lgamma": POSITIVE, "digamma": POSITIVE,
    "log1p": ("-0.999999", "-1e-9", "1e-18", 1, "1e6"), "arcsin": UNIT, "arccos": UNIT,
    "sin": (-20, "1e-18", 3), "cos": (-20, "1e-18", 3), "tan": (-20, "1e-18", "1.5"),
    "sinh": (-300, "1e-18", 300), "cosh": (-300, "1e-18", 300), "exp": (-700, "1e-18", 300),
    "expm1": (-40, "-1e-9", "1e-18", 300),
}  # fmt: skip


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_elementwise(name: str, order: int) -> None:
    """Each value, and each derivative to the fourth, to all digits that its size leaves."""
    derivative = tc.diff(f"a : scalar; {name}(a)", *["a"] * order)
    for point in POINTS.get(name, REAL):
        x = float(str(point))
        with mp.workdps(60):
            expected = float(mp.diff(FUNCTIONS[name], mp.mpf(x), order))
        found = float(derivative.evaluate(a=x))
        assert np.isfinite(found), f"{name} at {x}: {derivative}"
        scale = max(abs(expected), 1e-300 if order == 0 else 1e-4)
        assert abs(found - expected) <= 1e-9 * scale, f"{name} at {x}: {found}, {expected}"


# formula, variables, at which point, by which name, the derivative
EDGES: list[tuple[str, dict[str, Any], str, Any]] = [
    ("log(sum(exp(x)))", {"x": [1e3, -1e3]}, "", 1e3),
    ("log(sum(exp(x)))", {"x": [1e3, -1e3]}, "x", [1, 0]),
    ("logsumexp(x)", {"x": [-1e3, -1e3]}, "", -1e3 + np.log(2)),
    ("logsumexp(x)", {"x": [-1e3, -1e3]}, "x x", [[0.25, -0.25], [-0.25, 0.25]]),
    ("softmax(x)", {"x": [1e3, -1e3]}, "x", [[0, 0], [0, 0]]),
    ("log(softmax(x))", {"x": [1e3, -1e3]}, "", [0, -2e3]),
    ("log(1 + exp(a))", {"a": 800}, "a", 1),
    ("log(1 + exp(-a))", {"a": 800}, "a", 0),
    ("log(sigmoid(a))", {"a": -800}, "", -800),
    ("log(sigmoid(a))", {"a": -800}, "a", 1),
    ("1/(1 + exp(-a))", {"a": -800}, "a", 0),
    ("norm2(x)", {"x": [0, 0]}, "x", [0, 0]),
    ("norm2(x)^2", {"x": [0, 0]}, "x", [0, 0]),
    ("norm2(x)^3", {"x": [0, 0]}, "x x", [[0, 0], [0, 0]]),
    ("sqrt(x'*x)", {"x": [0, 0]}, "x", [0, 0]),
    ("norm2(x)", {"x": [3e-200, 4e-200]}, "", 5e-200),
    ("norm2(x)", {"x": [3e200, 4e200]}, "x", [0.6, 0.8]),
    ("normF(A)", {"A": np.zeros((2, 2))}, "A", np.zeros((2, 2))),
    ("norm1(x)", {"x": [0, -2]}, "x", [0, -1]),
    ("abs(a)", {"a": 0}, "a", 0),
    ("relu(a)", {"a": 0}, "a", 0),
    ("sqrt(a^2)", {"a": 0}, "a", 0),
    ("max(x)", {"x": [1, 1, 0]}, "x", [0.5, 0.5, 0]),
    ("min(x)", {"x": [1, 0, 0]}, "x", [0, 0.5, 0.5]),
    ("max(a, b)", {"a": 1, "b": 1}, "a", 0.5),
    ("sum(max(X, 2))", {"X": [[1, 1, 0], [0, 2, 1]]}, "X", [[0.5, 0.5, 0], [0, 1, 0]]),
    ("prod(x)", {"x": [0, 0, 2]}, "x x", [[0, 2, 0], [2, 0, 0], [0, 0, 0]]),
    ("prod(x)", {"x": [0, 3, 2]}, "x", [6, 0, 0]),
    ("a^2", {"a": -3}, "a", -6),
    ("a^3", {"a": -2}, "a a", -12),
    ("a^0", {"a": 0}, "a", 0),
    ("a^1", {"a": 0}, "a", 1),
    ("a^b", {"a": 0, "b": 0}, "", 1),
    ("a^b", {"a": -2, "b": 3}, "a", 12),
    ("sqrt(a)", {"a": 0}, "a", np.inf),
    ("arcsin(a)", {"a": 1}, "a", np.inf),
    ("arccos(a)", {"a": -1}, "a", -np.inf),
    ("where(a > 0, log(a), 0)", {"a": -1}, "a", 0),
    ("where(a > 0, sqrt(a), 0)", {"a": 0}, "a", 0),
    ("det(A)", {"A": [[1, 2], [2, 4]]}, "A", [[4, -2], [-2, 1]]),
    ("det(A)", {"A": np.zeros((3, 3))}, "A", np.zeros((3, 3))),
    ("det(A)", {"A": [[0]]}, "A", [[1]]),
    ("det(A*B)", {"A": [[1, 2], [2, 4]], "B": [[2, 0], [0, 1]]}, "A", [[8, -4], [-4, 2]]),
    ("sum[i](det(x[i]*A))", {"x": [1, 2], "A": [[1, 2], [2, 4]]}, "A", [[20, -10], [-10, 5]]),
]


@pytest.mark.parametrize(("formula", "point", "names", "expected"), EDGES)
def test_edges(formula: str, point: dict[str, Any], names: str, expected: Any) -> None:
    """Kinks, ties, zeros, singular matrices, overflow: what the language promises there."""
    data = {name: np.asarray(value, float) for name, value in point.items()}
    found = tc.diff(formula, *names.split()).evaluate(**data)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
