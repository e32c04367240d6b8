"""Where the axes of a derivative stand: groups of axes in, an orientation out.

A derivative's axes come in groups, those of the function and then those of each variable. A
layout says how they are arranged when they are printed as a matrix (LANGUAGE, "Derivatives").
"""

from __future__ import annotations

from collections.abc import Hashable

from tensorcalc.canonical import add, contract, range_sum, terms_of
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.ir import Merge, Node, RangeSum
from tensorcalc.simplify import simplify

LAYOUTS = ("mixed", "numerator", "denominator", "vec")


def vectorized(node: Node, groups: tuple[int, ...]) -> Node:
    """The derivative with the axes of each side as one, columns under one another.

    The rows of the result are the axes of the function (and of all variables but the last), its
    columns those of the last variable: the Jacobian of ``vec`` (Magnus and Neudecker, chapter 9).
    """
    rows, columns = sum(groups[:-1]), groups[-1]
    if max(rows, columns) < 2:
        return node
    sizes = list(node.dims)
    factors: list[tuple[Node, tuple[Hashable, ...]]] = []
    output: list[Hashable] = []
    known: dict[Hashable, Dim] = dict(enumerate(sizes))
    for start, count in ((0, rows), (rows, columns)):
        axes = tuple(reversed(range(start, start + count)))
        if count > 1:
            merge = Merge.of(tuple([sizes[axis] for axis in axes]))
            output.append(("side", start, count))
            known[output[-1]] = merge.dims[0]
            factors.append((merge, (output[-1], *axes)))
        else:
            output += axes
    axes = tuple(range(node.rank))

    def side_by_side(node: Node) -> Node:
        """The same with merged axes; a sum over integers stays outside."""
        if isinstance(node, RangeSum):
            return range_sum(side_by_side(node.operands[0]), node.counter)
        terms = [
            (c, side_by_side(term))
            if isinstance(term, RangeSum)
            else (c, contract(output, known, [*factors, (term, axes)]))
            for c, term in terms_of(node)
        ]
        return add(tuple([known[end] for end in output]), terms)

    return simplify([side_by_side(node)])[0]


def is_transposed(groups: tuple[int, ...], layout: str) -> bool:
    """Whether the printed form is the transpose of the array (a column counts as the array).

    `groups` are the numbers of axes of the function and of each variable.

    >>> is_transposed((0, 1), "numerator"), is_transposed((1, 1), "denominator")
    (True, True)

    Raises
    ------
    DomainError
        For an unknown layout.
    """
    if layout not in LAYOUTS:
        raise DomainError(
            f"unknown layout {layout!r}", None, f"the layouts are {', '.join(LAYOUTS)}"
        )
    if len(groups) == 1 or layout == "mixed":
        return False
    if layout == "vec":
        return not any(groups[:-1]) and groups[-1] > 0
    # a scalar's second derivative is the derivative of its gradient
    function, variable = sum(groups[:-1]), groups[-1]
    if not function and not variable:
        return False
    if function and variable:
        return layout == "denominator"
    return (layout == "numerator") == (variable > 0)
