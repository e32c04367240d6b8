"""A cluster of tasks in, the statements of one loop nest out.

Every operation stands in the outermost loop where its indices are known. Loops are ordered so that
memory is walked with short strides inside. A sum (or maximum …) whose summed loops are the inner
ones is kept in a number; else it is added up in its buffer. Used by `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.ir import Node, Variable
from tensorcalc.plan.indices import Point, loops_in, moved
from tensorcalc.plan.program import (
    Accumulate,
    Argument,
    Compute,
    Index,
    Load,
    Loop,
    Nest,
    Statement,
    Store,
)
from tensorcalc.plan.schedule import Cluster, Schedule
from tensorcalc.plan.values import Key, Values, arguments

MAX_DEPTH = 14  # nested loops; more are run as one


class Names:
    """What the statements call things: buffers by node, extents by dim, and fresh values."""

    def __init__(
        self, buffer: Callable[[Node], str], extent: Callable[[Dim], str], item: int
    ) -> None:
        self.buffer, self.extent, self.item = buffer, extent, item
        self.values = 0

    def fresh(self) -> str:
        """A new value name."""
        self.values += 1
        return f"v{self.values - 1}"


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
    table = Values(_Stored(plan))
    results: list[int] = []
    targets: list[tuple[int | tuple[int], ...]] = []
    for task, point in zip(cluster.tasks, cluster.points, strict=True):
        place = tuple([moved(k, point) for k in task.loops.target])
        result = table.define(task.node, point)
        if not task.loops.reduced:
            table.known[task.node, place] = result
        results.append(result)
        targets.append(tuple([table.index(k) for k in place]))
    extents = [dim.value(sizes) for dim in cluster.space]
    order = _order(cluster, table.entries, extents)
    level = {label: k + 1 for k, label in enumerate(order)}
    index = {label: f"i{k}" for k, label in enumerate(order)}
    depth = len(order)
    before: list[list[Statement]] = [[] for _ in range(depth + 1)]
    after: list[list[Statement]] = [[] for _ in range(depth + 1)]
    value: dict[int, str] = {}

    def name(argument: int | tuple[int]) -> Index:
        if isinstance(argument, tuple):
            return value[argument[0]]
        return index[argument] if argument >= 0 else ~argument

    places = [a[0] for target in targets for a in target if isinstance(a, tuple)]
    used = _used(table.entries, [*results, *places])
    for k, key in enumerate(table.entries):
        if k not in used:
            continue
        here = before[max((level[a] for a in table.loops[k]), default=0)]
        value[k] = names.fresh()
        here.append(_statement(key, value[k], name, names))
    starts: dict[Node, float] = {}
    tasks = zip(cluster.tasks, cluster.points, targets, results, strict=True)
    for task, point, indices, result in tasks:
        loops, total = task.loops, value[result]
        target = tuple([name(a) for a in indices])
        if not loops.reduced:
            if task.node in stored:
                before[depth].append(Store(names.buffer(task.node), target, total))
            continue
        kept = [level[label] for k, label in enumerate(point) if k not in loops.reduced]
        inner = max(kept, default=0)
        operation = None
        if depth > MAX_DEPTH or any(level[point[k]] <= inner for k in loops.reduced):
            operation = loops.operation
            starts[task.node] = loops.start
        if depth > MAX_DEPTH:
            inner = depth
        if inner == depth:
            before[depth].append(Store(names.buffer(task.node), target, total, operation))
            continue
        sum_name = names.fresh()
        before[inner].append(Compute(sum_name, "number", (loops.start,)))
        before[depth].append(Accumulate(sum_name, total, loops.operation))
        after[inner].append(Store(names.buffer(task.node), target, sum_name, operation))
    if depth > MAX_DEPTH:
        body = _merged(before, [(index[k], cluster.space[k]) for k in order], names)
    else:
        around = [(index[k], names.extent(cluster.space[k])) for k in order]
        body = _loops(before, after, around)
    work = sum(
        prod(extents[label] for label in table.loops[k])
        for k in used
        if table.entries[k][0] not in ("load", "number", "size")
    ) + sum(prod(extents) for task in cluster.tasks if task.loops.reduced)
    touched = {task.node for task in cluster.tasks if task.node in stored}
    for k in used:
        key = table.entries[k]
        if key[0] == "load" and isinstance(key[1], Node):
            touched.add(key[1])
    entries = sum(prod(dim.value(sizes) for dim in node.dims) for node in touched)
    outputs = tuple([names.buffer(t.node) for t in cluster.tasks if t.node in stored])
    kind = "LOOP" if depth else "SCALAR"
    return Nest(kind, tuple(body), work, entries * names.item, outputs), starts


class _Stored:
    """What a load can read, seen from inside a cluster."""

    def __init__(self, plan: Schedule) -> None:
        self.plan = plan

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Variable) or node in self.plan.stored


def _used(entries: Sequence[Key], results: Sequence[int]) -> set[int]:
    """Entries that some result needs."""
    used = set(results)
    for k in range(len(entries) - 1, -1, -1):
        if k in used:
            used.update(a[0] for a in arguments(entries[k]) if isinstance(a, tuple))
    return used


def _statement(
    key: Key, target: str, name: Callable[[int | tuple[int]], Index], names: Names
) -> Statement:
    if key[0] == "load":
        _, node, _, indices, guards = key
        where = tuple([name(a) for a in indices])  # type: ignore[attr-defined]
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


def _order(cluster: Cluster, entries: Sequence[Key], extents: Sequence[int]) -> list[int]:
    """The loops, outermost first: those that stride far through memory go outside."""
    strides = dict.fromkeys(range(len(extents)), 0)
    points: list[Point] = [
        tuple([moved(k, point) for k in task.loops.target])
        for task, point in zip(cluster.tasks, cluster.points, strict=True)
    ]
    points += [key[2] for key in entries if key[0] == "load"]  # type: ignore[misc]
    for point in points:
        stride = 1
        for index in reversed(point):
            inside = set(loops_in(index))
            for label in inside:
                strides[label] += stride
            # of a fixed position only that its axis is longer than 1 matters
            stride *= prod(extents[label] for label in inside) if inside else 2
    return sorted(strides, key=lambda label: (-strides[label], label))


def _loops(
    before: Sequence[list[Statement]],
    after: Sequence[list[Statement]],
    loops: Sequence[tuple[str, str]],
) -> list[Statement]:
    """Nested loops with statements before and after each inner one."""
    body = [*before[-1], *after[-1]]
    for k in range(len(loops) - 1, -1, -1):
        loop = Loop(*loops[k], body=body)
        body = [*before[k], loop, *after[k]]
    return body


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
