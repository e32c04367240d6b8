"""Terms and sizes in, the form of the whole out: a Kronecker product, or a diagonal and low rank.

Several terms have in common the pairs that all of them have: their sum is one block for each value
of these, which is a single Kronecker product again. Only a diagonal with products of few columns
stays a sum, for Woodbury's formula. Between `terms.py` and `operator.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from tensorcalc import canonical
from tensorcalc.ir import Delta, Labels, Node
from tensorcalc.operators.terms import Part, Split, Term


@dataclass(frozen=True, slots=True)
class Form:
    """A linear map: `scale` times the Kronecker product of `parts`, plus products of `low` rank.

    `pairs` are axes of rows and columns that are equal. A part with splits is to be computed as the
    first of them. The map is zero if there is no scale.
    """

    scale: Node | None
    pairs: Mapping[int, int]
    parts: tuple[Part, ...]
    low: tuple[Split, ...] = ()


def choose(node: Node, rows: int, terms: Sequence[Term], sizes: Mapping[str, int]) -> Form:
    """The form of the derivative `node` whose first `rows` axes are those of the rows."""
    if not terms:
        return Form(None, {}, ())
    terms = [
        replace(term, parts=tuple([_best(part, node, sizes) for part in term.parts]))
        for term in terms
    ]
    if len(terms) == 1:
        (term,) = terms
        if not term.parts or term.parts[0].splits:
            return Form(term.scale, term.pairs, term.parts)
        first, *others = term.parts
        core = _times(term.scale, first.core)
        return Form(canonical.number(1), term.pairs, (replace(first, core=core), *others))
    low = [term for term in terms if not term.pairs and [len(p.splits) for p in term.parts] == [1]]
    rest = [term for term in terms if term not in low]
    if low and _are_diagonal(rest, rows, node.rank):
        count = prod(dim.value(sizes) for dim in node.dims[:rows])
        splits = [_scaled(term) for term in low]
        if 2 * sum(split.rank.value(sizes) for split in splits) < count:
            pairs = rest[0].pairs if rest else {}
            parts = (_block(rest, pairs, node, rows),) if rest else ()
            return Form(canonical.number(1) if rest else None, pairs, parts, tuple(splits))
    common = dict(terms[0].pairs)
    for term in terms:
        common = {row: col for row, col in common.items() if term.pairs.get(row) == col}
    if not common:
        every = Part((), tuple(range(rows)), tuple(range(node.rank - rows)), node)
        return Form(canonical.number(1), {}, (every,))
    return Form(canonical.number(1), common, (_block(terms, common, node, rows),))


def _best(part: Part, node: Node, sizes: Mapping[str, int]) -> Part:
    """The part with its split of least rank, or with none if that is not small."""
    count = prod(node.dims[axis].value(sizes) for axis in part.rows)
    ranks = [split.rank.value(sizes) for split in part.splits]
    if not ranks or 2 * min(ranks) >= count:
        return replace(part, splits=())
    return replace(part, splits=(part.splits[ranks.index(min(ranks))],))


def _are_diagonal(terms: Sequence[Term], rows: int, rank: int) -> bool:
    """Whether all terms pair all axes, and in the same way."""
    return 2 * rows == rank and all(
        len(term.pairs) == rows and term.pairs == terms[0].pairs for term in terms
    )


def _scaled(term: Term) -> Split:
    """The product of low rank that a term is, with its scale on the left."""
    (split,) = term.parts[0].splits
    return replace(split, left=_times(term.scale, split.left))


def _times(scale: Node, node: Node) -> Node:
    """A number times an array."""
    axes = tuple(range(node.rank))
    return canonical.einsum(node.rank, node.dims, [(scale, ()), (node, axes)])


def _block(terms: Sequence[Term], common: Mapping[int, int], node: Node, rows: int) -> Part:
    """The block for each value of the common pairs that the terms sum to."""
    left = tuple([axis for axis in range(rows) if axis not in common])
    right = tuple([a for a in range(node.rank - rows) if a not in common.values()])
    found = {axis for term in terms for part in term.parts for axis in part.shared}
    shared = tuple([axis for axis in common if axis in found])
    axes = (*shared, *left, *[axis + rows for axis in right])
    dims = [node.dims[axis] for axis in axes]
    products = [(Fraction(1), _product(term, axes, node, rows)) for term in terms]
    total = canonical.add(tuple(dims), products)
    return Part(shared, left, right, total)


def _product(term: Term, axes: Labels, node: Node, rows: int) -> Node:
    """A term as an array with these axes."""
    number = {axis: k for k, axis in enumerate(axes)}
    factors: list[tuple[Node, Labels]] = [(term.scale, ())]
    for row, col in term.pairs.items():
        if row in number and col + rows in number:
            factors.append((Delta.of(node.dims[row]), (number[row], number[col + rows])))
    for part in term.parts:
        own = (*part.shared, *part.rows, *[axis + rows for axis in part.cols])
        factors.append((part.core, tuple([number[axis] for axis in own])))
    return canonical.einsum(len(axes), [node.dims[axis] for axis in axes], factors)
