"""Subscripts of einsum: labels of operands and output, broadcasting under an ellipsis, errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tensorcalc.dims import Dim
from tensorcalc.einsum_string import Size, parse_einsum, uninterleave
from tensorcalc.errors import DomainError, IndexNotationError, LimitError, ShapeError

n = Dim.of("n")
unknown = Dim.of("x.0")
LABELS: list[tuple[str, list[Sequence[Size]], list[str], str]] = [
    ("ij,j->i", [(2, 3), (3,)], ["i j", "j"], "i"),
    (" i j , j -> i ", [(2, 3), (3,)], ["i j", "j"], "i"),
    ("ij,jk", [(2, 3), (3, 4)], ["i j", "j k"], "i k"),
    ("ij,jh", [(2, 3), (3, 4)], ["i j", "j h"], "h i"),
    ("ba", [(2, 3)], ["b a"], "a b"),
    ("aB,Ca", [(2, 3), (4, 2)], ["a B", "C a"], "B C"),
    ("ii", [(2, 2)], ["i i"], ""),
    ("", [()], [""], ""),
    ("->", [()], [""], ""),
    (",", [(), ()], ["", ""], ""),
    (",i->i", [(), (2,)], ["", "i"], "i"),
    ("...", [(2, 3)], ["…1 …0"], "…1 …0"),
    ("...", [()], [""], ""),
    ("...i", [(3,)], ["i"], "i"),
    ("i...j->...", [(2, 3, 4)], ["i …0 j"], "…0"),
    ("...i->", [(2, 3)], ["…0 i"], ""),
    ("...,...", [(2, 3), (3,)], ["…1 …0", "…0"], "…1 …0"),
    ("α,α", [(2,), (2,)], ["α", "α"], ""),
    # an axis of size 1 under an ellipsis broadcasts; one that is not known yet is equal
    ("...,...", [(5, 1), (1, 3)], ["…1 …0.0", "…1.1 …0"], "…1 …0"),
    ("...,...", [(1, 1), (1,)], ["…1 …0", "…0"], "…1 …0"),
    ("...,...", [(Dim.of(1),), (n,)], ["…0.0", "…0"], "…0"),
    ("...,...", [(Dim.of(1),), (unknown,)], ["…0", "…0"], "…0"),
    ("i,i", [(1,), (3,)], ["i", "i"], ""),
]


@pytest.mark.parametrize(("equation", "shapes", "labels", "output"), LABELS)
def test_labels(
    equation: str, shapes: list[Sequence[Size]], labels: list[str], output: str
) -> None:
    """One label per axis, and those of the output."""
    found, out = parse_einsum(equation, shapes)
    assert found == [tuple(own.split()) for own in labels]
    assert out == tuple(output.split())


ERRORS: list[tuple[str, list[Sequence[Size]], type[Exception], str]] = [
    ("i", [], ShapeError, "name 1 operands, 0 are given"),
    ("i", [(2,), (2,)], ShapeError, "name 1 operands, 2 are given"),
    ("i", [()], ShapeError, "name 1 axes, the operand has 0"),
    ("ij", [(2,)], ShapeError, "`ij` name 2 axes, the operand has 1"),
    ("i", [(2, 3)], ShapeError, "name 1 axes, the operand has 2"),
    ("ij...", [(2,)], ShapeError, "name 2 axes"),
    ("i..", [(2,)], IndexNotationError, "'.' is not a letter"),
    (".i...", [(2,)], IndexNotationError, "'.' is not a letter"),
    ("...i...", [(2,)], IndexNotationError, "'.' is not a letter"),
    ("j->..j", [(2,)], IndexNotationError, "'.' is not a letter"),
    ("j->.j...", [(2,)], IndexNotationError, "'.' is not a letter"),
    ("i%...", [(2,)], IndexNotationError, "'%' is not a letter"),
    ("i->&", [(2,)], IndexNotationError, "'&' is not a letter"),
    ("i->j->i", [(2,)], IndexNotationError, "is not a letter"),
    ("i>i", [(2,)], IndexNotationError, "'>' is not a letter"),
    ("1", [(2,)], IndexNotationError, "'1' is not a letter"),
    ("i->ij", [(2,)], IndexNotationError, "the output label j is in no operand"),
    ("ij->jij", [(2, 2)], IndexNotationError, "the output label j stands twice"),
    ("...->......", [(2,)], IndexNotationError, "'.' is not a letter"),
]


@pytest.mark.parametrize(("equation", "shapes", "error", "message"), ERRORS)
def test_errors(
    equation: str, shapes: list[Sequence[Size]], error: type[Exception], message: str
) -> None:
    """Ours, with the label or the count that is wrong."""
    with pytest.raises(error, match=message):
        parse_einsum(equation, shapes)


INTERLEAVED: list[tuple[Sequence[Any], str]] = [
    (["A", [0, 1], "x", [1], [0]], "AB,B->A"),
    (["A", [0, 1], "x", [1]], "AB,B"),
    (["A", [1, 0]], "BA"),
    (["A", [], []], "->"),
    (["A", [Ellipsis, 0], "x", [Ellipsis, 0]], "...A,...A"),
    (["A", [0, Ellipsis, 1], [Ellipsis]], "A...B->..."),
    (["A", (0, 27), "x", range(27, 28)], "Ab,b"),
    (["A", np.array([0, 51])], "Az"),
]


@pytest.mark.parametrize(("arguments", "equation"), INTERLEAVED)
def test_interleaved(arguments: Sequence[Any], equation: str) -> None:
    """Integers count A to Z, then a to z, as in NumPy."""
    assert uninterleave(arguments) == (equation, [a for a in arguments if isinstance(a, str)])


def test_more_than_52_labels() -> None:
    """Beyond NumPy's letters the order stays that of the integers."""
    equation, _ = uninterleave(["A", [60, 3, 52, 51]])
    (labels,), output = parse_einsum(equation, [(1, 1, 1, 1)])
    assert output == tuple(sorted(labels)) == (labels[1], labels[3], labels[2], labels[0])
    with pytest.raises(IndexNotationError, match=r"the output label \[60\] is in no operand"):
        parse_einsum(uninterleave(["A", [0], [60]])[0], [(1,)])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], DomainError),
        (["A"], DomainError),
        (["A", 0], DomainError),
        (["A", [0.5]], DomainError),
        (["A", ["i"]], DomainError),
        (["A", [-1]], IndexNotationError),
        (["A", [20_000]], LimitError),
    ],
)
def test_interleaved_errors(arguments: Sequence[Any], error: type[Exception]) -> None:
    """Labels are integers from 0."""
    with pytest.raises(error):
        uninterleave(arguments)
