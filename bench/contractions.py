"""Contractions that stand for their classes, each as the subscripts of an einsum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from bench.workload import Array, Results, Workload

NAMES = "ABCDEFGHIJKLMNOPQRST"  # of the operands, one after another


def contraction(
    name: str,
    title: str,
    subscripts: str,
    sizes: Mapping[str, Sequence[int]],
    numpy: Callable[..., Results],
) -> Workload:
    """A workload from subscripts and, for every size, what their letters stand for.

    The letters count in the order in which they first occur.
    """
    terms = subscripts.partition("->")[0].split(",")
    operands = dict(zip(NAMES, terms, strict=False))
    letters = list(dict.fromkeys("".join(terms)))

    def data(rng: np.random.Generator, *numbers: int) -> dict[str, Array]:
        size = dict(zip(letters, numbers, strict=True))
        shapes = {operand: [size[letter] for letter in term] for operand, term in operands.items()}
        return {operand: rng.standard_normal(shape) for operand, shape in shapes.items()}

    def jax_einsum(jax: Any, *arrays: Any) -> Any:
        path = contraction_path(subscripts, *(array.shape for array in arrays))
        return jax.numpy.einsum(subscripts, *arrays, optimize=path)

    lines = [f"{operand} : tensor({', '.join(term)})" for operand, term in operands.items()]
    program = "\n".join([*lines, f'einsum("{subscripts}", {", ".join(operands)})'])
    tuples = {size: tuple(numbers) for size, numbers in sizes.items()}
    return Workload(name, title, program, ("",), tuples, data, numpy, jax_einsum)


@cache
def contraction_path(subscripts: str, *shapes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The cheapest order of products; found once, for no rival needs more than that."""
    import opt_einsum

    few = len(shapes) <= 4
    path, _ = opt_einsum.contract_path(
        subscripts, *shapes, shapes=True, optimize="optimal" if few else "dp"
    )
    return [tuple(step) for step in path]


# ── what an expert writes for each ───────────────────────────────────────────────────────────


def chain_numpy(A: Array, B: Array, C: Array) -> Results:
    """Two products, the cheaper order of the two."""
    i, j = A.shape
    k, l = C.shape  # noqa: E741
    if i * k * (j + l) <= j * l * (k + i):
        return ((A @ B) @ C,)
    return (A @ (B @ C),)


def batched_numpy(A: Array, B: Array) -> Results:
    """NumPy's own product of stacks."""
    return (A @ B,)


def permuted_numpy(A: Array, B: Array) -> Results:
    """One product of matrices after a copy of A with its last axes swapped."""
    return (np.tensordot(A, B, ((3, 2), (0, 1))),)


def middle_numpy(A: Array, B: Array) -> Results:
    """One product for every slice of A, which needs no copy."""
    return (B.T @ A,)


def mttkrp_numpy(T: Array, B: Array, C: Array) -> Results:
    """The product with C slice by slice, which beats unfolding the tensor, then the sum over j."""
    return (np.einsum("ijr,jr->ir", T @ C, B),)


def ttm_numpy(T: Array, A: Array, B: Array, C: Array) -> Results:
    """The last axis, the middle one slice by slice, and the first: no copies."""
    i, j, k = T.shape
    TBC = B.T @ (T.reshape(i * j, k) @ C).reshape(i, j, -1)
    _, b, c = TBC.shape
    return ((A.T @ TBC.reshape(i, b * c)).reshape(-1, b, c),)


def forms_numpy(X: Array, A: Array, Y: Array) -> Results:
    """One product for all rows, and a scalar product a row."""
    return (np.einsum("bj,bj->b", X @ A, Y),)


def weighted_numpy(X: Array, w: Array, Y: Array) -> Results:
    """The weights into one of the matrices, and one product."""
    return ((X * w[:, None]).T @ Y,)


def trace_numpy(A: Array, B: Array) -> Results:
    """The sum of the products of entries; the product of the matrices is never formed."""
    return (np.vdot(A, B.T),)


NETWORK = "atU,aby,bcz,cdw,deW,efX,fgy,ghW,hiv,ijV,jkx,klz,lmu,mnw,noV,opx,pqu,qrU,rsv,stX->"


def network_numpy(*arrays: Array) -> Results:
    """Two operands at a time in the cheapest order, each time by the product of matrices."""
    path = contraction_path(NETWORK, *(array.shape for array in arrays))
    return (np.einsum(NETWORK, *arrays, optimize=["einsum_path", *path]),)


CONTRACTIONS = [
    contraction(
        "chain",
        "product of three matrices",
        "ij,jk,kl->il",
        {"S": (20, 30, 25, 20), "M": (300, 200, 400, 100), "L": (1000, 1500, 800, 1200)},
        chain_numpy,
    ),
    contraction(
        "batched",
        "products of stacked matrices",
        "bij,bjk->bik",
        {"S": (16, 8, 8, 8), "M": (2000, 16, 16, 16), "L": (200, 128, 128, 128)},
        batched_numpy,
    ),
    contraction(
        "permuted",
        "product of tensors over axes in another order",
        "abcd,dcef->abef",
        {size: [n] * 6 for size, n in {"S": 4, "M": 16, "L": 32}.items()},
        permuted_numpy,
    ),
    contraction(
        "middle",
        "product over the middle axis",
        "abc,bd->adc",
        {size: [n] * 4 for size, n in {"S": 8, "M": 64, "L": 200}.items()},
        middle_numpy,
    ),
    contraction(
        "mttkrp",
        "the step of a CP decomposition",
        "ijk,jr,kr->ir",
        {"S": (20, 20, 20, 5), "M": (100, 100, 100, 16), "L": (250, 250, 250, 32)},
        mttkrp_numpy,
    ),
    contraction(
        "ttm",
        "tensor times a matrix along every axis",
        "ijk,ia,jb,kc->abc",
        {size: [n] * 3 + [r] * 3 for size, n, r in (("S", 20, 5), ("M", 100, 10), ("L", 250, 20))},
        ttm_numpy,
    ),
    contraction(
        "forms",
        "bilinear forms of many pairs of vectors",
        "bi,ij,bj->b",
        {"S": (20, 10, 10), "M": (10_000, 30, 30), "L": (200_000, 40, 40)},
        forms_numpy,
    ),
    contraction(
        "weighted",
        "weighted Gram matrix X' diag(w) Y",
        "ni,n,nj->ij",
        {"S": (100, 10, 10), "M": (20_000, 50, 50), "L": (200_000, 100, 100)},
        weighted_numpy,
    ),
    contraction(
        "trace",
        "trace of a product of two matrices",
        "ij,ji->",
        {"S": (30, 30), "M": (1000, 1000), "L": (4000, 4000)},
        trace_numpy,
    ),
    contraction(
        "tensors",
        "a ring of 20 tensors with ten more bonds at random, all of one dimension",
        NETWORK,
        {size: [n] * 30 for size, n in {"S": 3, "M": 5, "L": 8}.items()},
        network_numpy,
    ),
]
