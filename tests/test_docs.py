"""The tables of docs/: what stands in them is parsed, evaluated, differentiated or rejected."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc.dims import Dim
from tensorcalc.ir import Variable
from tensorcalc.parse import parse as parse_syntax

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
CODE = re.compile(r"`([^`]+)`")
CELL = re.compile(r"(?<!\\)\|")
SIZE = 3  # of every axis that has no number


def tables(page: Path) -> list[tuple[tuple[str, ...], list[str]]]:
    """Header and cells of every row of every table of a page."""
    lines = iter(page.read_text().splitlines())
    rows = []
    for line in lines:
        if line.startswith("|"):
            header = tuple(cells(line))
            next(lines)
            rows += [(header, cells(row)) for row in takewhile(lambda x: x.startswith("|"), lines)]
    return rows


def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in CELL.split(line.strip().strip("|"))]


def rows(*headers: str) -> list[Any]:
    """The rows of tables whose header starts so, for `pytest.mark.parametrize`."""
    return [
        pytest.param(*row, id=f"{page.stem}: {row[0]}")
        for page in PAGES
        for header, row in tables(page)
        for row in [row[: len(headers[0].split(" | "))]]
        if " | ".join(header[: len(row)]) in headers
    ]


def value(variable: Variable, signed: bool) -> Any:
    """Numbers for a variable, the same ones for the same name."""
    shape = []
    for dim in variable.dims:
        number = dim.substitute({name: Dim.of(SIZE) for name in dim.names})
        shape.append(number.constant)
    random = np.random.default_rng([ord(letter) for letter in variable.name])
    array = random.uniform(-1.0 if signed else 0.2, 1.0, shape)
    if "integer" in variable.properties:
        return 2
    if "complex" in variable.properties:
        array = array + 1j * random.uniform(-1, 1, shape)
    if len(shape) == 2 and shape[0] == shape[1]:
        array = array + 3 * np.eye(shape[0])  # has an inverse, and a positive determinant
    if {"symmetric", "spd"} & variable.properties:
        array = array + array.T
    return array


def values(text: str) -> list[Any]:
    """The value of a formula at two points, one of them positive."""
    formula = tc.parse(text)
    with np.errstate(all="ignore"):
        return [
            formula.evaluate(**{n: value(v, signed) for n, v in formula.variables.items()})
            for signed in (True, False)
        ]


@pytest.mark.parametrize(
    ("written", "meaning"),
    rows(
        "construct | in index notation", "construct | the same", "written | read as",
        "written | in matrix notation",
    ),
)  # fmt: skip
def test_same(written: str, meaning: str) -> None:
    """All formulas of the first column have the value of the one in the second."""
    (text,) = CODE.findall(meaning)
    expected = values(text)
    assert np.isfinite(expected[1]).all()
    for formula in CODE.findall(written):
        for found, wanted in zip(values(formula), expected, strict=True):
            assert np.shape(found) == np.shape(wanted), formula
            assert np.allclose(found, wanted, equal_nan=True), formula


@pytest.mark.parametrize(("written", "becomes"), rows("written | becomes"))
def test_becomes(written: str, becomes: str) -> None:
    """The first column is printed as the second."""
    (formula,), (text,) = CODE.findall(written), CODE.findall(becomes)
    assert str(tc.parse(formula)) == text


@pytest.mark.parametrize(("formula", "derivative"), rows("formula | its derivative by a"))
def test_derivative_by_a(formula: str, derivative: str) -> None:
    """The second column is the derivative of the first by the scalar a."""
    (text,), (expected,) = CODE.findall(formula), CODE.findall(derivative)
    assert str(tc.diff(text, "a")) == expected


@pytest.mark.parametrize(("formula", "by", "derivative"), rows("formula | by | derivative"))
def test_derivative(formula: str, by: str, derivative: str) -> None:
    """The third column is the derivative of the first by the second."""
    text, name, expected = (CODE.findall(cell)[0] for cell in (formula, by, derivative))
    assert str(tc.diff(text, name)) == expected


@pytest.mark.parametrize(("written", "plain", "shown"), rows("written | unicode | LaTeX"))
def test_looks(written: str, plain: str, shown: str) -> None:
    """The second column is the unicode text of the first, the third its LaTeX."""
    (formula,) = CODE.findall(written)
    assert tc.parse(formula).to_unicode() == plain
    assert f"${tc.parse(formula).to_latex()}$".replace(r"\|", r"\Vert") == shown


@pytest.mark.parametrize(("wrong", "because", "right"), rows("rejected | because | write"))
def test_rejected(wrong: str, because: str, right: str) -> None:
    """The first column is an error that shows a place; the third column is none."""
    (formula,) = CODE.findall(wrong)
    with pytest.raises(tc.TensorcalcError, match=r"line 1, column \d+"):
        tc.parse(formula)
    assert because
    for other in CODE.findall(right):
        tc.parse(other)


@pytest.mark.parametrize(
    ("foreign", "here"), rows("NumPy | here", "MATLAB | here", "in a paper | here", "way | example")
)
def test_formulas(foreign: str, here: str) -> None:
    """What the second column says is a formula."""
    assert foreign
    for formula in CODE.findall(here):
        if formula != "#":
            tc.parse(formula)


@pytest.mark.parametrize(
    ("text", "meaning"),
    rows("statement | meaning", "statement | the name is", "name | kind", "statement | derivatives",
         "construct | meaning"),
)  # fmt: skip
def test_statements(text: str, meaning: str) -> None:
    """The first column is of the language, on its own or before a formula."""
    assert meaning
    for statement in CODE.findall(text):
        parse_syntax(statement)


def test_every_table_is_tested() -> None:
    """No table is left out but that of layouts."""
    known = {
        "construct | in index notation", "construct | the same", "written | read as",
        "written | in matrix notation", "written | becomes", "formula | its derivative by a",
        "formula | by", "rejected | because", "NumPy | here", "MATLAB | here",
        "in a paper | here", "way | example", "statement | meaning", "statement | the name is",
        "name | kind", "statement | derivatives", "construct | meaning",
        "layout | scalar by vector", "written | unicode",
    }  # fmt: skip
    found = {" | ".join(header[:2]) for page in PAGES for header, _ in tables(page)}
    assert found <= known, found - known
