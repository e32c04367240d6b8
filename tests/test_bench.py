"""The benchmarks run, and compare equal results. What they measure is not tested."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # bench/ is no part of the installed package

import tensorcalc as tc  # noqa: E402
from bench import measure, run  # noqa: E402
from bench.workloads import FAMILIES, WORKLOADS  # noqa: E402


@pytest.mark.parametrize("name", WORKLOADS)
def test_numpy_computes_the_formula(name: str) -> None:
    """The hand-written function agrees with the interpreter on formula and derivatives."""
    workload = WORKLOADS[name]
    arrays = workload.arrays("S")
    declared = list(tc.parse(workload.program).variables)
    assert list(arrays)[: len(declared)] == declared
    found = workload.numpy(*arrays.values())
    for formula, value in zip(measure.formulas(workload).values(), found, strict=True):
        used = {variable: arrays[variable] for variable in formula.variables}
        expected = formula.evaluate(**used)
        scale = float(np.max(np.abs(expected)))
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-10 * scale)


SLOW = [  # to compile
    "attention", "mixture", "network", "network_hessian", "network_hessian_batch", "normal", "process",
]  # fmt: skip
QUICK = [name for name in WORKLOADS if name not in SLOW]


def _report(names: list[str]) -> dict[str, Any]:
    """Workloads at their smallest size, as short as can be."""
    return run.run(names, "S", ["tensorcalc", "numpy"], rounds=1, budget=0.0)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What is shared by the tests: it takes seconds."""
    return _report(QUICK)


def _check(report: dict[str, Any], names: list[str]) -> None:
    """Each cell has the results of all peers, checked, and its ratio."""
    assert [cell["workload"] for cell in report["cells"]] == names
    for cell in report["cells"]:
        assert list(cell["peers"]) == ["tensorcalc", "numpy"]
        for peer in cell["peers"].values():
            assert peer["correct"], peer["failure"]
            assert peer["failure"] is None
            assert peer["error"] <= measure.TOLERANCE
            assert peer["samples"] == 1
        assert list(cell["ratios"]) == ["numpy"]


def test_all_peers_are_correct(report: dict[str, Any]) -> None:
    """Kernels give what NumPy gives."""
    _check(report, QUICK)


@pytest.mark.slow
def test_all_peers_are_correct_where_kernels_are_large() -> None:
    """The same where it takes longer."""
    _check(_report(SLOW), SLOW)


def test_report_is_json(report: dict[str, Any]) -> None:
    """The file says on which machine and with which versions it was measured."""
    again = json.loads(json.dumps(report))
    assert again["machine"]["cores"] == os.cpu_count()
    assert {"python", "tensorcalc", "numpy", "numba"} <= set(again["machine"]["versions"])
    assert run.markdown(again) == run.markdown(report)


def test_table(report: dict[str, Any]) -> None:
    """One row a cell, and as many columns in every row, after the ratios in short."""
    rows = [line for line in run.markdown(report).splitlines() if line.startswith("|")]
    short, rows = rows[:4], rows[4:]
    families = [row.strip("| ").split(" | ")[:3] for row in short[2:]]
    counts = {
        family: sum(workload.name in QUICK for workload in members)
        for family, members in FAMILIES.items()
    }
    assert families == [[name, "numpy/tensorcalc", str(count)] for name, count in counts.items()]
    assert len(rows) == 2 + len(report["cells"])
    assert {row.count("|") for row in rows} == {rows[0].count("|")}
    columns = ["workload", "size", "shapes", "tensorcalc", "numpy", "numpy/tensorcalc"]
    assert rows[0].strip("| ").split(" | ") == columns
    assert "failed" not in "".join(rows)


def test_ratios_in_short() -> None:
    """The geometric mean, and the cell with the smallest ratio; what failed has none."""
    ratios = {"a": {"numpy": 4.0, "jax": 2.0}, "b": {"numpy": 1.0}, "c": {"numpy": 0.5}}
    cells = [{"workload": name, "size": "S", "ratios": found} for name, found in ratios.items()]
    report = {"families": {"losses": ["a", "b"], "contractions": ["c"]}, "cells": cells}
    assert run.summary(report, ["numpy", "jax"]) == [
        ["losses", "numpy/tensorcalc", "2", "2.00", "1.00 (b S)"],
        ["losses", "jax/tensorcalc", "1", "2.00", "2.00 (a S)"],
        ["contractions", "numpy/tensorcalc", "1", "0.50", "0.50 (c S)"],
    ]


def _broken(monkeypatch: pytest.MonkeyPatch, results: Any) -> dict[str, Any]:
    """A cell in which tensorcalc gives the results of a function instead."""
    monkeypatch.setitem(measure.PEERS, "tensorcalc", lambda workload, arrays: results)
    peers = ["tensorcalc", "numpy"]
    return measure.measure(WORKLOADS["quadratic"], "S", peers, rounds=1, budget=0.0)


def _fails() -> Any:
    raise ValueError("no such kernel")


@pytest.mark.parametrize(
    ("results", "failure"),
    [
        (lambda: (0.0, np.zeros(10)), "differs from NumPy by"),
        (lambda: (np.nan, np.full(10, np.nan)), "differs from NumPy by inf"),
        (lambda: (0.0, np.zeros(9)), "shapes"),
        (lambda: (0.0,), "shapes"),
        (_fails, "ValueError: no such kernel"),
    ],
    ids=["wrong", "nan", "shape", "missing", "raises"],
)
def test_wrong_results_are_not_timed(
    monkeypatch: pytest.MonkeyPatch, results: Any, failure: str
) -> None:
    """A peer that is wrong or fails has a reason instead of a time, and the others have theirs."""
    cell = _broken(monkeypatch, results)
    wrong = cell["peers"]["tensorcalc"]
    assert not wrong["correct"]
    assert wrong["median"] is None
    assert wrong["failure"].startswith(failure)
    assert cell["peers"]["numpy"]["correct"]
    assert cell["ratios"] == {}


def test_environment() -> None:
    """Thread counts for every library, and nothing that holds one of them back."""
    given = {"PATH": "/bin", "OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "1"}
    wanted = run.environment(given, 2)
    assert wanted["PATH"] == "/bin"
    assert wanted["OPENBLAS_NUM_THREADS"] == wanted["NUMBA_NUM_THREADS"] == "2"
    assert not {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & set(wanted)
    assert run.environment(wanted, 2) == wanted


def test_command_line(tmp_path: Path) -> None:
    """The program runs by its path, writes both files, and shows the table."""
    table, results = tmp_path / "table.md", tmp_path / "results.json"
    options = "--workloads quadratic --sizes S --peers tensorcalc,numpy --rounds 1 --budget 0"
    command: list[str | Path] = [sys.executable, ROOT / "bench" / "run.py", *options.split()]
    command += ["--out", results, "--markdown", table]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert table.read_text(encoding="utf-8") == done.stdout
    report = json.loads(results.read_text(encoding="utf-8"))
    assert [cell["size"] for cell in report["cells"]] == ["S"]
    assert report["settings"]["threads"] == 1


@pytest.mark.parametrize("option", [("--workloads", "quadratc"), ("--sizes", "SX")])
def test_unknown_names(option: tuple[str, str]) -> None:
    """A wrong name is answered with the right ones."""
    command = [sys.executable, "-m", "bench.run", *option]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "is none of" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_jax_agrees(tmp_path: Path) -> None:
    """JAX computes the same, in a process of its own: it starts threads that never end."""
    results = tmp_path / "results.json"
    options = "--sizes S --peers numpy,jax --rounds 1 --budget 0 --out"
    command: list[str | Path] = [sys.executable, "-m", "bench.run", *options.split(), results]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    report = json.loads(results.read_text(encoding="utf-8"))
    assert all(cell["peers"]["jax"]["correct"] for cell in report["cells"])
