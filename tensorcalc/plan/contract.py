"""IR with n-ary contractions in, IR with steps of at most two operands that sum out.

opt_einsum gives the order. Intermediates are Einsum nodes like any other, built in one fixed form
from their operands, so that equal intermediates of different outputs are one node and are computed
once. Unit tensors, scalars and broadcasts are kept out of the contraction and multiplied last;
a unit vector under a summed label is read as a fixed position. First half of `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.errors import LimitError
from tensorcalc.ir import Add, Basis, Delta, Einsum, Labels, Map, MatrixFunction, Node, Size
from tensorcalc.traverse import fold, postorder

Factor = tuple[Node, Labels]

# how the order is searched, by number of operands: never the random searches of opt_einsum
SEARCHES = ((12, "dp"), (30, "branch-1"), (10**6, "greedy"))
MAX_REUSE = 12  # operands: in larger products no search for what is made already
MAX_ELEMENTS = 2**40  # of an intermediate, before memory is even asked about


def split(roots: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """The same roots over contractions of at most two operands."""
    made: set[Node] = set()

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        match node:
            case Einsum():
                factors = list(zip(operands, node.labels, strict=True))
                return _contraction(node.rank, dict(enumerate(node.sizes)), factors, sizes, made)
            case Add():
                return Add.of(node.dims, node.coefficients, operands)
            case Map():
                return Map.of(node.function, operands)
            case MatrixFunction():
                return MatrixFunction.of(node.function, node.dims, operands)
        return node

    # the small contractions of inputs first: what they make, the larger ones can use
    small = [n for n in postorder(roots) if isinstance(n, Einsum) and not _computed(n)]
    small.sort(key=lambda node: len(node.operands))
    memo: dict[Node, Node] = {node: visit(node, node.operands) for node in small}
    results = fold(roots, visit, memo)
    return [results[root] for root in roots]


def _computed(node: Node) -> bool:
    return any(operand.operands for operand in node.operands)


def fixed_positions(node: Einsum) -> dict[int, int]:
    """Summed labels that a unit vector fixes, with their positions."""
    return {
        labels[0]: operand.position
        for operand, labels in zip(node.operands, node.labels, strict=True)
        if isinstance(operand, Basis) and labels[0] >= node.rank
    }


def reduced_labels(node: Node) -> list[int]:
    """The labels that computing the node loops over and sums."""
    if not isinstance(node, Einsum):
        return []
    fixed = fixed_positions(node)
    return [label for label in range(node.rank, len(node.sizes)) if label not in fixed]


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
    made: set[Node],
) -> Node:
    """One Einsum as a core contraction times what stays outside of it."""
    covered = {label for _, labels in factors for label in labels}
    factors = [_through_view(*factor) for factor in factors]
    factors += [(Size.of(live[a]), ()) for a in live if a >= rank and a not in covered]
    outer = [f for f in factors if not f[1] or isinstance(f[0], Delta)]
    core = [f for f in factors if f[1] and not isinstance(f[0], Delta | Basis)]
    for unit, (label,) in [(f[0], f[1]) for f in factors if isinstance(f[0], Basis)]:
        core = [_at_position(f, unit, label, live) if label in f[1] else f for f in core]
        outer += [f for f in core if not f[1]]
        core = [f for f in core if f[1]]
        if label < rank:
            outer.append((unit, (label,)))
    axes = tuple(range(rank))
    present = {a for _, labels in core for a in labels}
    if all(a < rank for a in present):
        return build(axes, live, [*core, *outer])
    inner = tuple([a for a in axes if a in present])
    last = inner if not outer and inner == axes else None
    core = [_reduce_alone(k, core, rank, live) for k in range(len(core))]
    contracted = _pairwise(core, rank, live, sizes, last, made)
    if last is not None and contracted[1] == axes:
        return contracted[0]
    return build(axes, live, [contracted, *outer])


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


def _reduce_alone(k: int, core: Sequence[Factor], rank: int, live: Mapping[int, Dim]) -> Factor:
    """A factor summed over the labels that only it has, and with each label once."""
    node, labels = core[k]
    elsewhere = {a for j, (_, other) in enumerate(core) if j != k for a in other}
    kept = tuple(dict.fromkeys(a for a in labels if a < rank or a in elsewhere))
    if len(core) == 1:
        kept = tuple(sorted(kept))
    return (node, labels) if kept == labels else (build(kept, live, [core[k]]), kept)


def _pairwise(
    core: Sequence[Factor],
    rank: int,
    live: Mapping[int, Dim],
    sizes: Mapping[str, int],
    last: Labels | None,
    made: set[Node],
) -> Factor:
    """The contraction of all factors, two at a time; the last step has the axes `last`.

    A pair whose contraction is `made` already comes first where that saves work.
    """
    factors = list(core)
    extents = {a: max(1, live[a].value(sizes)) for _, labels in core for a in labels}
    steps, cost = _path(factors, rank, extents)
    if made and 2 < len(factors) <= MAX_REUSE:
        for pair in combinations(range(len(factors)), 2):
            rest, joined = _join(factors, pair, rank, live, None)
            if joined[0] in made:
                later, lower = _path([*rest, joined], rank, extents)
                if lower < cost:
                    steps, cost = [pair, *later], lower
    for pair in steps:
        rest, joined = _join(factors, pair, rank, live, last)
        made.add(joined[0])
        factors = [*rest, joined]
    return factors[0]


def _join(
    factors: Sequence[Factor],
    pair: Sequence[int],
    rank: int,
    live: Mapping[int, Dim],
    last: Labels | None,
) -> tuple[list[Factor], Factor]:
    """The factors that remain, and the contraction of two of them."""
    chosen = sorted([factors[k] for k in pair], key=lambda factor: factor[0].key)
    rest = [factor for k, factor in enumerate(factors) if k not in pair]
    needed = {a for _, labels in rest for a in labels} | set(range(rank))
    first, second = chosen[0][1], chosen[-1][1]
    shared = [a for a in first if a in second and a in needed]
    output = [a for a in dict.fromkeys((*shared, *first, *second)) if a in needed]
    if not rest and last is not None:
        output = list(last)
    return rest, (build(output, live, chosen), tuple(output))


def _path(
    factors: Sequence[Factor], rank: int, extents: Mapping[int, int]
) -> tuple[list[tuple[int, int]], int]:
    """Which two factors to contract next (each result goes to the end), and the cost of all."""
    if len(factors) < 2:
        return [], 0
    inputs = [frozenset(labels) for _, labels in factors]
    output = frozenset(a for labels in inputs for a in labels if a < rank)
    steps: list[tuple[int, int]] = [(0, 1)]
    if len(factors) > 2:
        from opt_einsum import paths

        search = next(name for bound, name in SEARCHES if len(factors) <= bound)
        found = paths.get_path_fn(search)(inputs, output, extents, None)
        steps = [(step[0], step[1]) for step in found if len(step) > 1]
    cost, live = 0, list(inputs)
    for step in steps:
        united = frozenset[int]().union(*[live.pop(k) for k in sorted(step, reverse=True)])
        live.append(united & output.union(*live))
        cost += prod(extents[label] for label in united)
        elements = prod(extents[label] for label in live[-1])
        if elements > MAX_ELEMENTS:
            raise LimitError(
                f"contracting {len(factors)} operands needs an intermediate of {elements} entries"
            )
    return steps, cost
