"""IR and the number of every size in, a loop program out: order, classes, fusion, memory.

`host.py` puts aside what has no compiled form, `softmax.py` writes out `logsumexp`. Contractions:
`outer.py` takes outer products apart, `common.py` finds what they have in common, `contract.py`
orders them by `paths.py`, `axes.py` puts the axes of operands in order, `factors.py` makes
solutions of inverses. `classify.py` names the class of each; `tasks.py` says what loops compute a
stored node, `slices.py` splits indices into blocks, `ranges.py` for threads; `schedule.py` decides
what is stored and fused, `nest.py` writes the loops, `memory.py` lets buffers share memory,
`program.py` is the result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.errors import LimitError
from tensorcalc.ir import Einsum, MatrixFunction, Node, Unknown, Variable
from tensorcalc.plan.axes import arrange_axes
from tensorcalc.plan.contract import split
from tensorcalc.plan.factors import FACTOR, PLANNED, factorize, is_factored
from tensorcalc.plan.host import Hosted, replace_hosted
from tensorcalc.plan.memory import share, touched
from tensorcalc.plan.nest import Bounds, Names, nest
from tensorcalc.plan.program import (
    Blas,
    Buffer,
    Call,
    Compute,
    Extent,
    Host,
    Index,
    Loop,
    Nest,
    Pass,
    Program,
    ProgramTooLongError,
    Statement,
    Step,
    Store,
    View,
    flat,
    statements,
    work_of,
)
from tensorcalc.plan.ranges import split_range
from tensorcalc.plan.schedule import Blocks, Cluster, Group, Schedule, schedule
from tensorcalc.plan.softmax import replace_logsumexp
from tensorcalc.plan.tasks import Slice, Task
from tensorcalc.traverse import variables

MEMORY_SHARE = 0.8  # of the machine's memory that intermediates and results may take
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
    contracted = arrange_axes(split(replace_logsumexp(known, item), sizes), sizes)
    roots = [_computed(node) for node in factorize(contracted, sizes)]
    order = schedule(roots, sizes, item, budget, threads)
    return _Planner(roots, sizes, declared or {}, item, hosted, threads).program(order)


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
    """Names for the buffers and extents of one program."""

    def __init__(
        self,
        roots: Sequence[Node],
        sizes: Mapping[str, int],
        declared: Mapping[str, Variable],
        item: int,
        hosted: Hosted,
        threads: int,
    ) -> None:
        self.roots, self.sizes, self.item, self.hosted = list(roots), sizes, item, hosted
        self.threads = threads
        self.variables = {**declared, **variables(*roots)}
        self.arguments: dict[str, Buffer] = {}
        self.extents: dict[Dim, Extent] = {}
        self.buffers: dict[Node, str] = {}
        self.bounds: dict[Slice, Bounds] = {}
        self.blocks: list[Extent] = []
        self.cuts: dict[Node, dict[int, Slice]] = {}
        self.names = Names(self.buffer, self.extent, self.bounds_of, item)

    def program(self, order: Schedule) -> Program:
        """The program of a schedule."""
        kept = [n for n in order.stored if n in order.read or n in set(self.roots)]
        results = list(dict.fromkeys(self.roots))
        for k, node in enumerate(results):
            self.buffers[node] = f"o{k}"
        temporaries = [n for n in kept if n not in self.buffers]
        for k, node in enumerate(temporaries):
            self.buffers[node] = f"t{k}"
        self.cuts = order.cuts
        steps, starts = self.steps(order.groups, order)
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
        made = [self.declare(n, starts.get(n)) for n in nodes]
        if not self.hosted.bodies:
            made = share(made, steps)
        least = 0 if is_cut else LARGE
        made = [self.sized(b, node, least) for b, node in zip(made, nodes, strict=True)]
        self.check_memory([n for n, b in zip(nodes, made, strict=True) if b.memory is None])
        return Program(
            tuple(self.arguments.values()),
            (*self.extents.values(), *self.blocks),
            tuple(made[: len(temporaries)]),
            tuple(made[len(temporaries) :]),
            tuple([self.buffers[n] for n in self.roots]),
            tuple(steps),
            self.hosted.data,
            self.fixed(order),
            self.memory(nodes, made, len(temporaries)),
        )

    def memory(self, nodes: Sequence[Node], made: Sequence[Buffer], count: int) -> tuple[int, int]:
        """The bytes of the first `count` buffers, which lie between steps, and of the results."""
        sizes = [self.item * self.kept(node) for node in nodes]
        own = [b.memory is None for b in made]
        total = sum(size for size, is_own in zip(sizes, own, strict=True) if is_own)
        results = sum(sizes[count:])
        return max(0, total - results), results

    def fixed(self, order: Schedule) -> dict[str, int]:
        """The extents of loops that are written out."""
        dims = {dim for task in order.stored.values() for dim in task.written_out}
        return {self.extents[d].name: d.value(self.sizes) for d in self.extents if d in dims}

    def declare(self, node: Node, start: float | None) -> Buffer:
        """The buffer of a stored node."""
        return Buffer(self.buffers[node], self.axes(node), None, start)

    def axes(self, node: Node) -> tuple[str, ...]:
        """The extents of a node's buffer, which may hold a block only."""
        cuts = self.cuts.get(node, {})
        return tuple(
            [
                self.bounds_of(cuts[axis]).block if axis in cuts else self.extent(dim)
                for axis, dim in enumerate(node.dims)
            ]
        )

    def bounds_of(self, cut: Slice) -> Bounds:
        """The names of a slice's bounds, entered if they are new."""
        found = self.bounds.get(cut)
        if found is None:
            k = 3 * len(self.bounds)
            self.extent(cut.dim)
            block = f"n{1000 + len(self.blocks)}"
            self.blocks.append(Extent(block, (cut.block,)))
            found = self.bounds[cut] = Bounds(f"c{k}", f"c{k + 1}", f"c{k + 2}", block)
        return found

    def in_ranges(self, steps: Sequence[Step], groups: Sequence[Group]) -> list[Step]:
        """The steps, large passes with ranges for threads.

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
                kept = [node for node in group.joined if node not in self.cuts]
                added = self.item * sum(self.elements(node) for node in kept)
                ranges = split_range(extent, block, work_of([step]), added, self.threads)
                if ranges:
                    joined = tuple([(self.buffers[node], group.joined[node]) for node in kept])
                    made = replace(step, joined=joined, ranges=ranges, threads=self.threads)
                    result.insert(place, made)
                    continue
            result.append(step)
        return result

    def sized(self, buffer: Buffer, node: Node, least: int) -> Buffer:
        """The buffer, with its shape if the caller is to allocate it: it has `least` bytes."""
        if isinstance(node, Unknown) or node in self.cuts:  # allocated by the host, or small
            return buffer
        if least and (buffer.memory is not None or self.item * self.elements(node) < least):
            return buffer
        return replace(buffer, shape=tuple([dim.value(self.sizes) for dim in node.dims]))

    def steps(
        self, groups: Sequence[Group], order: Schedule
    ) -> tuple[list[Step], dict[Node, float]]:
        """The steps of groups, and what nodes must hold first that are accumulated into."""
        steps: list[Step] = []
        starts: dict[Node, float] = {}
        for group in groups:
            made, start = (
                self.blockwise(group, order)
                if isinstance(group, Blocks)
                else self.step(group, order)
            )
            steps.append(made)
            starts |= start
        return steps, starts

    def blockwise(self, group: Blocks, order: Schedule) -> tuple[Pass, dict[Node, float]]:
        """A pass over the blocks of a slice. What lives in a block is made to start in it."""
        bounds = self.bounds_of(group.slice)
        steps, starts = self.steps(group.groups, order)
        local = [node for node, cuts in self.cuts.items() if group.slice in cuts.values()]
        fills: list[Step] = [
            self.fill(node, start) for node, start in starts.items() if node in local
        ]
        outside = {node: start for node, start in starts.items() if node not in local}
        inside = (*fills, *steps)
        outputs = dict.fromkeys(name for step in steps for name in step.outputs)
        hidden = {self.buffers[node] for node in local if node in self.buffers}
        made = Pass(
            f"PASS over {group.slice.dim} by {group.slice.block}",
            bounds.low,
            bounds.high,
            bounds.count,
            self.extent(group.slice.dim),
            bounds.block,
            inside,
            tuple(sorted(hidden)),
            self.item * sum(map(self.elements, self.passing(group))),
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
        return {n for n in found - self.cuts.keys() if isinstance(n, Variable) or n in self.buffers}

    def fill(self, node: Node, start: float) -> Nest:
        """The nest that sets all of a block's buffer to one number."""
        cuts = self.cuts[node]
        indices = tuple([f"i{axis}" for axis in range(node.rank)])
        body: list[Statement] = [
            Compute("v0", "number", (start,)),
            Store(self.buffers[node], indices, "v0"),
        ]
        for axis in reversed(range(node.rank)):
            body = [Loop(indices[axis], self.names.count(node.dims[axis], cuts.get(axis)), body)]
        return Nest("FILL", tuple(body), 0, 0, (self.buffers[node],))

    def step(self, cluster: Cluster, order: Schedule) -> tuple[Step, dict[Node, float]]:
        """One step of a cluster, and what nodes must hold first that are accumulated into."""
        if cluster.is_nest:
            return nest(cluster, order, self.buffers, self.names, self.sizes)
        task = cluster.tasks[0]
        if isinstance(task.node, MatrixFunction):
            return self.call(task), {}
        if isinstance(task.node, Unknown):
            return self.host(task.node), {}
        return self.blas(task)

    def buffer(self, node: Node) -> str:
        """The name of what a load or store of the node touches."""
        if node in self.buffers:
            return self.buffers[node]
        if not isinstance(node, Variable):
            raise AssertionError(f"{node!r} is not stored")
        return self.argument(node).name

    def argument(self, variable: Variable) -> Buffer:
        """The argument that holds a variable, entered if it is new."""
        found = self.arguments.get(variable.name)
        if found is None:
            name = f"a{len(self.arguments)}"
            found = Buffer(name, (), variable.name)
            self.arguments[variable.name] = found
            extents = tuple([self.extent(dim) for dim in variable.dims])
            found = self.arguments[variable.name] = Buffer(name, extents, variable.name)
        return found

    def extent(self, dim: Dim) -> str:
        """The name of the number of a dim, entered if it is new."""
        found = self.extents.get(dim)
        if found is None:
            factors: tuple[int | str, ...] = ()
            source: tuple[str | None, int] = (None, 0)
            if dim.product == (1, dim.names) and len(dim.names) == 1:
                source, factors = self.source(dim)
            elif dim.product is None:
                factors = tuple([self.extent(Dim((term,))) for term in dim.terms])
            else:
                number, names = dim.product
                one = () if number == 1 and names else (number,)
                factors = (*one, *[self.extent(Dim.of(name)) for name in names])
            if dim in self.extents:  # entered for an argument that was met on the way
                return self.extents[dim].name
            is_sum = dim.product is None
            found = Extent(f"n{len(self.extents)}", factors, *source, is_sum, dim)
            self.extents[dim] = found
        return found.name

    def source(self, dim: Dim) -> tuple[tuple[str | None, int], tuple[int | str, ...]]:
        """Where the number of a name is read off; if from nowhere, its value."""
        for exact in (True, False):
            for variable in self.variables.values():
                for axis, other in enumerate(variable.dims):
                    if exact and other == dim:
                        return (self.argument(variable).name, axis), ()
                    if exact or other.product is None or other.names.count(dim.names[0]) != 1:
                        continue
                    number = other.product[0]
                    rest = tuple([name for name in other.names if name != dim.names[0]])
                    told = number > 0 and all(self.is_told(name) for name in rest)
                    if told and all(self.sizes[name] > 0 for name in rest):
                        buffer = self.argument(variable).name
                        parts = tuple([self.extent(Dim.of(name)) for name in rest])
                        return (buffer, axis), (number, *parts)
        return (None, 0), (self.sizes[dim.names[0]],)

    def is_told(self, name: str) -> bool:
        """Whether some axis has exactly this size."""
        dim = Dim.of(name)
        return any(dim in variable.dims for variable in self.variables.values())

    def blas(self, task: Task) -> tuple[Blas, dict[Node, float]]:
        """The call of a contraction's class."""
        node, chosen = task.node, task.chosen
        if not isinstance(node, Einsum):
            raise AssertionError("only contractions have a class")
        index = {label: f"i{k}" for k, label in enumerate(chosen.loops)}
        loops = tuple(
            [(index[a], self.names.count(node.sizes[a], task.cut.get(a))) for a in chosen.loops]
        )
        first, second = chosen.first, chosen.second

        def begin(operand: Node, axis: int, label: int) -> Index:
            """Where the view begins on an axis."""
            if axis in self.cuts.get(operand, {}):
                return index.get(label, 0)
            if label in index:
                return self.names.whole(index[label], task.cut.get(label))
            return self.bounds_of(task.cut[label]).low if label in task.cut else 0

        def view(
            operand: Node, labels: tuple[int, ...], groups: tuple[tuple[int, ...], ...]
        ) -> View:
            start = tuple([begin(operand, axis, label) for axis, label in enumerate(labels)])
            extents = self.axes(operand)
            strides = tuple([extents[labels.index(run[-1]) + 1 :] for run in groups])
            return View(self.buffer(operand), start, strides)

        a, la = node.operands[first], node.labels[first]
        b, lb = node.operands[second], node.labels[second]
        axes = tuple(range(node.rank))
        m, n, k = chosen.m, chosen.n, chosen.k
        views = {
            "GEMV": ((a, la, (m, k)), (b, lb, (k,)), (node, axes, (m,))),
            "GEMM": ((a, la, (m, k)), (b, lb, (k, n)), (node, axes, (m, n))),
            "GEMMT": ((a, la, (m, k)), (b, lb, (k, n)), (node, axes, (m, n))),
            "SYRK": ((a, la, (m, k)), (node, axes, (m, n))),
        }[chosen.kind]
        summed_outside = any(
            label >= node.rank for label in (*chosen.loops, *[x for x in k if x in task.cut])
        )
        work = 2 * prod(dim.value(self.sizes) for dim in node.sizes)
        step = Blas(
            chosen.kind if not loops else f"batched {chosen.kind}",
            loops,
            tuple(
                [
                    tuple([self.names.count(node.sizes[x], task.cut.get(x)) for x in run])
                    for run in (m, n, k)
                ]
            ),
            tuple([view(*v) for v in views]),
            summed_outside,
            work // 2 if chosen.kind in ("SYRK", "GEMMT") else work,
            self.item * sum(self.elements(v[0]) for v in views),
            (self.buffer(node),),
        )
        return step, {node: 0.0} if summed_outside else {}

    def call(self, task: Task) -> Call:
        """The call of a function of whole matrices."""
        from tensorcalc.matrix_functions import MATRIX_FUNCTIONS

        node, operand = task.node, task.node.operands[0]
        function = node.function  # type: ignore[attr-defined]
        loops = tuple(
            [(f"i{k}", self.names.count(dim, cut)) for k, (dim, cut) in enumerate(task.shape)]
        )

        def place(found: Node) -> tuple[str, tuple[Index, ...]]:
            kept = self.cuts.get(found, {})
            numbers = range(min(len(loops), found.rank))
            return self.buffer(found), tuple(
                [
                    f"i{k}" if k in kept else self.names.whole(f"i{k}", task.cut.get(k))
                    for k in numbers
                ]
            )

        elements = self.elements(operand)
        is_scalar, work = not node.rank, elements
        if function not in PLANNED:
            entry = MATRIX_FUNCTIONS[function]
            is_scalar = entry.result == 0
            if entry.rank == 2 and not is_factored(node):
                work *= max((d.value(self.sizes) for d in operand.dims[len(loops) :]), default=1)
        if function == FACTOR or (is_factored(node) and not is_scalar):
            work *= self.elements(node) // max(1, node.dims[0].value(self.sizes))
        return Call(
            function,
            loops,
            tuple([place(given) for given in node.operands]),
            place(node),
            is_scalar,
            2 * work,
            self.item * (elements + self.elements(node)),
            (self.buffer(node),),
            is_factored(node),
        )

    def host(self, node: Unknown) -> Host:
        """What the interpreter computes."""
        body = self.hosted.bodies[node.name]
        kind = body.function if isinstance(body, MatrixFunction) else "sum over integers"
        entries = sum(self.elements(given) for given in (*node.operands, node))
        sources = {f"${k}": self.buffer(given) for k, given in enumerate(node.operands)}
        target = self.buffer(node)
        return Host(f"host {kind}", body, sources, target, 0, self.item * entries, (target,))

    def elements(self, node: Node) -> int:
        """The number of entries of a node."""
        return prod(dim.value(self.sizes) for dim in node.dims)

    def kept(self, node: Node) -> int:
        """The number of entries of a node's buffer."""
        cuts = self.cuts.get(node, {})
        return prod(
            cuts[axis].block if axis in cuts else dim.value(self.sizes)
            for axis, dim in enumerate(node.dims)
        )

    def check_memory(self, nodes: Sequence[Node]) -> None:
        """Refuse a program whose intermediates and results would not fit."""
        largest = max(nodes, key=self.kept)
        total = self.item * sum(self.kept(node) for node in nodes)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if total > MEMORY_SHARE * memory:
            shape = tuple(dim.value(self.sizes) for dim in largest.dims)
            raise LimitError(
                f"the program needs {total / 2**30:.3g} GiB of memory, more than "
                f"{MEMORY_SHARE:.0%} of the machine's {memory / 2**30:.3g} GiB; "
                f"the largest array has shape {shape}"
            )
