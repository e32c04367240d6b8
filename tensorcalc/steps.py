"""A derivation as a person would write it: an expression in, lines of names and formulas out.

The differential of every function on the way is one of the tables' lines (`functions.py`,
`matrix_functions.py`); the differential of the whole is read in terms of ``dX``, brought to its
canonical form, and the derivative read off (Magnus and Neudecker, "Matrix Differential Calculus",
chapter 5). Used by `api.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tensorcalc.functions import FUNCTIONS
from tensorcalc.ir import Add, Einsum, Map, MatrixFunction, Node, RangeSum, Unknown, Variable
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.traverse import postorder


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name, and what it says."""

    name: str
    formula: str


PRODUCT = Rule("product rule", "d(A*B) = dA*B + A*dB")
SUM = Rule("sum rule", "d(A + B) = dA + dB")
LINEAR = Rule("linear", "d(A*X) = A*dX")


def rules_used(root: Node, variable: Variable) -> list[Rule]:
    """The rules that the differential of a formula by a variable uses, from the inside out."""
    depends: set[Node] = {variable}
    found: dict[Rule, None] = {}
    for node in postorder([root]):
        inside = [operand for operand in node.operands if operand in depends]
        if inside:
            depends.add(node)
            found.update(dict.fromkeys(_rules(node, len(inside))))
    return list(found)


def _rules(node: Node, inside: int) -> Iterator[Rule]:
    match node:
        case Add() if len(node.operands) > 1:
            yield SUM
        case RangeSum():
            yield SUM
        case Einsum():
            yield PRODUCT if inside > 1 else LINEAR
        case Map():
            yield from _entrywise(node)
        case MatrixFunction():
            yield _of_matrix(node)
        case Unknown():
            yield Rule("chain rule", f"d{node.name}(x) = {node.name}'(x)*dx")


def _entrywise(node: Map) -> Iterator[Rule]:
    name = node.function
    derivatives = FUNCTIONS[name].derivatives
    if name == "pow":
        yield Rule("power rule", "d(x^y) = y*x^(y - 1)*dx")
    elif len(derivatives) == 1 and derivatives[0] is not None:
        yield Rule(f"derivative of {name}", f"d{name}(x) = {derivatives[0]} .* dx")
    else:
        texts = [text for text in derivatives if text not in (None, "0")]
        yield Rule(f"derivatives of {name}", "; ".join(map(str, texts)) or "0")


def _of_matrix(node: MatrixFunction) -> Rule:
    entry = MATRIX_FUNCTIONS[node.function]
    argument = entry.argument.partition(" : ")[0]
    if node.function == "power":
        return Rule("differential of a power", f"d(X^k) = {entry.differential}")
    text = entry.differential
    if text is None:
        text = f"{node.function}'(X) applied to dX; {entry.slope}*dX where they commute"
    return Rule(f"differential of {node.function}", f"d{node.function}({argument}) = {text}")
