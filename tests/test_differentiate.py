"""Derivatives: printed results, forward against reverse, differences at every rank."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import canonical, differentiate
from tensorcalc.differentiate import jvp, linear_terms, vjp
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Node, Variable
from tensorcalc.simplify import simplify
from tensorcalc.traverse import postorder

# program, variables, the same as a formula of its own
DERIVATIVES: list[tuple[str, str, str]] = [
    ("x'*A*x", "x", "(A + A')*x"),
    ("x'*A*x", "A", "x*x'"),
    ("x'*A*x", "x x", "A + A'"),
    ("x'*A*y", "A", "x*y'"),
    ("x'*x", "x", "2*x"),
    ("A*x", "x", "A"),
    ("x'*A", "x", "A'"),
    ("norm2(A*x - y)^2", "x", "2*A'*(A*x - y)"),
    ("norm2(A*x - y)^2", "x x", "2*A'*A"),
    ("norm2(x)", "x", "x/norm2(x)"),
    ("normF(A)", "A", "A/normF(A)"),
    ("tr(A)", "A", "0*A + eye"),
    ("tr(A*B)", "A", "B'"),
    ("tr(A'*B)", "A", "B"),
    ("tr(A*A)", "A", "2*A'"),
    ("tr(A^3)", "A", "3*(A^2)'"),
    ("tr(A'*A)", "A", "2*A"),
    ("tr(A*B*A'*C)", "A", "C'*A*B' + C*A*B"),
    ("det(A)", "A", "det(A)*inv(A)'"),
    ("logdet(A)", "A", "inv(A)'"),
    ("log(det(A))", "A", "inv(A)'"),
    ("tr(inv(A)*B)", "A", "-(inv(A)*B*inv(A))'"),
    ("x'*inv(A)*y", "A", "-inv(A)'*x*y'*inv(A)'"),
    ("x'*inv(A)*y", "x", "inv(A)*y"),
    ("exp(x'*x)", "x", "2*exp(x'*x)*x"),
    ("sum(exp(x))", "x", "exp(x)"),
    ("exp(x)", "x", "diag(exp(x))"),
    ("a*x", "a", "x"),
    ("a*A", "a", "A"),
    ("a*x", "x", "a*eye + 0*x*x'"),
    ("a^b", "a", "b*a^(b - 1)"),
    ("a^b", "b", "a^b*log(a)"),
    ("sqrt(a)", "a", "0.5/sqrt(a)"),
    ("1/a", "a", "-1/a^2"),
    ("sum(log(1 + exp(-y.*(X*w))))", "w", "-X'*(y.*sigmoid(-y.*(X*w)))"),
    ("log(sum(exp(x)))", "x", "exp(x)/sum(exp(x))"),
    ("sum(abs(x))", "x", "sign(x)"),
    ("sum(relu(x))", "x", "where(x > 0, vector(1), vector(0))"),
    ("sum(x.*y./z)", "z", "-x.*y./z.^2"),
    ("x'*diag(y)*x", "y", "x.^2"),
    ("diag(A)'*x", "A", "diag(x)"),
    ("sum(A,1)*x", "A", "vector(1)*x' + 0*A"),
    ("x*y'", "x", "x[k]*0 + y[j]*delta[i,k] -> [i,j,k]"),
    ("A*x", "A", "x[l]*delta[i,k] + 0*A[i,l]*A[k,l] -> [i,k,l]"),
    ("A", "A", "delta[i,k]*delta[j,l] + 0*A[i,j]*A[k,l] -> [i,j,k,l]"),
    ("A'", "A", "delta[i,l]*delta[j,k] + 0*A[j,i]*A[k,l] -> [i,j,k,l]"),
    ("inv(A)", "A", "-inv(A)[i,k]*inv(A)[l,j] -> [i,j,k,l]"),
    ("T[i,j,k]*x[k]", "x", "T[i,j,k]"),
    ("T[i,j,k]*x[i]*y[j]*z[k]", "T", "x[i]*y[j]*z[k]"),
    ("pi*a^2", "a", "2*pi*a"),
    ("max(a, b)", "a", "(1 + sign(a - b))/2"),
    ("where(a > 0, a^2, b)", "a", "where(a > 0, 2*a, 0)"),
    ("sum(A.*log(A))", "A", "log(A) + 1"),
    ("a : scalar; b : scalar; a", "b", "0"),
]


@pytest.mark.parametrize(("program", "names", "formula"), DERIVATIVES)
def test_derivatives(program: str, names: str, formula: str) -> None:
    """The derivative is the formula of the textbook (value and shape at a random point)."""
    derivative, expected = tc.diff(program, *names.split()), tc.parse(formula)
    rng = np.random.default_rng(3)
    everything = {**tc.parse(program).variables, **expected.variables}
    values = {n: rng.uniform(0.5, 1.5, (3,) * v.rank) for n, v in everything.items()}
    sizes = {name: 3 for v in everything.values() for d in v.dims for name in d.names}
    found, right = (
        evaluate([e.node], values, _sizes(e.node, sizes), np.dtype(float))[0]
        for e in (derivative, expected)
    )
    assert found.shape == right.shape
    np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12)


def _sizes(node: Node, sizes: dict[str, int]) -> dict[str, int]:
    """3 for every name of a size in the node."""
    dims = [
        d
        for n in postorder([node])
        for d in (*n.dims, *getattr(n, "sizes", ()), getattr(n, "dim", Dim.of(1)))
    ]
    return {**sizes, **{name: 3 for d in dims for name in d.names}}


N, M = Dim.of("n"), Dim.of("m")
SIZES = {"n": 3, "m": 2}
D = "a, b : scalar; x, y : vector(n); z : vector(m); A : matrix(n, n); X : matrix(m, n); T : tensor(m, n, n)\n"
FUNCTIONS = [
    "a^2*sin(a*b)", "x'*A*x*a", "log(sum(exp(x)))", "norm2(X*x - z)", "sum(sigmoid(X*x).*z)",
    "tr(A*A'*A)", "logdet(A'*A + eye)", "det(A)*a", "T[i,j,k]*z[i]*x[j]*x[k]", "sum(A,1)*x",
    "X*x", "tanh(X*(x.*y))", "diag(A)", "A*x/norm2(x)", "x*(x'*y)", "diag(A*A)", "x./(1 + y.^2)",
    "X", "X*A", "A'", "x*x'", "inv(A)", "A.*A'", "diag(x)", "exp(A)*a", "X'*X", "a*eye + A*0",
    "T", "T[i,j,k]*x[k]", "x[i]*y[j]*z[k]", "A[i,j]*x[k]", "T[i,j,j] -> [i,j]", "A[i,j]*A[j,k]*x[k]",
    "max(x, y)", "where(x > y, x.^2, y)", "normF(X)*X", "sum(x)", "sum(A)*A", "mean(X)", "len(x)*x",
    "A[i,i]*x[j]", "x[0]*x", "A[0,i]", "exp(x'*y)*x*y'",
]  # fmt: skip
NAMES = "a b x y z A X T".split()


def point(seed: int = 5) -> dict[str, np.ndarray[Any, Any]]:
    """A random value of each variable."""
    rng = np.random.default_rng(seed)
    shapes = {
        "a": (),
        "b": (),
        "x": (3,),
        "y": (3,),
        "z": (2,),
        "A": (3, 3),
        "X": (2, 3),
        "T": (2, 3, 3),
    }
    values = {name: rng.uniform(0.2, 1.0, shape) for name, shape in shapes.items()}
    values["A"] += 2 * np.eye(3)
    return values


def value(node: Node, values: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The node by NumPy."""
    return evaluate([node], values, SIZES, np.dtype(float))[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", FUNCTIONS)
def test_against_differences_forward_and_reverse(program: str, name: str) -> None:
    """Any rank by any rank: the derivative is the difference quotient, in both modes."""
    expression = tc.parse(D + program)
    node, variable = expression.node, expression.variables[name]
    values = point()
    derivative = value(tc.diff(expression, name).node, values)
    assert derivative.shape == value(node, values).shape + values[name].shape
    step = 1e-5
    for index in np.ndindex(values[name].shape):
        ends = []
        for sign in (1, -1):
            moved = {n: v.copy() for n, v in values.items()}
            moved[name][index] += sign * step
            ends.append(value(node, moved))
        quotient = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(derivative[(..., *index)], quotient, rtol=2e-5, atol=1e-7)
    direction = Variable.of("v", variable.dims)
    cotangent = Variable.of("u", node.dims)
    values["v"] = np.random.default_rng(6).normal(size=values[name].shape)
    values["u"] = np.random.default_rng(7).normal(size=value(node, values).shape)
    tangent = value(jvp(node, {variable: direction}), values)
    pulled = value(vjp(node, cotangent, [variable])[variable], values)
    r = variable.rank
    np.testing.assert_allclose(tangent, np.tensordot(derivative, values["v"], r), atol=1e-10)
    axes = values["u"].ndim
    np.testing.assert_allclose(pulled, np.tensordot(values["u"], derivative, axes), atol=1e-10)


@pytest.mark.parametrize("program", FUNCTIONS[:10])
def test_hessians_are_symmetric(program: str) -> None:
    """Second derivatives by two variables in either order, and by one variable."""
    expression = tc.parse(D + program)
    values = point()
    for first, second in [("x", "x"), ("A", "x"), ("a", "x"), ("A", "A"), ("X", "z")]:
        one = value(tc.diff(expression, first, second).node, values)
        two = value(tc.diff(expression, second, first).node, values)
        k = values[first].ndim
        order = [*range(one.ndim - k, one.ndim), *range(one.ndim - k)]
        np.testing.assert_allclose(one, np.transpose(two, order), atol=1e-9)


def test_third_derivative() -> None:
    """Order three of a function with a known answer."""
    derivative = tc.diff("sum(x.^4)", "x", "x", "x")
    assert derivative.groups == (0, 1, 1, 1)
    assert derivative.node is tc.parse("24*x[i]*eye[i,j]*eye[j,k] -> [i,j,k]").node


def test_derivatives_stay_shared() -> None:
    """F -> sin(f)*cos(f), 12 times: the derivative grows linearly with the depth (HAZARDS 2.7)."""
    counts = []
    for depth in (6, 12):
        f = tc.scalar("a")
        for _ in range(depth):
            f = tc.sin(f) * tc.cos(f)
        counts.append(len(postorder([tc.diff(f, "a").node])))
    assert counts[1] < 3 * counts[0]


def test_what_cannot_be_differentiated_is_an_error() -> None:
    """An argument without a derivative in the table."""
    with pytest.raises(DomainError, match="polygamma cannot be differentiated by its argument 1"):
        tc.diff("polygamma(a, b)", "a")


# program, variable, what the error says, the text under the caret
REFUSED = [
    ("z : scalar complex; 1 + conj(z)", "z", "no derivative by the complex z", "conj(z)"),
    ("z : vector(n) complex; z^H*z", "z", "no derivative by the complex z", "z^H"),
    ("z : scalar complex; c*abs(z)^2", "z", "no derivative by the complex z", "abs(z)"),
    ("z : vector(n) complex; norm2(z)^2", "z", "no derivative by the complex z", "norm2(z)"),
    ("z : vector(n) complex; norm1(z)", "z", "no derivative by the complex z", "norm1(z)"),
    ("Z : matrix(n, n) complex; normF(Z)", "Z", "no derivative by the complex Z", "normF(Z)"),
    ("Z : matrix(m, n) complex; pinv(Z)", "Z", "pinv of a complex matrix", "pinv(Z)"),
    ("z : scalar complex; sign(z)", "z", "sign of complex numbers", "sign(z)"),
    ("z : scalar complex; max(z, 1)", "z", "max of complex numbers", "max(z, 1)"),
    ("z : vector(n) complex; max(z)", "z", "max of complex numbers", "max(z)"),
    ("z : vector(n) complex; min[i](z[i])", "z", "min of complex numbers", "min[i](z[i])"),
    ("z : scalar complex; relu(z)", "z", "relu of complex numbers", "relu(z)"),
    ("k : scalar integer; tr(A^k)", "k", "by its exponent, an integer", "A^k"),
    ("k : scalar integer; sum[r=0..k](a^r)", "k", "ends of a sum", "sum[r=0..k](a^r)"),
    ("c*polygamma(a, b)", "a", "polygamma cannot be differentiated", "polygamma(a, b)"),
]


@pytest.mark.parametrize(("program", "name", "message", "place"), REFUSED)
def test_what_has_no_derivative_is_an_error_with_its_place(
    program: str, name: str, message: str, place: str
) -> None:
    """Never a zero: the error names the function and shows where it stands."""
    for attempt in (tc.diff, tc.differential):
        with pytest.raises(DomainError, match=message) as caught:
            attempt(program, name)
        span = caught.value.span
        assert span is not None
        assert span.text[span.start : span.end] == place


# formulas of real variables with complex data: conjugates are differentiated
REAL_PARTS = [
    "norm2(C*x)^2", "norm2(C*x + z)", "x'*C^H*C*x", "norm1(C*x)", "sum(abs(C*x + z).^3)", "C^H*x",
    "abs(sum(z)*a + x[0])^2", "normF(expm(a*C))", "abs(det(C + a*eye))", "conj(C*x).*(C*x)",
    "norm2(x + j*y)^2", "sum(exp(-abs(x + j*y)))",
]  # fmt: skip


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("formula", REAL_PARTS)
def test_real_variables_inside_conjugates(formula: str, order: int) -> None:
    """By real variables there are derivatives of norms, moduli and conjugates of complex numbers."""
    text = (
        "a : scalar; x, y : vector(n); z : vector(n) complex; C : matrix(n, n) complex; "
        f"j : scalar complex\n{formula}"
    )
    rng = np.random.default_rng(8)
    data: dict[str, Any] = {
        "a": np.array(0.3), "x": rng.normal(size=2), "y": rng.normal(size=2), "j": np.array(1j),
        "z": rng.normal(size=2) + 1j * rng.normal(size=2),
        "C": rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)),
    }  # fmt: skip
    expression = tc.parse(text)
    known = {name: data[name] for name in expression.variables}
    for name in ("x", "y", "a"):
        before = tc.diff(expression, *[name] * (order - 1))
        derivative = tc.diff(expression, *[name] * order).evaluate(**known)
        step = 1e-4
        for index in np.ndindex(data[name].shape):
            ends = []
            for k in (-2, -1, 1, 2):
                moved = data[name].copy()
                moved[index] += k * step
                ends.append(before.evaluate(**{**known, name: moved}))
            quotient = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)
            np.testing.assert_allclose(derivative[(..., *index)], quotient, rtol=1e-6, atol=1e-7)
    direction = tc.jvp(expression, ["x"], ["v"])
    pulled = tc.vjp(expression, "x", "u")
    u = rng.normal(size=expression.evaluate(**known).shape)
    v = rng.normal(size=2)
    forward = np.sum(u * direction.evaluate(**known, v=v))
    np.testing.assert_allclose(forward, np.sum(pulled.evaluate(**known, u=u) * v), atol=1e-10)


def test_modes_refuse_alike() -> None:
    """Forward mode by a complex variable inside a conjugate is an error, too."""
    with pytest.raises(DomainError, match="no derivative by the complex z"):
        tc.jvp("z : vector(n) complex; norm2(z)", "z", "v")


def test_nonlinear_differentials_are_found_out() -> None:
    """A table entry that is not linear in its differential is our mistake."""
    hole = Variable.of("h", (N,))
    square = canonical.einsum(0, [N], [(hole, (0,)), (hole, (0,))])
    shifted = canonical.add((N,), [(Fraction(1), hole), (Fraction(1), canonical.ones((N,)))])
    for wrong in (square, shifted, canonical.elementwise("exp", [hole])):
        with pytest.raises(TypeError, match="not linear"):
            list(linear_terms(wrong, hole))


def test_reverse_pass_of_several_variables_is_one() -> None:
    """`vjp` by several variables gives each its own gradient, unused ones zero."""
    x, y, z = (Variable.of(name, (N,)) for name in "xyz")
    node = canonical.einsum(0, [N], [(x, (0,)), (y, (0,))])
    pulled = vjp(node, canonical.number(1), [x, y, z])
    assert pulled == {x: y, y: x, z: canonical.zeros((N,))}


def test_derivative_by_itself_is_the_unit_tensor() -> None:
    """dX/dX, rank 0 to 3."""
    for dims in [(), (N,), (M, N), (M, N, N)]:
        variable = Variable.of("V", dims)
        unit = simplify([differentiate.differentiate(variable, variable)])[0]
        size = int(np.prod([d.value(SIZES) for d in dims]))
        found = value(unit, {}).reshape(size, size)
        np.testing.assert_array_equal(found, np.eye(size))
