"""An expression in, its transpose out, written in the way that costs least."""

from __future__ import annotations

from collections.abc import Callable

from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_algebra.expression import (
    TRANSPOSED,
    Matrix,
    call,
    matrix_power,
    primed,
    range_sum,
    rows,
    spread,
)
from tensorcalc.matrix_algebra.wording import is_written

Push = Callable[[Matrix], Matrix | None]
PUSHED: dict[str, Push] = {}  # how a transpose is pushed into an operator
ENTRYWISE = frozenset(name for name, entry in FUNCTIONS.items() if entry.arity == 1)
TRANSPOSABLE = frozenset("inv adj pinv expm logm sqrtm sinm cosm".split()) | ENTRYWISE
MAX_PUSHED = 250  # symbols of what a transpose is pushed into


def transpose(x: Matrix) -> Matrix:
    """The transpose, written in the way that costs least."""
    if x.shape == "scalar" or x.symmetric:
        return x
    if x.op == "transpose":
        return x.args[0]
    shape = TRANSPOSED[x.shape]
    if x.op == "spread":
        return spread(x.args[0], shape)
    if x.op == "rows":
        table = [x.args[k :: x.data] for k in range(x.data)]
        cut = len(table[0])
        sizes = None if x.dims is None else x.dims[cut:] + x.dims[:cut]
        return rows([[transpose(entry) for entry in row] for row in table], sizes)
    if x.op == "call" and x.data == "matrix":
        value, rows_, columns = x.args
        return call("matrix", [value, columns, rows_], shape)
    if x.op == "call" and x.data == "commutation":
        return call("commutation", x.args[::-1], shape, symmetric=x.symmetric)
    if x.op == "hermitian":
        return call("conj", [x.args[0]], shape, symmetric=x.args[0].symmetric)
    if x.op == "call" and x.data == "conj":
        return Matrix("hermitian", shape, x.args)
    outside = primed(x)
    if x.cost > MAX_PUSHED or is_written(x):
        return outside
    push = PUSHED.get(x.op)
    inside = push(x) if push is not None else None
    return outside if inside is None or inside.cost >= outside.cost else inside


def pushed(op: str) -> Callable[[Push], Push]:
    """Say what the transpose of an operator is, by the transposes of its operands, or None."""

    def enter(push: Push) -> Push:
        PUSHED[op] = push
        return push

    return enter


@pushed("matrixpower")
def _matrix_power(x: Matrix) -> Matrix:
    return matrix_power(transpose(x.args[0]), x.args[1])


@pushed("rangesum")
def _range_sum(x: Matrix) -> Matrix:
    body, low, high = x.args
    return range_sum(transpose(body), low, high, str(x.data))


@pushed("call")
def _call(x: Matrix) -> Matrix | None:
    if x.data == "kron":
        return call("kron", [transpose(arg) for arg in x.args], TRANSPOSED[x.shape])
    if x.data in TRANSPOSABLE:
        return call(str(x.data), [transpose(x.args[0])], TRANSPOSED[x.shape])
    return None
