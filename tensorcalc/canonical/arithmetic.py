"""Numbers, sums, contractions and entrywise functions in normal form: each folds into the others.

A product merges the powers of a base, a power of a product is one of powers, a sum of transposes
is the transpose of a sum; so these constructors call each other and stand together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction

from tensorcalc.canonical.conjugate import conjugate
from tensorcalc.canonical.facts import (
    ONE,
    Term,
    as_number,
    is_second_derivative,
    is_skew,
    is_symmetric,
    is_zero,
    terms_of,
)
from tensorcalc.canonical.labels import Factor, absorb_deltas, expand, new_label
from tensorcalc.canonical.order import numbered
from tensorcalc.canonical.rebuild import Operands, Sizes, rebuild, rebuilt
from tensorcalc.canonical.structure import VanishesError, fold_structure
from tensorcalc.dims import Dim, Dims
from tensorcalc.exact import exact, exact_function, exact_power
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
    Size,
)
from tensorcalc.limits import spend
from tensorcalc.views import common_free_axes, stands_transposed

NORMS = ("norm2", "normF")
SMALL = 4  # terms or factors that may be repeated rather than shared


# ── numbers ──────────────────────────────────────────────────────────────────────────────────


def ones(dims: Dims) -> Node:
    """The tensor of ones."""
    return Einsum.of(len(dims), dims, (), ())


def zeros(dims: Dims) -> Node:
    """The tensor of zeros."""
    return Add.of(dims, (), ())


def number(value: Fraction | int, dims: Dims = ()) -> Node:
    """The tensor whose entries are all `value`."""
    return add(dims, [(Fraction(value), ones(dims))])


def size(dim: Dim) -> Node:
    """The size of an axis as a number."""
    terms: list[Term] = []
    for names, count in dim.terms:
        factors: list[Factor] = [(Size.of(Dim.of(name)), ()) for name in names]
        terms.append((Fraction(count), einsum(0, (), factors)))
    return add((), terms)


# ── sums ─────────────────────────────────────────────────────────────────────────────────────


def add(dims: Dims, terms: Iterable[Term], *, turn: bool = True) -> Node:
    """The linear combination of `terms`; equal terms merge, zero ones vanish.

    Without `turn` a sum of transposes stays one (see `views.py`).
    """
    merged: dict[Node, Fraction] = {}
    for coefficient, node in terms:
        if isinstance(node, Add) and len(node.operands) <= 1:
            if not node.operands:
                continue
            coefficient, node = coefficient * node.coefficients[0], node.operands[0]
        merged[node] = merged.get(node, Fraction(0)) + coefficient
    kept = sorted(((n, c) for n, c in merged.items() if c), key=lambda item: item[0].key)
    if len(kept) == 1 and kept[0][1] == 1:
        return kept[0][0]
    if len(kept) > 1:
        nodes = [node for node, _ in kept]
        if turn and len(dims) == 2 and stands_transposed(nodes):
            turned = [(c, transposed(node)) for node, c in kept]
            return transposed(add((dims[1], dims[0]), turned, turn=False))
        free = common_free_axes(nodes)
        if free:
            smaller = [(c, without_axes(node, free)) for node, c in kept]
            return repeated(add(smaller[0][1].dims, smaller), dims, free)
    return Add.of(dims, tuple(exact(c) for _, c in kept), tuple(n for n, _ in kept))


def scale(coefficient: Fraction | int, node: Node) -> Node:
    """The node times a number; a short sum is multiplied out."""
    if isinstance(node, Add) and len(node.operands) <= SMALL:
        return _multiplied(Fraction(coefficient), node)
    return add(node.dims, [(Fraction(coefficient), node)])


def _multiplied(coefficient: Fraction, node: Add) -> Node:
    # a number does not change which way round a sum stands
    return add(node.dims, [(coefficient * c, term) for c, term in terms_of(node)], turn=False)


def content_of(node: Node) -> tuple[Fraction, Node]:
    """A sum as a number times a sum that starts with a positive term, so that signs compare."""
    content = ONE
    while isinstance(node, Add) and len(node.operands) == 1:
        content, node = content * node.coefficients[0], node.operands[0]
    if not isinstance(node, Add) or not node.operands:
        return content, node
    first = node.coefficients[0]
    if any(abs(c) != abs(first) for c in node.coefficients):
        first = Fraction(1 if first > 0 else -1)
    return content * first, _multiplied(1 / first, node) if first != 1 else node


# ── products ─────────────────────────────────────────────────────────────────────────────────


def einsum(
    rank: int, sizes: Sequence[Dim], factors: Iterable[Factor], *, properties: bool = False
) -> Node:
    """The product of `factors`, summed over the labels from `rank` on.

    `sizes` gives the dim of every label; labels below `rank` are the axes of the result. A
    summed label that no factor has multiplies by its size. With `properties` the axes of a
    symmetric matrix count as exchangeable, and those of a skew one as turning the sign (see
    `properties.py` for when that may be used).
    """
    dims = tuple(sizes[:rank])
    live = dict(enumerate(sizes))
    coefficient = ONE
    kept: list[Factor] = []
    for node, labels in factors:
        content, node = content_of(node)
        if is_zero(node):
            return zeros(dims)
        coefficient *= content
        if isinstance(node, Einsum) and len(node.operands) <= 1:
            kept += expand(node, labels, live)
        else:
            kept.append((node, labels))
    spend(4 + 4 * len(kept))
    kept = absorb_deltas(rank, live, kept)
    try:
        while (folded := fold_structure(rank, live, kept)) is not None:
            kept = absorb_deltas(rank, live, folded)
    except VanishesError:
        return zeros(dims)
    inside = [_diagonal(node, labels) for node, labels in kept]
    if inside != kept:
        left: dict[Hashable, Dim] = dict(live.items())
        return scale(coefficient, contract(range(rank), left, inside, properties=properties))
    content, kept = _collect(rank, live, kept, properties)
    if not content:
        return zeros(dims)
    coefficient *= content
    covered = {label for _, labels in kept for label in labels}
    for label in [label for label in live if label >= rank and label not in covered]:
        content, node = content_of(size(live.pop(label)))
        coefficient *= content
        kept += expand(node, (), live) if isinstance(node, Einsum) else [(node, ())]
    kept = [(o, tuple(sorted(a)) if is_second_derivative(o) else a) for o, a in kept]
    if properties and len(kept) == 1 and kept[0][1] == (1, 0) and is_skew(kept[0][0]):
        coefficient, kept = -coefficient, [(kept[0][0], (0, 1))]
    if len(kept) == 1 and kept[0][0].rank == rank and kept[0][1] == tuple(range(rank)):
        return scale(coefficient, kept[0][0])
    sign, node = numbered(rank, live, kept, properties)
    return scale(coefficient * sign, node)


def contract(
    output: Sequence[Hashable],
    sizes: Mapping[Hashable, Dim],
    factors: Sequence[tuple[Node, Sequence[Hashable]]],
    *,
    properties: bool = False,
) -> Node:
    """The Einsum of `factors` under any hashable labels, with the axes `output` (all different)."""
    place: dict[Hashable, int] = {label: k for k, label in enumerate(output)}
    labelled: list[Factor] = []
    for node, labels in factors:
        labelled.append((node, tuple([place.setdefault(a, len(place)) for a in labels])))
    for label in sizes:
        place.setdefault(label, len(place))
    ordered = [sizes[label] for label in place]
    return einsum(len(output), ordered, labelled, properties=properties)


def _collect(
    rank: int, live: dict[int, Dim], factors: list[Factor], properties: bool
) -> tuple[Fraction, list[Factor]]:
    """Merge powers of one base under the same labels, and unit vectors."""
    groups: dict[Factor, list[Node]] = {}
    positions: dict[int, set[int]] = {}
    rest: list[Factor] = []
    for node, labels in factors:
        if isinstance(node, Basis):
            positions.setdefault(labels[0], set()).add(node.position)
            continue
        base, exponent = node, ones(node.dims)
        if isinstance(node, Map) and node.function == "pow":
            base, exponent = node.operands
        if properties and is_symmetric(base):
            labels = tuple(sorted(labels))
        groups.setdefault((base, labels), []).append(exponent)
    coefficient = ONE
    for (base, labels), exponents in groups.items():
        total = add(base.dims, [(ONE, exponent) for exponent in exponents])
        power = as_number(total)
        if power == 2 and isinstance(base, MatrixFunction) and base.function in NORMS:
            rest += _norm_squared(base, labels, live)
        elif power in (1, 2):
            rest += [(base, labels)] * int(power)
        elif power != 0:
            content, node = content_of(elementwise("pow", (base, total)))
            coefficient *= content
            rest.append((node, labels))
    for label, chosen in positions.items():
        if len(chosen) > 1:
            return Fraction(0), []
        alone = label >= rank and not any(label in labels for _, labels in rest)
        if alone:
            del live[label]
        else:
            rest.append((Basis.of(live[label], *chosen), (label,)))
    return coefficient, rest


def _norm_squared(norm: MatrixFunction, labels: Labels, live: dict[int, Dim]) -> list[Factor]:
    """``norm2(x)^2`` is ``x'*x``: the same without the square root."""
    argument = norm.operands[0]
    summed = []
    for dim in argument.dims[norm.rank :]:
        summed.append(new_label(live, dim))
    return [(argument, labels + tuple(summed))] * 2


# ── axes ─────────────────────────────────────────────────────────────────────────────────────


def transposed(node: Node) -> Node:
    """The transpose of a matrix."""
    return einsum(2, (node.dims[1], node.dims[0]), [(node, (1, 0))])


def without_axes(node: Node, free: frozenset[int]) -> Node:
    """A node without axes along which it is constant."""
    if not free:
        return node
    dims = tuple([dim for axis, dim in enumerate(node.dims) if axis not in free])
    value = as_number(node)
    if value is not None:
        return number(value, dims)
    if isinstance(node, Add):
        return scale(node.coefficients[0], without_axes(node.operands[0], free))
    if not isinstance(node, Einsum):
        raise TypeError(f"{node!r} is not known to be constant along an axis")
    sizes: dict[Hashable, Dim] = dict(enumerate(node.sizes))
    for axis in free:
        del sizes[axis]
    output = [axis for axis in range(node.rank) if axis not in free]
    return contract(output, sizes, list(zip(node.operands, node.labels, strict=True)))


def repeated(node: Node, dims: Dims, free: frozenset[int]) -> Node:
    """The opposite of `without_axes`."""
    labels = tuple([axis for axis in range(len(dims)) if axis not in free])
    return einsum(len(dims), dims, [(node, labels)])


def _diagonal(root: Node, labels: Labels) -> Factor:
    """A sum or function under repeated labels as that of diagonals, under each label once."""
    if not isinstance(root, Add | Map) or len(set(labels)) == len(labels):
        return root, labels
    places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    axes = tuple([places[label] for label in labels])
    done: dict[Node, Node] = {}
    for node in _inside(root):
        if isinstance(node, Add | Map) and node.operands:
            done[node] = rebuild(node, tuple([done[operand] for operand in node.operands]))
        else:
            sizes = [node.dims[axes.index(place)] for place in range(len(places))]
            done[node] = einsum(len(places), sizes, [(node, axes)])
    return done[root], tuple(places)


def _inside(root: Node) -> list[Node]:
    """The sums and functions under `root` and what they are of, operands first."""
    order: list[Node] = []
    stack = [(root, False)]
    seen: set[Node] = set()
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if isinstance(node, Add | Map):
                stack.extend((operand, False) for operand in node.operands)
    return order


# ── entrywise functions ──────────────────────────────────────────────────────────────────────


def elementwise(function: str, operands: Sequence[Node], *, turn: bool = True) -> Node:
    """The function of `functions.py` applied entry by entry; all operands have the same dims.

    Without `turn` a function of transposes stays one (see `views.py`).
    """
    dims = operands[0].dims
    if function in ("max", "min"):  # in one order
        operands = sorted(operands, key=lambda operand: operand.key)
    numbers = [as_number(operand) for operand in operands]
    if function == "pow":
        folded = _power(operands[0], operands[1])
        if folded is not None:
            return folded
    if function == "where" and numbers[0] is not None:
        return operands[1] if numbers[0] else operands[2]
    if function in ("where", "max", "min") and operands[-1] is operands[-2]:
        return operands[-1]
    values = [value for value in numbers if value is not None]
    known = exact_function(function, values) if len(values) == len(operands) else None
    if known is not None:
        return number(known, dims)
    if function == "conj":
        return conjugate(operands[0])
    if turn and len(dims) == 2 and stands_transposed(operands):
        turned = [transposed(node) for node in operands]
        return transposed(elementwise(function, turned, turn=False))
    free = common_free_axes(operands)
    if free:
        return repeated(
            elementwise(function, [without_axes(o, free) for o in operands]), dims, free
        )
    return Map.of(function, tuple(operands))


def power(base: Node, exponent: Fraction | int) -> Node:
    """Each entry of `base` to a fixed power."""
    return elementwise("pow", (base, number(exponent, base.dims)))


def _power(base: Node, exponent: Node) -> Node | None:
    """``base^exponent`` where it folds: numbers, small and nested powers, powers of products."""
    p = as_number(exponent)
    if p is None:
        return ones(base.dims) if as_number(base) == 1 else None
    if p in (0, 1):
        return base if p else ones(base.dims)
    value = as_number(base)
    if value is not None:
        folded = exact_power(value, p)
        return None if folded is None else number(folded, base.dims)
    if p.denominator != 1:
        return None
    if p == 2:
        labels = tuple(range(base.rank))
        return einsum(base.rank, base.dims, [(base, labels), (base, labels)])
    content, inner = content_of(base)
    if content != 1:
        factor = exact_power(content, p)
        return None if factor is None else scale(factor, power(inner, p))
    if isinstance(base, Map) and base.function == "pow":
        scaled = add(base.dims, [(p, base.operands[1])])
        return elementwise("pow", (base.operands[0], scaled))
    if isinstance(base, Einsum) and len(base.sizes) == base.rank and _is_plain(base):
        factors = [(power(o, p), a) for o, a in zip(base.operands, base.labels, strict=True)]
        return einsum(base.rank, base.sizes, factors)
    return None


def _is_plain(node: Einsum) -> bool:
    """Whether a product is no view, and no operand has zeros of its own to divide by."""
    return len(node.operands) > 1 and not any(
        isinstance(operand, Delta | Basis) for operand in node.operands
    )


# ── the same nodes with other operands ───────────────────────────────────────────────────────


@rebuilt.register(Size)
def _rebuilt_size(node: Size, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return size(node.dim.substitute(sizes))


@rebuilt.register(Merge)
def _rebuilt_merge(node: Merge, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return _leaf(Merge.of(dims[1:]))


@rebuilt.register(Section)
def _rebuilt_section(node: Section, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return _leaf(Section.of(dims[0], dims[1], node.offset.substitute(sizes)))


@rebuilt.register(Einsum)
def _rebuilt_einsum(node: Einsum, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    label_sizes = [dim.substitute(sizes) for dim in node.sizes]
    return einsum(node.rank, label_sizes, zip(operands, node.labels, strict=True))


@rebuilt.register(Add)
def _rebuilt_add(node: Add, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    dims = operands[0].dims if operands else dims
    return add(dims, zip(node.coefficients, operands, strict=True))


@rebuilt.register(Map)
def _rebuilt_map(node: Map, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    return elementwise(node.function, operands)


def _leaf(node: Node) -> Node:
    """A constant of structure in normal form."""
    axes = tuple(range(node.rank))
    return einsum(node.rank, node.dims, [(node, axes)])
