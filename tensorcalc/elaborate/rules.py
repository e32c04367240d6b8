"""Table: the rule that each construct is read by. The kinds are those of `syntax.py`."""

from __future__ import annotations

from collections.abc import Mapping

from tensorcalc.elaborate import (
    calls,
    indexed_calls,
    names,
    operators,
    powers,
    products,
    range_calls,
    statements,
    subscripts,
)
from tensorcalc.elaborate.reader import Rule

VALUES: Mapping[str, Rule] = {
    "name": names.name,
    "number": names.number,
    "node": names.given,
    "string": names.string,
    "sum": operators.add,
    "transpose": operators.transpose,
    "hermitian": operators.hermitian,
    "compare": operators.compare,
    "rows": operators.rows,
    "power": powers.power,
    "product": products.product,
    "negate": products.closed,
    "subscript": products.closed,
    "arrow": statements.arrow,
    "call": calls.call,
    "indexed_call": indexed_calls.indexed_call,
    "range_call": range_calls.range_call,
}
# what is read in another way as a factor: its repeated indices wait for the product around it
OPENED: Mapping[str, Rule] = {
    "product": products.open_product,
    "negate": products.negate,
    "subscript": subscripts.open_subscript,
}
