"""Code in C: compiled by gcc, run through ctypes, compared with our kernels."""

from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from takeaway import CASES, Array, Case, numbers_of, values_of
from test_kernel_constructs import DECLARED, GROUPS, with_derivatives

import tensorcalc as tc
from tensorcalc import canonical as c
from tensorcalc.dims import Dim, display_names
from tensorcalc.emit.c import FLAGS, to_c
from tensorcalc.errors import DomainError, UnknownNameError
from tensorcalc.expression import Expr
from tensorcalc.ir import Variable

WARNINGS = "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
OPTIMIZED = ["-O3", "-march=native", *FLAGS.split()]  # as the file says
BLAS = "dgemv dgemm dsyrk dtrsm dswap".split()
LAPACK = "dpotrf dpotri dgetrf dgetri".split()
LOGISTIC = next(case for case in CASES if case.name == "logistic")
languages = pytest.mark.languages


@functools.cache
def library() -> tuple[list[str], list[str]]:
    """What finds the OpenBLAS of a wheel, whose names have a prefix: to compile, to link."""
    import scipy_openblas32 as openblas

    names = [f"-Dcblas_{name}=scipy_cblas_{name}" for name in BLAS]
    names += [f"-D{name}_=scipy_{name}_" for name in LAPACK]
    folder = openblas.get_lib_dir()
    link = [f"-L{folder}", f"-l{openblas.get_library()}", f"-Wl,-rpath,{folder}", "-lm"]
    return [*names, f"-isystem{openblas.get_include_dir()}"], link


def compiled(text: str, target: Path, *flags: str) -> Path:
    """The program or library that gcc makes of a text, without a warning."""
    gcc = shutil.which("gcc")
    assert gcc is not None, "these tests need gcc"
    source = target.with_suffix(".c")
    source.write_text(text)
    find, link = library()
    command = [gcc, *WARNINGS, *flags, *find, str(source), "-o", str(target), *link]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


class Function:
    """A function in C, called with sizes and arrays by their names in its signature."""

    def __init__(self, text: str, folder: Path, *flags: str) -> None:
        path = compiled(text, folder / "f.so", "-shared", "-fPIC", *flags)
        self.run = ctypes.CDLL(str(path)).f
        head = re.search(r"^int f\(([^)]*)\)", text, re.MULTILINE)
        assert head is not None
        self.parameters = [tuple(part.split()) for part in head[1].split(",")]

    def __call__(self, given: dict[str, Any]) -> int:
        """The error code."""
        arguments: list[Any] = []
        for *kind, name in self.parameters:
            value = given[name.lstrip("*")]
            match kind[0], name[0] if name.startswith("*") else kind[-1][0]:
                case "ptrdiff_t", _:
                    arguments.append(ctypes.c_ssize_t(value))
                case "double", "d":
                    arguments.append(ctypes.c_double(value))
                case _:
                    assert value is None or (value.flags.c_contiguous and value.dtype == float)
                    arguments.append(None if value is None else ctypes.c_void_p(value.ctypes.data))
        code: int = self.run(*arguments)
        return code


def called(
    function: Function, formulas: dict[str, Expr], numbers: dict[str, int], values: dict[str, Array]
) -> dict[str, Array]:
    """The results of a function in C."""
    results = {
        name.replace(" ", "_"): np.full([d.value(numbers) for d in f.node.dims], 7.0)
        for name, f in formulas.items()
    }
    letters = display_names([Dim.of(n) for n in numbers], values)
    sizes = {letters.get(n, n): number for n, number in numbers.items()}
    contiguous = {n: np.ascontiguousarray(v) if v.ndim else v[()] for n, v in values.items()}
    code = function({**sizes, **contiguous, **results})
    assert code == 0
    return dict(zip(formulas, results.values(), strict=True))


def agree(found: dict[str, Array], expected: dict[str, Array]) -> None:
    """To 1e-10 of the largest entry."""
    for name, result in expected.items():
        scale = float(np.max(np.abs(result), initial=1e-3))
        np.testing.assert_allclose(found[name], result, rtol=0, atol=1e-10 * scale, err_msg=name)


@languages
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_the_kernel(case: Case, tmp_path: Path) -> None:
    """Values and derivatives at two sets of sizes; the file's own check finds nothing wrong."""
    formulas = case.formulas()
    text = to_c(formulas)
    function = Function(text, tmp_path, *OPTIMIZED)
    kernel = tc.compile(formulas)
    for first in (4, 11):
        numbers = numbers_of(formulas, first)
        values = values_of(formulas, numbers)
        agree(called(function, formulas, numbers, values), kernel(**values))
    if case.wrt:
        check = compiled(text, tmp_path / "check", "-DTENSORCALC_CHECK")
        done = subprocess.run([check], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("relative difference") == len(case.wrt)


def small(case: Case, text: str, folder: Path, numbers: dict[str, int]) -> None:
    """A file for other sizes than it was planned for, compared with plain NumPy."""
    formulas = case.formulas()
    values = values_of(formulas, numbers)
    expected = {name: f.evaluate(**values) for name, f in formulas.items()}
    agree(called(Function(text, folder), formulas, numbers, values), expected)


PLANNED = [
    ("logistic", {"m": 400_000, "n": 50}, "low0", {"m": 1300, "n": 3}),
    ("mixture", {"m": 100_000, "k": 20, "d": 8}, "low0", {"m": 300, "k": 4, "d": 8}),
    ("least-squares", {"m": 2000, "n": 2000, "k": 5}, "by_U", {"m": 40, "n": 30, "k": 5}),
    ("gram", {"m": 4000, "n": 1500}, "gemmt", {"m": 9, "n": 150}),
    ("logistic", {}, "gemv", {"m": 0, "n": 4}),
    ("logistic", {"m": 400_000, "n": 50}, "gemv", {"m": 4, "n": 0}),
    ("least-squares", {}, "gemm", {"m": 3, "n": 0, "k": 2}),
    ("solve", {}, "factor_solve", {"n": 0, "m": 2}),
    ("logdet", {}, "factor_logdet", {"n": 0}),
]


@languages
@pytest.mark.parametrize(("name", "planned", "word", "numbers"), PLANNED)
def test_sizes(
    name: str, planned: dict[str, int], word: str, numbers: dict[str, int], tmp_path: Path
) -> None:
    """Blocks, loops that are written out, products of symmetric results; no entries at all."""
    case = next(case for case in CASES if case.name == name)
    text = to_c(case.formulas(), "f", planned)
    assert re.search(rf"\b{word}\b", text)
    small(case, text, tmp_path, numbers)


@languages
def test_wrong_arguments(tmp_path: Path) -> None:
    """An error code each, and no result is touched."""
    formulas = {"value": tc.parse("x : vector(n); A : matrix(n, k); sum(A'*x) + x[3]")}
    function = Function(to_c(formulas, sizes={"n": 400, "k": 2}), tmp_path)
    x, A, value = np.ones(5), np.ones((5, 2)), np.zeros(())
    good = {"n": 5, "k": 2, "x": x, "A": A, "value": value}
    wrong: list[tuple[dict[str, Any], int]] = [
        ({}, 0), ({"x": None}, 1), ({"value": None}, 1), ({"n": -1}, 2), ({"n": 3}, 2),
        ({"n": 2**62}, 2), ({"k": 3}, 2),
    ]  # fmt: skip
    for change, code in wrong:
        value[...] = 7.0
        assert function({**good, **change}) == code, change
        assert value == (11.0 if code == 0 else 7.0)
    formulas = {"value": tc.parse("x : vector(n); A : matrix(n, k); sum(exp(sum(A, 1))) + x'*x")}
    function = Function(to_c(formulas), tmp_path / "..")
    assert function({**good, "n": 0, "k": 2**45}) == 3


@languages
def test_no_inverse(tmp_path: Path) -> None:
    """Singular, negative and infinite matrices give what the kernel gives: NaN and infinities."""
    formulas = {name: tc.parse(f"A : matrix(n, n); {name}(A)") for name in ("inv", "det", "logdet")}
    formulas["solve"] = tc.parse("A : matrix(n, n); b : vector(n); inv(A)*b")
    formulas["turned"] = tc.parse("A : matrix(n, n); b : vector(n); inv(A')*b + det(A)*b")
    function, kernel = Function(to_c(formulas), tmp_path), tc.compile(formulas)
    rng = np.random.default_rng(0)
    square = rng.standard_normal((6, 6))
    swapped = square.copy()
    swapped[[0, 3]] = swapped[[3, 0]]
    infinite, unknown = square.copy(), square.copy()
    infinite[2, 1], unknown[0, 0] = np.inf, np.nan
    spd = square @ square.T
    for A in (square, swapped, spd, -spd, 0 * spd, 1e-200 * spd, 1e200 * spd, infinite, unknown):
        values = {"A": A, "b": np.arange(6.0)}
        found, expected = called(function, formulas, {"n": 6}, values), kernel(**values)
        for name in formulas:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-10, err_msg=name)


CONSTRUCTS = [
    (name, sizes, texts)
    for name, (sizes, texts) in GROUPS.items()
    if name not in ("host", "series", "sums over integers", "powers")
] + [("series", [(3, 4, 2, 5), (0, 0, 1, 1)], ["tr(expm(S*T))", "expm(9*S)", "S^k"])]


@languages
@pytest.mark.parametrize(("name", "all_sizes", "texts"), CONSTRUCTS)
def test_constructs(
    name: str, all_sizes: list[tuple[int, int, int, int]], texts: list[str], tmp_path: Path
) -> None:
    """What the language has beside matrices and elementwise functions, with its derivatives."""
    several = with_derivatives(texts) if name != "series" else {
        text: tc.parse(DECLARED + text) for text in texts
    }  # fmt: skip
    formulas = {f"out{k}": f for k, f in enumerate(several.values())}
    function = Function(to_c(formulas), tmp_path)
    variables = {n: v for f in formulas.values() for n, v in f.variables.items()}
    for all_numbers in all_sizes:
        numbers = dict(zip("mnpq", all_numbers, strict=True))
        rng = np.random.default_rng(1)
        values = {
            n: rng.normal(size=[d.value(numbers) for d in v.dims]) / 2 + 0.1
            for n, v in variables.items()
        } | {"k": np.asarray(3.0)}
        given = {n: v for n, v in values.items() if n in variables}
        expected = {
            k: f.evaluate(**{n: given[n] for n in f.variables}) for k, f in formulas.items()
        }
        agree(called(function, formulas, numbers, given), expected)


@languages
def test_batches(tmp_path: Path) -> None:
    """A function of every matrix of a stack, of sizes up to those that BLAS does."""
    b, n = Dim.of("b"), Dim.of("n")
    stack = Variable.of("A", (b, n, n))
    formulas = {
        name: Expr.of(
            c.matrix_function(function, stack),
            {"A": stack},
            (c.matrix_function(function, stack).rank,),
        )
        for name, function in [
            ("inverse", "inv"),
            ("first", "det"),
            ("second", "logdet"),
            ("other", "expm"),
        ]
    }
    function, kernel = Function(to_c(formulas), tmp_path), tc.compile(formulas)
    for sizes in ({"b": 3, "n": 2}, {"b": 2, "n": 70}):
        A = np.random.default_rng(0).standard_normal((sizes["b"], sizes["n"], sizes["n"]))
        found, expected = called(function, formulas, sizes, {"A": A}), kernel(A=A)
        for name, result in expected.items():
            np.testing.assert_allclose(found[name], result, rtol=1e-9, err_msg=name)


@languages
def test_exponent_that_is_no_integer(tmp_path: Path) -> None:
    """An error code of its own, and NaN."""
    formulas = {"value": tc.parse("A : matrix(n, n); k : scalar integer; A^k")}
    function, value = Function(to_c(formulas), tmp_path), np.zeros((2, 2))
    given = {"n": 2, "A": 2 * np.eye(2), "value": value}
    assert function({**given, "k": -2.0}) == 0
    np.testing.assert_allclose(value, 0.25 * np.eye(2), rtol=1e-14)
    assert function({**given, "k": 0.5}) == 4
    assert np.isnan(value).all()


@languages
def test_not_finite(tmp_path: Path) -> None:
    """NaN and infinities go through elementwise functions and maxima as in the kernel."""
    text = "x : vector(n); max(x, 0.5) + min(x, 1) + relu(x) + sign(x) + sigmoid(x) + softplus(x)"
    formulas = {"some": tc.parse(text), "others": tc.parse("x : vector(n); digamma(x) + lgamma(x)")}
    formulas |= {"largest": tc.parse("x : vector(n); max(x)"), "length": tc.parse("norm2(x)")}
    function, kernel = Function(to_c(formulas), tmp_path), tc.compile(formulas)
    special = [np.nan, np.inf, -np.inf, 0.0, -3.0, 800.0, -800.0, 1e300]
    for x in ([1.0, y] for y in special):
        values = {"x": np.array(x)}
        found, expected = called(function, formulas, {"n": 2}, values), kernel(**values)
        for name in formulas:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-13, err_msg=str(x))


@languages
def test_array_constants(tmp_path: Path) -> None:
    """A constant stands in the file, all of its digits."""
    rng = np.random.default_rng(0)
    A, T = rng.standard_normal((20, 3)), rng.standard_normal((4, 5, 6)) * 1e-200
    f = tc.parse("A : matrix(m, 3); x : vector(3); sum(exp(A*x)) + sum[i,j,k](T[i,j,k])*1000^60")
    f = f.substitute(A=A, T=T)
    formulas = {"value": f, "by x": tc.diff(f, "x")}
    values = {"x": np.array([0.1, -0.2, 0.3])}
    found = called(Function(to_c(formulas), tmp_path), formulas, {}, values)
    agree(found, {name: f.evaluate(**values) for name, f in formulas.items()})


@languages
@pytest.mark.parametrize("name", ["logdet", "lu", "cp", "blocks", "structured", "network", "max"])
def test_sanitized(name: str, tmp_path: Path) -> None:
    """The check of a file runs without a read or write beyond an array, and without a leak."""
    case = next(case for case in CASES if case.name == name)
    flags = ["-DTENSORCALC_CHECK", "-g", "-fsanitize=address,undefined"]
    flags.append("-fno-sanitize-recover=all")
    check = compiled(to_c(case.formulas()), tmp_path / "check", *flags)
    done = subprocess.run([check], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@languages
def test_check_of_second_derivatives(tmp_path: Path) -> None:
    """The Hessian is the derivative of the gradient, also where that is called otherwise."""
    f = tc.parse("S : spd(n); x : vector(n); exp(x'*S*x/9) + logdet(S)*sum(x)")
    formulas = {"first": tc.diff(f, "x"), "H": tc.diff(f, "x", "x"), "mixed": tc.diff(f, "x", "S")}
    check = compiled(to_c(formulas), tmp_path / "check", "-DTENSORCALC_CHECK")
    done = subprocess.run([check], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "first by S",
        "first by x",
    ]


@languages
def test_check_finds_a_wrong_derivative(tmp_path: Path) -> None:
    """A file whose gradient was changed says so."""
    text = to_c(LOGISTIC.formulas())
    changed = re.sub(r"(by_w\[i0\] = )", r"\g<1>1e-5 + ", text)
    assert changed != text
    check = compiled(changed, tmp_path / "check", "-DTENSORCALC_CHECK")
    done = subprocess.run([check], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(r"value by w: largest relative difference \d\.\de-0[4567]", done.stdout)


@languages
def test_names(tmp_path: Path) -> None:
    """Words of C, our own names and ends of comments are harmless."""
    text = "double : scalar; t0 : vector(for); exp1 : vector(for); NAN : scalar; gemv : scalar"
    f = tc.parse(f"{text}\n# */ int main\ndouble*t0'*exp1 + NAN*gemv")
    formulas = {"*/ x": f, "/* t0": tc.diff(f, "t0"), "1 double": tc.diff(f, "double"), "": f}
    text = to_c(formulas, "int")
    compiled(text, tmp_path / "f.so", "-shared", "-fPIC")
    done = compiled(text, tmp_path / "check", "-DTENSORCALC_CHECK")
    assert subprocess.run([done], capture_output=True, check=False).returncode == 0


REFUSED = [
    ("A : matrix(n, n); logm(A)", "logm has no form in C"),
    ("A : matrix(n, n); k : scalar integer; sum[r=0..k](A^r)", "sum over integers has no form"),
    ("A : matrix(n, n); sqrtm(A)", "sqrtm has no form in C"),
    ("z : vector(n) complex; z", "complex numbers"),
    ("g : scalar -> scalar; x : scalar; g(x)", "g is unknown"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_refused(text: str, words: str) -> None:
    """What has no form in C is named."""
    with pytest.raises(DomainError, match=words):
        to_c({"value": tc.parse(text)})


def test_refused_sizes_and_constants() -> None:
    """A size that there is not, and more numbers than a source text should have."""
    with pytest.raises(UnknownNameError, match="no size is called q"):
        to_c({"value": tc.parse("x : vector(n); sum(x)")}, sizes={"q": 3})
    f = tc.parse("A : matrix(m, n); sum(exp(A))").substitute(A=np.ones((200, 200)))
    with pytest.raises(DomainError, match="more than 10000 numbers"):
        to_c({"value": f})


def test_text_is_readable_and_the_same() -> None:
    """The formula, the shapes, how to compile; short lines; the same bytes every time."""
    text = to_c(LOGISTIC.formulas())
    assert text == to_c(LOGISTIC.formulas())
    assert "value = sum(softplus(-y.*(X*w))) + c*(w'*w)/2" in text
    assert "X (m, n)" in text and "by_w (n)" in text
    assert "cc -O3 -march=native -std=c99 f.c ... -lopenblas -lm" in text
    assert "by_w = X' * " in text and "gemm(" not in text
    assert max(map(len, text.splitlines())) <= 110
