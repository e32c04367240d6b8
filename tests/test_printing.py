"""Notations: golden strings of text, LaTeX, index notation, einsum strings, NumPy code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorcalc as tc

# program, variables to differentiate by, text, LaTeX
GOLDEN: list[tuple[str, str, str, str]] = [
    ("x'*A*x", "", "x'*A*x", r"\mathbf{x}^{\top}\,A\,\mathbf{x}"),
    ("x'*A*x", "x", "(A + A')*x", r"\left(A + A^{\top}\right)\,\mathbf{x}"),
    ("x'*A*x", "A", "x*x'", r"\mathbf{x}\,\mathbf{x}^{\top}"),
    ("x'*A*x", "x x", "A + A'", r"A + A^{\top}"),
    ("exp(a)", "", "exp(a)", r"\exp\left(a\right)"),
    ("norm2(A*x - y)^2", "x", "2*A'*(A*x - y)", r"2\,A^{\top}\,\left(A\,\mathbf{x} - \mathbf{y}\right)"),
    ("norm2(x)", "x", "x/norm2(x)", r"\frac{\mathbf{x}}{\left\|\mathbf{x}\right\|_2}"),
    ("logdet(A)", "A", "inv(A)'", r"\left(A^{-1}\right)^{\top}"),
    ("det(A)", "", "det(A)", r"\det\left(A\right)"),
    ("tr(A*B)", "", "tr(A*B)", r"\operatorname{tr}\left(A\,B\right)"),
    ("x.*y", "", "x.*y", r"\mathbf{x} \odot \mathbf{y}"),
    ("x./y", "", "x./y", r"\mathbf{x} \oslash \mathbf{y}"),
    ("x.^3", "", "x.^3", r"\mathbf{x}^{\odot 3}"),
    ("a^b", "", "a^b", r"a^{b}"),
    ("a/b", "", "a/b", r"\frac{a}{b}"),
    ("sqrt(a)", "", "sqrt(a)", r"\sqrt{a}"),
    ("x/3", "", "x/3", r"\frac{\mathbf{x}}{3}"),
    ("0.1*x", "", "0.1*x", r"0.1\,\mathbf{x}"),
    ("-x", "", "-x", r"-\mathbf{x}"),
    ("1 + x", "", "1 + x", r"\mathbf{1} + \mathbf{x}"),
    ("diag(x)", "", "diag(x)", r"\operatorname{diag}\left(\mathbf{x}\right)"),
    ("lambda*x", "", "lambda*x", r"\lambda\,\mathbf{x}"),
    ("x_1'*x_1", "", "x_1'*x_1", r"\mathbf{x}_{1}^{\top}\,\mathbf{x}_{1}"),
    ("w1'*w2", "", "w1'*w2", r"\mathbf{w}_{1}^{\top}\,\mathbf{w}_{2}"),
    ("pi*a", "", "pi*a", r"\pi\,a"),
    ("where(x > 0, x, y)", "", "where(x > 0, x, y)",
     r"\begin{cases}\mathbf{x} & \text{if } \mathbf{x} > 0 \\ \mathbf{y} & \text{otherwise}\end{cases}"),
    ("A^3", "", "A^3", r"A^{3}"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("program", "names", "text", "latex"), GOLDEN, ids=[g[0] + " " + g[1] for g in GOLDEN]
)
def test_golden(program: str, names: str, text: str, latex: str) -> None:
    """Text and LaTeX, to the letter."""
    expression = tc.diff(program, *names.split()) if names else tc.parse(program)
    assert str(expression) == text
    assert expression.to_latex() == latex


# program, index notation, einsum strings
PLAIN = [
    ("x'*A*x", "A[i,j]*x[i]*x[j]", 'einsum("ij,i,j->", A, x, x)'),
    ("A*x", "A[i,j]*x[j] -> [i]", 'einsum("ij,j->i", A, x)'),
    ("sum(x)", "sum[i](x[i])", 'einsum("i->", x)'),
    ("x.^2", "x[i]*x[i] -> [i]", 'einsum("i,i->i", x, x)'),
    ("x.^3", "x[i]^3 -> [i]", "x.^3"),
    ("a + b", "a + b", "a + b"),
    ("exp(A*x)", "exp(A[i,j]*x[j]) -> [i]", 'exp(einsum("ij,j->i", A, x))'),
    ("A'", "A[j,i] -> [i,j]", 'einsum("ji->ij", A)'),
]


@pytest.mark.parametrize(("program", "index", "einsum"), PLAIN)
def test_index_and_einsum_are_read_back(program: str, index: str, einsum: str) -> None:
    """The printed forms, and the golden ones, are the same node as the program."""
    expression = tc.parse(program)
    for text in (expression.to_index(), expression.to_einsum(), index, einsum):
        assert tc.parse(text).node is expression.node


DECLARED = "a, c : scalar; A, B : matrix(n, n); X : matrix(m, n); w, v : vector(n); y : vector(m); T : tensor(m, n, n)\n"
PROGRAMS: list[tuple[str, str]] = [
    ("w'*A*w", "w"), ("sum(log(1 + exp(-y.*(X*w))))", "w"), ("sum(log(1 + exp(-y.*(X*w))))", "X"),
    ("norm2(X*w - y)", "w"), ("A*w", "A"), ("inv(A)*w", "A"), ("det(A)", "A"), ("tr(A)^3", "A"),
    ("w.^a", "w"), ("w.^a", "a"), ("a^c", "c"), ("max(w, v)", "w"), ("where(w > 0, w, v)", "v"),
    ("T[i,j,k]*v[k]*y[i]", "T"), ("T[i,j,k]*v[k]*y[i]", "v"), ("exp(w*v')", "w"), ("mean(X)", "X"),
    ("sum(X,1)", "X"), ("normF(X)", "X"), ("w", "w"), ("X", "X"), ("w - v", "a"), ("sum(w)", "w"),
    ("w[0]*v", "w"), ("sigmoid(X*w)", "w"), ("(1 + w'*w)^-2", "w"), ("lgamma(w)", "w"), ("erf(w)", "w"),
    ("digamma(w)", "w"), ("3/7*w", "w"), ("len(w)*w", "w"), ("(1 + sum(A,1)*v)^-1*A*w", "v"),
    ("w[i]/(1 + sum(A,1)[i]^2)*v[i]", "a"), ("norm2(w - w)^2 + a", "a"), ("sum(max(0*X, a), 2)", "a"),
    ("v'*((c + w)./(1 + (sum(w*v',1)').^2))", "w"), ("w'*diag(A)", "A"), ("tr(A.*B)", "B"),
]  # fmt: skip


def point() -> dict[str, np.ndarray[Any, Any]]:
    """Values for the declared variables."""
    rng = np.random.default_rng(0)
    shapes = {
        "a": (),
        "c": (),
        "A": (3, 3),
        "B": (3, 3),
        "X": (2, 3),
        "w": (3,),
        "v": (3,),
        "y": (2,),
        "T": (2, 3, 3),
    }
    return {name: rng.uniform(0.3, 1.3, shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("form", ["to_text", "to_index", "to_einsum"])
@pytest.mark.parametrize(("program", "name"), PROGRAMS)
def test_every_notation_is_read_back_with_its_value(program: str, name: str, form: str) -> None:
    """Formula and derivative in each notation: parsed again, they have the same value and shape."""
    formula = tc.parse(DECLARED + program)
    for expression in (formula, tc.diff(formula, name)):
        text = getattr(expression, form)()
        try:
            again = tc.parse(DECLARED + text)
        except tc.ShapeError as error:  # a constant alone, `vector(1)`, does not say its size
            if form == "to_einsum" or error.message != "a size cannot be inferred":
                raise
            continue
        np.testing.assert_allclose(
            again.evaluate(**point()), expression.evaluate(**point()), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize(("program", "name"), PROGRAMS)
def test_numpy_code_runs(program: str, name: str) -> None:
    """The printed function takes all variables in order and gives the value."""
    formula = tc.parse(DECLARED + program)
    for expression in (formula, tc.diff(formula, name)):
        scope: dict[str, Any] = {}
        exec(expression.to_code("numpy"), scope)  # noqa: S102
        arguments = [point()[n] for n in expression.variables]
        found, expected = scope["f"](*arguments), expression.evaluate(**point())
        assert np.shape(found) == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_numpy_code_avoids_names_of_python() -> None:
    """Variables named like keywords and modules."""
    expression = tc.parse("lambda*np + scipy'*scipy + f + t1 + is + def_")
    scope: dict[str, Any] = {}
    exec(expression.to_code(), scope)  # noqa: S102


def test_latex_of_many_lines_is_aligned() -> None:
    """Helpers stand in the rows of one environment."""
    f = tc.parse("a")
    for _ in range(12):
        f = tc.sin(f) * tc.cos(f) + f
    latex = tc.diff(f, "a").to_latex()
    assert latex.startswith("\\begin{aligned}\n& ") and latex.endswith("\n\\end{aligned}")


@pytest.mark.parametrize(("program", "name"), PROGRAMS)
def test_latex_is_balanced(program: str, name: str) -> None:
    r"""Braces and \left … \right come in pairs."""
    latex = tc.diff(DECLARED + program, name).to_latex()
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")


def test_printing_is_deterministic_under_renaming_of_sizes() -> None:
    """The same text for declared and inferred sizes."""
    assert str(tc.diff("x : vector(n); A : matrix(n, n); x'*A*x", "x")) == str(
        tc.diff("x'*A*x", "x")
    )
