"""Split IR in, an ordered list of clusters out: what is stored, and what is computed in one nest.

A node is stored if it is an output, a contraction, a function of a matrix or its argument, an
operand of BLAS, or costly and wanted more than once. Each stored node is a task (`tasks.py`). Tasks
over the same index space go into one cluster unless one needs the other's finished sum: so a value
and the residual of its gradient are one pass over the data. Clusters stand within the passes over
slices that `slices.py` finds. Second half of `plan`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice, permutations

from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Basis,
    Constant,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    Merge,
    Node,
    Range,
    Section,
    Size,
    Variable,
)
from tensorcalc.plan.classify import LOOP, Class, classify, is_copy
from tensorcalc.plan.contract import is_view
from tensorcalc.plan.indices import STRUCTURE, is_merged, is_reduction, loops, reduced_labels
from tensorcalc.plan.slices import Item, Pass, slice_tasks, tasks_of
from tensorcalc.plan.tasks import Memory, Place, Slice, Task, is_call, placed, task_of
from tensorcalc.traverse import postorder

COSTLY = 8  # operations: what costs less is computed again rather than stored
CALL = 10  # operations a function of the table counts for
CHEAP_MAPS = frozenset("abs sign relu max min lt le gt ge where".split())
LEAVES = (Variable, Constant, Size, Delta, Basis, LeviCivita, Merge, Section, Range)
MAX_ALIGNMENTS = 24  # ways to match the loops of two tasks that are tried


@dataclass(slots=True, eq=False)
class Cluster:
    """Tasks of one loop nest; `points` maps each task's loops to the cluster's.

    `space` has the size of every loop, and the slice that it runs over if it is cut.
    """

    space: tuple[tuple[Dim, Slice | None], ...]
    tasks: list[Task] = field(default_factory=list)
    points: list[tuple[int, ...]] = field(default_factory=list)
    loads: set[tuple[Node, Place]] = field(default_factory=set)
    is_nest: bool = True


@dataclass(slots=True)
class Blocks:
    """Clusters, and others within, that are done for one block of a slice after the other."""

    slice: Slice
    groups: list[Group]

    @property
    def joined(self) -> dict[Node, str]:
        """What is summed over the slice, or joined by another operation."""
        return {
            task.node: task.loops.operation
            for task in self.tasks
            if any(task.cut.get(k) is self.slice for k in task.reduced)
        }

    @property
    def tasks(self) -> Iterator[Task]:
        """All tasks, those of passes within included."""
        for group in self.groups:
            yield from group.tasks


Group = Cluster | Blocks


@dataclass(slots=True)
class Schedule:
    """Groups in order; `stored` nodes in order; `read` are those another cluster loads.

    `cuts` are the axes of results of which only a block is kept.
    """

    groups: list[Group]
    stored: dict[Node, Task]
    read: set[Node]
    cuts: dict[Node, dict[int, Slice]]


def schedule(
    roots: Sequence[Node],
    sizes: Mapping[str, int],
    item: int,
    budget: int | None = None,
    threads: int = 1,
) -> Schedule:
    """Decide what is stored, group it, and split it into slices; `item` is a number's bytes.

    `budget` are the bytes that a block may take; half of the processor's own cache if None.
    """
    # results that need least come first: what they use then lives no longer than it must
    order = postorder(sorted(roots, key=lambda root: len(postorder([root]))))
    chosen: dict[Node, Class] = {}
    stored = _stored(order, roots, sizes, chosen)
    tasks = {
        node: task_of(node, chosen.get(node, LOOP), stored, sizes)
        for node in order
        if node in stored
    }
    sliced = slice_tasks(list(tasks.values()), roots, sizes, item, budget, threads)
    for task in tasks.values():
        if task.cut and task.chosen is not LOOP and isinstance(task.node, Einsum):
            task.chosen = classify(
                task.node,
                sizes,
                lambda n: isinstance(n, Variable) or n in stored,
                frozenset(task.cut),
            )
    read: set[Node] = set()
    groups = _groups(sliced.items, read)
    return Schedule(groups, {t.node: t for t in tasks_of(sliced.items)}, read, sliced.cuts)


def _groups(items: Sequence[Item], read: set[Node]) -> list[Group]:
    """Clusters of the tasks that stand between two passes, and those of the passes."""
    groups: list[Group] = []
    for is_pass, run in groupby(items, lambda item: isinstance(item, Pass)):
        if not is_pass:
            groups += _clusters([item for item in run if isinstance(item, Task)], read)
            continue
        for item in run:
            if isinstance(item, Pass):
                read.update(_from_outside(item))
                groups.append(Blocks(item.slice, _groups(item.items, read)))
    return groups


def _from_outside(found: Pass) -> set[Node]:
    """What a pass reads that others have made, or it has made for others to read."""
    tasks = list(tasks_of(found.items))
    made = {task.node for task in tasks}
    return {node for task in tasks for node, _ in task.reads} - made


def _clusters(tasks: Sequence[Task], read: set[Node]) -> list[Group]:
    """The tasks in clusters; what a cluster reads that it has not made goes into `read`."""
    clusters: list[Cluster] = []
    place: dict[Node, int] = {}
    for task in tasks:
        node = task.node
        if not task.is_nest:
            clusters.append(Cluster(task.shape, [task], [tuple(range(len(task.space)))]))
            clusters[-1].is_nest = False
            place[node] = len(clusters) - 1
            read.update(operand for operand in node.operands)
            continue
        needed = [place[d] for d, _ in task.reads if d in place]
        _put(task, clusters, place, max(needed, default=0))
        read.update(d for d, _ in task.reads if place.get(d) != place[node])
    return [*clusters]


def _put(task: Task, clusters: list[Cluster], place: dict[Node, int], earliest: int) -> None:
    """Add the task to the first cluster where it may stand, else to a new one."""
    shape = task.shape
    for position in range(earliest, len(clusters)):
        cluster = clusters[position]
        if not cluster.is_nest or Counter(cluster.space) != Counter(shape):
            continue
        written: dict[Node, set[Place]] = {
            other.node: set()
            if other.reduced
            else {placed(target, point) for target in other.targets}
            for other, point in zip(cluster.tasks, cluster.points, strict=True)
        }
        best: tuple[int, tuple[int, ...]] | None = None
        for point in _alignments(shape, cluster.space):
            mapped = {(node, placed(index, point)) for node, index in task.reads}
            if any(n in written and index not in written[n] for n, index in mapped):
                continue
            score = len(mapped & cluster.loads) + sum(n in written for n, _ in mapped)
            if best is None or score > best[0]:
                best = score, point
        if best is not None:
            cluster.tasks.append(task)
            cluster.points.append(best[1])
            _enter(cluster, task, best[1])
            place[task.node] = position
            return
    identity = tuple(range(len(shape)))
    clusters.append(Cluster(shape, [task], [identity]))
    _enter(clusters[-1], task, identity)
    place[task.node] = len(clusters) - 1


def _enter(cluster: Cluster, task: Task, point: Sequence[int]) -> None:
    """Note what the cluster now has at hand."""
    cluster.loads |= {(node, placed(index, point)) for node, index in task.reads}
    if not task.reduced:
        cluster.loads |= {(task.node, placed(target, point)) for target in task.targets}


def _alignments(space: Sequence[object], target: Sequence[object]) -> list[tuple[int, ...]]:
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
        if is_call(node):
            stored.update([node, *[n for n in node.operands if not isinstance(n, Variable)]])
        elif is_reduction(node) or reduced_labels(node) or is_merged(node):
            stored.add(node)
    for node in reversed(order):  # a view is used by those that read it
        count = users.get(node, 0) if is_view(node) and node not in stored else 1
        for operand in set(node.operands):
            users[operand] = users.get(operand, 0) + count
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
    for node in stored:
        if is_copy(node):
            chosen[node] = classify(node, sizes, Memory(stored).__contains__)  # type: ignore[arg-type]
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
