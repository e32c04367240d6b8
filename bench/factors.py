"""Factorisations of matrices and tensors, a neural network, and attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.workload import Array, Results, Workload

# ── matrix factorisation ─────────────────────────────────────────────────────────────────────


def matrix_data(rng: np.random.Generator, m: int, n: int, k: int) -> dict[str, Array]:
    """A matrix (m, n) and factors of rank k."""
    return {
        "T": rng.standard_normal((m, n)),
        "U": rng.standard_normal((m, k)),
        "V": rng.standard_normal((n, k)),
    }


def matrix_numpy(T: Array, U: Array, V: Array) -> Results:
    """The residual, and three passes over it: the Gram form is faster, but cancels near a fit."""
    R = U @ V.T
    R -= T
    return np.vdot(R, R), 2.0 * (R @ V), 2.0 * (R.T @ U)


def matrix_hessian_numpy(T: Array, U: Array, V: Array) -> Results:
    """The same small block for every row of U, and zeros."""
    m, k = U.shape
    hessian = np.zeros((m, k, m, k))
    rows = np.arange(m)
    hessian[rows, :, rows, :] = 2.0 * (V.T @ V)
    return (hessian,)


def matrix_hvp_data(rng: np.random.Generator, m: int, n: int, k: int) -> dict[str, Array]:
    """The same and directions for both factors."""
    directions = {"dU": rng.standard_normal((m, k)), "dV": rng.standard_normal((n, k))}
    return {**matrix_data(rng, m, n, k), **directions}


def matrix_hvp_numpy(T: Array, U: Array, V: Array, dU: Array, dV: Array) -> Results:
    """Two products with T; all others are as small as the factors, and the residual is none."""
    UdU = U.T @ dU
    VdV = V.T @ dV
    by_u = dU @ (V.T @ V) + U @ (VdV + VdV.T) - T @ dV
    by_v = dV @ (U.T @ U) + V @ (UdU + UdU.T) - T.T @ dU
    return 2.0 * by_u, 2.0 * by_v


def matrix_jax(jax: Any, T: Any, U: Any, V: Any) -> Any:
    """The formula of the program."""
    R = U @ V.T - T
    return (R * R).sum()


MATRIX = """T : matrix(m, n); U : matrix(m, k); V : matrix(n, k)
R = U*V' - T
tr(R'*R)"""


# ── CP and Tucker decompositions ─────────────────────────────────────────────────────────────


def cp_data(rng: np.random.Generator, n: int, r: int) -> dict[str, Array]:
    """A tensor that is not quite a cube and three factors of rank r."""
    shape = (n, n + 3, n - 2)
    factors = {name: rng.standard_normal((a, r)) for name, a in zip("ABC", shape, strict=True)}
    return {**factors, "T": rng.standard_normal(shape)}


def cp_numpy(A: Array, B: Array, C: Array, T: Array) -> Results:
    """Two products with T, from which all else follows: the model itself is never formed."""
    i, j, k = T.shape
    r = A.shape[1]
    TC = (T.reshape(i * j, k) @ C).reshape(i, j, r)
    by_a = np.einsum("ijr,jr->ir", TC, B)
    by_b = np.einsum("ijr,ir->jr", TC, A)
    by_c = T.reshape(i * j, k).T @ (A[:, None, :] * B).reshape(i * j, r)
    a, b, c = A.T @ A, B.T @ B, C.T @ C
    value = 0.5 * np.vdot(T, T) - np.vdot(by_c, C) + 0.5 * np.vdot(a * b, c)
    return value, A @ (b * c) - by_a, B @ (a * c) - by_b, C @ (a * b) - by_c


def cp_jax(jax: Any, A: Any, B: Any, C: Any, T: Any) -> Any:
    """The formula of the program."""
    E = jax.numpy.einsum("ir,jr,kr->ijk", A, B, C) - T
    return 0.5 * (E * E).sum()


CP = """A : matrix(a, r); B : matrix(b, r); C : matrix(c, r); T : tensor(a, b, c)
E[i,j,k] = A[i,s]*B[j,s]*C[k,s] - T[i,j,k]
0.5*E[i,j,k]*E[i,j,k]"""


def tucker_data(rng: np.random.Generator, n: int, r: int) -> dict[str, Array]:
    """A cube (n, n, n), three factors (n, r) and a core (r, r, r)."""
    core = {"G": rng.standard_normal((r, r, r))}
    factors = {name: rng.standard_normal((n, r)) / np.sqrt(n) for name in "ABC"}
    return {**core, **factors, "T": rng.standard_normal((n, n, n))}


def tucker_numpy(G: Array, A: Array, B: Array, C: Array, T: Array) -> Results:
    """Two products with T, the Gram matrices of the factors, and never the model itself."""
    n, r = A.shape
    TC = T.reshape(n * n, n) @ C
    TA = (A.T @ TC.reshape(n, n * r)).reshape(r, n, r)
    TBC = B.T @ TC.reshape(n, n, r)
    TABC = (A.T @ TBC.reshape(n, r * r)).reshape(r, r, r)
    a, b, c = A.T @ A, B.T @ B, C.T @ C
    Gc = G @ c
    Gbc = b @ Gc
    Gac = (a @ Gc.reshape(r, r * r)).reshape(r, r, r)
    Gab = b @ (a @ G.reshape(r, r * r)).reshape(r, r, r)
    Gabc = (a @ Gbc.reshape(r, r * r)).reshape(r, r, r)
    value = 0.5 * np.vdot(T, T) - np.vdot(TABC, G) + 0.5 * np.vdot(Gabc, G)
    first = G.reshape(r, r * r).T
    by_a = (A @ Gbc.reshape(r, r * r) - TBC.reshape(n, r * r)) @ first
    second = G.transpose(0, 2, 1).reshape(r * r, r)
    by_b = B @ (Gac.transpose(1, 0, 2).reshape(r, r * r) @ second)
    by_b -= TA.transpose(1, 0, 2).reshape(n, r * r) @ second
    AB = (A @ (B @ G).reshape(r, n * r)).reshape(n * n, r)
    by_c = C @ (Gab.reshape(r * r, r).T @ G.reshape(r * r, r)) - T.reshape(n * n, n).T @ AB
    return value, Gabc - TABC, by_a, by_b, by_c


def tucker_jax(jax: Any, G: Any, A: Any, B: Any, C: Any, T: Any) -> Any:
    """The formula of the program."""
    E = jax.numpy.einsum("abc,ia,jb,kc->ijk", G, A, B, C) - T
    return 0.5 * (E * E).sum()


TUCKER = """G : tensor(r, s, t); A : matrix(a, r); B : matrix(b, s); C : matrix(c, t)
T : tensor(a, b, c)
E[i,j,k] = G[o,p,u]*A[i,o]*B[j,p]*C[k,u] - T[i,j,k]
0.5*E[i,j,k]*E[i,j,k]"""


# ── a network of ten layers ──────────────────────────────────────────────────────────────────

LAYERS = 10
WEIGHTS = tuple(f"W{layer}" for layer in range(1, LAYERS + 1))


def network_data(rng: np.random.Generator, n: int, batch: int) -> dict[str, Array]:
    """Ten layers (n, n), a batch of samples, and the class of each as a row with one 1."""
    weights = {name: rng.standard_normal((n, n)) * np.sqrt(2.0 / n) for name in WEIGHTS}
    samples = rng.standard_normal((batch, n))
    classes = np.eye(n)[rng.integers(0, n, batch)]
    return {**weights, "x": samples, "Y": classes}


def network_numpy(*arrays: Array) -> Results:
    """Forward, the softmax in place of its input, and backward."""
    *weights, x, Y = arrays
    inputs = [x]
    for W in weights[:-1]:
        h = inputs[-1] @ W.T
        inputs.append(np.maximum(h, 0.0, out=h))
    z = inputs[-1] @ weights[-1].T
    z -= z.max(1, keepdims=True)
    target = np.vdot(z, Y)
    np.exp(z, out=z)
    total = z.sum(1, keepdims=True)
    loss = np.log(total).sum() - target
    z /= total
    z -= Y
    gradients = [z.T @ inputs[-1]]
    for W, before, after in zip(weights[:0:-1], inputs[-2::-1], inputs[:0:-1], strict=True):
        z = z @ W
        z *= after > 0.0
        gradients.append(z.T @ before)
    return loss, *reversed(gradients)


def network_hessian_numpy(*arrays: Array) -> Results:
    """How each sample's outputs depend on its first layer, twice, around softmax's derivative."""
    *weights, x, _ = arrays
    batch, n = x.shape
    h = x
    active = []
    for W in weights[:-1]:
        h = np.maximum(h @ W.T, 0.0)
        active.append((h > 0.0)[:, None, :])
    z = h @ weights[-1].T
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    J = weights[-1] * active[-1]
    for W, mask in zip(weights[-2:0:-1], active[-2::-1], strict=True):
        J = (J.reshape(batch * n, n) @ W).reshape(batch, n, n)
        J *= mask
    mean = (p[:, None, :] @ J)[:, 0]
    M = J.transpose(0, 2, 1) @ (p[:, :, None] * J) - mean[:, :, None] * mean[:, None, :]
    if batch == 1:
        return (M[0][:, None, :, None] * x[0][:, None, None] * x[0],)
    pairs = (x[:, :, None] * x[:, None, :]).reshape(batch, n * n)
    hessian = (M.reshape(batch, n * n).T @ pairs).reshape(n, n, n, n)
    return (np.ascontiguousarray(hessian.transpose(0, 2, 1, 3)),)


def network_jax(jax: Any, *arrays: Any) -> Any:
    """The formula of the program."""
    *weights, h, Y = arrays
    for W in weights[:-1]:
        h = jax.numpy.maximum(h @ W.T, 0.0)
    return -(jax.nn.log_softmax(h @ weights[-1].T, -1) * Y).sum()


NETWORK = "\n".join(
    [
        *(f"{name} : matrix(n, n)" for name in WEIGHTS),
        "x : matrix(b, n); Y : matrix(b, n)",
        "h0 = x",
        *(f"h{layer} = relu(h{layer - 1}*W{layer}')" for layer in range(1, LAYERS)),
        f"z = h{LAYERS - 1}*W{LAYERS}'",
        "sum(logsumexp(z, 2)) - sum(Y.*z)",
    ]
)


# ── attention ────────────────────────────────────────────────────────────────────────────────


def attention_data(rng: np.random.Generator, heads: int, n: int, d: int) -> dict[str, Array]:
    """Queries, keys, values and weights of the results, all (heads, n, d)."""
    return {name: rng.standard_normal((heads, n, d)) for name in "QKVG"}


def attention_numpy(Q: Array, K: Array, V: Array, G: Array) -> Results:
    """One matrix of weights, in place; its derivative in place of another."""
    scale = 1.0 / np.sqrt(Q.shape[2])
    P = Q @ K.transpose(0, 2, 1)
    P *= scale
    P -= P.max(2, keepdims=True)
    np.exp(P, out=P)
    P /= P.sum(2, keepdims=True)
    rows = np.einsum("hik,hik->hi", P @ V, G)
    by_v = P.transpose(0, 2, 1) @ G
    D = G @ V.transpose(0, 2, 1)
    D -= rows[:, :, None]
    D *= P
    D *= scale
    return rows.sum(), D @ K, D.transpose(0, 2, 1) @ Q, by_v


def attention_jax(jax: Any, Q: Any, K: Any, V: Any, G: Any) -> Any:
    """The formula of the program."""
    scores = Q @ K.transpose(0, 2, 1) / jax.numpy.sqrt(1.0 * Q.shape[2])
    return (jax.nn.softmax(scores, -1) @ V * G).sum()


ATTENTION = """Q : tensor(h, n, d); K : tensor(h, n, d); V : tensor(h, n, d); G : tensor(h, n, d)
S[a,i,j] = Q[a,i,k]*K[a,j,k]/sqrt(d)
P[a,i,j] = softmax[j](S[a,i,j])
P[a,i,j]*V[a,j,k]*G[a,i,k]"""


FACTORS = [
    Workload(
        "factorisation",
        "|T - UV'|^2: value and both gradients",
        MATRIX,
        ("", "U", "V"),
        {"S": (100, 100, 5), "M": (1000, 1000, 5), "L": (4000, 4000, 5)},
        matrix_data,
        matrix_numpy,
        matrix_jax,
    ),
    Workload(
        "factorisation_hessian",
        "the same: Hessian by U, with its zeros",
        MATRIX,
        ("U U",),
        {"S": (50, 50, 5), "M": (200, 200, 5), "L": (400, 400, 5)},
        matrix_data,
        matrix_hessian_numpy,
        matrix_jax,
    ),
    Workload(
        "factorisation_hvp",
        "the same: Hessian by both factors times a direction",
        MATRIX,
        ("hvp U V",),
        {"S": (100, 100, 5), "M": (1000, 1000, 5), "L": (4000, 4000, 5)},
        matrix_hvp_data,
        matrix_hvp_numpy,
        matrix_jax,
    ),
    Workload(
        "cp",
        "1/2 |T - [[A, B, C]]|^2: value and three gradients",
        CP,
        ("", "A", "B", "C"),
        {"S": (20, 4), "M": (80, 8), "L": (200, 16)},
        cp_data,
        cp_numpy,
        cp_jax,
    ),
    Workload(
        "tucker",
        "1/2 |T - [[G; A, B, C]]|^2: value and four gradients",
        TUCKER,
        ("", "G", "A", "B", "C"),
        {"S": (20, 4), "M": (80, 8), "L": (180, 16)},
        tucker_data,
        tucker_numpy,
        tucker_jax,
    ),
    Workload(
        "network",
        "ten ReLU layers and cross entropy: loss and ten gradients",
        NETWORK,
        ("", *WEIGHTS),
        {"S": (32, 32), "M": (256, 128), "L": (1024, 256)},
        network_data,
        network_numpy,
        network_jax,
    ),
    Workload(
        "network_hessian",
        "the same: Hessian by the first layer, one sample",
        NETWORK,
        ("W1 W1",),
        {"S": (10, 1), "M": (30, 1), "L": (50, 1)},
        network_data,
        network_hessian_numpy,
        network_jax,
    ),
    Workload(
        "network_hessian_batch",
        "the same, 64 samples",
        NETWORK,
        ("W1 W1",),
        {"S": (10, 64), "M": (20, 64), "L": (40, 64)},
        network_data,
        network_hessian_numpy,
        network_jax,
    ),
    Workload(
        "attention",
        "sum(softmax(QK'/sqrt d)V.G): value and gradients by Q, K, V",
        ATTENTION,
        ("", "Q", "K", "V"),
        {"S": (4, 32, 16), "M": (8, 256, 64), "L": (8, 1024, 64)},
        attention_data,
        attention_numpy,
        attention_jax,
    ),
]
