"""Logistic regression on the breast-cancer data: a compiled gradient in SciPy, and Newton's method.

Run it from anywhere: ``python examples/logistic.py``. It prints the gradient in matrix notation,
the optimum that L-BFGS finds with it, and how far that is from the optimum of an independent
Newton iteration in plain NumPy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

import tensorcalc as tc

Array = NDArray[np.float64]

HERE = Path(__file__).parent
PENALTY = 1.0


def read_data() -> tuple[Array, Array]:
    """Standardised features (569, 30) and labels (569,), which are -1 or 1."""
    table = np.loadtxt(HERE / "breast_cancer.csv", delimiter=",", skiprows=1)
    features, labels = table[:, :-1], table[:, -1]
    return (features - features.mean(axis=0)) / features.std(axis=0), labels


def optimise(X: Array, y: Array, c: float) -> tuple[Array, float]:
    """Weights and objective by L-BFGS with the value and gradient that tensorcalc compiles."""
    objective = tc.parse((HERE / "logistic_matrix.tc").read_text())
    print("objective ", objective)
    print("gradient  ", tc.diff(objective, "w"))
    function = tc.value_and_grad(objective, "w", X=X, y=y, c=c)
    options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9}
    start = np.zeros(X.shape[1])
    found = minimize(function, start, jac=True, method="L-BFGS-B", options=options)
    return found.x, float(found.fun)


def newton(X: Array, y: Array, c: float) -> tuple[Array, float]:
    """Weights and objective by Newton's method, written by hand."""
    w = np.zeros(X.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(y * (X @ w)))
        gradient = c * w - X.T @ (y * p)
        hessian = c * np.eye(len(w)) + (X.T * (p * (1 - p))) @ X
        step = np.linalg.solve(hessian, gradient)
        w = w - step
        if np.linalg.norm(step) < 1e-13 * np.linalg.norm(w):
            break
    return w, float(np.sum(np.logaddexp(0, -y * (X @ w))) + c / 2 * w @ w)


def main() -> None:
    """Compare the two optima."""
    X, y = read_data()
    weights, value = optimise(X, y, PENALTY)
    expected, lowest = newton(X, y, PENALTY)
    correct = np.mean(np.sign(X @ weights) == y)
    print(f"optimum    {value:.10f} (L-BFGS with the compiled gradient)")
    print(f"           {lowest:.10f} (Newton's method in NumPy)")
    print(f"difference {abs(value - lowest):.1e} in the objective")
    print(f"           {np.max(np.abs(weights - expected)):.1e} in the weights")
    print(f"           {correct:.1%} of the samples are on the right side")


if __name__ == "__main__":
    main()
