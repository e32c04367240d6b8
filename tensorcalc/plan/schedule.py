"""Split IR in, an ordered list of clusters out: what is stored, and what is computed in one nest.

A node is stored if it is an output, a contraction, a function of a matrix or its argument, an
operand of BLAS, or costly and wanted more than once. Each stored node is a task. Tasks over the
same index space go into one cluster unless one needs the other's finished sum: so a value and
the residual of its gradient are one pass over the data. Second half of `plan`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, permutations

from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Basis,
    Constant,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Range,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.plan.classify import LOOP, Class, classify
from tensorcalc.plan.contract import is_view
from tensorcalc.plan.indices import (
    STRUCTURE,
    Loops,
    Point,
    is_merged,
    is_reduction,
    loops,
    moved,
    reduced_labels,
)
from tensorcalc.plan.values import Values
from tensorcalc.traverse import postorder

COSTLY = 8  # operations: what costs less is computed again rather than stored
CALL = 10  # operations a function of the table counts for
CHEAP_MAPS = frozenset("abs sign relu max min lt le gt ge where".split())
LEAVES = (Variable, Constant, Size, Delta, Basis, LeviCivita, Merge, Section, Range)
MAX_ALIGNMENTS = 24  # ways to match the loops of two tasks that are tried


@dataclass(slots=True)
class Task:
    """A stored node and its loops."""

    node: Node
    loops: Loops
    chosen: Class = LOOP

    @property
    def space(self) -> tuple[Dim, ...]:
        """The size of every loop."""
        return self.loops.dims


@dataclass(slots=True)
class Cluster:
    """Tasks of one loop nest; `points` maps each task's loops to the cluster's."""

    space: tuple[Dim, ...]
    tasks: list[Task] = field(default_factory=list)
    points: list[tuple[int, ...]] = field(default_factory=list)
    loads: set[tuple[Node, Point]] = field(default_factory=set)
    is_nest: bool = True


@dataclass(slots=True)
class Schedule:
    """Clusters in order; `stored` nodes in order; `read` are those another cluster loads."""

    clusters: list[Cluster]
    stored: dict[Node, Task]
    read: set[Node]


def schedule(roots: Sequence[Node], sizes: Mapping[str, int]) -> Schedule:
    """Decide what is stored and group it."""
    order = postorder(roots)
    chosen: dict[Node, Class] = {}
    stored = _stored(order, roots, sizes, chosen)
    tasks = {node: _task(node, chosen) for node in order if node in stored}
    in_memory = _Memory(stored)
    clusters: list[Cluster] = []
    place: dict[Node, int] = {}
    read: set[Node] = set()
    for node, task in tasks.items():
        if _is_call(node) or task.chosen.kind != "LOOP":
            clusters.append(Cluster(task.space, [task], [tuple(range(len(task.space)))]))
            clusters[-1].is_nest = False
            place[node] = len(clusters) - 1
            read.update(operand for operand in node.operands)
            continue
        loads = _loads(task, in_memory)
        needed = [place[d] for d, _ in loads if d in place]
        _put(task, loads, clusters, place, max(needed, default=0))
        read.update(d for d, _ in loads if place.get(d) != place[node])
    return Schedule(clusters, tasks, read)


def _is_call(node: Node) -> bool:
    """Whether a node is computed by a function of whole arrays."""
    return isinstance(node, Unknown) or (
        isinstance(node, MatrixFunction) and not is_reduction(node)
    )


class _Memory:
    """The nodes that a load can read: variables and what is stored."""

    def __init__(self, stored: set[Node]) -> None:
        self.stored = stored

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Variable) or node in self.stored


def _loads(task: Task, memory: _Memory) -> list[tuple[Node, Point]]:
    """What a task reads, at its own loops."""
    values = Values(memory)
    values.define(task.node, tuple(range(len(task.space))))
    return [(key[1], key[2]) for key in values.entries if key[0] == "load"]  # type: ignore[misc]


def _task(node: Node, chosen: Mapping[Node, Class]) -> Task:
    return Task(node, loops(node), chosen.get(node, LOOP))


def _put(
    task: Task,
    loads: Sequence[tuple[Node, Point]],
    clusters: list[Cluster],
    place: dict[Node, int],
    earliest: int,
) -> None:
    """Add the task to the first cluster where it may stand, else to a new one."""
    for position in range(earliest, len(clusters)):
        cluster = clusters[position]
        if not cluster.is_nest or sorted(cluster.space) != sorted(task.space):
            continue
        written = {
            other.node: None if other.loops.reduced else _at(other.loops.target, point)
            for other, point in zip(cluster.tasks, cluster.points, strict=True)
        }
        best: tuple[int, tuple[int, ...]] | None = None
        for point in _alignments(task.space, cluster.space):
            mapped = {(node, _at(index, point)) for node, index in loads}
            if any(n in written and index != written[n] for n, index in mapped):
                continue
            score = len(mapped & cluster.loads) + sum(n in written for n, _ in mapped)
            if best is None or score > best[0]:
                best = score, point
        if best is not None:
            cluster.tasks.append(task)
            cluster.points.append(best[1])
            cluster.loads |= {(node, _at(index, best[1])) for node, index in loads}
            if not task.loops.reduced:
                cluster.loads.add((task.node, _at(task.loops.target, best[1])))
            place[task.node] = position
            return
    identity = tuple(range(len(task.space)))
    clusters.append(Cluster(task.space, [task], [identity], set(loads)))
    place[task.node] = len(clusters) - 1


def _at(indices: Point, point: Sequence[int]) -> Point:
    return tuple([moved(index, point) for index in indices])


def _alignments(space: Sequence[Dim], target: Sequence[Dim]) -> list[tuple[int, ...]]:
    """Ways to match loops of equal size; the first keeps the order where it can."""
    if len(set(space)) == len(space):
        return [tuple([target.index(dim) for dim in space])]
    if len(space) > 6:
        return [tuple(range(len(space)))] if tuple(space) == tuple(target) else []
    fitting = (
        p
        for p in permutations(range(len(space)))
        if all(space[k] == target[p[k]] for k in range(len(space)))
    )
    return list(islice(fitting, MAX_ALIGNMENTS))


def _stored(
    order: Sequence[Node],
    roots: Sequence[Node],
    sizes: Mapping[str, int],
    chosen: dict[Node, Class],
) -> set[Node]:
    """Every node that is written to memory; the classes of contractions go into `chosen`."""
    stored = {node for node in roots if not isinstance(node, Variable)}
    users: dict[Node, int] = {}
    for node in order:
        if _is_call(node):
            stored.update([node, *[n for n in node.operands if not isinstance(n, Variable)]])
        elif is_reduction(node) or reduced_labels(node) or is_merged(node):
            stored.add(node)
        for operand in set(node.operands):
            users[operand] = users.get(operand, 0) + 1
    for node in order:
        if isinstance(node, Einsum) and reduced_labels(node):
            chosen[node] = classify(node, sizes, lambda n: isinstance(n, Variable) or n in stored)
            if chosen[node].kind != "LOOP":
                stored.update(n for n in node.operands if not isinstance(n, Variable))
    cost: dict[Node, int] = {}
    for node in order:  # operands before users: only then is it known what is computed in place
        inside = sum(cost[n] for n in node.operands if n not in stored)
        own = CALL if isinstance(node, Map) and node.function not in CHEAP_MAPS else 1
        cost[node] = 0 if isinstance(node, LEAVES) else own + inside
        if cost[node] >= COSTLY and users.get(node, 0) > 1 and not is_view(node):
            stored.add(node)
        stored.update(operand for operand in _spread(node) if cost[operand] >= COSTLY)
    return stored


def _spread(node: Node) -> list[Node]:
    """Operands that a product repeats along labels they do not have."""
    if not isinstance(node, Einsum):
        return []
    labels = set(loops(node).labels)
    parts = {
        own[0]: own[1:]
        for operand, own in zip(node.operands, node.labels, strict=True)
        if isinstance(operand, STRUCTURE)
    }
    return [
        operand
        for operand, own in zip(node.operands, node.labels, strict=True)
        if not labels <= {*own, *[part for label in own for part in parts.get(label, ())]}
    ]
