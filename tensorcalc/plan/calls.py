"""A task that is done by a call in, the step out: BLAS, a copy, a function of matrices, the host.

Used by `plan`, for what is no loop nest.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tensorcalc.ir import Einsum, MatrixFunction, Node, Unknown
from tensorcalc.plan.classify import COPY, runs_of
from tensorcalc.plan.factors import FACTOR, PLANNED, is_factored
from tensorcalc.plan.host import Hosted
from tensorcalc.plan.program import Blas, Call, Host, Index, Step, View
from tensorcalc.plan.table import Table
from tensorcalc.plan.tasks import Task


def call(task: Task, table: Table, hosted: Hosted) -> tuple[Step, dict[Node, float]]:
    """The step of a task, and what nodes must hold first that are accumulated into."""
    if isinstance(task.node, MatrixFunction):
        return _function(task, table), {}
    if isinstance(task.node, Unknown):
        return _host(task.node, table, hosted), {}
    return _copy(task, table) if task.chosen is COPY else _blas(task, table)


def _blas(task: Task, table: Table) -> tuple[Blas, dict[Node, float]]:
    """The call of a contraction's class."""
    node, chosen = task.node, task.chosen
    if not isinstance(node, Einsum):
        raise AssertionError("only contractions have a class")
    index = {label: f"i{k}" for k, label in enumerate(chosen.loops)}
    loops = tuple(
        [(index[a], table.names.count(node.sizes[a], task.cut.get(a))) for a in chosen.loops]
    )
    first, second = chosen.first, chosen.second

    def begin(operand: Node, axis: int, label: int) -> Index:
        """Where the view begins on an axis."""
        if axis in table.cuts.get(operand, {}):
            return index.get(label, 0)
        if label in index:
            return table.names.whole(index[label], task.cut.get(label))
        return table.bounds_of(task.cut[label]).low if label in task.cut else 0

    def view(operand: Node, labels: tuple[int, ...], groups: tuple[tuple[int, ...], ...]) -> View:
        start = tuple([begin(operand, axis, label) for axis, label in enumerate(labels)])
        extents = table.axes(operand)
        strides = tuple([extents[labels.index(run[-1]) + 1 :] for run in groups])
        return View(table.buffer(operand), start, strides)

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
    work = 2 * prod(dim.value(table.sizes) for dim in node.sizes)
    step = Blas(
        chosen.kind if not loops else f"batched {chosen.kind}",
        loops,
        tuple(
            [
                tuple([table.names.count(node.sizes[x], task.cut.get(x)) for x in run])
                for run in (m, n, k)
            ]
        ),
        tuple([view(*v) for v in views]),
        summed_outside,
        work // 2 if chosen.kind in ("SYRK", "GEMMT") else work,
        table.item * sum(table.elements(v[0]) for v in views),
        (table.buffer(node),),
    )
    return step, {node: 0.0} if summed_outside else {}


def _copy(task: Task, table: Table) -> tuple[Blas, dict[Node, float]]:
    """The copy of an array with its axes in another order."""
    node = task.node
    if not isinstance(node, Einsum):
        raise AssertionError("only arrays are copied")
    runs = runs_of(node, task.cut)

    def view(operand: Node, labels: Sequence[int]) -> View:
        kept, extents = table.cuts.get(operand, {}), table.axes(operand)
        start = tuple(
            [
                table.bounds_of(task.cut[label]).low
                if label in task.cut and axis not in kept
                else 0
                for axis, label in enumerate(labels)
            ]
        )
        strides = tuple([extents[labels.index(run[-1]) + 1 :] for run in runs])
        return View(table.buffer(operand), start, strides)

    (operand,), (labels,) = node.operands, node.labels
    shape = tuple(
        [tuple([table.names.count(node.sizes[x], task.cut.get(x)) for x in run]) for run in runs]
    )
    views = (view(operand, labels), view(node, range(node.rank)))
    moved = 2 * table.item * table.elements(node)
    return Blas("COPY", (), shape, views, False, 0, moved, (table.buffer(node),)), {}


def _function(task: Task, table: Table) -> Call:
    """The call of a function of whole matrices."""
    from tensorcalc.matrix_functions import MATRIX_FUNCTIONS

    node, operand = task.node, task.node.operands[0]
    function = node.function  # type: ignore[attr-defined]
    loops = tuple(
        [(f"i{k}", table.names.count(dim, cut)) for k, (dim, cut) in enumerate(task.shape)]
    )

    def place(found: Node) -> tuple[str, tuple[Index, ...]]:
        kept = table.cuts.get(found, {})
        numbers = range(min(len(loops), found.rank))
        return table.buffer(found), tuple(
            [f"i{k}" if k in kept else table.names.whole(f"i{k}", task.cut.get(k)) for k in numbers]
        )

    elements = table.elements(operand)
    is_scalar, work = not node.rank, elements
    if function not in PLANNED:
        entry = MATRIX_FUNCTIONS[function]
        is_scalar = entry.result == 0
        if entry.rank == 2 and not is_factored(node):
            work *= max((d.value(table.sizes) for d in operand.dims[len(loops) :]), default=1)
    if function == FACTOR or (is_factored(node) and not is_scalar):
        work *= table.elements(node) // max(1, node.dims[0].value(table.sizes))
    return Call(
        function,
        loops,
        tuple([place(given) for given in node.operands]),
        place(node),
        is_scalar,
        2 * work,
        table.item * (elements + table.elements(node)),
        (table.buffer(node),),
        is_factored(node),
    )


def _host(node: Unknown, table: Table, hosted: Hosted) -> Host:
    """What the interpreter computes."""
    body = hosted.bodies[node.name]
    kind = body.function if isinstance(body, MatrixFunction) else "sum over integers"
    entries = sum(table.elements(given) for given in (*node.operands, node))
    sources = {f"${k}": table.buffer(given) for k, given in enumerate(node.operands)}
    target = table.buffer(node)
    return Host(f"host {kind}", body, sources, target, 0, table.item * entries, (target,))
