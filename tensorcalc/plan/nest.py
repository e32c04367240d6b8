"""A cluster of tasks in, the statements of one loop nest out.

Every operation stands in the outermost loop where its indices are known. Loops are ordered so that
memory is walked with short strides inside. A sum (or maximum …) whose summed loops are the inner
ones is kept in a number; else it is added up in its buffer. Used by `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.ir import Node
from tensorcalc.plan.collapse import collapse
from tensorcalc.plan.indices import Point, loops_in
from tensorcalc.plan.program import (
    Accumulate,
    Argument,
    Compute,
    Index,
    Load,
    Loop,
    Nest,
    Run,
    Statement,
    Store,
)
from tensorcalc.plan.schedule import Cluster, Schedule
from tensorcalc.plan.tasks import Memory, Slice, Task, placed
from tensorcalc.plan.values import Key, Values, arguments

TILE = 32  # rows that a walk along columns touches before it comes back to them
MIN_TILED = 1 << 13  # entries; fewer stay in the nearest cache
MAX_DEPTH = 14  # nested loops; more are run as one


class Names:
    """What the statements call things: buffers by node, extents by dim, and fresh values."""

    def __init__(
        self,
        buffer: Callable[[Node], str],
        extent: Callable[[Dim], str],
        bounds: Callable[[Slice], Bounds],
        item: int,
    ) -> None:
        self.buffer, self.extent, self.bounds, self.item = buffer, extent, bounds, item
        self.values = 0

    def fresh(self) -> str:
        """A new value name."""
        self.values += 1
        return f"v{self.values - 1}"

    def count(self, dim: Dim, cut: Slice | None) -> str:
        """How often a loop runs."""
        return self.extent(dim) if cut is None else self.bounds(cut).count

    def whole(self, index: str, cut: Slice | None) -> str:
        """A loop's index counted from the start of its axis, not of the block."""
        return index if cut is None else f"({index} + {self.bounds(cut).low})"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The names of a block's bounds."""

    low: str
    high: str
    count: str
    block: str


def nest(
    cluster: Cluster,
    plan: Schedule,
    stored: Collection[Node],
    names: Names,
    sizes: Mapping[str, int],
) -> tuple[Nest, dict[Node, float]]:
    """The nest of a cluster, and what nodes must hold first that are accumulated into.

    `stored` are the nodes with a buffer: what only this cluster reads is never written.
    """
    table = Values(Memory(plan.stored))
    results: list[tuple[Task, tuple[int, ...], Point, int]] = []
    for task, point in zip(cluster.tasks, cluster.points, strict=True):
        for target, instances in zip(task.targets, task.instances, strict=True):
            parts = [table.define(task.node, placed(p, point)) for p in instances]  # type: ignore[arg-type]
            result = parts[0]
            for part in parts[1:]:
                result = table.operation(task.loops.operation, (result,), (part,))
            place = placed(target, point)
            if not task.reduced:
                table.known[task.node, place] = result
            results.append((task, point, place, result))
    targets = [tuple([table.index(k) for k in place]) for _, _, place, _ in results]
    extents = [
        dim.value(sizes) if cut is None else min(cut.block, dim.value(sizes))
        for dim, cut in cluster.space
    ]
    places = [a[0] for target in targets for a in target if isinstance(a, tuple)]
    used = _used(table.entries, [*[result for *_, result in results], *places])
    stores = [(task.node, at) for (task, *_), at in zip(results, targets, strict=True)]
    runs = _runs(cluster, stores, [table.entries[k] for k in sorted(used)])
    order = _order([place for _, _, place, _ in results], table.entries, extents, runs)
    level = {label: k + 1 for k, run in enumerate(order) for label in run}
    index = {label: f"i{k}" for k, run in enumerate(order) for label in run}
    first = {run[0]: len(run) for run in order}
    depth = len(order)
    before: list[list[Statement]] = [[] for _ in range(depth + 1)]
    after: list[list[Statement]] = [[] for _ in range(depth + 1)]
    value: dict[int, str] = {}

    def name(argument: int | tuple[int]) -> str | int:
        if isinstance(argument, tuple):
            return value[argument[0]]
        if argument < 0:
            return ~argument
        return names.whole(index[argument], cluster.space[argument][1])

    def within(node: Node, indices: Sequence[int | tuple[int]]) -> tuple[Index, ...]:
        """The indices of an access: from the start of the block where no more is kept."""
        kept = plan.cuts.get(node, {})
        found: list[Index] = []
        for axis, a in enumerate(indices):
            if isinstance(a, tuple) or a < 0:
                found.append(name(a))
            elif first.get(a, 1) > 1:
                found.append(Run(index[a], first[a]))
            elif a in first:
                found.append(index[a] if axis in kept else name(a))
        return tuple(found)

    for k, key in enumerate(table.entries):
        if k not in used:
            continue
        here = before[max((level[a] for a in table.loops[k]), default=0)]
        value[k] = names.fresh()
        here.append(_statement(key, value[k], name, within, names))
    starts: dict[Node, float] = {}
    sums = []  # the depths outside of which a number holds a sum
    for (task, point, _, result), place_of in zip(results, targets, strict=True):
        loops, total = task.loops, value[result]
        at = within(task.node, place_of)
        if loops.sparse and task.node in stored:
            starts[task.node] = 0.0
        if not task.reduced:
            if task.node in stored:
                before[depth].append(Store(names.buffer(task.node), at, total))
            continue
        kept = [level[label] for k, label in enumerate(point) if k not in task.reduced]
        inner = max(kept, default=0)
        operation = None
        outside = any(level[point[k]] <= inner or k in task.cut for k in task.reduced)
        if depth > MAX_DEPTH or outside:
            operation = loops.operation
            starts[task.node] = loops.start
        if depth > MAX_DEPTH:
            inner = depth
        if inner == depth:
            before[depth].append(Store(names.buffer(task.node), at, total, operation))
            continue
        sums.append(inner)
        sum_name = names.fresh()
        before[inner].append(Compute(sum_name, "number", (loops.start,)))
        before[depth].append(Accumulate(sum_name, total, loops.operation))
        after[inner].append(Store(names.buffer(task.node), at, sum_name, operation))
    counts = [prod([cluster.space[k][0] for k in run], start=Dim.of(1)) for run in order]
    if depth > MAX_DEPTH:
        body = _merged(before, [(f"i{k}", dim) for k, dim in enumerate(counts)], names)
    else:
        around = [
            (f"i{k}", names.count(dim, cluster.space[run[0]][1]))
            for k, (run, dim) in enumerate(zip(order, counts, strict=True))
        ]
        lengths = [prod(extents[k] for k in run) for run in order]
        points = [within(node, at) for node, at in stores]
        points += [s.index for level in before for s in level if isinstance(s, Load)]
        tiled = depth - 1 not in sums and _crosses(points, lengths)
        body = _loops(before, after, around, tiled=tiled)
    times = prod(
        -(-dim.value(sizes) // min(cut.block, dim.value(sizes)))
        for dim, cut in cluster.space
        if cut is not None and dim.value(sizes)
    )
    work = sum(
        prod(extents[label] for label in table.loops[k])
        for k in used
        if table.entries[k][0] not in ("load", "number", "size")
    ) + sum(prod(extents) for task, *_ in results if task.reduced)
    touched = {task.node for task in cluster.tasks if task.node in stored}
    for k in used:
        key = table.entries[k]
        if key[0] == "load" and isinstance(key[1], Node):
            touched.add(key[1])
    entries = sum(prod(dim.value(sizes) for dim in node.dims) for node in touched)
    outputs = tuple([names.buffer(t.node) for t in cluster.tasks if t.node in stored])
    kind = "LOOP" if depth else "SCALAR"
    inner = prod(extents[k] for k in order[-1]) if order else 0
    return Nest(kind, tuple(body), work * times, entries * names.item, outputs, inner), starts


def _used(entries: Sequence[Key], results: Sequence[int]) -> set[int]:
    """Entries that some result needs."""
    used = set(results)
    for k in range(len(entries) - 1, -1, -1):
        if k in used:
            used.update(a[0] for a in arguments(entries[k]) if isinstance(a, tuple))
    return used


def _statement(
    key: Key,
    target: str,
    name: Callable[[int | tuple[int]], str | int],
    within: Callable[[Node, Sequence[int | tuple[int]]], tuple[Index, ...]],
    names: Names,
) -> Statement:
    if key[0] == "load":
        _, node, _, indices, guards = key
        where = within(node, indices)  # type: ignore[arg-type]
        conditions = tuple([str(name(a)) for a in guards])  # type: ignore[attr-defined]
        return Load(target, names.buffer(node), where, conditions)  # type: ignore[arg-type]
    given: list[Argument] = []
    for a in key[1:]:
        match a:
            case Dim():
                given.append(names.extent(a))
            case float():
                given.append(a)
            case int() | tuple():
                given.append(name(a))
    return Compute(target, str(key[0]), tuple(given))


def _runs(
    cluster: Cluster,
    stores: Sequence[tuple[Node, Sequence[int | tuple[int]]]],
    entries: Sequence[Key],
) -> list[tuple[int, ...]]:
    """The loops of the cluster, in runs that can be one loop.

    A loop that is computed with, or covers the first part of an axis only, stands alone.
    """
    accesses = [*stores]
    alone = {k for k, (_, cut) in enumerate(cluster.space) if cut is not None}
    for key in entries:
        given = list(arguments(key))
        if key[0] == "load":
            accesses.append((key[1], key[3]))  # type: ignore[arg-type]
            given = list(key[4])  # type: ignore[call-overload]
        alone |= {a for a in given if isinstance(a, int)}
    for node, indices in accesses:
        for dim, k in zip(node.dims, indices, strict=True):
            if isinstance(k, int) and k >= 0 and dim != cluster.space[k][0]:
                alone.add(k)
    summed = [
        {point[k] for k in task.reduced}
        for task, point in zip(cluster.tasks, cluster.points, strict=True)
    ]
    kinds = [tuple([k in own for own in summed]) for k in range(len(cluster.space))]
    return collapse([indices for _, indices in accesses], kinds, alone)


def _order(
    targets: Sequence[Point],
    entries: Sequence[Key],
    extents: Sequence[int],
    runs: Sequence[tuple[int, ...]],
) -> list[tuple[int, ...]]:
    """The loops, outermost first: those that stride far through memory go outside."""
    strides = dict.fromkeys(range(len(extents)), 0)
    points: list[Point] = [*targets]
    points += [key[2] for key in entries if key[0] == "load"]  # type: ignore[misc]
    for point in points:
        stride = 1
        for index in reversed(point):
            inside = set(loops_in(index))
            for label in inside:
                strides[label] += stride
            # of a fixed position only that its axis is longer than 1 matters
            stride *= prod(extents[label] for label in inside) if inside else 2
    return sorted(runs, key=lambda run: (-strides[run[-1]], run))


def _loops(
    before: Sequence[list[Statement]],
    after: Sequence[list[Statement]],
    loops: Sequence[tuple[str, str]],
    *,
    tiled: bool = False,
) -> list[Statement]:
    """Nested loops with statements before and after each inner one.

    If `tiled`, the two inner loops are done for one stretch of the last after the other.
    """
    body = [*before[-1], *after[-1]]
    start, stop = f"i{len(loops)}", f"i{len(loops) + 1}"
    for k in range(len(loops) - 1, -1, -1):
        index, extent = loops[k]
        if tiled and k == len(loops) - 1:
            loop = Loop(index, stop, body, start)
        else:
            loop = Loop(index, extent, body)
        if tiled and k == len(loops) - 2:
            loop = Loop(start, loops[-1][1], [loop], block=TILE, stop=stop)
        body = [*before[k], loop, *after[k]]
    return body


def _crosses(points: Sequence[tuple[Index, ...]], lengths: Sequence[int]) -> bool:
    """Whether arrays with both of the two inner loops are walked along either; both are long."""
    if len(lengths) < 2 or min(lengths[-2:]) < 2 * TILE or prod(lengths[-2:]) < MIN_TILED:
        return False
    inner = {f"i{len(lengths) - 2}", f"i{len(lengths) - 1}"}
    named = [[k.index if isinstance(k, Run) else k for k in point] for point in points]
    return inner == {point[-1] for point in named if inner <= {*point}}


def _merged(
    before: Sequence[list[Statement]], loops: Sequence[tuple[str, Dim]], names: Names
) -> list[Statement]:
    """The outer loops run as one, whose counter is taken apart into their indices.

    Python allows no more than 20 nested blocks. Nothing stands after the inner loops here.
    """
    count = len(loops) - MAX_DEPTH + 1
    total = Dim.of(1)
    for _, dim in loops[:count]:
        total = total * dim
    counter = rest = f"i{len(loops)}"
    head: list[Statement] = []
    for name, dim in reversed(loops[:count]):
        head.append(Compute(name, "remainder", (rest, names.extent(dim))))
        quotient = names.fresh()
        head.append(Compute(quotient, "quotient", (rest, names.extent(dim))))
        rest = quotient
    for statements in before[: count + 1]:
        head += statements
    inner = [(name, names.extent(dim)) for name, dim in loops[count:]]
    body = _loops([head, *before[count + 1 :]], [[]] * (len(inner) + 1), inner)
    return [Loop(counter, names.extent(total), body)]
