"""Explicit matrices: rows of entries or blocks in, one matrix out. Used by `elaborate/`.

An entry stands at its place by unit vectors, a block by a `Section`; so a matrix written out is a
sum of contractions, and nothing further on needs to know of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.dims import Dim
from tensorcalc.errors import ShapeError, Span
from tensorcalc.ir import Node, Section
from tensorcalc.shapes import Shapes
from tensorcalc.value import Value

UNIT = Dim.of(1)


@dataclass(slots=True)
class _Block:
    value: Value
    rows: Dim
    columns: Dim


def join_blocks(rows: Sequence[Sequence[Value]], shapes: Shapes, span: Span) -> Value:
    """``[a, b; c, d]``: a matrix; of one column a column, of one row a row, of one entry a scalar.

    The blocks of a row have equal heights, all rows the same width. A number 0 among blocks stands
    for a block of zeros.
    """
    values = [value for row in rows for value in row]
    table = [[_block(value, span) for value in row] for row in rows]
    if any(value.rank for value in values):
        _grow_zeros(table, shapes)
    summed = v.check_scopes(values, span)
    indices = list(dict.fromkeys(i for value in values for i in value.indices))
    sizes: dict[Hashable, Dim] = {}
    for value in values:
        for index, dim in zip(value.indices, value.node.dims, strict=False):
            if not shapes.equate(sizes.setdefault(index, dim), dim):
                raise ShapeError(f"index {index} would have two sizes", span)
    height, width = Dim.of(0), None
    placed: list[tuple[_Block, Dim, Dim]] = []
    for row in table:
        column = Dim.of(0)
        for block in row:
            if not shapes.equate(row[0].rows, block.rows):
                raise ShapeError(
                    f"blocks of one row have different heights: {row[0].value.describe(shapes)}; "
                    f"{block.value.describe(shapes)}",
                    span,
                )
            placed.append((block, height, column))
            column = column + shapes.resolve(block.columns)
        if width is None:
            width = column
        elif not shapes.equate(shapes.resolve(width), column):
            sides = f"{_shown(shapes.resolve(width))} and {_shown(shapes.resolve(column))}"
            raise ShapeError(
                f"the rows of a matrix have different lengths: {sides}",
                span,
                "entries are separated by `,`, rows by `;`",
            )
        height = height + shapes.resolve(row[0].rows)
    whole = (shapes.resolve(height), shapes.resolve(width or UNIT))
    terms = [
        (Fraction(1), _placed(block, row, column, whole, indices, sizes, shapes))
        for block, row, column in placed
    ]
    dims = (*(sizes[i] for i in indices), *(dim for dim in whole if dim != UNIT))
    node = canonical.add(dims, terms)
    return Value(node, tuple(indices), whole[0] == UNIT != whole[1], span, summed)


def _block(value: Value, span: Span) -> _Block:
    match value.whole, value.row:
        case (), _:
            return _Block(value, UNIT, UNIT)
        case (dim,), True:
            return _Block(value, UNIT, dim)
        case (dim,), False:
            return _Block(value, dim, UNIT)
        case (rows, columns), _:
            return _Block(value, rows, columns)
    raise ShapeError(f"a tensor cannot stand in a matrix: {value.source}", value.span or span)


def _shown(dim: Dim) -> str:
    return "?" if dim.is_inferred else str(dim)


def _grow_zeros(table: list[list[_Block]], shapes: Shapes) -> None:
    """Numbers 0 take the size of the blocks beside, above and below them."""
    for row in table:
        for place, block in enumerate(row):
            if block.value.rank or not canonical.is_zero(block.value.node):
                continue
            beside = [b for b in row if not _is_zero(b)]
            above = [r[place] for r in table if place < len(r) and not _is_zero(r[place])]
            block.rows = beside[0].rows if beside else UNIT
            block.columns = above[0].columns if above else UNIT


def _is_zero(block: _Block) -> bool:
    return not block.value.rank and canonical.is_zero(block.value.node)


def _placed(
    block: _Block,
    row: Dim,
    column: Dim,
    whole: tuple[Dim, Dim],
    indices: list[str],
    sizes: dict[Hashable, Dim],
    shapes: Shapes,
) -> Node:
    """A block at its place among zeros."""
    ends = ("row", "column")
    offsets = (shapes.resolve(row), shapes.resolve(column))
    inner = (shapes.resolve(block.rows), shapes.resolve(block.columns))
    output: list[Hashable] = [
        *indices,
        *(e for e, dim in zip(ends, whole, strict=True) if dim != UNIT),
    ]
    known: dict[Hashable, Dim] = {**sizes, **dict(zip(ends, whole, strict=True))}
    factors: list[tuple[Node, Sequence[Hashable]]] = []
    own: list[Hashable] = []
    for axis, end in enumerate(ends):
        own.append(("own", axis))
        known["own", axis] = inner[axis]
        section = Section.of(whole[axis], inner[axis], offsets[axis])
        if whole[axis] != UNIT:
            factors.append((section, (end, ("own", axis))))
        else:
            del known[end]
    value = block.value
    if _is_zero(block):
        return canonical.zeros(tuple([known[label] for label in output]))
    kept = {0: [], 1: own[1:] if value.row else own[:1], 2: own}[value.rank]
    factors.append((value.node, (*value.indices, *kept)))
    for label in own:
        if known[label] == UNIT and label not in kept and not any(label in a for _, a in factors):
            del known[label]
    return canonical.contract(output, known, factors)
