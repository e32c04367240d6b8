"""An einsum string and arrays -> an array, by a compiled kernel. `tensorcalc.einsum` on arrays."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.einsum_string import parse_einsum
from tensorcalc.ir import Variable
from tensorcalc.kernel import Kernel, compile_nodes
from tensorcalc.simplify import simplify

MAX_KERNELS = 256


def contract_arrays(equation: str, operands: Sequence[Any]) -> np.ndarray[Any, Any]:
    """The contraction that `numpy.einsum` does with these arguments.

    Axes of size 1 do not broadcast; integers are taken as float64.

    Raises
    ------
    TensorcalcError
        If the subscripts and the shapes of the operands do not fit.
    """
    arrays = [np.asarray(operand) for operand in operands]
    kernel = _kernel(equation, tuple(array.ndim for array in arrays))
    return kernel(*arrays)  # type: ignore[no-any-return]


@lru_cache(maxsize=MAX_KERNELS)
def _kernel(equation: str, ranks: tuple[int, ...]) -> Kernel:
    labels, output = parse_einsum(equation, ranks)
    dims: dict[Hashable, Dim] = {label: Dim.of(label) for own in labels for label in own}
    variables = [
        Variable.of(f"operand{k}", tuple(dims[label] for label in own))
        for k, own in enumerate(labels)
    ]
    node = canonical.contract(output, dims, list(zip(variables, labels, strict=True)))
    (node,) = simplify([node])
    return compile_nodes({"value": node}, {v.name: v for v in variables}, single=True)
