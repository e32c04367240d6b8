"""A function and its arguments in, the function applied entry by entry out."""

from __future__ import annotations

from collections.abc import Sequence

from tensorcalc.matrix_algebra.arithmetic import power
from tensorcalc.matrix_algebra.expression import Matrix, call, spread


def entrywise(function: str, args: Sequence[Matrix]) -> Matrix:
    """An elementwise function; its scalar arguments may be spread."""
    shaped = [arg for arg in args if arg.op != "spread" and arg.shape != "scalar"]
    shape = next((arg.shape for arg in args if arg.shape != "scalar"), "scalar")
    bare = [arg.args[0] if arg.op == "spread" else arg for arg in args]
    if function in ("max", "min"):  # max(X, 1) would be along an axis
        bare.sort(key=lambda arg: arg.shape != "scalar")
    inner = shape if shaped else "scalar"
    if function == "pow":
        result = power(bare[0], bare[1])
    elif function in ("lt", "le", "gt", "ge"):
        result = Matrix("compare", inner, tuple(bare), function)
    else:
        symmetric = inner == "matrix" and all(arg.symmetric for arg in shaped)
        result = call(function, bare, inner, symmetric=symmetric)
    return result if shaped else spread(result, shape)
