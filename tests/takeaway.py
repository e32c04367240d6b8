"""Formulas that are written out as code, which then must compute what our kernels do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import tensorcalc as tc
from tensorcalc.expression import Expr
from tensorcalc.finite_differences import sample

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Case:
    """A program text and the variables that its last expression is differentiated by."""

    name: str
    text: str
    wrt: tuple[str, ...] = ()

    def formulas(self) -> dict[str, Expr]:
        """The value and its derivatives."""
        f = tc.parse(self.text)
        return {"value": f} | {f"by {name}": tc.diff(f, name) for name in self.wrt}


CASES = [
    Case("quadratic", "A : matrix(n, n); x : vector(n); x'*A*x", ("x", "A")),
    Case("residual", "A : matrix(m, n); x : vector(n); b : vector(m); norm2(A*x - b)^2", ("x",)),
    Case("logistic", "X : matrix(m, n); y : vector(m); w : vector(n); c : scalar; sum(log(1 + exp(-y.*(X*w)))) + c/2*w'*w", ("w", "c")),
    Case("huber", "X : matrix(m, n); y : vector(m); w : vector(n); r = X*w - y; sum(where(abs(r) < 1, r.^2/2, abs(r) - 1/2))", ("w",)),
    Case("elementwise", "x : vector(n) positive; sum(exp(x) + log(x) + log1p(x) + expm1(x) + sqrt(x) + sin(x) + cos(x) + tanh(x) + erf(x) + lgamma(x) + digamma(x))", ("x",)),
    Case("trigonometric", "x : vector(n); tan(x/4) + arcsin(x/9) + arccos(x/9) + arctan(x) + sinh(x) + cosh(x) + sigmoid(x) + softplus(x) + relu(x) + sign(x) + abs(x)", ("x",)),
    Case("powers", "x : vector(n) positive; c : scalar positive; sum(x.^c + x.^3 + 1./x + x.^(5/2))", ("x", "c")),
    Case("selections", "x : vector(n); y : vector(n); sum(max(x, y).*min(x, 2*y) + where(x <= y, x.^2, y) + (x > y) + (x >= 0))", ("x", "y")),
    Case("softmax", "W : matrix(k, n); x : vector(n); softmax(W*x)", ("x",)),
    Case("logsumexp", "W : matrix(k, n); x : vector(n); y : vector(k); logsumexp(W*x) - y'*(W*x)", ("W", "x")),
    Case("row-softmax", "X : matrix(m, n); softmax(X, 2)", ()),
    Case("logdet", "S : spd(n); x : vector(n); logdet(S) + x'*inv(S)*x", ("S", "x")),
    Case("lu", "A : matrix(n, n) invertible; b : vector(n); log(det(A)^2) + sum(inv(A)*b)", ("A", "b")),
    Case("solve", "A : matrix(n, n) invertible; B : matrix(n, m); inv(A)*B", ()),
    Case("inverse", "A : matrix(n, n) invertible; A^-1 + inv(A'*A + eye)", ()),
    Case("det", "A : matrix(n, n); det(A)", ("A",)),
    Case("trace", "A : matrix(n, m); B : matrix(m, n); tr(A*B*A*B)", ("A",)),
    Case("hadamard", "A : matrix(m, n); B : matrix(m, n); x : vector(n); (A.*B)*x + diag(A*B')", ("x",)),
    Case("gram", "X : matrix(m, n); w : vector(m); X'*diag(w)*X + X'*X", ()),
    Case("least-squares", "U : matrix(m, k); V : matrix(n, k); T : matrix(m, n); normF(T - U*V')^2", ("U", "V")),
    Case("cp", "sum[i,j,k]((T[i,j,k] - A[i,r]*B[j,r]*C[k,r])^2)", ("A", "C")),
    Case("tucker", "sum[i,j,k]((T[i,j,k] - G[p,q,r]*A[i,p]*B[j,q]*C[k,r])^2)", ("G", "A")),
    Case("rank-3", "T : tensor(m, n, k); x : vector(n); y : vector(k); T[i,j,k]*x[j]*y[k] -> [i]", ("x", "T")),
    Case("batched", "A : tensor(m, n, k); B : tensor(m, k, l); A[i,j,k]*B[i,k,l] -> [i,j,l]", ()),
    Case("kernel sum", "X : matrix(m, d); b : vector(m); sum[i,j](exp(-sum[k]((X[i,k] - X[j,k])^2))*b[i]*b[j])", ("X", "b")),
    Case("mixture", "X : matrix(m, d); M : matrix(k, d); a : vector(k); sum[i](logsumexp[j](a[j] - sum[l]((X[i,l] - M[j,l])^2)/2))", ("M", "a")),
    Case("max", "X : matrix(m, n); sum(max(X, 2)) + max(X) + min(X) + sum(prod[j](X[i,j]) -> [i])", ("X",)),
    Case("norms", "x : vector(n); A : matrix(m, n); norm2(x) + norm1(A*x) + normF(A)", ("x", "A")),
    Case("hessian", "x : vector(n); sum(exp(x).*x) + (x'*x)^2", ("x",)),
    Case("blocks", "A : matrix(m, n); B : matrix(m, n); x : vector(n); sum([A; B]*x + [B; 2*A]*x) + sum(vec(A)) + x[2]", ("x", "A")),
    Case("kronecker", "A : matrix(m, n); B : matrix(p, q); kron(A, B)", ("A",)),
    Case("permutation", "A : matrix(3, 3); x : vector(3); y : vector(3); eps[i,j,k]*A[i,l]*x[j]*y[k] -> [l]", ("x",)),
    Case("einsum", "T : tensor(i, j, k); A : matrix(j, l); B : matrix(i, k); einsum(\"ijk,jl,ik->l\", T, A, B)", ("A", "T")),
    Case("structured", "S : symmetric(n); D : diagonal(n); L : lower(n); Q : orthogonal(n); tr(S*D*L*S) + sum(Q*L*Q'*S)", ("S", "D", "L", "Q")),
    Case("network", "W : matrix(h, n); V : matrix(k, h); X : matrix(n, m); Y : matrix(k, m); normF(V*tanh(W*X) - Y)^2", ("W", "V")),
    Case("matrix powers", "A : matrix(n, n); x : vector(n); k : scalar integer; x'*A^7*x + sum(A^k) + sum(A^-2*x)", ("x",)),
    Case("exponential", "A : matrix(n, n); x : vector(n); expm(A/2)*x + expm(4*A)*x", ("x",)),
    Case("a number", "c : scalar; exp(c)*c^2", ("c",)),
]  # fmt: skip


def numbers_of(formulas: dict[str, Expr], first: int) -> dict[str, int]:
    """Distinct numbers for all sizes, from `first` on."""
    variables = [v for f in formulas.values() for v in f.variables.values()]
    names = list(dict.fromkeys(n for v in variables for d in v.dims for n in d.names))
    return {name: first + 2 * k for k, name in enumerate(names)}


def values_of(
    formulas: dict[str, Expr], numbers: dict[str, int], seed: int = 0
) -> dict[str, Array]:
    """Random values of all variables that have their properties."""
    rng = np.random.default_rng(seed)
    variables = {n: v for f in formulas.values() for n, v in f.variables.items()}
    return {n: np.asarray(sample(v, numbers, rng)) for n, v in variables.items()}
