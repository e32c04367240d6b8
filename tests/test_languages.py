"""Generated code of other languages: run where its runtime is, else looked at."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from languages import (
    DECLARED,
    FORMULAS,
    Array,
    Case,
    cases,
    data,
    in_octave,
    octave_array,
    run_octave,
    run_python,
    write_julia,
)
from strategies import focused, program

import tensorcalc as tc
from tensorcalc.cli.kernels import NAMED_AS_FILES
from tensorcalc.cli.main import cli
from tensorcalc.printing.languages import WRITERS

LANGUAGES = tuple(WRITERS)
INSTALL = {
    "jax": "pip install jax",
    "torch": "pip install torch",
    "octave": "apt-get install octave",
}
NUMBERS = range(len(FORMULAS))


def needs(language: str) -> Any:
    """The runtime of a language; without it the test fails and says what to install."""
    if language == "octave":
        found: Any = shutil.which("octave-cli")
    else:
        try:
            found = __import__(language)
        except ImportError:
            found = None
    if found is None:
        pytest.fail(f"{language} is not installed: {INSTALL[language]}")
    return found


@pytest.fixture
def jax() -> Any:
    """JAX, with numbers of 64 bits."""
    module = needs("jax")
    module.config.update("jax_enable_x64", True)
    return module


def assert_equal(results: list[Any], chosen: tuple[Case, ...]) -> None:
    """All results, to ten digits, with their shapes."""
    for case, found in zip(chosen, results, strict=True):
        assert found.shape == case.expected.shape, case.name
        scale = np.max(np.abs(case.expected), initial=1.0)
        np.testing.assert_allclose(found, case.expected, 1e-10, 1e-10 * scale, err_msg=case.name)


# ── values ───────────────────────────────────────────────────────────────────────────────────


def test_numpy() -> None:
    """Formula and derivative of every line of the table."""
    assert_equal(run_python("numpy", cases(), lambda array: array), cases())


def test_numpy_agrees_with_kernels() -> None:
    """The compiled kernel gives the same, for one formula with its gradient."""
    formula = tc.parse(DECLARED + FORMULAS[0][0])
    values = {name: data()[name] for name in ("X", "x", "y", "c")}
    kernel = tc.compile({"value": formula, "slope": tc.diff(formula, "x")})
    found = kernel(**values)
    np.testing.assert_allclose(found["value"], cases()[0].expected, 1e-12)
    np.testing.assert_allclose(found["slope"], cases()[1].expected, 1e-10)


@pytest.mark.languages
def test_jax(jax: Any) -> None:
    """The same under `jit`, where an integer is static."""
    results = []
    for case in cases():
        scope: dict[str, Any] = {}
        exec(case.expression.to_code("jax"), scope)  # noqa: S102  (our own text)
        variables = case.expression.variables.values()
        static = [k for k, v in enumerate(variables) if "integer" in v.properties]
        given = [
            int(array) if k in static else jax.numpy.asarray(array)
            for k, array in enumerate(case.arguments)
        ]
        results.append(np.asarray(jax.jit(scope["f"], static_argnums=static)(*given)))
    assert_equal(results, cases())


@pytest.mark.languages
def test_torch() -> None:
    """Tensors in, tensors out."""
    torch = needs("torch")
    assert_equal(run_python("torch", cases(), torch.as_tensor), cases())


@pytest.mark.languages
def test_torch_keeps_the_type() -> None:
    """Numbers of 32 bits in, numbers of 32 bits out; constants do not change it."""
    torch = needs("torch")
    for case in cases():
        scope: dict[str, Any] = {}
        exec(case.expression.to_code("torch"), scope)  # noqa: S102
        given = [torch.as_tensor(array).to(torch.float32) for array in case.arguments]
        assert scope["f"](*given).dtype == torch.float32, case.name


@pytest.mark.languages
def test_octave() -> None:
    """All cases in one process."""
    needs("octave")
    assert_equal(run_octave(cases()), cases())


def random_cases(language: str, seeds: range) -> tuple[Case, ...]:
    """Random programs and a derivative of each, but for what the language cannot say."""
    found: list[Case] = []
    for seed in seeds:
        made = program(seed) if seed % 2 else focused(seed)
        if made.problem.unknown:
            continue
        formula = tc.parse(made.text)
        names = [name for name in formula.variables if name not in made.problem.integers]
        derivatives = [tc.diff(formula, name) for name in names[:1]]
        for k, expression in enumerate([formula, *derivatives]):
            values = {name: made.problem.data[name] for name in expression.variables}
            expected = expression.evaluate(**values)
            try:
                expression.to_code(language)
            except tc.DomainError:
                continue
            if np.all(np.isfinite(expected)):
                found.append(Case(f"case{seed}_{k}", expression, values, expected))
    return tuple(found)


@pytest.mark.languages
@pytest.mark.parametrize("language", ["jax", "torch", "octave"])
def test_random_programs(language: str, jax: Any) -> None:
    """Programs of the property tests, and their derivatives."""
    library = needs(language)
    chosen = random_cases(language, range(60))
    assert len(chosen) > 60
    if language == "octave":
        results: list[Any] = run_octave(chosen)
    else:
        convert = library.as_tensor if language == "torch" else jax.numpy.asarray
        results = []
        for case in chosen:
            variables = case.expression.variables.values()
            scope: dict[str, Any] = {}
            exec(case.expression.to_code(language), scope)  # noqa: S102
            given = [
                int(array) if "integer" in v.properties else convert(np.asarray(array))
                for v, array in zip(variables, case.arguments, strict=True)
            ]
            results.append(np.asarray(scope["f"](*given)))
    for case, found in zip(chosen, results, strict=True):
        assert found.shape == case.expected.shape, case.name
        scale = np.max(np.abs(case.expected), initial=1.0)
        np.testing.assert_allclose(found, case.expected, 1e-7, 1e-8 * scale, err_msg=case.name)


def test_nothing_is_remembered_of_other_formulas() -> None:
    """The same names with other properties before: a transpose that was not needed there is here."""
    for text in ("tr([A; B]*[C, A])", "tr([A; B]*[C', A])"):
        tc.parse("A : symmetric(n); B, C : matrix(n, n); " + text).to_code()
    formula = tc.parse(
        'A : matrix(m, n); B : matrix(n, n); C : symmetric(n)\neinsum("ij,ij->", [A; B], [C; A])'
    )
    rng, scope = np.random.default_rng(1), dict[str, Any]()
    given = {"A": rng.random((2, 3)), "B": rng.random((3, 3)), "C": np.eye(3)}
    exec(formula.to_code(), scope)  # noqa: S102
    np.testing.assert_allclose(scope["f"](**given), formula.evaluate(**given))


@pytest.mark.parametrize("exponent", [3, 1, 0, -1, -2])
def test_powers_go_backwards(exponent: int) -> None:
    """The derivative of a power whose exponent is negative, or 0."""
    formula = tc.diff("k : scalar integer; A : matrix(n, n); x : vector(n); A^k*x", "A")
    given = {"k": exponent, "A": np.array([[2.0, 1.0], [0.5, 3.0]]), "x": np.array([1.0, -2.0])}
    scope: dict[str, Any] = {}
    exec(formula.to_code(), scope)  # noqa: S102
    np.testing.assert_allclose(scope["f"](**given), formula.evaluate(**given), atol=1e-14)


# ── the check of derivatives ─────────────────────────────────────────────────────────────────


def module(number: int, language: str, name: str = "f") -> str:
    """Formula and derivative of a line of the table."""
    formula, variable = FORMULAS[number]
    return tc.to_code(DECLARED + formula, language, variable, name=name)


def broken(text: str) -> str:
    """The text with its derivative made wrong: twice what it should be."""
    if "return value" in text:
        return re.sub(r"return value, (\w+)", r"return value, 2 * \1", text)
    name = re.search(r"(gradient|derivative)_\w+", text)
    assert name
    return text.replace("\nend\n", f"\n  {name[0]} = 2 * {name[0]};\nend\n", 1)


SMALL = [
    ("x : vector(n); x[5]", "n is 3, but at least 6 is needed"),
    ("x : vector(n); y : vector(p); sum[r=0..p-1](y[r]*x[r+1])", "n is 3, but at least 4"),
]
STRUCTURED = [
    "A : {}; x, y : vector(n); x'*A*y + sum(A.^3)",
    "A : {}; x, y : vector(n); exp(x'*A*y)",
]
KINDS = ["symmetric(n)", "spd(n)", "skew(n)", "diagonal(n)", "lower(n)", "upper(n)"]
KINDS += ["orthogonal(n)", "matrix(n, n) positive", "matrix(n, n) complex"]


def structured() -> list[str]:
    """Formulas with a matrix of every structure."""
    return [text.format(kind) for text in STRUCTURED for kind in KINDS]


def check_python(text: str) -> float:
    """The result of the check in a module of Python."""
    scope: dict[str, Any] = {}
    exec(text, scope)  # noqa: S102
    return float(scope["check_derivatives"]())


@pytest.mark.parametrize("number", NUMBERS)
def test_numpy_checks_itself(number: int) -> None:
    """The check passes, and finds a wrong derivative."""
    text = module(number, "numpy")
    assert check_python(text) < 1e-6
    with pytest.raises(ArithmeticError, match="differs from central differences"):
        check_python(broken(text))


@pytest.mark.parametrize("formula", structured())
def test_check_keeps_structures(formula: str) -> None:
    """Declared structures are drawn and kept."""
    assert check_python(tc.to_code(formula, "numpy", "A")) < 1e-6


REGULAR = [  # with the sizes that come to mind first there would be no inverse
    "X : matrix(m, n); x : vector(m); inv(X'*X)*X'*x",
    "X : matrix(m, n); x : vector(n); c : scalar; c*logdet(X*X')*sum(x)",
]


@pytest.mark.parametrize(
    "formula", [*[formula for formula, _ in SMALL], *REGULAR, "x*tr(eye(n))/n"]
)
def test_check_chooses_sizes(formula: str) -> None:
    """Sizes with which the subscripts are inside, and what is inverted has full rank."""
    assert check_python(tc.to_code(formula, "numpy", "x")) < 1e-6


@pytest.mark.languages
@pytest.mark.parametrize("language", ["jax", "torch"])
def test_python_checks_itself(language: str, jax: Any) -> None:
    """The same in JAX and PyTorch."""
    needs(language)
    for number in NUMBERS:
        assert check_python(module(number, language)) < 1e-6
    for formula in structured():
        assert check_python(tc.to_code(formula, language, "A")) < 1e-6
    with pytest.raises(ArithmeticError, match="differs from central differences"):
        check_python(broken(module(0, language)))


@pytest.mark.languages
def test_octave_checks_itself() -> None:
    """The same in Octave."""
    needs("octave")
    files = {f"case{number}": module(number, "octave", f"case{number}") for number in NUMBERS}
    for k, formula in enumerate(structured()):
        files[f"structured{k}"] = tc.to_code(formula, "octave", "A", name=f"structured{k}")
    files["broken"] = broken(module(0, "octave", "broken"))
    found = in_octave(files, {name: f"{name}('check')" for name in files})
    assert "differs from central differences" in found.pop("broken")
    for name, text in found.items():
        assert not text.startswith("error"), f"{name}: {text}"
        assert float(text.split(",")[0]) < 1e-6, name


# ── arguments ────────────────────────────────────────────────────────────────────────────────

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"w": np.ones(3)}, "w has the shape (3,), but (2,) is needed"),
    ({"X": np.ones(3)}, "X needs 2 axes, not 1"),
    ({"c": np.ones(1)}, "c needs 0 axes, not 1"),
]
MODEL = "X : matrix(m, n); y : vector(m); c*(X*w - y)'*(X*w - y)"


def wrong_arguments(changed: dict[str, Any], prepare: Callable[[Any], Any]) -> list[Any]:
    """Arguments of the model of which some do not fit."""
    fitting = {"X": np.ones((3, 2)), "y": np.ones(3), "c": np.ones(()), "w": np.ones(2)}
    return [prepare(array) for array in (fitting | changed).values()]


@pytest.mark.parametrize(("changed", "message"), WRONG)
def test_numpy_checks_arguments(changed: dict[str, Any], message: str) -> None:
    """One error that names the argument."""
    scope: dict[str, Any] = {}
    exec(tc.parse(MODEL).to_code(), scope)  # noqa: S102
    with pytest.raises(ValueError, match=re.escape(message)):
        scope["f"](*wrong_arguments(changed, lambda array: array))


@pytest.mark.languages
@pytest.mark.parametrize("language", ["jax", "torch"])
@pytest.mark.parametrize(("changed", "message"), WRONG)
def test_python_checks_arguments(language: str, changed: dict[str, Any], message: str) -> None:
    """The same in JAX and PyTorch."""
    library = needs(language)
    prepare = library.as_tensor if language == "torch" else library.numpy.asarray
    scope: dict[str, Any] = {}
    exec(tc.parse(MODEL).to_code(language), scope)  # noqa: S102
    with pytest.raises(ValueError, match=re.escape(message)):
        scope["f"](*wrong_arguments(changed, prepare))


@pytest.mark.languages
def test_octave_checks_arguments() -> None:
    """The same in Octave, whose vectors are columns."""
    needs("octave")
    text, wide = tc.parse(MODEL).to_code("octave"), [np.ones((1, 3)), np.ones((3, 2))]
    given = [wrong_arguments({name: array}, octave_array) for name in "Xyw" for array in wide]
    calls = {f"call{k}": f"f({', '.join(each)})" for k, each in enumerate(given)}
    for name, found in in_octave({"f": text}, calls).items():
        fits = name == "call1"  # X may have 3 rows and 2 columns
        assert fits or re.search(r"error: [Xyw] has the size \[.*\], but .* is needed", found)


@pytest.mark.parametrize("language", ["numpy", "jax", "torch", "octave"])
@pytest.mark.parametrize(("formula", "message"), SMALL)
def test_subscripts_are_inside(formula: str, message: str, language: str) -> None:
    """A size that is too small for a subscript is refused, in derivatives too."""
    for expression in (tc.parse(formula), tc.diff(formula, "x")):
        code = expression.to_code(language)
        assert re.search(r"(reaches|check_least)\(.n., n, ", code)
        if language == "numpy":
            scope: dict[str, Any] = {}
            exec(code, scope)  # noqa: S102
            given = [np.ones(3)] * len(expression.variables)
            with pytest.raises(ValueError, match=message):
                scope["f"](*given)


# ── what cannot be said, and names ───────────────────────────────────────────────────────────

LACKING = [
    ("A : matrix(n, n); tr(logm(A))", "jax", "logm cannot be written in JAX"),
    ("A : matrix(n, n); tr(sqrtm(A))", "torch", "sqrtm cannot be written in PyTorch"),
    ("g : vector(n) -> scalar; y[i]*g(x*y[i]) -> [i]", "julia", "a function of stacks cannot be"),
]


@pytest.mark.parametrize(("formula", "language", "message"), LACKING)
def test_what_a_language_lacks(formula: str, language: str, message: str) -> None:
    """An error that names function and language."""
    with pytest.raises(tc.DomainError, match=message):
        tc.parse(formula).to_code(language)


@pytest.mark.parametrize("language", ["jax", "torch", "julia", "octave"])
def test_derivatives_of_series_are_refused(language: str) -> None:
    """The derivative of a matrix exponential is code of NumPy only."""
    with pytest.raises(tc.DomainError, match="a derivative of expm cannot be written in"):
        tc.diff("A : matrix(n, n); expm(A)", "A").to_code(language)


def test_unknown_language() -> None:
    """The error lists the languages."""
    with pytest.raises(tc.DomainError, match="no code for") as caught:
        tc.parse("x'*x").to_code("fortran")
    assert all(name in str(caught.value) for name in LANGUAGES)


def test_unknown_functions_are_not_checked() -> None:
    """They have no value to compare with; the formula alone is written."""
    formula = "g : scalar -> scalar; g(x'*x)"
    assert "g(x @ x)" in tc.to_code(formula, "numpy")
    with pytest.raises(tc.DomainError, match="g is unknown"):
        tc.to_code(formula, "numpy", "x")


HARD = ["value", "size", "zeros", "f", "lambda", "kind", "number", "t1", "permute", "arrays"]
SHADOWED = {  # what the function itself uses
    "numpy": {"value", "f", "lambda", "arrays"},
    "jax": {"value", "f", "lambda", "arrays"},
    "torch": {"value", "f", "lambda", "arrays", "kind"},
    "julia": {"value", "f", "size", "zeros", "number"},
    "matlab": {"value", "f", "size", "zeros", "permute"},
    "octave": {"value", "f", "size", "zeros", "permute"},
}


@pytest.mark.parametrize("language", SHADOWED)
def test_every_argument_has_a_name_of_its_own(language: str) -> None:
    """Names that a language has taken get an underscore."""
    declared = f"{', '.join(HARD)} : scalar; A : matrix(n, n); x : vector(n); "
    text = tc.to_code(f"{declared}sum(({' + '.join(HARD)})*exp(A*x)) + x'*exp(A*x)", language, "x")
    start = re.search(r"(?:def|function) [^\n]*?\bf\(([^()]*)\)", text)
    assert start
    names = [re.sub(r"::.*", "", name.strip()) for name in start[1].split(",")]
    assert len(set(names)) == len(names) == len(HARD) + 2
    assert not SHADOWED[language] & set(names)
    assert not set(names) & set(re.findall(r"^ +(t\d+) = ", text, re.M))
    if language == "numpy":
        assert check_python(text) < 1e-6


@pytest.mark.parametrize("name", ["1f", "a b", "", "np", "compared", "value", "def"])
def test_bad_names_of_functions(name: str) -> None:
    """A name that is none, or one that the language needs."""
    with pytest.raises(tc.DomainError, match="name"):
        tc.to_code("x'*x", "numpy", name=name)


TWICE = {"numpy": ".T.T", "torch": ".T.T", "julia": "''", "octave": ".'.'"}


@pytest.mark.parametrize("language", TWICE)
def test_nothing_is_transposed_twice(language: str) -> None:
    """A product that is a transpose, and the sums of columns, stand as rows again."""
    declared = "A : matrix(m, n); Q : matrix(n, n); x : vector(n); "
    for formula in ("norm2(A*x)^3", "sum(inv(Q)*x)", "x'*vec(A')[0]"):
        assert TWICE[language] not in tc.diff(declared + formula, "x").to_code(language)
        assert TWICE[language] not in tc.parse(declared + formula).to_code(language)


@pytest.mark.parametrize("name", ["pi", "exp"])
@pytest.mark.parametrize(
    "text", ["sum(x.*erf({0})) + tr({0}*x')", "T[i,j,k]*erf({0}[k]) -> [i,j,k]"]
)
def test_variables_called_as_constants_and_functions(name: str, text: str) -> None:
    """The constant and the variable are told apart."""
    declared = f"{name}, x : vector(n); T : tensor(m, p, n); "
    formula = declared + text.format(name)
    assert check_python(tc.to_code(formula, "numpy", name)) < 1e-6
    for language in LANGUAGES:
        tc.to_code(formula, language, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_text_every_time(language: str) -> None:
    """The formula and the shapes are said, and nothing else changes."""
    texts = [module(2, language) for _ in range(2)]
    assert texts[0] == texts[1]
    if language != "latex":
        assert "logdet(S) + x'*inv(S)*x" in texts[0]
        assert re.search(r"\bS:? \(n, n\)", texts[0])


# ── Julia and LaTeX, which are not run ───────────────────────────────────────────────────────

OPENERS = r"\b(module|function|for|if|while|begin|let|do|try|struct|quote)\b"
BASE = """abs abs2 all any asin acos atan axes CartesianIndices cbrt check_derivatives Dict collect complex
conj copy cos cosh cross det diag diagm div dropdims eachindex eltype enumerate eps error exp expm1
fill filter findfirst first float hcat hvcat ifelse in indexin intersect inv isempty isfinite kron
length log log1p logabsdet map max maximum min minimum norm oftype ones permutedims pinv prod
promote_type qr rand reduce reshape setdiff sign sin sinh size split sqrt sum svd tan tanh throw tr
tril triu Tuple unique vcat vec zero zeros zip DimensionMismatch MersenneTwister Matrix Int Any
Float64 erf logabsgamma digamma polygamma""".split()


def without_brackets(text: str) -> str:
    """Julia without comments, strings and all that stands in brackets."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', re.sub(r"#.*", "", text))
    before = ""
    while before != text:
        before, text = text, re.sub(r"\([^()\[\]]*\)|\[[^()\[\]]*\]", "", text)
    return text


def assert_julia(text: str) -> None:
    """Blocks and brackets are closed, and every function that is called is known."""
    plain = without_brackets(text)
    assert not set("()[]") & set(plain), plain
    assert len(re.findall(OPENERS, plain)) == len(re.findall(r"\bend\b", plain)), plain
    code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', re.sub(r"#.*", "", text))
    called = set(re.findall(r"(?<![\w.:])([A-Za-z_]\w*)\.?\(", code))
    head = r"^ *(?:function )?(\w+)\([^()]*(?:\([^()]*\))?[^()]*\)(?: =|$)"
    defined = set(re.findall(head, code, re.M))
    defined |= {"draw", "count", "of", "term", "run", "turned", "number", "Iterators"}
    assert called <= defined | set(BASE), called - defined - set(BASE)
    for sign in ("np.", "torch", "None", "**", "!= None", " @ ", "lambda ", "[0]", "axis="):
        assert sign not in code, sign


@pytest.mark.parametrize("number", NUMBERS)
def test_julia_is_well_formed(number: int) -> None:
    """Formula and check; `python tests/languages.py` writes what a Julia can run."""
    assert_julia(module(number, "julia"))
    assert_julia(tc.parse(DECLARED + FORMULAS[number][0]).to_code("julia"))


JULIA: list[tuple[str, str]] = [
    ("x'*A*y", "(A' * x)' * y"),
    ("x*y'", "x * y'"),
    ("B*inv(A)", "(A' \\ B')'"),
    ("x[0] + A[1,2]", "A[2, 3] + x[1]"),
    ("exp(x).*y + c", "y .* exp.(x) .+ c"),
    ("2/c + 1./x", "2 * (1 / c) .+ 1 ./ x"),
    ("x.^2 + c^2", "c ^ 2 .+ x .^ 2"),
    ("max(x, 1)", "max.(1, x)"),
    ("where(x > y, x, 0)", "ifelse.(x .> y, x, 0.0)"),
    ("diag(x)*A", "x .* A"),
    ("tr(A)*eye(3)", "tr(A) * Matrix{number}(I, 3, 3)"),
    ("z : vector(n) complex; z*(z'*x)", "transpose(x) * z * z"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "expected"), JULIA)
def test_julia_is_as_a_person_writes_it(formula: str, expected: str) -> None:
    """Dots where entries meet, subscripts from 1, solves."""
    result = tc.parse(formula).to_code("julia").rpartition("return ")[2].partition("\n")[0]
    assert result == expected


def test_the_cases_for_julia_are_written(tmp_path: Path) -> None:
    """A script that includes every case and its check."""
    write_julia(tmp_path)
    script = (tmp_path / "run.jl").read_text()
    files = {path.name for path in tmp_path.iterdir()} - {"run.jl"}
    assert len(files) == 3 * len(FORMULAS)
    assert set(re.findall(r'include\("([^"]*)"\)', script)) == files


@pytest.mark.parametrize("number", NUMBERS)
def test_latex_is_a_document(number: int) -> None:
    """Braces, environments and fences come in pairs; what is used is in the packages."""
    text = module(number, "latex")
    assert text.startswith("\\documentclass") and text.endswith("\\end{document}\n")
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"\\left\b", text)) == len(re.findall(r"\\right\b", text))
    assert text.count(r"\[") == text.count("\n\\]")
    open_environments: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            open_environments.append(name)
        else:
            assert open_environments.pop() == name
    assert not open_environments
    packages = r"\\(boldsymbol|operatorname|mathbb|text|frac|tfrac|dfrac|begin|end|left|right)"
    assert re.search(packages, text) and "\n\n" not in text.partition(r"\[")[2].rpartition(r"\]")[0]


# ── the command ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
def test_compile_to_a_language(language: str, tmp_path: Path) -> None:
    """To standard output, or to a file; a function of MATLAB is called as its file is."""
    command = ["compile", "x'*A*x", "--wrt", "x", "--to", language]
    printed = CliRunner().invoke(cli, command)
    assert printed.exit_code == 0
    assert printed.stdout == tc.to_code("x'*A*x", language, "x")
    path = tmp_path / "model.txt"
    written = CliRunner().invoke(cli, [*command, "-o", str(path)])
    assert written.exit_code == 0
    name = "model" if language in NAMED_AS_FILES else "f"
    assert path.read_text() == tc.to_code("x'*A*x", language, "x", name=name)


def test_several_derivatives() -> None:
    """One function with the value and all of them."""
    values = {"A": np.array([[1.0, 2.0], [3.0, 4.0]]), "x": np.array([1.0, -1.0])}
    scope: dict[str, Any] = {}
    exec(tc.to_code("A*x", wrt=["x", "A"]), scope)  # noqa: S102
    found: tuple[Array, ...] = scope["f"](**values)
    np.testing.assert_allclose(found[0], values["A"] @ values["x"])
    np.testing.assert_allclose(found[1], values["A"])
    assert found[2].shape == (2, 2, 2)
