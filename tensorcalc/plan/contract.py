"""IR with n-ary contractions in, IR with steps of at most two operands that sum out.

opt_einsum gives the order. Intermediates are Einsum nodes like any other, built in one fixed form
from their operands, so that equal intermediates of different outputs are one node and are computed
once. Unit tensors, scalars and broadcasts are kept out of the contraction and multiplied last;
a unit vector under a summed label is read as a fixed position. A merged axis, or one that blocks
stand on, is contracted by its parts: see `_take_apart`. First half of `plan`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import combinations
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.errors import LimitError
from tensorcalc.ir import Basis, Delta, Einsum, Labels, Merge, Node, Section, Size
from tensorcalc.plan.common import share_contractions
from tensorcalc.plan.nodes import with_operands
from tensorcalc.plan.outer import take_apart
from tensorcalc.plan.paths import contraction_path
from tensorcalc.plan.reopen import reopen
from tensorcalc.traverse import postorder

Factor = tuple[Node, Labels]
# contractions of two in their fixed form, as what they are computed: under the axes of that form
Made = dict[Node, Factor]

MAX_REUSE = 12  # operands: in larger products no search for what is made already
OUTER = 16  # multiplications of a matrix product that an entry of an outer product takes as long as
MAX_ELEMENTS = 2**40  # of an intermediate, before memory is even asked about


def split(roots: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """The same roots over contractions of at most two operands."""
    made: Made = {}
    cost = partial(_multiplications, sizes=sizes)
    roots = share_contractions(reopen(take_apart(roots), cost), cost)

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node, Einsum):
            factors = list(zip(operands, node.labels, strict=True))
            return _contraction(node.rank, dict(enumerate(node.sizes)), factors, sizes, made)
        return with_operands(node, operands)

    results: dict[Node, Node] = {}
    for node in _small_first(roots):
        results[node] = visit(node, tuple([results[operand] for operand in node.operands]))
    return [results[root] for root in roots]


def _small_first(roots: Sequence[Node]) -> Iterator[Node]:
    """All nodes, operands first, small contractions early: what they make, larger ones can use."""
    nodes = postorder(roots)
    place = {node: k for k, node in enumerate(nodes)}
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    missing = {node: len({*node.operands}) for node in nodes}
    for node in nodes:
        for operand in {*node.operands}:
            users[operand].append(node)
    ready = [(0, place[node]) for node in nodes if not missing[node]]  # sorted, so a heap
    while ready:
        node = nodes[heappop(ready)[1]]
        yield node
        for user in users[node]:
            missing[user] -= 1
            if not missing[user]:
                size = len(user.operands) if isinstance(user, Einsum) else 0
                heappush(ready, (size, place[user]))


def _multiplications(node: Einsum, sizes: Mapping[str, int]) -> int:
    """What a contraction costs, two operands at a time, in multiplications of matrix products."""
    factors = [factor for factor in zip(node.operands, node.labels, strict=True) if factor[1]]
    extents = {a: max(1, dim.value(sizes)) for a, dim in enumerate(node.sizes)}
    inputs = [frozenset(labels) for _, labels in factors]
    output = frozenset(range(node.rank))
    steps, cost = contraction_path(inputs, output, extents, quick=True)
    live = list(inputs)
    for step in steps:
        pair = [live.pop(k) for k in sorted(step, reverse=True)]
        united = pair[0] | pair[1]
        live.append(united & output.union(*live))
        if live[-1] == united and united not in pair:
            cost += (OUTER - 1) * prod(extents[label] for label in united)
    return cost


def is_view(node: Node) -> bool:
    """Whether a node only permutes or repeats the axes of its one operand."""
    return (
        isinstance(node, Einsum)
        and len(node.operands) == 1
        and len(node.sizes) == node.rank
        and set(node.labels[0]) == set(range(node.rank))
    )


def build(output: Sequence[int], live: Mapping[int, Dim], factors: Sequence[Factor]) -> Node:
    """The Einsum of `factors` with the axes `output`, in an order that only depends on them."""
    number = {label: k for k, label in enumerate(output)}
    unnamed = [tuple([number.get(a, -1) for a in labels]) for _, labels in factors]
    order = sorted(range(len(factors)), key=lambda k: (factors[k][0].key, unnamed[k]))
    for k in order:
        for label in factors[k][1]:
            number.setdefault(label, len(number))
    if len(factors) == 1 and factors[0][1] == tuple(output):
        return factors[0][0]
    return Einsum.of(
        len(output),
        tuple([live[label] for label in number]),
        tuple([factors[k][0] for k in order]),
        tuple([tuple([number[a] for a in factors[k][1]]) for k in order]),
    )


def _contraction(
    rank: int,
    live: dict[int, Dim],
    factors: Sequence[Factor],
    sizes: Mapping[str, int],
    made: Made,
) -> Node:
    """One Einsum as a core contraction times what stays outside of it."""
    factors = [_through_view(*factor) for factor in factors]
    kept = set(range(rank))
    factors, outer = _take_apart(factors, live, kept, sizes, made)
    covered = kept.union(*[labels for _, labels in factors])
    factors += [(Size.of(dim), ()) for label, dim in live.items() if label not in covered]
    outer += [f for f in factors if not f[1] or isinstance(f[0], Delta)]
    core = [f for f in factors if f[1] and not isinstance(f[0], Delta | Basis)]
    for unit, (label,) in [(f[0], f[1]) for f in factors if isinstance(f[0], Basis)]:
        core = [_at_position(f, unit, label, live) if label in f[1] else f for f in core]
        outer += [f for f in core if not f[1]]
        core = [f for f in core if f[1]]
        if label in kept:
            outer.append((unit, (label,)))
    axes = tuple(range(rank))
    present = {a for _, labels in core for a in labels}
    if present <= kept:
        return _assembled(axes, live, core, outer)
    inner = tuple(sorted(present & kept))
    last = inner if not outer and inner == axes else None
    core = [_reduce_alone(k, core, kept, live) for k in range(len(core))]
    contracted = _pairwise(core, kept, live, sizes, last, made)
    if last is not None and contracted[1] == axes:
        return contracted[0]
    return _assembled(axes, live, [contracted], outer)


def _take_apart(
    factors: list[Factor],
    live: dict[int, Dim],
    kept: set[int],
    sizes: Mapping[str, int],
    made: Made,
) -> tuple[list[Factor], list[Factor]]:
    """The other factors under the parts of merged and sectioned axes, and what puts these together.

    ``vec(A)`` is a merging of A's axes, and a vector times it a reshaped one: so no factor has
    both. `kept` are the labels that the core contraction keeps; their parts enter it.
    """
    outer: list[Factor] = []
    while (place := _next_structure(factors)) is not None:
        whole, *parts = place[1]
        rest = [factor for factor in factors if factor is not place]
        for other in [f for f in rest if isinstance(f[0], Merge | Section) and f[1][0] == whole]:
            rest = _put_together(other, rest, live, {*kept, *parts}, sizes, made)
        left = (Delta, Basis) if whole in kept else ()
        factors = [
            _under_parts(f, place, live) if whole in f[1] and not isinstance(f[0], left) else f
            for f in rest
        ]
        if whole in kept:
            outer.append(place)
            kept |= set(parts)
        else:
            del live[whole]
    return factors, outer


def _next_structure(factors: Sequence[Factor]) -> Factor | None:
    """A factor of structure whose whole is no part of another; None if no axis is left whole."""
    found = [f for f in factors if isinstance(f[0], Merge | Section) and f[1][0] not in f[1][1:]]
    inner = {part for _, labels in found for part in labels[1:]}
    return next((f for f in found if f[1][0] not in inner), None)


def _put_together(
    place: Factor,
    factors: list[Factor],
    live: dict[int, Dim],
    kept: Collection[int],
    sizes: Mapping[str, int],
    made: Made,
) -> list[Factor]:
    """The factors, where those under the parts of an axis are contracted to one under the whole."""
    whole, *parts = place[1]
    inside = [f for f in factors if f is not place and not {*parts}.isdisjoint(f[1])]
    rest = [f for f in factors if f is not place and f not in inside]
    needed = {*kept, whole, *[label for _, labels in rest for label in labels]}
    if not needed.isdisjoint(parts):
        return factors
    labels = list(dict.fromkeys(label for _, own in inside for label in own))
    axes = [label for label in labels if label in needed or label in parts]
    number = {label: k for k, label in enumerate(dict.fromkeys((*axes, *labels)))}
    inner = _contraction(
        len(axes),
        {k: live[label] for label, k in number.items()},
        [(node, tuple([number[label] for label in own])) for node, own in inside],
        sizes,
        made,
    )
    left = (whole, *[label for label in axes if label in needed and label != whole])
    joined = build(left, live, [(inner, tuple(axes)), place])
    for label in {*labels, *parts} - needed:
        del live[label]
    return [*rest, (joined, left)]


def _under_parts(factor: Factor, place: Factor, live: Mapping[int, Dim]) -> Factor:
    """The factor with an axis taken apart, or cut out of it."""
    whole, *parts = place[1]
    labels = [b for a in factor[1] for b in (parts if a == whole else [a])]
    rest = tuple(dict.fromkeys(labels))
    return build(rest, live, [factor, place]), rest


def _assembled(
    axes: Labels, live: Mapping[int, Dim], core: Sequence[Factor], outer: Sequence[Factor]
) -> Node:
    """The product of the core and what stays outside; axes are merged before they are placed."""
    merges = [f for f in outer if isinstance(f[0], Merge) and f[1][0] not in axes]
    rest = [f for f in outer if f not in merges]
    parts = {part for _, labels in merges for part in labels[1:]}
    if merges and parts.isdisjoint({*axes}.union(*[labels for _, labels in rest])):
        labels = [label for _, own in (*merges, *core) for label in own if label not in parts]
        whole = tuple(dict.fromkeys(labels))
        core, outer = [(build(whole, live, [*core, *merges]), whole)], rest
    return build(axes, live, [*core, *outer])


def _through_view(node: Node, labels: Labels) -> Factor:
    """The operand of a transposed node under the labels it then has."""
    while isinstance(node, Einsum) and is_view(node):
        own = node.labels[0]
        node, labels = node.operands[0], tuple([labels[a] for a in own])
    return node, labels


def _at_position(factor: Factor, unit: Node, label: int, live: Mapping[int, Dim]) -> Factor:
    """The factor with its axes `label` read at the position of a unit vector."""
    rest = tuple(dict.fromkeys(a for a in factor[1] if a != label))
    return build(rest, live, [factor, (unit, (label,))]), rest


def _reduce_alone(
    k: int, core: Sequence[Factor], axes: Collection[int], live: Mapping[int, Dim]
) -> Factor:
    """A factor summed over the labels that only it has, and with each label once."""
    node, labels = core[k]
    elsewhere = {a for j, (_, other) in enumerate(core) if j != k for a in other}
    kept = tuple(dict.fromkeys(a for a in labels if a in axes or a in elsewhere))
    if len(core) == 1:
        kept = tuple(sorted(kept))
    return (node, labels) if kept == labels else (build(kept, live, [core[k]]), kept)


def _pairwise(
    core: Sequence[Factor],
    axes: Collection[int],
    live: Mapping[int, Dim],
    sizes: Mapping[str, int],
    last: Labels | None,
    made: Made,
) -> Factor:
    """The contraction of all factors, two at a time; the last step has the axes `last`.

    A pair whose contraction is `made` already comes first where that saves work.
    """
    factors = list(core)
    extents = {a: max(1, live[a].value(sizes)) for _, labels in core for a in labels}
    steps, cost = _path(factors, axes, extents)
    if made and 2 < len(factors) <= MAX_REUSE:
        for pair in combinations(range(len(factors)), 2):
            rest, joined = _join(factors, pair, axes, live)
            if joined[0] in made:
                later, lower = _path([*rest, joined], axes, extents)
                if lower < cost:
                    steps, cost = [pair, *later], lower
    for pair in steps:
        rest, (fixed, labels) = _join(factors, pair, axes, live)
        if fixed not in made:
            made[fixed] = fixed, tuple(range(fixed.rank))
            if not rest and last is not None and isinstance(fixed, Einsum):
                order = tuple([labels.index(label) for label in last])
                made[fixed] = _turned(fixed, order), order
        node, order = made[fixed]
        factors = [*rest, (node, tuple([labels[k] for k in order]))]
    return factors[0]


def _turned(node: Einsum, order: Labels) -> Node:
    """A contraction with its axes in another order."""
    live = dict(enumerate(node.sizes))
    return build(order, live, list(zip(node.operands, node.labels, strict=True)))


def _join(
    factors: Sequence[Factor], pair: Sequence[int], axes: Collection[int], live: Mapping[int, Dim]
) -> tuple[list[Factor], Factor]:
    """The factors that remain, and the contraction of two of them."""
    chosen = sorted([factors[k] for k in pair], key=lambda factor: factor[0].key)
    rest = [factor for k, factor in enumerate(factors) if k not in pair]
    needed = {a for _, labels in rest for a in labels} | set(axes)
    first, second = chosen[0][1], chosen[-1][1]
    shared = [a for a in first if a in second and a in needed]
    output = [a for a in dict.fromkeys((*shared, *first, *second)) if a in needed]
    return rest, (build(output, live, chosen), tuple(output))


def _path(
    factors: Sequence[Factor], axes: Collection[int], extents: Mapping[int, int]
) -> tuple[list[tuple[int, int]], int]:
    """Which two factors to contract next (each result goes to the end), and the cost of all."""
    if len(factors) < 2:
        return [], 0
    inputs = [frozenset(labels) for _, labels in factors]
    output = frozenset(a for labels in inputs for a in labels if a in axes)
    # of equal orders, the one that sums the first axis of the largest operand first: this makes
    # products with few columns, which run faster than those with few rows
    largest = max(factors, key=lambda factor: prod(extents[a] for a in factor[1]))[1]
    weights = {a: float(extent) for a, extent in extents.items()}
    for place, label in enumerate(reversed(largest)):
        weights[label] *= 1 + 1e-6 * (place + 1)
    steps, cost = contraction_path(inputs, output, extents, weights)
    live = list(inputs)
    for step in steps:
        united = frozenset[int]().union(*[live.pop(k) for k in sorted(step, reverse=True)])
        live.append(united & output.union(*live))
        elements = prod(extents[label] for label in live[-1])
        if elements > MAX_ELEMENTS:
            raise LimitError(
                f"contracting {len(factors)} operands needs an intermediate of {elements} entries"
            )
    return steps, cost
