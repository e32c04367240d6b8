"""Sizes: products of names and integers, their values, their letters."""

from __future__ import annotations

import pytest

from tensorcalc.dims import Dim, display_names

SIZES = [
    # factors, text
    (["n"], "n"),
    ([3], "3"),
    ([0], "0"),
    ([1, "n"], "n"),
    ([2, "n"], "2*n"),
    (["n", 2, "m"], "2*m*n"),
    (["n", "n"], "n*n"),
    ([2, 3], "6"),
]


@pytest.mark.parametrize(("factors", "text"), SIZES)
def test_products_are_ordered_and_printed(factors: list[str | int], text: str) -> None:
    """A product of sizes is its number, then its names in order."""
    product = Dim.of(1)
    for factor in factors:
        product = product * Dim.of(factor)
    assert str(product) == repr(product) == text


def test_of_leaves_a_dim_as_it_is() -> None:
    """`Dim.of` of a `Dim` is that `Dim`."""
    n = Dim.of("n")
    assert Dim.of(n) is n


def test_kinds_of_sizes() -> None:
    """Numbers are integers; a dot in a name says that the size is inferred."""
    assert Dim.of(3).is_integer and not Dim.of("n").is_integer
    assert Dim.of("x.0").is_inferred and not Dim.of("n").is_inferred
    assert (Dim.of("n") * Dim.of("x.0")).is_inferred


def test_substitute_and_value() -> None:
    """Names are replaced by sizes, and evaluated to numbers, each time they stand."""
    size = Dim.of("n") * Dim.of("n") * Dim.of(2)
    assert size.substitute({"n": Dim.of("m") * Dim.of(3)}) == Dim.of("m") * Dim.of("m") * 18
    assert size.substitute({"m": Dim.of(3)}) is size
    assert size.value({"n": 5}) == 50


def test_display_names_avoid_what_is_taken() -> None:
    """Inferred sizes get letters that are neither names of sizes nor otherwise taken."""
    dims = [Dim.of("x.0"), Dim.of("n"), Dim.of("A.0"), Dim.of("x.0")]
    assert display_names(dims, ["m"]) == {"x.0": "p", "A.0": "q"}


def test_display_names_never_run_out() -> None:
    """After the letters come letters with numbers, all different."""
    names = display_names([Dim.of(f"x{k}.0") for k in range(100)])
    assert len(set(names.values())) == 100
