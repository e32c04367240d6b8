"""Operands of the language with their reading: index scopes and orientation on top of the IR.

A `Value` is what an expression means before it is closed: a node whose first axes carry free
index names and whose other axes are the "whole" part, a scalar, column, row, matrix or tensor.
The functions here are the language's operations on values; `elaborate/` calls them for text
and `expression.py` for Python operators, so both obey the same rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import MAX_QUOTED, IndexNotationError, ShapeError, Span, quote
from tensorcalc.ir import Basis, Einsum, Merge, Node, Section, Variable
from tensorcalc.shapes import Shapes
from tensorcalc.source import NO_SOURCE, Source

NO_SUMS: Mapping[str, Span | None] = {}


@dataclass(frozen=True, slots=True)
class Value:
    """A node with names for its first axes.

    `indices` may name an index twice in a factor that still waits for its product. `row` says
    that a rank-1 whole part stands as a row. `summed` are the indices that Einstein's convention
    has summed inside, with the place. `span` is where the value was written.
    """

    node: Node
    indices: tuple[str, ...] = ()
    row: bool = False
    span: Span | None = None
    summed: Mapping[str, Span | None] = field(default_factory=lambda: NO_SUMS)
    note: str = ""  # why an undeclared name has its kind
    variables: Mapping[str, Variable] | None = None  # of the node, where they are known
    origin: Source = NO_SOURCE  # of a node made elsewhere

    @property
    def rank(self) -> int:
        """The number of whole axes."""
        return self.node.rank - len(self.indices)

    @property
    def whole(self) -> tuple[Dim, ...]:
        """The sizes of the whole axes."""
        return self.node.dims[len(self.indices) :]

    @property
    def source(self) -> str:
        """The value as it was written."""
        if self.span is not None and self.span.text:
            return self.span.source
        return quote(self.node.name) if isinstance(self.node, Variable) else "an operand"

    def describe(self, shapes: Shapes) -> str:
        """What a message says of this value: ``X is 3×4``, ``y has 5 entries``."""
        dims = [str(d) if not d.is_inferred else "?" for d in shapes.resolve_all(self.whole)]
        kind = ("scalar", "row" if self.row else "vector", "matrix", "tensor")[min(self.rank, 3)]
        if self.rank > 1 and set(dims) != {"?"}:
            return f"{self.source} is {'×'.join(dims)}"
        if self.rank != 1 or dims == ["?"]:
            return f"{self.source} is a {kind}"
        entries = f"{dims[0]} {'entry' if dims == ['1'] else 'entries'}"
        return f"{self.source} {'is a row of' if self.row else 'has'} {entries}"


@dataclass(frozen=True, slots=True)
class Factor:
    """A value in a product, joined to what stands before it by `operator`."""

    operator: str
    value: Value


def _notes(values: Sequence[Value]) -> str | None:
    notes = [v.note for v in values if v.note]
    return "; ".join(dict.fromkeys(notes)) or None


def contract(
    shapes: Shapes,
    factors: Sequence[tuple[Node, Sequence[Hashable]]],
    output: Sequence[Hashable],
    span: Span | None,
    values: Sequence[Value] = (),
) -> Node:
    """The Einsum of `factors` under any hashable labels; equal labels have equal sizes."""
    sizes: dict[Hashable, Dim] = {}
    owners: dict[Hashable, int] = {}
    merged: dict[Hashable, Dims] = {}
    for place, (node, labels) in enumerate(factors):
        for axis, (dim, label) in enumerate(zip(node.dims, labels, strict=True)):
            parts = _merged(node, axis)
            known = merged.setdefault(label, parts) if parts else merged.get(label)
            if known and parts:
                shapes.same_dims(known, parts)
            owner = owners.setdefault(label, place)
            if not shapes.equate(sizes.setdefault(label, dim), dim):
                sides = [str(shapes.resolve(d)) for d in (sizes[label], dim)]
                both = [values[k] for k in (owner, place) if k < len(values)]
                raise _conflict(label, sides, both, shapes, span)
    return canonical.contract(output, sizes, factors)


def _conflict(
    label: Hashable,
    sides: Sequence[str],
    values: Sequence[Value],
    shapes: Shapes,
    span: Span | None,
) -> ShapeError:
    """The error that an index, or an axis of two operands, has two sizes."""
    message = f"the sizes would be both {sides[0]} and {sides[1]}"
    if isinstance(label, str):
        message = f"index {label} would be both {sides[0]} and {sides[1]}"
        if len(values) == 2 and values[0] is not values[1]:
            told = [f"{side} in {v.source}" for side, v in zip(sides, values, strict=True)]
            message += f": {' but '.join(told)}"
    elif len(values) == 2 and values[0] is not values[1]:
        message = " but ".join([value.describe(shapes) for value in values])
        if all(value.rank == 2 for value in values):
            message += f": {sides[0]} and {sides[1]} differ"
        if span is not None and span.text:
            message = f"{span.source}: {message}"
    return ShapeError(message, span, _notes(values))


def make_square(value: Value, shapes: Shapes) -> bool:
    """Make the sizes of a matrix equal; False if they cannot be, or it is none."""
    if value.rank != 2:
        return False
    n = len(value.indices)
    parts = _merged(value.node, n), _merged(value.node, n + 1)
    shapes.same_dims(*parts)
    return shapes.equate(*value.whole)


def _merged(node: Node, axis: int) -> Dims:
    """The sizes of the axes that were merged into one, as by `vec` and `kron`."""
    if isinstance(node, Merge) and axis == 0:
        return node.dims[1:]
    if isinstance(node, Einsum):
        for operand, labels in zip(node.operands, node.labels, strict=True):
            if isinstance(operand, Merge) and labels[0] == axis:
                return operand.dims[1:]
    return ()


def check_scopes(values: Sequence[Value], span: Span | None) -> dict[str, Span | None]:
    """All implicit sums of `values`; an index summed in one must not be free in another."""
    summed: dict[str, Span | None] = {}
    for value in values:
        summed.update(value.summed)
    if summed:
        for value in values:
            for index in value.indices:
                if index in summed:
                    raise IndexNotationError(
                        f"index {index} is summed in an inner product and also stands outside it",
                        summed[index] or span,
                        _readings(index, summed[index], span),
                    )
    return summed


def _readings(index: str, inner: Span | None, outer: Span | None) -> str:
    """The two readings of an index that is summed inside and stands outside, to choose from."""
    if (
        inner is None or outer is None or not outer.text or inner.text != outer.text
        or not outer.start <= inner.start <= inner.end <= outer.end
        or outer.end - outer.start > MAX_QUOTED
    ):  # fmt: skip
        return (
            f"write `sum[{index}](…)` around the inner product to sum there, or "
            f"around the whole to keep {index} inside"
        )
    text = outer.text
    before, after = text[outer.start : inner.start], text[inner.end : outer.end]
    inside = f"{before}sum[{index}]({inner.source}){after}"
    return f"write `{quote(inside)}` to sum inside, or `sum[{index}]({outer.source})` to sum all"


def close(value: Value, shapes: Shapes, bound: frozenset[str]) -> Value:
    """The value of a whole product: an index that repeats and is not bound is summed."""
    return multiply([Factor("*", value)], shapes, bound, value.span)


def multiply(
    factors: Sequence[Factor],
    shapes: Shapes,
    bound: frozenset[str],
    span: Span | None,
    *,
    keep_open: bool = False,
) -> Value:
    """The product of all factors, left to right, as one contraction.

    ``*`` and ``@`` join matrices, vectors and scalars; ``.*`` and ``./`` go entry by entry; ``/``
    divides by a scalar. Indices that occur more than once and are not bound are summed; with
    `keep_open` they wait, named once per occurrence, for the product that this one stands in.
    """
    values = [factor.value for factor in factors]
    summed = check_scopes(values, span)
    counts = Counter(index for value in values for index in value.indices)
    repeated = [i for i, count in counts.items() if count > 1]
    if len(factors) == 1 and (keep_open or not repeated):
        return replace(values[0], summed=summed, span=span)
    joined = _Joined(shapes, span)
    for factor in factors:
        joined.join(factor)
    parts = [(node, [joined.find(a) for a in labels]) for node, labels in joined.parts]
    indices = [i for i in counts if i in bound or i not in repeated]
    output: list[Hashable] = list(indices)
    if keep_open:
        indices, output = [], []
        for (_, labels), value in zip(parts, values, strict=True):
            for axis, index in enumerate(value.indices):
                labels[axis] = (index, len(indices))
                indices.append(index)
                output.append(labels[axis])
    else:
        summed.update(dict.fromkeys([i for i in repeated if i not in bound], span))
    whole = [joined.find(a) for a in joined.labels]
    node = contract(shapes, parts, [*output, *whole], span, values)
    return Value(node, tuple(indices), joined.row, span, summed)


class _Joined:
    """The whole part of a product as it grows from left to right."""

    def __init__(self, shapes: Shapes, span: Span | None) -> None:
        self.shapes, self.span = shapes, span
        self.parts: list[tuple[Node, list[Hashable]]] = []
        self.labels: list[int] = []
        self.row = False
        self.before: Value | None = None
        self._count = 0
        self._same: dict[Hashable, Hashable] = {}

    def find(self, label: Hashable) -> Hashable:
        while label in self._same:
            label = self._same[label]
        return label

    def join(self, factor: Factor) -> None:
        value, operator = factor.value, factor.operator
        labels = list(range(self._count, self._count + value.rank))
        self._count += value.rank
        node = value.node
        if operator in ("/", "./"):
            if operator == "/" and value.rank:
                hint = "write `./` to divide entry by entry"
                if value.rank == 2:
                    hint = f"write `*inv({value.source})`, or `./` to divide entry by entry"
                raise ShapeError(
                    f"division by something that is not a scalar: {value.describe(self.shapes)}",
                    value.span,
                    f"{hint}; {value.note}" if value.note else hint,
                )
            node = canonical.power(node, -1)
        self.parts.append((node, [*value.indices, *labels]))
        entrywise = operator in (".*", "./")
        if self.before is not None and self.labels and labels:
            self._whole(value, labels, entrywise)
        elif labels:
            self.labels, self.row = labels, value.row
        if value.rank:
            self.before = replace(value, row=self.row)

    def _whole(self, value: Value, labels: list[int], entrywise: bool) -> None:
        """Both sides have whole axes: match them."""
        left, right = self.labels, labels
        if entrywise:
            if len(left) != len(right) or (len(left) == 1 and self.row != value.row):
                self._fail(value, "entry by entry")
            self._same.update({b: a for a, b in zip(left, right, strict=True) if a != b})
            return
        kinds = (self._kind(len(left), self.row), self._kind(len(right), value.row))
        match kinds:
            case (
                ("matrix", "matrix") | ("matrix", "column") | ("row", "matrix") | ("row", "column")
            ):
                self._same[right[0]] = left[-1]
                self.labels = left[:-1] + right[1:]
                self.row = kinds[0] == "row" and len(self.labels) == 1
            case ("column", "row"):
                self.labels, self.row = left + right, False
            case _:
                self._fail(value, "as a matrix product")

    @staticmethod
    def _kind(rank: int, row: bool) -> str:
        if rank == 1:
            return "row" if row else "column"
        return "matrix" if rank == 2 else "tensor"

    def _fail(self, value: Value, how: str) -> None:
        left = self.before
        told = "" if left is None else left.describe(self.shapes) + "; "
        hint = (
            "write `x'*y` for the inner, `x*y'` for the outer and `x.*y` for the entrywise product"
        )
        if left is not None and 2 in (left.rank, value.rank):
            hint = "a row is written `x'`; `A*x` and `x'*A` are the products of matrix and vector"
        if max(len(self.labels), value.rank) > 2:
            hint = "write tensors of rank 3 and more in index notation, `T[i,j,k]*x[k]`"
        notes = _notes([v for v in (left, value) if v is not None])
        raise ShapeError(
            f"cannot multiply {how}: {told}{value.describe(self.shapes)}",
            self.span,
            hint + (f"; {notes}" if notes else ""),
        )


def align(
    values: Sequence[Value], shapes: Shapes, span: Span | None, what: str
) -> tuple[list[Node], Value]:
    """All values broadcast to common indices and one whole shape, and the frame they share."""
    summed = check_scopes(values, span)
    indices = list(dict.fromkeys(i for value in values for i in value.indices))
    shaped = [value for value in values if value.rank]
    for value in shaped[1:]:
        first = shaped[0]
        if value.rank != first.rank or (value.rank == 1 and value.row != first.row):
            raise ShapeError(
                f"{what} different shapes: {first.describe(shapes)}; {value.describe(shapes)}",
                span,
                _notes([first, value]) or "only a scalar is broadcast to every entry",
            )
        for axis, (a, b) in enumerate(zip(first.whole, value.whole, strict=True)):
            parts = [_merged(v.node, len(v.indices) + axis) for v in (first, value)]
            if all(parts):
                shapes.same_dims(*parts)
            if not shapes.equate(a, b):
                raise ShapeError(
                    f"{what} different sizes: {first.describe(shapes)}; {value.describe(shapes)}",
                    span,
                    _notes([first, value]),
                )
    whole = shaped[0].whole if shaped else ()
    labels: list[Hashable] = [*indices, *range(len(whole))]
    dims: dict[str, Dim] = {}
    for value in values:
        for index, dim in zip(value.indices, value.node.dims, strict=False):
            if not shapes.equate(dims.setdefault(index, dim), dim):
                sides = shapes.resolve(dims[index]), shapes.resolve(dim)
                raise ShapeError(
                    f"index {index} would be both {sides[0]} and {sides[1]}", span, _notes(values)
                )
    sizes = [*(dims[i] for i in indices), *whole]
    place = {label: axis for axis, label in enumerate(labels)}
    straight = tuple(range(len(sizes)))
    nodes = []
    for value in values:
        own = tuple([place[a] for a in (*value.indices, *range(value.rank))])
        aligned = own == straight
        node = value.node if aligned else canonical.einsum(len(sizes), sizes, [(value.node, own)])
        nodes.append(node)
    row = bool(shaped) and shaped[0].row
    return nodes, Value(nodes[0], tuple(indices), row, span, summed)


def add(
    terms: Sequence[tuple[Fraction, Value]],
    shapes: Shapes,
    bound: frozenset[str],
    span: Span | None,
) -> Value:
    """The sum of terms: equal free indices (bound ones aside), equal shapes, scalars broadcast."""
    values = [value for _, value in terms]
    free = [
        (value, indices)
        for value in values
        for indices in [frozenset(value.indices) - bound]
        if indices
    ]
    for value, indices in free[1:]:
        if indices != free[0][1]:
            missing = sorted(indices ^ free[0][1])
            raise IndexNotationError(
                f"the terms of a sum have different free indices: {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not in all of them",
                value.span or span,
                f"sum over it with `sum[{missing[0]}](…)`, or name the result's axes with an arrow"
                f" `-> [{', '.join(sorted(indices | free[0][1]))}]`",
            )
    nodes, frame = align(values, shapes, span, "the terms of a sum have")
    total = canonical.add(
        nodes[0].dims, [(c, node) for (c, _), node in zip(terms, nodes, strict=True)]
    )
    return replace(frame, node=total)


def elementwise(function: str, values: Sequence[Value], shapes: Shapes, span: Span | None) -> Value:
    """An elementwise function of values of one shape, scalars broadcast."""
    nodes, frame = align(values, shapes, span, f"the arguments of {function} have")
    return replace(frame, node=canonical.elementwise(function, nodes))


def transpose(value: Value, span: Span | None) -> Value:
    """The transpose: rows and columns swap; a scalar stays."""
    if value.rank > 2:
        raise ShapeError(
            f"only matrices and vectors have a transpose: {value.source} has {value.rank} axes",
            span,
            "name the axes: `T[i,j,k] -> [k,j,i]`",
        )
    if value.rank < 2:
        return replace(value, row=value.rank == 1 and not value.row, span=span)
    n = len(value.indices)
    order = (*range(n), n + 1, n)
    dims = [value.node.dims[a] for a in order]
    node = canonical.einsum(n + 2, dims, [(value.node, order)])
    return replace(value, node=node, span=span)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A subscript that is an index for a stretch of the axis: `size` entries from `start` on."""

    index: str
    start: Dim
    size: Dim


Subscript = str | int | Stretch


def subscript(
    base: Value, subscripts: Sequence[Subscript], shapes: Shapes, span: Span | None
) -> Value:
    """``base[i,j]``: the whole axes get index names, or are fixed at an integer (from 0)."""
    if len(subscripts) != base.rank:
        count = f"{len(subscripts)} subscript" + "s" * (len(subscripts) != 1)
        hint: str | None = base.note
        if base.source.endswith("]"):
            hint = "write all subscripts in one pair of brackets: `A[i,j]`"
        raise IndexNotationError(f"{count}, but {base.describe(shapes)}", span, hint or None)
    names: list[str] = []
    n = len(base.indices)
    labels: list[Hashable] = list(range(base.node.rank))
    factors: list[tuple[Node, Sequence[Hashable]]] = [(base.node, labels)]
    output: list[Hashable] = list(range(n))
    for axis, (sub, dim) in enumerate(zip(subscripts, base.whole, strict=True), start=n):
        if isinstance(sub, str):
            names.append(sub)
            output.append(axis)
            continue
        if isinstance(sub, Stretch):
            names.append(sub.index)
            output.append(("stretch", axis))
            outer = shapes.resolve(dim)
            beyond = sub.start + sub.size - outer
            if any(all(n < 0 for _, n in d.terms) and d.terms for d in (sub.start, beyond * -1)):
                raise ShapeError(
                    f"{sub.index} runs from {sub.start} to {sub.start + sub.size - 1}, "
                    f"but the axis has {outer} entries",
                    span,
                    "subscripts count from 0",
                )
            section = Section.of(outer, sub.size, sub.start)
            factors.append((section, (axis, ("stretch", axis))))
            continue
        size = shapes.resolve(dim)
        if size.is_integer and sub >= size.constant:
            raise ShapeError(f"subscript {sub} is out of range: the axis has {size} entries", span)
        factors.append((Basis.of(dim, sub), (axis,)))
    node = contract(shapes, factors, output, span)
    return replace(base, node=node, indices=base.indices + tuple(names), row=False, span=span)


def reduce_indices(value: Value, indices: Sequence[str], span: Span | None) -> Value:
    """The sum over named indices."""
    for index in indices:
        if index not in value.indices:
            hint = "its size is unknown; multiply by the size instead"
            if value.rank:
                hint = f"give what is summed its subscripts, as in `x[{index}]`"
            raise IndexNotationError(
                f"index {index} never occurs in what is summed over it", span, hint
            )
    keep = [a for a, i in enumerate(value.indices) if i not in indices]
    keep += range(len(value.indices), value.node.rank)
    number = {a: k for k, a in enumerate(keep)}
    labels = [number.setdefault(a, len(number)) for a in range(value.node.rank)]
    dims = [d for _, d in sorted(zip(labels, value.node.dims, strict=True), key=lambda p: p[0])]
    node = canonical.einsum(len(keep), dims, [(value.node, tuple(labels))])
    names = tuple(i for i in value.indices if i not in indices)
    return replace(value, node=node, indices=names, span=span)


def sum_whole(value: Value, axes: Sequence[int], shapes: Shapes, span: Span | None) -> Value:
    """The sum over some whole axes (numbered from 0)."""
    n = len(value.indices)
    gone = {n + a for a in axes}
    output: list[Hashable] = [a for a in range(value.node.rank) if a not in gone]
    node = contract(shapes, [(value.node, list(range(value.node.rank)))], output, span)
    row = value.rank == 2 and list(axes) == [0]
    return Value(node, value.indices, row, span, value.summed)


def arrange(
    value: Value, axes: Sequence[str], span: Span | None, outer: frozenset[str] = frozenset()
) -> Value:
    """The value with its free indices as whole axes, in the order `axes`; `outer` ones stay."""
    missing = [i for i in axes if i not in value.indices]
    if missing:
        raise IndexNotationError(
            f"index {missing[0]} is to be an axis of the result, but does not occur in it",
            span,
            f"multiply by `vector(1, n)[{missing[0]}]` to repeat along an axis of n entries",
        )
    kept = [i for i in value.indices if i in outer]
    extra = [i for i in value.indices if i not in axes and i not in outer]
    if extra:
        raise IndexNotationError(
            f"index {extra[0]} is free but the result's axes are [{', '.join(axes)}]",
            value.span or span,
            f"write `sum[{extra[0]}](…)` to sum over it",
        )
    order = [value.indices.index(i) for i in (*kept, *axes)]
    order += range(len(order), value.node.rank)
    place = {a: k for k, a in enumerate(order)}
    labels = tuple([place[a] for a in range(value.node.rank)])
    dims = [value.node.dims[a] for a in order]
    node = canonical.einsum(len(dims), dims, [(value.node, labels)])
    return Value(node, tuple(kept), value.row and not axes, span, value.summed)
