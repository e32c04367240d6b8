"""Every notation of random programs and their derivatives, in every layout.

What is to be read by people is well-formed; index notation and einsum strings read back as the very
expression; printed NumPy code runs and has the value, unknown functions given as arguments.
"""

from __future__ import annotations

import inspect
import re
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from concrete import numbers
from formulas import Wave
from strategies import Problem, Program, focused, parts, program

import tensorcalc as tc
from tensorcalc.binding import bind_sizes
from tensorcalc.dims import Dim
from tensorcalc.errors import TensorcalcError
from tensorcalc.ir import Unknown
from tensorcalc.printing import latex, mathml, unicode
from tensorcalc.printing.code import MAX_LINE, wrapped
from tensorcalc.printing.names import derivative_of, parts_of
from tensorcalc.traverse import postorder

LAYOUTS = ("mixed", "numerator", "denominator", "vec")
LEAVES = ("mi", "mo", "mn", "mtext")
MAX_RANK = 4
UNTOLD = "a size cannot be inferred"


# ── what every text of a notation is ─────────────────────────────────────────────────────────


def assert_latex(text: str) -> None:
    r"""Braces, \left and \right, and environments are balanced; nothing has two scripts of a kind."""
    stack: list[str] = []
    for found in re.finditer(r"\\(begin|end)\{(\w+)\}|\\(left|right)(?![a-z])|(?<!\\)[{}]", text):
        word = found[2] or "bracket"
        if found[1] == "begin" or found[3] == "left" or found[0] == "{":
            stack.append(found[2] or found[0][-4:].lstrip("\\"))
            continue
        opened = stack.pop() if stack else ""
        wanted = {"}": "{", "\\right": "left"}.get(found[0], word)
        assert opened == wanted, (opened, found[0], text)
    assert not stack, text
    outside = text
    while re.search(r"\{[^{}]*\}", outside):
        outside = re.sub(r"\{[^{}]*\}", "@", outside)
        assert not re.search(r"\^@\s*\^|_@\s*_", outside), text
    assert not re.search(r"\+ *-|- *-|[-+] *\\right", text), text


def assert_mathml(text: str) -> None:
    """An XML parser reads it; every letter stands in a leaf; scripts have as many parts as they need."""
    root = ElementTree.fromstring(text)  # noqa: S314  (our own text)
    assert root.tag.endswith("}math")
    counts = {"msub": 2, "msup": 2, "munder": 2, "mover": 2, "mfrac": 2, "munderover": 3}
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag in LEAVES or not (element.text or "").strip(), text
        assert not (element.tail or "").strip(), text
        assert len(element) == counts.get(tag, len(element)), text
        assert tag not in LEAVES or (element.text and len(element) == 0), text


def assert_unicode(text: str) -> None:
    """No sign of the language stands where mathematics has its own; brackets are balanced."""
    assert not re.search(r"[*'\\-]|<=|>=", text), text
    for opening, closing in ("()", "[]"):
        assert text.count(opening) == text.count(closing), text
    assert text.count("‖") % 2 == 0, text


def assert_code(code: str) -> None:
    """Python of lines that fit a page, with a docstring."""
    lines = code.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("def f("))
    assert lines[start + 1].startswith('    """') and any("Shapes:" in line for line in lines)
    if "np.array(" not in code:
        code = re.sub(r'""".*?"""', "", code, flags=re.DOTALL)  # long names are not broken there
        assert max(map(len, code.splitlines())) <= MAX_LINE + 10, code


def value_of_code(expression: tc.Expr, problem: Problem) -> Any:
    """The value of printed code; unknown functions are waves."""
    scope: dict[str, Any] = {}
    code = expression.to_code("numpy")
    assert_code(code)
    exec(code, scope)  # noqa: S102  (our own text)
    given: dict[str, Any] = dict(zip(inspect.signature(scope["f"]).parameters,
                                     [problem.data[name] for name in expression.variables],
                                     strict=False))  # fmt: skip
    for name in list(inspect.signature(scope["f"]).parameters)[len(expression.variables) :]:
        given[name] = stand_in(name, expression, problem)
    with np.errstate(all="ignore"):
        return scope["f"](**given)


def stand_in(name: str, expression: tc.Expr, problem: Problem) -> Any:
    """A wave for an argument such as ``dg`` or ``du_dx``, or the number of a size."""
    name = name.rstrip("_")  # f is the function's own name
    for node in postorder([expression.node]):
        if not isinstance(node, Unknown):
            continue
        order = len(node.derivatives)
        alone = f"d{order if order > 1 else ''}{node.name}" if order else node.name
        if name != alone and not (order and name.startswith(f"{alone}_d")):
            continue
        positions = node.derivatives
        if "_d" in name and node.is_applied:
            positions = tuple(int(k) - 1 for k in re.findall(r"d(\d)", name.partition("_")[2]))
        shape = [problem_size(dim, expression, problem) for dim in node.dims]
        result = shape[node.batch : node.batch + node.result]
        shapes = [
            [problem_size(dim, expression, problem) for dim in operand.dims[node.batch :]]
            for operand in node.operands
        ]
        wave = Wave.of(node.name, result, shapes)
        if not node.is_applied:
            return wave.value([problem.data[o.name] for o in node.operands], 0, positions)  # type: ignore[attr-defined]
        elementwise = not any([result, *shapes])
        return lambda *args: applied(wave, args, positions, elementwise)
    return problem_size(Dim.of(name), expression, problem)


def applied(wave: Wave, args: Sequence[Any], by: Sequence[int], elementwise: bool) -> Any:
    """A function of scalars goes entry by entry."""
    same = list(np.broadcast_arrays(*args)) if elementwise else list(args)
    return wave.value(same, np.ndim(same[0]) if elementwise else 0, by)


def problem_size(dim: Dim, expression: tc.Expr, problem: Problem) -> int:
    """The number of a size."""
    arrays = {name: np.asarray(problem.data[name]) for name in expression.variables}
    sizes = {**problem.sizes, **bind_sizes(expression.variables, arrays)}
    return dim.value(sizes)


# ── random programs ──────────────────────────────────────────────────────────────────────────


def counts(few: int, many: int) -> pytest.MarkDecorator:
    """A test with the first `few` programs, and a slow one with the next `many`."""
    slow = pytest.param(range(few, few + many), marks=pytest.mark.slow, id="many")
    return pytest.mark.parametrize("seeds", [pytest.param(range(few), id="few"), slow])


def expressions(made: Program) -> Iterator[tc.Expr]:
    """A program and its derivatives by every variable, of up to four axes."""
    formula = tc.parse(made.text)
    yield formula
    for variable in made.problem.variables:
        rank = made.problem.formula.rank + variable.rank
        if variable.data not in made.problem.integers and rank <= MAX_RANK:
            try:
                yield tc.diff(formula, variable.data)
            except tc.DomainError:  # named, where there is none
                continue


def for_all(check: Callable[[tc.Expr, Problem], None], seeds: Sequence[int]) -> None:
    """Check programs of every kind, plain and around one function; show a small failing part."""

    def check_program(made: Program) -> None:
        for expression in expressions(made):
            check(expression, made.problem)

    for seed in seeds:
        for make in (program, focused):
            made = make(seed)
            try:
                check_program(made)
            except Exception as error:
                smallest, found = smaller(check_program, made, error)
                raise AssertionError(f"{make.__name__} {seed}\n{smallest}\n{found}") from error


def smaller(
    check: Callable[[Program], None], made: Program, error: Exception
) -> tuple[Program, Exception]:
    """The smallest part of a program that fails in the same way, and how."""
    for part in parts(made):
        try:
            check(part)
        except Exception as found:
            if type(found) is type(error):
                return part, found
    return made, error


@counts(12, 2000)
def test_notations_for_readers(seeds: Sequence[int]) -> None:
    """LaTeX and MathML are well-formed, unicode text has the signs of mathematics, in every layout."""

    def check(expression: tc.Expr, problem: Problem) -> None:
        for layout in LAYOUTS:
            assert_latex(expression.to_latex(layout=layout))
            assert_mathml(expression.to_mathml(layout=layout))
            assert_unicode(expression.to_unicode(layout=layout))

    for_all(check, seeds)


@counts(80, 2000)
def test_index_notation_and_einsum_strings_are_read_back(seeds: Sequence[int]) -> None:
    """Index notation and einsum strings are the expression."""

    def check(expression: tc.Expr, problem: Problem) -> None:
        declared = problem.declarations()
        names = [n for n in declared if n in {*expression.variables, *problem.unknown}]
        for text in (expression.to_index(), expression.to_einsum()):
            try:
                again = tc.parse(text, **{name: declared[name] for name in names})
            except TensorcalcError as error:
                if error.message == UNTOLD:  # a constant alone does not say its size
                    continue
                raise
            assert again == expression or near(
                numbers(again, problem.data), numbers(expression, problem.data)
            ), text

    for_all(check, seeds)


@counts(80, 2000)
def test_numpy_code_has_the_value(seeds: Sequence[int]) -> None:
    """Printed code runs and has the value of the interpreter."""

    def check(expression: tc.Expr, problem: Problem) -> None:
        expected = numbers(expression, problem.data)
        found = value_of_code(expression, problem)
        assert np.shape(found) == np.shape(expected), expression.to_code()
        assert near(found, expected), f"{expression.to_code()}\n{found}\n{expected}"

    for_all(check, seeds)


def near(found: Any, expected: Any) -> bool:
    """Whether entries agree to 1e-9 of the largest; where the interpreter has no number, anything."""
    known = np.isfinite(expected)
    largest = max(1.0, np.abs(expected[known]).max(initial=0.0))
    difference = np.abs(np.asarray(found) - expected)[known]
    return bool(np.all(difference <= 1e-9 * largest))


# ── names ────────────────────────────────────────────────────────────────────────────────────

# name, shape, LaTeX, unicode
NAMES = [
    ("x", "scalar", "x", "x"),
    ("x", "column", r"\mathbf{x}", "x"),
    ("x_1", "scalar", "x_{1}", "x₁"),
    ("w12", "row", r"\mathbf{w}_{12}", "w₁₂"),
    ("x_max", "scalar", r"x_{\mathrm{max}}", "x_max"),
    ("alpha", "scalar", r"\alpha", "α"),
    ("theta", "column", r"\boldsymbol{\theta}", "θ"),
    ("Sigma2", "matrix", r"\Sigma_{2}", "Σ₂"),
    ("Alpha", "matrix", "A", "Α"),
    ("alpha_beta", "scalar", r"\alpha_{\beta}", "α_beta"),
    ("loss", "scalar", r"\mathrm{loss}", "loss"),
    ("a_", "scalar", r"\mathrm{a\_}", "a_"),
    ("g''", "scalar", "g''", "g′′"),
    ("du/dx", "matrix", r"\frac{\partial u}{\partial x}", "∂u/∂x"),
    ("d2u/dx2", "matrix", r"\frac{\partial^{2} u}{\partial x^{2}}", "∂²u/∂x²"),
    ("d3u/dx2dy", "matrix", r"\frac{\partial^{3} u}{\partial x^{2}\,\partial y}", "∂³u/∂x²∂y"),
    ("ddata/ddose", "matrix", r"\frac{\partial \mathrm{data}}{\partial \mathrm{dose}}", "∂data/∂dose"),
    ("d2h/d1d2", "matrix", r"\partial_{1} \partial_{2} h", "∂₁∂₂h"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "shown", "plain"), NAMES)
def test_names(name: str, shape: str, shown: str, plain: str) -> None:
    """Greek letters, subscripts, primes, and derivatives as quotients."""
    assert latex.symbol(name, shape) == shown
    assert unicode.symbol(name, shape) == plain
    assert_mathml(mathml.document([mathml.symbol(name, shape)]))


def test_a_derivative_is_split_by_its_order() -> None:
    """Names with digits, and names that contain a d, are told from powers."""
    variables = {text: derivative_of(text) for text in ("d2u/dx1dx2", "d2u/dx2", "du/dx2")}
    assert [found.variables if found else () for found in variables.values()] == [
        (("x1", 1), ("x2", 1)),
        (("x", 2),),
        (("x2", 1),),
    ]
    assert parts_of("w_ab12").subscripts == ("ab", "12")


# ── each notation, to the letter ─────────────────────────────────────────────────────────────

# program, variables, unicode text, LaTeX
GOLDEN: list[tuple[str, str, str, str]] = [
    ("norm2(X*w - y)^2", "w", "2·Xᵀ·(X·w − y)",
     r"2\,X^{\top}\,\left(X\,\mathbf{w} - \mathbf{y}\right)"),
    ("norm2(x)", "x", "x/‖x‖₂", r"\frac{\mathbf{x}}{\left\|\mathbf{x}\right\|_2}"),
    ("inv(A)", "A", "−(A⁻¹)ᵢₖ·(A⁻¹)ₗⱼ → [i,j,k,l]",
     r"\left(-\left(A^{-1}\right)_{i k}\,\left(A^{-1}\right)_{l j}\right)_{i j k l}"),
    ("A*B", "A", "δᵢₖ·Bₗⱼ → [i,j,k,l]", r"\left(\delta_{i k}\,B_{l j}\right)_{i j k l}"),
    ("u : vector(m) of x; u'*u", "x", "2·(∂u/∂x)ᵀ·u",
     r"2\,\left(\frac{\partial \mathbf{u}}{\partial \mathbf{x}}\right)^{\top}\,\mathbf{u}"),
    ("g : scalar -> scalar; g(a^2)", "a", "2·a·g′(a²)", r"2\,a\,g'\left(a^{2}\right)"),
    ("g : scalar -> scalar; g(x)", "", "g(x)", r"g\left(\mathbf{x}\right)"),
    ("h : scalar, scalar -> scalar; h(a, b)", "b a", "∂₁∂₂h(a, b)",
     r"\partial_{1} \partial_{2} h\left(a, b\right)"),
    ("where(x < y, x, 0)", "", "where(x < y, x, 0)",
     r"\begin{cases}\mathbf{x} & \text{if } \mathbf{x} < \mathbf{y} \\ 0 & \text{otherwise}\end{cases}"),
    ("where(a < b, 1, 0) + c", "", "𝟙[a < b] + c", r"\mathbb{1}\left[a < b\right] + c"),
    ("sin(a)^2", "", "sin(a)²", r"\sin^{2}\left(a\right)"),
    ("logdet(A)^2", "", "(log det(A))²", r"\left(\log\det\left(A\right)\right)^{2}"),
    ("kron(A + B, C)", "", "(A + B) ⊗ C", r"\left(A + B\right) \otimes C"),
    ("x.^a", "x", "a·diag(x^⊙(a − 1))",
     r"a\,\operatorname{diag}\left(\mathbf{x}^{\odot \left(a - 1\right)}\right)"),
    ("sum(x)/len(x)", "", "sum(x)/len(x)",
     r"\frac{\operatorname{sum}\left(\mathbf{x}\right)}{\dim\left(\mathbf{x}\right)}"),
    ("u : scalar of a, b; u", "a b a", "∂³u/∂a²∂b",
     r"\frac{\partial^{3} u}{\partial a^{2}\,\partial b}"),
    ("u : vector(m) of x; v : scalar of x; v*u", "x", "u·(∂v/∂x)ᵀ + v·∂u/∂x",
     r"\mathbf{u}\,\left(\frac{\partial v}{\partial \mathbf{x}}\right)^{\top}"
     r" + v\,\frac{\partial \mathbf{u}}{\partial \mathbf{x}}"),
    ("u : scalar of a; log(u)", "a", "(∂u/∂a)/u", r"\frac{1}{u}\,\frac{\partial u}{\partial a}"),
    ("U, V : matrix(m, n) of a; kron(U, V)", "a", "U ⊗ (∂V/∂a) + (∂U/∂a) ⊗ V",
     r"U \otimes \frac{\partial V}{\partial a} + \frac{\partial U}{\partial a} \otimes V"),
    ("x : vector(n); x - mean(x)*vector(1)", "x", "I − 𝟏·𝟏ᵀ/n",
     r"I - \frac{\mathbf{1}\mathbf{1}^{\top}}{n}"),
    ("-sum(h.*log(h))", "h", "−log(h) − 𝟏", r"-\log\left(\mathbf{h}\right) - \mathbf{1}"),
    ("k : scalar integer; tr(A*X^k)", "X", "∑ᵣ₌₀ᵏ⁻¹ (X⁽ᵏ⁻¹⁻ʳ⁾·A·Xʳ)ᵀ",
     r"\sum_{r=0}^{k - 1} \left(X^{k - 1 - r}\,A\,X^{r}\right)^{\top}"),
    ("k : scalar integer; sum[r=0..k](A^r + B)*x", "", "∑ᵣ₌₀ᵏ (Aʳ + B)·x",
     r"\sum_{r=0}^{k} \left(A^{r} + B\right)\,\mathbf{x}"),
    ("sum(A)*inv(A)^2", "", "sum(A)·A⁻²", r"\operatorname{sum}\left(A\right)\,A^{-2}"),
    ("S : spd(n); (w'*S*w)^(3/2)", "", "(wᵀ·S·w)^(3/2)",
     r"\left(\mathbf{w}^{\top}\,S\,\mathbf{w}\right)^{3/2}"),
    ("(A + B)/(a + b)", "", "(A + B)/(a + b)", r"\frac{A + B}{a + b}"),
    ("log(x)'*y", "", "log(x)ᵀ·y", r"\log\left(\mathbf{x}\right)^{\top}\,\mathbf{y}"),
    ("x[1]*y[0] + x[2]^2", "", "x₁·y₀ + x₂²", r"x_{1}\,y_{0} + x_{2}^{2}"),
    ("kron(vector(1, 2), A)", "", "𝟏 ⊗ A", r"\mathbf{1} \otimes A"),
    ("commutation(m, n)", "", "𝐊[m, n]", r"\mathbf{K}_{m,n}"),
    ("psi : vector(2), vector(2) -> scalar; psi(x, vector(1/10, 2))", "", "ψ(x, 0.1·𝟏)",
     r"\psi\left(\mathbf{x}, 0.1\,\mathbf{1}\right)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "names", "plain", "shown"), GOLDEN)
def test_golden(text: str, names: str, plain: str, shown: str) -> None:
    """Unicode text and LaTeX, to the letter."""
    expression = tc.diff(text, *names.split()) if names else tc.parse(text)
    assert expression.to_unicode() == plain
    assert expression.to_latex() == shown


# declarations, program: what is printed of it stands as an argument, a power, a divisor
READ_BACK = [
    ("psi : vector(2), vector(2) -> scalar", "psi(x, vector(1/10, 2))"),
    ("", "kron(vector(1, 2), A)"),
    ("x : vector(n); A : matrix(m, m)", "sum[r=0..n-1](x[r]*A^r)"),
    ("a : scalar; u : scalar of a", "c/(du/da)"),
    ("a : scalar; u : scalar of a", "c/(du/da)^2 - d2u/da2/u"),
    ("x : vector(n); u : vector(n) of x; T : tensor(n, n, n)", "T[i,j,k]/(du/dx[i,j]) -> [i,j,k]"),
    ("x : vector(n); u : vector(n) of x; T : tensor(n, n, n)", "T[i,j,k]*(du/dx[i,j])^3 -> [i,j,k]"),
    ("x : vector(n); u : vector(n) of x; T : tensor(n, n, n)", "x[k] - T[i,j,k]*du/dx[i,j]"),
    ("x : vector(n); u : vector(n) of x; T : tensor(n, n, n)", "-du/dx[i,j]*T[i,j,k] -> [k]"),
    ("x : vector(m); y : vector(m)", "a*kron(x', [1, 0; y, y]) + kron(x', [a, 0; y, y])"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "program"), READ_BACK)
def test_texts_are_read_back(declared: str, program: str) -> None:
    """Arguments keep their shapes, derivatives and sums stand wherever an operand does."""
    expression = tc.parse(f"{declared}\n{program}")
    for shown in (str(expression), expression.to_index(), expression.to_einsum()):
        assert tc.parse(f"{declared}\n{shown}") == expression, shown


def test_a_kronecker_product_at_one_place() -> None:
    """A part of which one entry is left is a unit vector."""
    declared = "x : vector(m); y : vector(m)\n"
    expression = tc.diff(declared + "kron(x', [a, b; y, y])", "a")
    text = expression.to_index()
    assert text == "eye(m+1)[i,0]*kron(x, eye(2)[l,0] -> [l])[j] -> [i,j]"
    assert tc.parse(declared + text) == expression


def test_a_sum_after_a_sum_sign_stands_in_parentheses() -> None:
    """The sum sign reaches over all terms."""
    expression = tc.parse("T : tensor(n, n, n); sum[i](T[i,j,k] - T[j,i,k]) -> [j,k]")
    text = expression.to_latex()
    assert text == r"\left(-\sum_{k} \left(T_{i k j} - T_{k i j}\right)\right)_{i j}"


def test_helper_lines() -> None:
    """Helpers are rows of a table or of `aligned`, named as they stand in the result."""
    expression = tc.diff("s = A*x - y; norm2(s)", "x", "x")
    assert expression.to_unicode().startswith("s = A·x − y\n")
    assert r"& \mathbf{s} = A\,\mathbf{x} - \mathbf{y} \\" in expression.to_latex()
    table = ElementTree.fromstring(expression.to_mathml())  # noqa: S314
    names = [element.tag.rpartition("}")[2] for element in table.iter()]
    assert names.count("mtr") == 2


def test_helper_lines_do_not_name_each_other() -> None:
    """A matrix and its transpose, each found to be the other, end in one line."""
    text = "A : matrix(n, n); B : matrix(m, n); mean[i,j]((B*pinv([x, A])')[i,j])"
    *lines, result = str(tc.diff(text, "x")).split("\n")
    names = [line.partition(" = ")[0] for line in lines]
    assert result and len(names) == len(set(names))


def test_mathml_of_index_notation() -> None:
    """Entries have subscripts, sums stand over their indices, nothing is mere text."""
    shown = tc.diff("T : tensor(n, n, n); exp(T[i,j,k]*x[k]) -> [i,j]", "x").to_mathml()
    assert_mathml(shown)
    assert "<msub>" in shown and "<mtext>" not in shown and "→" in shown
    total = tc.parse("T : tensor(n, n, n); sum[i](exp(T[i,j,k])) -> [j,k]").to_mathml()
    assert "<munder><mo>∑</mo>" in total
    counted = tc.parse("k : scalar integer; sum[r=0..k](A^r)").to_mathml()
    assert "<munderover><mo>∑</mo>" in counted


# ── code ─────────────────────────────────────────────────────────────────────────────────────

# program, variables, the lines of the function
CODE: list[tuple[str, str, str]] = [
    ("norm2(X*w - y)^2", "w", "return 2 * (X.T @ (X @ w - y))"),
    ("inv(A)*x", "", "return np.linalg.solve(A, x)"),
    ("x'*inv(A)", "", "return np.linalg.solve(A.T, x)"),
    ("B*inv(A)", "", "return np.linalg.solve(A.T, B.T).T"),
    ("diag(x)*A*y", "", "return x * (A @ y)"),
    ("diag(x)*A*diag(y)", "", "return x[:, None] * (A @ np.diag(y))"),
    ("x*y'*z", "", "return y @ z * x"),
    ("x*y'", "", "return np.outer(x, y)"),
    ("A'*A + c*eye", "", "return c * np.eye(m) + A.T @ A"),
    ("1 + x/2", "", "return 1 + x / 2"),
    ("logsumexp(x)", "x", "return scipy.special.softmax(x)"),
    ("X : matrix(m, n); logsumexp(X, 2)", "", "return scipy.special.logsumexp(X, axis=1)"),
    ("relu(x)", "x", "return np.diag(1.0 * (x > 0))"),
    ("u : vector(m) of x; u'*u", "x", "return 2 * (du_dx.T @ u)"),
    ("g : scalar -> scalar; g(x'*x)", "x", "return 2 * dg(x @ x) * x"),
    ("tr(A*B)", "A", "return B.T"),
    ("s = A*x - y; norm2(s)", "x", "t1 = A @ x - y\nreturn A.T @ t1 / np.linalg.norm(t1)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "names", "lines"), CODE)
def test_code_is_as_a_person_writes_it(text: str, names: str, lines: str) -> None:
    """Solves instead of inverses, `@`, no einsum."""
    expression = tc.diff(text, *names.split()) if names else tc.parse(text)
    body = expression.to_code().partition("def f(")[2].rpartition('"""\n')[2]
    checks = re.compile(r"    (.* = arrays\(|\w+ = \w+\.shape|fits\()")
    found = [line.strip() for line in body.splitlines() if not checks.match(line)]
    assert found == lines.splitlines()


def test_names_that_python_has_taken() -> None:
    """Every argument has a name of its own."""
    expression = tc.parse(
        "lambda + lambda_ + lambda__ + np + sum + t1 + def_ + f + g(a)", g="scalar -> scalar"
    )
    code, scope = expression.to_code(), dict[str, Any]()
    exec(code, scope)  # noqa: S102
    names = list(inspect.signature(scope["f"]).parameters)
    assert len(names) == len(set(names)) == 10


@pytest.mark.parametrize("depth", [300, 5_000])
def test_deep_code_runs(depth: int) -> None:
    """What Python could not parse in one line stands in many."""
    text = "cos(b + " * depth + "a" + ")" * depth
    expression, scope = tc.parse(text), dict[str, Any]()
    code = expression.to_code()
    exec(code, scope)  # noqa: S102
    assert np.isclose(scope["f"](0.3, 0.2), expression.evaluate(b=0.3, a=0.2), rtol=1e-12)
    assert max(map(len, code.splitlines())) <= MAX_LINE + 10


def test_a_size_that_nothing_tells_is_an_argument() -> None:
    """Sizes that are but declared are given as numbers."""
    expression, scope = tc.parse("commutation(m, n)"), dict[str, Any]()
    exec(expression.to_code(), scope)  # noqa: S102
    assert np.array_equal(
        scope["f"](2, 3) @ np.arange(6.0), np.arange(6.0).reshape(3, 2).ravel(order="F")
    )


def test_sizes_that_stand_in_the_text_and_sizes_that_do_not() -> None:
    """The size of a vector of equal entries is said, that of a unit matrix beside it is not."""
    scope: dict[str, Any] = {}
    expression = tc.parse("A : diagonal(4); norm2(logdet(vector(3, 3)[i]*A + 8*eye(4)) -> [i])")
    exec(expression.to_code(), scope)  # noqa: S102
    A = np.diag([0.5, 1.0, 1.5, 2.0])
    assert np.isclose(scope["f"](A), np.sqrt(3) * np.log(3 * np.diag(A) + 8).sum())


def test_unknown_functions_of_rows() -> None:
    """A function of vectors that is applied to each row of a matrix."""
    expression = tc.parse(
        "f : vector(n) -> vector(m); X : matrix(k, n); f(X[i,j] -> [j])[l] -> [i,l]"
    )
    scope: dict[str, Any] = {}
    exec(expression.to_code(), scope)  # noqa: S102
    weights = np.arange(6.0).reshape(2, 3)
    rows = np.arange(12.0).reshape(4, 3)
    assert np.allclose(scope["f"](rows, lambda row: weights @ row), rows @ weights.T)


def test_a_wide_line_is_broken_within_brackets() -> None:
    """What is broken is the same expression."""
    text = "x = np.f(" + ", ".join(string.ascii_lowercase * 3) + ")"
    broken = wrapped(text)
    assert max(map(len, broken.splitlines())) <= MAX_LINE
    assert re.sub(r"\s+", " ", broken) == text


# ── unknown functions ────────────────────────────────────────────────────────────────────────

# declarations, by what u is differentiated, text
MIXED = [
    ("a, b : scalar; u : scalar of a, b", "a b a", "d3u/da2db"),
    ("a, b : scalar; u : scalar of a, b", "b b a a", "d4u/da2db2"),
    ("x : vector(n); a : scalar; u : vector(m) of x, a", "a x a", ""),
    ("x, x2 : scalar; u : scalar of x, x2", "x x2 x", "d3u/dx2dx2"),
    ("x, x2 : scalar; u : scalar of x, x2", "x2 x2 x", "d3u/dxdx22"),
]


@pytest.mark.parametrize(("declared", "names", "text"), MIXED)
def test_mixed_derivatives_are_read_back(declared: str, names: str, text: str) -> None:
    """Higher derivatives of unknown functions of several variables, in every notation."""
    expression = tc.diff(f"{declared}; u", *names.split())
    assert text in ("", str(expression))
    for shown in (str(expression), expression.to_index(), expression.to_einsum()):
        assert tc.parse(f"{declared}\n{shown}") == expression


def test_a_function_of_what_is_defined() -> None:
    """A name that depends on a definition has no derivative by name: the error says what to write."""
    with pytest.raises(tc.DomainError, match="u depends on x, which is no variable") as caught:
        tc.parse("x = A*t; u : vector(m) of x; u'*u")
    assert "u(x)" in str(caught.value)
