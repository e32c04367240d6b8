"""The table of matrix functions: every differential against differences, value and batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import canonical, differentiate
from tensorcalc.dims import Dim, Dims
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Node, Variable
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS

B, N, M = Dim.of("b"), Dim.of("n"), Dim.of("m")
SIZES = {"b": 2, "n": 3, "m": 4}
K = Variable.of("k", (), frozenset({"integer"}))
THREE = np.array(3.0)
FLOAT = np.dtype(np.float64)


def argument_dims(name: str) -> Dims:
    """The dims of the function's argument."""
    square = "(n, n)" in MATRIX_FUNCTIONS[name].argument
    return {1: (N,), 2: (N, N) if square else (N, M)}[MATRIX_FUNCTIONS[name].rank]


def applied(name: str, variable: Variable) -> Node:
    """The function of a variable; a power is the third."""
    batch = variable.rank - MATRIX_FUNCTIONS[name].rank
    exponent = canonical.einsum(batch, variable.dims[:batch], [(K, ())])
    parameters = [exponent] if MATRIX_FUNCTIONS[name].parameter else []
    return canonical.matrix_function(name, variable, *parameters)


def sample(dims: Dims, seed: int) -> np.ndarray[Any, Any]:
    """A random array; square ones are well conditioned with a positive determinant."""
    shape = [d.value(SIZES) for d in dims]
    array = np.random.default_rng(seed).normal(size=shape)
    if len(shape) >= 2 and shape[-1] == shape[-2]:
        array = 0.3 * array + 2 * np.eye(shape[-1])
    return array


@pytest.mark.parametrize("batch", [(), (B,)], ids=["alone", "batched"])
@pytest.mark.parametrize("name", list(MATRIX_FUNCTIONS))
def test_differential_against_differences(name: str, batch: Dims) -> None:
    """Forward mode in a random direction equals the difference quotient; a batch goes one by one."""
    dims = (*batch, *argument_dims(name))
    variable, direction = Variable.of("X", dims), Variable.of("dX", dims)
    node = applied(name, variable)
    tangent = differentiate.jvp(node, {variable: direction})
    assert tangent.dims == node.dims
    x, v, step = sample(dims, 1), np.random.default_rng(2).normal(size=sample(dims, 1).shape), 1e-3

    def at(k: int) -> np.ndarray[Any, Any]:
        return evaluate([node], {"X": x + k * step * v, "k": THREE}, SIZES, FLOAT)[0]

    quotient = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
    found = evaluate([tangent], {"X": x, "dX": v, "k": THREE}, SIZES, FLOAT)[0]
    np.testing.assert_allclose(found, quotient, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", list(MATRIX_FUNCTIONS))
def test_reverse_is_the_transpose_of_forward(name: str) -> None:
    """``<u, J v> = <J' u, v>``."""
    dims = argument_dims(name)
    variable, direction = Variable.of("X", dims), Variable.of("dX", dims)
    node = applied(name, variable)
    cotangent = Variable.of("U", node.dims)
    tangent = differentiate.jvp(node, {variable: direction})
    pulled = differentiate.vjp(node, cotangent, [variable])[variable]
    values = {"X": sample(dims, 1), "dX": sample(dims, 2), "U": sample(node.dims, 3), "k": THREE}
    jv, ju = evaluate([tangent, pulled], values, SIZES, FLOAT)
    np.testing.assert_allclose(np.sum(jv * values["U"]), np.sum(ju * values["dX"]))


@pytest.mark.parametrize("name", list(MATRIX_FUNCTIONS))
def test_second_derivative_is_symmetric(name: str) -> None:
    """Differentiated twice in two directions, either order gives the same."""
    dims = argument_dims(name)
    variable, u, v = (Variable.of(n, dims) for n in ("X", "U", "V"))
    node = applied(name, variable)

    def twice(first: Variable, second: Variable) -> Any:
        once = differentiate.jvp(node, {variable: first})
        return differentiate.jvp(once, {variable: second})

    values = {"X": sample(dims, 1), "U": sample(dims, 2), "V": sample(dims, 3), "k": THREE}
    uv, vu = evaluate([twice(u, v), twice(v, u)], values, SIZES, FLOAT)
    np.testing.assert_allclose(uv, vu, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["norm2", "normF"])
def test_gradient_of_a_norm_at_zero_is_zero(name: str) -> None:
    """The subgradient of least norm."""
    dims = argument_dims(name)
    variable = Variable.of("X", dims)
    gradient = differentiate.differentiate(applied(name, variable), variable)
    zero = np.zeros(sample(dims, 1).shape)
    assert not np.any(evaluate([gradient], {"X": zero}, SIZES, FLOAT)[0])


def test_entries_say_their_shapes() -> None:
    """The declared argument has the rank that the entry says."""
    for entry in MATRIX_FUNCTIONS.values():
        assert entry.rank == (1 if "vector" in entry.argument else 2)
        assert entry.result in (0, entry.rank)


POWERS = ["X^k", "X^(-k)", "X^(1 - k)", "X^(2*k - 1)", "X^(k - 2)", "tr(X^k)", "tr(X^(-k)*X)"]


@pytest.mark.parametrize("k", [-2, -1, 0, 1, 2, 3])
@pytest.mark.parametrize("formula", POWERS)
def test_powers_of_either_sign(formula: str, k: int) -> None:
    """The first two derivatives of a symbolic power are right for negative exponents, too."""
    text = f"k : scalar integer; X : matrix(n, n); {formula}"
    x, v = 0.3 * np.random.default_rng(1).normal(size=(2, 2, 2)) + np.eye(2)
    step = 1e-3
    for names in (["X"], ["X", "X"]):
        before, after = tc.diff(text, *names[1:]), tc.diff(text, *names)

        def at(place: int, before: tc.Expr = before) -> np.ndarray[Any, Any]:
            return before.evaluate(X=x + place * step * v, k=k)

        quotient = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
        found = np.tensordot(after.evaluate(X=x, k=k), v, 2)
        np.testing.assert_allclose(found, quotient, rtol=1e-7, atol=1e-8)
