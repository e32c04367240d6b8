"""A function of matrices and its operands in, its node in normal form out."""

from __future__ import annotations

from itertools import pairwise

from tensorcalc.canonical.arithmetic import (
    NORMS,
    content_of,
    einsum,
    elementwise,
    number,
    repeated,
    scale,
    transposed,
    without_axes,
    zeros,
)
from tensorcalc.canonical.facts import as_number, is_zero
from tensorcalc.canonical.labels import Factor
from tensorcalc.canonical.rebuild import Operands, Sizes, rebuilt
from tensorcalc.dims import Dims
from tensorcalc.ir import Add, Delta, Einsum, MatrixFunction, Node
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.views import common_free_axes, untransposed

# f(A') is f(A)'
TRANSPOSABLE = frozenset("inv det logdet adj pinv power expm logm sqrtm sinm cosm".split())
# X^n up to here is written out as a product, so that it can be contracted freely
MAX_WRITTEN_POWER = 32


def matrix_function(function: str, *operands: Node, order: int = 0) -> Node:
    """A function of `matrix_functions.py` of the last axes, for each place on the others."""
    entry = MATRIX_FUNCTIONS[function]
    operand, *parameters = operands
    batch = operand.rank - entry.rank
    own = operand.dims[batch:]
    value = tuple(reversed(own)) if function == "pinv" else own[: entry.result]
    dims = operand.dims[:batch] + value + own * order
    if function in NORMS:
        if is_zero(operand):
            return zeros(dims)
        content, operand = content_of(operand)
        return scale(abs(content), MatrixFunction.of(function, dims, (operand,)))
    free = common_free_axes(operands) & frozenset(range(batch))
    if free:
        smaller = [without_axes(node, free) for node in operands]
        return repeated(matrix_function(function, *smaller, order=order), dims, free)
    if isinstance(operand, MatrixFunction) and operand.function == "inv":
        if function == "inv":
            return operand.operands[0]
        if function == "logdet":
            return scale(-1, matrix_function("logdet", operand.operands[0]))
    inner = untransposed(operand)
    if inner is not None and function in TRANSPOSABLE and not order:
        node = matrix_function(function, inner, *parameters)
        return transposed(node) if node.rank else node
    if function == "power":
        folded = _matrix_power(operand, parameters[0])
        if folded is not None:
            return folded
    return MatrixFunction.of(function, dims, operands, order)


def _matrix_power(base: Node, exponent: Node) -> Node | None:
    """``base^exponent`` of matrices where it folds."""
    n = base.rank
    batch = tuple(range(n - 2))
    p = as_number(exponent)
    if p is not None:
        if p < 0:
            base, p = matrix_function("inv", base), -p
        k = int(p)
        if k > MAX_WRITTEN_POWER:
            half = matrix_function("power", base, number(k // 2, exponent.dims))
            halves: list[Factor] = [(half, (*batch, n - 2, n)), (half, (*batch, n, n - 1))]
            if k % 2:
                halves = [halves[0], (half, (*batch, n, n + 1)), (base, (*batch, n + 1, n - 1))]
            return einsum(n, (*base.dims, *[base.dims[-1]] * (len(halves) - 1)), halves)
        if k == 0:
            return einsum(n, base.dims, [(Delta.of(base.dims[-1]), (n - 2, n - 1))])
        row, inner = n - 2, list(range(n, n + k - 1))
        chain = [row, *inner, n - 1]
        factors: list[Factor] = [(base, (*batch, a, b)) for a, b in pairwise(chain)]
        return einsum(n, (*base.dims, *[base.dims[-1]] * (k - 1)), factors)
    if batch:
        return None
    if isinstance(exponent, Add) and all(c < 0 for c in exponent.coefficients):
        # the derivative of a power is a sum over the factors, of which there must be some
        return matrix_function("power", matrix_function("inv", base), scale(-1, exponent))
    if isinstance(base, MatrixFunction) and base.function == "power":
        product = einsum(0, (), [(base.operands[1], ()), (exponent, ())])
        return matrix_function("power", base.operands[0], product)
    if isinstance(base, Delta):
        return base
    content, base = content_of(base)
    scalars = [number(content)] if content != 1 else []
    if isinstance(base, Einsum):
        scalars += [o for o in base.operands if not o.rank]
        rest = [(o, a) for o, a in zip(base.operands, base.labels, strict=True) if o.rank]
        base = einsum(base.rank, base.sizes, rest)
    if not scalars or not base.rank:
        return None
    powers = [(elementwise("pow", (scalar, exponent)), ()) for scalar in scalars]
    return einsum(2, base.dims, [*powers, (matrix_function("power", base, exponent), (0, 1))])


@rebuilt.register(MatrixFunction)
def _rebuilt_matrix_function(
    node: MatrixFunction, operands: Operands, dims: Dims, sizes: Sizes
) -> Node:
    return matrix_function(node.function, *operands, order=node.order)
