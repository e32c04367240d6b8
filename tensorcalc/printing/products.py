"""Products in index notation: a contraction in, what its factors are written as out.

A factor may be a divisor or an integer subscript, or stand inside of ``kron`` and ``vec``. Used by
`index.py`.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Add,
    Basis,
    Delta,
    Einsum,
    Labels,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Section,
    Variable,
)

UNIT = Dim.of(1)


def fixed_labels(node: Einsum) -> dict[int, int]:
    """Summed labels at which a unit vector fixes one other factor, and where."""
    counts = Counts(label for own in node.labels for label in own)
    return {
        labels[0]: operand.position
        for operand, labels in zip(node.operands, node.labels, strict=True)
        if isinstance(operand, Basis) and labels[0] >= node.rank and counts[labels[0]] == 2
    }


def lone_units(node: Einsum) -> list[int]:
    """Summed labels of size 1 at which only a block's place stands."""
    counts = Counts(label for own in node.labels for label in own)
    return [
        labels[1]
        for operand, labels in zip(node.operands, node.labels, strict=True)
        if isinstance(operand, Section) and operand.dims[1] == UNIT
        and labels[1] >= node.rank and counts[labels[1]] == 1
    ]  # fmt: skip


def has_one_term_each(node: Add) -> bool:
    """Whether the terms stand at different places of a matrix, one at each."""
    places: set[frozenset[tuple[Node, int]]] = set()
    for term in node.operands:
        factors: list[tuple[Node, Labels]] = [(term, tuple(range(term.rank)))]
        alone = 0
        if isinstance(term, Einsum):
            factors = list(zip(term.operands, term.labels, strict=True))
            alone = len(lone_units(term))
        placed = {
            (factor, own[0])
            for factor, own in factors
            if isinstance(factor, Basis | Section) and own[0] < node.rank
        }
        units = [f for f, _ in factors if isinstance(f, Section) and f.dims[1] == UNIT]
        if not placed or len(units) > alone:  # a vector of one entry reads as a scalar
            return False
        places.add(frozenset(placed))
    return len(places) == len(node.operands)


def grouped_factors(
    node: Einsum, left_out: set[int], squares: bool
) -> list[tuple[Node, tuple[int, ...], int]]:
    """The factors of a product, some left out; what stands twice at one place, once.

    Entries of variables only where `squares` says so, where their labels are axes in order.
    """
    groups: dict[tuple[Node, tuple[int, ...]], int] = {}
    result: list[tuple[Node, tuple[int, ...], int]] = []
    for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
        if k in left_out or isinstance(operand, Merge):
            continue
        is_free = squares and list(labels) == sorted(a for a in labels if a < node.rank)
        if isinstance(operand, Add | Map | Einsum) or (is_free and isinstance(operand, Variable)):
            groups[operand, labels] = groups.get((operand, labels), 0) + 1
        else:
            result.append((operand, labels, 1))
    return result + [(operand, labels, times) for (operand, labels), times in groups.items()]


def is_product(node: Node) -> bool:
    """Whether a node is a number times a product of several factors."""
    terms = canonical.terms_of(node)
    return len(terms) == 1 and isinstance(terms[0][1], Einsum) and len(terms[0][1].operands) > 1


def divisor(node: Node) -> tuple[Node, Fraction]:
    """Base and exponent of what a factor divides by; 0 of what is no divisor."""
    if isinstance(node, Map) and node.function == "pow":
        exponent = canonical.as_number(node.operands[1])
        if exponent is not None and exponent < 0 and not is_one_over_square(node):
            return node.operands[0], -exponent
    return node, Fraction(0)


def is_one_over_square(node: Map) -> bool:
    """Whether a power is one over a square that the parser would not take for one.

    The square of a norm is a sum of squares, that of a sum a sum over two indices.
    """
    base, exponent = node.operands
    while isinstance(base, Einsum) and len(base.operands) == 1:
        if len(base.sizes) > base.rank:
            break
        (base,) = base.operands
    is_norm = isinstance(base, MatrixFunction) and base.function in canonical.NORMS
    is_sum = isinstance(base, Einsum) and len(base.operands) == 1
    return (is_norm or is_sum) and canonical.as_number(exponent) == -2


@dataclass(frozen=True, slots=True)
class Part:
    """What stands at one part of a merged axis, or at both of two: a factor, else a unit vector.

    `labels` are the factor's, `own` those that merge; of a unit vector the one label. `size` is
    that of the part. `members` are the factors of the product that it takes, `gone` the labels
    that then are no longer in the product.
    """

    size: Dim
    own: Labels
    factor: Node | None = None
    labels: Labels = ()
    members: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Merged:
    """Merged axes with the factors at their parts: ``kron(A, B)[a,b]`` or ``vec(X)[a]``.

    `merges` are the places of their `Merge` nodes in the product, `labels` the subscripts. Where
    `is_row` is said, vectors stand as rows, as in ``kron(x', A)[i,a]``.
    """

    merges: tuple[int, ...]
    function: str
    labels: Labels
    parts: tuple[Part, ...]
    is_row: bool = False

    @property
    def transposed(self) -> Merged:
        """The same with its two subscripts the other way round."""
        parts = tuple([replace(part, own=part.own[::-1]) for part in self.parts])
        return replace(self, labels=self.labels[::-1], parts=parts, is_row=not self.is_row)


def merged_factors(node: Einsum) -> list[Merged]:
    """The merged axes of a product, with those of its factors that can stand inside of them."""
    merges = [k for k, operand in enumerate(node.operands) if isinstance(operand, Merge)]
    product = _Product(node, merges) if merges else None
    found: list[Merged] = []
    while merges and product is not None:
        merged = product.matrices(merges) or product.column(merges[0])
        for part in merged.parts:
            product.taken |= part.members
        merges = [k for k in merges if k not in merged.merges]
        found.append(merged)
    return found


class _Product:
    """A product with merged axes, and those of its factors that stand inside of them already."""

    def __init__(self, node: Einsum, merges: Sequence[int]) -> None:
        self.node = node
        self.taken: frozenset[int] = frozenset()
        self.counts = Counts(label for own in node.labels for label in own)
        self.heads = {node.labels[k][0] for k in merges}
        outside = {label for k in merges for label in node.labels[k]} | set(range(node.rank))
        self.others = [k for k in range(len(node.operands)) if k not in merges]
        # factors that further labels connect, and the labels by which they hang on the rest
        self.clusters: dict[int, tuple[list[int], frozenset[int]]] = {}
        for k in self.others:
            if k in self.clusters:
                continue
            members, labels = [k], set(node.labels[k])
            for j in members:  # grows
                labels |= set(node.labels[j])
                members += [
                    i for i in self.others
                    if i not in members and not (labels - outside).isdisjoint(node.labels[i])
                ]  # fmt: skip
            cluster = members, frozenset(labels & outside)
            self.clusters.update(dict.fromkeys(members, cluster))

    def owner(self, label: int) -> int:
        """The one factor that stands at a label that merges; -1 if there is none."""
        if label < self.node.rank or self.counts[label] != 2:
            return -1
        found = [k for k in self.others if label in self.node.labels[k] and k not in self.taken]
        return found[0] if found else -1

    def whole(self, own: Labels) -> Part | None:
        """All that hangs at these labels, where it hangs at nothing else."""
        node, k = self.node, self.owner(own[0])
        if k < 0 or any(self.owner(label) < 0 for label in own):
            return None
        members, ends = self.clusters[k]
        if ends != frozenset(own):
            return None
        size, gone = node.sizes[own[0]], frozenset(a for j in members for a in node.labels[j])
        if len(members) == 1 and gone == ends:
            return Part(size, own, node.operands[k], node.labels[k], frozenset(members), gone)
        sizes: dict[Hashable, Dim] = {label: node.sizes[label] for label in sorted(gone)}
        factors = [(node.operands[j], node.labels[j]) for j in members]
        inner = canonical.contract(own, sizes, factors)
        return Part(size, own, inner, own, frozenset(members), gone)

    def single(self, label: int, parts: Sequence[int]) -> Part:
        """One factor, its other labels further out; or a unit vector."""
        node, k = self.node, self.owner(label)
        own = frozenset(node.labels[k] if k >= 0 else ())
        fits = len(own) == node.operands[k].rank and own.isdisjoint(self.heads)
        if k < 0 or not fits or len(own.intersection(parts)) > 1 or self.is_fixed(k):
            return Part(node.sizes[label], (label,))
        return Part(
            node.sizes[label], (label,), node.operands[k], node.labels[k],
            frozenset({k}), frozenset({label}),
        )  # fmt: skip

    def is_fixed(self, k: int) -> bool:
        return isinstance(self.node.operands[k], Basis)

    def matrices(self, merges: Sequence[int]) -> Merged | None:
        """The first merged axis and another as those of a Kronecker product of matrices."""
        row, *rows = self.node.labels[merges[0]]
        for other in merges[1:]:
            column, *columns = self.node.labels[other]
            if len(columns) != len(rows):
                continue
            parts = [self.whole(own) for own in zip(rows, columns, strict=True)]
            found = [part for part in parts if part is not None]
            if len(found) < len(parts):
                continue
            if self.node.labels[self.owner(rows[0])].index(rows[0]):  # A rather than A'
                found = [replace(part, own=part.own[::-1]) for part in found]
                row, column = column, row
            places = merges[0], other
            return Merged(places, "kron", (row, column), tuple(found))
        return None

    def column(self, merge: int) -> Merged:
        """A merged axis with the vectors at its parts, or with the matrix at both."""
        head, *own = self.node.labels[merge]
        matrix = self.whole((own[1], own[0])) if len(own) == 2 else None
        if matrix is not None:
            return Merged((merge,), "vec", (head,), (matrix,))
        parts = [self.whole((label,)) or self.single(label, own) for label in own]
        open_ = [k for k, part in enumerate(parts) if len(part.labels) != 1]
        if len(open_) == 1:  # the columns or rows of one matrix
            matrix = self.beside(parts[open_[0]])
            if matrix is not None:
                is_row = matrix.labels[0] != matrix.own[0]
                other = matrix.own[1]
                if is_row:
                    matrix = replace(matrix, own=matrix.own[::-1])
                parts[open_[0]] = matrix
                ends = (other, head) if is_row else (head, other)
                return Merged((merge,), "kron", ends, tuple(parts), is_row)
        return Merged((merge,), "kron", (head,), tuple(parts))

    def beside(self, part: Part) -> Part | None:
        """A unit vector or factor with one label further out as a matrix, that label last."""
        if part.factor is None:
            labels = part.own * 2
            return replace(part, own=labels, factor=Delta.of(part.size), labels=labels)
        others = [label for label in part.labels if label not in part.own]
        return replace(part, own=(*part.own, *others)) if len(others) == 1 else None
