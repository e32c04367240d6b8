"""Formulas that every language must compute, their data, and how each language runs them.

A case is a formula and a variable; formula and derivative are compared with the interpreter. Used
by `test_languages.py` and by `python tests/languages.py FOLDER`, which writes the cases for Julia:

    python tests/languages.py cases && julia cases/run.jl
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
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
    ("where(a > c, A, 2*A)*x", "A"),
    ("norm2(X*x)^3", "x"),
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


def in_octave(files: Mapping[str, str], calls: Mapping[str, str]) -> dict[str, str]:
    """What expressions of Octave give, as text, in one process (Octave takes a second to start).

    `files` are functions by name; an expression that fails gives ``error: ...``.
    """
    lines = ["warning('off', 'all');", "out = fopen('out.txt', 'w');"]
    for name, call in calls.items():
        lines.append(
            f"try; r = {call}; s = sprintf('%.17g,%.17g ', [real(r(:)).'; imag(r(:)).']);"
            " catch e; s = ['error: ', strrep(e.message, sprintf('\\n'), ' ')]; end;"
            f" fprintf(out, '{name} %s\\n', s);"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for function, text in files.items():
            (folder / f"{function}.m").write_text(text)
        (folder / "main.m").write_text("\n".join(lines) + "\n")
        command = ["octave-cli", "--norc", "--quiet", "main.m"]
        subprocess.run(command, cwd=folder, capture_output=True, timeout=600, check=False)
        rows = (folder / "out.txt").read_text().splitlines()
    return {name: text for name, _, text in (row.partition(" ") for row in rows)}


def run_octave(chosen: Sequence[Case]) -> list[Array]:
    """The values by printed MATLAB code."""
    files = {c.name: tc.to_code(c.expression, "octave", name=c.name) for c in chosen}
    calls = {c.name: f"{c.name}({', '.join(map(octave_array, c.arguments))})" for c in chosen}
    texts, found = in_octave(files, calls), []
    for case in chosen:
        text = texts[case.name]
        if text.startswith("error"):
            raise AssertionError(f"{text}\n{files[case.name]}")
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


# ── Julia ────────────────────────────────────────────────────────────────────────────────────


def julia_array(array: Array) -> str:
    """An array as text of Julia."""
    if not array.ndim:
        return repr(array.item())
    entries = ", ".join(repr(x) for x in array.ravel(order="F").tolist())
    return f"reshape([{entries}], {', '.join(map(str, array.shape))})"


JULIA_MAIN = """
failed = 0
function compare(name, found, expected)
    fits = size(found) == size(expected)
    if fits && isapprox(found, expected; rtol=1e-10, atol=1e-11)
        return
    end
    println("WRONG: ", name, fits ? "" : " has the size $(size(found)), not $(size(expected))")
    global failed += 1
end
function attempt(run, name)
    try
        run()
    catch error
        println("ERROR: ", name, ": ", sprint(showerror, error))
        global failed += 1
    end
end
"""


def write_julia(folder: Path) -> None:
    """The cases as files of Julia, and ``run.jl``, which runs them and their checks."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [JULIA_MAIN]
    for case in cases():
        text = tc.to_code(case.expression, "julia")
        name = f"Case_{case.name}"
        (folder / f"{case.name}.jl").write_text(f"module {name}\n{text}\nend\n")
        given = ", ".join(map(julia_array, case.arguments))
        lines.append(
            f'attempt(() -> include("{case.name}.jl"), "{case.name}")\n'
            f'attempt(() -> compare("{case.name}", {name}.f({given}), '
            f'{julia_array(case.expected)}), "{case.name}")'
        )
    for number, (formula, name) in enumerate(FORMULAS):
        text = tc.to_code(DECLARED + formula, "julia", name, name=f"check{number}")
        (folder / f"check{number}.jl").write_text(text)
        lines.append(
            f'attempt(() -> include("check{number}.jl"), "check{number}")\n'
            f'attempt(() -> Check{number}Code.check_derivatives(), "check{number}")'
        )
    lines.append('println(failed == 0 ? "all agree" : "$failed failed")\nexit(failed)')
    (folder / "run.jl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_julia(Path(sys.argv[1]))
