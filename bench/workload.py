"""What a workload is: data, a program for tensorcalc, and what its rivals compute instead.

Every rival gets the same float64 arrays in the order in which the program declares them, then the
directions of Hessian-vector products. The NumPy function is the best that an expert would write by
hand: it shares every product that can be shared, works in place, and never forms what is not asked
for. The JAX function is the formula as one would write it; `measure` differentiates and compiles
it.
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
    # "" is the value, "w" the gradient by w, "w w" the Hessian, and "hvp U V" its product with the
    # directions dU and dV by both together, which gives two results
    outputs: tuple[str, ...]
    sizes: Mapping[str, tuple[int, ...]]
    data: Callable[..., dict[str, Array]]  # (generator, *size) -> arrays, in the declared order
    numpy: Callable[..., Results]
    jax: Callable[..., Any]  # (jax, *arrays) -> value

    def arrays(self, size: str) -> dict[str, Array]:
        """The data of one size, the same in every process."""
        return self.data(np.random.default_rng(0), *self.sizes[size])


def gram(X: Array) -> Array:
    """X'X, of which BLAS computes one triangle."""
    from scipy.linalg import blas

    half: Array = blas.dsyrk(1.0, X.T)
    full = half + half.T
    full[np.diag_indices_from(full)] *= 0.5
    return full
