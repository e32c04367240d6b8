"""The table of functions of whole arrays: their shapes and their differentials.

A differential is written in the project's own language, in the argument ``X`` (or ``x``) and its
differential ``dX`` (or ``dx``), as in Magnus and Neudecker, "Matrix Differential Calculus", and in
Wikipedia's "Matrix calculus", table of differential identities. It must be linear in ``dX``; from
this one line come the forward mode (by substitution) and the reverse mode (by transposition).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatrixFunctionEntry:
    """One function of a whole array.

    `argument` declares the argument, in the language; `rank` is the argument's number of axes;
    `result` is how many axes the value has (0, or those of the argument).
    """

    argument: str
    rank: int
    result: int
    differential: str


MATRIX_FUNCTIONS: dict[str, MatrixFunctionEntry] = {
    "inv": MatrixFunctionEntry("X : matrix(n, n)", 2, 2, "-inv(X)*dX*inv(X)"),
    "det": MatrixFunctionEntry("X : matrix(n, n)", 2, 0, "det(X)*tr(inv(X)*dX)"),
    "logdet": MatrixFunctionEntry("X : matrix(n, n)", 2, 0, "tr(inv(X)*dX)"),
    # 1/norm2(x) is 0 at x = 0, so the gradient there is 0, the subgradient of least norm.
    "norm2": MatrixFunctionEntry("x : vector(n)", 1, 0, "x'*dx/norm2(x)"),
    "normF": MatrixFunctionEntry("X : matrix(m, n)", 2, 0, "tr(X'*dX)/normF(X)"),
}
