"""Functions of PyTorch tensors: values, derivatives of every order, types, errors."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.interop.torch import function

pytestmark = [
    pytest.mark.interop,
    # PyTorch's own, where forward mode is used first
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
]

SHAPES = {
    "X": (4, 3),
    "A": (3, 3),
    "S": (3, 3),
    "w": (3,),
    "x": (3,),
    "y": (4,),
    "c": (),
    "T": (2, 3, 4),
}
FORMULAS: dict[str, Any] = {
    "sum(log(1 + exp(-y.*(X*w))))": lambda t, X, w, y: t.log1p(t.exp(-y * (X @ w))).sum(),
    "X*w": lambda t, X, w: X @ w,
    "exp(c)*x*y'": lambda t, c, x, y: t.exp(c) * t.outer(x, y),
    "x'*A*x + c*w'*x": lambda t, x, A, c, w: x @ A @ x + c * w @ x,
    "inv(A + 4*eye)": lambda t, A: t.linalg.inv(A + 4 * t.eye(3, dtype=A.dtype)),
    "logdet(A*A' + eye)*x": lambda t, A, x: t.logdet(A @ A.T + t.eye(3, dtype=A.dtype)) * x,
    "T[i,j,k]*x[j]*y[k] -> [i]": lambda t, T, x, y: t.einsum("ijk,j,k->i", T, x, y),
    "softmax(X*w)": lambda t, X, w: t.softmax(X @ w, 0),
    "sin(A)*tanh(c*x)": lambda t, A, c, x: t.sin(A) @ t.tanh(c * x),
    "norm2(X*w - y)": lambda t, X, w, y: t.linalg.norm(X @ w - y),
    "diag(x)*A": lambda t, x, A: t.diag(x) @ A,
    "expm(A/4)*x": lambda t, A, x: t.matrix_exp(A / 4) @ x,
    "x": lambda t, x: x,
    "vector(1, 3)*c": lambda t, c: t.ones(3, dtype=c.dtype) * c,
}  # fmt: skip


@pytest.fixture(scope="module")
def torch() -> Any:
    """The library; without it these tests fail."""
    return import_module("torch")


def tensors(
    torch: Any, names: tuple[str, ...], dtype: Any, *, requires_grad: bool = True
) -> list[Any]:
    """Random tensors of the shapes of the variables, the same ones each time."""
    generator = torch.Generator().manual_seed(3)
    found = [torch.randn(SHAPES[name], generator=generator, dtype=torch.float64) for name in names]
    return [tensor.to(dtype).requires_grad_(requires_grad) for tensor in found]


def parts(formula: str) -> tuple[Any, Callable[..., Any], tuple[str, ...]]:
    """Our function, PyTorch's, and the names of their arguments in order."""
    theirs = FORMULAS[formula]
    names = theirs.__code__.co_varnames[1 : theirs.__code__.co_argcount]
    kinds = ("scalar", "vector({})", "matrix({}, {})", "tensor({}, {}, {})")
    declared = {n: kinds[len(SHAPES[n])].format(*SHAPES[n]) for n in names}
    return function(tc.parse(formula, **declared), *names), theirs, names


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_value_and_gradient(torch: Any, formula: str, precision: str) -> None:
    """Value and gradients by every argument are PyTorch's, in its type."""
    dtype = getattr(torch, precision)
    ours, theirs, names = parts(formula)
    given = tensors(torch, names, dtype)
    found, expected = ours(*given), theirs(torch, *given)
    assert found.dtype == dtype
    tolerance = 1e-10 if precision == "float64" else 2e-4
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    weights = torch.linspace(-1, 2, max(found.numel(), 1), dtype=dtype).reshape(found.shape)
    gradients = torch.autograd.grad((found * weights).sum(), given)
    wanted = torch.autograd.grad((expected * weights).sum(), given)
    for a, b in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("formula", FORMULAS)
def test_gradcheck(torch: Any, formula: str) -> None:
    """PyTorch's own check against finite differences, of both orders and both modes."""
    ours, _, names = parts(formula)
    given = tensors(torch, names, torch.float64)
    assert torch.autograd.gradcheck(ours, given, check_forward_ad=True)
    if ours(*given).numel() <= 4:
        assert torch.autograd.gradgradcheck(ours, given)


def test_some_require_a_gradient(torch: Any) -> None:
    """Only what is asked for is computed, and data may be arrays and numbers."""
    f = function("sum(log(1 + exp(-y.*(X*w)))) + c*w'*w", "w")
    X, w, y = tensors(torch, ("X", "w", "y"), torch.float64, requires_grad=False)
    w.requires_grad_()
    found = f(w, X=X.numpy(), y=y, c=0.5)
    found.backward()
    again = w.detach().clone().requires_grad_()
    (torch.log1p(torch.exp(-y * (X @ again))).sum() + 0.5 * again @ again).backward()
    torch.testing.assert_close(w.grad, again.grad)
    assert X.grad is None
    assert next(iter(f.variables)) == "w"


def test_third_order(torch: Any) -> None:
    """Derivatives go on."""
    x = torch.tensor([0.3, -0.7], dtype=torch.float64, requires_grad=True)
    f = function("sum(sin(x))")
    total = f(x)
    for _ in range(4):
        (derivative,) = torch.autograd.grad(total.sum(), x, create_graph=True)
        total = derivative
    torch.testing.assert_close(total, torch.sin(x))


@pytest.mark.parametrize(
    "transform",
    [
        "grad(f, (0, 1))", "jacrev(f, 0)", "jacfwd(f, 1)", "hessian(f)", "jacrev(jacrev(f))",
        "jacfwd(jacfwd(f), 1)", "jacfwd(hessian(f))", "lambda w, X, y: jvp(f, (w, X, y), (w, X, y))",
        "lambda w, X, y: vjp(f, w, X, y)[1](f(w, X, y))",
        "lambda w, X, y: vmap(grad(f), (0, None, None))(torch.stack([w, 2*w]), X, y)",
        "lambda w, X, y: vmap(f, (None, 0, 0))(w, torch.stack([X, X + 1]), torch.stack([y, -y]))",
        "grad(lambda X, w, y: vmap(f, (0, None, None))(torch.stack([w, 2*w]), X, y).sum())(X, w, y)",
        "vmap(vmap(f, (0, None, None)), (None, None, 0))(torch.stack([w, 2*w]), X, torch.stack([y, -y, 3*y]))",
        "hessian(lambda y: vmap(f, (0, None, None))(torch.stack([w, 2*w]), X, y).sum())(y)",
    ],
)  # fmt: skip
def test_function_transforms(torch: Any, transform: str) -> None:
    """`torch.func` transforms our function as PyTorch's own."""
    X, w, y = tensors(torch, ("X", "w", "y"), torch.float64, requires_grad=False)
    formula = next(iter(FORMULAS))
    ours = function(formula, "w", "X", "y")
    found, expected = (
        eval(transform, {**vars(torch.func), "f": f, "torch": torch, "X": X, "w": w, "y": y})  # noqa: S307
        for f in (ours, lambda w, X, y: FORMULAS[formula](torch, X, w, y))
    )
    if callable(found):
        found, expected = found(w, X, y), expected(w, X, y)
    torch.testing.assert_close(found, expected)


def test_layouts_and_types(torch: Any) -> None:
    """Strided tensors, mixed types, no copies, several outputs."""
    f = function({"value": "sum(X*w)", "product": "X*w"}, "X", "w")
    X, w = tensors(torch, ("X", "w"), torch.float64)
    wide = torch.zeros(6, 8, dtype=torch.float64)
    wide[::2, 1:7:2].copy_(X.detach()[:3])
    for given in (X.detach()[:3].T.contiguous().T, wide[::2, 1:7:2], X.detach()[:3].float()):
        given.requires_grad_()
        found = f(given, w)
        assert list(found) == ["value", "product"]
        torch.testing.assert_close(found["product"], (given.double() @ w), rtol=1e-6, atol=1e-6)
        (gradient,) = torch.autograd.grad(found["value"], given)
        torch.testing.assert_close(gradient, w.detach().expand(3, 3).to(given.dtype))
    same = function(tc.vector("x", "n"))(w)
    assert same.data_ptr() != w.data_ptr()


def test_output_of_no_effect(torch: Any) -> None:
    """Of several outputs only those that are used are pulled back."""
    f = function({"first": "x'*x", "second": "2*x"}, "x")
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    f(x)["second"].sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: t.ones(3, dtype=t.int64), "of type int64"),
        (lambda t: t.ones(3, dtype=t.bool), "of type bool"),
        (lambda t: t.ones(3, dtype=t.float16), "of type float16"),
        (lambda t: t.ones(3, dtype=t.complex128), r"of type complex128\nhint: use value.real"),
        (lambda t: t.ones(3, dtype=t.float64, device="meta"), "another device"),
        (lambda t: t.ones(3).to_sparse(), "sparse"),
        (lambda t: np.ones(3, np.int64), "of type int64"),
        (lambda t: "text", "x"),
    ],
)
def test_refused(torch: Any, make: Callable[[Any], Any], message: str) -> None:
    """What has no derivative here is one error."""
    with pytest.raises(tc.DomainError, match=message):
        function("x'*x")(make(torch))


def test_integer_parameters(torch: Any) -> None:
    """A variable that is declared an integer may be one."""
    f = function(tc.parse("x.^k", k="scalar integer"), "x", "k")
    x = torch.tensor([1.5, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: f(x, 3), (x,))
    torch.testing.assert_close(f(x, torch.tensor(2)), x**2)


def test_arguments(torch: Any) -> None:
    """Names and shapes are checked as a kernel does."""
    f = function("x'*A*x", "x")
    x = torch.ones(3)
    with pytest.raises(tc.UnknownNameError, match="no value for A"):
        f(x)
    with pytest.raises(tc.ShapeError):
        f(x, A=torch.ones(2, 2))
    with pytest.raises(tc.TensorcalcError, match="twice"):
        f(x, x=x)
    with pytest.raises(tc.UnknownNameError):
        function("x'*x", "z")
    with pytest.raises(tc.DomainError, match="complex"):
        function(tc.parse("z'*z", z="vector(n) complex"))
