"""A cluster of tasks in, the statements of one loop nest out.

Every operation stands in the outermost loop where its indices are known. Loops are ordered so that
memory is walked with short strides inside. A sum whose summed loops are the inner ones is kept in
a number; else it is added up in its buffer. Used by `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.ir import Node, Variable
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
from tensorcalc.plan.values import Key, Point, Values

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
) -> tuple[Nest, set[Node]]:
    """The nest of a cluster, and the nodes that must start as zeros.

    `stored` are the nodes with a buffer: what only this cluster reads is never written.
    """
    table = Values(_Stored(plan))
    results: list[int] = []
    for task, point in zip(cluster.tasks, cluster.points, strict=True):
        rank = task.node.rank
        result = table.define(task.node, point)
        if rank == len(point):
            table.known[task.node, point] = result
        results.append(result)
    extents = [dim.value(sizes) for dim in cluster.space]
    order = _order(cluster, table.entries, extents)
    level = {label: k + 1 for k, label in enumerate(order)}
    index = {label: f"i{k}" for k, label in enumerate(order)}
    depth = len(order)
    before: list[list[Statement]] = [[] for _ in range(depth + 1)]
    after: list[list[Statement]] = [[] for _ in range(depth + 1)]

    def at(point: Point) -> tuple[Index, ...]:
        return tuple([index[k] if k >= 0 else ~k for k in point])

    used = _used(table.entries, results)
    value: dict[int, str] = {}
    for k, key in enumerate(table.entries):
        if k not in used:
            continue
        here = before[max((level[a] for a in table.loops[k]), default=0)]
        value[k] = names.fresh()
        here.append(_statement(key, value[k], value, at, names))
    zeros: set[Node] = set()
    for task, point, result in zip(cluster.tasks, cluster.points, results, strict=True):
        rank = task.node.rank
        if rank == len(point):
            if task.node in stored:
                before[depth].append(Store(names.buffer(task.node), at(point), value[result]))
            continue
        inner = max((level[label] for label in point[:rank]), default=0)
        add = any(level[label] <= inner for label in point[rank:])
        target, total = at(point[:rank]), value[result]
        if depth > MAX_DEPTH:
            inner, add = depth, True
        if add:
            zeros.add(task.node)
        if inner == depth:
            before[depth].append(Store(names.buffer(task.node), target, total, add))
            continue
        sum_name = names.fresh()
        before[inner].append(Compute(sum_name, "number", (0.0,)))
        before[depth].append(Accumulate(sum_name, total))
        after[inner].append(Store(names.buffer(task.node), target, sum_name, add))
    if depth > MAX_DEPTH:
        body = _merged(before, [(index[k], cluster.space[k]) for k in order], names)
    else:
        loops = [(index[k], names.extent(cluster.space[k])) for k in order]
        body = _loops(before, after, loops)
    work = sum(
        prod(extents[label] for label in table.loops[k])
        for k in used
        if table.entries[k][0] not in ("load", "number", "size")
    ) + sum(prod(extents) for task in cluster.tasks if len(task.space) > task.node.rank)
    touched = {task.node for task in cluster.tasks if task.node in stored}
    for k in used:
        key = table.entries[k]
        if key[0] == "load" and isinstance(key[1], Node):
            touched.add(key[1])
    moved = sum(prod(dim.value(sizes) for dim in node.dims) for node in touched)
    outputs = tuple([names.buffer(t.node) for t in cluster.tasks if t.node in stored])
    kind = "LOOP" if depth else "SCALAR"
    return Nest(kind, tuple(body), work, moved * names.item, outputs), zeros


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
        if k in used and entries[k][0] != "load":
            used.update(a[0] for a in entries[k][1:] if isinstance(a, tuple))
    return used


def _statement(
    key: Key,
    target: str,
    value: Mapping[int, str],
    at: Callable[[Point], tuple[Index, ...]],
    names: Names,
) -> Statement:
    if key[0] == "load":
        return Load(target, names.buffer(key[1]), at(key[2]))  # type: ignore[arg-type]
    arguments: list[Argument] = []
    for a in key[1:]:
        if isinstance(a, tuple):
            arguments.append(value[a[0]])
        elif isinstance(a, Dim):
            arguments.append(names.extent(a))
        elif isinstance(a, float):
            arguments.append(a)
        elif isinstance(a, int):
            index = at((a,))[0]
            arguments.append(index if isinstance(index, str) else float(index))
    return Compute(target, str(key[0]), tuple(arguments))


def _order(cluster: Cluster, entries: Sequence[Key], extents: Sequence[int]) -> list[int]:
    """The loops, outermost first: those that stride far through memory go outside."""
    strides = dict.fromkeys(range(len(extents)), 0)
    written = zip(cluster.tasks, cluster.points, strict=True)
    points = [point[: task.node.rank] for task, point in written]
    points += [key[2] for key in entries if key[0] == "load"]  # type: ignore[misc]
    for point in points:
        stride = 1
        for label in reversed(point):
            if label >= 0:
                strides[label] += stride
                stride *= extents[label]
            else:  # a fixed position: only that its axis is longer than 1 matters
                stride *= 2
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
