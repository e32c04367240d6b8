"""A node and the forms of its operands in, its matrix form out."""

from __future__ import annotations

from fractions import Fraction

from tensorcalc import canonical, matrix_algebra as m
from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Counter,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    RangeSum,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.layout import is_transposed
from tensorcalc.matrix_algebra import ONE, Matrix
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.matrix_sizes import say_sizes
from tensorcalc.recognize.contraction import contraction_form
from tensorcalc.recognize.graph import SizeText
from tensorcalc.recognize.grids import grid
from tensorcalc.recognize.unknown_names import unknown_text
from tensorcalc.stable import softmax_of
from tensorcalc.traverse import postorder, variables
from tensorcalc.views import untransposed

ALONG_AXES = ("logsumexp",)  # `max(X, 2)` could be read as the larger of X and 2


def shape_of(node: Node) -> str:
    """The orientation of a node's form; a vector is a column."""
    return ("scalar", "column", "matrix")[node.rank]


class Forms:
    """The matrix forms of nodes, each from those of its operands."""

    def __init__(self, size_text: SizeText, layout: str, counters: list[str]) -> None:
        self.size_text = size_text
        self.layout = layout
        self.counters = counters
        self.found: dict[Node, Matrix | None] = {}

    def form_of(self, node: Node) -> Matrix | None:
        """The form of any node of rank up to 2."""
        for inner in postorder([node], self.found):
            self.found[inner] = self.form(inner) if inner.rank <= 2 else None
        return self.found[node]

    def form(self, node: Node) -> Matrix | None:
        """The form of a node whose operands' forms are found."""
        match node:
            case Variable() | Constant():
                return m.name(
                    node.name,
                    shape_of(node),
                    symmetric=canonical.is_symmetric(node),
                    is_complex=node.is_complex,
                )
            case Size():
                return self.size(node.dim)
            case Counter():
                in_range = node.level < len(self.counters)
                return m.name(self.counters[node.level], "scalar") if in_range else None
            case Delta():
                return m.eye()
            case Basis() | Section() | Add() | Einsum():
                form = grid(node, self.form_of, self.size_text)
                if form is not None:
                    return form
        operands = [self.found[operand] for operand in node.operands]
        if isinstance(node, Einsum):
            return contraction_form(node, operands, self.size_text)
        forms = [form for form in operands if form is not None]
        if len(forms) < len(operands):
            return None
        match node:
            case Add():
                total = m.sum_(zip(node.coefficients, forms, strict=True))
                return total if forms else m.spread(total, shape_of(node))
            case Map():
                return self.softmax(node) or m.entrywise(node.function, forms)
            case MatrixFunction():
                return self.matrix_function(node, forms)
            case Unknown():
                return self.unknown(node, forms)
            case RangeSum():
                body, counter = forms
                low, high = (self.found[end] for end in node.counter.operands)
                if low is None or high is None:
                    return None
                return m.range_sum(body, low, high, str(counter.data))
        return None

    def size(self, dim: Dim) -> Matrix | None:
        text = self.size_text(dim)
        return None if text is None else m.name(text, "scalar")

    def sized(self, form: Matrix, node: Node) -> Matrix:
        """The argument of a function, which does not tell its size, with that of constants."""
        named = any(variable.rank for variable in variables(node).values())
        if named and form.op != "spread":
            return form
        return say_sizes(form, node.dims, {}, self.size_text)

    def matrix_function(self, node: MatrixFunction, forms: list[Matrix]) -> Matrix | None:
        operand = node.operands[0]
        forms = [self.sized(forms[0], operand), *forms[1:]]
        batch = operand.rank - MATRIX_FUNCTIONS[node.function].rank
        if node.order:
            return None
        if node.function == "power":
            return None if batch else m.matrix_power(forms[0], forms[1])
        if not batch:
            symmetric = node.rank == 2 and forms[0].symmetric
            nested = forms[0]
            along = nested.shape == "column" and nested.data == node.function
            if along and nested.op == "call" and len(nested.args) == 2:
                forms = [nested.args[0]]  # the maximum of the rows' maxima
            return m.call(node.function, forms, shape_of(node), symmetric=symmetric)
        if batch == 1 and node.function == "norm2":  # the norms of all rows
            square = m.hadamard([forms[0], forms[0]])
            squares = m.product(ONE, [], [square, m.ones("column")])
            return m.entrywise("pow", [squares, m.number(Fraction(1, 2))])
        if batch > 1 or operand.rank != 2 or node.function not in ALONG_AXES:
            return None
        inner = untransposed(operand)
        form = self.found.get(inner) if inner is not None else None
        if form is None:
            return m.call(node.function, [forms[0], m.number(Fraction(2))], "column")
        along_columns = m.call(node.function, [form, m.number(ONE)], "row")
        return m.transpose(along_columns)

    def unknown(self, node: Unknown, forms: list[Matrix]) -> Matrix | None:
        if node.batch and node.result:
            return None
        if any(operand.rank > node.batch for operand in node.operands) and node.batch:
            return None
        text, arguments = unknown_text(node)
        axes = [node.operands[k].rank - node.batch for k in node.derivatives]
        turned = len(axes) == 1 and is_transposed((node.result, *axes), self.layout)
        shape = shape_of(node)
        if turned:
            shape = m.TRANSPOSED[shape]
        dims = None if node.batch else node.dims[::-1] if turned else node.dims
        symmetric = canonical.is_symmetric(node)
        form = m.name(text, shape, dims=dims, symmetric=symmetric)
        if arguments:
            form = m.call(text, forms, shape, dims=dims, symmetric=symmetric)
        return m.transpose(form) if turned else form

    def softmax(self, node: Map) -> Matrix | None:
        """``exp(x - logsumexp(x))``, of a vector or along an axis of a matrix."""
        found = softmax_of(node)
        if found is None:
            return None
        argument, axis = found
        form = self.form_of(argument)
        if form is None:
            return None
        extra = [m.number(Fraction(axis + 1))] if node.rank == 2 else []
        return m.call("softmax", [form, *extra], shape_of(node))
