"""The objective of SciPy: values, derivatives and products against the interpreter; solvers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import (
    Bounds,
    NonlinearConstraint,
    least_squares,
    minimize,
    root,
)

import tensorcalc as tc
from tensorcalc import api
from tensorcalc.binding import Array
from tensorcalc.finite_differences import sample, slope
from tensorcalc.interop.packing import FREE, Packing
from tensorcalc.interop.scipy import Objective, objective
from tensorcalc.structured import FREE as STRUCTURES

FACTORS = "U : matrix(m, k); V : matrix(n, k); T : matrix(m, n); "
SIZES = {"m": 3, "n": 4, "k": 2}

SCALARS = [
    ("sum(log(1 + exp(-y.*(X*w + b))))", ["w", "b"]),
    (FACTORS + "c : scalar; normF(T - U*V')^2 + exp(c)*(normF(U)^2 + normF(V)^2)", ["V", "c", "U"]),
    ("W : tensor(m, n, k); a : vector(m); tanh(W[i,j,l]*a[i])*W[p,j,l]*a[p]^2", ["W", "a"]),
    ("S : spd(n); X : matrix(m, n); logdet(S) + tr(X*inv(S)*X')", ["S"]),
    ("A : skew(n); D : diagonal(n); L : lower(n); R : upper(n); tr(A*D*L*R*A)",
     ["A", "D", "L", "R"]),
    ("c : vector(n); x : vector(n); z : vector(n); c'*x", ["x", "z"]),
]  # fmt: skip
TENSORS = [
    ("exp(X*w) - b*y", ["w", "b"]),
    (FACTORS + "T - U*V'", ["U", "V"]),
    ("S : symmetric(n); x : vector(n); S*x.*exp(x)", ["x", "S"]),
    ("w'*w - c^3", ["w", "c"]),
]


def make(program: str, wrt: list[str]) -> tuple[Objective, Array, dict[str, Array]]:
    """The objective with random data, a point, and the data."""
    expression = tc.parse(program)
    rng = np.random.default_rng(len(program))
    dims = [dim for v in expression.variables.values() for dim in v.dims]
    sizes = {n: SIZES.get(n, 3) for dim in dims for n in dim.names}
    values = {name: sample(v, sizes, rng) for name, v in expression.variables.items()}
    data = {name: value for name, value in values.items() if name not in wrt}
    found = objective(expression, wrt, sizes=None, **data)
    return found, found.pack(**{name: values[name] for name in wrt}), data


def along(function: Any, x: Array, direction: Array) -> Array:
    """The derivative of a function of vectors in a direction, by finite differences."""
    return slope(lambda t: np.asarray(function(x + t * direction)))[0]


@pytest.mark.parametrize(("program", "wrt"), SCALARS, ids=[" ".join(w) for _, w in SCALARS])
def test_scalars(program: str, wrt: list[str]) -> None:
    """Value, gradient, Hessian and products of a scalar against the interpreter and differences."""
    obj, x, data = make(program, wrt)

    def evaluate(x: Array) -> Array:
        return np.asarray(obj.expression.evaluate(**data, **obj.unpack(x)))

    rng = np.random.default_rng(1)
    p, q = rng.standard_normal((2, obj.size))
    value, gradient = obj.fun_and_grad(x)
    assert isinstance(value, float)
    assert value == pytest.approx(float(evaluate(x)), rel=1e-12)
    assert obj.fun(x) == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(obj.grad(x), gradient, rtol=1e-12, atol=1e-12)
    assert gradient @ p == pytest.approx(float(along(evaluate, x, p)), rel=1e-7, abs=1e-7)

    hessian = obj.hess(x)
    assert hessian.shape == (obj.size, obj.size)
    assert (hessian == hessian.T).all()
    np.testing.assert_allclose(hessian @ p, along(obj.grad, x, p), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(obj.hessp(x, p), hessian @ p, rtol=1e-9, atol=1e-9)
    operator = obj.operator(x)
    np.testing.assert_allclose(operator @ np.c_[p, q], hessian @ np.c_[p, q], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(obj.hess(x, [2.0]), 2 * hessian)


@pytest.mark.parametrize(("program", "wrt"), TENSORS, ids=[" ".join(w) for _, w in TENSORS])
def test_tensors(program: str, wrt: list[str]) -> None:
    """Residual, Jacobian and weighted Hessian of a tensor of any rank."""
    obj, x, data = make(program, wrt)

    def evaluate(x: Array) -> Array:
        return np.ravel(obj.expression.evaluate(**data, **obj.unpack(x)))

    rng = np.random.default_rng(1)
    p, v = rng.standard_normal(obj.size), rng.standard_normal(evaluate(x).size)
    np.testing.assert_allclose(obj.residual(x), evaluate(x), rtol=1e-12)
    residual, jacobian = obj.residual_and_jac(x)
    np.testing.assert_allclose(residual, evaluate(x), rtol=1e-12)
    np.testing.assert_allclose(obj.residual_jac(x), jacobian, rtol=1e-12)
    np.testing.assert_allclose(jacobian @ p, along(evaluate, x, p), rtol=1e-6, atol=1e-6)
    operator = obj.residual_operator(x)
    np.testing.assert_allclose(operator @ p, jacobian @ p, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(operator.T @ v, jacobian.T @ v, rtol=1e-9, atol=1e-9)

    hessian = obj.hess(x, v)
    expected = along(lambda x: obj.residual_jac(x).T @ v, x, p)
    np.testing.assert_allclose(hessian @ p, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(obj.hessp(x, p, v), hessian @ p, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(obj.operator(x, v) @ p, hessian @ p, rtol=1e-9, atol=1e-9)


# ── solvers ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def factorisation() -> tuple[Objective, Array, float]:
    """A regularised factorisation, a start, and its least value, which is known.

    With the penalty c the best product has the two largest singular values of T, each less c.
    """
    rng = np.random.default_rng(0)
    T, c = rng.standard_normal((6, 5)), 0.4
    text = FACTORS + "c : scalar; normF(T - U*V')^2 + c*(normF(U)^2 + normF(V)^2)"
    obj = objective(text, ["U", "V"], T=T, c=c)
    x0 = obj.pack(U=rng.standard_normal((6, 2)), V=rng.standard_normal((5, 2)))
    # by s = |u||v| each of the two singular values t costs (t - s)^2 + 2cs, least at s = t - c
    t = np.linalg.svd(T, compute_uv=False)
    return obj, x0, float(np.sum(2 * c * t[:2] - c**2) + np.sum(t[2:] ** 2))


METHODS: list[tuple[str, tuple[str, ...]]] = [
    ("BFGS", ()), ("L-BFGS-B", ()), ("SLSQP", ()), ("Newton-CG", ("hessp",)),
    ("trust-ncg", ("hessp",)), ("trust-krylov", ("hessp",)), ("trust-constr", ("hessp",)),
    ("trust-exact", ("hess",)), ("Newton-CG", ("hess",)),
]  # fmt: skip


@pytest.mark.parametrize(("method", "second"), METHODS)
def test_minimize(
    factorisation: tuple[Objective, Array, float], method: str, second: tuple[str, ...]
) -> None:
    """Every method of SciPy takes the functions as they are."""
    obj, x0, lowest = factorisation
    more: dict[str, Any] = {name: getattr(obj, name) for name in second}
    found = minimize(obj.fun_and_grad, x0, jac=True, method=method, **more)
    assert found.fun == pytest.approx(lowest, rel=1e-5)


def test_hessian_as_an_operator(factorisation: tuple[Objective, Array, float]) -> None:
    """trust-constr takes a linear operator for the Hessian."""
    obj, x0, lowest = factorisation
    found = minimize(obj.fun, x0, jac=obj.grad, hess=obj.operator, method="trust-constr")
    assert found.fun == pytest.approx(lowest, rel=1e-5)


def test_least_squares_and_root() -> None:
    """An exponential fit by matrix and by operator; the root of a square system, both ways."""
    t = np.linspace(0, 2, 30)
    obj = objective("y - a*exp(-b*t) - c", ["a", "b", "c"], t=t, y=2 * np.exp(-1.5 * t) + 0.5)
    x0 = np.ones(3)
    dense = least_squares(obj.residual, x0, jac=obj.residual_jac)
    np.testing.assert_allclose(dense.x, [2, 1.5, 0.5], rtol=1e-6)
    products = least_squares(
        obj.residual, x0, jac=obj.residual_operator, tr_solver="lsmr", xtol=1e-12, ftol=1e-12
    )
    np.testing.assert_allclose(products.x, [2, 1.5, 0.5], rtol=1e-4)

    A = np.array([[4.0, 1], [1, 3]])
    system = objective("A*x + x.^3 - z", "x", A=A, z=[6.0, 5.0])
    for found in (
        root(system.residual_and_jac, np.zeros(2), jac=True),
        root(system.residual, np.zeros(2), jac=system.residual_jac),
    ):
        assert found.success
        np.testing.assert_allclose(A @ found.x + found.x**3, [6, 5], rtol=1e-9)


def test_constraints() -> None:
    """The nearest point of the unit sphere and a plane, by trust-constr and SLSQP."""
    target = np.array([2.0, 1.0, -1.0])
    obj = objective("(x - p)'*(x - p)", "x", p=target)
    sphere = objective("x'*x", "x", sizes={"n": 3})
    both = objective("x : vector(n); [x'*x; vector(1)'*x]", "x", sizes={"n": 3})
    x0 = np.array([0.5, 0.4, 0.3])
    flat = target - target.mean()
    for fun, jac, hess, value, expected in (
        (sphere.fun, sphere.grad, sphere.hess, 1, target / np.linalg.norm(target)),
        (both.residual, both.residual_jac, both.hess, [1, 0], flat / np.linalg.norm(flat)),
    ):
        first = NonlinearConstraint(fun, value, value, jac=jac)
        found = minimize(obj.fun_and_grad, x0, jac=True, method="SLSQP", constraints=first)
        np.testing.assert_allclose(found.x, expected, atol=1e-5)
        second = NonlinearConstraint(fun, value, value, jac=jac, hess=hess)
        found = minimize(
            obj.fun_and_grad,
            x0,
            jac=True,
            hessp=obj.hessp,
            method="trust-constr",
            constraints=second,
        )
        np.testing.assert_allclose(found.x, expected, atol=1e-5)


def test_bounds() -> None:
    """What is declared positive or nonnegative has bounds that SciPy keeps."""
    text = "x : vector(n) nonnegative; y : vector(n); (x - p)'*(x - p) + y'*y"
    obj = objective(text, ["x", "y"], p=[1.0, -1.0])
    assert isinstance(obj.bounds, Bounds)
    found = minimize(obj.fun_and_grad, np.ones(4), jac=True, bounds=obj.bounds)
    np.testing.assert_allclose(found.x, [1, 0, 0, 0], atol=1e-7)
    assert objective("x'*x", "x", sizes={"n": 2}).bounds is None


# ── the vector ───────────────────────────────────────────────────────────────────────────────


def test_shapes_are_told_in_four_ways() -> None:
    """By the data, by starts, by sizes, and by the first call of `pack`."""
    T = np.ones((3, 4))
    text = FACTORS + "normF(T - U*V')^2"
    assert objective("(X*w - y)'*(X*w - y)", "w", X=np.ones((3, 2)), y=np.ones(3)).size == 2
    started = objective(text, ["U", "V"], T=T, U=np.ones((3, 2)), V=0.5)
    np.testing.assert_allclose(started.x0, [1] * 6 + [0.5] * 8)
    assert objective(text, ["U", "V"], T=T, sizes={"k": 5}).size == 35
    late = objective(text, ["V", "U"], T=T)
    with pytest.raises(tc.ShapeError, match="cannot be told"):
        late.fun(np.ones(7))
    assert late.pack(U=np.ones((3, 1)), V=np.ones((4, 1))).size == late.size == 7


@pytest.mark.parametrize("kind", FREE)
def test_structures(kind: str) -> None:
    """Structured matrices come back from their free entries, and derivatives are by those."""
    assert FREE.keys() == STRUCTURES.keys()
    expression = tc.parse(f"A : {kind}(n); B : matrix(n, n); sum(B.*A)")
    A = sample(expression.variables["A"], {"n": 4}, np.random.default_rng(0))
    B = np.arange(16.0).reshape(4, 4)
    obj = objective(expression, "A", B=B)
    x = obj.pack(A=A)
    assert x.size == {"skew": 6, "diagonal": 4}.get(kind, 10)
    np.testing.assert_array_equal(obj.unpack(x)["A"], A)
    by_free = tc.diff(expression, "A", structured=True).evaluate(A=A, B=B)
    free = obj.unpack(np.ones(obj.size))["A"] != 0
    np.testing.assert_allclose(np.sort(obj.grad(x)), np.sort(_once(by_free, free, kind)))


def _once(gradient: Array, free: Array, kind: str) -> Array:
    """The entries of a gradient of which each stands for a free parameter."""
    lower = np.tril(np.ones_like(free))
    return gradient[free & (lower if kind in ("symmetric", "spd", "skew") else True)]


def test_outside_of_the_definite_matrices() -> None:
    """What is declared spd and is not has an infinite value, whatever the determinant's sign."""
    obj = objective("S : spd(n); logdet(S)", "S", sizes={"n": 2})
    for matrix, value in ((np.eye(2), 0.0), (-np.eye(2), np.inf), (np.diag([1, -1]), np.inf)):
        x = obj.pack(S=matrix)
        assert obj.fun(x) == obj.fun_and_grad(x)[0] == value


def test_results_are_the_callers() -> None:
    """A gradient that is data, or a value that is the vector, is a copy of it."""
    p = np.ones(3)
    obj = objective("p'*x", "x", p=p)
    obj.grad(np.zeros(3))[:] = 7
    x = np.zeros(3)
    obj.unpack(x)["x"][:] = 7
    assert (p == 1).all() and (x == 0).all()


def test_only_what_is_asked_for_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel is made at the first call of what needs it, once."""
    made: list[list[str]] = []
    compile_kernel = api.compile

    def spy(formulas: Any) -> Any:
        made.append([str(formula) for formula in formulas.values()])
        return compile_kernel(formulas)

    monkeypatch.setattr(api, "compile", spy)
    obj = objective("x'*A*x", "x", A=np.eye(2))
    assert made == []
    for _ in range(2):
        obj.fun_and_grad(np.ones(2))
    obj.hessp(np.ones(2), np.ones(2))
    assert made == [["x'*A*x", "(A + A')*x"], ["(A + A')*d_x"]]


def test_data_in_other_types() -> None:
    """float32 and integer data are converted once; lists are arrays."""
    X = np.array([[1, 2], [3, 4]])
    expected = objective("(X*w - y)'*(X*w - y)", "w", X=X, y=[5, 6]).fun_and_grad([1, 2])
    single = objective("(X*w - y)'*(X*w - y)", "w", X=X.astype(np.float32), y=[5, 6])
    value, gradient = single.fun_and_grad(np.array([1, 2], np.float32))
    assert (value, gradient.tolist()) == (expected[0], expected[1].tolist())
    assert gradient.dtype == np.float64


def test_names_of_directions_are_new() -> None:
    """Variables that are called as directions and weights would be are left alone."""
    text = "x : vector(n); d_x : vector(n); weights : vector(n); weights.*x.*x + d_x"
    obj = objective(text, "x", d_x=[1.0, 2], weights=[3.0, 4])
    np.testing.assert_allclose(obj.hessp(np.ones(2), [1, 1], [1, 10]), [6, 80])


# what is wrong, the error, and a word of it
ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: objective(np.ones(2), "x"), tc.DomainError, "ndarray is neither"),  # type: ignore[arg-type]
    (lambda: objective("x'*x", []), tc.UnknownNameError, "names no variable"),
    (lambda: objective("x'*x", ["x", "x"]), tc.UnknownNameError, "twice"),
    (lambda: objective("x'*x", "z"), tc.UnknownNameError, "z is not a variable"),
    (lambda: objective("x'*A*x", "x"), tc.UnknownNameError, "no value for A"),
    (lambda: objective("x'*A*x", "x", A=1, B=2), tc.UnknownNameError, "no variable B"),
    (lambda: objective("x'*A*x", "x", A=np.ones((2, 3))), tc.ShapeError, "axis 1 of A"),
    (lambda: objective("x'*x", "x", sizes={"m": 2}), tc.UnknownNameError, "no size is called m"),
    (lambda: objective("x'*x", "x", sizes={"n": 2}, x=np.ones(3)), tc.ShapeError, "n is 3 in the values"),
    (lambda: objective("x'*x", "x", sizes={"n": 2}).fun(np.ones(3)), tc.ShapeError, r"\(2,\) is needed"),
    (lambda: objective("x'*x", "x", sizes={"n": -1}), tc.DomainError, "the size n is -1"),
    (lambda: objective("x'*x", "x", sizes={"n": 2.5}), tc.DomainError, "the size n is 2.5"),  # type: ignore[dict-item]
    (lambda: objective("x'*x", "x", sizes={"n": True}), tc.DomainError, "the size n is True"),
    (lambda: objective("x'*x", None), tc.ParseError, "None cannot name"),  # type: ignore[arg-type]
    (lambda: objective("x'*x", "x", sizes={"n": 2}).grad([1j, 2]), tc.DomainError, "x is complex"),
    (lambda: objective("x'*x", "x", sizes={"n": 2}).fun("ab"), tc.DomainError, "x is of type <U2"),
    (lambda: objective("x'*x", "x", sizes={"n": 2}).pack(y=1), tc.UnknownNameError, "no variable y"),
    (lambda: objective("x'*x", "x", sizes={"n": 2}).pack(x=np.ones(3)), tc.ShapeError, "the value"),
    (lambda: objective("x'*x", "x", sizes={"n": 2}).x0, tc.UnknownNameError, "no value for x"),
    (lambda: objective("2*x", "x", sizes={"n": 2}).fun([1, 2]), tc.ShapeError, "is a scalar"),
    (lambda: objective("2*x", "x", sizes={"n": 2}).grad([1, 2]), tc.ShapeError, "is a scalar"),
    (lambda: objective("2*x", "x", sizes={"n": 2}).hess([1, 2]), tc.ShapeError, "give weights"),
    (lambda: objective("2*x", "x", sizes={"n": 2}).hess([1, 2], [1, 2, 3]), tc.ShapeError, "3 weights"),
    (lambda: objective("x'*x", "x", sizes={"n": 2}).hess([1, 2], [1, 2]), tc.ShapeError, "2 weights"),
    (lambda: objective("z : vector(n) complex; z'*z", "z", sizes={"n": 2}), tc.DomainError, "complex"),
    (lambda: objective("Q : orthogonal(n); tr(Q)", "Q", sizes={"n": 2}), tc.DomainError, "orthogonal"),
    (lambda: objective("S : symmetric(n); tr(S)", "S").pack(S=[[1, 2], [3, 4]]), tc.DomainError, "structure"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "error", "word"), ERRORS, ids=[word for *_, word in ERRORS])
def test_errors(wrong: Any, error: type[Exception], word: str) -> None:
    """Every mistake is one clean error."""
    with pytest.raises(error, match=word):
        wrong()


def test_what_the_page_names_is_there() -> None:
    """docs/optimisation.md speaks of attributes that there are, and of all functions."""
    text = (Path(__file__).parent.parent / "docs" / "optimisation.md").read_text()
    named = set(re.findall(r"obj\.(\w+)", text))
    there = {name for name in dir(Objective) if not name.startswith("_")}
    assert named <= there
    assert there - named == {"packing", "size"}


def test_packing_of_nothing_free() -> None:
    """A skew matrix of size 1 and arrays without entries take no place."""
    variables = tc.parse("A : skew(n); x : vector(m); tr(A) + x'*x").variables
    packing = Packing(variables.values(), {"n": 1, "m": 0})
    assert packing.size == 0
    assert packing.unpack(np.zeros(0))["A"].tolist() == [[0.0]]


def test_scipy_is_imported_when_it_is_needed() -> None:
    """The package imports nothing of this, and the module nothing of SciPy's optimisers."""
    code = (
        "import sys, tensorcalc; tensorcalc.diff('x.*x', 'x')\n"
        "assert not [m for m in sys.modules if m.startswith('tensorcalc.interop')]\n"
        "import tensorcalc.interop.scipy\n"
        "assert 'scipy.optimize' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
