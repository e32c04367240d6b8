"""Regression and the quadratic form: few arrays, and hardly more work than reading them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.workload import Array, Results, Workload, gram

# ── logistic regression ──────────────────────────────────────────────────────────────────────


def logistic_data(rng: np.random.Generator, m: int, n: int) -> dict[str, Array]:
    """Standard normal samples (m, n) with random labels -1 and 1."""
    samples = rng.standard_normal((m, n))
    labels = np.sign(rng.standard_normal(m))
    return {"X": samples, "y": labels, "w": rng.standard_normal(n) / np.sqrt(n)}


def logistic_numpy(X: Array, y: Array, w: Array) -> Results:
    """Two products with X, and one exponential a sample that cannot overflow."""
    z = X @ w
    z *= y
    e = np.exp(-np.abs(z))
    value = np.log1p(e).sum() - np.minimum(z, 0.0).sum()
    p = np.where(z > 0.0, e, 1.0)
    p /= 1.0 + e
    p *= y
    return value, -(p @ X)


def logistic_jax(jax: Any, X: Any, y: Any, w: Any) -> Any:
    """The formula of the program."""
    return jax.numpy.sum(jax.numpy.log1p(jax.numpy.exp(-y * (X @ w))))


LOGISTIC = "X : matrix(m, n); y : vector(m); w : vector(n)\nsum(log(1 + exp(-y.*(X*w))))"


def logistic_hessian_numpy(X: Array, y: Array, w: Array) -> Results:
    """The Gram matrix of the samples scaled by the roots of their weights, by half a product."""
    p = 1.0 / (1.0 + np.exp(-(X @ w)))
    return (gram(X * np.sqrt(p * (1.0 - p))[:, None]),)


def logistic_hvp_data(rng: np.random.Generator, m: int, n: int) -> dict[str, Array]:
    """The same and a direction."""
    return {**logistic_data(rng, m, n), "dw": rng.standard_normal(n)}


def logistic_hvp_numpy(X: Array, y: Array, w: Array, dw: Array) -> Results:
    """Both products with X in one pass, and one with its transpose."""
    z, dz = (X @ np.stack([w, dw], 1)).T
    p = 1.0 / (1.0 + np.exp(-z))
    return ((p * (1.0 - p) * dz) @ X,)


# ── least squares, plain and robust ──────────────────────────────────────────────────────────


def regression_data(rng: np.random.Generator, m: int, n: int) -> dict[str, Array]:
    """Samples (m, n), weights, labels some way off, and the weight of the penalty."""
    X = rng.standard_normal((m, n))
    w = rng.standard_normal(n)
    return {"X": X, "y": X @ w + 2.0 * rng.standard_normal(m), "w": w, "lam": np.array(0.1)}


def ridge_numpy(X: Array, y: Array, w: Array, lam: Array) -> Results:
    """Two products with X."""
    r = X @ w
    r -= y
    return r @ r + lam * (w @ w), 2.0 * (r @ X) + 2.0 * lam * w


def ridge_jax(jax: Any, X: Any, y: Any, w: Any, lam: Any) -> Any:
    """The formula of the program."""
    r = X @ w - y
    return r @ r + lam * (w @ w)


RIDGE = """X : matrix(m, n); y : vector(m); w : vector(n); lam : scalar
norm2(X*w - y)^2 + lam*w'*w"""


def huber_numpy(X: Array, y: Array, w: Array, lam: Array) -> Results:
    """The residual cut off at 1 is the derivative, and gives the value without a branch."""
    r = X @ w
    r -= y
    c = np.clip(r, -1.0, 1.0)
    return c @ (r - 0.5 * c) + lam * (w @ w), c @ X + 2.0 * lam * w


def huber_jax(jax: Any, X: Any, y: Any, w: Any, lam: Any) -> Any:
    """The formula of the program."""
    r = X @ w - y
    a = jax.numpy.abs(r)
    return jax.numpy.where(a <= 1.0, 0.5 * r * r, a - 0.5).sum() + lam * (w @ w)


HUBER = """X : matrix(m, n); y : vector(m); w : vector(n); lam : scalar
r = X*w - y
sum(where(abs(r) <= 1, 0.5*r.^2, abs(r) - 0.5)) + lam*w'*w"""


# ── quadratic form ───────────────────────────────────────────────────────────────────────────


def quadratic_data(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """A vector (n,) and a matrix (n, n) without symmetry."""
    return {"x": rng.standard_normal(n), "A": rng.standard_normal((n, n))}


def quadratic_numpy(x: Array, A: Array) -> Results:
    """Two products with A."""
    right = A @ x
    return x @ right, right + x @ A


def quadratic_hessian_numpy(x: Array, A: Array) -> Results:
    """The Hessian first: it gives the gradient, and that the value."""
    hessian = A + A.T
    gradient = hessian @ x
    return 0.5 * (gradient @ x), gradient, hessian


def quadratic_jax(jax: Any, x: Any, A: Any) -> Any:
    """The formula of the program."""
    return x @ A @ x


QUADRATIC = "x : vector(n); A : matrix(n, n)\nx'*A*x"


REGRESSION = [
    Workload(
        "logistic",
        "sum log(1 + exp(-y.Xw)): value and gradient, few features",
        LOGISTIC,
        ("", "w"),
        {"S": (4000, 50), "M": (40_000, 50), "L": (400_000, 50)},
        logistic_data,
        logistic_numpy,
        logistic_jax,
    ),
    Workload(
        "logistic_wide",
        "the same, many features",
        LOGISTIC,
        ("", "w"),
        {"S": (200, 100), "M": (2000, 1000), "L": (8000, 4000)},
        logistic_data,
        logistic_numpy,
        logistic_jax,
    ),
    Workload(
        "logistic_hessian",
        "the same: Hessian",
        LOGISTIC,
        ("w w",),
        {"S": (100, 50), "M": (1000, 500), "L": (4000, 2000)},
        logistic_data,
        logistic_hessian_numpy,
        logistic_jax,
    ),
    Workload(
        "logistic_hvp",
        "the same: Hessian times a direction, few features",
        LOGISTIC,
        ("hvp w",),
        {"S": (200, 100), "M": (40_000, 50), "L": (400_000, 50)},
        logistic_hvp_data,
        logistic_hvp_numpy,
        logistic_jax,
    ),
    Workload(
        "ridge",
        "|Xw - y|^2 + lam |w|^2: value and gradient",
        RIDGE,
        ("", "w"),
        {"S": (4000, 50), "M": (2000, 1000), "L": (400_000, 50)},
        regression_data,
        ridge_numpy,
        ridge_jax,
    ),
    Workload(
        "huber",
        "the same with Huber's loss instead of the square",
        HUBER,
        ("", "w"),
        {"S": (4000, 50), "M": (2000, 1000), "L": (400_000, 50)},
        regression_data,
        huber_numpy,
        huber_jax,
    ),
    Workload(
        "quadratic",
        "x'Ax: value and gradient",
        QUADRATIC,
        ("", "x"),
        {"S": (10,), "M": (300,), "L": (3000,)},
        quadratic_data,
        quadratic_numpy,
        quadratic_jax,
    ),
    Workload(
        "quadratic_hessian",
        "x'Ax: value, gradient and Hessian",
        QUADRATIC,
        ("", "x", "x x"),
        {"S": (10,), "M": (300,), "L": (2000,)},
        quadratic_data,
        quadratic_hessian_numpy,
        quadratic_jax,
    ),
    Workload(
        "quadratic_tiny",
        "the same, so small that the call is most of the time",
        QUADRATIC,
        ("", "x", "x x"),
        {"S": (3,), "M": (5,), "L": (10,)},
        quadratic_data,
        quadratic_hessian_numpy,
        quadratic_jax,
    ),
]
