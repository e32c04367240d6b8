"""Formulas in, what a file that stands alone must know of them out. Used by `c.py`, `module.py`.

Which of several outputs are derivatives of others, so that a file can check itself; and what must
hold of the sizes for the formulas to make sense.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tensorcalc.binding import SQUARE
from tensorcalc.differentiate import differentiate
from tensorcalc.dims import Dim
from tensorcalc.errors import TensorcalcError
from tensorcalc.finite_differences import DISTRIBUTIONS, sample
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Basis, MatrixFunction, Node, Section, Variable, sizes_of
from tensorcalc.plan.program import Program
from tensorcalc.simplify import simplify
from tensorcalc.traverse import postorder, variables as variables_of

MAX_COMPARED = 400  # nodes of an output that is looked for among derivatives
MIN_AGREED = 2  # points where two formulas must agree to be taken for equal


@dataclass(frozen=True, slots=True)
class Derivative:
    """The output `name` is the derivative of the output `of` by the variable `by`."""

    name: str
    of: str
    by: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A size that must equal another, or be at least as large (`is_equal` says which)."""

    size: Dim
    other: Dim
    is_equal: bool
    reason: str


def derivatives(outputs: Mapping[str, Node]) -> list[Derivative]:
    """Which outputs are derivatives of which, of nodes before declared properties were used.

    >>> from tensorcalc import parse, diff
    >>> f = parse("x'*A*x")
    >>> derivatives({"value": f.node, "g": diff(f, "x").node})
    [Derivative(name='g', of='value', by='x')]
    """
    found: list[Derivative] = []
    known: set[str] = set()
    small = {k: n for k, n in outputs.items() if len(postorder([n])) <= MAX_COMPARED}
    for of, function in small.items():
        for by, variable in variables_of(function).items():
            dims = (*function.dims, *variable.dims)
            same = [k for k, n in small.items() if k != of and n.dims == dims]
            if same:
                try:
                    (made,) = simplify([differentiate(function, variable)])
                except (TensorcalcError, ValueError):
                    continue
                found += [
                    Derivative(name, of, by)
                    for name in same
                    if name not in known and _are_equal(small[name], made)
                ]
                known |= {d.name for d in found}
    return found


def _are_equal(left: Node, right: Node) -> bool:
    """Whether two nodes are the same formula, or agree at points with different sizes."""
    if left is right:
        return True
    variables = variables_of(left, right)
    names = names_of([left, right], variables.values())
    rng = np.random.default_rng(0)
    agreed = 0
    for first, distribution in product((3, 7), DISTRIBUTIONS[:2]):
        sizes = {name: first + k for k, name in enumerate(names)}
        values = {n: sample(v, sizes, rng, distribution) for n, v in variables.items()}
        try:
            one, other = evaluate([left, right], values, sizes, np.dtype(np.float64))
        except TensorcalcError:  # a position beyond an axis, or no value
            continue
        if np.all(np.isfinite(one)):
            if not np.allclose(one, other, 1e-9, 1e-9 * float(np.max(np.abs(one), initial=0))):
                return False
            agreed += 1
    return agreed >= MIN_AGREED


def conditions(
    roots: Iterable[Node], program: Program, sizes: Mapping[str, int]
) -> list[Condition]:
    """What must hold of the sizes beside that none is negative; `sizes` were planned for."""
    found: dict[Condition, None] = {}

    def enter(size: Dim, other: Dim, is_equal: bool, reason: str) -> None:
        terms = (size - other).terms
        if terms if is_equal else any(number < 0 for _, number in terms):
            found[Condition(size, other, is_equal, reason)] = None

    for node in postorder(list(roots)):
        if isinstance(node, Basis):
            enter(node.dims[0], Dim.of(node.position + 1), False, "a position is beyond it")
        if isinstance(node, Section):
            enter(node.dims[0], node.offset + node.dims[1], False, "a part is beyond it")
            enter(node.offset, Dim.of(0), False, "a part starts before it")
        if isinstance(node, MatrixFunction) and node.function in SQUARE:
            rows, columns = node.operands[0].dims[-2:]
            enter(rows, columns, True, f"{node.function} is of square matrices")
        if isinstance(node, MatrixFunction) and node.function in ("max", "min"):
            least = Dim.of(1)
            enter(node.operands[0].dims[-1], least, False, f"{node.function} of no entries")
    for extent in program.extents:
        if extent.name in program.fixed and extent.dim is not None:
            value = Dim.of(extent.dim.value(sizes))
            enter(extent.dim, value, True, "the loops were written out for it")
    return list(found)


def names_of(roots: Sequence[Node], needed: Iterable[Variable]) -> list[str]:
    """The names in sizes, those of variables first, in order of appearance."""
    dims = [dim for variable in needed for dim in variable.dims]
    dims += [dim for node in postorder(roots) for dim in sizes_of(node)]
    return list(dict.fromkeys(name for dim in dims for name in dim.names))


def small_sizes(
    names: Sequence[str], found: Sequence[Condition], wanted: Sequence[tuple[Dim, Dim]] = ()
) -> dict[str, int] | None:
    """Small distinct numbers for sizes that fulfil all conditions; None if none were found.

    Of each pair that is `wanted` the first is not smaller, too, if that can be.
    """
    more = [
        Condition(size, least, False, "")
        for size, least in wanted
        if set(names).issuperset([*size.names, *least.names])
    ]
    if more:
        numbers = small_sizes(names, [*found, *more])
        if numbers is not None:
            return numbers
    fixed = {
        c.size.names[0]: c.other.constant
        for c in found
        if c.is_equal and c.other.is_integer and c.size == Dim.of(c.size.names[0])
    }
    for first in range(2, 40):
        for step in (1, -1, 0):
            rising = range(first, first + len(names))[:: step or 1]
            numbers = {n: first if step == 0 else k for n, k in zip(names, rising, strict=True)}
            numbers |= fixed
            if all(holds(condition, numbers) for condition in found):
                return numbers
    return None


def holds(condition: Condition, sizes: Mapping[str, int]) -> bool:
    """Whether numbers fulfil a condition."""
    size, other = condition.size.value(sizes), condition.other.value(sizes)
    return size == other if condition.is_equal else size >= other
