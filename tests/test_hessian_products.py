"""Hessians times directions: what they cost beside the gradients, and that they are right."""

from __future__ import annotations

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.binding import bind_sizes
from tensorcalc.interpret import evaluate
from tensorcalc.plan import plan
from tensorcalc.plan.program import Program, flat
from tensorcalc.properties import use_properties
from tensorcalc.simplify import Opening


def network(layers: int, function: str) -> str:
    """The cross-entropy of a network with as many matrices of weights."""
    lines = [f"W{k} : matrix(n, n)" for k in range(layers)]
    lines += ["x : matrix(m, n)", "Y : matrix(m, n)", "h0 = x"]
    lines += [f"h{k + 1} = {function}(h{k}*W{k}')" for k in range(layers - 1)]
    return "\n".join(
        [*lines, f"z = h{layers - 1}*W{layers - 1}'", "sum(logsumexp(z, 2)) - sum(Y.*z)"]
    )


LOSSES: dict[str, tuple[str, str]] = {
    "logistic": ("X : matrix(m, n); y : vector(m); w : vector(n); sum(log(1 + exp(-y.*(X*w))))", "w"),
    "factors": ("U : matrix(n, k); V : matrix(m, k); T : matrix(n, m); R = U*V' - T; tr(R'*R)", "U V"),
    "two layers": (network(2, "tanh"), "W0 W1"),
    "three layers": (network(3, "sigmoid"), "W0 W1 W2"),
    "five layers": (network(5, "softplus"), "W0 W1 W2 W3 W4"),
    "recurrent": (
        "W : matrix(n, n); U : matrix(n, n); x : matrix(m, n); z : matrix(m, n); y : matrix(m, n)\n"
        "h = tanh(tanh(x*U)*W + z*U)\nnormF(tanh(h*W + x*U) - y)^2",
        "W U",
    ),
    "normal": (
        "X : matrix(m, n); c : vector(n); S : spd(n); R = X - vector(1)*c'\n"
        "m/2*logdet(S) + tr(inv(S)*R'*R)/2",
        "c S",
    ),
    "weighted normal": (
        "X : matrix(m, n); r : vector(m) positive; c : vector(n); S : spd(n); D = X - vector(1)*c'\n"
        "sum(r)/2*logdet(S) + tr(inv(S)*D'*diag(r)*D)/2",
        "c S",
    ),
    "t distribution": (
        "X : matrix(m, n); c : vector(n); S : spd(n); a : scalar; D = X - vector(1)*c'\n"
        "m/2*logdet(S) + (a + n)/2*sum(log(1 + diag(D*inv(S)*D')/a))",
        "c S",
    ),
    "Wishart": (
        "W : spd(n); V : spd(n); a : scalar; (n + 1 - a)/2*logdet(W) + tr(inv(V)*W)/2"
        " + a/2*logdet(V)",
        "W V",
    ),
    "factor analysis": (
        "S : spd(n); W : matrix(n, k); v : vector(n); C : spd(n); C = W*W' + diag(exp(v))\n"
        "logdet(C)/2 + tr(inv(C)*S)/2",
        "W v",
    ),
    "Gaussian process": (
        "X : matrix(n, k); y : vector(n); a, s : scalar; l : vector(k); K : spd(n)\n"
        "K[i,j] = exp(a - sum[p]((X[i,p] - X[j,p])^2*exp(-2*l[p]))/2) + exp(s)*delta[i,j]\n"
        "y'*inv(K)*y/2 + logdet(K)/2",
        "a l s",
    ),
    "mixture": (
        "X : matrix(m, n); a : vector(k); M : matrix(k, n); L : tensor(k, n, n)\n"
        "Z[s,k,i] = L[k,i,j]*(X[s,j] - M[k,j])\nE[s,k] = a[k] - 0.5*sum[i](Z[s,k,i]^2)\n"
        "sum[s](logsumexp[k](E[s,k])) - m*logsumexp(a) + sum(L.^2)",
        "a M L",
    ),
    "CP": (
        "A : matrix(n, k); B : matrix(m, k); C : matrix(n, k); T : tensor(n, m, n)\n"
        "E[i,j,l] = A[i,s]*B[j,s]*C[l,s] - T[i,j,l]; E[i,j,l]*E[i,j,l]",
        "A B C",
    ),
    "attention": (
        "Q : matrix(m, n); K : matrix(m, n); V : matrix(m, n); G : matrix(m, n)\n"
        "sum((softmax(Q*K', 2)*V).*G)",
        "Q K V",
    ),
    "metric": (
        "D : matrix(m, n); s : vector(m); M : spd(n); sum(log(1 + exp(s.*(diag(D*M*D') - 1))))",
        "M",
    ),
    "quadratic form": ("A : matrix(n, n); y : vector(n); y'*inv(A)*y", "A"),
}  # fmt: skip


def products(text: str, names: list[str]) -> tuple[tc.Expr, dict[str, tc.Expr]]:
    """A formula, and its Hessian times directions by all names."""
    formula = tc.parse(text)
    return formula, tc.hvp(formula, names, [f"d{name}" for name in names])


def program(expressions: dict[str, tc.Expr], sizes: dict[str, int]) -> Program:
    """What a kernel runs."""
    nodes = use_properties([e.computed for e in expressions.values()], Opening.SINGLE)
    return plan(dict(zip(expressions, nodes, strict=True)), sizes)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sizes", [(200, 100, 5), (400, 40, 6)])
def test_at_most_three_gradients(loss: str, sizes: tuple[int, int, int]) -> None:
    """In operations, by all variables at once."""
    text, wrt = LOSSES[loss]
    names = wrt.split()
    formula, found = products(text, names)
    numbers = dict(zip("mnk", sizes, strict=True))
    gradients = program({name: tc.diff(formula, name) for name in names}, numbers)
    assert program(found, numbers).flops <= 3 * gradients.flops


def values(text: str, names: list[str]) -> tuple[dict[str, tc.Expr], dict[str, np.ndarray]]:
    """The products, and numbers for all that they contain."""
    formula, found = products(text, names)
    rng = np.random.default_rng(0)
    numbers = {"m": 7, "n": 5, "k": 3}
    variables = {n: v for e in found.values() for n, v in e.variables.items()} | formula.variables
    data = {}
    for name, variable in variables.items():
        shape = [dim.value(numbers) for dim in variable.dims]
        value = rng.normal(size=shape)
        if "spd" in variable.properties:
            value = value @ value.T + 5 * np.eye(shape[0])
        positive = "positive" in variable.properties or not shape
        data[name] = abs(value) if positive else value
    return found, data


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_computed_is_what_is_printed(loss: str) -> None:
    """The form with shared parts, the normal form, and differences of gradients agree."""
    text, wrt = LOSSES[loss]
    names = wrt.split()
    found, data = values(text, names)
    step = 1e-5
    moved = [
        {**data, **{name: data[name] + sign * step * data[f"d{name}"] for name in names}}
        for sign in (1, -1)
    ]
    formula = tc.parse(text)
    for name, product in found.items():
        known = {n: data[n] for n in product.variables}
        sizes = bind_sizes(product.variables, known)
        (shared,) = evaluate([product.computed], known, sizes, np.dtype(np.float64))
        printed = product.evaluate(**known)
        gradient = tc.diff(formula, name)
        ahead, behind = (gradient.evaluate(**{n: d[n] for n in gradient.variables}) for d in moved)
        scale = np.max(np.abs(printed))
        np.testing.assert_allclose(shared, printed, atol=1e-11 * scale)
        np.testing.assert_allclose((ahead - behind) / (2 * step), printed, atol=1e-5 * scale)


@pytest.mark.parametrize("loss", ["three layers", "normal", "mixture", "quadratic form"])
def test_kernels(loss: str) -> None:
    """Compiled, jointly, against the interpreter."""
    text, wrt = LOSSES[loss]
    found, data = values(text, wrt.split())
    results = tc.compile(found)(**data)
    for name, product in found.items():
        wanted = product.evaluate(**{n: data[n] for n in product.variables})
        np.testing.assert_allclose(results[name], wanted, atol=1e-11 * np.max(np.abs(wanted)))


def kinds(text: str, wrt: str) -> list[str]:
    """The classes of the steps."""
    _, found = products(text, wrt.split())
    return [step.kind for step in flat(program(found, {"m": 200, "n": 100, "k": 5}).steps)]


def test_no_matrix_where_vectors_do() -> None:
    """``inv(A)*V*inv(A)*y`` from the right, though the first three stand in two terms."""
    found = kinds(*LOSSES["quadratic form"])
    assert not {"GEMM", "inv"} & {*found}
    assert sum(kind.startswith("solve") for kind in found) == 4


def test_several_wide_products_share_the_inverse() -> None:
    """A single one remains a solution."""
    text = "A, B, C : matrix(n, n); inv(A)*B*inv(A)*C*inv(A)"
    formula = tc.parse(text)
    sizes = {"n": 100}
    several = [step.kind for step in program({"value": formula}, sizes).steps]
    single = [
        step.kind
        for step in program({"value": tc.parse("A, B : matrix(n, n); inv(A)*B")}, sizes).steps
    ]
    assert several.count("inv") == 1
    assert "solve" not in several
    assert "inv" not in single
