"""Values of formulas with unknown functions: each is a wave (`formulas.Wave`) with its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from formulas import Array, Wave

import tensorcalc as tc
from tensorcalc import canonical
from tensorcalc.binding import bind_sizes
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Node, Unknown, Variable
from tensorcalc.traverse import fold, postorder


def numbers(expression: tc.Expr, data: Mapping[str, Any]) -> Array:
    """The value of an expression by the interpreter, unknown functions made waves."""
    known = {name: data[name] for name in expression.variables}
    if not any(isinstance(node, Unknown) for node in postorder([expression.node])):
        return expression.evaluate(**known)
    arrays = {name: np.asarray(value) for name, value in known.items()}
    sizes = bind_sizes(expression.variables, arrays)

    def computed(node: Node) -> Array:
        return evaluate([node], arrays, sizes, np.dtype(np.float64))[0]

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if not isinstance(node, Unknown):
            return canonical.rebuild(node, operands, {})
        values = [computed(operand) for operand in operands]
        shape = [dim.value(sizes) for dim in node.dims[node.batch : node.batch + node.result]]
        wave = Wave.of(node.name, shape, [np.shape(v)[node.batch :] for v in values])
        name = f"unknown{len(arrays)}"
        arrays[name] = wave.value(values, node.batch, node.derivatives)
        return Variable.of(name, node.dims)

    return computed(fold([expression.node], visit)[expression.node])
