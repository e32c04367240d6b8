"""Derivatives in vec layout are the Jacobians of ``vec``, in whichever order sizes are named."""

from __future__ import annotations

import numpy as np
import pytest

import tensorcalc as tc

# products of entries beside transposes: a vector stands between the parts of a merged axis
FORMULAS = [
    "B.*(A'*A*A')", "B.*(A'*C*A')", "B.*pinv(A)", "cos(pinv(A))", "C.*A", "3*(B.*A')",
    "(B*A).*(B*C)", "B'.*(A*B*A)", "(A*B*A).*(C*B*A)", "B.*(B*A*C')", "pinv(A).*pinv(C)",
]  # fmt: skip


@pytest.mark.parametrize("sizes", [("p", "n"), ("n", "p")], ids="".join)
@pytest.mark.parametrize("text", FORMULAS)
def test_jacobian_of_vec(text: str, sizes: tuple[str, str]) -> None:
    """What is printed has the value of the derivative with its axes merged, columns first."""
    rows, columns = sizes
    declared = f"A, C : matrix({rows}, {columns}); B : matrix({columns}, {rows}); "
    rng = np.random.default_rng(0)
    shapes = {"A": (3, 2), "B": (2, 3), "C": (3, 2)}
    data = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    derivative = tc.diff(declared + text, "A")
    array = derivative.evaluate(**{name: data[name] for name in derivative.variables})
    m, n, p, q = array.shape
    expected = array.transpose(1, 0, 3, 2).reshape(m * n, p * q)
    shown = tc.parse(declared + derivative.to_text(layout="vec"))
    found = shown.evaluate(**{name: data[name] for name in shown.variables})
    np.testing.assert_allclose(found, expected, err_msg=str(shown))
