"""A body and the counter that it counts with in, the node of their sum in normal form out."""

from __future__ import annotations

from fractions import Fraction

from tensorcalc.canonical.arithmetic import add, einsum, number, scale
from tensorcalc.canonical.facts import ONE
from tensorcalc.canonical.rebuild import Operands, Sizes, rebuild, rebuilt
from tensorcalc.dims import Dims
from tensorcalc.ir import Add, Counter, Einsum, Node, RangeSum
from tensorcalc.traverse import fold


def range_sum(body: Node, counter: Counter) -> Node:
    """The sum of `body` over the integers from the counter's first to its last value.

    In the node the counter has the first level that no sum inside has, so that its name does not
    matter. What the counter does not occur in stands outside.
    """
    low, high = counter.operands
    times = add((), [(ONE, high), (Fraction(-1), low), (ONE, number(1))])
    if counter not in body.counters:
        axes = tuple(range(body.rank))
        return einsum(body.rank, body.dims, [(body, axes), (times, ())])
    if isinstance(body, Add) and len(body.operands) == 1:
        return scale(body.coefficients[0], range_sum(body.operands[0], counter))
    if isinstance(body, Einsum):
        outside = [o for o in body.operands if not o.rank and counter not in o.counters]
        if outside:
            inside = [
                (o, a)
                for o, a in zip(body.operands, body.labels, strict=True)
                if o.rank or counter in o.counters
            ]
            inner = range_sum(einsum(body.rank, body.sizes, inside), counter)
            axes = tuple(range(body.rank))
            return einsum(body.rank, body.dims, [(inner, axes), *[(o, ()) for o in outside]])
    taken = {other.level for other in body.counters if other is not counter}
    level = body.height + 1
    while level in taken:
        level += 1
    if level != counter.level:
        renamed = Counter.of(level, counter.operands)
        body, counter = replace_counter(body, counter, renamed), renamed
    return RangeSum.of((body, counter))


def replace_counter(body: Node, counter: Counter, value: Node) -> Node:
    """The body with the counter replaced by another scalar."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if node is counter:
            return value
        return node if counter not in node.counters else rebuild(node, operands)

    return fold([body], visit)[body]


@rebuilt.register(RangeSum)
def _rebuilt_range_sum(node: RangeSum, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    body, counter = operands
    if not isinstance(counter, Counter):
        raise TypeError("a RangeSum counts with a Counter")
    return range_sum(body, counter)
