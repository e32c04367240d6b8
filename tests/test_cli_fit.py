"""`tensorcalc fit`: optima against closed forms, files, starts, progress, Ctrl-C; `fit` in Python."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import tensorcalc as tc
from tensorcalc.binding import Array
from tensorcalc.cli import fit as command
from tensorcalc.cli.main import cli
from tensorcalc.interop.fit import METHODS, Fit, Progress, fit
from tensorcalc.interop.scipy import objective

ROOT = Path(__file__).parent.parent
RIDGE = "(X*w - y)'*(X*w - y) + c*w'*w"
FACTORS = "U : matrix(m, k); V : matrix(n, k); T : matrix(m, n); normF(T - U*V')^2"
LOGISTIC = [
    "examples/logistic_matrix.tc", "--wrt", "w", "--data", "c=1", "--start", "w=0",
    "--data", "X=examples/breast_cancer.csv:1-5", "--data", "y=examples/breast_cancer.csv:label",
]  # fmt: skip


def run(*arguments: str | Path) -> Result:
    """The result of ``tensorcalc fit``."""
    return CliRunner().invoke(cli, ["fit", *[str(argument) for argument in arguments]])


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Array]:
    """A file with data of the ridge regression, and its optimum in closed form."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    np.savez(tmp_path / "data.npz", X=X, y=y, c=0.5, other=1)
    return tmp_path / "data.npz", np.linalg.solve(X.T @ X + 0.5 * np.eye(3), X.T @ y)


@pytest.mark.parametrize("method", METHODS)
def test_every_method(data: tuple[Path, Array], method: str) -> None:
    """The optimum of a quadratic, and a report of numbers."""
    path, expected = data
    result = run(RIDGE, "--data", path, "--wrt", "w", "--method", method, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    np.testing.assert_allclose(facts["variables"]["w"], expected, rtol=1e-5)
    assert facts["converged"] and facts["message"] == "the gradient is small"
    assert facts["iterations"] >= 1 and facts["evaluations"] >= 2 and facts["seconds"] > 0
    assert facts["gradient_norm"] <= 1e-6 * max(1, facts["value"])
    assert (facts["command"], facts["method"]) == ("fit", method)


def test_the_methods_are_those_of_the_table() -> None:
    """The command lists what the function takes, without importing it."""
    assert list(METHODS) == command.METHODS


def test_report(data: tuple[Path, Array]) -> None:
    """Iterations, value, gradient and time, then the variables; nothing on stderr."""
    path, expected = data
    result = run(RIDGE, "--data", path, "--wrt", "w", "--start", "w=0")
    lines = result.stdout.splitlines()
    words = ["converged", "iterations", "value", "gradient", "time", "w:"]
    assert [line.split()[0] for line in lines[:6]] == words
    assert lines[0].split() == ["converged", "yes"]
    np.testing.assert_allclose([float(line) for line in lines[6:]], expected, rtol=1e-5)
    assert [line for line in result.stderr.splitlines() if "assumed" not in line] == []


def test_maximize(data: tuple[Path, Array]) -> None:
    """The largest value is that of the other sign."""
    path, expected = data
    found = [
        json.loads(run(formula, "--data", path, "--wrt", "w", "--json", *more).stdout)
        for formula, more in ((RIDGE, ()), (f"(-1)*({RIDGE})", ("--maximize",)))
    ]
    assert found[1]["value"] == pytest.approx(-found[0]["value"])
    np.testing.assert_allclose(found[1]["variables"]["w"], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [".npz", ".npy", ".csv"])
def test_output_and_start(data: tuple[Path, Array], tmp_path: Path, kind: str) -> None:
    """What is written is read as a start, from which there is little left to do."""
    path, expected = data
    target = tmp_path / f"found{kind}"
    common = (RIDGE, "--data", path, "--wrt", "w")
    result = run(*common, "-o", target)
    assert result.exit_code == 0, result.output
    assert f"wrote {target}" in result.stderr and "w:" not in result.stdout
    start = target if kind == ".npz" else f"w={target}"
    again = json.loads(run(*common, "--start", start, "--json").stdout)
    assert again["converged"] and again["iterations"] <= 3
    np.testing.assert_allclose(again["variables"]["w"], expected, rtol=1e-5)


def test_several_variables(tmp_path: Path) -> None:
    """Two factors of a matrix of rank 2, of a size that is given; the start is reproducible."""
    rng = np.random.default_rng(0)
    T = rng.standard_normal((5, 2)) @ rng.standard_normal((2, 4))
    np.save(tmp_path / "T.npy", T)
    arguments = [FACTORS, f"T={tmp_path / 'T.npy'}", "--wrt", "U,V", "--dim", "k=2"]
    target = tmp_path / "factors.npz"
    assert run(*arguments, "-o", target).exit_code == 0
    with np.load(target) as found:
        np.testing.assert_allclose(found["U"] @ found["V"].T, T, atol=1e-3)
    first, second = [json.loads(run(*arguments, "--json").stdout)["variables"] for _ in range(2)]
    assert first == second
    other = json.loads(run(*arguments, "--seed", "1", "--json").stdout)["variables"]
    assert first != other
    assert "start: U, V at random, seed 0" in run(*arguments).stderr


def test_a_number_fills_the_free_entries() -> None:
    """A start that is a number, of a structured matrix."""
    text = "L : lower(n); A : matrix(n, n); normF(L - A)^2"
    result = run(text, "A=[1,2;3,4]", "--start", "L=1", "--wrt", "L", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["variables"]["L"]
    np.testing.assert_allclose(found, [[1, 0], [3, 4]], atol=1e-5)


def test_a_variable_called_file(tmp_path: Path) -> None:
    """Any name can be written to a .npz file."""
    target = tmp_path / "found.npz"
    result = run(
        "file : vector(n); (file - x)'*(file - x)", "x=[1,2]", "--wrt", "file", "-o", target
    )
    assert result.exit_code == 0, result.output
    with np.load(target) as found:
        np.testing.assert_allclose(found["file"], [1, 2], atol=1e-6)


def test_not_converged(data: tuple[Path, Array], tmp_path: Path) -> None:
    """Too few iterations: exit code 1, a message, and the best point all the same."""
    target = tmp_path / "w.csv"
    path, _ = data
    result = run(RIDGE, "--data", path, "--wrt", "w", "--max-iterations", "1", "-o", target)
    assert result.exit_code == 1
    assert "not converged: after 1 iterations the gradient is not small" in result.stderr
    assert np.loadtxt(target).shape == (3,)


def test_declared_bounds() -> None:
    """What is declared nonnegative stays so; at the bound the gradient points outward."""
    text = "x : vector(n) nonnegative; (x - p)'*(x - p)"
    for start in ((), ("--start", "x=[2,1]")):
        result = run(text, "p=[1,-1]", "--wrt", "x", "--json", *start)
        assert result.exit_code == 0, result.output
        np.testing.assert_allclose(json.loads(result.stdout)["variables"]["x"], [1, 0], atol=1e-6)


# arguments, exit code, a part of the message
ERRORS: list[tuple[list[str], int, str]] = [
    (["x'*x"], 2, "say by which variable: --wrt NAME"),
    (["x'*x", "--wrt", "x"], 1, "--dim NAME=SIZE"),
    (["x'*x", "--wrt", "x", "--dim", "k=2"], 1, "no size is called k"),
    (["x'*A*x", "--wrt", "x", "--dim", "n=2"], 1, "no value for A"),
    (["2*x", "x=[1,2]", "--wrt", "x"], 1, "is a scalar"),
    (["x'*x", "x=[1,2]", "--wrt", "z"], 1, "z is not a variable"),
    (["x'*p", "x=[1,2]", "--wrt", "x", "--start", "p=[1,2]"], 1, "p has a start, but is not in"),
    (["log(a)", "a=0", "--wrt", "a"], 1, "the value at the start is not finite"),
    (["log(a)", "a=1", "--wrt", "a"], 1, "there is no optimum"),
    (["y'*x", "y=[1,2]", "--wrt", "x"], 1, "is not small"),
    (["a : scalar positive; a - log(a)", "a=-1", "--wrt", "a"], 1, "the start is not positive"),
    (["a : scalar positive; a^2", "a=1", "--wrt", "a", "--method", "BFGS"], 1, "keeps no bounds"),
    (["x'*x", "x=[1,2]", "--wrt", "x", "-o", "found.txt"], 2, "does not end in"),
    (["x'*x", "x=[1,2]", "--wrt", "x", "-o", "nowhere/found.npz"], 2, "there is no folder"),
    (["x'*x + y'*y", "x=[1]", "y=[1]", "--wrt", "x,y", "-o", "found.npy"], 2, "one variable"),
    (["x'*x", "--wrt", "x", "--data", "nothing.npz"], 2, "there is no such file"),
    (["nothing.tc", "--wrt", "x"], 2, "nothing.tc: No such file"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "message"), ERRORS)
def test_errors(arguments: list[str], code: int, message: str) -> None:
    """Every mistake is one message and the right exit code."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())


def test_a_model_in_a_file() -> None:
    """The first argument may be the name of a file; the other commands take it, too."""
    result = CliRunner().invoke(
        cli, ["diff", str(ROOT / "examples/logistic_matrix.tc"), "--wrt", "w"]
    )
    assert result.stdout == "c*w - X'*(y.*sigmoid(-y.*(X*w)))\n"


# ── on a terminal ────────────────────────────────────────────────────────────────────────────


def on_terminal(*arguments: str | Path, interrupt: bool) -> tuple[int, str, str]:
    """Exit code, output, and what the terminal that is stderr was sent."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorcalc.cli", "fit", *[str(a) for a in arguments]],
        stdout=subprocess.PIPE,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        text=True,
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
            if interrupt and re.search(rb"([5-9]|\d\d) iterations", seen):  # well under way
                process.send_signal(signal.SIGINT)
                interrupt = False
    except OSError:  # so Linux says that the other side has closed
        pass
    finally:
        os.close(ours)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output, seen.decode()


def test_progress_line() -> None:
    """A terminal sees one line that is written again and again and wiped at the end."""
    code, output, seen = on_terminal(*LOGISTIC, interrupt=False)
    assert code == 0
    assert output.startswith("converged   yes")
    states = seen.split("\r")
    assert states[1].strip() == "compiling"
    assert "0 iterations" in seen and "value" in seen and "gradient" in seen
    assert "\n" not in seen.strip()
    assert {len(state) for state in states[1:-1] if state} == {99}
    assert states[-2].strip() == states[-1].strip() == ""


def test_interrupt_keeps_the_best_point(tmp_path: Path) -> None:
    """Ctrl-C: exit code 130, a report, and the best point in the file."""
    target = tmp_path / "best.npz"
    p = np.geomspace(1, 1e6, 100_000)
    np.save(tmp_path / "p.npy", p)
    valleys = "x : vector(n); y : vector(n); p : vector(n); sum((1 - x).^2 + p.*(y - x.^2).^2)"
    endless = ("--method", "CG", "--tol", "1e-300", "--max-iterations", "1000000000")
    code, output, seen = on_terminal(
        valleys, f"p={tmp_path / 'p.npy'}", "--wrt", "x,y", *endless, "-o", target, interrupt=True
    )
    assert code == 130
    assert output.startswith("converged   no\n")
    assert "not converged: interrupted" in seen
    value = float(output.split("value")[1].split()[0])
    with np.load(target) as found:
        x, y = found["x"], found["y"]
    assert value == pytest.approx(np.sum((1 - x) ** 2 + p * (y - x**2) ** 2), rel=1e-8)


# ── in Python ────────────────────────────────────────────────────────────────────────────────


def test_callback() -> None:
    """The callback sees the start and every iteration, values that fall, and may end the fit."""
    seen: list[Progress] = []
    rosen = "sum((1 - x)^2 + 100*(y - x^2)^2)"
    obj = objective("x : scalar; y : scalar; " + rosen, ["x", "y"], x=-1.2, y=1.0)
    found = fit(obj, method="BFGS", callback=seen.append)
    assert isinstance(found, Fit) and found.converged
    assert [progress.iterations for progress in seen] == list(range(found.progress.iterations + 1))
    values = [progress.value for progress in seen]
    assert values == sorted(values, reverse=True)
    np.testing.assert_allclose([found.variables["x"], found.variables["y"]], [1, 1], rtol=1e-5)

    def stop(progress: Progress) -> None:
        if progress.iterations == 3:
            raise StopIteration

    for method in METHODS:
        early = fit(obj, method=method, callback=stop)
        assert (early.converged, early.progress.iterations) == (False, 3)
        assert early.message == "the callback ended it"


@pytest.mark.parametrize("method", METHODS)
def test_fit_stays_in_the_domain(method: str) -> None:
    """Steps out of the positive definite matrices, or to logarithms of negatives, are taken back."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3)) @ (np.eye(3) + 0.5)
    normal = "S : spd(p); X : matrix(n, p); n*logdet(S) + tr(X*inv(S)*X')"
    found = fit(objective(normal, "S", X=X, S=np.diag(X.var(0) / 10)), method=method)
    assert found.converged, found.message
    np.testing.assert_allclose(found.variables["S"], X.T @ X / 50, rtol=1e-4, atol=1e-4)
    entropy = objective("x : vector(n); sum(x.*log(x))", "x", x=np.array([3.0, 0.01]))
    np.testing.assert_allclose(fit(entropy, method=method).variables["x"], np.exp(-1), rtol=1e-4)


def test_fit_errors() -> None:
    """An unknown method; no start."""
    obj: Any = objective("x'*x", "x", sizes={"n": 2})
    with pytest.raises(tc.DomainError, match="unknown method magic"):
        fit(obj, np.ones(2), method="magic")
    with pytest.raises(tc.UnknownNameError, match="no value for x"):
        fit(obj)
