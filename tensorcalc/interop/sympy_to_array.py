"""IR -> SymPy's array expressions: tensor products that are contracted, made diagonal, permuted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorcalc import canonical
from tensorcalc.interop.sympy_functions import written
from tensorcalc.interop.sympy_names import Names, refused
from tensorcalc.interop.sympy_to_matrix import matrix_of
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Data,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Size,
    Variable,
)
from tensorcalc.traverse import fold
from tensorcalc.views import free_axes

FORM = "array"
NORMS = ("norm2", "normF")


def to_array(root: Node, names: Names) -> Any:
    """The array expression of a node; of a scalar a scalar expression."""
    writer = _Writer(names)
    found = fold([root], writer.visit)[root]
    if found is None:
        raise refused("an axis made of several", FORM)
    is_array = isinstance(found, names.arrays.ArrayElement) and not found.indices
    return found.name if is_array else found


class _Writer:
    def __init__(self, names: Names) -> None:
        self.names, self.sympy = names, names.sympy
        self.arrays = names.arrays
        self.made: dict[Node, Any] = {}

    def visit(self, node: Node, operands: tuple[Any, ...]) -> Any:
        """The expression of a node, from those of its operands."""
        found = self.made[node] = self.value(node, operands)
        return found

    def value(self, node: Node, operands: tuple[Any, ...]) -> Any:
        sympy, names = self.sympy, self.names
        if not isinstance(node, Einsum) and any(operand is None for operand in operands):
            raise refused("an axis made of several", FORM)
        match node:
            case Variable():
                return names.array(node, FORM) if node.rank else names.scalar(node)
            case Constant():
                return {"pi": sympy.pi, "e": sympy.E}[node.name]
            case Size():
                return names.size(node.dim)
            case Delta():
                return sympy.Identity(names.size(node.dims[0]))
            case Basis() if node.dims[0].is_integer:
                size = node.dims[0].constant
                return sympy.ImmutableDenseNDimArray([int(k == node.position) for k in range(size)])
            case Data():
                return sympy.ImmutableDenseNDimArray(node.array.tolist())
            case Merge():
                return None  # see `merged`
            case Einsum():
                return self.einsum(node, operands)
            case Add():
                return self.add(node, operands)
            case Map():
                return self.map(node) if node.rank else written(node.function, operands)
            case MatrixFunction():
                return self.function(node, operands)
        raise refused(type(node).__name__.lower(), FORM)

    def einsum(self, node: Einsum, operands: Sequence[Any]) -> Any:
        """The tensor product, its axes of one label joined, in the order of the output."""
        merged = self.merged(node)
        kept = [k for k in range(len(operands)) if k not in merged]
        factors = [operands[k] for k in kept]
        labels = [label for k in kept for label in node.labels[k]]
        output: list[int] = []
        for label in range(node.rank):
            parts = [node.labels[k][1:] for k in merged if node.labels[k][0] == label]
            output += parts[0] if parts else (label,)
        missing = [label for label in output if label not in labels]
        if missing:
            factors.append(self.arrays.OneArray(*[self.names.size(node.sizes[a]) for a in missing]))
            labels += missing
        # SymPy's products, sums over axes and permutations do not take what is reshaped
        reshaped = any(isinstance(factor, self.arrays.Reshape) for factor in factors)
        if any(factor is None for factor in factors) or (
            reshaped and (len(factors) > 1 or labels != output)
        ):
            raise refused("an axis made of several", FORM)
        if not labels:
            return self.sympy.Mul(*factors)
        total = self.arrays.ArrayTensorProduct(*factors) if len(factors) > 1 else factors[0]
        places = {
            a: tuple(k for k, b in enumerate(labels) if b == a) for a in dict.fromkeys(labels)
        }
        summed = [places[label] for label in places if label not in output]
        if summed:
            total = self.arrays.ArrayContraction(total, *summed)
            labels = [label for label in labels if label in output]
        again = [a for a in dict.fromkeys(labels) if labels.count(a) > 1]
        if again:
            groups = [tuple(k for k, b in enumerate(labels) if b == a) for a in again]
            total = self.arrays.ArrayDiagonal(total, *groups)
            labels = [label for label in labels if label not in again] + again
        if labels != output:
            total = self.arrays.PermuteDims(total, [labels.index(a) for a in output])
        if merged:
            total = self.arrays.Reshape(total, self.names.sizes(node.dims))
        return total if node.rank else self.number(total)

    def merged(self, node: Einsum) -> list[int]:
        """The operands that join summed axes to one of the output, which a reshape does."""
        every = [label for own in node.labels for label in own]
        found = []
        for k, (operand, own) in enumerate(zip(node.operands, node.labels, strict=True)):
            joins = isinstance(operand, Merge) and own[0] < node.rank and every.count(own[0]) == 1
            if joins and min(own[1:]) >= node.rank and len(set(own)) == len(own):
                found.append(k)
        parts = [label for k in found for label in node.labels[k][1:]]
        return found if len(set(parts)) == len(parts) else []

    def number(self, array: Any) -> Any:
        """What an array without axes holds: only that can be added to and multiplied."""
        return self.arrays.ArrayElement(array, ())

    def add(self, node: Add, operands: Sequence[Any]) -> Any:
        if not operands:
            shape = self.names.sizes(node.dims)
            return self.arrays.ZeroArray(*shape) if shape else self.sympy.Integer(0)
        terms = []
        for coefficient, operand in zip(node.coefficients, operands, strict=True):
            number = self.names.number(coefficient)
            if not node.rank:
                terms.append(number * operand)
            elif number == 1:
                terms.append(operand)
            else:
                terms.append(self.arrays.ArrayTensorProduct(number, operand))
        if not node.rank:
            return self.sympy.Add(*terms)
        return self.arrays.ArrayAdd(*terms) if len(terms) > 1 else terms[0]

    def map(self, node: Map) -> Any:
        """A function of the entries of one array; SymPy has none of several."""
        leaves: dict[Node, Any] = {}
        known: dict[Node, Any] = {}
        stack: list[Node] = [node]
        while stack:
            inner = stack[-1]
            if inner in known:
                stack.pop()
                continue
            scalar = canonical.without_axes(inner, free_axes(inner))
            if not scalar.rank:
                known[inner] = self.scalar(scalar)
            elif isinstance(inner, Map | Add):
                waiting = [operand for operand in inner.operands if operand not in known]
                stack += waiting
                if waiting:
                    continue
                known[inner] = self.entry(inner, [known[o] for o in inner.operands])
            else:
                leaves[inner] = known[inner] = self.sympy.Dummy()
        if len(leaves) != 1:
            raise refused(f"{node.function} of several arrays, entry by entry", FORM)
        ((leaf, symbol),) = leaves.items()
        function = self.names.function(symbol, known[node])
        array = self.made[leaf]
        if not isinstance(array, self.arrays.Reshape):
            return self.arrays.ArrayElementwiseApplyFunc(function, array)
        inner = self.arrays.ArrayElementwiseApplyFunc(function, array.expr)
        return self.arrays.Reshape(inner, array.shape)

    def scalar(self, node: Node) -> Any:
        return self.made[node] if node in self.made else fold([node], self.visit)[node]

    def entry(self, node: Map | Add, arguments: Sequence[Any]) -> Any:
        if isinstance(node, Map):
            return written(node.function, arguments)
        pairs = zip(node.coefficients, arguments, strict=True)
        return self.sympy.Add(*[self.names.number(c) * argument for c, argument in pairs])

    def function(self, node: MatrixFunction, operands: Sequence[Any]) -> Any:
        """A norm as a contraction; any other function of a matrix as SymPy's matrices have it."""
        if node.function in NORMS and not node.rank:
            rank = node.operands[0].rank
            both = self.arrays.ArrayTensorProduct(operands[0], operands[0])
            pairs = [(k, k + rank) for k in range(rank)]
            return self.sympy.sqrt(self.number(self.arrays.ArrayContraction(both, *pairs)))
        if node.order or node.operands[0].rank > 2 or node.rank not in (0, 2):
            raise refused(node.function, FORM)
        return matrix_of(node, self.names, FORM)
