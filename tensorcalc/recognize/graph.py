"""A contraction as a graph while it is recognized: labels are vertices, operands are edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tensorcalc import matrix_algebra as m
from tensorcalc.dims import Dim
from tensorcalc.ir import Basis
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.recognize.totals import diagonal

Pair = tuple[int, int]  # two labels, the smaller first
Merged = tuple[int, tuple[int, ...]]  # the label of a merged axis and those of its parts
SizeText = Callable[[Dim], str | None]


@dataclass(slots=True)
class Graph:
    """What stands at the labels of a contraction, and between them.

    `size_text` writes a size in the language.
    """

    rank: int
    sizes: dict[int, Dim]
    size_text: SizeText
    scalars: list[Matrix] = field(default_factory=list)
    vectors: dict[int, list[Matrix]] = field(default_factory=dict)
    matrices: dict[Pair, list[Matrix]] = field(default_factory=dict)
    pairs: dict[int, set[Pair]] = field(default_factory=dict)  # of matrices, by label
    merges: list[Merged] = field(default_factory=list)
    signs: list[tuple[int, ...]] = field(default_factory=list)  # antisymmetric, of three axes
    fixed: dict[int, Basis] = field(default_factory=dict)  # summed labels that a unit vector fixes
    units: dict[int, Matrix] = field(default_factory=dict)  # the forms of these unit vectors

    def add_vector(self, label: int, form: Matrix) -> None:
        """Hang a vector on a label."""
        self.vectors.setdefault(label, []).append(form)

    def add_matrix(self, a: int, b: int, form: Matrix) -> None:
        """Put a matrix between two labels; between one and itself its diagonal is a vector."""
        if a == b:
            self.add_vector(a, diagonal(form))
            return
        if a > b:
            a, b, form = b, a, m.transpose(form)
        self.matrices.setdefault((a, b), []).append(form)
        for label in (a, b):
            self.pairs.setdefault(label, set()).add((a, b))

    def ends(self, label: int) -> list[Pair]:
        """The pairs of labels that matrices join, one of them `label`."""
        return sorted(self.pairs.get(label, ()))

    def take(self, pair: Pair) -> list[Matrix]:
        """Remove all matrices between two labels."""
        for label in pair:
            self.pairs[label].discard(pair)
        return self.matrices.pop(pair)

    def ending(self, pair: Pair, label: int) -> tuple[int, Matrix]:
        """Remove what is between two labels; the other label, and a matrix with columns `label`."""
        form = m.hadamard(self.take(pair))
        return (pair[0], form) if pair[1] == label else (pair[1], m.transpose(form))
