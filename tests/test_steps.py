"""Derivations: every printed equation is true, every rule has a name, long ones stay readable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from equations import check_derivation, untold_sizes
from strategies import Program
from test_properties import constructs, counts, for_all

import tensorcalc as tc
from tensorcalc.errors import DomainError, UnknownNameError
from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.rewrites import noted
from tensorcalc.rules import RULES

FORMULAS = [
    ("c*x'*x", "x"), ("c*x'*x", "c"), ("x'*A*x", "x"), ("x'*A*x", "A"), ("norm2(A*x - b)^2", "x"),
    ("norm2(x)", "x"), ("A*x + b*exp(x)", "x"), ("exp(A*x)", "x"), ("sum(log(1 + exp(-y.*(X*w))))", "w"),
    ("r = X*w - y\nr'*r + c*w'*w", "w"), ("x'*x/(x'*A*x)", "x"), ("sigmoid(w'*x + b)", "w"),
    ("log(sum(exp(A*x)))", "x"), ("softmax(x)'*y", "x"), ("max(x)*y", "x"), ("prod(x)", "x"),
    ("tr(A*X*B)", "X"), ("tr(X'*A*X*B)", "X"), ("tr(X*A*X*B)", "X"), ("logdet(X)", "X"), ("log(det(X))", "X"),
    ("det(A*X*B)", "X"), ("logdet(X'*X + eye)", "X"), ("inv(X)", "X"), ("A*X*B", "X"), ("X'", "X"), ("X'*X", "X"),
    ("a'*X*b; a, b : vector(n)", "X"), ("X*inv(X)*A*X", "X"), ("A.*X", "X"), ("kron(X, A)", "X"),
    ("tr(inv(X)*A)", "X"), ("tr(expm(X))", "X"), ("X^3", "X"), ("normF(A*X - B)^2", "X"),
    ("adj(X)", "X"), ("pinv(X)", "X"), ("k : scalar integer; tr(X^k)", "X"), ("sum(X.^3)", "X"),
    ("A : symmetric(n); x'*A*x", "x"), ("A : spd(n); x'*inv(A)*x", "x"), ("A : skew(n); x'*A*y", "x"),
    ("S : symmetric(n); logdet(S)", "S"), ("Q : orthogonal(n); x'*Q'*Q*x", "x"),
    ("diag(x)*A*x", "x"), ("x'", "x"), ("x'*A", "x"), ("x", "x"), ("b + c", "c"), ("x : vector(3); c", "x"),
    ("A[i,j,k]*x[k]*y[j] -> [i]", "x"), ("T[i,j,k]*x[i]*y[j]*x[k]", "T"), ("P[i,j]*x[j]^2 -> [i]", "x"),
    ("sum[r=0..3](c^r*x)", "c"), ("abs(x)'*y", "x"), ("where(a > 0, a^2, a)*x", "a"),
    ("g[i] = A[i,j]*x[j]^2", "x"), ("c : scalar; x, y : vector(3); x*y'", "c"), ("cross(x, y)", "x"), ("[x; c]", "c"), ("logsumexp(X, 2)", "X"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "name"), FORMULAS)
def test_every_equation_is_true(formula: str, name: str) -> None:
    """Each line is a program text, and equal to differences of what its left side says."""
    expression = tc.parse(formula)
    text = str(tc.steps(expression, name))
    text = "\n".join(line for line in text.split("\n") if "expm'" not in line)
    check_derivation(expression, name, text)


WHOLE = """\
f = norm2(A*x - b)^2
1. constant factors, d(A*X) = A*dX:
   d(A*x) = A*dx
2. constant terms, d(A + X) = dX:
   r = A*x - b
   dr = A*dx
3. product rule, d(A*B) = dA*B + A*dB:
   f = r'*r
   df = 2*dr'*r
4. the letters replaced:
   df = 2*(A*x - b)'*A*dx
canonical form, df = g'*dx:
   df = 2*(A*x - b)'*A*dx
derivative:
df/dx = 2*A'*(A*x - b)"""


def test_a_whole_derivation() -> None:
    """Formula, rules from the inside out, letters for what repeats, canonical form, answer."""
    assert str(tc.steps("b : vector(m); norm2(A*x - b)^2", "x")) == WHOLE


RULES_TOLD = [
    ("x'*A*x", "x", "product rule; a number is its own transpose; common factors"),
    ("A : symmetric(n); x'*A*x", "x", "A is symmetric"),
    ("A : skew(n); x'*A*x", "x", "A is skew"),
    ("tr(A*X')", "X", "transpose"),
    ("tr(X'*A*X)", "X", "product rule; trace of the transpose; common factors"),
    ("x'*X*y", "X", "a number is its own trace"),
    ("A*X*B", "X", "constant factors; vec of a product"),
    ("A*X'", "X", "vec of a transpose"),
    ("A.*X", "X", "vec of an entrywise product"),
    ("exp(A*x)", "x", "derivative of exp; entrywise products"),
    ("log(det(X))", "X", "log(det(x)) = logdet(x); differential of logdet"),
    ("det(X)", "X", "Jacobi's formula"),
    ("inv(X)", "X", "differential of the inverse"),
    ("x.^3", "x", "power rule"),
    ("X*inv(X)*A*X", "X", "a matrix times its inverse"),
    ("log(sum(exp(x)))", "x", "logarithm of a sum of exponentials; differential of logsumexp"),
    ("sqrt(x'*x)", "x", "root of a sum of squares; differential of norm2"),
    ("tr(expm(X))", "X", "derivative of a power series under a trace"),
    ("g : scalar -> scalar; g(x'*x)", "x", "chain rule"),
    ("b + c", "c", "constant terms"),
    ("x : vector(3); c", "x", "constant in x"),
    ("sum[r=0..n](c^r); n : scalar integer", "c", "sum over integers"),
]


@pytest.mark.parametrize(("formula", "name", "rules"), RULES_TOLD)
def test_rules_are_named(formula: str, name: str, rules: str) -> None:
    """The rules by name, in their order."""
    text = str(tc.steps(formula, name))
    at = 0
    for rule in rules.split("; "):
        at = text.find(rule, at)
        assert at >= 0, text


def test_every_rule_has_a_name() -> None:
    """No line of the tables is without one, and a derivation of every function tells it."""
    for name, function in FUNCTIONS.items():
        if function.arity == 1 and function.derivatives[0] not in (None, "0"):
            step = tc.steps(f"{name}(a)", "a").blocks[0].steps[-1]
            assert step.rules[0].name == f"derivative of {name}"
    for name, entry in MATRIX_FUNCTIONS.items():
        argument = entry.argument.partition(" : ")
        called = f"X^k; {entry.parameter}" if name == "power" else f"{name}({argument[0]})"
        (block,) = tc.steps(f"{entry.argument}; {called}", argument[0]).blocks
        told = [rule.name for step in block.steps for rule in step.rules]
        assert (entry.name or f"differential of {name}") in told
    for declaration, pattern, replacement in RULES:
        with noted() as rewrites:
            tc.parse(f"{declaration}; {pattern}").node  # noqa: B018
        assert rewrites, pattern
        assert replacement


def test_several_derivatives() -> None:
    """A block for each order, and for each variable of a list; names as textbooks write them."""
    second = tc.steps("x'*A*y", "x", "y")
    assert [block.answer for block in second.blocks] == ["df/dx = A*y", "d2f/dxdy = A"]
    assert str(second.blocks[1]).startswith("g = A*y  # df/dx\n")
    assert tc.steps("x'*A*x", "x", "x").blocks[1].answer == "d2f/dx2 = A + A'"
    both = tc.steps("x'*A*y", ["x", "y"])
    assert [block.answer for block in both.blocks] == ["df/dx = A*y", "df/dy = A'*x"]
    assert str(tc.steps("x'*A*y", ["x"])) == str(tc.steps("x'*A*y", "x"))


def test_layout_and_structure() -> None:
    """The answer stands in the layout asked for, and says so; free parameters are told."""
    text = str(tc.steps("x'*A*y", "x", layout="numerator"))
    assert text.endswith("derivative in numerator layout:\ndf/dx = (A*y)'")
    text = str(tc.steps("A : symmetric(n); logdet(A)", "A", structured=True))
    assert "by the free parameters of the symmetric A" in text
    assert text.endswith("df/dA = 2*inv(A) - diag(diag(inv(A)))")


def test_names_that_are_taken() -> None:
    """The formula is f unless that is a variable; the user's definitions keep their names."""
    assert str(tc.steps("f*x", "x")).startswith("g = f*x\n")
    assert "   r = X*w - y\n   dr = X*dw" in str(tc.steps("r = X*w - y\nr'*r", "w"))
    with pytest.raises(DomainError, match="dx is a variable"):
        tc.steps("dx : vector(n); x'*dx", "x")


def test_long_derivations() -> None:
    """No more steps are shown than asked for, and the last line says how many are not."""
    chain = "x : vector(n)" + "".join(f"; W{k} : matrix(n, n)" for k in range(200))
    inner = "x"
    for k in range(200):
        chain += f"\nv{k} = tanh(W{k}*{inner})"
        inner = f"v{k}"
    derivation = tc.steps(f"{chain}\n{inner}'*{inner}", "x", limit=5)
    lines = str(derivation).split("\n")
    assert "... and 396 more steps" in lines
    assert "... and 195 more definitions" in lines
    assert len(lines) - derivation.blocks[0].answer.count("\n") < 30
    assert max(map(len, lines[: lines.index("derivative:")])) < 2000
    assert len(tc.steps("x'*A*x + exp(c'*x); c : vector(n)", "x").blocks[0].steps) < 8


def test_refusals() -> None:
    """Without a variable, and by an unknown one."""
    with pytest.raises(UnknownNameError, match="no variable"):
        tc.steps("x'*x")
    with pytest.raises(UnknownNameError, match="z is not a variable"):
        tc.steps("x'*x", "z")


# functions of which a printed derivative is no program text, and what has no derivative by name
NOT_TEXT = {"unknown", "unknown-map", "series", "complex", "expm", "logm", "sqrtm", "sinm", "cosm"}


@counts(16, 1500)
def test_random_derivations(seeds: Sequence[int]) -> None:
    """Every equation of the derivation of a random program is true."""

    def check(made: Program) -> None:
        problem = made.problem
        names = [v.data for v in problem.variables if v.data not in problem.integers]
        if not names or constructs(problem) & NOT_TEXT:
            return
        formula = tc.parse(made.text)
        values = {n: np.asarray(problem.data[n], float) for n in formula.variables}
        text = str(tc.steps(formula, names[0]))
        with untold_sizes():
            check_derivation(formula, names[0], text, values)

    for_all(check, seeds)
