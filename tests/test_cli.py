"""The command line: what it prints where, exit codes, data in, and what it does not import."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import tensorcalc
from tensorcalc.cli.main import COMMANDS, cli

LOGISTIC = "sum(log(1 + exp(-y.*(X*w))))"


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    """The result of a command line."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)


def output(*arguments: str | Path, stdin: str | None = None) -> str:
    """What a command that must succeed prints, without the last newline."""
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout.rstrip("\n")


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "tensorcalc.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


# ── the group ────────────────────────────────────────────────────────────────────────────────


EXAMPLES = ["diff", "eval", "check", "compile", "plan", "fit"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_help(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What --help shows can be done, with data of the shapes that it speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("model.tc").write_text("c : scalar; sum(log(1 + exp(-y.*(X*w)))) + c*w'*w")
    rng = np.random.default_rng(0)
    header = ",".join([*[f"x{k}" for k in range(30)], "label"])
    np.savetxt("data.csv", rng.random((9, 31)), delimiter=",", header=header, comments="")
    np.save("T.npy", rng.random((4, 6)))
    lines = [line.strip() for line in output(name, "--help").splitlines()]
    commands = [line for line in lines if line.startswith(f"tensorcalc {name}")]
    assert commands
    for command in commands:
        result = run(*shlex.split(command)[1:], *(["c=1"] if "w=0" in command else []))
        assert result.exit_code == 0, (command, result.output)


def test_help_names_every_command() -> None:
    """The list of commands, and a help text with an example for each."""
    text = output("--help")
    for name, (_, line) in COMMANDS.items():
        assert line in text
        assert f"tensorcalc {name} " in output(name, "--help")


def test_version() -> None:
    """The version is that of the package."""
    assert output("--version").split()[-1] == tensorcalc.__version__


# ── diff ─────────────────────────────────────────────────────────────────────────────────────

DIFF = [
    (["x'*A*x", "--wrt", "x"], "(A + A')*x"),
    (["x'*A*x", "--wrt", "x", "--wrt", "x"], "A + A'"),
    (["x'*A*x", "--wrt", "x", "--order", "2"], "A + A'"),
    (["x'*A*x", "--wrt", "A"], "x*x'"),
    (["x'*A*x", "--wrt", "x", "--wrt", "A", "--order", "2", "--to", "einsum"], None),
    (["c'*x", "--wrt", "x", "--layout", "numerator"], None),
    (["sum(x.*y)", "--wrt", "x", "--to", "latex"], r"\mathbf{y}"),
    (["sum(x.*y)", "--wrt", "x", "--to", "index"], "y[i] -> [i]"),
    (["x[i]*A[i,j]*x[j]", "--wrt", "x"], "(A + A')*x"),
    (["--wrt", "x", "--", "-x'*x"], "-2*x"),
]


@pytest.mark.parametrize(("arguments", "expected"), DIFF, ids=lambda v: " ".join(v or ""))
def test_diff(arguments: list[str], expected: str | None) -> None:
    """The derivative is printed, and nothing else is on stdout."""
    found = output("diff", *arguments)
    if expected is None:
        assert found
    else:
        assert found == expected


def test_diff_layouts() -> None:
    """A layout transposes the text and the LaTeX."""
    base = ["diff", "A*x", "--wrt", "x", "--layout"]
    assert output(*base, "mixed") == output(*base, "numerator") == "A"
    assert output(*base, "denominator") == "A'"
    assert output(*base, "denominator", "--to", "latex") == r"A^{\top}"


def test_diff_json() -> None:
    """One object with every notation; the schema has a version."""
    facts = json.loads(output("diff", "x'*A*x", "--wrt", "x", "--json"))
    assert facts["schema"] == 1
    assert facts["text"] == "(A + A')*x"
    assert facts["shape"] == ["n"]
    assert {"latex", "index", "einsum", "numpy"} <= facts.keys()
    assert facts["assumptions"] == ["x : vector(n)", "A : matrix(n, n)"]
    assert json.loads(output("diff", "x'*A*x", "--wrt", "x", "--to", "json")) == facts


@pytest.mark.parametrize("language", ["jax", "torch", "julia", "matlab", "octave"])
def test_diff_to_code(language: str) -> None:
    """The code of a language; what it lacks is one error."""
    text = output("diff", "x'*A*x", "--wrt", "x", "--to", language)
    assert text.rstrip("\n") == tensorcalc.diff("x'*A*x", "x").to_code(language).rstrip("\n")
    formula = "A : matrix(n, n); expm(A)"
    refused = run("diff", formula, "--wrt", "A", "--to", language)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "a derivative of expm cannot be written in" in refused.stderr


def test_numpy_code_runs() -> None:
    """The NumPy code is a function of the variables."""
    scope: dict[str, Any] = {}
    exec(output("diff", "x'*A*x", "--wrt", "x", "--to", "numpy"), scope)  # noqa: S102
    A, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0])
    np.testing.assert_allclose(scope["f"](A=A, x=x), (A + A.T) @ x)


def test_greek_names() -> None:
    """A Greek letter and its name are one wherever a name is given."""
    assert output("diff", "λ*x'*x", "--wrt", "λ") == "x'*x"
    for name, wrt in (("λ", "lambda"), ("lambda", "λ")):
        data = [f"{name}=2", "x=[1,2]", "--wrt", wrt]
        assert output("eval", "λ*x'*x", *data) == "value:\n10\ngradient lambda:\n5"
    assert output("check", "λ*x'*x", "λ=2", "--wrt", "λ").startswith("agrees")
    assert output("eval", "x : vector(ν); sum(x)", "x=1", "--dim", "ν=3") == "3"
    assert run("diff", "x'*x", "--wrt", "€").exit_code == 1


def test_assumptions_are_on_stderr() -> None:
    """What was assumed, and the layout, are messages, not results."""
    result = run("diff", "x'*A*x", "--wrt", "x", "--layout", "numerator")
    assert result.stderr.splitlines() == [
        "assumed: x : vector(n)", "assumed: A : matrix(n, n)", "layout: numerator",
    ]  # fmt: skip


def test_formula_from_file_and_stdin(tmp_path: Path) -> None:
    """A file, a file called -, and - in place of the formula."""
    path = tmp_path / "model.tc"
    path.write_text("A : symmetric(n)\nx'*A*x\n")
    assert output("diff", "-f", path, "--wrt", "x") == "2*A*x"
    assert output("diff", "-f", "-", "--wrt", "x", stdin=path.read_text()) == "2*A*x"
    assert output("diff", "-", "--wrt", "x", stdin=path.read_text()) == "2*A*x"


# ── errors and exit codes ────────────────────────────────────────────────────────────────────

WRONG = [
    # the input is wrong: 1
    (["diff", "x'*A*", "--wrt", "x"], 1, "line 1, column 6"),
    (["diff", "A*x + y'", "--wrt", "x"], 1, "^"),
    (["diff", "x'*x", "--wrt", "z"], 1, "the variables are x"),
    (["eval", "x'*x", "x=[1,2", "--wrt", "x"], 1, "write rows as [1,2;3,4]"),
    (["eval", "sum(X)", "X=[1,2;3]"], 1, "different lengths"),
    (["eval", "x'*x", "q=1"], 1, "the variables are x"),
    (["eval", "x'*x"], 1, "x"),
    (["eval", "x'*x", "x=1"], 1, "--dim"),
    (["eval", "sum(X)", "X=1", *("--dim", f"n={10**14}", "--dim", f"m={10**14}")], 1, "shape"),
    (["eval", "x'*y", "x=[1,2]", "y=[1,2,3]"], 1, "size 3"),
    (["eval", "x'*y", "x=[1,2]", "y=0", "--dim", "n=3"], 1, "n is 2 in the values"),
    (["plan", "x'*x", "--dim", "q=3"], 1, "the sizes are: n"),
    (["check", "sum(log(x))", "--wrt", "x", "x=[-1,2]"], 1, "finite"),
    # the command line is wrong: 2
    ([], 2, "Usage"),
    (["nonsense"], 2, "No such command"),
    (["diff", "x'*x"], 2, "--wrt NAME"),
    (["diff", "--wrt", "x"], 2, "a formula is missing"),
    (["diff", "x'*x", "y", "--wrt", "x"], 2, "one formula is enough"),
    (["diff", "-x'*x", "--wrt", "x"], 2, "Write -- before"),
    (["diff", "x'*x", "--wrt", "x", "--to", "html"], 2, "html"),
    (["diff", "x'*x", "--wrt", "x", "--to", "index", "--layout", "numerator"], 2, "layout"),
    (["diff", "x'*x", "--wrt", "x", "--wrt", "x", "--order", "3"], 2, "--order 3"),
    (["diff", "-f", "missing.tc", "--wrt", "x"], 2, "missing.tc"),
    (["eval", "x'*x", "x"], 2, "NAME=VALUE"),
    (["eval", "x'*x", "x=missing.csv"], 2, "missing.csv"),
    (["eval", "x'*x", "--data", "missing.npz"], 2, "missing.npz"),
    (["plan", "x'*x", "--dim", "n"], 2, "n=100"),
    (["plan", "x'*x", "--dim", f"n={10**20}"], 2, "n=100"),
    (["compile", "x'*x", "-o", "missing/folder/out.py"], 2, "missing/folder"),
    (["compile", "x'*x", "-o", os.devnull], 2, "not a regular file"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), WRONG, ids=lambda v: str(v)[:60])
def test_wrong_input(arguments: list[str], code: int, message: str) -> None:
    """The exit code, the message on stderr, no result, no traceback."""
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_error_as_json() -> None:
    """With --json an error is an object, with its place."""
    result = run("diff", "x'*A*", "--wrt", "x", "--json")
    facts = json.loads(result.stderr)["error"]
    assert (facts["kind"], facts["line"], facts["column"]) == ("ParseError", 1, 6)
    assert result.exit_code == 1


def test_differential_steps_and_structure() -> None:
    """`--differential` is in terms of dX, `--steps` a derivation, `--structured` by parameters."""
    shown = run("diff", "inv(X)", "--wrt", "X", "--differential").stdout
    assert shown.splitlines()[0] == "-inv(X)*dX*inv(X)"
    shown = run("diff", "x'*A*y", "--wrt", "x", "--wrt", "y", "--differential").stdout
    assert shown.splitlines()[0] == "dx'*A*y + x'*A*dy"
    lines = run("diff", "logdet(X)", "--wrt", "X", "--steps").stdout.splitlines()
    assert lines[0] == "f = logdet(X)" and lines[-1] == "df/dX = inv(X)'"
    program = "A : symmetric(n); x'*A*y"
    shown = run("diff", program, "--wrt", "A", "--structured").stdout
    assert shown == "x*y' + y*x' - diag(x.*y)\n"


def test_our_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is not the user's is 70 and says so; --debug shows where."""

    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("tensorcalc.api.diff", broken)
    result = run("diff", "x'*x", "--wrt", "x")
    assert result.exit_code == 70
    assert "ZeroDivisionError: oops" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in run("diff", "x'*x", "--wrt", "x", "--debug").stderr
    assert "Traceback" in run("--debug", "diff", "x'*x", "--wrt", "x").stderr


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is 130."""

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tensorcalc.api.diff", interrupted)
    assert run("diff", "x'*x", "--wrt", "x").exit_code == 130


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_reader_gone() -> None:
    """A closed pipe is 141, without a message."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "tensorcalc.cli", "diff", "x : vector(n); x'*x", "--wrt", "x"]
    found = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (found.returncode, found.stderr) == (141, b"layout: mixed\n")


def test_color() -> None:
    """Colour only on a terminal, and never with NO_COLOR."""
    runner = CliRunner()
    arguments = ["diff", "x'*", "--wrt", "x"]
    assert "\x1b[" in runner.invoke(cli, arguments, color=True).stderr
    assert "\x1b[" not in runner.invoke(cli, arguments, color=True, env={"NO_COLOR": "1"}).stderr
    assert "\x1b[" not in process(*arguments).stderr


# ── eval ─────────────────────────────────────────────────────────────────────────────────────

EVAL = [
    (["x'*A*x", "x=[1,2]", "A=[1,2;3,4]"], "27"),
    (["x'*A*x", "x=[1;2]", "A=[[1,2],[3,4]]"], "27"),
    (["x'*A*x", "x=[1 2]", "A=[1 2; 3 4]", "--wrt", "x"], "value:\n27\ngradient x:\n12\n21"),
    (["x'*A*x", "x=[1,2]", "A=1"], "9"),
    (["A*x", "x=1", "A=[1,2;3,4]"], "3\n7"),
    (["x*y'", "x=[1,2]", "y=[3,4,5]"], "3 4 5\n6 8 10"),
    (["X+X", "X=1", "--dim", "n=1", "--dim", "m=2"], "2 2"),
    (["x[i]*y[j]*z[k]", "x=[1,2]", "y=[1]", "z=[1,1]"], "1 1\n\n2 2"),
    (["A*x", "x=[1,2]", "A=[1,2]", "--wrt", "x"], "value:\n5\nderivative x:\n1 2"),
    (["c/3", "c=1", "--digits", "17"], f"{1 / 3:.17g}"),
    (["c/3", "c=1", "--digits", "3"], "0.333"),
]


@pytest.mark.parametrize("mode", ["--compiled", "--interpreted"])
@pytest.mark.parametrize(("arguments", "expected"), EVAL, ids=lambda v: str(v)[:60])
def test_eval(arguments: list[str], expected: str, mode: str) -> None:
    """Values from literals, printed a row per line; both ways of computing agree."""
    assert output("eval", *arguments, mode) == expected


def test_eval_json() -> None:
    """Full precision; what JSON has no number for is a string."""
    facts = json.loads(output("eval", "exp(x)", "x=[1,1000]", "--wrt", "x", "--json"))
    assert facts["value"] == [float(np.exp(1.0)), "inf"]
    assert facts["compiled"] is False
    assert np.shape(facts["derivatives"]["x"]) == (2, 2)


def test_large_data_is_compiled(tmp_path: Path) -> None:
    """From a thousand entries on the kernel is compiled."""
    np.save(tmp_path / "x.npy", np.ones(2000))
    facts = json.loads(output("eval", "x'*x", f"x={tmp_path / 'x.npy'}", "--json"))
    assert (facts["value"], facts["compiled"]) == (2000.0, True)


TABLES = {
    "plain.csv": "1,2,3\n4,5,6\n",
    "header.csv": "a,b,label\n1,2,3\n4,5,6\n",
    "quoted.csv": '"a","b b","label"\n"1","2","3"\n"4","5","6"\n',
    "semicolon.csv": "a;b;label\r\n1;2;3\r\n4;5;6\r\n",
    "tab.tsv": "1\t2\t3\n4\t5\t6\n",
    "space.txt": "# a b label\n1 2  3\n4 5  6\n",
    "mark.csv": "\ufeff1,2,3\n4,5,6\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name: str, tmp_path: Path) -> None:
    """Tables with and without a header, with the usual delimiters."""
    path = tmp_path / name
    path.write_text(TABLES[name], encoding="utf-8")
    assert output("eval", "2*X", f"X={path}") == "2 4 6\n8 10 12"


COLUMNS = [
    ("X", "1-2", "1 2\n4 5"),
    ("X", "a,label", "1 3\n4 6"),
    ("X", "3,1", "3 1\n6 4"),
    ("x", "label", "3\n6"),
    ("x", "2", "2\n5"),
]


@pytest.mark.parametrize(("name", "columns", "expected"), COLUMNS)
def test_columns(name: str, columns: str, expected: str, tmp_path: Path) -> None:
    """Columns by number, range and name; one column is a vector."""
    path = tmp_path / "data.csv"
    path.write_text(TABLES["header.csv"])
    assert output("eval", f"1*{name}", f"{name}={path}:{columns}") == expected


BAD_TABLES = [
    ("empty", b"", "", ""),
    ("header only", b"a,b\n", "", ""),
    ("ragged", b"1,2\n3\n", "", "not a table"),
    ("text inside", b"1,2\n3,x\n", "", "not a table"),
    ("binary", bytes(range(256)), "", "not a table"),
    ("not UTF-8", "grün,b\n1,2\n".encode("latin-1"), "", "not text in UTF-8"),
    ("an empty cell", b"a,b\n1,2\n\n3,\n", "", "line 4, column 2 is empty"),
    ("a word", b"1,2\n3,NA\n", ":2", "line 2, column 2 is 'NA'"),
    ("a short line", b"a;b\n1;2\n3\n", "", "line 3 has 1 columns, the first line 2"),
    ("no header, but a number is missing", b"1,,3\n4,5,6\n", "", "line 1, column 2 is empty"),
    ("two columns of one name", b"a,a\n1,2\n", ":a", "several columns a"),
    ("column", b"a,b\n1,2\n", ":c", "no column c"),
    ("column 0", b"a,b\n1,2\n", ":0", "1 to 2"),
    ("column 3", b"a,b\n1,2\n", ":2-3", "1 to 2"),
]


@pytest.mark.parametrize(("name", "content", "columns", "message"), BAD_TABLES)
def test_bad_tables(
    name: str,
    content: bytes,
    columns: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not a table of numbers is an error that names the file."""
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_bytes(content)
    result = run("eval", "sum(X)", f"X=data.csv{columns}")
    assert result.exit_code == 1, name
    assert message in result.stderr
    assert "data.csv" in result.stderr


def test_npz(tmp_path: Path) -> None:
    """Arrays by name from --data, or one of them by NAME=file:array; others are left."""
    path = tmp_path / "data.npz"
    np.savez(path, A=np.eye(2), x=np.array([3.0, 4.0]), other=np.ones(5))
    assert output("eval", "x'*A*x", "--data", path) == "25"
    assert output("eval", "x'*A*x", "--data", path, "x=[1,1]") == "2"
    assert output("eval", "x'*A*x", f"A={path}:A", "x=[1,1]") == "2"
    result = run("eval", "x'*A*x", f"A={path}", "x=[1,1]")
    assert result.exit_code == 1
    assert "A, x, other" in result.stderr


class Trap:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_nothing_in_a_file_is_executed(suffix: str, tmp_path: Path) -> None:
    """A pickled object in a data file is refused, not loaded."""
    marker, path = tmp_path / "marker", tmp_path / f"data.{suffix}"
    trap = np.array([Trap(marker)], dtype=object)
    if suffix == "npy":
        np.save(path, trap, allow_pickle=True)
        result = run("eval", "x'*x", f"x={path}")
    else:
        np.savez(path, x=trap)
        result = run("eval", "x'*x", "--data", path)
    assert result.exit_code == 1
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_broken_array_files(content: bytes, suffix: str, tmp_path: Path) -> None:
    """Files that are no arrays are errors of the input."""
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(content)
    result = run("eval", "x'*x", f"x={path}")
    assert result.exit_code == 1, result.output
    assert "cannot be read" in result.stderr


# ── check, compile, plan ─────────────────────────────────────────────────────────────────────

CHECKED = [
    [LOGISTIC, "--wrt", "w"],
    [LOGISTIC, "--wrt", "w", "--order", "2"],
    ["A*x", "--wrt", "x", "--dim", "n=5"],
    ["sum(log(x)) + norm2(A*x)", "--wrt", "x"],
    ["c/d", "--wrt", "d", "d=2"],
]


@pytest.mark.parametrize("arguments", CHECKED, ids=" ".join)
def test_check(arguments: list[str]) -> None:
    """Right derivatives agree with finite differences, by a stated amount."""
    assert output("check", *arguments).startswith("agrees: the largest difference is ")
    facts = json.loads(output("check", *arguments, "--json"))
    assert facts["agrees"] is True
    assert facts["relative"] < 1e-8


def test_check_finds_a_wrong_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong derivative is told by how much, with exit code 1."""
    right = tensorcalc.diff

    def wrong(formula: tensorcalc.Expr, *names: str) -> tensorcalc.Expr:
        return right(formula, *names) * 1.001 if names else right(formula)

    monkeypatch.setattr("tensorcalc.api.diff", wrong)
    result = run("check", LOGISTIC, "--wrt", "w")
    assert result.exit_code == 1
    assert result.stdout.startswith("DISAGREES: the largest difference is ")
    facts = json.loads(run("check", LOGISTIC, "--wrt", "w", "--json").stdout)
    assert facts["agrees"] is False
    assert facts["relative"] == pytest.approx(0.001, rel=1e-2)


def test_compile_prints_the_module() -> None:
    """Without a file the text is the result: of Numba, or of what --to says."""
    assert "\ndef run(" in output("compile", LOGISTIC, "--wrt", "w")
    assert "\nint f(" in output("compile", LOGISTIC, "--wrt", "w", "--to", "c")


def test_compiled_module_stands_alone(tmp_path: Path) -> None:
    """The module gives value and gradient in an interpreter that cannot import tensorcalc."""
    run("compile", "x'*A*x", "--wrt", "x", "-o", tmp_path / "quadratic.py")
    script = (
        "import sys; sys.modules['tensorcalc'] = None\n"
        "import numpy as np, quadratic\n"
        "found = quadratic.run(A=np.array([[1.0, 2.0], [3.0, 4.0]]), x=np.array([1.0, 2.0]))\n"
        "print({name: np.asarray(a).tolist() for name, a in found.items()})\n"
    )
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "{'value': 27.0, 'gradient x': [12.0, 21.0]}"


def test_plan() -> None:
    """The steps as a table; sizes by the names that are shown as assumed."""
    table = output("plan", LOGISTIC, "--wrt", "w", "--dim", "n=1000", "--dim", "m=50")
    assert "GEMV" in table
    assert table.splitlines()[0].split()[:2] == ["step", "class"]
    facts = json.loads(output("plan", LOGISTIC, "--wrt", "w", "--json"))
    assert "GEMV" in facts["plan"]


# ── what is imported ─────────────────────────────────────────────────────────────────────────

HEAVY = ["numpy", "numba", "scipy", "opt_einsum", "llvmlite"]
IMPORTED = [
    (["--help"], [*HEAVY, "lark", "tensorcalc.api", "tensorcalc.cli.symbolic"]),
    (["--version"], [*HEAVY, "lark", "tensorcalc.api", "tensorcalc.cli.symbolic"]),
    (["diff", "x'*A*x", "--wrt", "x"], HEAVY),
    (["diff", "x'*A*x", "--wrt", "x", "--json"], HEAVY),
    (["eval", "x'*A*x", "x=[1,2]", "A=1"], ["numba", "llvmlite"]),
]


@pytest.mark.parametrize(("arguments", "absent"), IMPORTED, ids=lambda v: " ".join(v)[:40])
def test_imports(arguments: list[str], absent: list[str]) -> None:
    """A command loads only what it needs."""
    script = (
        "import sys\n"
        "from tensorcalc.cli import main\n"
        f"sys.argv = ['tensorcalc', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print([name for name in {absent!r} if name in sys.modules], file=sys.stderr)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stderr.splitlines()[-1] == "[]"
