"""Index notation, einsum strings, LaTeX and NumPy code of every construct, and of its derivatives.

What is printed is read back as the very node, not only with its value; so constructs that the parser
must find again (bounds of sums, places of blocks, orders of axes) cannot drift apart from it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.ir import Unknown
from tensorcalc.traverse import postorder, variables

DECLARED = """
a, c : scalar; k : scalar integer; x, w : vector(n); y : vector(m); v, t : vector(3); e : vector(b)
A, B : matrix(n, n); X, Y : matrix(m, n); P : matrix(p, q); one : vector(1); kk : vector(b) integer
T : tensor(b, n, n); S : tensor(b, m, n); N : tensor(b, m, n, n); z : vector(n) complex
Z : matrix(n, n) complex; K : spd(n); L : skew(n)
u : vector(m) of x; f0 : scalar of x; U : matrix(m, n) of x, y
s : scalar -> scalar; s2 : scalar, scalar -> scalar; g : vector(n) -> vector(m)
h : matrix(m, n) -> scalar; G : vector(n), scalar -> vector(m); q0 : scalar -> vector(p)
"""

# programs, and the variables of their derivatives: each alone, then all one after the other
PROGRAMS: list[tuple[str, str]] = [
    # Levi-Civita's tensor
    ("cross(v, t)", "v t"), ("eps[i,j,k] -> [i,j,k]", ""), ("eps[i,j]*A[k,l] -> [i,j,k,l]", ""),
    ("cross(v, t)[0]*v", "v"), ("exp(cross(v, t))", "v"), ("eps[i,j,k]*exp(v[i]*t[j]) -> [k]", "v t"),
    # unknown functions
    ("u'*y", "x"), ("u", "x x"), ("f0", "x x x"), ("f0*u", "x x"), ("U*x", "x y"), ("u[0]", "x"),
    ("-f0", "x"), ("x/f0", "x"), ("u'*u + f0^2", "x x"), ("s(x)", "x x"), ("s(X*w)", "w X"),
    ("s(a)", "a a a"), ("s2(X, a)", "X a"), ("s2(a, c)", "a c a c"), ("s2(x*y', c)", "x y"),
    ("g(x)", "x x"), ("g(A*x)", "x A"), ("h(X)", "X X"), ("h(y*x')", "x"), ("G(x, a)", "x a x a"),
    ("G(A*x, a*c)", "x a"), ("q0(a)", "a a"), ("q0(x[i])[j]", "x"), ("exp(s(x))", "x x"),
    ("g(T[i,j,k] -> [k])[l] -> [i,j,l]", "T"), ("g(T[i,j,k] -> [j])[l] -> [k,i,l]", "T"),
    ("G(A[i,j] -> [j], x[i])[l] -> [i,l]", "A x"), ("s(A)[i,i]", "A"), ("s(x)[0]", "x"),
    ("s(norm2(x))", "x x"), ("s(s(a))", "a a"), ("h(X*A)", "A X"),
    # reductions
    ("logsumexp(x)", "x x"), ("logsumexp(X)", "X"), ("logsumexp[j](X[i,j])", "X"),
    ("logsumexp(A*x)", "x A"), ("max[j](X[i,j]*w[j])", "w X"), ("min(X)", "X"), ("prod(x)", "x x"),
    ("prod[j](1 + X[i,j]*w[j])", "w"), ("softmax(X, 1)*w", "X"), ("logsumexp[j](S[i,j,k])", "S"),
    ("logsumexp[i](S[i,j,k]*y[j])", "S y"), ("logsumexp(X, 2)[0]", "X"),
    ("y[i]*logsumexp[j](X[i,j]*y[i]) -> [i]", "y X"),
    # merged axes
    ("kron(A, X)", "A X"), ("vec(X)", "X"), ("vec(X*A)", "A X"), ("kron(x, y)", "x y"),
    ("kron(A, B)*vec(A)", "A B"), ("commutation(m, n)", ""), ("commutation(m, n)*vec(X)", "X"),
    ("kron(A, B)[0,i]", "A"), ("exp(vec(X))", "X X"), ("exp(kron(A, X))", "A"), ("vec(exp(X))", "X"),
    ("kron(kron(x, y), x)", "x"), ("kron(A, x)", "A x"), ("exp(kron(x', A))", "A x"),
    ("kron(A, w')[i,j]*A[i,k]", "A w"), ("inv(kron(A, B) + eye)", "A"), ("kron(A*x, X*w)", "x A"),
    ("vec(X*A*X')", "A X"), ("kron(A*B, inv(A))", "A"), ("logsumexp(vec(X))", "X"),
    # explicit and block matrices
    ("[X; A]*x", "X A x"), ("[A, B; B, A]", "A"), ("[x; a; y]", "a x"), ("[A, x; x', a]", "A x a"),
    ("exp([x; y])", "x"), ("[x; y]'*[x; y]", "x y"), ("[X, y]", "X y"), ("inv([A, x; x', a])", "A x"),
    ("[a, c; c, a^2]", "a c"), ("det([a, c; c, a^2])", "a"), ("[one; x]", "one x"),
    ("[x; one; x]", "one"), ("[A; A; X]", "A"), ("[A; B]'*[A; B]", "A"), ("[x; y]'*[w; y]", "x y"),
    # sums over integers
    ("A^k", "A"), ("A^k*x", "A x"), ("(A*B)^k", "A"), ("A'^k*x", "A"), ("A^-k", "A"),
    ("sum[r=0..k-1](A^r*x)", "A x"), ("sum[r=1..k](r*a^r*x)", "a x"), ("tr(A^k)", "A A"),
    ("sum[r=0..k](sum[s=0..r](a^(r + s)))", "a"), ("exp(sum[r=0..k](a^r*x))", "a x"),
    ("sum[r=0..k](exp(r*x*w'))", "x"), ("sum[r=0..99](a^r/(r + 1))", "a"),
    ("((T[i,j,l] -> [j,l])^k)[j,l] -> [i,j,l]", "T"), ("sum[r=0..k](inv(A + r*eye))", "A"),
    ("((T[i,j,k] -> [j,k])^(kk[i]))[p,q] -> [i,p,q]", ""), ("sum[r=0..k](expm(r*A))", "A"),
    ("sum[r=0..k](logsumexp(r*x))", "x"), ("sum[r=0..k](s(r*x))", "x"), ("sum[r=0..k](g(r*x))", "x"),
    # sums that count along an axis
    ("sum[r=0..n-1](r*x[r])", "x"), ("sum[r=1..n](r^2*x[r-1]^2)", "x x"),
    ("sum[r=0..n-1](exp(r*x[r]))", "x"), ("sum[r=0..n-1](x[r]*a^r)", "x a"),
    ("sum[r=2..n-1](r*x[r])", "x"), ("sum[r=0..n-1](s(r*x[r]))", "x"),
    ("sum[r=0..m-1](r*X[r,j]*sum[s=0..n-1](s*X[r,s])) -> [j]", "X"),
    ("sum[r=0..n-2](x[r]*x[r+1])", "x x"), ("sum[r=0..n-2](exp(x[r]*x[r+1]))", "x"),
    ("sum[r=0..n-2](A[r,r+1]*x[r])", "A x"), ("sum[r=0..n-2](exp(A)[r,r+1])", "A"),
    ("sum[r=1..n-1]((x[r] - x[r-1])^2)", "x x"), ("sum[r=0..n-2](x[r])^2*x", "x"),
    ("sum[r=m..m+n-1](r*[y; x][r])", "x"),
    # functions of matrices
    ("expm(A)*x", "A A"), ("logm(A)", "A"), ("tr(expm(A))", "A A"), ("cosm(A)[i,0]", "A"),
    ("expm(T[i,j,k] -> [j,k])[p,q] -> [i,p,q]", "T"), ("expm(A*B)", "A"), ("adj(A)", "A"),
    ("pinv(X)", "X"), ("pinv((X*A)')", "A"), ("inv(T[i,j,k] -> [j,k])[p,q] -> [i,p,q]", "T"),
    ("det(N[i,j,k,l] -> [k,l]) -> [j,i]", "N"), ("inv(A)[0,i]", "A"),
    ("norm2(X[i,j] -> [j]) -> [i]", "X"), ("1/norm2(x)^2", "x"), ("logdet(K)", "K"), ("x'*L*w", "L"),
    # complex numbers
    ("conj(z)", ""), ("z^H*Z*z", ""), ("exp(conj(Z))", ""),
    # orders of axes, sizes of constants, places of sums
    ("exp(x[j]*y[i]) -> [i,j]", "x"), ("exp(S[i,k,j]) -> [i,j,k]", "S"), ("exp(x)[0]", "x"),
    ("exp(T[k,j,i] + x[i]*x[j]*e[k]) -> [i,j,k]", "T x"), ("(x + w.^2)[1]", "x"),
    ("1/(x[j]*y[i]) -> [i,j]", "x"), ("(A*x).^-2", "x"), ("1/sum(X)^2", "X"), ("A'", "A"),
    ("exp(x[j]) + y[i] -> [i,j]", "x"), ("x[i]*exp(A[i,j]*x[j])*sin(B[i,j]*x[j])", "x"),
    ("diag(A)", "A"), ("vector(a, n)", "a"), ("sum(X.*exp(X))", "X X"), ("max(0*X, a)", "a"),
    ("exp(S[i,j,k]*x[k]) + y[j] -> [j,i]", "S x"), ("A[i,j]*x[0]*B[0,i]*w[0]*x[j]", "x"),
]  # fmt: skip


@cache
def expressions(program: str, names: str) -> list[tc.Expr]:
    """The formula, its derivative by each variable, and one by all of them."""
    formula = tc.parse(DECLARED + program)
    wanted = names.split()
    found = [formula, *[tc.diff(formula, name) for name in dict.fromkeys(wanted)]]
    return found + [tc.diff(formula, *wanted)] * (len(wanted) > 1)


def cases() -> pytest.MarkDecorator:
    """A test for every program."""
    return pytest.mark.parametrize(("program", "names"), PROGRAMS)


def are_same(left: tc.Expr, right: tc.Expr) -> bool:
    """Whether formulas are equal: by algebra, or where that takes long, at a point."""
    structured = any(v.properties & {"spd", "skew"} for v in variables(left.node).values())
    if structured or any(isinstance(node, Unknown) for node in postorder([left.node])):
        return left == right
    if left.shape != right.shape:
        return False
    values = data({**left.variables, **right.variables})
    one, other = (f.evaluate(**{n: values[n] for n in f.variables}) for f in (left, right))
    return bool(np.allclose(one, other, rtol=1e-8, atol=1e-9))


@cases()
def test_index_notation_is_read_back(program: str, names: str) -> None:
    """Index notation is equal to what it was printed of."""
    for expression in expressions(program, names):
        text = expression.to_index()
        assert are_same(tc.parse(DECLARED + text), expression), text


@cases()
def test_text_is_read_back(program: str, names: str) -> None:
    """So is text that mixes matrix and index notation."""
    for expression in expressions(program, names):
        text = str(expression)
        if " -> " in text:
            assert are_same(tc.parse(DECLARED + text), expression), text


@cases()
def test_einsum_strings_are_read_back(program: str, names: str) -> None:
    """Einsum strings are the very node."""
    for expression in expressions(program, names):
        text = expression.to_einsum()
        assert tc.parse(DECLARED + text).node is expression.node, text


@cases()
def test_latex_is_balanced(program: str, names: str) -> None:
    r"""Braces, \left and \right come in pairs, and nothing has two subscripts."""
    for expression in expressions(program, names):
        latex = expression.to_latex()
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left") == latex.count(r"\right")
        assert not re.search(r"_\{[^{}]*\}_", latex), latex


SIZES = {"n": 3, "m": 2, "p": 2, "q": 3, "b": 2}


def data(variables: dict[str, Any]) -> dict[str, Any]:
    """Values for all variables: matrices near the identity, small integers."""
    rng = np.random.default_rng(1)
    values: dict[str, Any] = {}
    for name, variable in variables.items():
        shape = [dim.value(SIZES) for dim in variable.dims]
        values[name] = rng.uniform(0.3, 1.3, shape)
        if len(shape) > 1 and shape[-1] == shape[-2]:
            values[name] += 4 * np.eye(shape[-1])
        if variable.properties & {"spd", "skew"}:  # printed code uses what is declared
            sign = -1 if "skew" in variable.properties else 1
            values[name] += sign * values[name].T
        if "integer" in variable.properties:
            values[name] = np.asarray(rng.integers(2, 5, shape), float)
        if variable.is_complex:
            values[name] = values[name] + 1j * rng.uniform(0.3, 1.3, shape)
    return values


@cases()
def test_numpy_code_has_the_value(program: str, names: str) -> None:
    """The printed code runs and finds what the interpreter finds, where nothing is unknown."""
    for expression in expressions(program, names):
        if any(isinstance(node, Unknown) for node in postorder([expression.node])):
            compile(expression.to_code(), "<code>", "exec")
            continue
        values = data(expression.variables)
        expected = expression.evaluate(**values)
        code, scope = expression.to_code(), dict[str, Any]()
        exec(code, scope)  # noqa: S102  (our own text)
        found = scope["f"](*values.values())
        assert np.shape(found) == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9, err_msg=code)


# program, variables of a derivative, index notation
GOLDEN: list[tuple[str, str, str]] = [
    ("eps[i,j,k] -> [i,j,k]", "", "eps[i,j,k] -> [i,j,k]"),
    ("s(x)", "", "s(x[i]) -> [i]"),
    ("g(A*x)", "", "g(A*x)[i] -> [i]"),
    ("f0*u", "", "f0*u[i] -> [i]"),
    ("u", "x", "du/dx[i,j] -> [i,j]"),
    ("s2(a, c)", "c", "ds2/d2(a, c)"),
    ("s(a)", "a a", "s''(a)"),
    ("logsumexp[j](X[i,j])", "", "logsumexp[j](X[i,j]) -> [i]"),
    ("prod(x)", "", "prod[i](x[i])"),
    ("kron(A, B)", "", "kron(A, B)[i,j] -> [i,j]"),
    ("kron(x, y)", "x", "kron(eye(n), y)[i,j] -> [i,j]"),
    ("vec(X*A)", "", "vec(X*A)[i] -> [i]"),
    ("[x; y]", "", "[x; y][i] -> [i]"),
    ("[x; y]", "y", "[matrix(0, n, m); eye(m)][i,j] -> [i,j]"),
    ("A^k*x", "", "(A^k)[i,j]*x[j] -> [i]"),
    ("sum[r=0..k](a^r)", "", "sum[r=0..k](a^r)"),
    ("sum[r=1..n](r*x[r-1])", "", "sum[i=1..n](x[i-1]*i)"),
    ("sum[r=0..n-2](x[r]*x[r+1])", "", "sum[i=0..n-2](x[i+1]*x[i])"),
    ("sum[r=0..n-1](x[r]*A^r)", "", "sum[k=0..n-1]((A^k)[i,j]*x[k]) -> [i,j]"),
    ("expm(A)", "A", "expm'(A)[i,j,k,l] -> [i,j,k,l]"),
    ("conj(z)", "", "conj(z[i]) -> [i]"),
    ("x", "x", "eye(n)[i,j] -> [i,j]"),
    ("x.*w", "x", "delta[i,j]*w[i] -> [i,j]"),
    ("sum(x)*y", "", "y[i]*sum[j](x[j]) -> [i]"),
]


@pytest.mark.parametrize(("program", "names", "text"), GOLDEN)
def test_index_notation_to_the_letter(program: str, names: str, text: str) -> None:
    """The forms that readers know."""
    formula = tc.parse(DECLARED + program)
    expression = tc.diff(formula, *names.split()) if names else formula
    assert expression.to_index() == text


# what names and sizes could be mistaken for: program, variable
CLASHES = [
    ("eps*cross(x, y)", "x"), ("eps*cross(x, y)", "eps"), ("delta*exp(A)", "A"), ("r : scalar\nr*x", "x"),
    ("k : scalar integer; r : scalar\nsum[s=0..k](r^s)", "r"), ("i : scalar; x : vector(j)\ni*x'*x", "x"),
    ("d : scalar; x : vector(n); u : scalar of x\nd*u", "x"), ("C1 : vector(2)\nC1'*C1", "C1"),
    ("sum : vector(n)\nsum'*sum", "sum"), ("int : scalar; k : scalar integer; A : spd(n)\nint*A^k", "A"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "name"), CLASHES)
def test_names_that_look_like_constructs(program: str, name: str) -> None:
    """A variable may be called as an index, a counter, a constant tensor or a Python function is."""
    head = program.rpartition("\n")[0] + "\n"
    for expression in (tc.parse(program), tc.diff(program, name)):
        for text in (str(expression), expression.to_index(), expression.to_einsum()):
            assert tc.parse(head + text) == expression, text


UNDECLARED = [
    ("kron(A, x)", "x"), ("vec(A*X)", "X"), ("[x; y]", "x"), ("[A, x; x', a]", "x"), ("A*x", "x"),
    ("sum[r=0..len(x)-1](r*x[r])", "x"), ("kron(A, B)*vec(X)", "X"), ("exp(A)*x", "x"), ("x", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "name"), UNDECLARED)
def test_sizes_without_a_name_are_said(program: str, name: str) -> None:
    """Sizes of undeclared variables are `len(x)`, `rows(A)` and sums and products of those."""
    for expression in (tc.parse(program), tc.diff(program, name)):
        for text in (str(expression), expression.to_index(), expression.to_einsum()):
            assert tc.parse(text) == expression, text


def test_sizes_may_be_sums_in_constants() -> None:
    """Sums, differences and products of sizes; not what cannot be one."""
    assert tc.parse("eye(2*n - 1 + m)*vector(1)").shape == ("-1+m+2*n",)
    assert tc.parse("A : matrix(p, q); vector(1, rows(A)*2 + cols(A))").shape == ("2*p+q",)
    for wrong in ("eye(-n)", "eye(n/2)", "eye(1 - 2)"):
        with pytest.raises(tc.ParseError):
            tc.parse(wrong)


def test_arrays_have_names() -> None:
    """An array given from Python is `C1` in formulas and written out in code."""
    array = np.linspace(0.1, 2.3, 20 * 30).reshape(20, 30)
    expression = array @ tc.vector("x", 30)
    assert expression.to_index() == "C1[i,j]*x[j] -> [i]"
    assert expression.to_einsum() == 'einsum("ij,j->i", C1, x)'
    scope: dict[str, Any] = {}
    exec(expression.to_code(), scope)  # noqa: S102  (our own text)
    np.testing.assert_allclose(scope["f"](np.ones(30)), array.sum(axis=1))


def test_code_tells_sizes_from_sums() -> None:
    """A size that only stands in a sum of sizes is solved for."""
    program = "x : vector(n); A : matrix(n, n); [x; y]'*z + sum(y)"
    expression = tc.diff(program, "z")
    scope: dict[str, Any] = {}
    exec(expression.to_code(), scope)  # noqa: S102  (our own text)
    values = {"x": np.ones(2), "A": np.eye(2), "y": np.zeros(3), "z": np.ones(5)}
    found = scope["f"](*[values[name] for name in expression.variables])
    np.testing.assert_array_equal(found, [1, 1, 0, 0, 0])
