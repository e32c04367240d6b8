"""IR in, IR whose every node the planner knows out, and what the rest of it stands for.

A function of matrices without a compiled form and a sum over integers are computed by
`interpret` at run time, "on the host": here such a node becomes an `Unknown` function of what it
needs, so that everything else is compiled as ever. An array constant becomes a variable. Comes
before `plan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tensorcalc.binding import Array
from tensorcalc.errors import DomainError
from tensorcalc.ir import Data, MatrixFunction, Node, RangeSum, Unknown, Variable
from tensorcalc.plan.nodes import with_operands
from tensorcalc.traverse import fold, postorder

# functions of matrices that have a compiled form
COMPILED = frozenset("inv det logdet norm2 normF logsumexp max min prod power expm".split())


@dataclass(frozen=True, slots=True)
class Hosted:
    """What stands for the nodes that were replaced.

    `bodies` are the nodes of the `Unknown` functions by name: formulas in the variables
    ``$0``, ``$1``, … that stand for the function's operands. `data` are the constants by the name
    of their variables.
    """

    bodies: dict[str, Node] = field(default_factory=dict)
    data: dict[str, Array] = field(default_factory=dict)


def replace_hosted(roots: Sequence[Node]) -> tuple[list[Node], Hosted]:
    """The same roots over nodes that are computed in loops and by calls.

    Raises
    ------
    DomainError
        If a node has no value, or is of complex numbers.
    """
    hosted = Hosted()
    check_known(roots)
    if any(node.is_complex for node in postorder(roots)):
        raise DomainError("a formula of complex numbers is interpreted: it has no plan")
    varying: set[Node] = set()

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node, Variable) or not varying.isdisjoint(node.operands):
            varying.add(node)
        if isinstance(node, Data):
            name = f"$d{len(hosted.data)}"
            hosted.data[name] = node.array
            return Variable.of(name, node.dims)
        if node.counters or not _is_host(node):
            return with_operands(node, operands)
        inputs = _inputs(node, varying)
        names: dict[Node, Node] = {
            inner: Variable.of(f"${k}", inner.dims) for k, inner in enumerate(inputs)
        }
        body = fold([node], with_operands, dict(names))[node]
        name = body.key.hex()
        hosted.bodies[name] = body
        return Unknown.of(name, node.dims, tuple([found[n] for n in inputs]), 0, (), True)

    found: dict[Node, Node] = {}
    fold(roots, visit, found)
    return [found[root] for root in roots], hosted


def check_known(roots: Iterable[Node]) -> None:
    """Refuse functions of which only the name is known."""
    for node in postorder(roots):
        if isinstance(node, Unknown):
            raise DomainError(f"{node.name} is unknown: it has no value")


def _is_host(node: Node) -> bool:
    if isinstance(node, MatrixFunction):
        return node.order > 0 or node.function not in COMPILED
    return isinstance(node, RangeSum)


def _inputs(node: Node, varying: set[Node]) -> list[Node]:
    """What a node on the host needs: all inside that depends on variables, but on no counter."""
    found: set[Node] = set()
    stack = list(node.operands)
    while stack:
        inner = stack.pop()
        if inner.counters:
            stack += inner.operands
        elif inner in varying:
            found.add(inner)
    return sorted(found, key=lambda inner: inner.key)
