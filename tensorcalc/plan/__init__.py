"""IR and the number of every size in, a loop program out: order, classes, fusion, memory.

`host.py` puts aside what has no compiled form, `rectified.py` compares what `relu` leaves,
`softmax.py` writes out `logsumexp`. Contractions: `outer.py` takes outer products apart,
`reopen.py` opens shared ones where that is less work, `common.py` finds what they have in common,
`contract.py` orders them by `paths.py`, `gram.py` shares weights between the factors of symmetric
ones, `orient.py` and `axes.py` put axes in order, `factors.py` makes solutions of inverses.
`classify.py` names the class of each; `tasks.py` says what loops compute a stored node, `slices.py`
splits indices into blocks, `ranges.py` for threads; `schedule.py` decides what is stored and fused,
`nest.py` writes the loops (`collapse.py`: which run as one) and `calls.py` the calls, under the
names of `table.py`; `memory.py` lets buffers share memory, `program.py` is the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tensorcalc.ir import Einsum, Node, Variable
from tensorcalc.plan.axes import arrange_axes
from tensorcalc.plan.calls import call
from tensorcalc.plan.contract import split
from tensorcalc.plan.factors import factorize
from tensorcalc.plan.gram import take_roots
from tensorcalc.plan.host import Hosted, replace_hosted
from tensorcalc.plan.memory import share, touched
from tensorcalc.plan.nest import nest
from tensorcalc.plan.orient import orient
from tensorcalc.plan.program import (
    Blas,
    Call,
    Compute,
    Loop,
    Nest,
    Pass,
    Program,
    ProgramTooLongError,
    Statement,
    Step,
    Store,
    flat,
    statements,
    work_of,
)
from tensorcalc.plan.ranges import is_large, split_range
from tensorcalc.plan.rectified import compare_rectified
from tensorcalc.plan.schedule import Blocks, Cluster, Group, Schedule, schedule
from tensorcalc.plan.softmax import replace_logsumexp
from tensorcalc.plan.table import Table

MAX_STATEMENTS = 2000
LARGE = 1 << 22  # bytes; from here on NumPy's memory has large pages, which are faster to get


def plan(
    outputs: Mapping[str, Node],
    sizes: Mapping[str, int],
    declared: Mapping[str, Variable] | None = None,
    item: int = 8,
    budget: int | None = None,
    threads: int = 1,
) -> Program:
    """The program that computes `outputs`.

    `declared` are further variables whose shapes may tell sizes; `item` is the bytes of a number,
    `budget` the bytes that a block of a split index may take (half of the cache if None). With more
    than one of `threads` large passes have ranges, which different threads can do.
    """
    known, hosted = replace_hosted(list(outputs.values()))
    known = replace_logsumexp(compare_rectified(known), item)
    contracted = orient(take_roots(split(known, sizes)), sizes)
    roots = [_computed(node) for node in factorize(arrange_axes(contracted, sizes), sizes)]
    order = schedule(roots, sizes, item, budget, threads)
    return _Planner(roots, sizes, declared or {}, item, hosted, threads, order).program()


def _is_factored(before: Sequence[Step], after: Sequence[Step]) -> bool:
    """Whether factors of a matrix, which have no buffer, are made before and used after."""
    made = {
        name
        for step in before
        if isinstance(step, Call) and step.kind == "factor"
        for name in step.outputs
    }
    later = [step for step in flat(after) if isinstance(step, Call) and step.factored]
    return any(name in made for step in later for name, _ in step.sources)


def _are_independent(first: Step, second: Step) -> bool:
    """Whether two steps may change places."""
    touches = zip((first, second), (second, first), strict=True)
    return all(set(touched(one)).isdisjoint(other.outputs) for one, other in touches)


def _computed(node: Node) -> Node:
    """The node, or a copy of it if it is an input: results never share memory with inputs."""
    if not isinstance(node, Variable):
        return node
    return Einsum.of(node.rank, node.dims, (node,), (tuple(range(node.rank)),))


class _Planner:
    """Makes the steps of a schedule."""

    def __init__(
        self,
        roots: Sequence[Node],
        sizes: Mapping[str, int],
        declared: Mapping[str, Variable],
        item: int,
        hosted: Hosted,
        threads: int,
        order: Schedule,
    ) -> None:
        self.roots, self.sizes, self.item, self.hosted = list(roots), sizes, item, hosted
        self.order, self.threads = order, threads
        self.table = Table(roots, sizes, declared, item, order.cuts)

    def program(self) -> Program:
        """The program."""
        order, table = self.order, self.table
        kept = [n for n in order.stored if n in order.read or n in set(self.roots)]
        results = list(dict.fromkeys(self.roots))
        for k, node in enumerate(results):
            table.buffers[node] = f"o{k}"
        temporaries = [n for n in kept if n not in table.buffers]
        for k, node in enumerate(temporaries):
            table.buffers[node] = f"t{k}"
        steps, starts = self.steps(order.groups)
        if self.threads > 1:
            steps = self.in_ranges(steps, order.groups)
        is_cut = any(isinstance(step, Pass) and step.ranges for step in steps)
        nests = [step for step in flat(steps) if isinstance(step, Nest)]
        count = sum(1 for step in nests for _ in statements(step.body))
        if count > MAX_STATEMENTS:
            raise ProgramTooLongError(
                f"the kernel would have {count} statements, limit {MAX_STATEMENTS}"
            )
        nodes = [*temporaries, *results]
        made = [table.declare(n, starts.get(n)) for n in nodes]
        if not self.hosted.bodies:
            made = share(made, steps)
        least = 0 if is_cut else LARGE
        made = [table.sized(b, node, least) for b, node in zip(made, nodes, strict=True)]
        table.check_memory([n for n, b in zip(nodes, made, strict=True) if b.memory is None])
        return Program(
            tuple(table.arguments.values()),
            (*table.extents.values(), *table.blocks),
            tuple(made[: len(temporaries)]),
            tuple(made[len(temporaries) :]),
            tuple([table.buffers[n] for n in self.roots]),
            tuple(steps),
            self.hosted.data,
            self.fixed(order),
            table.memory(nodes, made, len(temporaries)),
        )

    def fixed(self, order: Schedule) -> dict[str, int]:
        """The extents of loops that are written out."""
        dims = {dim for task in order.stored.values() for dim in task.written_out}
        return {
            self.table.extents[d].name: d.value(self.sizes) for d in self.table.extents if d in dims
        }

    def in_ranges(self, steps: Sequence[Step], groups: Sequence[Group]) -> list[Step]:
        """The steps, large passes with ranges for threads; large products are left to BLAS.

        Such a pass is a part of its own, and factors of a matrix stay within a part: a pass between
        their making and their use comes before them, if it can, or has no ranges.
        """
        result: list[Step] = []
        for k, (step, group) in enumerate(zip(steps, groups, strict=True)):
            place = len(result)
            later = steps[k:]
            while place and _is_factored(result[:place], [*result[place:], *later]):
                if not _are_independent(result[place - 1], step):
                    break
                place -= 1
            crossed = _is_factored(result[:place], [*result[place:], *later])
            if isinstance(step, Pass) and isinstance(group, Blocks) and not crossed:
                extent, block = group.slice.dim.value(self.sizes), group.slice.block
                kept = [node for node in group.joined if node not in self.table.cuts]
                added = self.item * sum(self.table.elements(node) for node in kept)
                ranges = split_range(extent, block, work_of([step]), added, self.threads)
                if ranges:
                    joined = tuple(
                        [(self.table.buffers[node], group.joined[node]) for node in kept]
                    )
                    made = replace(step, joined=joined, ranges=ranges, threads=self.threads)
                    result.insert(place, made)
                    continue
            if isinstance(step, Blas) and step.kind == "GEMM" and is_large(step.flops):
                step = replace(step, whole=True)
            result.append(step)
        return result

    def steps(self, groups: Sequence[Group]) -> tuple[list[Step], dict[Node, float]]:
        """The steps of groups, and what nodes must hold first that are accumulated into."""
        steps: list[Step] = []
        starts: dict[Node, float] = {}
        for group in groups:
            made, start = self.blockwise(group) if isinstance(group, Blocks) else self.step(group)
            steps.append(made)
            starts |= start
        return steps, starts

    def blockwise(self, group: Blocks) -> tuple[Pass, dict[Node, float]]:
        """A pass over the blocks of a slice. What lives in a block is made to start in it."""
        bounds = self.table.bounds_of(group.slice)
        steps, starts = self.steps(group.groups)
        local = [node for node, cuts in self.table.cuts.items() if group.slice in cuts.values()]
        fills: list[Step] = [
            self.fill(node, start) for node, start in starts.items() if node in local
        ]
        outside = {node: start for node, start in starts.items() if node not in local}
        inside = (*fills, *steps)
        outputs = dict.fromkeys(name for step in steps for name in step.outputs)
        hidden = {self.table.buffers[node] for node in local if node in self.table.buffers}
        made = Pass(
            f"PASS over {group.slice.dim} by {group.slice.block}",
            bounds.low,
            bounds.high,
            bounds.count,
            self.table.extent(group.slice.dim),
            bounds.block,
            inside,
            tuple(sorted(hidden)),
            self.item * sum(map(self.table.elements, self.passing(group))),
            sum(step.flops for step in inside),
            sum(step.bytes for step in inside),
            tuple([name for name in outputs if name not in hidden]),
        )
        return made, outside

    def passing(self, group: Blocks) -> set[Node]:
        """What a pass reads or writes that is more than a block."""
        found: set[Node] = set()
        for inner in group.groups:
            if isinstance(inner, Blocks):
                found |= self.passing(inner)
                continue
            for task in inner.tasks:
                found |= {task.node, *[node for node, _ in task.reads]}
        return {
            n
            for n in found - self.table.cuts.keys()
            if isinstance(n, Variable) or n in self.table.buffers
        }

    def fill(self, node: Node, start: float) -> Nest:
        """The nest that sets all of a block's buffer to one number."""
        cuts = self.table.cuts[node]
        indices = tuple([f"i{axis}" for axis in range(node.rank)])
        body: list[Statement] = [
            Compute("v0", "number", (start,)),
            Store(self.table.buffers[node], indices, "v0"),
        ]
        for axis in reversed(range(node.rank)):
            body = [
                Loop(indices[axis], self.table.names.count(node.dims[axis], cuts.get(axis)), body)
            ]
        return Nest("FILL", tuple(body), 0, 0, (self.table.buffers[node],))

    def step(self, cluster: Cluster) -> tuple[Step, dict[Node, float]]:
        """One step of a cluster, and what nodes must hold first that are accumulated into."""
        if cluster.is_nest:
            table = self.table
            return nest(cluster, self.order, table.buffers, table.names, self.sizes)
        return call(cluster.tasks[0], self.table, self.hosted)
