"""IR -> SymPy's sums over entries: `IndexedBase`, `Sum`, `KroneckerDelta`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from tensorcalc.interop.libraries import library
from tensorcalc.interop.sympy_functions import written
from tensorcalc.interop.sympy_names import Names, refused
from tensorcalc.interop.sympy_to_matrix import matrix_of
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Counter,
    Data,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Range,
    RangeSum,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.traverse import Steps, trampoline

FORM = "indexed"
MAX_WRITTEN = 64  # entries of an array constant
NORMS = ("norm2", "normF")
Subscripts = tuple[Any, ...]
Key = tuple[Node, Subscripts, frozenset[str]]


def to_indexed(root: Node, names: Names, indices: Sequence[Any]) -> Any:
    """The entry of a node under `indices`, one an axis."""
    writer = _Writer(names)
    return trampoline(writer.entry(root, tuple(indices), frozenset(map(str, indices))))


class _Writer:
    def __init__(self, names: Names) -> None:
        self.names, self.sympy = names, names.sympy
        self.counters: dict[Node, Any] = {}
        self.known: dict[Key, Any] = {}

    def entry(self, node: Node, at: Subscripts, scope: frozenset[str]) -> Steps[Any]:
        """The entry at subscripts; `scope` are names of the indices around it."""
        key = node, at, scope
        if key not in self.known or node.counters:
            self.known[key] = yield self.made(node, at, scope)
        return self.known[key]

    def made(self, node: Node, at: Subscripts, scope: frozenset[str]) -> Steps[Any]:
        sympy, names = self.sympy, self.names
        match node:
            case Variable():
                return names.array(node, FORM)[at] if at else names.scalar(node)
            case Constant():
                return {"pi": sympy.pi, "e": sympy.E}[node.name]
            case Size():
                return names.size(node.dim)
            case Delta():
                return sympy.KroneckerDelta(*at)
            case Basis():
                return sympy.KroneckerDelta(at[0], node.position)
            case LeviCivita():
                return sympy.LeviCivita(*at)
            case Merge():
                return sympy.KroneckerDelta(at[0], self.merged(node, at[1:]))
            case Section():
                return sympy.KroneckerDelta(at[0], at[1] + names.size(node.offset))
            case Range():
                return at[0] + names.size(node.start)
            case Data():
                return self.data(node, at)
            case Counter():
                return self.counters[node]
            case Unknown():
                raise refused(node.name, FORM)
            case Einsum():
                found = yield self.einsum(node, at, scope)
                return found
            case Add():
                terms = []
                for coefficient, operand in zip(node.coefficients, node.operands, strict=True):
                    terms.append(names.number(coefficient) * (yield self.entry(operand, at, scope)))
                return sympy.Add(*terms)
            case Map():
                arguments = []
                for operand in node.operands:
                    arguments.append((yield self.entry(operand, at, scope)))
                return written(node.function, arguments)
            case RangeSum():
                found = yield self.range_sum(node, at, scope)
                return found
            case MatrixFunction():
                found = yield self.function(node, at, scope)
                return found
        raise TypeError(f"no rule for {node!r}")

    def merged(self, node: Merge, at: Subscripts) -> Any:
        """The number that several indices make, the last fastest."""
        total = self.sympy.Integer(0)
        for index, dim in zip(at, node.dims[1:], strict=True):
            total = total * self.names.size(dim) + index
        return total

    def data(self, node: Data, at: Subscripts) -> Any:
        """An array constant: its entries, each where its place is."""
        if node.array.size > MAX_WRITTEN:
            raise refused(f"an array constant of {node.array.size} numbers", FORM)
        terms = []
        for place in product(*[range(n) for n in node.array.shape]):
            factors = [self.sympy.KroneckerDelta(a, k) for a, k in zip(at, place, strict=True)]
            terms.append(self.sympy.Mul(self.sympy.sympify(node.array[place].item()), *factors))
        return self.sympy.Add(*terms)

    def bound(self, count: int, scope: frozenset[str]) -> tuple[list[Any], frozenset[str]]:
        """New indices, and the scope inside."""
        found = []
        for _ in range(count):
            name = self.names.new(scope)
            scope |= {name}
            found.append(self.names.index(name))
        return found, scope

    def limits(self, indices: Sequence[Any], dims: Sequence[Any]) -> list[tuple[Any, int, Any]]:
        return [(i, 0, self.names.size(dim) - 1) for i, dim in zip(indices, dims, strict=True)]

    def einsum(self, node: Einsum, at: Subscripts, scope: frozenset[str]) -> Steps[Any]:
        summed, inner = self.bound(len(node.sizes) - node.rank, scope)
        under = [*at, *summed]
        factors = []
        for operand, labels in zip(node.operands, node.labels, strict=True):
            factors.append((yield self.entry(operand, tuple([under[a] for a in labels]), inner)))
        total = self.sympy.Mul(*factors)
        if not summed:
            return total
        return self.sympy.Sum(total, *self.limits(summed, node.sizes[node.rank :]))

    def range_sum(self, node: RangeSum, at: Subscripts, scope: frozenset[str]) -> Steps[Any]:
        body, counter = node.operands
        low: Any = yield self.entry(counter.operands[0], (), scope)
        high: Any = yield self.entry(counter.operands[1], (), scope)
        (symbol,), inner = self.bound(1, scope)
        self.counters[counter] = symbol
        term: Any = yield self.entry(body, at, inner)
        return self.sympy.Sum(term, (symbol, low, high))

    def function(self, node: MatrixFunction, at: Subscripts, scope: frozenset[str]) -> Steps[Any]:
        """A norm or reduction as a sum; of another function of matrices the entry."""
        sympy, name = self.sympy, node.function
        operand = node.operands[0]
        own = operand.dims[operand.rank - MATRIX_FUNCTIONS[name].rank :]
        if name in (*NORMS, "logsumexp", "prod"):
            indices, inner = self.bound(len(own), scope)
            term: Any = yield self.entry(operand, (*at, *indices), inner)
            limits = self.limits(indices, own)
            if name == "prod":
                return sympy.Product(term, *limits)
            if name == "logsumexp":
                return sympy.log(sympy.Sum(sympy.exp(term), *limits))
            return sympy.sqrt(sympy.Sum(term**2, *limits))
        if operand.rank != len(own) or node.order or node.counters:
            raise refused(name, FORM)
        whole = matrix_of(node, self.names, FORM)
        if not at:
            return whole
        # not `whole[at]`, which computes powers entry by entry
        element = library("sympy.matrices.expressions.matexpr", "sympy").MatrixElement
        return element(whole, *at)
