"""IR -> matrices written out: sums of entries and blocks at their places, as `[a, b; c, d]`.

The opposite of `blocks.py`. Used by `forms.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tensorcalc import canonical, matrix_algebra as m
from tensorcalc.dims import Dim
from tensorcalc.ir import Basis, Delta, Einsum, Labels, Node, Section
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.recognize.graph import SizeText

MAX_WRITTEN = 256  # entries of a matrix that is written out
Place = tuple[Dim, Dim]  # offset and size of a block along an axis


def grid(
    node: Node,
    form_of: Callable[[Node], Matrix | None],
    size_text: SizeText,
) -> Matrix | None:
    """The matrix written out, if every term of the node has its place; else None."""
    if node.rank not in (1, 2):
        return None
    placed: dict[tuple[Place, ...], list[tuple[Fraction, Node]]] = {}
    for coefficient, term in canonical.terms_of(node):
        found = _placed(term)
        if found is None:
            return None
        placed.setdefault(found[0], []).append((coefficient, found[1]))
    if not placed:
        return None
    axes = [_cuts(dim, {place[k] for place in placed}) for k, dim in enumerate(node.dims)]
    rows, columns = axes[0], axes[1] if node.rank == 2 else [(Dim.of(0), Dim.of(1))]
    if rows is None or columns is None or len(rows) * len(columns) > MAX_WRITTEN:
        return None
    table: list[list[Matrix]] = []
    for row in rows:
        table.append([])
        for column in columns:
            terms = placed.get((row, column)[: node.rank], ())
            forms = [(c, form_of(inner)) for c, inner in terms]
            turn = node.rank == 2 and row[1] == Dim.of(1) != column[1]  # a row of entries
            known = [(c, m.transpose(f) if turn else f) for c, f in forms if f is not None]
            if len(known) < len(forms) or any(
                inner.dims != _block(row, column, inner.rank) for _, inner in terms
            ):
                return None
            entry = m.sum_(known) if known else _zeros(row[1], column[1], size_text)
            if entry is None:
                return None
            if entry.op == "eye":  # the blocks beside it need not tell its size
                entry = m.eye(size_text(row[1]))
            table[-1].append(entry)
    return m.rows(table, tuple([size for _, size in (*rows, *columns)]))


def _placed(term: Node) -> tuple[tuple[Place, ...], Node] | None:
    """Where a term stands along each axis, and what stands there: a scalar, vector or matrix."""
    operands: tuple[Node, ...] = (term,)
    labels: tuple[Labels, ...] = (tuple(range(term.rank)),)
    sizes = list(term.dims)
    if isinstance(term, Einsum):
        operands, labels, sizes = term.operands, term.labels, list(term.sizes)
    places: dict[int, Place] = {}
    inner: dict[int, int] = {}
    rest: list[tuple[Node, Labels]] = []
    for operand, own in zip(operands, labels, strict=True):
        at = own[0] if own else -1
        if isinstance(operand, Basis) and at < term.rank and at not in places:
            places[at] = Dim.of(operand.position), Dim.of(1)
        elif isinstance(operand, Section) and at < term.rank and at not in places:
            places[at] = operand.offset, operand.dims[1]
            inner[at] = own[1]
        else:
            rest.append((operand, own))
    covered = {label for _, own in rest for label in own} | set(inner.values())
    for axis in set(range(term.rank)) - set(places) if inner else ():
        if axis in covered:
            places[axis] = Dim.of(0), term.dims[axis]  # the whole axis
            inner[axis] = axis
    if set(places) != set(range(term.rank)):
        return None
    if any(label in places and inner.get(label) != label for _, own in rest for label in own):
        return None
    one = Dim.of(1)
    kept = [inner[axis] for axis in range(term.rank) if places[axis][1] != one]
    if len(set(kept)) < len(kept):  # a unit matrix, of which only the labels were left
        rest.append((Delta.of(sizes[kept[0]]), (kept[0], len(sizes))))
        kept[1] = len(sizes)
        sizes.append(sizes[kept[0]])
    used = {label for _, own in rest for label in own} | set(kept) | set(inner.values())
    live = {label: sizes[label] for label in range(len(sizes)) if label in used}
    node = canonical.contract(kept, dict(live.items()), rest)
    return tuple([places[axis] for axis in range(term.rank)]), node


def _cuts(outer: Dim, places: set[Place]) -> list[Place] | None:
    """The stretches of an axis from its start to its end; gaps become stretches of their own."""
    one = Dim.of(1)
    entries = outer.is_integer and all(size == one for _, size in places)
    if entries and outer.constant <= MAX_WRITTEN:
        return [(Dim.of(k), one) for k in range(outer.constant)]
    cuts: list[Place] = []
    start = Dim.of(0)
    while start != outer:
        here = [place for place in places if place[0] == start]
        if len(here) > 1 or len(cuts) > MAX_WRITTEN:
            return None
        if here:
            cuts.append(here[0])
        else:
            later = [place[0] - start for place in places]
            gaps = [gap for gap in [*later, outer - start] if _is_positive(gap)]
            smallest = [gap for gap in gaps if all(g == gap or _is_positive(g - gap) for g in gaps)]
            if not smallest:
                return None
            cuts.append((start, smallest[0]))
        start = start + cuts[-1][1]
    return cuts if set(places) <= set(cuts) else None


def _block(row: Place, column: Place, rank: int) -> tuple[Dim, ...]:
    """The sizes of what stands in a block: those that are not 1, as many as it has axes."""
    own = [size for _, size in (row, column)]
    return tuple(own) if rank == 2 else tuple([d for d in own if d != Dim.of(1)][:rank])


def _is_positive(dim: Dim) -> bool:
    return bool(dim.terms) and all(number > 0 for _, number in dim.terms)


def _zeros(rows: Dim, columns: Dim, size_text: SizeText) -> Matrix | None:
    one = Dim.of(1)
    if rows == one == columns:
        return m.number(Fraction(0))
    texts = [size_text(dim) for dim in (rows, columns) if dim != one]
    if None in texts:
        return None
    kind = "matrix" if len(texts) == 2 else "vector"
    shape = "matrix" if len(texts) == 2 else "row" if rows == one else "column"
    sizes = [m.name(str(text), "scalar") for text in texts]
    zeros = m.call(kind, [m.number(Fraction(0)), *sizes], "column" if shape == "row" else shape)
    return m.transpose(zeros) if shape == "row" else zeros
