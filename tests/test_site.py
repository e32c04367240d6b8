"""The pages of docs/: what is generated on them holds all of the tables, and Sphinx builds them."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import generators
import pytest

import tensorcalc as tc
from bench.workloads import WORKLOADS
from tensorcalc.cli.main import COMMANDS
from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.rules import RULES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ROW = re.compile(r"^\| (?!---|function |written )", re.MULTILINE)


def generated(name: str) -> str:
    """What stands on the page."""
    return generators.GENERATORS[name]()


def test_all_is_used_once() -> None:
    """Every generator has one place, and every place a generator."""
    marks = [mark for page in PAGES for mark in generators.MARK.findall(page.read_text())]
    assert sorted(marks) == sorted(generators.GENERATORS)


def test_page_is_filled() -> None:
    """The mark is replaced, and the rest stays."""
    page = "before\n\n<!-- generated: rewrites -->\n\nbehind\n"
    assert generators.fill(page) == f"before\n\n{generated('rewrites')}\n\nbehind\n"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("differentials", sum(bool(e.differential) + bool(e.backwards) for e in MATRIX_FUNCTIONS.values())),
        ("power series", sum(e.differential is None for e in MATRIX_FUNCTIONS.values())),
        ("elementwise", sum(f.arity for f in FUNCTIONS.values())),
        ("rewrites", len(RULES)),
    ],
)  # fmt: skip
def test_rules(name: str, rows: int) -> None:
    """One row for each line of the table, and the same number of cells in each."""
    text = generated(name)
    assert len(ROW.findall(text)) == rows
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()}) == 1


def test_differentials_are_those_that_are_used() -> None:
    """A formula on the page is what `differential` says of the function."""
    row = re.compile(r"^\| `(\w+)\((\w)\)` \| `([^`]+)` \| `([^`]+)`", re.MULTILINE)
    rows = row.findall(generated("differentials"))
    assert {"inv", "pinv", "norm2", "prod"} <= {name for name, *_ in rows}
    for name, argument, kind, formula in rows:
        found = tc.differential(f"{argument} : {kind}; {name}({argument})", argument)
        assert found == tc.parse(formula, **{argument: kind, f"d{argument}": kind}), name


def test_commands() -> None:
    """Every command has a heading, its help, and all its options."""
    text = generated("commands")
    for command in COMMANDS:
        assert f"### tensorcalc {command}\n" in text
        assert f"Usage: tensorcalc {command} " in text
    assert "### tensorcalc cache clear\n" in text


def test_workloads() -> None:
    """Every workload is described; only a program that stands above is left out."""
    text = generated("workloads")
    for workload in WORKLOADS.values():
        assert f"**{workload.name}**, " in text
        assert workload.program in text


def test_figures() -> None:
    """The figures are those of README.md, with the machine on which they were measured."""
    text = generated("figures")
    assert text in (ROOT / "README.md").read_text()
    assert "Xeon" in text
    assert "| work | tensorcalc |" in text


def test_public_names() -> None:
    """Every public name is on the page."""
    text = generated("public names") + generated("functions")
    for name in set(tc.__all__) - {"__version__"}:
        assert re.search(rf"(:: tensorcalc|`tc)\.{name}\b", text), name


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as Sphinx builds them, every warning an error."""
    pytest.importorskip("sphinx", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", str(DOCS), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(DOCS).as_posix() for page in PAGES])
def test_page(site: Path, page: Path) -> None:
    """Nothing of the markup is left in what is read: marks, roles, directives, broken formulas."""
    text = (site / page.relative_to(DOCS)).with_suffix(".html").read_text()
    article = text[text.index("<article") : text.index("</article>")]
    prose = html.unescape(re.sub(r"<(pre|code)\b.*?</\1>|<[^>]+>", "", article, flags=re.DOTALL))
    shown = re.sub(r"\\\(.*?\\\)|\\\[.*?\\\]", "", prose, flags=re.DOTALL)
    for left in ("generated:", "```", "](", "{term}", ":param", ":raises", "`", r"\frac", r"\left"):
        assert left not in shown, left
