"""A derivative in, a function of data out that makes the operator: compiles the small parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorcalc.binding import as_array, bind_sizes, check_names, shown_sizes
from tensorcalc.errors import DomainError
from tensorcalc.ir import Node, Variable
from tensorcalc.kernel import Kernel, compile_nodes
from tensorcalc.operators.blocks import Block
from tensorcalc.operators.choose import Form, choose
from tensorcalc.operators.operator import Operator
from tensorcalc.operators.terms import terms
from tensorcalc.properties import use_properties
from tensorcalc.traverse import variables as variables_of
from tensorcalc.variables import known_variable

MAX_FORMS = 64  # shapes of data whose form is remembered


def evaluator(node: Node, rows: int, variables: Mapping[str, Variable]) -> Callable[..., Operator]:
    """A function of data by name: the operator whose first `rows` axes are those of the rows."""
    (node,) = use_properties([node])
    for variable in variables.values():
        if variable.is_complex:
            raise DomainError(f"operators are of real formulas, but {variable.name} is complex")
    found = terms(node, rows)
    needed = [*variables_of(node)]
    known: dict[tuple[object, ...], tuple[Form, Kernel | None, tuple[int, ...]]] = {}

    def evaluate(**data: Any) -> Operator:
        key = tuple([(name, np.shape(value)) for name, value in data.items()])
        if key not in known:
            for name in data:
                known_variable(name, variables)
            check_names(variables, data, needed)
            arrays = {name: as_array(name, value) for name, value in data.items()}
            sizes = bind_sizes(variables, arrays)
            untold = [name for dim in node.dims for name in dim.names if name not in sizes]
            if untold:
                shown = shown_sizes(variables).get(untold[0], untold[0])
                raise DomainError(
                    f"the data do not tell the size {shown}",
                    None,
                    "give the variable of differentiation, too",
                )
            form = choose(node, rows, found, sizes)
            if len(known) >= MAX_FORMS:
                known.clear()
            outputs = _outputs(form)
            kernel = compile_nodes(outputs, variables, False) if outputs else None
            known[key] = form, kernel, tuple([dim.value(sizes) for dim in node.dims])
        form, kernel, shape = known[key]
        arrays = {} if kernel is None else kernel(**data)
        return _operator(form, arrays, rows, shape)

    return evaluate


def _outputs(form: Form) -> dict[str, Node]:
    """What is computed."""
    found: dict[str, Node] = {}
    if form.scale is not None:
        found["scale"] = form.scale
    for k, part in enumerate(form.parts):
        if part.splits:
            found[f"left {k}"], found[f"right {k}"] = part.splits[0].left, part.splits[0].right
        else:
            found[f"core {k}"] = part.core
    for k, split in enumerate(form.low):
        found[f"low left {k}"], found[f"low right {k}"] = split.left, split.right
    return found


def _operator(form: Form, arrays: Mapping[str, Any], rows: int, shape: tuple[int, ...]) -> Operator:
    """The operator with its numbers."""
    blocks = []
    for k, part in enumerate(form.parts):
        cols = tuple([col + rows for col in part.cols])
        core, right = arrays.get(f"core {k}"), None
        if core is None:
            core, right = arrays[f"left {k}"], arrays[f"right {k}"]
        blocks.append(Block(part.shared, part.rows, cols, np.asarray(core, np.float64), right))
    low = None
    if form.low:
        left = [arrays[f"low left {k}"] for k in range(len(form.low))]
        right = [arrays[f"low right {k}"] for k in range(len(form.low))]
        axes = tuple(range(len(shape)))
        core, right = np.concatenate(left, axis=-1), np.concatenate(right, axis=0)
        low = Block((), axes[:rows], axes[rows:], core, right)
    scale = float(arrays.get("scale", 0.0))
    return Operator(shape[:rows], shape[rows:], scale, form.pairs, blocks, low)
