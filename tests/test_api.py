"""The public functions: names, lists of names, errors, and what is not imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tensorcalc as tc
from tensorcalc import DomainError, KindError, LimitError, ParseError, ShapeError, UnknownNameError


def test_derivative_functions() -> None:
    """One formula through every function."""
    assert str(tc.diff("x'*A*x", "x")) == str(tc.grad("x'*A*x", "x")) == "(A + A')*x"
    assert str(tc.hessian("x'*A*x", "x")) == str(tc.diff("x'*A*x", "x", "x")) == "A + A'"
    assert str(tc.hessian("x'*A*y", "x", "y")) == "A"
    assert str(tc.jacobian("A*x", "x")) == "A"
    assert str(tc.jvp("A*x", "x", "v")) == "A*v"
    assert str(tc.vjp("A*x", "x", "u")) == "A'*u"
    assert str(tc.hvp("x'*A*x", "x", "v")) == "(A + A')*v"


def test_lists_of_names_give_dicts() -> None:
    """Gradients in one pass, joint directions."""
    f = "norm2(U*V' - T)^2"
    gradients = tc.grad("U : matrix(m, k); V : matrix(n, k); T : matrix(m, n); " + f, ["U", "V"])
    assert list(gradients) == ["U", "V"]
    for name, gradient in gradients.items():
        assert gradient == tc.diff(
            "U : matrix(m, k); V : matrix(n, k); T : matrix(m, n); " + f, name
        )
    products = tc.hvp("x'*A*y", ["x", "y"], ["u", "v"])
    assert (str(products["x"]), str(products["y"])) == ("A*v", "A'*u")
    assert str(tc.jvp("x'*y", ["x", "y"], ["u", "v"])) in (
        "u'*y + v'*x",
        "u'*y + x'*v",
        "x'*v + y'*u",
    )
    pulled = tc.vjp("x*y'", ["x", "y"], "W")
    assert (str(pulled["x"]), str(pulled["y"])) == ("W*y", "W'*x")


def test_declarations_as_keywords() -> None:
    """Keywords are declarations; the text may have its own."""
    assert tc.parse("S*x", S="symmetric(n)") == tc.parse("S : symmetric(n); S*x")
    assert str(tc.diff(tc.parse("x'*S*x", S="symmetric(n)"), "x")) == "2*S*x"
    with pytest.raises(KindError):
        tc.parse("x", x="vektor(n)")
    with pytest.raises(ParseError):
        tc.parse("x", x="vector(n)\ny = x")


def test_unused_and_unknown_variables() -> None:
    """Zero by a declared variable, an error with the nearest name by an unknown one."""
    assert str(tc.diff("x, y : vector(n); x'*x", "y")) == "vector(0, n)"
    with pytest.raises(UnknownNameError, match="q is not a variable") as caught:
        tc.diff("x'*x", "q")
    assert "x" in (caught.value.hint or "")
    with pytest.raises(UnknownNameError) as caught:
        tc.diff("weights : vector(n); weights'*weights", "weight")
    assert caught.value.hint == "did you mean weights?"


def test_gradients_are_of_scalars() -> None:
    """Everything else is told to use a Jacobian."""
    calls: list[Callable[[], tc.Expr]] = [
        lambda: tc.grad("A*x", "x"),
        lambda: tc.hessian("A*x", "x"),
        lambda: tc.hvp("x", "x", "v"),
    ]
    for call in calls:
        with pytest.raises(ShapeError, match="a gradient is that of a scalar"):
            call()


def test_directions_fit() -> None:
    """As many as variables, of the same shapes."""
    with pytest.raises(ShapeError, match="1 variables, but 2 directions"):
        tc.jvp("A*x", "x", ["u", "v"])
    with pytest.raises(ShapeError, match="the direction A has not the shape of x"):
        tc.jvp("A*x", "x", "A")
    with pytest.raises(ShapeError, match="the cotangent A has not the shape"):
        tc.vjp("A*x", "x", "A")


def test_direction_names_must_be_names() -> None:
    """A direction is a name of the language."""
    for wrong in ("1v", "a b", "", "exp", "v'"):
        with pytest.raises(tc.TensorcalcError):
            tc.jvp("A*x", "x", wrong)


def test_limits() -> None:
    """The order of a derivative is limited."""
    with pytest.raises(LimitError):
        tc.diff("exp(a)", *["a"] * 11)
    assert str(tc.diff("exp(a)", *["a"] * 10)) == "exp(a)"


def test_not_a_formula() -> None:
    """Numbers and None are neither expressions nor texts."""
    for wrong in (None, 3, ["x"]):
        with pytest.raises(DomainError, match="neither an expression nor a program text"):
            tc.diff(wrong, "x")  # type: ignore[arg-type]


def test_variables_made_in_python() -> None:
    """Kinds, sizes, properties, inferred sizes."""
    assert tc.vector("x", 3).shape == (3,)
    assert tc.tensor("T", "a", "b", 3).shape == ("a", "b", 3)
    assert tc.matrix("A", "n", "n", "invertible").variables["A"].properties == {"invertible"}
    assert (tc.matrix("A") @ tc.vector("x")) == tc.parse("A*x")
    assert tc.scalar("c", "complex positive").variables["c"].properties == {"complex", "positive"}
    for kind in ("symmetric", "spd", "skew", "diagonal", "lower", "upper", "orthogonal"):
        assert tc.matrix("A", "n", "n", kind) == tc.parse(f"A : {kind}(n); A")
        with pytest.raises(KindError):
            tc.matrix("A", "m", "n", kind)
        with pytest.raises(KindError):
            tc.vector("x", "n", kind)
    with pytest.raises(KindError):
        tc.matrix("A", "n", "n", "spd diagonal")
    for wrong in ("", "1x", "x y", "x; y", "x : vector(n)\nx", "exp("):
        with pytest.raises(tc.TensorcalcError):
            tc.vector(wrong, "n")
        with pytest.raises(tc.TensorcalcError):
            tc.vector(wrong)
    for size in ("", "n) positive; y : vector(m", "n; m", "n m", "x = 3"):
        with pytest.raises(tc.TensorcalcError):
            tc.vector("x", size)


def test_public_names() -> None:
    """`dir` lists what there is; everything listed exists; nothing else does."""
    assert set(tc.__all__) <= set(dir(tc))
    for name in tc.__all__:
        assert getattr(tc, name) is not None
    assert callable(tc.parse) and callable(tc.limits)
    with pytest.raises(AttributeError):
        tc.nonsense  # noqa: B018


def test_type_checkers_see_the_public_names() -> None:
    """The block for type checkers exports all of `__all__`, from the modules that run time uses."""
    tree = ast.parse(Path(tc.__file__).read_text())
    (block,) = (n for n in tree.body if isinstance(n, ast.If))
    seen: dict[str, str] = {"__version__": "tensorcalc._version"}
    for statement in block.body:
        match statement:
            case ast.ImportFrom(module=str(module)) if module.startswith("tensorcalc"):
                assert all(alias.asname == alias.name for alias in statement.names)
                seen.update((alias.name, module) for alias in statement.names)
            case ast.AnnAssign(target=ast.Name(id=name)):
                seen[name] = "tensorcalc.language"
    assert set(seen) == set(tc.__all__)
    for name, module in seen.items():
        if name != "pi":  # no function or class: it has the module of its type
            assert getattr(getattr(tc, name), "__module__", module) == module


HEAVY = ("numpy", "numba", "scipy", "opt_einsum", "sympy")
LAZY = [
    "pass",
    'tensorcalc.diff("x\'*A*x", "x")',
    'str(tensorcalc.diff("x\'*A*x", "x"))',
    'tensorcalc.diff("sum(log(1 + exp(-y.*(X*w))))", "w", "w").to_latex()',
    'tensorcalc.hvp("norm2(x)", "x", "v").to_einsum()',
    'tensorcalc.parse("tr(inv(A)*B)").to_code("numpy")',
    'tensorcalc.vector("x", "n").T @ tensorcalc.vector("y", "n")',
    'tensorcalc.einsum("ij,j->i", tensorcalc.matrix("A"), tensorcalc.vector("x"))',
    'tensorcalc.diff(tensorcalc.function("u", "vector(m)", of="x"), "x")',
    'tensorcalc.block([[tensorcalc.scalar("a"), 0.5], [0, 1]])',
    'tensorcalc.parse("x\'*A*x").substitute(x="2*y", A="[1, 2; 3, 4]")',
    'tensorcalc.sum(tensorcalc.vector("x")[0]**tensorcalc.counter("r"), over={"r": (0, 3)}).node',
]


@pytest.mark.parametrize("statement", LAZY)
def test_symbolic_work_imports_nothing_heavy(statement: str) -> None:
    """NumPy, Numba, SciPy and opt_einsum are left alone."""
    program = (
        f"import sys, tensorcalc\n{statement}\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_submodules_do_not_hide_functions() -> None:
    """`tensorcalc.parse` is the function, also after the module was imported."""
    program = "import tensorcalc.parse, tensorcalc.limits, tensorcalc as tc\nprint(tc.parse('a'), tc.limits)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("a <function")
