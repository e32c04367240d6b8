"""Saved modules: what they say, that they need no tensorcalc, and that they check themselves."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from takeaway import CASES, Array, numbers_of, values_of

import tensorcalc as tc
from tensorcalc.emit.trim import helpers
from tensorcalc.errors import DomainError, ShapeError

LOGISTIC = next(case for case in CASES if case.name == "logistic")


def loaded(kernel: tc.Kernel, folder: Path) -> Any:
    """The saved module of a kernel, in this process."""
    kernel.save(folder / "saved.py")
    module = ModuleType("saved")
    exec((folder / "saved.py").read_text(), module.__dict__)  # noqa: S102 - our own text
    return module


def test_logistic(tmp_path: Path) -> None:
    """Formulas and shapes in the docstring; values, errors and the check of the gradient."""
    formulas = LOGISTIC.formulas()
    kernel = tc.compile(formulas)
    saved = loaded(kernel, tmp_path)
    document = str(saved.__doc__)
    assert "value = sum(softplus(-y.*(X*w))) + c*(w'*w)/2" in document
    assert "X: (m, n)" in document and "c: a number" in document
    values = values_of(formulas, {"m": 7, "n": 3})
    found, expected = saved.run(**values), kernel(**values)
    for name, result in expected.items():
        np.testing.assert_allclose(found[name], result, rtol=1e-13)
    differences = saved.check()
    assert list(differences) == ["by w", "by c"]
    assert max(differences.values()) < 1e-9
    run = saved.run
    saved.run = lambda **given: run(**given) | {"by w": 1.001 * run(**given)["by w"]}
    wrong = saved.check()
    assert wrong["by w"] > 1e-4 and wrong["by c"] < 1e-9
    with pytest.raises(TypeError, match="unknown variable 'z'; known: X, y, w, c"):
        loaded(kernel, tmp_path).run(z=1)


def test_array_constants_and_conditions(tmp_path: Path) -> None:
    """A small and a large constant; sums of sizes; a position; sizes that loops were made for."""
    rng = np.random.default_rng(0)
    small, large = rng.standard_normal((20, 5)), rng.standard_normal((30, 5, 6)) * 1e-200
    f = tc.parse(
        "S : matrix(20, 5); L : tensor(30, 5, 6); x : vector(5); y : vector(2*k); z : vector(k);"
        "W : matrix(p, 3); sum(exp(S*x)) + sum[i,j,k](L[i,j,k]*x[j])*1000^60 + y'*y + z[4]"
        " + sum(W*W'*W)"
    )
    f = f.substitute(S=small, L=large)
    kernel = tc.compile(f)
    values = {"x": rng.standard_normal(5), "y": np.ones(14), "z": np.arange(7.0)}
    values["W"] = rng.standard_normal((300, 3))
    kernel(**values)
    saved = loaded(kernel, tmp_path)
    np.testing.assert_allclose(saved.run(**values), f.evaluate(**values), rtol=1e-12)
    wrong = [
        ("y", np.ones(13), "axis 0 of y has size 13, not 14|axis 0 of y has size 13, not 12"),
        ("x", np.ones(4), "axis 0 of x has size 4, not 5"),
        ("x", np.ones((5, 1)), "x needs 1 axes, not 2"),
    ]
    for name, value, words in wrong:
        with pytest.raises(ValueError, match=words):
            saved.run(**{**values, name: value})
    with pytest.raises(ValueError, match="k >= 5: a position is beyond it"):
        saved.run(**{**values, "y": np.ones(6), "z": np.ones(3)})


def test_loops_that_are_written_out(tmp_path: Path) -> None:
    """A module made for two columns refuses three, as its loops would leave the third out."""
    kernel = tc.compile("A : matrix(m, n); x : vector(m); sum(A'*x)")
    kernel(A=np.ones((400, 2)), x=np.ones(400))
    saved = loaded(kernel, tmp_path)
    assert saved.run(A=np.ones((5, 2)), x=np.ones(5)) == 10.0
    with pytest.raises(ValueError, match="n == 2: the loops were written out for it"):
        saved.run(A=np.ones((5, 3)), x=np.ones(5))


def test_single_precision_and_names(tmp_path: Path) -> None:
    """A kernel of float32; variables, sizes and outputs that are words of Python."""
    f = tc.parse("lambda : spd(in); def : vector(in); def'*lambda*def + logdet(lambda)")
    kernel = tc.compile({"None": f, 'is """': tc.diff(f, "lambda")})
    values = {"lambda": np.eye(3, dtype=np.float32), "def": np.ones(3, np.float32)}
    expected = kernel(**values)
    saved = loaded(kernel, tmp_path)
    found = saved.run(**values)
    assert found["None"].dtype == np.float32
    np.testing.assert_allclose(found['is """'], expected['is """'], rtol=1e-6)
    assert 0 < saved.check()['is """'] < 2e-2


def test_size_that_nothing_tells(tmp_path: Path) -> None:
    """A module cannot know it either."""
    kernel = tc.compile("c : scalar; c*vector(1, k)'*vector(1, k)")
    with pytest.raises(ShapeError, match="the size k cannot be told"):
        kernel.save(tmp_path / "saved.py")


def test_no_constant_that_is_too_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """More numbers than a module should hold."""
    monkeypatch.setattr("tensorcalc.emit.standalone.MAX_CONSTANT", 100)
    f = tc.parse("A : matrix(m, n); sum(exp(A))").substitute(A=np.ones((20, 20)))
    with pytest.raises(DomainError, match="more than 100 numbers is too long"):
        tc.compile(f).save(tmp_path / "saved.py")


def test_helpers_are_trimmed() -> None:
    """Of all helpers only those that are called, with what these call."""
    definitions, _ = helpers(["sigmoid"])
    names = {name for definition in definitions for name in definition.names}
    assert {"sigmoid", "_exp_parts", "fma", "subroutine", "LOG2E"} <= names
    assert names.isdisjoint({"softplus", "_log_core", "erf", "gemm", "_register", "factorize"})
    assert helpers([]) == ([], [])


SCRIPT = """
import importlib, json, pathlib, sys
sys.modules["tensorcalc"] = None
import numpy as np
results = {}
for name in json.loads(pathlib.Path("names.json").read_text()):
    module = importlib.import_module(name)
    found = [module.run(**np.load(f"{name}_{k}.npz")) for k in range(2)]
    found = [one if isinstance(one, dict) else {"": one} for one in found]
    for k, one in enumerate(found):
        results |= {f"{name}/{k}/{output}": result for output, result in one.items()}
    checked = module.check() if hasattr(module, "check") else {}
    results |= {f"{name}/check/{output}": result for output, result in checked.items()}
np.savez("results.npz", **results)
"""


@pytest.mark.languages
def test_all_in_one_clean_process(tmp_path: Path) -> None:
    """Every formula at two sets of sizes, and the check of every derivative."""
    expected: dict[str, Array] = {}
    derivatives = 0
    names = []
    for number, case in enumerate(CASES):
        formulas = case.formulas()
        kernel = tc.compile(formulas)
        name = f"case{number}"
        names.append(name)
        derivatives += len(case.wrt)
        kernel.save(tmp_path / f"{name}.py")
        ast.parse((tmp_path / f"{name}.py").read_text())
        for k, first in enumerate((4, 11)):
            values = values_of(formulas, numbers_of(formulas, first))
            np.savez(tmp_path / f"{name}_{k}.npz", **values)  # type: ignore[arg-type]
            for output, result in kernel(**values).items():
                expected[f"{name}/{k}/{output}"] = np.asarray(result)
    (tmp_path / "names.json").write_text(json.dumps(names))
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    with np.load(tmp_path / "results.npz") as results:
        checks = [float(results[key]) for key in results if "/check/" in key]
        assert len(checks) == derivatives
        assert max(checks) < 1e-6
        for key, result in expected.items():
            scale = float(np.max(np.abs(result), initial=1e-3))
            np.testing.assert_allclose(
                results[key], result, rtol=0, atol=1e-10 * scale, err_msg=key
            )
