"""Functions of JAX arrays: every transformation against the same function written in JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.interop.jax import function

pytestmark = pytest.mark.interop

SHAPES = {"X": (4, 3), "A": (3, 3), "w": (3,), "x": (3,), "y": (4,), "c": (), "T": (2, 3, 4)}
FORMULAS: dict[str, Any] = {
    "sum(log(1 + exp(-y.*(X*w))))": lambda j, X, w, y: j.log1p(j.exp(-y * (X @ w))).sum(),
    "X*w": lambda j, X, w: X @ w,
    "exp(c)*x*y'": lambda j, c, x, y: j.exp(c) * j.outer(x, y),
    "inv(A + 4*eye)": lambda j, A: j.linalg.inv(A + 4 * j.eye(3)),
    "logdet(A*A' + eye)*x": lambda j, A, x: j.linalg.slogdet(A @ A.T + j.eye(3))[1] * x,
    "T[i,j,k]*x[j]*y[k] -> [i]": lambda j, T, x, y: j.einsum("ijk,j,k->i", T, x, y),
    "sin(A)*tanh(c*x)": lambda j, A, c, x: j.sin(A) @ j.tanh(c * x),
    "norm2(X*w - y)": lambda j, X, w, y: j.linalg.norm(X @ w - y),
    "x": lambda j, x: x,
    "vector(1, 3)*c": lambda j, c: j.ones(3) * c,
}  # fmt: skip
SAMPLE = next(iter(FORMULAS))


@pytest.fixture(params=[True, False], ids=["float64", "float32"])
def jax(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The library, in double and in single precision; without it these tests fail."""
    library = import_module("jax")
    import_module("jax.numpy")
    library.config.update("jax_enable_x64", request.param)
    yield library
    library.config.update("jax_enable_x64", False)


def arrays(jax: Any, names: tuple[str, ...]) -> list[Any]:
    """Random arrays of the shapes of the variables, the same ones each time."""
    random = np.random.default_rng(3)
    return [jax.numpy.asarray(random.normal(size=SHAPES[name])) for name in names]


def parts(jax: Any, formula: str) -> tuple[Any, Callable[..., Any], tuple[str, ...]]:
    """Our function, JAX's, and the names of their arguments in order."""
    theirs = FORMULAS[formula]
    names = theirs.__code__.co_varnames[1 : theirs.__code__.co_argcount]
    kinds = ("scalar", "vector({})", "matrix({}, {})", "tensor({}, {}, {})")
    declared = {n: kinds[len(SHAPES[n])].format(*SHAPES[n]) for n in names}
    ours = function(tc.parse(formula, **declared), *names)
    return ours, lambda *given: theirs(jax.numpy, *given), names


def same(jax: Any, found: Any, expected: Any) -> None:
    """Two trees of arrays are equal, their types included."""
    tolerance = 1e-10 if jax.config.jax_enable_x64 else 2e-4
    left, right = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("formula", FORMULAS)
def test_values_and_derivatives(jax: Any, formula: str) -> None:
    """Values, both modes and the second order, compiled by JAX and not."""
    ours, theirs, names = parts(jax, formula)
    given = arrays(jax, names)
    every = tuple(range(len(given)))
    for transform in (
        lambda f: f,
        jax.jit,
        lambda f: jax.jacrev(f, every),
        lambda f: jax.jit(jax.jacfwd(f, every)),
        lambda f: lambda *a: jax.jvp(f, a, a),
        lambda f: jax.jit(jax.hessian(lambda *a: (f(*a) ** 2).sum(), every)),
    ):
        same(jax, transform(ours)(*given), transform(theirs)(*given))


@pytest.mark.parametrize(
    "transform",
    [
        "value_and_grad(f)(w, X, y)",
        "jit(value_and_grad(f, (0, 1, 2)))(w, X, y)",
        "hessian(f, (0, 1))(w, X, y)",
        "jit(hessian(f))(w, X, y)",
        "jacrev(jacrev(f))(w, X, y)",
        "jacrev(jacfwd(f))(w, X, y)",
        "jacfwd(jacfwd(f))(w, X, y)",
        "jacfwd(hessian(f))(w, X, y)",
        "linearize(f, w, X, y)[1](w, X, y)",
        "vjp(f, w, X, y)[1](f(w, X, y))",
        "vmap(f, (0, None, None))(W, X, y)",
        "jit(vmap(grad(f, (0, 1)), (0, None, None)))(W, X, y)",
        "vmap(f, (None, 2, None))(w, stack([X, 2*X], axis=2), y)",
        "grad(lambda X: vmap(f, (0, None, None))(W, X, y).sum())(X)",
        "hessian(lambda X: vmap(vmap(f, (0, None, None)), (None, None, 0))(W, X, Y).sum())(X)",
        "jit(grad(checkpoint(f)))(w, X, y)",
        "jit(grad(lambda w: lax.scan(lambda c, _: (c - 0.1*grad(f)(c, X, y), f(c, X, y)), w, None, length=3)[1].sum()))(w)",
        "lax.map(lambda w: grad(f)(w, X, y), W)",
        "jit(lambda w: lax.cond(w[0] > 0, lambda: f(w, X, y), lambda: 2*f(w, X, y)))(w)",
    ],
)  # fmt: skip
def test_transformations(jax: Any, transform: str) -> None:
    """What may be done to a function of JAX's may be done to ours, with the same result."""
    w, X, y = arrays(jax, ("w", "X", "y"))
    names = {**vars(jax), "stack": jax.numpy.stack, "w": w, "X": X, "y": y}
    names |= {"W": jax.numpy.stack([w, 2 * w, -w]), "Y": jax.numpy.stack([y, 3 * y])}
    ours = function(SAMPLE, "w", "X", "y")
    found, expected = (
        eval(transform, names | {"f": f})  # noqa: S307
        for f in (ours, lambda w, X, y: FORMULAS[SAMPLE](jax.numpy, X, w, y))
    )
    same(jax, found, expected)


def test_linear_functions_are_transposed(jax: Any) -> None:
    """`linear_transpose` works for what is linear, and refuses what is not."""
    A, x = arrays(jax, ("A", "x"))
    f = function("A*x", "x", "A")
    (found,) = jax.linear_transpose(lambda x: f(x, A), x)(x)
    same(jax, found, A.T @ x)
    with pytest.raises(tc.DomainError, match="not linear in x"):
        jax.linear_transpose(function("x'*x"), x)(jax.numpy.asarray(1.0))


def test_data_by_name(jax: Any) -> None:
    """Data may be NumPy arrays and numbers; several outputs are a dict."""
    w, X, y = arrays(jax, ("w", "X", "y"))
    f = function({"loss": "sum((X*w - y).^2) + c*w'*w", "fit": "X*w"}, "w")
    found = f(w, X=np.asarray(X), y=y, c=2)
    same(jax, found, {"fit": X @ w, "loss": ((X @ w - y) ** 2).sum() + 2 * w @ w})
    gradient = jax.grad(lambda w: f(w, X=X, y=y, c=2)["loss"])(w)
    same(jax, gradient, 2 * X.T @ (X @ w - y) + 4 * w)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("int32", "of type int32"),
        ("bool", "of type bool"),
        ("bfloat16", "bfloat16"),
        ("complex64", r"complex64\nhint: use value.real"),
    ],
)
def test_refused(jax: Any, dtype: str, message: str) -> None:
    """What has no derivative here is one error."""
    with pytest.raises(tc.DomainError, match=message):
        function("x'*x")(jax.numpy.ones(3, dtype))


def test_integer_parameters(jax: Any) -> None:
    """A variable that is declared an integer may be one, and has no derivative."""
    f = function(tc.parse("sum(x.^k)", k="scalar integer"), "x", "k")
    (x,) = arrays(jax, ("x",))
    same(jax, jax.grad(f)(x, 3), 3 * x**2)
    same(jax, jax.jit(jax.grad(f))(x, jax.numpy.asarray(2)), 2 * x)


def test_no_arguments(jax: Any) -> None:
    """A formula of numbers has JAX's type."""
    f = function("2*pi")
    same(jax, [f(), jax.jit(f)()], [jax.numpy.asarray(2 * np.pi)] * 2)


def test_shapes_are_checked(jax: Any) -> None:
    """Under `jit`, too, before anything runs."""
    f = function("A*x", "A", "x")
    with pytest.raises(tc.ShapeError):
        jax.jit(f)(jax.numpy.ones((3, 2)), jax.numpy.ones(3))
    with pytest.raises(tc.UnknownNameError, match="no value for x"):
        f(jax.numpy.ones((3, 2)))
