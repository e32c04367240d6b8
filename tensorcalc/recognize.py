"""IR -> matrix expression: contraction graphs read as products, traces, diagonals.

A contraction over operands of rank at most 2 is a graph: labels are vertices, operands are edges.
Summed labels are eliminated one at a time: a label between two matrices is a matrix product, one
between a matrix and vectors makes a vector, a closed cycle is a trace. What is left at the output
labels are entrywise and outer products. A part without a matrix form becomes a helper that the
printers define in index notation; a whole without one is None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

from tensorcalc import canonical, matrix_algebra as m
from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    Size,
    Variable,
)
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.traverse import postorder, users, variables

ONE = Fraction(1)
Pair = tuple[int, int]  # two labels, the smaller first
# a shared part costing more symbols than this is defined once, before the result
MAX_REPEATED = 60
# a result up to this cost repeats its shared parts, however long
MAX_INLINE = 400


@dataclass(slots=True)
class Recognized:
    """A matrix expression and the helpers it names, in order of definition.

    A helper is a matrix expression too, or None where its node has none.
    """

    result: Matrix | None
    helpers: list[tuple[str, Node, Matrix | None]] = field(default_factory=list)


def recognize(root: Node, size_text: Callable[[Dim], str | None]) -> Recognized:
    """The matrix form of a node of rank ≤ 2 (a vector as a column).

    `size_text` writes a size in the language, or None where it cannot.
    """
    plain = _recognize(root, size_text, None)
    if plain is not None:
        return plain
    counts = users([root])
    shared = {node for node, count in counts.items() if count > 1}
    return _recognize(root, size_text, shared) or Recognized(None)


def _recognize(
    root: Node, size_text: Callable[[Dim], str | None], shared: set[Node] | None
) -> Recognized | None:
    """The form with long `shared` parts defined first; without them, None if that is too long."""
    found: dict[Node, Matrix | None] = {}
    recognized = Recognized(None)
    taken = set(variables(root))
    names = (f"T{k}" for k in count(1))
    for node in postorder([root]):
        form = _form(node, found, size_text) if node.rank <= 2 else None
        cost = 0 if form is None else form.cost
        if shared is None and cost > MAX_INLINE:
            return None
        long = shared is not None and node in shared and cost > MAX_REPEATED
        without = form is None and node.rank <= 2 and not isinstance(node, Basis | Size)
        if node is not root and (long or without) and isinstance(node, Add | Einsum | Map):
            text = next(name for name in names if name not in taken)
            recognized.helpers.append((text, node, form))
            form = m.name(text, _shape(node))
        found[node] = form
    recognized.result = found[root]
    lost = {name for name, _, form in recognized.helpers if form is None}
    if recognized.result is None or (lost and _names(recognized.result) <= lost):
        return Recognized(None)
    return recognized


def _names(form: Matrix) -> set[str]:
    """The names in an expression."""
    names: set[str] = set()
    stack = [form]
    while stack:
        x = stack.pop()
        stack.extend(x.args)
        if x.op == "name":
            names.add(str(x.data))
    return names


def _shape(node: Node) -> str:
    return ("scalar", "column", "matrix")[node.rank]


def _form(
    node: Node, found: dict[Node, Matrix | None], size_text: Callable[[Dim], str | None]
) -> Matrix | None:
    match node:
        case Variable() | Constant():
            return m.name(node.name, _shape(node), symmetric=canonical.is_symmetric(node))
        case Size():
            text = size_text(node.dim)
            return None if text is None else m.name(text, "scalar")
        case Delta():
            return m.eye()
        case Basis():
            return None
    operands = [found[operand] for operand in node.operands]
    if isinstance(node, Einsum):
        return _Graph(node, operands).recognize()
    forms = [form for form in operands if form is not None]
    if len(forms) < len(operands):
        return None
    match node:
        case Add():
            total = m.sum_(zip(node.coefficients, forms, strict=True))
            return total if forms else m.spread(total, _shape(node))
        case Map():
            return m.entrywise(node.function, forms)
        case MatrixFunction():
            if node.rank > 0 and node.rank != node.operands[0].rank:
                return None  # repeated over leading axes
            symmetric = node.rank == 2 and forms[0].symmetric
            return m.call(node.function, forms, _shape(node), symmetric=symmetric)
    return None


class _Graph:
    """A contraction while its summed labels are eliminated."""

    def __init__(self, node: Einsum, operands: list[Matrix | None]) -> None:
        self.node = node
        self.scalars: list[Matrix] = []
        self.vectors: dict[int, list[Matrix]] = {}
        self.matrices: dict[Pair, list[Matrix]] = {}
        self.pairs: dict[int, set[Pair]] = {}  # of matrices, by label
        self.lost = False
        for operand, form, labels in zip(node.operands, operands, node.labels, strict=True):
            if form is None or operand.rank > 2:
                self.lost = True
                return
            match labels:
                case ():
                    self.scalars.append(form)
                case (a,):
                    self.add_vector(a, form)
                case (a, b):
                    self.add_matrix(a, b, form)

    def add_vector(self, label: int, form: Matrix) -> None:
        self.vectors.setdefault(label, []).append(form)

    def add_matrix(self, a: int, b: int, form: Matrix) -> None:
        if a == b:
            self.add_vector(a, _diagonal(form))
            return
        if a > b:
            a, b, form = b, a, m.transpose(form)
        self.matrices.setdefault((a, b), []).append(form)
        for label in (a, b):
            self.pairs.setdefault(label, set()).add((a, b))

    def recognize(self) -> Matrix | None:
        if self.lost:
            return None
        waiting = set(range(self.node.rank, len(self.node.sizes)))
        waiting &= self.vectors.keys() | self.pairs.keys()
        while waiting:
            choice = min(waiting, key=self.effort)
            if len(self.ends(choice)) > 2:
                return None
            waiting.discard(choice)
            self.eliminate(choice)
        return self.output()

    def ends(self, label: int) -> list[Pair]:
        return sorted(self.pairs.get(label, ()))

    def effort(self, label: int) -> tuple[int, bool, int]:
        """Ends of chains come first, then plain products, then products around a diagonal."""
        count = len(self.pairs.get(label, ()))
        return max(1, count), label in self.vectors and count > 1, label

    def eliminate(self, label: int) -> None:
        """Sum over a label: what hung on it becomes a scalar, a vector or a matrix."""
        vectors = self.vectors.pop(label, [])
        pairs = self.ends(label)
        if not pairs:
            self.scalars.append(_inner(vectors))
        elif len(pairs) == 1 and not vectors and self.closes(pairs[0]):
            left, right = self.take(pairs[0])
            self.scalars.append(_trace(m.product(ONE, [], [m.transpose(left), right])))
            # the other label has nothing left; summing it again adds nothing
            self.vectors.setdefault(sum(pairs[0]) - label, [])
        elif len(pairs) == 1:
            both = self.matrices[pairs[0]] if not vectors else []
            other, into = self.ending(pairs[0], label)
            vector = m.hadamard(vectors) if vectors else m.ones("column")
            form = m.product(ONE, [], [into, vector])
            if len(both) == 2:  # row sums of A.*B are the diagonal of A*B'
                left, right = both if other < label else [m.transpose(x) for x in both]
                form = min(
                    _diagonal(m.product(ONE, [], [left, m.transpose(right)])), form, key=_cost
                )
            self.add_vector(other, form)
        else:
            (a, left), (b, right) = (self.ending(pair, label) for pair in pairs)
            middle = [m.diag(m.hadamard(vectors))] if vectors else []
            self.add_matrix(a, b, m.product(ONE, [], [left, *middle, m.transpose(right)]))

    def closes(self, pair: Pair) -> bool:
        """Whether the two matrices between two labels are all there is: a trace."""
        return (
            len(self.matrices[pair]) == 2
            and all(label >= self.node.rank for label in pair)
            and all(label not in self.vectors and len(self.pairs[label]) == 1 for label in pair)
        )

    def take(self, pair: Pair) -> list[Matrix]:
        """Remove all matrices between two labels."""
        for label in pair:
            self.pairs[label].discard(pair)
        return self.matrices.pop(pair)

    def ending(self, pair: Pair, label: int) -> tuple[int, Matrix]:
        """Remove what is between two labels; the other label, and a matrix with columns `label`."""
        form = m.hadamard(self.take(pair))
        return (pair[0], form) if pair[1] == label else (pair[1], m.transpose(form))

    def output(self) -> Matrix:
        rank = self.node.rank
        if rank == 0:
            return m.product(ONE, self.scalars, [])
        left = self.vectors.get(0, [])
        if rank == 1:
            column = m.hadamard(left) if left else m.ones("column")
            return m.product(ONE, self.scalars, [column]) if self.scalars or left else column
        right = self.vectors.get(1, [])
        between = self.matrices.get((0, 1))
        if between is None:
            if not left and not right:
                return m.spread(m.product(ONE, self.scalars, []), "matrix")
            column = m.hadamard(left) if left else m.ones("column")
            row = m.hadamard(right) if right else m.ones("column")
            return m.product(ONE, self.scalars, [column, m.transpose(row)])
        inner = m.hadamard(between)
        if inner.op == "eye" and (left or right):
            return m.product(ONE, self.scalars, [m.diag(m.hadamard([*left, *right]))])
        chain = [m.diag(m.hadamard(left))] if left else []
        chain.append(inner)
        chain += [m.diag(m.hadamard(right))] if right else []
        return m.product(ONE, self.scalars, chain)


def _inner(vectors: list[Matrix]) -> Matrix:
    """The sum over the entries of a product of vectors."""
    if not vectors:
        return m.number(ONE)
    if len(vectors) == 1:
        return _total(vectors[0])
    first, *rest = sorted(vectors, key=lambda x: (-x.cost, m.sketch(x)))
    form = m.product(ONE, [], [m.transpose(first), m.hadamard(rest)])
    coefficient, scalars, chain = m.parts(form)
    turned = m.product(coefficient, scalars, [m.transpose(f) for f in reversed(chain)])
    return min(form, turned, key=lambda f: (f.cost, m.sketch(f)))


def _cost(form: Matrix) -> int:
    return form.cost


def _of_diagonal(vector: Matrix) -> Matrix | None:
    """The matrix of which the vector is the diagonal, where it is written as one."""
    if vector.op == "call" and vector.data == "diag":
        return vector.args[0]
    if vector.op != "sum":
        return None
    terms: list[tuple[Fraction, Matrix]] = []
    for coefficient, term in m.terms(vector):
        own, scalars, chain = m.parts(term)
        if term.op == "spread":
            matrix, scalars, own = m.eye(), [term.args[0]], ONE
        elif len(chain) == 1 and chain[0].op == "call" and chain[0].data == "diag":
            matrix = chain[0].args[0]
        else:
            return None
        terms.append((coefficient * own, m.product(ONE, scalars, [matrix])))
    return m.sum_(terms)


def _total(vector: Matrix) -> Matrix:
    """The sum of a vector's entries."""
    coefficient, scalars, chain = m.parts(vector)
    if len(chain) == 1 and (matrix := _of_diagonal(chain[0])) is not None:
        total = _trace(matrix)
    elif len(chain) == 2 and chain[1].op == "spread":  # the sum of all row sums
        inner = chain[0].args[0] if chain[0].op == "transpose" else chain[0]
        total = m.call("sum", [inner], "scalar")
    else:
        total = m.call("sum", [m.product(ONE, [], chain)], "scalar")
    return m.product(coefficient, [*scalars, total], [])


def _diagonal(form: Matrix) -> Matrix:
    """The vector of diagonal entries."""
    coefficient, scalars, chain = m.parts(form)
    if len(chain) == 1 and chain[0].op == "eye":
        return m.product(coefficient, scalars, [m.ones("column")])
    inner = m.product(ONE, [], chain)
    if inner.op == "transpose":
        inner = inner.args[0]
    return m.product(coefficient, scalars, [m.call("diag", [inner], "column")])


def _trace(form: Matrix) -> Matrix:
    """The trace of a product, in the rotation and transposition of least cost."""
    coefficient, scalars, chain = m.parts(form)
    if not chain:
        return form
    columns = [k for k, factor in enumerate(chain) if factor.shape == "column"]
    if columns:  # a product of vectors among matrices is a scalar already
        k = columns[0] + 1
        inner = m.product(ONE, [], chain[k:] + chain[:k])
        return m.product(coefficient, [*scalars, inner], [])
    turned = [chain[k:] + chain[:k] for k in range(len(chain))] if len(chain) <= 16 else [chain]
    turned += [[m.transpose(f) for f in reversed(c)] for c in turned]
    forms = [m.product(ONE, [], c) for c in turned]
    best = min(forms, key=lambda f: (f.cost, m.sketch(f)))
    own, more, chain = m.parts(best)
    trace = m.call("tr", [m.product(ONE, [], chain)], "scalar")
    return m.product(coefficient * own, [*scalars, *more, trace], [])
