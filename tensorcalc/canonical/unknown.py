"""An unknown function's name, shape and operands in, its node in normal form out."""

from __future__ import annotations

from tensorcalc.canonical.arithmetic import repeated, without_axes
from tensorcalc.canonical.rebuild import Operands, Sizes, rebuilt
from tensorcalc.dims import Dims
from tensorcalc.ir import Node, Unknown
from tensorcalc.views import common_free_axes


def unknown(
    name: str,
    result: Dims,
    operands: tuple[Node, ...],
    batch: int = 0,
    derivatives: tuple[int, ...] = (),
    *,
    is_applied: bool = True,
    properties: frozenset[str] = frozenset(),
) -> Node:
    """A function that is only known by name, or its derivative by some of its arguments.

    The axes of the derivatives stand in the order of `derivatives`, which is ascending.
    """
    dims = operands[0].dims[:batch] + result
    for position in derivatives:
        dims += operands[position].dims[batch:]
    free = common_free_axes(operands) & frozenset(range(batch))
    if free:
        smaller = tuple([without_axes(node, free) for node in operands])
        made = unknown(
            name, result, smaller, batch - len(free), derivatives,
            is_applied=is_applied, properties=properties,
        )  # fmt: skip
        return repeated(made, dims, free)
    return Unknown.of(name, dims, operands, batch, derivatives, is_applied, properties)


@rebuilt.register(Unknown)
def _rebuilt_unknown(node: Unknown, operands: Operands, dims: Dims, sizes: Sizes) -> Node:
    result = dims[node.batch : node.batch + node.result]
    return unknown(
        node.name, result, operands, node.batch, node.derivatives,
        is_applied=node.is_applied, properties=node.properties,
    )  # fmt: skip
