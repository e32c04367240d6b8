"""The workloads: each has data, a program for tensorcalc, and what its rivals compute instead.

Every rival gets the same float64 arrays in the order in which the program declares them. The NumPy
function is the best that an expert would write by hand: it shares every product that can be
shared, works in place, and never forms what is not asked for. The JAX function is the formula as
one would write it; `measure` differentiates and compiles it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Results = tuple[Any, ...]  # arrays, and NumPy's numbers


@dataclass(frozen=True, slots=True)
class Workload:
    """One formula with the results that are wanted of it, at several sizes."""

    name: str
    title: str
    program: str
    outputs: tuple[str, ...]  # "" is the value, "w" the gradient by w, "w w" the Hessian
    sizes: Mapping[str, tuple[int, ...]]
    data: Callable[..., dict[str, Array]]  # (generator, *size) -> arrays, in the declared order
    numpy: Callable[..., Results]
    jax: Callable[..., Any]  # (jax.numpy, *arrays) -> value

    def arrays(self, size: str) -> dict[str, Array]:
        """The data of one size, the same in every process."""
        return self.data(np.random.default_rng(0), *self.sizes[size])


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


def logistic_jax(jnp: Any, X: Any, y: Any, w: Any) -> Any:
    """The formula of the program."""
    return jnp.sum(jnp.log1p(jnp.exp(-y * (X @ w))))


LOGISTIC = "X : matrix(m, n); y : vector(m); w : vector(n)\nsum(log(1 + exp(-y.*(X*w))))"


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


def quadratic_jax(jnp: Any, x: Any, A: Any) -> Any:
    """The formula of the program."""
    return x @ A @ x


QUADRATIC = "x : vector(n); A : matrix(n, n)\nx'*A*x"


# ── matrix factorisation ─────────────────────────────────────────────────────────────────────


def factorisation_data(rng: np.random.Generator, m: int, n: int, k: int) -> dict[str, Array]:
    """A matrix (m, n) and factors of rank k."""
    return {
        "T": rng.standard_normal((m, n)),
        "U": rng.standard_normal((m, k)),
        "V": rng.standard_normal((n, k)),
    }


def factorisation_numpy(T: Array, U: Array, V: Array) -> Results:
    """The residual, and three passes over it: the Gram form is faster, but cancels near a fit."""
    R = U @ V.T
    R -= T
    return np.vdot(R, R), 2.0 * (R @ V), 2.0 * (R.T @ U)


def factorisation_jax(jnp: Any, T: Any, U: Any, V: Any) -> Any:
    """The formula of the program."""
    R = U @ V.T - T
    return jnp.sum(R * R)


FACTORISATION = """T : matrix(m, n); U : matrix(m, k); V : matrix(n, k)
R = U*V' - T
tr(R'*R)"""


# ── contractions ─────────────────────────────────────────────────────────────────────────────


def chain_data(rng: np.random.Generator, i: int, j: int, k: int, l: int) -> dict[str, Array]:  # noqa: E741  (as in the program)
    """Three matrices (i, j), (j, k), (k, l)."""
    shapes = {"A": (i, j), "B": (j, k), "C": (k, l)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def chain_numpy(A: Array, B: Array, C: Array) -> Results:
    """Two products, the cheaper order of the two."""
    i, j = A.shape
    k, l = C.shape  # noqa: E741
    if i * k * (j + l) <= j * l * (k + i):
        return ((A @ B) @ C,)
    return (A @ (B @ C),)


def chain_jax(jnp: Any, A: Any, B: Any, C: Any) -> Any:
    """The formula of the program."""
    return jnp.einsum("ij,jk,kl->il", A, B, C, optimize="optimal")


CHAIN = "A : matrix(i, j); B : matrix(j, k); C : matrix(k, l)\nA*B*C"


def mttkrp_data(rng: np.random.Generator, n: int, r: int) -> dict[str, Array]:
    """A cube (n, n, n) and two factors of rank r."""
    shapes = {"T": (n, n, n), "B": (n, r), "C": (n, r)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def mttkrp_numpy(T: Array, B: Array, C: Array) -> Results:
    """The product with C slice by slice, which beats unfolding the tensor, then the sum over j."""
    return (np.einsum("ijr,jr->ir", T @ C, B),)


def mttkrp_jax(jnp: Any, T: Any, B: Any, C: Any) -> Any:
    """The formula of the program."""
    return jnp.einsum("ijk,jr,kr->ir", T, B, C, optimize="optimal")


MTTKRP = """T : tensor(i, j, k); B : matrix(j, r); C : matrix(k, r)
einsum("ijk,jr,kr->ir", T, B, C)"""


def batched_data(rng: np.random.Generator, b: int, n: int) -> dict[str, Array]:
    """Two stacks of b matrices (n, n)."""
    return {"A": rng.standard_normal((b, n, n)), "B": rng.standard_normal((b, n, n))}


def batched_numpy(A: Array, B: Array) -> Results:
    """NumPy's own product of stacks."""
    return (A @ B,)


def batched_jax(jnp: Any, A: Any, B: Any) -> Any:
    """The formula of the program."""
    return A @ B


BATCHED = """A : tensor(b, i, j); B : tensor(b, j, k)
einsum("bij,bjk->bik", A, B)"""


WORKLOADS = {
    workload.name: workload
    for workload in [
        Workload(
            "logistic",
            "sum log(1 + exp(-y.Xw)): value and gradient, few features",
            LOGISTIC,
            ("", "w"),
            {"S": (569, 30), "M": (40_000, 50), "L": (400_000, 50)},
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
            "factorisation",
            "|T - UV'|^2: value and both gradients",
            FACTORISATION,
            ("", "U", "V"),
            {"S": (100, 100, 5), "M": (1000, 1000, 5), "L": (4000, 4000, 5)},
            factorisation_data,
            factorisation_numpy,
            factorisation_jax,
        ),
        Workload(
            "chain",
            "product of three matrices",
            CHAIN,
            ("",),
            {"S": (20, 30, 25, 20), "M": (300, 200, 400, 100), "L": (1000, 1500, 800, 1200)},
            chain_data,
            chain_numpy,
            chain_jax,
        ),
        Workload(
            "mttkrp",
            "T[i,j,k] B[j,r] C[k,r], the step of a CP decomposition",
            MTTKRP,
            ("",),
            {"S": (20, 5), "M": (100, 16), "L": (250, 32)},
            mttkrp_data,
            mttkrp_numpy,
            mttkrp_jax,
        ),
        Workload(
            "batched",
            "products of stacked matrices",
            BATCHED,
            ("",),
            {"S": (16, 8), "M": (2000, 16), "L": (200, 128)},
            batched_data,
            batched_numpy,
            batched_jax,
        ),
    ]
}
