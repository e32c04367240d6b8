"""Walks over the IR without recursion: IR in, an order or folded results out."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterable
from typing import Any, TypeVar

from tensorcalc.ir import Node, Variable
from tensorcalc.limits import spend

T = TypeVar("T")


def postorder(roots: Iterable[Node], known: Container[Node] = ()) -> list[Node]:
    """Every node under `roots` once, operands before their users, in a deterministic order.

    What is `known` is left out, with all that only it stands on.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    for root in roots:
        stack: list[tuple[Node, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
            elif node not in seen and node not in known:
                seen.add(node)
                stack.append((node, True))
                # reversed: the first operand is then finished first, as a recursion would do
                stack.extend((operand, False) for operand in reversed(node.operands))
    spend(len(order) // 8)
    return order


def fold(
    roots: Iterable[Node],
    visit: Callable[[Node, tuple[T, ...]], T],
    memo: dict[Node, T] | None = None,
) -> dict[Node, T]:
    """`visit(node, results of its operands)` for every node, operands first; all results."""
    results = {} if memo is None else memo
    for node in postorder(roots, results):
        spend(1)
        results[node] = visit(node, tuple([results[operand] for operand in node.operands]))
    return results


def variables(*roots: Node) -> dict[str, Variable]:
    """The variables under `roots` by name, in order of the walk."""
    return {node.name: node for node in postorder(roots) if isinstance(node, Variable)}


def users(roots: Iterable[Node]) -> dict[Node, int]:
    """How many operand places (and roots) each node stands in."""
    counts: dict[Node, int] = {}
    roots = list(roots)
    for node in postorder(roots):
        for operand in node.operands:
            counts[operand] = counts.get(operand, 0) + 1
    for root in roots:
        counts[root] = counts.get(root, 0) + 1
    return counts


Steps = Generator["Steps[Any]", Any, T]


def trampoline(steps: Steps[T]) -> T:
    """Run a recursion written as a generator on an explicit stack.

    Where a recursive function would say ``f(child)``, the generator says ``yield f(child)``; the
    depth is then bounded by memory, not by Python's stack.

    >>> def depth(n):
    ...     return 0 if n == 0 else 1 + (yield depth(n - 1))
    >>> trampoline(depth(100_000))
    100000
    """
    stack: list[Steps[Any]] = [steps]
    value: Any = None
    error: BaseException | None = None
    while stack:
        try:
            if error is not None:
                pending, error = error, None
                child = stack[-1].throw(pending)
            else:
                child = stack[-1].send(value)
        except StopIteration as stop:
            stack.pop()
            value = stop.value
        except BaseException as raised:
            stack.pop()
            if not stack:
                raise
            error, value = raised, None
        else:
            stack.append(child)
            spend(1)
            value = None
    result: T = value
    return result
