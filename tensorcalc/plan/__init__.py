"""IR and the number of every size in, a loop program out: order, classes, fusion, memory.

`host.py` puts aside what has no compiled form, `softmax.py` writes out `logsumexp`, `contract.py`
orders contractions, `classify.py` names their class, `schedule.py` decides what is stored and
fused, `nest.py` writes the loops, `memory.py` lets buffers share memory, `program.py` is the
result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import LimitError
from tensorcalc.ir import Einsum, MatrixFunction, Node, Unknown, Variable
from tensorcalc.plan.contract import split
from tensorcalc.plan.host import Hosted, replace_hosted
from tensorcalc.plan.memory import share
from tensorcalc.plan.nest import Names, nest
from tensorcalc.plan.program import (
    Blas,
    Buffer,
    Call,
    Extent,
    Host,
    Nest,
    Program,
    ProgramTooLongError,
    Step,
    View,
    statements,
)
from tensorcalc.plan.schedule import Cluster, Schedule, Task, schedule
from tensorcalc.plan.softmax import replace_logsumexp
from tensorcalc.traverse import variables

MEMORY_SHARE = 0.8  # of the machine's memory that intermediates and results may take
MAX_STATEMENTS = 2000
LARGE = 1 << 22  # bytes; from here on NumPy's memory has large pages, which are faster to get


def plan(
    outputs: Mapping[str, Node],
    sizes: Mapping[str, int],
    declared: Mapping[str, Variable] | None = None,
    item: int = 8,
) -> Program:
    """The program that computes `outputs`.

    `declared` are further variables whose shapes may tell sizes; `item` is the bytes of a number.
    """
    known, hosted = replace_hosted(list(outputs.values()))
    roots = [_computed(node) for node in split(replace_logsumexp(known, item), sizes)]
    order = schedule(roots, sizes)
    return _Planner(roots, sizes, declared or {}, item, hosted).program(order)


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
    ) -> None:
        self.roots, self.sizes, self.item, self.hosted = list(roots), sizes, item, hosted
        self.variables = {**declared, **variables(*roots)}
        self.arguments: dict[str, Buffer] = {}
        self.extents: dict[Dim, Extent] = {}
        self.buffers: dict[Node, str] = {}
        self.names = Names(self.buffer, self.extent, item)

    def program(self, order: Schedule) -> Program:
        """The program of a schedule."""
        kept = [n for n in order.stored if n in order.read or n in set(self.roots)]
        results = list(dict.fromkeys(self.roots))
        for k, node in enumerate(results):
            self.buffers[node] = f"o{k}"
        temporaries = [n for n in kept if n not in self.buffers]
        for k, node in enumerate(temporaries):
            self.buffers[node] = f"t{k}"
        steps: list[Step] = []
        starts: dict[Node, float] = {}
        for cluster in order.clusters:
            step, start = self.step(cluster, order)
            steps.append(step)
            starts |= start
        count = sum(1 for step in steps if isinstance(step, Nest) for _ in statements(step.body))
        if count > MAX_STATEMENTS:
            raise ProgramTooLongError(
                f"the kernel would have {count} statements, limit {MAX_STATEMENTS}"
            )
        nodes = [*temporaries, *results]
        made = [self.declare(n, starts.get(n)) for n in nodes]
        if not self.hosted.bodies:
            made = share(made, steps)
        made = [self.sized(buffer, node) for buffer, node in zip(made, nodes, strict=True)]
        self.check_memory([n for n, b in zip(nodes, made, strict=True) if b.memory is None])
        return Program(
            tuple(self.arguments.values()),
            tuple(self.extents.values()),
            tuple(made[: len(temporaries)]),
            tuple(made[len(temporaries) :]),
            tuple([self.buffers[n] for n in self.roots]),
            tuple(steps),
            self.hosted.data,
        )

    def declare(self, node: Node, start: float | None) -> Buffer:
        """The buffer of a stored node."""
        extents = tuple([self.extent(dim) for dim in node.dims])
        return Buffer(self.buffers[node], extents, None, start)

    def sized(self, buffer: Buffer, node: Node) -> Buffer:
        """The buffer, with its shape if the caller is to allocate it."""
        if isinstance(node, Unknown):  # allocated by the host
            return buffer
        if buffer.memory is not None or self.item * self.elements(node) < LARGE:
            return buffer
        return replace(buffer, shape=tuple([dim.value(self.sizes) for dim in node.dims]))

    def step(self, cluster: Cluster, order: Schedule) -> tuple[Step, dict[Node, float]]:
        """One step of a cluster, and what nodes must hold first that are accumulated into."""
        if cluster.is_nest:
            return nest(cluster, order, self.buffers, self.names, self.sizes)
        task = cluster.tasks[0]
        if isinstance(task.node, MatrixFunction):
            return self.call(task.node), {}
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
            found = Extent(f"n{len(self.extents)}", factors, *source, is_sum)
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

    def product(self, dims: Dims) -> tuple[str, ...]:
        """The factors of a product of sizes."""
        return tuple([self.extent(dim) for dim in dims])

    def blas(self, task: Task) -> tuple[Blas, dict[Node, float]]:
        """The call of a contraction's class."""
        node, chosen = task.node, task.chosen
        if not isinstance(node, Einsum):
            raise AssertionError("only contractions have a class")
        index = {label: f"i{k}" for k, label in enumerate(chosen.loops)}
        loops = tuple([(index[a], self.extent(node.sizes[a])) for a in chosen.loops])
        first, second = chosen.first, chosen.second

        def view(
            operand: Node, labels: tuple[int, ...], groups: tuple[tuple[int, ...], ...]
        ) -> View:
            start = tuple([index.get(a, 0) for a in labels])
            strides = [self.product(operand.dims[labels.index(run[-1]) + 1 :]) for run in groups]
            return View(self.buffer(operand), start, tuple(strides))

        a, la = node.operands[first], node.labels[first]
        b, lb = node.operands[second], node.labels[second]
        axes = tuple(range(node.rank))
        m, n, k = chosen.m, chosen.n, chosen.k
        views = {
            "GEMV": ((a, la, (m, k)), (b, lb, (k,)), (node, axes, (m,))),
            "GEMM": ((a, la, (m, k)), (b, lb, (k, n)), (node, axes, (m, n))),
            "SYRK": ((a, la, (m, k)), (node, axes, (m, n))),
        }[chosen.kind]
        summed_outside = any(label >= node.rank for label in chosen.loops)
        work = 2 * prod(dim.value(self.sizes) for dim in node.sizes)
        step = Blas(
            chosen.kind if not loops else f"batched {chosen.kind}",
            loops,
            tuple([self.product(tuple([node.sizes[x] for x in run])) for run in (m, n, k)]),
            tuple([view(*v) for v in views]),
            summed_outside,
            work // 2 if chosen.kind == "SYRK" else work,
            self.item * sum(self.elements(v[0]) for v in views),
            (self.buffer(node),),
        )
        return step, {node: 0.0} if summed_outside else {}

    def call(self, node: MatrixFunction) -> Call:
        """The call of a function of whole matrices."""
        from tensorcalc.matrix_functions import MATRIX_FUNCTIONS

        operand = node.operands[0]
        entry = MATRIX_FUNCTIONS[node.function]
        batch = operand.dims[: operand.rank - entry.rank]
        loops = tuple([(f"i{k}", self.extent(dim)) for k, dim in enumerate(batch)])
        elements = self.elements(operand)
        largest = max((d.value(self.sizes) for d in operand.dims[len(batch) :]), default=1)
        return Call(
            node.function,
            loops,
            tuple([self.buffer(given) for given in node.operands]),
            self.buffer(node),
            entry.result == 0,
            2 * elements * (largest if entry.rank == 2 else 1),
            self.item * (elements + self.elements(node)),
            (self.buffer(node),),
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

    def check_memory(self, nodes: Sequence[Node]) -> None:
        """Refuse a program whose intermediates and results would not fit."""
        largest = max(nodes, key=self.elements)
        total = self.item * sum(self.elements(node) for node in nodes)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if total > MEMORY_SHARE * memory:
            shape = tuple(dim.value(self.sizes) for dim in largest.dims)
            raise LimitError(
                f"the program needs {total / 2**30:.3g} GiB of memory, more than "
                f"{MEMORY_SHARE:.0%} of the machine's {memory / 2**30:.3g} GiB; "
                f"the largest array has shape {shape}"
            )
