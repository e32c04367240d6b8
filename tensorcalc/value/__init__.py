"""Operands of the language with their reading: index scopes and orientation on top of the IR.

A `Value` is what an expression means before it is closed: a node whose first axes carry free
index names and whose other axes are the "whole" part, a scalar, column, row, matrix or tensor.
The functions here are the language's operations on values; `elaborate/` calls them for text
and `expression.py` for Python operators, so both obey the same rules.

    operand.py   the values
    products.py  products of any kind
    sums.py      sums and elementwise functions
    axes.py      transposes, subscripts, sums over indices and axes, arrows
    sizes.py     which sizes must be equal where values meet
    scopes.py    which indices are summed inside
"""

from tensorcalc.value.axes import (
    Stretch as Stretch,
    Subscript as Subscript,
    arrange as arrange,
    reduce_indices as reduce_indices,
    subscript as subscript,
    sum_whole as sum_whole,
    transpose as transpose,
)
from tensorcalc.value.operand import NO_SUMS as NO_SUMS, Factor as Factor, Value as Value
from tensorcalc.value.products import close as close, multiply as multiply
from tensorcalc.value.scopes import check_scopes as check_scopes
from tensorcalc.value.sizes import contract as contract, make_square as make_square
from tensorcalc.value.sums import add as add, align as align, elementwise as elementwise
