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
    `result` is how many axes the value has (0, or those of the argument). `parameter` is a scalar
    second argument, and `backwards` the differential where it is negative. A power series has no
    `differential`: its derivatives are nodes of their own (`ir.MatrixFunction.order`), and `slope`
    is its derivative where everything commutes. `name` is what the differential is called, where
    that is not "differential of …".
    """

    argument: str
    rank: int
    result: int
    differential: str | None
    parameter: str | None = None
    slope: str | None = None
    backwards: str | None = None
    name: str | None = None


MATRIX_FUNCTIONS: dict[str, MatrixFunctionEntry] = {
    "inv": MatrixFunctionEntry(
        "X : matrix(n, n)", 2, 2, "-inv(X)*dX*inv(X)", name="differential of the inverse"
    ),
    "det": MatrixFunctionEntry(
        "X : matrix(n, n)", 2, 0, "det(X)*tr(inv(X)*dX)", name="Jacobi's formula"
    ),
    "logdet": MatrixFunctionEntry("X : matrix(n, n)", 2, 0, "tr(inv(X)*dX)"),
    # 1/norm2(x) is 0 at x = 0, so the gradient there is 0, the subgradient of least norm.
    "norm2": MatrixFunctionEntry("x : vector(n)", 1, 0, "x'*dx/norm2(x)"),
    "normF": MatrixFunctionEntry("X : matrix(m, n)", 2, 0, "tr(X'*dX)/normF(X)"),
    "adj": MatrixFunctionEntry("X : matrix(n, n)", 2, 2, "adj(X)*tr(inv(X)*dX) - adj(X)*dX*inv(X)"),
    # Golub and Pereyra (1973), where the rank does not change
    "pinv": MatrixFunctionEntry(
        "X : matrix(m, n)",
        2,
        2,
        "-pinv(X)*dX*pinv(X) + pinv(X)*pinv(X)'*dX'*(eye - X*pinv(X))"
        " + (eye - pinv(X)*X)*dX'*pinv(X)'*pinv(X)",
        name="formula of Golub and Pereyra",
    ),
    "power": MatrixFunctionEntry(
        "X : matrix(n, n)",
        2,
        2,
        "sum[r=0..k-1](X^r*dX*X^(k-1-r))",
        "k : scalar integer",
        backwards="-sum[r=1..-k](X^(-r)*dX*X^(k+r-1))",
        name="differential of a power",
    ),
    "logsumexp": MatrixFunctionEntry("x : vector(n)", 1, 0, "softmax(x)'*dx"),
    # ties share equally: the subgradient of least norm
    "max": MatrixFunctionEntry(
        "x : vector(n)",
        1,
        0,
        "where(x >= max(x), 1, 0)'*dx/sum(where(x >= max(x), 1, 0))",
    ),
    "min": MatrixFunctionEntry(
        "x : vector(n)",
        1,
        0,
        "where(x <= min(x), 1, 0)'*dx/sum(where(x <= min(x), 1, 0))",
    ),
    # the product of all other entries, without dividing by the one that may be 0
    "prod": MatrixFunctionEntry(
        "x : vector(n)", 1, 0, "sum[i](dx[i]*prod[k](x[k]*(1 - delta[i,k]) + delta[i,k]))"
    ),
    # power series (Higham, "Functions of Matrices", chapter 3)
    "expm": MatrixFunctionEntry("X : matrix(n, n)", 2, 2, None, slope="expm(X)"),
    "logm": MatrixFunctionEntry("X : matrix(n, n)", 2, 2, None, slope="inv(X)"),
    "sqrtm": MatrixFunctionEntry("X : matrix(n, n)", 2, 2, None, slope="inv(sqrtm(X))/2"),
    "sinm": MatrixFunctionEntry("X : matrix(n, n)", 2, 2, None, slope="cosm(X)"),
    "cosm": MatrixFunctionEntry("X : matrix(n, n)", 2, 2, None, slope="-sinm(X)"),
}
