"""Variables replaced by expressions, numbers, arrays and texts: nodes, sizes, values, errors."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from strategies import program

import tensorcalc as tc
from tensorcalc import DomainError, Expr, KindError, ShapeError, UnknownNameError
from tensorcalc.errors import TensorcalcError

D = (
    "x, y : vector(n); A : matrix(n, n); X : matrix(m, n); a, b : scalar; k : scalar integer\n"
    "z : vector(n) complex; g : scalar -> scalar\n"
)
ones = np.ones(3)

SAME: list[tuple[str, dict[str, Any], str]] = [
    ("x'*A*x", {"x": "A*y"}, "y'*A'*A*A*y"),
    ("x'*A*y", {"x": "y", "y": "x"}, "y'*A*x"),
    ("x'*A*y", {"x": tc.vector("y", "n"), "y": tc.vector("x", "n")}, "y'*A*x"),
    ("a*x + b*y", {"a": 2, "b": "a"}, "2*x + a*y"),
    ("a*x", {"a": 0.5}, "x/2"),
    ("a*x", {"a": np.float32(0.1)}, "0.1*x"),
    ("a*x", {"a": np.array(3)}, "3*x"),
    ("a*x", {"a": 0}, "vector(0, n)"),
    ("exp(a) + log(b)", {"a": 0, "b": 1}, "1"),
    ("a^k", {"k": 3}, "a*a*a"),
    ("A^k*x", {"k": -2}, "A^-2*x"),
    ("A^k", {"k": "k + 1"}, "A^(k + 1)"),
    ("sum[r=0..k](A^r)", {"k": 3}, "sum[r=0..3](A^r)"),
    ("sum[r=0..k](A^r)", {"k": "2*k"}, "sum[r=0..2*k](A^r)"),
    ("sum[r=0..k](sum[s=0..r](a^r*b^s))", {"k": 2}, "1 + a*(1 + b) + a^2*(1 + b + b^2)"),
    ("g(x'*x)*a", {"x": "A*y"}, "g(y'*A'*A*y)*a"),
    ("where(a > 0, x, y)", {"a": 1}, "x"),
    ("norm2(x)^2 + a", {"a": "sum(y)", "x": "2*y"}, "4*y'*y + sum(y)"),
    ("x'*y", {"x": "r = 2*y; r"}, "2*y'*y"),
    ("x'*y", {"x": "r = 2*y"}, "2*y'*y"),
    ("z^H*z", {"z": "x"}, "x'*x"),
    ("x'*y", {"x": "vector(1, n)"}, "vector(1, n)'*y"),
    ("a*x", {"a": "n"}, "n*x"),
    ("a*x", {}, "a*x"),
    ("x'*y", {"x": lambda: tc.matrix("A", "n", "n")["i", "j"] * tc.vector("y", "n")["j"]}, "(A*y)'*y"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values", "expected"), SAME)
def test_same_as_the_text(text: str, values: dict[str, Any], expected: str) -> None:
    """The node is the one of the text with everything written in."""
    values = {name: v() if callable(v) else v for name, v in values.items()}
    assert tc.parse(D + text).substitute(**values) == tc.parse(D + expected)


SIZES: list[tuple[str, dict[str, Any], dict[str, tuple[int | str, ...]]]] = [
    # a size that is told is that everywhere
    ("x'*y", {"x": ones}, {"y": (3,), "A": (3, 3), "X": ("m", 3)}),
    ("x'*y", {"x": "[a; b]"}, {"y": (2,), "A": (2, 2)}),
    ("X*x", {"X": np.ones((2, 3))}, {"x": (3,), "y": (3,)}),
    ("x'*y", {"x": tc.vector("v", "q")}, {"v": ("q",), "y": ("q",), "X": ("m", "q")}),
    ("x'*y", {"x": tc.vector("v")}, {"v": ("n",), "y": ("n",)}),
    ("x'*A*y", {"x": ones, "A": "2*A"}, {"y": (3,), "A": (3, 3)}),
    ("a*x", {"a": "sum(v)", "x": ones}, {"y": (3,), "A": (3, 3)}),
    ("a*x", {"a": tc.sum(tc.vector("v", "n")), "x": ones}, {"y": (3,), "v": (3,)}),
    # sizes of the replacement may be those of the formula the other way round
    ("X*x", {"X": "X'"}, {"X": ("m", "n"), "x": ("m",), "A": ("m", "m")}),
    ("X*x", {"X": tc.matrix("Y", "n", "m")}, {"Y": ("n", "m"), "x": ("m",)}),
]


@pytest.mark.parametrize(("text", "values", "shapes"), SIZES)
def test_sizes(text: str, values: dict[str, Any], shapes: dict[str, tuple[int | str, ...]]) -> None:
    """Those that the replacements tell are renamed everywhere, others stay."""
    found = tc.parse(D + text).substitute(**values)
    here = {name: Expr.of(v, {name: v}, (v.rank,)).shape for name, v in found.variables.items()}
    assert {name: here[name] for name in shapes} == shapes


def test_merged_sizes() -> None:
    """``m*n`` waits for m; ``n*n`` is 9 where n is 3; six alone tells nothing."""
    f = tc.parse("x : vector(m*n); v : vector(m); w : vector(n*n); sum(x)*sum(v)*sum(w)")
    found = f.substitute(x=np.ones(6), v=np.ones(2))
    assert found.variables["w"].dims == tc.vector("w", 9).node.dims
    assert (
        f.substitute(w=np.ones(9), v=np.ones(2)).variables["x"].dims == tc.vector("x", 6).node.dims
    )
    with pytest.raises(ShapeError, match=r"a size of x would be both m\*n and 6"):
        f.substitute(x=np.ones(6))


def test_sizes_as_numbers() -> None:
    """A size that stands in the formula is the number."""
    f = tc.parse(D + "sum(x)/n*y")
    assert f.substitute(x="[1; 2; 3]") == tc.parse("y : vector(3); sum([1; 2; 3])/3*y")
    np.testing.assert_allclose(f.substitute(x=ones).evaluate(y=[1, 2, 3]), [1, 2, 3])


ERRORS: list[tuple[str, dict[str, Any], type[TensorcalcError], str]] = [
    ("x'*y", {"w": 1}, UnknownNameError, "w is not a variable of the expression"),
    ("x'*y", {"exp": 1}, TensorcalcError, "exp"),
    ("x'*y", {"g": 1}, UnknownNameError, "g is not a variable"),
    ("g(a)", {"g": 1}, UnknownNameError, "g is an unknown function, not a variable"),
    ("x'*y", {"x": 3}, KindError, "x is a vector, its replacement a scalar"),
    ("x'*y", {"x": np.ones((3, 3))}, KindError, "x is a vector, its replacement a matrix"),
    ("a*x", {"a": "x"}, KindError, "a is a scalar, its replacement a vector"),
    ("x'*y", {"x": "y'"}, ShapeError, "x is a column, its replacement a row"),
    ("x'*y", {"x": ones, "y": np.ones(2)}, ShapeError, "would be both 3 and 2"),
    ("X*x", {"X": "X'", "y": "x"}, ShapeError, "the sizes n and m would be the same"),
    ("x'*y", {"x": tc.vector("v", "p"), "y": tc.vector("w", "q")}, ShapeError, "would be the same"),
    (
        "x'*y",
        {"x": "y + v", "y": tc.scalar("v") * tc.vector("w")},
        ShapeError,
        "v is used with two declarations",
    ),
    ("x'*A*y", {"x": tc.vector("A", "n")}, ShapeError, "A is used with two declarations"),
    ("x[5]", {"x": ones}, ShapeError, "subscript 5 is out of range: the axis has 3 entries"),
    ("1/a", {"a": 0}, DomainError, "division by zero"),
    ("b/(1 - a)^2", {"a": 1}, DomainError, "division by zero"),
    ("A^k", {"k": 0.5}, DomainError, "k is an integer"),
    ("A^k", {"k": "a"}, DomainError, "k is an integer"),
    ("x'*y", {"x": "z"}, DomainError, "x is real, its replacement is complex"),
    ("x'*y", {"x": "y*"}, tc.ParseError, "end of the text"),
    ("x'*y", {"x": "X*y + y"}, ShapeError, "m entries"),
    ("x'*y", {"x": [1, 2]}, DomainError, "list is not an expression"),
    ("x'*y", {"x": None}, DomainError, "NoneType is not an expression"),
    ("x'*y", {"x": np.array([None])}, DomainError, "an array of objects"),
    ("a*x", {"a": float("nan")}, DomainError, "finite number"),
    ("a*x", {"a": True}, DomainError, "True is not"),
]


@pytest.mark.parametrize(("text", "values", "error", "message"), ERRORS)
def test_errors(
    text: str, values: dict[str, Any], error: type[TensorcalcError], message: str
) -> None:
    """Of our own, before anything is computed."""
    with pytest.raises(error, match=message):
        tc.parse(D + text).substitute(**values)


def test_errors_help() -> None:
    """The nearest name; the vector that a number was meant to be; the place in a text."""
    with pytest.raises(UnknownNameError) as caught:
        tc.parse("weights : vector(n); sum(weights)").substitute(weight=1)
    assert caught.value.hint == "did you mean weights?"
    with pytest.raises(KindError) as other:
        tc.parse(D + "sum(X)").substitute(X=0)
    assert other.value.hint is not None and "`matrix(0, m, n)`" in other.value.hint
    with pytest.raises(TensorcalcError) as third:
        tc.parse(D + "x'*y").substitute(x="A*(y")
    assert third.value.line == 1


def test_names_that_depend_on_variables() -> None:
    """Such a variable stays; others may be replaced."""
    f = tc.parse(D + "u : vector(m) of x; a*u'*u + sum(x + y)")
    with pytest.raises(DomainError, match="u depends on x, which so cannot be replaced"):
        f.substitute(x="2*x")
    with pytest.raises(DomainError, match="u depends on x"):
        tc.diff(f, "x").substitute(x=ones)
    assert f.substitute(a=2, y="x") == tc.parse(D + "u : vector(m) of x; 2*u'*u + sum(2*x)")


def test_variables_and_assumptions_of_the_result() -> None:
    """Those of the replacement stand where it does; what was assumed of them is told."""
    f = tc.parse("x'*A*y")
    found = f.substitute(x="B*v")
    assert list(found.variables) == ["B", "v", "A", "y"]
    assert [line.partition(" ")[0] for line in found.assumptions] == ["A", "y", "B", "v"]
    assert f.substitute(x=ones).assumptions == ("A : matrix(3, n)", "y : vector(n)")
    assert tc.parse("x, y : vector(n); x'*x").substitute(x="2*y").assumptions == ()
    assert list(tc.parse("x, y : vector(n); x'*x").substitute(x="v - w").variables) == [
        "v",
        "w",
        "y",
    ]


def test_layout_is_kept() -> None:
    """Axes of a derivative, a row, open indices."""
    hessian = tc.diff(D + "x'*A*x*a", "x", "x")
    found = hessian.substitute(a=2, A=np.diag([1, 2, 3]))
    assert found.groups == hessian.groups and str(found) == "[4, 0, 0; 0, 8, 0; 0, 0, 12]"
    assert str(tc.parse(D + "a*x'").substitute(a=2)) == "2*x'"
    opened = tc.vector("x", "n")["i"] * tc.scalar("a")
    again = opened.substitute(x="3*y", a=2)
    assert again * tc.vector("y", "n")["i"] == tc.parse("y : vector(n); 6*y'*y")


def test_greek_names() -> None:
    """A letter and its name are the same variable."""
    assert tc.parse("σ*x").substitute(σ=2) == tc.parse("sigma*x").substitute(sigma=2)
    with pytest.raises(UnknownNameError, match="sigma is given twice"):
        tc.parse("σ*x").substitute(σ=2, sigma=3)


def test_deep_and_long_formulas() -> None:
    """No recursion, linear time."""
    deep = tc.parse("sin(" * 20_000 + "a" + ")" * 20_000)
    assert deep.substitute(a="b") == tc.parse("sin(" * 20_000 + "b" + ")" * 20_000)
    terms = " + ".join(f"a{k}" for k in range(2_000))
    assert tc.parse(terms).substitute(a7="b - a8") == tc.parse(terms + " - a7 - a8 + b")


def test_many_at_once() -> None:
    """Every variable, in one step."""
    text = " + ".join(f"a{k}*x{k}" for k in range(200))
    found = tc.parse(text).substitute(**{f"a{k}": k for k in range(200)})
    value = found.evaluate(**{f"x{k}": [1.0] for k in range(1, 200)}, x0=[5.0])
    np.testing.assert_allclose(value, [sum(range(200))])


def _compare(seed: int) -> bool:
    """Replace some variables of a random program; the value must be that of the values put in."""
    made = program(seed)
    problem, choose = made.problem, random.Random(seed)
    f = tc.parse(made.text)
    data: dict[str, Any] = {name: problem.data[name] for name in f.variables}
    try:
        wanted = f.evaluate(**data)
    except DomainError:  # an unknown function
        return False
    if not np.all(np.isfinite(wanted)):
        return False
    kinds = problem.declarations()
    values: dict[str, Any] = {}
    for name in [n for n in data if choose.random() < 0.6]:
        kind, new = kinds[name], f"w{name}"
        ways: list[Callable[[], Any]] = [
            lambda kind=kind, new=new: tc.parse(f"{new} : {kind}\n{new}"),  # type: ignore[misc]
            lambda name=name: problem.data[name],  # type: ignore[misc]
            lambda kind=kind, new=new: 2 * tc.parse(f"{new} : {kind}\n{new}"),  # type: ignore[misc]
            lambda name=name: f"2*{name}",  # type: ignore[misc]
        ]
        way = 0 if "integer" in kind else choose.randrange(4)
        values[name] = ways[way]()
        value = data.pop(name)
        if way != 1:
            data[name if way == 3 else new] = value if way == 0 else value / 2
    try:
        found = f.substitute(**values).evaluate(**data)
    except ShapeError as error:  # an array of 6 entries does not tell m and n of m*n
        if not {"*", "+"} & set(error.message):
            raise
        return False
    scale = max(1.0, float(np.max(np.abs(wanted), initial=0)))
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8 * scale, err_msg=made.text)
    return True


@pytest.mark.parametrize("seed", range(60))
def test_values(seed: int) -> None:
    """Evaluating with the values put in is the same."""
    _compare(seed)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 4000, 100))
def test_many_values(start: int) -> None:
    """The same for thousands of programs, most of which can be compared."""
    assert sum(_compare(seed) for seed in range(start, start + 100)) > 50
