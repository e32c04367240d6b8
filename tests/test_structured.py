"""Derivatives by the free parameters of structured matrices, against the chain rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.errors import DomainError

Array = np.ndarray[Any, np.dtype[Any]]
N = 3
FORMULAS = [
    "tr(A*S)", "logdet(eye + S'*S)", "tr(S*S*A)", "x'*inv(S + 5*eye)*x", "x'*S*A*x", "S*x", "S*A",
    "expm(S)*x", "x'*S*x*tr(S)",
]  # fmt: skip


def places(structure: str) -> list[Array]:
    """How the entries change with each free parameter."""
    found = []
    for i in range(N):
        for j in range(i + 1):
            unit, mirror = np.zeros((N, N)), np.zeros((N, N))
            unit[i, j], mirror[j, i] = 1, 1
            match structure:
                case "symmetric" | "spd":
                    found.append(np.maximum(unit, mirror))
                case "skew" if i != j:
                    found.append(unit - mirror)
                case "diagonal" if i == j:
                    found.append(unit)
                case "lower":
                    found.append(unit)
                case "upper":
                    found.append(mirror)
    return found


def value_of(structure: str) -> Array:
    """A matrix of the structure."""
    rng = np.random.default_rng(1)
    matrix = sum(rng.normal() * place for place in places(structure))
    return np.asarray(matrix + (4 * np.eye(N) if structure == "spd" else 0))


def entry(derivative: Array, place: Array, structure: str) -> Array:
    """What the last two axes say of one parameter: the entry where it stands first."""
    order = np.argwhere(place > 0 if structure == "skew" else place)
    i, j = order[0]
    return np.asarray(derivative[..., i, j])


@pytest.mark.parametrize("structure", "symmetric spd skew diagonal lower upper".split())
@pytest.mark.parametrize("formula", FORMULAS)
def test_against_the_chain_rule(structure: str, formula: str) -> None:
    """First and second derivatives are those by the parameters that the entries depend on."""
    text = f"S : {structure}(n); A : matrix(n, n); x : vector(n)\n{formula}"
    rng = np.random.default_rng(2)
    data = {"S": value_of(structure), "A": rng.normal(size=(N, N)), "x": rng.normal(size=N)}
    if structure == "lower" or structure == "upper":
        data["S"] = data["S"] + np.eye(N)
    expression = tc.parse(text)
    known = {name: data[name] for name in expression.variables}

    def entries(*names: str) -> Array:
        return np.asarray(tc.diff(expression, *names).evaluate(**known))

    def free(*names: str) -> Array:
        return np.asarray(tc.diff(expression, *names, structured=True).evaluate(**known))

    first, second = entries("S"), entries("S", "S")
    free_first, free_second = free("S"), free("S", "S")
    for place in places(structure):
        expected = np.tensordot(first, place, 2)
        found = entry(free_first, place, structure)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        for other in places(structure):
            expected = np.tensordot(np.tensordot(second, other, 2), place, 2)
            inner = entry(free_second, other, structure)
            np.testing.assert_allclose(entry(inner, place, structure), expected, atol=1e-9)
    mixed = free("S", "x")
    np.testing.assert_allclose(
        np.moveaxis(mixed, -1, -3), free("x", "S"), atol=1e-9, err_msg="mixed"
    )


@pytest.mark.parametrize(("structure", "form"), [
    ("symmetric", "A + A' - diag(diag(A))"), ("skew", "A' - A"), ("diagonal", "diag(diag(A))"),
])  # fmt: skip
def test_forms(structure: str, form: str) -> None:
    """The formulas of the language."""
    derivative = tc.diff(f"S : {structure}(n); tr(A*S)", "S", structured=True)
    assert str(derivative) == form


def test_what_is_not_triangular_is_zero() -> None:
    """By a triangular matrix only its own side has derivatives."""
    a = np.arange(1.0, 10.0).reshape(3, 3)
    for structure, side in (("lower", np.tril), ("upper", np.triu)):
        derivative = tc.diff(f"S : {structure}(n); tr(A'*S)", "S", structured=True)
        np.testing.assert_array_equal(derivative.evaluate(A=a), side(a))


def test_orthogonal_is_refused() -> None:
    """There are no free parameters; the error says so, and what to do."""
    with pytest.raises(DomainError, match="Q is orthogonal") as caught:
        tc.diff("Q : orthogonal(n); tr(A*Q)", "Q", structured=True)
    assert "without `structured`" in str(caught.value.hint)
