"""A contraction of two operands in, its class out: one of a closed table, or a loop nest.

======  ====================  ============================  ===================
class   groups that exist     operation                     cost (flops)
======  ====================  ============================  ===================
LOOP    any                   a loop nest, fused            2·(all labels)
GEMV    M, K                  matrix times vector           2·M·K
GEMM    M, N, K               matrix times matrix           2·M·N·K
SYRK    M, K (one operand)    matrix times its transpose    M·M·K
GEMMT   M, N, K               symmetric product: one half   M·M·K
COPY    –                     one array, many axes turned   –
======  ====================  ============================  ===================

M are labels of the first operand and the output, N of the second and the output, K of both
operands and summed, and batch labels are everywhere. A group that is not one stretch of memory
gives its other labels, like the batch, to loops around the call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from tensorcalc.ir import Einsum, Labels, Node
from tensorcalc.plan.collapse import collapse
from tensorcalc.plan.gram import factors_of
from tensorcalc.plan.indices import STRUCTURE

# fewer multiplications than these per call are done faster by a loop nest in place (measured:
# batched 5×5×5 takes 0.06 µs a product either way, 8×8×8 0.08 by GEMM and 0.15 by loops)
MIN_GEMV = 512
MIN_GEMM = 128
MIN_COPY = 5  # loops that a copy would have; nests of fewer are as fast …
FEW, MANY = 16, 1 << 13  # … but take longer to compile: a copy of so many entries is a call
MAX_EXTENT = 2**31 - 1  # of a BLAS argument


@dataclass(frozen=True, slots=True)
class Class:
    """How to compute a contraction: `first` and `second` are its operands' places, M, N, K runs."""

    kind: str
    first: int = 0
    second: int = 1
    m: Labels = ()
    n: Labels = ()
    k: Labels = ()
    loops: Labels = ()


LOOP = Class("LOOP")
COPY = Class("COPY")


def classify(
    node: Einsum,
    sizes: Mapping[str, int],
    is_array: Callable[[Node], bool],
    cut: frozenset[int] = frozenset(),
) -> Class:
    """The class of a contraction; `is_array` tells operands that lie in memory anyway.

    Labels of `cut` run over slices: such a one can only be the first of a stretch.
    """
    if is_copy(node) and is_array(node.operands[0]):
        entries = prod(dim.value(sizes) for dim in node.dims)
        count = len(runs_of(node, cut))
        return COPY if count >= MIN_COPY or (count > 1 and FEW <= entries <= MANY) else LOOP
    if len(node.operands) != 2 or any(len(set(a)) != len(a) for a in node.labels):
        return LOOP
    if any(isinstance(operand, STRUCTURE) for operand in node.operands):
        return LOOP
    a, b = node.labels
    output = tuple(range(node.rank))
    summed = list(range(node.rank, len(node.sizes)))
    if not summed or any(label not in a or label not in b for label in summed):
        return LOOP
    if any(label not in a and label not in b for label in output):
        return LOOP
    extents = [dim.value(sizes) for dim in node.sizes]
    if prod(extents[label] for label in summed) == 1:  # an outer product
        return LOOP
    m = [label for label in a if label in output and label not in b]
    n = [label for label in b if label in output and label not in a]
    if m and n:
        return _gemm(node, (m, n, summed), extents, cut)
    if m and is_array(node.operands[0]):
        return _gemv(node, 0, m, summed, extents, cut)
    if n and is_array(node.operands[1]):
        return _gemv(node, 1, n, summed, extents, cut)
    return LOOP


def is_copy(node: Node) -> bool:
    """Whether a node is its one operand with its axes in another order."""
    axes = [*range(node.rank)]
    return (
        isinstance(node, Einsum)
        and len(node.sizes) == node.rank
        and [*map(sorted, node.labels)] == [axes]
    )


def runs_of(node: Einsum, cut: Collection[int]) -> list[Labels]:
    """The axes of a copy in stretches that stay together."""
    axes = range(node.rank)
    return collapse([axes, node.labels[0]], [0] * node.rank, cut)


def _runs(
    group: list[int], x: Labels, y: Labels, extents: Sequence[int], cut: frozenset[int]
) -> list[tuple[Labels, int]]:
    """Stretches of labels of the group that follow each other in both operands, and their extents.

    Of those that end with the same label only the longest that BLAS can take.
    """
    inside, place = {*group}, {label: k for k, label in enumerate(y)}
    longest: dict[int, tuple[Labels, int]] = {}
    for start, first in enumerate(x):
        count = 1
        for stop in range(start, len(x)):
            label = x[stop]
            count *= extents[label]
            follows = place.get(label) == place.get(first, -1) + stop - start
            if label not in inside or not follows or count > MAX_EXTENT:
                break
            if stop > start and label in cut:
                break
            longest.setdefault(label, (x[start : stop + 1], count))
    return list(longest.values())


def _loops(node: Einsum, *runs: Labels) -> Labels:
    inside = {label for run in runs for label in run}
    return tuple([label for label in range(len(node.sizes)) if label not in inside])


def _unit(labels: Labels, *runs: Labels) -> bool:
    """Whether the last axis of a matrix is the last of one of its groups."""
    return any(run[-1] == labels[-1] for run in runs)


def _gemv(
    node: Einsum,
    place: int,
    rows: list[int],
    summed: list[int],
    extents: list[int],
    cut: frozenset[int],
) -> Class:
    matrix, vector = node.labels[place], node.labels[1 - place]
    output = tuple(range(node.rank))
    best, size = LOOP, MIN_GEMV - 1
    for (m, many), (k, terms) in product(
        _runs(rows, matrix, output, extents, cut), _runs(summed, matrix, vector, extents, cut)
    ):
        if many * terms > size and _unit(matrix, m, k):
            best = Class("GEMV", place, 1 - place, m, (), k, _loops(node, m, k))
            size = many * terms
    return best


def _gemm(
    node: Einsum,
    groups: tuple[list[int], list[int], list[int]],
    extents: list[int],
    cut: frozenset[int],
) -> Class:
    a, b = node.labels
    output = tuple(range(node.rank))
    best, size = LOOP, MIN_GEMM - 1
    for (m, rows), (n, columns), (k, terms) in product(
        _runs(groups[0], a, output, extents, cut),
        _runs(groups[1], b, output, extents, cut),
        _runs(groups[2], a, b, extents, cut),
    ):
        if rows * columns * terms <= size:
            continue
        if _unit(a, m, k) and _unit(b, n, k) and _unit(output, m, n):
            best = Class("GEMM", 0, 1, m, n, k, _loops(node, m, n, k))
            size = rows * columns * terms
    if best.kind == "GEMM" and not best.loops and cut.isdisjoint((*best.m, *best.n)):
        if _is_gram(node, best):
            return Class("SYRK", 0, 1, best.m, best.n, best.k, ())
        if _is_symmetric(node, best):
            return Class("GEMMT", 0, 1, best.m, best.n, best.k, ())
    return best


def _is_gram(node: Einsum, gemm: Class) -> bool:
    """Whether a product is one matrix times its own transpose."""
    swapped = dict(zip(gemm.m, gemm.n, strict=False))
    return (
        node.operands[0] is node.operands[1]
        and len(gemm.m) == len(gemm.n)
        and tuple([swapped.get(label, label) for label in node.labels[0]]) == node.labels[1]
    )


def _is_symmetric(node: Einsum, gemm: Class) -> bool:
    """Whether a product is its own transpose, as ``X'*diag(w)*X``: the same factors, swapped."""
    if len(gemm.m) != len(gemm.n):
        return False
    pairs = [*zip(gemm.m, gemm.n, strict=True)]
    if any(node.sizes[a] != node.sizes[b] for a, b in pairs):
        return False
    swap = dict([*pairs, *[(b, a) for a, b in pairs]])
    factors = [
        factor
        for operand, labels in zip(node.operands, node.labels, strict=True)
        for factor in factors_of(operand, labels)
    ]
    swapped = [(f, tuple([swap.get(label, label) for label in own])) for f, own in factors]
    return Counter(factors) == Counter(swapped)
