"""Arrays of other libraries as arguments: the DLPack protocol, without a library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.binding import read_array

A = np.arange(9.0).reshape(3, 3)
X = np.array([1.0, -2.0, 0.5])


class Foreign:
    """An array that only DLPack gives away; `device` is where it says it is."""

    def __init__(self, array: Any, device: int = 1) -> None:
        self.array, self.device = np.asarray(array), device

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


class Recorded(Foreign):
    """One that records what is done to it."""

    requires_grad = True


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "kernel by name": lambda a, x: tc.compile("A*x")(A=a, x=x),
    "kernel by position": lambda a, x: tc.compile("A*x")(a, x),
    "interpreter": lambda a, x: tc.parse("A*x").evaluate(A=a, x=x),
    "einsum": lambda a, x: tc.einsum("ij,j->i", a, x),
    "einsum with labels": lambda a, x: tc.einsum(a, [0, 1], x, [1]),
    "einsum in an order": lambda a, x: tc.einsum("ij,j->i", a, x, order="A"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values(way: str, dtype: Any) -> None:
    """Whatever takes arrays takes such ones, and computes in their type."""
    a, x = A.astype(dtype), X.astype(dtype)
    for given in [
        (Foreign(a), Foreign(x)),
        (Foreign(a), x),
        (a, Foreign(x)),
        (Foreign(a.T.copy().T), x),
    ]:
        found = WAYS[way](*given)
        assert found.dtype == dtype
        assert np.allclose(found, a @ x)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Foreign(X, device=2), "on another device"),
        (Recorded(X), "requires a gradient"),
        (Foreign(np.array(["a", "b", "c"])), "cannot be read as an array"),
    ],
)
def test_refused(way: str, wrong: Any, message: str) -> None:
    """What cannot be read is one error."""
    with pytest.raises(tc.DomainError, match=message):
        WAYS[way](A, wrong)


def test_no_copy() -> None:
    """The memory is the same."""
    assert np.shares_memory(read_array("A", Foreign(A)), A)


def test_fast_calls_go_on() -> None:
    """Between calls with NumPy's arrays others do no harm."""
    kernel = tc.compile("A*x")
    for _ in range(3):
        for given in ((A, X), (Foreign(A), X), (A, X)):
            assert np.allclose(kernel(*given), A @ X)


def test_integers_stay_exact() -> None:
    """An `out` of integers takes the result of integers of another library."""
    out = np.zeros(3, np.int64)
    tc.einsum("ij,j->i", Foreign(A.astype(np.int64)), Foreign(np.array([1, 2, 3])), out=out)
    assert out.tolist() == (A @ [1, 2, 3]).tolist()
