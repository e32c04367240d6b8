"""Unification of sizes: pairs in, a substitution for the inferred ones out."""

from __future__ import annotations

import pytest

from tensorcalc.dims import Dim
from tensorcalc.shapes import Shapes


def dim(text: str | int) -> Dim:
    """A size from its text, such as ``2*m*n``."""
    result = Dim.of(1)
    for part in str(text).split("*"):
        result = result * Dim.of(int(part) if part.isdigit() else part)
    return result


# pairs to equate, whether the last one fits, and the solution
UNIONS: list[tuple[list[tuple[str, str]], bool, dict[str, str]]] = [
    ([("n", "n")], True, {}),
    ([("3", "3")], True, {}),
    ([("n", "m")], False, {}),
    ([("n", "3")], False, {}),
    ([("2", "3")], False, {}),
    ([("n*m", "m*n")], True, {}),
    ([("x.0", "n")], True, {"x.0": "n"}),
    ([("n", "x.0")], True, {"x.0": "n"}),
    ([("x.0", "3")], True, {"x.0": "3"}),
    ([("x.0", "m*n")], True, {"x.0": "m*n"}),
    ([("x.0", "x.0")], True, {}),
    # the smallest name of a class stays, however the pairs are ordered
    ([("A.1", "x.0")], True, {"x.0": "A.1"}),
    ([("x.0", "A.1")], True, {"x.0": "A.1"}),
    ([("x.0", "y.0"), ("y.0", "z.0")], True, {"y.0": "x.0", "z.0": "x.0"}),
    ([("y.0", "z.0"), ("x.0", "y.0")], True, {"y.0": "x.0", "z.0": "x.0"}),
    ([("y.0", "z.0"), ("x.0", "z.0")], True, {"y.0": "x.0", "z.0": "x.0"}),
    # what follows from what
    ([("x.0", "y.0"), ("y.0", "n")], True, {"x.0": "n", "y.0": "n"}),
    ([("x.0", "n"), ("x.0", "m")], False, {"x.0": "n"}),
    ([("x.0", "y.0"), ("x.0", "2"), ("y.0", "3")], False, {"x.0": "2", "y.0": "2"}),
    # a size cannot be a proper part of itself
    ([("x.0", "x.0*n")], False, {}),
    # an anonymous size is never the name of a class
    ([(".1", "x.0")], True, {".1": "x.0"}),
    ([("x.0", ".1")], True, {".1": "x.0"}),
    ([(".1", ".2")], True, {".2": ".1"}),
]


@pytest.mark.parametrize(("pairs", "fits", "solution"), UNIONS)
def test_equate(pairs: list[tuple[str, str]], fits: bool, solution: dict[str, str]) -> None:
    """Each pair but the last fits; the solution says what every unknown is."""
    shapes = Shapes()
    results = [shapes.equate(dim(left), dim(right)) for left, right in pairs]
    assert results == [True] * (len(pairs) - 1) + [fits]
    assert shapes.solution() == {name: dim(value) for name, value in solution.items()}


def test_resolve_inside_products() -> None:
    """An unknown is replaced wherever it stands."""
    shapes = Shapes()
    shapes.equate(Dim.of("x.0"), Dim.of("n"))
    assert shapes.resolve_all((dim("2*x.0"), dim("m"))) == (dim("2*n"), dim("m"))


def test_fresh_sizes_are_all_different() -> None:
    """Every call makes another unknown."""
    shapes = Shapes()
    assert shapes.fresh() != shapes.fresh()


def test_long_chains() -> None:
    """A chain of 2,000 equal unknowns is resolved without recursion and in linear order."""
    shapes = Shapes()
    for k in range(2_000):
        assert shapes.equate(Dim.of(f"x{k:05}.0"), Dim.of(f"x{k + 1:05}.0"))
    assert shapes.equate(Dim.of("x02000.0"), Dim.of("n"))
    assert shapes.resolve(Dim.of("x00000.0")) == shapes.resolve(Dim.of("x02000.0")) == Dim.of("n")
