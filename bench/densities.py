"""Likelihoods of Gaussian models, and sums over a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

from bench.workload import Array, Results, Workload, gram

BLOCK = 2**17  # entries of a temporary that stay in the cache

# ── Gaussian mixture ─────────────────────────────────────────────────────────────────────────


def mixture_data(rng: np.random.Generator, n: int, d: int, k: int) -> dict[str, Array]:
    """The sizes of ADBench: logarithms of weights, means, factors of precisions, samples."""
    q = 0.3 * rng.standard_normal((k, d))
    L = np.tril(0.3 * rng.standard_normal((k, d, d)), -1)
    L[:, np.arange(d), np.arange(d)] = np.exp(q)
    return {
        "alpha": rng.standard_normal(k),
        "mu": rng.random((k, d)),
        "L": L,
        "q": q,
        "X": rng.standard_normal((n, d)),
        "g": np.array(1.0),
        "w": np.array(0.5),
    }


def mixture_numpy(
    alpha: Array, mu: Array, L: Array, q: Array, X: Array, g: Array, w: Array
) -> Results:
    """Block by block, so that what is as large as samples times components stays in the cache."""
    n, d = X.shape
    k = len(alpha)
    flat = L.reshape(k * d, d)
    shift = (L @ mu[:, :, None]).ravel()
    base = alpha + q.sum(1)
    by_flat, moments, counts, total = np.zeros((k * d, d)), np.zeros((k, d)), np.zeros(k), 0.0
    step = max(32, BLOCK // (k * d))
    for start in range(0, n, step):
        samples = X[start : start + step]
        Y = samples @ flat.T
        Y -= shift
        cube = Y.reshape(-1, k, d)
        p = base - 0.5 * np.einsum("nki,nki->nk", cube, cube)
        top = p.max(1, keepdims=True)
        p -= top
        np.exp(p, out=p)
        sums = p.sum(1, keepdims=True)
        total += top.sum() + np.log(sums).sum()
        p /= sums
        cube *= p[:, :, None]
        counts += p.sum(0)
        moments += cube.sum(0)
        by_flat -= Y.T @ samples
    weights = np.exp(alpha - alpha.max())
    norm = weights.sum()
    value = total - n * (alpha.max() + np.log(norm)) + 0.5 * g * g * np.vdot(L, L) - w * q.sum()
    by_l = by_flat.reshape(k, d, d) + moments[:, :, None] * mu[:, None, :] + g * g * L
    by_q = np.repeat(counts[:, None] - w, d, 1)
    return value, counts - n / norm * weights, np.einsum("ki,kij->kj", moments, L), by_l, by_q


def mixture_jax(jax: Any, alpha: Any, mu: Any, L: Any, q: Any, X: Any, g: Any, w: Any) -> Any:
    """The formula of the program, with the products as one writes them in JAX."""
    einsum, logsumexp = jax.numpy.einsum, jax.nn.logsumexp
    Y = einsum("kij,nj->nki", L, X) - einsum("kij,kj->ki", L, mu)
    E = alpha + q.sum(1) - 0.5 * (Y * Y).sum(2)
    value = logsumexp(E, 1).sum() - len(X) * logsumexp(alpha)
    return value + 0.5 * g**2 * (L * L).sum() - w * q.sum()


MIXTURE = """alpha : vector(K); mu : matrix(K, d); L : tensor(K, d, d); q : matrix(K, d)
X : matrix(n, d); g : scalar; w : scalar
Y[s,k,i] = L[k,i,j]*(X[s,j] - mu[k,j])
E[s,k] = alpha[k] + sum[i](q[k,i]) - 0.5*sum[i](Y[s,k,i]^2)
F = sum[s](logsumexp[k](E[s,k])) - n*logsumexp(alpha)
F + 0.5*g^2*sum[k,i,j](L[k,i,j]^2) - w*sum(q)"""


# ── multivariate normal ──────────────────────────────────────────────────────────────────────


def normal_data(rng: np.random.Generator, n: int, d: int) -> dict[str, Array]:
    """A mean, a covariance, and n samples."""
    A = rng.standard_normal((d, d))
    mu = 0.1 * rng.standard_normal(d)
    S = A @ A.T / d + np.eye(d)
    return {"mu": mu, "S": 0.5 * (S + S.T), "X": rng.standard_normal((n, d))}


def normal_numpy(mu: Array, S: Array, X: Array) -> Results:
    """The Gram matrix of the samples by half a product; determinant and inverse by one factor."""
    n, d = X.shape
    centred = X - mu
    C = gram(centred)
    factor, _ = lapack.dpotrf(S, lower=1)
    half = np.tril(lapack.dpotri(factor, lower=1)[0])
    P = half + np.tril(half, -1).T
    logdet = 2.0 * np.log(np.diag(factor)).sum()
    value = 0.5 * n * (d * np.log(2.0 * np.pi) + logdet) + 0.5 * np.vdot(P, C)
    return value, -P @ centred.sum(0), 0.5 * (n * P - P @ C @ P)


def normal_jax(jax: Any, mu: Any, S: Any, X: Any) -> Any:
    """The formula of the program."""
    n, d = X.shape
    c = X - mu
    P = jax.numpy.linalg.inv(S)
    logdet = jax.numpy.linalg.slogdet(S)[1]
    return 0.5 * n * (d * np.log(2.0 * np.pi) + logdet) + 0.5 * ((c @ P) * c).sum()


NORMAL = """mu : vector(d); S : spd(d); X : matrix(n, d)
c[s,i] = X[s,i] - mu[i]
0.5*n*(d*log(2*pi) + logdet(S)) + 0.5*tr(c*inv(S)*c')"""


# ── Gaussian process ─────────────────────────────────────────────────────────────────────────


def process_data(rng: np.random.Generator, n: int, d: int) -> dict[str, Array]:
    """Logarithms of lengths, of scale and of noise; n places and the values there."""
    X = rng.standard_normal((n, d))
    return {
        "l": np.log(1.3 + 0.1 * np.arange(d)),
        "s": np.array(0.2),
        "t": np.array(-1.0),
        "X": X,
        "y": np.sin(X.sum(1)) + 0.1 * rng.standard_normal(n),
    }


def process_numpy(l: Array, s: Array, t: Array, X: Array, y: Array) -> Results:  # noqa: E741
    """One Cholesky factor; of the inverse only a triangle, whose entries count twice."""
    n = len(y)
    Z = X * np.exp(-l)
    squares = np.einsum("ij,ij->i", Z, Z)
    F = Z @ Z.T
    F *= 2.0
    F -= squares
    F -= squares[:, None]
    np.minimum(F, 0.0, out=F)
    F *= 0.5
    F += 2.0 * s
    np.exp(F, out=F)
    noise = np.exp(2.0 * t)
    K = F.copy(order="F")
    K.ravel(order="K")[:: n + 1] += noise
    factor, _ = lapack.dpotrf(K, lower=1, overwrite_a=1)
    logdet = np.log(np.diag(factor)).sum()
    a, _ = lapack.dpotrs(factor, y, lower=1)
    value = 0.5 * (y @ a) + logdet + 0.5 * n * np.log(2.0 * np.pi)
    half = np.tril(lapack.dpotri(factor, lower=1, overwrite_c=1)[0])
    trace = np.trace(half)
    M = half.T * F
    M *= 2.0
    M.ravel(order="K")[:: n + 1] *= 0.5
    Fa = F @ a
    aZ = a[:, None] * Z
    weights = M.sum(1) + M.sum(0) - 2.0 * a * Fa
    cross = np.einsum("ij,ij->j", Z, M @ Z) - np.einsum("ij,ij->j", aZ, F @ aZ)
    return value, 0.5 * (weights @ (Z * Z)) - cross, M.sum() - a @ Fa, (trace - a @ a) * noise


def process_jax(jax: Any, l: Any, s: Any, t: Any, X: Any, y: Any) -> Any:  # noqa: E741
    """The formula with a Cholesky factor instead of inverse and determinant."""
    exp, log = jax.numpy.exp, jax.numpy.log
    n = len(y)
    Z = X * exp(-l)
    squares = (Z * Z).sum(1)
    D = squares[:, None] + squares - 2.0 * Z @ Z.T
    K = exp(2.0 * s - 0.5 * D) + exp(2.0 * t) * jax.numpy.eye(n)
    factor = jax.numpy.linalg.cholesky(K)
    a = jax.scipy.linalg.solve_triangular(factor, y, lower=True)
    return 0.5 * (a @ a) + log(jax.numpy.diag(factor)).sum() + 0.5 * n * np.log(2.0 * np.pi)


PROCESS = """l : vector(d); s : scalar; t : scalar; X : matrix(n, d); y : vector(n); K : spd(n)
Z[i,j] = X[i,j]*exp(-l[j])
K[i,k] = exp(2*s - 0.5*sum[j]((Z[i,j] - Z[k,j])^2)) + exp(2*t)*delta[i,k]
0.5*y'*inv(K)*y + 0.5*logdet(K) + 0.5*n*log(2*pi)"""


# ── kernel sum ───────────────────────────────────────────────────────────────────────────────


def kernel_data(rng: np.random.Generator, n: int, d: int) -> dict[str, Array]:
    """Two clouds of n points (n, d) with a weight for each point."""
    points = {name: rng.standard_normal((n, d)) for name in "xy"}
    return {**points, "b": rng.standard_normal(n), "w": rng.standard_normal(n)}


def kernel_numpy(x: Array, y: Array, b: Array, w: Array) -> Results:
    """Distances by a product, block by block, so that they stay in the cache."""
    value, gradient = 0.0, np.empty_like(x)
    squares = (y * y).sum(1)
    twice = 2.0 * y.T
    right = b[:, None] * np.concatenate([y, np.ones((len(y), 1))], 1)
    step = max(16, BLOCK // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        D = x[rows] @ twice
        D -= squares
        D -= (x[rows] * x[rows]).sum(1)[:, None]
        np.exp(D, out=D)
        sums = D @ right
        value += w[rows] @ sums[:, -1]
        gradient[rows] = -2.0 * w[rows, None] * (x[rows] * sums[:, -1:] - sums[:, :-1])
    return value, gradient


def kernel_jax(jax: Any, x: Any, y: Any, b: Any, w: Any) -> Any:
    """The formula with distances by a product, which is faster than by differences."""
    D = (x * x).sum(1)[:, None] + (y * y).sum(1) - 2.0 * x @ y.T
    return w @ (jax.numpy.exp(-D) @ b)


KERNEL = """x : matrix(m, d); y : matrix(n, d); b : vector(n); w : vector(m)
w[i]*exp(-sum[k]((x[i,k] - y[j,k])^2))*b[j]"""


DENSITIES = [
    Workload(
        "mixture",
        "mixture of Gaussians as in ADBench: value and gradients by all parameters",
        MIXTURE,
        ("", "alpha", "mu", "L", "q"),
        {"S": (1000, 10, 25), "M": (10_000, 10, 50), "L": (10_000, 32, 50)},
        mixture_data,
        mixture_numpy,
        mixture_jax,
    ),
    Workload(
        "normal",
        "multivariate normal: value and gradients by mean and covariance",
        NORMAL,
        ("", "mu", "S"),
        {"S": (1000, 10), "M": (20_000, 50), "L": (100_000, 100)},
        normal_data,
        normal_numpy,
        normal_jax,
    ),
    Workload(
        "process",
        "Gaussian process: value and gradients by lengths, scale and noise",
        PROCESS,
        ("", "l", "s", "t"),
        {"S": (100, 3), "M": (500, 5), "L": (2000, 8)},
        process_data,
        process_numpy,
        process_jax,
    ),
    Workload(
        "kernel_sum",
        "sum of w_i exp(-|x_i - y_j|^2) b_j: value and gradient by x",
        KERNEL,
        ("", "x"),
        {"S": (300, 3), "M": (2000, 3), "L": (8000, 3)},
        kernel_data,
        kernel_numpy,
        kernel_jax,
    ),
]
