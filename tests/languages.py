"""Formulas that every language must compute, their data, and how each language runs them.

A case is a formula and a variable; formula and derivative are compared with the interpreter. Used
by `test_languages.py` and by `python tests/languages.py FOLDER`, which writes the cases for Julia:

    python tests/languages.py cases && julia cases/run.jl
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import tensorcalc as tc

Array = np.ndarray[Any, np.dtype[Any]]
DECLARED = """A, B : matrix(n, n); X : matrix(m, n); S : spd(n); x, z : vector(n); y : vector(m)
a, c : scalar; T : tensor(m, n, p); U : matrix(p, n); P : vector(n) positive; V : matrix(m, m)
k : scalar integer
"""
SIZES = {"m": 3, "n": 4, "p": 2}
# formula, variable of the derivative
FORMULAS: list[tuple[str, str]] = [
    ("sum(log(1 + exp(-y.*(X*x)))) + c/2*x'*x", "x"),
    ("(X*x - y)'*(X*x - y)", "X"),
    ("logdet(S) + x'*inv(S)*x", "S"),
    ("B*inv(A)", "A"),
    ("tr(A*B*A')", "A"),
    ("det(A)", "A"),
    ("softmax(x)", "x"),
    ("logsumexp(X, 1)", "X"),
    ("logsumexp(X, 2)'*y", "X"),
    ("sum[i](logsumexp[j](X[i,j]*x[j]))", "x"),
    ("norm2(X*x - y)", "x"),
    ("normF(A*X')^2 + norm1(A)", "A"),
    ("sum[i,j,k]((T[i,j,k] - X[i,j]*U[k,j])^2)", "U"),
    ("T[i,j,k]*x[j]*U[k,l] -> [l,i]", "x"),
    ("T[i,j,k]*T[i,j,l] -> [k,l]", "T"),
    ("exp(T[i,j,k])*A[j,j] -> [i,k]", "A"),
    ("kron(A, X)", "X"),
    ("kron(x, y)'*kron(x, y)", "x"),
    ("vec(X*A)'*vec(X)", "A"),
    ("max(X, 1)*x + max(y)", "X"),
    ("sum(max(X, 0.5).*min(X, a)) + sum(relu(X))", "X"),
    ("diag(x)*A*diag(z) + diag(diag(A))", "x"),
    ("sum(P.^a./sqrt(P)) + prod(P)", "P"),
    ("sum(erf(x) + tanh(z).*arctan(x) + log1p(P))", "x"),
    ("sum(lgamma(P) + digamma(P))", "P"),
    ("[a*A, x; z', c]", "a"),
    ("A^3 + 2*eye", "A"),
    ("sum[r=0..k](A^r)*x", "x"),
    ("sum(where(X > a, X.^2, sin(X)))", "X"),
    ("expm(A)*x", "x"),
    ("sum[i=0..n-1](x[i]*i) + x[1]*A[2,0] + pi", "A"),
    ("tr(adj(A)*B)", "B"),
    ("tr(pinv(X)*X*B)", "B"),
    ("sum(mean(X, 2).*y) + sum(X)/n", "X"),
    ("A[i,j]*x[j]*z[k] -> [k,i]", "A"),
    ("inv(V[i,l]*T[l,j,k]*T[p,j,k])", "V"),
]


@dataclass(frozen=True)
class Case:
    """An expression with a name, its data in the order of its variables, and its value."""

    name: str
    expression: tc.Expr
    data: Mapping[str, Array]
    expected: Array

    @property
    def arguments(self) -> list[Array]:
        """The data in the order of the arguments."""
        return [self.data[name] for name in self.expression.variables]


def data() -> dict[str, Array]:
    """Values for the declared variables."""
    rng = np.random.default_rng(5)
    m, n, p = SIZES["m"], SIZES["n"], SIZES["p"]
    shapes = {"A": (n, n), "B": (n, n), "X": (m, n), "x": (n,), "z": (n,), "y": (m,), "a": (),
              "c": (), "T": (m, n, p), "U": (p, n), "V": (m, m)}  # fmt: skip
    found = {name: np.asarray(rng.uniform(-1, 1, shape)) for name, shape in shapes.items()}
    half = rng.uniform(-1, 1, (n, n))
    found |= {"S": half @ half.T + np.eye(n), "P": rng.uniform(0.5, 2, n), "k": np.asarray(3.0)}
    return found


@cache
def cases() -> tuple[Case, ...]:
    """Formula and derivative of every line of `FORMULAS`."""
    values, found = data(), []
    for number, (text, name) in enumerate(FORMULAS):
        formula = tc.parse(DECLARED + text)
        for kind, expression in (("value", formula), ("slope", tc.diff(formula, name))):
            given = {name: values[name] for name in expression.variables}
            label = f"{kind}_{number}"
            found.append(Case(label, expression, given, expression.evaluate(**given)))
    return tuple(found)


def run_python(language: str, chosen: Sequence[Case], prepare: Callable[[Array], Any]) -> list[Any]:
    """The values by printed Python code; `prepare` makes an argument of an array."""
    results = []
    for case in chosen:
        scope: dict[str, Any] = {}
        exec(case.expression.to_code(language), scope)  # noqa: S102  (our own text)
        results.append(np.asarray(scope["f"](*map(prepare, case.arguments))))
    return results


def run_octave(chosen: Sequence[Case], folder: Path) -> list[Array]:
    """The values by printed MATLAB code, all in one process of Octave."""
    lines = ["warning('off', 'all');", "out = fopen('out.txt', 'w');"]
    for case in chosen:
        (folder / f"{case.name}.m").write_text(tc.to_code(case.expression, "octave", name=case.name))
        given = ", ".join(octave_array(array) for array in case.arguments)
        lines.append(
            f"try; r = {case.name}({given}); fprintf(out, '{case.name} ok %s\\n', "
            "sprintf('%.17g,%.17g ', [real(r(:)).'; imag(r(:)).']));"
            f"catch e; fprintf(out, '{case.name} failed %s\\n', strrep(e.message, sprintf('\\n'), ' ')); end"
        )
    (folder / "main.m").write_text("\n".join(lines) + "\n")
    subprocess.run(["octave-cli", "--norc", "--quiet", "main.m"], cwd=folder, capture_output=True, timeout=600, check=False)  # noqa: S607  # fmt: skip
    found = []
    for case, line in zip(chosen, (folder / "out.txt").read_text().splitlines(), strict=True):
        name, state, text = line.split(" ", 2)
        if name != case.name or state != "ok":
            raise AssertionError(f"Octave: {line}\n{(folder / f'{case.name}.m').read_text()}")
        entries = [complex(*map(float, pair.split(","))) for pair in text.split()]
        flat = np.array(entries)
        if case.expected.dtype.kind != "c" and not flat.imag.any():
            flat = flat.real
        found.append(flat.reshape(case.expected.shape, order="F"))
    return found


def octave_array(array: Array) -> str:
    """An array as text of Octave; vectors are columns."""
    def entry(x: Any) -> str:
        return f"complex({x.real!r},{x.imag!r})" if isinstance(x, complex) else repr(x)

    entries = ",".join(entry(x) for x in array.ravel(order="F").tolist())
    shape = [*array.shape, 1, 1][: max(2, array.ndim)]
    return f"reshape([{entries}],{','.join(map(str, shape))})"
