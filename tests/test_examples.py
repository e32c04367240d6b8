"""The main job: the three notations of one objective, on real data, from text to optimum."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import tensorcalc as tc
from tensorcalc.cli.main import cli

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTATIONS = ["matrix", "index", "einsum"]
DATA = [
    f"X={EXAMPLES / 'breast_cancer.csv'}:1-30",
    f"y={EXAMPLES / 'breast_cancer.csv'}:label",
]


def formula(notation: str) -> Path:
    """The file with the objective in a notation."""
    return EXAMPLES / f"logistic_{notation}.tc"


def run(*arguments: str | Path) -> str:
    """What a command that must succeed prints."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """examples/logistic.py as a module."""
    spec = importlib.util.spec_from_file_location("logistic", EXAMPLES / "logistic.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def raw_data() -> tuple[Any, Any]:
    """Features and labels as they are in the file."""
    table = np.loadtxt(EXAMPLES / "breast_cancer.csv", delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1]


def by_hand(X: Any, y: Any, w: Any, c: float) -> tuple[float, Any]:
    """Value and gradient written by hand."""
    margin = y * (X @ w)
    value = np.sum(np.logaddexp(0, -margin)) + c / 2 * w @ w
    return float(value), c * w - X.T @ (y * np.exp(-np.logaddexp(0, margin)))


def test_data() -> None:
    """569 samples with 30 features: 212 malignant, 357 benign."""
    X, y = raw_data()
    assert X.shape == (569, 30)
    assert (np.sum(y == -1), np.sum(y == 1)) == (212, 357)
    assert X[0, 0] == 17.99
    assert X[:, 23].max() == 4254.0


def test_one_node() -> None:
    """The three notations are one and the same expression, and so are their derivatives."""
    nodes = [tc.parse(formula(notation).read_text()).node for notation in NOTATIONS]
    assert nodes[0] is nodes[1] is nodes[2]
    hessians = [tc.diff(formula(notation).read_text(), "w", "w").node for notation in NOTATIONS]
    assert hessians[0] is hessians[1] is hessians[2]


@pytest.mark.parametrize("notation", NOTATIONS)
def test_diff(notation: str) -> None:
    """The gradient in matrix form is the same for the three files."""
    expected = "c*w - X'*(y.*sigmoid(-y.*(X*w)))\n"
    assert run("diff", "-f", formula(notation), "--wrt", "w") == expected


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("start", [0.0, 0.001])
def test_eval(notation: str, start: float) -> None:
    """Value and gradient from the CSV go through the compiled kernel and are right."""
    assignments = [*DATA, f"w={start}", "c=2"]
    text = run("eval", "-f", formula(notation), *assignments, "--wrt", "w", "--json")
    facts = json.loads(text)
    assert facts["compiled"] is True
    X, y = raw_data()
    value, gradient = by_hand(X, y, np.full(30, start), 2.0)
    assert facts["value"] == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(facts["derivatives"]["w"], gradient, rtol=1e-9)


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("data", [[], [*DATA, "w=0.001", "c=2"]], ids=["random", "real"])
def test_check(notation: str, data: list[str]) -> None:
    """The gradient agrees with finite differences, on random and on the real data."""
    assert run("check", "-f", formula(notation), *data, "--wrt", "w").startswith("agrees")


def test_compiled_module(tmp_path: Path) -> None:
    """The module gives value and gradient in an interpreter without tensorcalc."""
    run("compile", "-f", formula("matrix"), "--wrt", "w", "-o", tmp_path / "objective.py")
    X, y = raw_data()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    w = np.linspace(-1, 1, 30)
    np.savez(tmp_path / "data.npz", X=X, y=y, w=w, c=0.5)
    script = (
        "import sys; sys.modules['tensorcalc'] = None\n"
        "import numpy as np, objective\n"
        "found = objective.run(**np.load('data.npz'))\n"
        "np.savez('found.npz', value=found['value'], gradient=found['gradient w'])\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    value, gradient = by_hand(X, y, w, 0.5)
    with np.load(tmp_path / "found.npz") as found:
        assert found["value"] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(found["gradient"], gradient, rtol=1e-10, atol=1e-10)


def test_scipy_finds_newtons_optimum(example: ModuleType) -> None:
    """L-BFGS with the compiled value and gradient ends where Newton's method ends."""
    X, y = example.read_data()
    weights, value = example.optimise(X, y, 1.0)
    expected, lowest = example.newton(X, y, 1.0)
    assert value == pytest.approx(lowest, rel=1e-12)
    np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_the_script(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """The script prints the gradient and the difference of the optima."""
    example.main()
    printed = capsys.readouterr().out
    assert "c*w - X'*(y.*sigmoid(-y.*(X*w)))" in printed
    assert "difference" in printed
