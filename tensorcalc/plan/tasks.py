"""A stored node in, its task out: the loops that compute it, what they read and where they write.

A sum over few entries, or a result with few of them, is written out instead of looped over: what
remains are loops over the long indices only, which many tasks have in common, and sums that stay in
registers. Used by `slices.py`, `schedule.py` and `nest.py`.

Loops of a task are numbered in the order of its `space`; a point has a number, ``~position`` or a
derived index for every axis (`indices.py`), None for an axis that is there as a whole.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.ir import Einsum, MatrixFunction, Node, Unknown, Variable
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.plan.classify import LOOP, Class
from tensorcalc.plan.factors import PLANNED, is_factored
from tensorcalc.plan.indices import Index, Loops, Point, is_reduction, loops, moved
from tensorcalc.plan.values import Values

MAX_INSTANCES = 8  # entries that are written out
MIN_LOOPED = 256  # points that must be left to loop over
Place = tuple[Index | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A range of an index that is worked through block by block."""

    dim: Dim
    block: int


@dataclass(slots=True, eq=False)
class Task:
    """How one stored node is computed.

    `space` has the size of every loop, `reduced` the loops that are joined by ``loops.operation``.
    `instances` are the points of all loops, those that are written out in positions: one list for
    each entry of the result. `cut` says which loops run over slices only.
    """

    node: Node
    loops: Loops
    chosen: Class
    space: tuple[Dim, ...]
    reduced: frozenset[int]
    targets: list[Place]
    instances: list[list[tuple[int, ...]]]
    reads: list[tuple[Node, Place]] = field(default_factory=list)
    cut: dict[int, Slice] = field(default_factory=dict)

    @property
    def is_nest(self) -> bool:
        """Whether loops over scalar code compute it."""
        return not is_call(self.node) and self.chosen.kind == "LOOP"

    @property
    def written_out(self) -> list[Dim]:
        """The sizes of the loops that are written out."""
        first = self.instances[0][0]
        return [dim for dim, k in zip(self.loops.dims, first, strict=True) if k < 0]

    @property
    def target(self) -> Place:
        """Where the result of the first instance goes."""
        return self.targets[0]

    @property
    def shape(self) -> tuple[tuple[Dim, Slice | None], ...]:
        """Every loop with its slice: two tasks fit into one nest if these agree."""
        return tuple([(dim, self.cut.get(k)) for k, dim in enumerate(self.space)])


def is_call(node: Node) -> bool:
    """Whether a node is computed by a function of whole arrays."""
    return isinstance(node, Unknown) or (
        isinstance(node, MatrixFunction) and not is_reduction(node)
    )


class Memory:
    """The nodes that a load can read: variables and what is stored."""

    def __init__(self, stored: Container[Node]) -> None:
        self.stored = stored

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Variable) or node in self.stored


def task_of(node: Node, chosen: Class, stored: Container[Node], sizes: Mapping[str, int]) -> Task:
    """The task of a stored node."""
    if is_call(node):
        return _call(node)
    found = loops(node)
    numbers = range(len(found.dims))
    short = _written_out(node, found, stored, sizes) if chosen is LOOP else ()
    long = [k for k in numbers if k not in short]
    place = {k: number for number, k in enumerate(long)}
    kept = [k for k in short if k not in found.reduced]
    joined = [k for k in short if k in found.reduced]
    instances = []
    for entry in _positions(kept, found, sizes):
        points = []
        for term in _positions(joined, found, sizes):
            at = {**place, **entry, **term}
            points.append(tuple([at[k] for k in numbers]))
        instances.append(points)
    targets: list[Place] = [
        tuple([moved(index, points[0]) for index in found.target]) for points in instances
    ]
    task = Task(
        node,
        found,
        chosen,
        tuple([found.dims[k] for k in long]),
        frozenset(place[k] for k in found.reduced if k in place),
        targets,
        instances,
    )
    task.reads = list(_reads(task, stored))
    return task


def _call(node: Node) -> Task:
    """The task of a function of whole arrays: its loops are over the leading axes."""
    batch = 0
    if isinstance(node, MatrixFunction) and node.function not in PLANNED and not is_factored(node):
        batch = node.operands[0].rank - MATRIX_FUNCTIONS[node.function].rank
    axes = tuple(range(batch))

    def place(rank: int) -> Place:
        return (*axes[:rank], *[None] * (rank - batch))

    found = Loops(axes, node.dims[:batch], ())
    reads = [(operand, place(operand.rank)) for operand in node.operands]
    return Task(
        node, found, LOOP, node.dims[:batch], frozenset(), [place(node.rank)], [[axes]], reads
    )


def _written_out(
    node: Node, found: Loops, stored: Container[Node], sizes: Mapping[str, int]
) -> tuple[int, ...]:
    """The loops that are written out: over one entry, and short ones over neighbours in memory."""
    extents = [dim.value(sizes) for dim in found.dims]
    single = tuple([k for k, extent in enumerate(extents) if extent == 1])
    if not found.reduced or min(extents) > MAX_INSTANCES:
        return single
    values = Values(Memory(stored))
    values.define(node, tuple(range(len(extents))))
    apart = {
        index
        for key in values.entries
        if key[0] == "load"
        for index in key[2][:-1]  # type: ignore[index]
    }
    chosen: list[int] = []
    for k in sorted(range(len(extents)), key=lambda k: (extents[k], k)):
        inside = prod(extents[j] for j in (*chosen, k))
        left = prod(extents[j] for j in range(len(extents)) if j not in (*chosen, k))
        if extents[k] == 0 or inside > MAX_INSTANCES or (left < MIN_LOOPED and extents[k] > 1):
            break
        if k not in apart or extents[k] == 1:
            chosen.append(k)
    return tuple(sorted(chosen))


def _positions(
    numbers: Sequence[int], found: Loops, sizes: Mapping[str, int]
) -> Iterator[dict[int, int]]:
    """Every combination of positions of these loops."""
    ranges = [range(found.dims[k].value(sizes)) for k in numbers]
    for positions in product(*ranges):
        yield {k: ~position for k, position in zip(numbers, positions, strict=True)}


def _reads(task: Task, stored: Container[Node]) -> Iterator[tuple[Node, Place]]:
    """What a task reads, at its own loops."""
    if not task.is_nest and isinstance(task.node, Einsum):
        yield from zip(task.node.operands, task.node.labels, strict=True)
        return
    values = Values(Memory(stored))
    for points in task.instances:
        for point in points:
            values.define(task.node, point)
    for key in values.entries:
        if key[0] == "load":
            yield key[1], key[2]  # type: ignore[misc]


def placed(place: Place, point: Sequence[int]) -> Point:
    """A place under the loops `point` of a cluster."""
    return tuple([moved(index, point) for index in place if index is not None])
