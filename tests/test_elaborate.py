"""What programs mean: shapes, scopes of indices, defaults, definitions; one node in every notation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorcalc as tc

# program, the shape of its value, the same in index notation
PROGRAMS: list[tuple[str, tuple[str | int, ...], str]] = [
    ("x'*A*x", (), "A[i,j]*x[i]*x[j]"),
    ("A*x", ("m",), "A[i,k]*x[k] -> [i]"),
    ("x'*A", ("m",), "A[k,i]*x[k] -> [i]"),
    ("A*B", ("m", "p"), "A[i,k]*B[k,j] -> [i,j]"),
    ("x*y'", ("n", "m"), "x[i]*y[j] -> [i,j]"),
    ("A'", ("n", "m"), "A[j,i] -> [i,j]"),
    ("tr(A*B)", (), "A[i,j]*B[j,i]"),
    ("A.*B", ("m", "n"), "A[i,j]*B[i,j] -> [i,j]"),
    ("x./y", ("n",), "x[i]/y[i] -> [i]"),
    ("x.^2", ("n",), "x[i]^2 -> [i]"),
    ("diag(x)", ("n", "n"), "x[i]*delta[i,j] -> [i,j]"),
    ("diag(A)", ("n",), "A[i,i] -> [i]"),
    ("sum(A)", (), "sum[i,j](A[i,j])"),
    ("sum(A,1)", ("n",), "sum[k](A[k,i]) -> [i]"),
    ("sum(A,2)", ("m",), "sum[k](A[i,k]) -> [i]"),
    ("1 + exp(x)", ("n",), "1 + exp(x[i]) -> [i]"),
    ("1./x", ("n",), "1/x[i] -> [i]"),
    ("x/a", ("n",), "x[i]/a -> [i]"),
    ("max(x, 0)", ("n",), "max(x[i], 0) -> [i]"),
    ("where(x > 0, x, -x)", ("n",), "where(x[i] > 0, x[i], -x[i]) -> [i]"),
    ("sqrt(a)", (), "a^0.5"),
    ("outer(x, y)", ("n", "m"), "x[i]*y[j] -> [i,j]"),
    ("x : vector(3); x[0]*x", (3,), "x : vector(3); x[0]*x[i] -> [i]"),
    ("X : matrix(2, n); X[1,i]", ("n",), "X : matrix(2, n); X[1,i] -> [i]"),
    ("X : matrix(m, n); X/rows(X)", ("m", "n"), "X : matrix(m, n); X[i,j]/m -> [i,j]"),
    ("X : matrix(m, n); sum(X)/n", (), "X : matrix(m, n); sum[i,j](X[i,j])/cols(X)"),
    ("x : vector(m*n); x", ("m*n",), "x : vector(n*m); x[i]"),
]  # fmt: skip


def canonical_shape(shape: tuple[str | int, ...]) -> tuple[object, ...]:
    """A shape with its letters numbered in order: only which sizes are equal counts."""
    seen: dict[str, int] = {}
    return tuple(s if isinstance(s, int) else (seen.setdefault(s, len(seen)),) for s in shape)


@pytest.mark.parametrize(("program", "shape", "index"), PROGRAMS)
def test_programs(program: str, shape: tuple[str | int, ...], index: str) -> None:
    """The shape, and the same node from index notation."""
    expression = tc.parse(program)
    assert canonical_shape(expression.shape) == canonical_shape(shape)
    assert expression.node is tc.parse(index).node


DECLARED = "X : matrix(m, n); y : vector(m); w : vector(n); c : scalar\n"
# matrix notation, index notation, einsum strings
TRIPLES: list[tuple[str, str, str]] = [
    ("x'*A*x", "x[i]*A[i,j]*x[j]", 'einsum("i,ij,j->", x, A, x)'),
    (
        DECLARED + "sum(log(1 + exp(-y.*(X*w)))) + c*w'*w",
        DECLARED + "sum[i](log(1 + exp(-y[i]*X[i,j]*w[j]))) + c*w[j]*w[j]",
        DECLARED + 'einsum("i->", log(1 + exp(-einsum("i,ij,j->i", y, X, w)))) + c*einsum("j,j", w, w)',
    ),
    ("A*x", "A[i,j]*x[j]", 'einsum("ij,j->i", A, x)'),
    ("A'*x", "A[i,j]*x[i]", 'einsum("ij,i", A, x)'),
    ("A*B*C", "A[i,j]*B[j,k]*C[k,l]", 'einsum("ij,jk,kl", A, B, C)'),
    ("(A*B)'", "A[i,k]*B[k,j] -> [j,i]", 'einsum("ik,kj->ji", A, B)'),
    ("tr(A)", "A[i,i]", 'einsum("ii", A)'),
    ("tr(A*B')", "A[i,j]*B[i,j]", 'einsum("ij,ij", A, B)'),
    ("diag(A)", "A[i,i] -> [i]", 'einsum("ii->i", A)'),
    ("x*y'", "x[i]*y[j]", 'einsum("i,j", x, y)'),
    ("x.*y", "x[i]*y[i] -> [i]", 'einsum("i,i->i", x, y)'),
    ("A.*B'", "A[i,j]*B[j,i] -> [i,j]", 'einsum("ij,ji->ij", A, B)'),
    ("diag(x)*A", "x[i]*A[i,j] -> [i,j]", 'einsum("i,ij->ij", x, A)'),
    ("x'*diag(y)*z", "sum[i](x[i]*y[i]*z[i])", 'einsum("i,i,i->", x, y, z)'),
    ("sum(A,2)", "sum[j](A[i,j])", 'einsum("ij->i", A)'),
    ("norm2(A*x - y)^2", "sum[i]((A[i,j]*x[j] - y[i])^2)",
     'einsum("i,i", A*x - y, einsum("ij,j", A, x) - y)'),
    ("exp(A*x)'*y", "exp(A[i,j]*x[j])*y[i]", 'einsum("i,i", exp(einsum("ij,j", A, x)), y)'),
    ("sum(x)*y", "sum[i](x[i])*y[j]", 'einsum("i,j->j", x, y)'),
    ("a*x'*y", "a*x[i]*y[i]", 'einsum(",i,i->", a, x, y)'),
    ("A^2", "A[i,k]*A[k,j]", 'einsum("ik,kj", A, A)'),
    ("(x'*y)^2", "(x[i]*y[i])*(x[j]*y[j])", 'einsum("i,i,j,j->", x, y, x, y)'),
    ("(A*B).*C", "A[i,k]*B[k,j]*C[i,j] -> [i,j]", 'einsum("ik,kj,ij->ij", A, B, C)'),
]  # fmt: skip


@pytest.mark.parametrize(("matrix", "index", "einsum"), TRIPLES)
def test_three_notations_are_one_node(matrix: str, index: str, einsum: str) -> None:
    """The same formula in each notation is one and the same node, and so are its derivatives."""
    expressions = [tc.parse(text) for text in (matrix, index, einsum)]
    assert len({e.node for e in expressions}) == 1
    for name in expressions[0].variables:
        assert len({tc.diff(e, name).node for e in expressions}) == 1


# the rules of LANGUAGE, "Index notation", in its order; values by NumPy on the arrays below
ARRAYS: dict[str, Any] = {
    "x": np.array([1.0, 2.0, 3.0]), "y": np.array([0.5, 0.25, 2.0]), "z": np.array([3.0, 1.0, 0.2]),
    "A": np.arange(9.0).reshape(3, 3) + 1, "B": np.cos(np.arange(9.0)).reshape(3, 3),
    "S": np.sin(np.arange(9.0)).reshape(3, 3),
}  # fmt: skip
x, y, z, A, B, S = ARRAYS.values()
SCOPES: list[tuple[str, Any]] = [
    # an entry; integers from 0; any expression has entries
    ("A[i,j]", A),
    ("A[0,2]", A[0, 2]),
    ("A[i,0]", A[:, 0]),
    ("(A*x)[i]", A @ x),
    ("(A*B)[1,j]", (A @ B)[1]),
    # bound by a left side, an arrow, a sum
    ("g[i] = x[i]*y[i]", x * y),
    ("x[i]*y[i] -> [i]", x * y),
    ("sum[i](x[i]*y[i])", x @ y),
    ("sum[i](x[i])*y[j]", x.sum() * y),
    ("sum[i](x[i])*y[i]", x.sum() * y),
    ("sum[i,j](A[i,j])", A.sum()),
    ("sum[j](A[i,j])", A.sum(1)),
    # a repeated index is summed over its whole product, parentheses and quotients included
    ("x[i]*y[i]", x @ y),
    ("x[i]*x[i]", x @ x),
    ("x[i]/y[i]", np.sum(x / y)),
    ("x[i]*(y[i]*z[i])", np.sum(x * y * z)),
    ("(x[i]*y[j])*(z[j]*x[i])", (x @ x) * (y @ z)),
    ("-x[i]*y[i]", -(x @ y)),
    ("x[i]*-y[i]", -(x @ y)),
    ("-(x[i]*y[i])", -(x @ y)),
    ("A[i,i]", np.trace(A)),
    ("A[i,i]*x[i]", np.sum(np.diag(A) * x)),
    ("x[i]*A[i,j]*y[j]", x @ A @ y),
    ("x[i]*y[i]*z[j]", (x @ y) * z),
    # arguments, bases of powers and terms of sums are places of their own
    ("x[i]^2", x**2),
    ("(x[i]*y[i])^2", (x @ y) ** 2),
    ("exp(x[i]*y[i])", np.exp(x @ y)),
    ("exp(x[i])*y[i]", np.exp(x) @ y),
    ("(x[i] + y[i])*z[i]", (x + y) @ z),
    ("x[i]^2*y[i]", (x**2) @ y),
    ("1/x[i]*y[i]", np.sum(y / x)),
    ("x[i]/(y[i] + 1)", np.sum(x / (y + 1))),
    # free indices of terms, bound ones aside; a term without an index is broadcast
    ("x[i] + y[i]", x + y),
    ("x[i] + 1", x + 1),
    ("A[i,j] + B[j,i]", A + B.T),
    ("A[i,j] + x[i]*y[j]", A + np.outer(x, y)),
    ("x[i] + y[j] -> [i,j]", x[:, None] + y),
    ("sum[i,j](x[i] + y[j])", 3 * x.sum() + 3 * y.sum()),
    ("sum[i](x[i] + 1)", (x + 1).sum()),
    ("x[i]*exp(x[i] - y[j])*y[j]", x @ np.exp(np.subtract.outer(x, y)) @ y),
    # axes in order of first appearance
    ("A[j,i]", A),
    ("x[j]*y[i]", np.outer(x, y)),
    ("A[j,i]*x[k]*y[k]", A * (x @ y)),
    ("A[j,i] -> [i,j]", A.T),
    # sums inside arguments stay inside
    ("sum[i](log(1 + exp(-y[i]*A[i,j]*x[j])))", np.log1p(np.exp(-y * (A @ x))).sum()),
    ("P[i,j] = exp(S[i,j])/sum[k](exp(S[i,k]))", np.exp(S) / np.exp(S).sum(1, keepdims=True)),
    # mean works like sum
    ("mean[j](A[i,j])", A.mean(1)),
    ("mean[i,j](A[i,j])", A.mean()),
    ("mean[i](x[i]*y[i])", np.mean(x * y)),
    # delta
    ("delta[i,j]*A[i,j]", np.trace(A)),
    ("delta[i,j]*A[j,k]", A),
    ("A[i,j]*delta[i,j] -> [i,j]", np.diag(np.diag(A))),
    # inner sums bound outside are kept
    ("sum[i](y[i]*log(x[i]*z[i]))", np.sum(y * np.log(x * z))),
    ("y[i]*sum[i](x[i]*z[i])", y * (x @ z)),
]  # fmt: skip


@pytest.mark.parametrize(("program", "value"), SCOPES)
def test_scopes_of_indices(program: str, value: Any) -> None:
    """Each rule of LANGUAGE by its value."""
    expression = tc.parse(program)
    used = {name: ARRAYS[name] for name in expression.variables}
    np.testing.assert_allclose(expression.evaluate(**used), value, rtol=1e-12)


def test_summed_indices_are_shown() -> None:
    """Which indices were summed is part of what was assumed; explicit sums are not."""
    assert "summed over i, j" in tc.parse("x[i]*A[i,j]*x[j]").assumptions
    assert not any("summed" in line for line in tc.parse("sum[i](x[i]*y[i])").assumptions)


DEFAULTS = [("abcdefg", 0), ("hijklmnopqrstuvwxyz", 1), ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 2)]


@pytest.mark.parametrize(("letters", "rank"), DEFAULTS)
def test_defaults_by_the_first_letter(letters: str, rank: int) -> None:
    """Undeclared names as on matrixcalculus.org, longer ones by their first letter."""
    for letter in letters:
        for name in (letter, letter + "_1", letter + "foo"):
            assert tc.parse(f"{name} + 0").variables[name].rank == rank


@pytest.mark.parametrize("name", ["alpha", "lambda", "sigma", "omega", "λ", "σ", "theta"])
def test_greek_letters_are_scalars(name: str) -> None:
    """Written out or not."""
    assert tc.parse(f"{name}*x").shape == tc.parse("x").shape


def test_subscripts_say_the_rank_everywhere() -> None:
    """A subscripted name has that rank also where it stands whole and before."""
    expression = tc.parse("norm2(a)^2 + a[i]*a[i]")
    assert expression.variables["a"].rank == 1


DEFINITIONS = [
    ("r = A*x - y; r'*r", "(A*x - y)'*(A*x - y)"),
    ("r = A*x - y; r[i]*r[i]", "(A*x - y)'*(A*x - y)"),
    ("r[i] = A[i,j]*x[j]; r'*r", "x'*A'*A*x"),
    ("P[i,j] = A[j,i]; P*x", "A'*x"),
    ("r = x'; r*y", "x'*y"),
    ("r = x'*A; r*y", "x'*A*y"),
    ("r = x\ns = r'*r\ns^2", "(x'*x)^2"),
    ("r = A*x", "A*x"),
    ("r = A*x; s = 2*r", "2*A*x"),
    ("s = x'*x; x + s", "x + x'*x"),
    ("x'*x # a comment\n# another", "x'*x"),
    (";;x'*x;\n\n;", "x'*x"),
]


@pytest.mark.parametrize(("program", "plain"), DEFINITIONS)
def test_definitions(program: str, plain: str) -> None:
    """A definition is used whole or by entry; the last expression, else definition, is the value."""
    assert tc.parse(program).node is tc.parse(plain).node


def test_a_bare_expression_is_the_value_wherever_it_stands() -> None:
    """The last bare expression wins over later definitions."""
    assert tc.parse("a + b; c = a*b").node is tc.parse("a + b").node


def test_declaration_then_definition_asserts() -> None:
    """A declared name may be defined; it is then no variable."""
    expression = tc.parse("X : matrix(m, n); K : symmetric(n); K = X'*X; K*w")
    assert list(expression.variables) == ["X", "w"]
    assert expression.node is tc.parse("X : matrix(m, n); X'*X*w").node


def test_variables_that_drop_out_are_kept() -> None:
    """Declared variables are variables of the expression, used or not."""
    assert set(tc.parse("x, y : vector(n); x - x").variables) == {"x", "y"}


def test_sizes_are_inferred_and_shown() -> None:
    """Sizes of undeclared names follow from use, also from declared ones, also across statements."""
    expression = tc.parse("X : matrix(m, 3); r = X*w; r'*y")
    assert str(expression.variables["w"].dims) == "(3,)"
    assert str(expression.variables["y"].dims) == "(m,)"
    assert any(line.startswith("w : vector(3)") for line in expression.assumptions)


def test_long_programs_of_definitions() -> None:
    """2,000 definitions, each using the one before."""
    lines = ["r0 = x"] + [f"r{k} = r{k - 1} + {k}*x" for k in range(1, 2000)]
    assert str(tc.parse("\n".join(lines))) == f"{1 + sum(range(2000))}*x"
