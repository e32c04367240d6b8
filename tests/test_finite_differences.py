"""Finite differences: how precise they are, what they find, and the points they are taken at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.finite_differences import (
    MADE,
    MAX_DIRECTIONS,
    PROJECTED,
    check,
    compare,
    sample,
    slope,
    tangents,
)
from tensorcalc.ir import Variable

SLOPES: list[tuple[str, Callable[[float], Any], float]] = [
    ("smooth", lambda t: np.exp(t), 1.0),
    ("polynomial", lambda t: (1 + t) ** 3, 3.0),
    ("steep", lambda t: np.tanh(1e3 * t), 1e3),
    ("asymptotes tempt", lambda t: np.logaddexp(0, 1e3 * (t - 1e-3)) * 1e-3, 1 / (1 + np.e)),
    ("flat", lambda t: 1e6 + t**2, 0.0),
    ("small range", lambda t: np.log(1e-3 + t), 1e3),
    ("oscillating", lambda t: np.sin(50 * t), 50.0),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "function", "expected"), SLOPES, ids=[s[0] for s in SLOPES])
def test_slope(name: str, function: Callable[[float], Any], expected: float) -> None:
    """The slope at 0 is precise, and the estimate of its error is honest."""
    value, error = slope(lambda t: np.asarray(function(t)))
    assert abs(value - expected) <= 1e-7 * max(1.0, abs(expected)), name
    assert abs(value - expected) <= 3 * error + 1e-12, name


def test_slope_of_an_array() -> None:
    """Every entry has its own best step."""
    rates = np.array([1e-3, 1.0, 1e3])
    value, _ = slope(lambda t: np.sin(rates * t))
    np.testing.assert_allclose(value, rates, rtol=1e-8)


def test_compare_finds_one_wrong_entry() -> None:
    """The largest difference is that of the wrong entry."""
    x = np.array([0.5, 1.0, 2.0])
    right = np.diag(3 * x**2)
    assert compare(lambda x: x**3, right, x).agrees()
    wrong = right + np.array([[0, 0, 0], [0, 0, 1e-4], [0, 0, 0]])
    found = compare(lambda x: x**3, wrong, x)
    assert not found.agrees()
    assert found.difference == pytest.approx(1e-4, rel=1e-6)
    assert found.directions == 3


def test_compare_is_not_conclusive_at_a_kink() -> None:
    """Where the function is not finite around the point, nothing agrees."""
    with np.errstate(invalid="ignore"):
        found = compare(lambda x: np.sqrt(x), np.eye(1), np.zeros(1))
    assert not found.is_conclusive
    assert not found.agrees()


HAS: dict[str, Callable[[Any], bool]] = {
    "symmetric": lambda a: np.allclose(a, a.T),
    "skew": lambda a: np.allclose(a, -a.T),
    "diagonal": lambda a: np.allclose(a, np.diag(np.diag(a))),
    "lower": lambda a: np.allclose(a, np.tril(a)),
    "upper": lambda a: np.allclose(a, np.triu(a)),
    "orthogonal": lambda a: np.allclose(a @ a.T, np.eye(len(a)), atol=1e-5),
    "spd": lambda a: np.allclose(a, a.T) and bool(np.linalg.eigvalsh(a)[0] > 0),
    "invertible": lambda a: bool(np.linalg.cond(a) < 1e3),
    "positive": lambda a: bool(np.all(a > 0)),
    "nonnegative": lambda a: bool(np.all(a >= 0)),
    "integer": lambda a: bool(np.all(a == np.round(a))),
}


@pytest.mark.parametrize("fact", HAS)
def test_samples_and_tangents_keep_properties(fact: str) -> None:
    """A drawn matrix has the property, and small steps along the tangents keep it."""
    n = Dim.of("n")
    variable = Variable.of("X", (n, n), frozenset({fact}))
    rng = np.random.default_rng(0)
    point = sample(variable, {"n": 4}, rng)
    assert HAS[fact](point)
    if fact == "integer":
        return
    directions = list(tangents(variable, point, rng))
    assert directions
    assert all(HAS[fact](point + 1e-4 * direction) for direction in directions)


def test_properties_are_those_of_the_language() -> None:
    """Every square kind of a declaration has a way to make it and to move it."""
    from tensorcalc.declarations import KINDS

    square = {kind for kind, (_, times) in KINDS.items() if times == 2}
    assert square == PROJECTED.keys() == MADE.keys() - {"invertible"}


def test_large_variables_are_sampled() -> None:
    """A variable of many entries is moved in some random directions."""
    n = Dim.of("n")
    variable = Variable.of("X", (n, n))
    rng = np.random.default_rng(0)
    directions = list(tangents(variable, np.zeros((40, 40)), rng))
    assert len(directions) == MAX_DIRECTIONS


FORMULAS = [
    ("sum(log(x))", ("x",)),
    ("logdet(A'*A)", ("A",)),
    ("x : vector(n) positive; sum(sqrt(x))", ("x", "x")),
    ("S : spd(n); x'*inv(S)*x", ("S",)),
    ("sum(arcsin(x))", ("x",)),
    ("X : matrix(m*n, n); x : vector(n); sum(exp(X*x))", ("X",)),
]


@pytest.mark.parametrize(("text", "names"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_check(text: str, names: tuple[str, ...]) -> None:
    """Points are found in the domain, and the derivatives agree there."""
    found = check(tc.parse(text), names)
    assert found.agrees()
    assert found.relative < 1e-8


def test_check_says_when_there_is_no_point() -> None:
    """A formula that is never finite is an error that says what to do."""
    with pytest.raises(DomainError, match="no point"):
        check(tc.parse("sum(log(-x.*x))"), ("x",))
