"""A contraction in, its loops and the indices that follow from them out: structure as arithmetic.

A unit vector, a `Section` or a `Merge` among the factors says how one label follows from others,
so such a label needs no loop: an entry of ``vec(A)`` is one of A, a row of ``[A; B]`` one of B.

An index is a loop's number, ``~position`` for a fixed position, or `Derived` from others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tensorcalc.dims import Dim
from tensorcalc.ir import Basis, Delta, Einsum, Labels, MatrixFunction, Merge, Node, Section

STRUCTURE = (Basis, Merge, Section)
# functions of the last axis, as the operation that joins its entries, and what it starts from
REDUCTIONS = {"max": ("max", float("-inf")), "min": ("min", float("inf")), "prod": ("mul", 1.0)}
SUM = ("add", 0.0)


@dataclass(frozen=True, slots=True)
class Derived:
    """An index computed by `operation` (of `emit/scalar.py`); valid from 0 to below `bound`."""

    operation: str
    arguments: tuple[Index | Dim, ...]
    bound: Dim | None = None


Index = int | Derived
Point = tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Loops:
    """How a stored node is computed.

    `labels` are looped over, one after the other; of these, the numbers `reduced` are joined by
    `operation`, starting from `start`. `target` is the place of the result; where it is `sparse`,
    all other entries are 0.
    """

    labels: Labels
    dims: tuple[Dim, ...]
    target: Point
    reduced: tuple[int, ...] = ()
    operation: str = SUM[0]
    start: float = SUM[1]
    sparse: bool = False


def loops(node: Node) -> Loops:
    """The loops of a stored node: the axes of the result, then what is summed."""
    axes = tuple(range(node.rank))
    if isinstance(node, MatrixFunction) and node.function in REDUCTIONS:
        argument = node.operands[0]
        labels = tuple(range(argument.rank))
        return Loops(labels, argument.dims, axes, (node.rank,), *REDUCTIONS[node.function])
    if not isinstance(node, Einsum):
        return Loops(axes, node.dims, axes)
    split = _split(node)
    parts = {axis: node.labels[k][1:] for axis, k in split.items()}
    units = _units(node, split)
    kept = [label for axis in axes if axis not in units for label in parts.get(axis, (axis,))]
    labels = (*kept, *_summed(node, [*kept, *units]))
    known, _ = at_loops(node, labels, range(len(labels)))
    reduced = tuple(range(len(kept), len(labels)))
    dims = tuple([node.sizes[label] for label in labels])
    target = tuple([known[axis] for axis in axes])
    return Loops(labels, dims, target, reduced, sparse=bool(units))


def at_loops(
    node: Einsum, labels: Labels, point: Sequence[int]
) -> tuple[dict[int, Index], set[int]]:
    """`follow` for the loops of `loops`: a merged axis of the result follows from its parts."""
    known: dict[int, Index] = dict(zip(labels, point, strict=True))
    split = _split(node)
    spent = set(split.values())
    for axis, (first, k) in _units(node, split).items():
        known[axis] = known[first]
        spent.add(k)
    for k in split.values():
        whole, *parts = node.labels[k]
        known[whole] = place(node.operands[k], [known[part] for part in parts])
    return follow(node, known, spent)


def _units(node: Einsum, split: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Axes of the result that a unit matrix makes equal to others: which, and by which factor."""
    found: dict[int, tuple[int, int]] = {}
    taken = {label for k in split.values() for label in node.labels[k]}
    taken |= {label for k in _structure(node) for label in node.labels[k]}
    for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
        first, second = min(labels, default=0), max(labels, default=0)
        if not isinstance(operand, Delta) or first == second or second >= node.rank:
            continue
        if first not in taken and second not in taken:
            found[second] = first, k
            taken |= {first, second}
    return found


def is_reduction(node: Node) -> bool:
    """Whether a node is a function of the last axis that loops join."""
    return isinstance(node, MatrixFunction) and node.function in REDUCTIONS


def reduced_labels(node: Node) -> list[int]:
    """The labels that computing the node loops over and sums."""
    return _summed(node, range(node.rank)) if isinstance(node, Einsum) else []


def is_merged(node: Node) -> bool:
    """Whether an axis of the result is looped over in parts."""
    return isinstance(node, Einsum) and bool(_split(node))


def follow(
    node: Einsum, given: Mapping[int, Index], said: Iterable[int] = ()
) -> tuple[dict[int, Index], set[int]]:
    """The index of every label that follows from the given ones, and which factors said so.

    Such a factor is 1 wherever all indices are within their bounds. `said` are the first of them.
    """
    known, spent = dict(given), set(said)
    places = [k for k in _structure(node) if k not in spent]
    while any(_forward(node, k, known, spent) for k in places) or any(
        _backward(node, k, known, spent) for k in places
    ):
        pass
    return known, spent


def _forward(node: Einsum, k: int, known: dict[int, Index], spent: set[int]) -> bool:
    """Whether a factor tells its first label."""
    operand, (whole, *parts) = node.operands[k], node.labels[k]
    if whole in known or not all(part in known for part in parts):
        return False
    known[whole] = place(operand, [known[part] for part in parts])
    spent.add(k)
    return True


def _backward(node: Einsum, k: int, known: dict[int, Index], spent: set[int]) -> bool:
    """Whether a factor tells labels by its first one."""
    operand, (whole, *parts) = node.operands[k], node.labels[k]
    new = [part for part in dict.fromkeys(parts) if part not in known]
    if whole not in known or not new:
        return False
    for part in new:
        known[part] = _part(operand, parts.index(part), known[whole])
    if len(new) == len(parts):
        spent.add(k)
    return True


def place(operand: Node, parts: Sequence[Index]) -> Index:
    """The first index of a factor of structure, by the others."""
    if isinstance(operand, Basis):
        return ~operand.position
    if isinstance(operand, Section):
        return Derived("add", (parts[0], operand.offset)) if operand.offset.terms else parts[0]
    index = parts[0]
    for dim, part in zip(operand.dims[2:], parts[1:], strict=True):
        index = Derived("add", (Derived("mul", (index, dim)), part))
    return index


def _part(operand: Node, number: int, whole: Index) -> Index:
    """One of the other indices of a factor of structure, by the first."""
    if isinstance(operand, Section):
        return Derived("sub", (whole, operand.offset), operand.dims[1])
    stride = Dim.of(1)
    for dim in operand.dims[number + 2 :]:
        stride = stride * dim
    index = whole if stride == Dim.of(1) else Derived("quotient", (whole, stride))
    return Derived("remainder", (index, operand.dims[number + 1])) if number else index


def bounded(index: Index) -> Iterator[Derived]:
    """The indices inside of one that may be out of bounds."""
    if isinstance(index, Derived):
        if index.bound is not None:
            yield index
        for argument in index.arguments:
            if not isinstance(argument, Dim):
                yield from bounded(argument)


def loops_in(index: Index) -> Iterator[int]:
    """The loops that an index depends on."""
    if isinstance(index, Derived):
        for argument in index.arguments:
            if not isinstance(argument, Dim):
                yield from loops_in(argument)
    elif index >= 0:
        yield index


def moved(index: Index, point: Sequence[int]) -> Index:
    """The index with loop k called ``point[k]``."""
    if isinstance(index, int):
        return point[index] if index >= 0 else index
    arguments = [a if isinstance(a, Dim) else moved(a, point) for a in index.arguments]
    return replace(index, arguments=tuple(arguments))


def _split(node: Einsum) -> dict[int, int]:
    """Axes of the result that number the combinations of other labels, by which factors."""
    found: dict[int, int] = {}
    factors = _structure(node)
    taken = {node.labels[k][0] for k in factors if isinstance(node.operands[k], Basis)}
    for k in factors:
        whole, *parts = node.labels[k]
        if not isinstance(node.operands[k], Merge) or whole >= node.rank or whole in found:
            continue
        if min(parts) >= node.rank and len({*taken, *parts}) == len(taken) + len(parts):
            found[whole] = k
            taken |= set(parts)
    return found


def _summed(node: Einsum, kept: Iterable[int]) -> list[int]:
    """The labels that must be looped over beside those kept."""
    wholes = {node.labels[k][0] for k in _structure(node)}
    found: list[int] = []
    known, _ = follow(node, dict.fromkeys(kept, 0))
    while left := [label for label in range(len(node.sizes)) if label not in known]:
        label = min(left, key=lambda label: (label in wholes, label))
        found.append(label)
        known, _ = follow(node, {**known, label: 0})
    return found


def _structure(node: Einsum) -> list[int]:
    """The places of the factors of structure."""
    return [k for k, operand in enumerate(node.operands) if isinstance(operand, STRUCTURE)]
