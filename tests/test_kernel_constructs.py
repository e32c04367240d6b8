"""Kernels of every construct of the language against the interpreter: values and derivatives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import canonical as c
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.interpret import interpret
from tensorcalc.ir import Data, Node, Variable
from tensorcalc.kernel import Kernel, compile_nodes
from tensorcalc.plan import plan
from tensorcalc.plan.program import Host
from tensorcalc.traverse import variables

KINDS = {
    "A": "matrix(m, n)", "B": "matrix(m, n)", "C": "matrix(p, q)", "D": "matrix(m, q)", "E": "matrix(p, n)",
    "S": "matrix(n, n)", "T": "matrix(n, n)", "u": "vector(3)", "v": "vector(3)", "U": "matrix(m, 3)",
    "V": "matrix(3, 3)", "x": "vector(n)", "y": "vector(m)", "z": "vector(n*q)", "a": "scalar", "b": "scalar",
    "k": "scalar integer",
}  # fmt: skip
DECLARED = "; ".join(f"{name} : {kind}" for name, kind in KINDS.items()) + "\n"

# formulas that are compiled together with their derivatives, and the sizes (m, n, p, q)
ALL_SIZES = [(3, 4, 2, 5), (1, 1, 1, 1), (0, 2, 3, 1), (2, 0, 0, 2), (12, 9, 11, 10)]
FILLED = [(3, 4, 2, 5), (1, 1, 1, 1), (20, 9, 3, 7)]
SMALL = [(2, 3, 1, 1), (1, 1, 1, 1)]
GROUPS: dict[str, tuple[list[tuple[int, int, int, int]], list[str]]] = {
    "softmax": (ALL_SIZES, [
        "logsumexp(x)", "sum(logsumexp(A, 2))", "softmax(A, 2)", "sum(B.*softmax(A + 2*B, 1))",
        "logsumexp(A)", "sum[i](A[i,j]*softmax[j](B[i,j]))",
    ]),
    "multinomial": (ALL_SIZES, ["sum(logsumexp(A*S, 2)) - sum(B.*(A*S))"]),
    "largest": (FILLED, [
        "max(A)", "min(A, 2)", "sum(max(exp(A), 1).*x')", "max(x)*min(x)", "sum[i](max[j](A[i,j]*x[j])^2)",
    ]),
    "products": (ALL_SIZES, ["prod(x)", "sum(prod(A, 2).*y)", "prod(A + 1, 1)"]),
    "explicit": (ALL_SIZES, [
        "[a, b; 1, a*b]", "det([a, b; sin(a), 2])", "[x; a; 1]", "norm2([x; 2*y])", "sum(exp([a, b]*[1, 2; 3, a]))",
    ]),
    "blocks": (ALL_SIZES, [
        "[A, exp(D); E, C - 1]", "sum([A, D; E, C].^3)", "sum(([A, D]'*y).^2)",
        "sum(exp([A, eye; 0, A']))",
    ]),
    "merged": (ALL_SIZES, [
        "vec(A)", "kron(A, C)", "kron(A, C)*z", "sum(exp(kron(A, C)*z))", "sum(sin(kron(A, x)))",
        "vec(A)'*vec(A')", "norm2([vec(A); vec(B)])", "commutation(m, n)*vec(exp(A))", "kron([A; 2*B], y')",
    ]),
    "Kronecker products": (ALL_SIZES, [
        "tr(kron(A, C)*kron(A', C'))", "logdet(eye + kron(S*S', C*C'))",
    ]),
    "signs": (ALL_SIZES, [
        "cross(u, v)", "u'*cross(exp(u), cross(v, u))", "eps[i,j,k]*V[0,i]*V[1,j]*V[2,k]",
        "(eps[a,b,c]*U[i,a]*U[i,b])*V[c,d] -> [i,d]",
    ]),
    "counted": (ALL_SIZES, ["sum[i=0..n-1](i*x[i]^2)", "sum[i=0..n-1](x[i]/(i + 1))"]),
    "powers": (ALL_SIZES, ["S^k", "x'*(S + 3*eye)^(1 - k)*x", "sum(exp(expm(S)*x))", "tr(expm(S*T))"]),
    "host": (SMALL, [
        "pinv(A)", "sum((pinv(A)*y).^2)", "adj(S)", "sum(sqrtm(eye + S*S').^2)", "sum(exp(logm(eye + S*S'/9)*x))",
    ]),
    "series": (SMALL, ["sum(sinm(S).*cosm(2*T))", "cosm(S)*x"]),
    "sums over integers": (ALL_SIZES, [
        "sum(sum[r=0..k-1](S^r))", "sum(exp(sum[r=0..k-1](S^r*T*S^(k-1-r))))",
    ]),
}  # fmt: skip


def values(sizes: tuple[int, int, int, int], precision: type, seed: int = 0) -> dict[str, Any]:
    """Random data for all of `KINDS`."""
    draw = np.random.default_rng(seed)
    numbers = dict(zip("mnpq", sizes, strict=True))
    data: dict[str, Any] = {"k": 3}
    for name, variable in tc.parse(DECLARED + "a").variables.items():
        if name != "k":
            shape = [dim.value(numbers) for dim in variable.dims]
            data[name] = (draw.normal(size=shape) / 2 + 0.1).astype(precision)
    return data


def with_derivatives(texts: list[str]) -> dict[str, tc.Expr]:
    """Formulas, and of each the gradient by every variable, or the transposed Jacobian."""
    outputs: dict[str, tc.Expr] = {}
    for number, text in enumerate(texts):
        formula = outputs[text] = tc.parse(DECLARED + text)
        for name in variables(formula.node):
            if name == "k":
                continue
            pulled = (
                tc.vjp(formula, name, f"bar{number}") if formula.shape else tc.grad(formula, name)
            )
            outputs[f"{text} by {name}"] = pulled
    return outputs


def agree(
    found: dict[str, Any], outputs: dict[str, tc.Expr], data: dict[str, Any], rtol: float
) -> None:
    """Every output is the interpreter's, in shape, type and value."""
    for name, formula in outputs.items():
        wanted = formula.evaluate(**{n: data[n] for n in formula.variables})
        assert found[name].shape == wanted.shape, name
        assert found[name].dtype == wanted.dtype, name
        scale = np.max(np.abs(wanted), initial=1, where=np.isfinite(wanted))
        np.testing.assert_allclose(found[name], wanted, rtol, rtol * scale, err_msg=name)


def check(
    all_sizes: list[tuple[int, int, int, int]], texts: list[str], precision: type, rtol: float
) -> None:
    """One kernel of some formulas and their derivatives, at some sizes."""
    outputs = with_derivatives(texts)
    kernel = tc.compile(outputs)
    for sizes in all_sizes:
        data = values(sizes, precision)
        draw = np.random.default_rng(1)
        for number, text in enumerate(texts):
            formula = outputs[text]
            shape = np.shape(formula.evaluate(**{n: data[n] for n in formula.variables}))
            data[f"bar{number}"] = draw.normal(size=shape).astype(precision)
        given = {name: data[name] for name in kernel.variables}
        agree(kernel(**given), outputs, data, rtol)


@pytest.mark.parametrize("group", GROUPS)
def test_against_the_interpreter(group: str) -> None:
    """Values and derivatives in double precision, at sizes 0, 1 and a few."""
    check(*GROUPS[group], np.float64, 1e-8)


def test_single_precision() -> None:
    """float32 in, float32 out, to its accuracy: loops, calls and the host."""
    texts = [
        "softmax(A, 1)", "sum(logsumexp(A, 2))", "max(A, 1)", "prod(x)", "[A, exp(D); E, C]", "kron(A, C)*z",
        "cross(u, v)", "S^k*x", "expm(S)*x", "cosm(S)*x", "sum[i=0..n-1](i*x[i]^2)", "sum[r=0..k-1](S^r)",
    ]  # fmt: skip
    check([(3, 4, 2, 5), (1, 1, 1, 1)], texts, np.float32, 2e-4)


INF, NAN = np.inf, np.nan
ROWS = np.array([
    [1, 2, 3], [NAN, 1, 2], [INF, 1, 2], [-INF, -INF, -INF], [INF, INF, 1], [-INF, 1, 2], [NAN, INF, 1],
    [1000, 1000.5, 999], [1e308, -1e308, 0], [INF, 1000, -INF], [0.0, -0.0, 0],
])  # fmt: skip


@pytest.fixture(scope="module")
def reductions() -> tuple[dict[str, tc.Expr], Kernel]:
    """Every reduction along both axes, with derivatives, and the kernel of all."""
    start = "X : matrix(m, n)\n"
    names = ("logsumexp", "max", "min", "prod")
    outputs = {
        f"{name} {axis}": tc.parse(f"{start}{name}(X, {axis})") for name in names for axis in (1, 2)
    }
    outputs |= {f"d{name}": tc.grad(f"{start}sum({name}(X, 2))", "X") for name in names}
    outputs |= {f"softmax {axis}": tc.parse(f"{start}softmax(X, {axis})") for axis in (1, 2)}
    return outputs, tc.compile(outputs)


@pytest.mark.parametrize("layout", ["rows", "columns", "fortran", "single"])
def test_not_finite(
    reductions: tuple[dict[str, tc.Expr], Kernel], layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN, infinities and huge entries come out as in the interpreter, whichever way loops run."""
    monkeypatch.setattr("tensorcalc.kernel.MIN_TURNED", 1)
    monkeypatch.setattr("tensorcalc.plan.LARGE", 64)
    outputs, kernel = reductions
    with np.errstate(over="ignore"):
        single = ROWS.astype(np.float32)
    data = {
        "rows": ROWS,
        "columns": ROWS.T.copy(),
        "fortran": np.asfortranarray(ROWS),
        "single": single,
    }[layout]
    found = kernel(X=data)
    for name, formula in outputs.items():
        wanted = formula.evaluate(X=data)
        rtol = 1e-5 if layout == "single" else 1e-12
        np.testing.assert_allclose(found[name], wanted, rtol, 1e-30, err_msg=name)


EMPTY = [
    ("logsumexp", [-INF] * 2), ("prod", [1, 1]), ("max", None), ("min", None), ("softmax", [[], []]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), EMPTY)
def test_of_nothing(name: str, expected: list[float] | None) -> None:
    """The sum of nothing is 0; the largest of nothing is refused before anything runs."""
    formula = tc.parse(f"X : matrix(m, n)\n{name}(X, 2)")
    for compute in (tc.compile(formula), formula.evaluate):
        if expected is not None:
            assert compute(X=np.ones((2, 0))).tolist() == expected
            continue
        with pytest.raises(DomainError, match=f"{name} of no entries"):
            compute(X=np.ones((2, 0)))


def test_the_softmax_has_one_exponential() -> None:
    """`logsumexp` and the softmax share theirs, along either axis."""
    for axis in (1, 2):
        formula = tc.parse(f"X : matrix(m, n); Y : matrix(m, n)\nsum(logsumexp(X - Y, {axis}))")
        kernel = tc.compile({"v": formula, "g": tc.grad(formula, "X")})
        assert kernel.source.count(" exp(") == 1


def test_merged_axes_are_contracted_by_their_parts() -> None:
    """No intermediate is larger than the data, where a Kronecker product would be a billion."""
    kernel = tc.compile(
        "A : matrix(m, n); B : matrix(p, q); z : vector(n*q)\nsum((kron(A, B)*z).^2)"
    )
    given = [np.ones((300, 200)), np.ones((200, 300)), np.ones(200 * 300)]
    assert kernel(*given) == pytest.approx(300 * 200 * (200.0 * 300) ** 2)
    assert "GEMM" in kernel.plan


def test_equal_contractions_are_computed_once() -> None:
    """Also where one is wanted as the transpose of the other."""
    formula = tc.parse(
        "X : matrix(m, n); W : matrix(n, p); Y : matrix(m, p)\nsum(logsumexp(X*W, 2)) - sum(Y.*(X*W))"
    )
    kernel = tc.compile({"v": formula, "g": tc.grad(formula, "W")})
    assert kernel.plan.count("GEMM") == 2


# ── steps on the host, constants, and what is not compiled ───────────────────────────────────


def test_steps_on_the_host() -> None:
    """What is around them is compiled, numbers and results pass through, threads of one name."""
    formula = tc.parse(DECLARED + "sum(exp(logm(eye + S*S'/9)*x*(a + 1)))")
    kernel = tc.compile({"v": formula, "again": formula, "g": tc.grad(formula, "S")})
    data = values((2, 3, 1, 1), np.float64)
    given = {name: data[name] for name in kernel.variables}
    results = kernel(**given)
    assert results["v"] == results["again"]
    assert "host logm" in kernel.plan
    assert "GEMM" in kernel.plan or "LOOP" in kernel.plan
    assert kernel.source.count("# host logm") == kernel.plan.count("host logm")
    assert kernel.source.count("def kernel(") >= 2


def test_the_plan_has_the_steps_on_the_host() -> None:
    """`plan` itself takes every formula that has values."""
    formula = tc.parse("A : matrix(n, n); k : scalar integer\nsum(cosm(A)) + sum(sum[r=0..k](A^r))")
    steps = plan({"o": formula.node}, {"n": 3}).steps
    assert sorted(step.kind for step in steps if isinstance(step, Host)) == [
        "host cosm",
        "host sum over integers",
    ]


def test_arrays_in_fortran_order_reach_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a derivative tensor of a transposed matrix."""
    monkeypatch.setattr("tensorcalc.kernel.MIN_TURNED", 1)
    formula = tc.parse("A : matrix(n, n); k : scalar integer\nsum(exp(cosm(A) + sum[r=0..k](A^r)))")
    outputs = {"v": formula, "g": tc.grad(formula, "A")}
    A = np.random.default_rng(0).normal(size=(3, 3))
    found = tc.compile(outputs)(A=np.asfortranarray(A), k=2)
    for name, expression in outputs.items():
        np.testing.assert_allclose(found[name], expression.evaluate(A=A, k=2), rtol=1e-10)


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_array_constants(precision: type) -> None:
    """They are in no text and in no result."""
    n = Dim.of(3)
    x = Variable.of("x", (n,))
    array = np.arange(9.0).reshape(3, 3)
    array.setflags(write=False)
    data = Data.of(array)
    outputs: dict[str, Node] = {
        "product": c.einsum(1, (n, n), [(data, (0, 1)), (x, (1,))]),
        "data": data,
        "host": c.einsum(1, (n, n), [(c.matrix_function("cosm", data), (0, 1)), (x, (1,))]),
    }
    kernel = compile_nodes(outputs, {"x": x}, False)
    given: Any = np.ones(3, precision)
    found = kernel(x=given)
    for result, wanted in zip(
        found.values(), interpret(list(outputs.values()), {"x": given}), strict=True
    ):
        assert result.dtype == wanted.dtype
        np.testing.assert_allclose(result, wanted, rtol=1e-5)
    found["data"][:] = 7
    assert kernel(x=given)["data"].max() == array.max() == 8


POWERS = [
    (2, 4.0),
    (-2, 0.25),
    (0, 1.0),
    (1, 2.0),
    (31, 2.0**31),
    (2.5, None),
    (NAN, None),
    (INF, None),
]


@pytest.mark.parametrize(("exponent", "expected"), POWERS)
def test_integer_exponents(exponent: float, expected: float | None) -> None:
    """Powers of a matrix; what is no integer is refused."""
    kernel = tc.compile("A : matrix(n, n); k : scalar integer\nA^k")
    if expected is not None:
        np.testing.assert_allclose(kernel(A=np.diag([2.0, 1]), k=exponent), np.diag([expected, 1]))
        assert np.isnan(kernel(A=np.ones((2, 2)), k=-1)).all()
        return
    with pytest.raises(DomainError, match="no integer"):
        kernel(A=np.eye(2), k=exponent)


COMPLEX = ["c*z + x", "z^H*z", "sum(abs(z))", "expm(z*z')*x", "conj(c)", "abs(c)*x"]


@pytest.mark.parametrize("text", COMPLEX)
def test_complex_numbers(text: str) -> None:
    """They are interpreted, whatever kind of number is given."""
    formula = tc.parse("z : vector(n) complex; c : scalar complex; x : vector(n)\n" + text)
    kernel = tc.compile(formula)
    z = np.array([1 + 2j, 3 - 1j])
    everything: tuple[dict[str, Any], ...] = (
        {"z": z, "c": 1j, "x": np.ones(2)},
        {"z": z.astype(np.complex64), "c": 2, "x": np.ones(2, np.float32)},
        {"z": z.real, "c": np.complex64(1j), "x": np.ones(2)},
        {"z": z, "c": np.array(1 + 2j), "x": [1, 2]},
    )
    for data in everything:
        wanted = formula.evaluate(**{name: data[name] for name in formula.variables})
        for _ in range(2):
            found = kernel(**{name: data[name] for name in kernel.variables})
            assert np.asarray(found).dtype == wanted.dtype
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert kernel.plan == "interpreted: complex numbers"


@pytest.mark.parametrize(
    "text",
    [
        "g : scalar -> scalar\ng(x'*x)",
        "u : vector(m) of x\nu'*u",
        "A : matrix(n, n); h : matrix(n, n) -> scalar\nh(A)",
    ],
)
def test_unknown_functions_have_no_kernel(text: str) -> None:
    """Refused at once, by name."""
    with pytest.raises(DomainError, match=r"[guh] is unknown: it has no value"):
        tc.compile(text)


NO_MODULE = [
    ("A : matrix(n, n)\nlogm(A)", "logm has no compiled form"),
    ("A : matrix(n, n); k : scalar integer\nsum[r=0..k](A^r)", "sum over integers has no"),
    ("z : vector(n) complex\nz", "complex numbers"),
]


@pytest.mark.parametrize(("text", "words"), NO_MODULE)
def test_no_module_of_what_is_interpreted(text: str, words: str, tmp_path: Path) -> None:
    """A module would need more than NumPy, SciPy and Numba."""
    with pytest.raises(DomainError, match=words):
        tc.compile(text).save(tmp_path / "saved.py")
    assert not list(tmp_path.iterdir())


def test_saved_module(tmp_path: Path) -> None:
    """A saved module of reductions, blocks, merged axes and powers runs without tensorcalc."""
    text = (
        DECLARED
        + "sum(max([A, D], 2)) + sum(kron(A, C)*z) + sum(expm(S)*S^k*x) + u'*cross(v, u + v) + logsumexp(A)"
    )
    kernel = tc.compile(tc.parse(text))
    data = values((3, 4, 2, 5), np.float64)
    expected = kernel(**{name: data[name] for name in kernel.variables})
    kernel.save(tmp_path / "saved.py")
    np.savez(tmp_path / "data.npz", **data)
    script = (
        "import sys; sys.modules['tensorcalc'] = None\nimport numpy as np, saved\n"
        "print(float(saved.run(**np.load('data.npz'))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stderr == ""
    assert float(done.stdout) == pytest.approx(float(expected), rel=1e-12)
