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
from itertools import count, pairwise, product
from math import inf

from tensorcalc import canonical, matrix_algebra as m
from tensorcalc.dims import Dim
from tensorcalc.grids import grid
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Counter,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    MatrixFunction,
    Merge,
    Node,
    RangeSum,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.layout import is_transposed
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.matrix_sizes import say_sizes
from tensorcalc.stable import softmax_of
from tensorcalc.traverse import postorder, users, variables
from tensorcalc.views import untransposed

ONE = Fraction(1)
ALONG_AXES = ("logsumexp",)  # `max(X, 2)` could be read as the larger of X and 2
COUNTERS = "rstuvpqijkl"
Pair = tuple[int, int]  # two labels, the smaller first
SizeText = Callable[[Dim], str | None]
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

    @property
    def cost(self) -> float:
        """How many symbols it has; what has no matrix form has the most."""
        forms = [self.result, *[form for *_, form in self.helpers]]
        return sum(inf if form is None else form.cost for form in forms)


def recognize(
    root: Node, size_text: SizeText, layout: str = "mixed", *, crosses: bool = True
) -> Recognized:
    """The matrix form of a node of rank ≤ 2 (a vector as a column).

    `size_text` writes a size in the language, or None where it cannot. Derivatives of unknown
    functions are named as they stand in `layout`. Without `crosses` what is antisymmetric has no
    matrix form.
    """
    if not crosses and any(isinstance(node, LeviCivita) for node in postorder([root])):
        return Recognized(None)
    plain = _recognize(root, size_text, layout, None)
    if plain is not None:
        return plain
    counts = users([root])
    shared = {node for node, count in counts.items() if count > 1}
    return _recognize(root, size_text, layout, shared) or Recognized(None)


def _recognize(
    root: Node, size_text: SizeText, layout: str, shared: set[Node] | None
) -> Recognized | None:
    """The form with long `shared` parts defined first; without them, None if that is too long."""
    recognized = Recognized(None)
    taken = set(variables(root))
    sizes = {name for node in postorder([root]) for dim in node.dims for name in dim.names}
    forms = _Forms(size_text, layout, [c for c in COUNTERS if c not in taken | sizes])
    found = forms.found
    names = (f"T{k}" for k in count(1))
    for node in postorder([root]):
        form = forms.form(node) if node.rank <= 2 else None
        cost = 0 if form is None else form.cost
        if shared is None and cost > MAX_INLINE:
            return None
        long = shared is not None and node in shared and cost > MAX_REPEATED
        without = form is None and node.rank <= 2 and not isinstance(node, Basis | Size)
        if node.counters or not isinstance(node, Add | Einsum | Map):
            long = without = False
        if node is not root and (long or without):
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


class _Forms:
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
                    _shape(node),
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
            return _Graph(node, operands, self.size_text).recognize()
        forms = [form for form in operands if form is not None]
        if len(forms) < len(operands):
            return None
        match node:
            case Add():
                total = m.sum_(zip(node.coefficients, forms, strict=True))
                return total if forms else m.spread(total, _shape(node))
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
            return m.call(node.function, forms, _shape(node), symmetric=symmetric)
        if batch == 1 and node.function == "norm2":  # the norms of all rows
            squares = _Graph.rows(m.hadamard([forms[0], forms[0]]))
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
        if node.rank > 2 or (node.batch and node.result + len(node.derivatives) * 0 > 0):
            return None
        if any(operand.rank > node.batch for operand in node.operands) and node.batch:
            return None
        text, arguments = unknown_text(node)
        axes = [node.operands[k].rank - node.batch for k in node.derivatives]
        turned = len(axes) == 1 and is_transposed((node.result, *axes), self.layout)
        shape = _shape(node)
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
        if found is None or node.rank > 2:
            return None
        argument, axis = found
        form = self.form_of(argument)
        if form is None:
            return None
        extra = [m.number(Fraction(axis + 1))] if node.rank == 2 else []
        return m.call("softmax", [form, *extra], _shape(node))


def unknown_text(node: Unknown) -> tuple[str, bool]:
    """The name of an unknown function or of its derivative, and whether arguments follow."""
    order = len(node.derivatives)
    if node.is_applied and len(node.operands) == 1:
        return node.name + "'" * order, True
    if not order:
        return node.name, node.is_applied
    names = [
        str(k + 1) if node.is_applied else getattr(operand, "name", "?")
        for k, operand in enumerate(node.operands)
    ]
    below = ""
    for k in dict.fromkeys(node.derivatives):
        times = node.derivatives.count(k)
        power = "" if times == 1 else str(times)
        below += f"d{names[k]}" * times if node.is_applied else f"d{names[k]}{power}"
    return f"d{order if order > 1 else ''}{node.name}/{below}", node.is_applied


class _Graph:
    """A contraction while its summed labels are eliminated."""

    def __init__(self, node: Einsum, operands: list[Matrix | None], size_text: SizeText) -> None:
        self.node = node
        self.size_text = size_text
        self.sizes = dict(enumerate(node.sizes))
        self.merges: list[tuple[int, tuple[int, ...]]] = []
        self.signs: list[tuple[int, ...]] = []  # of antisymmetric factors of three axes
        self.units: dict[int, Matrix] = {}
        self.fixed: dict[int, Basis] = {}  # summed labels that a unit vector fixes
        self.scalars: list[Matrix] = []
        self.vectors: dict[int, list[Matrix]] = {}
        self.matrices: dict[Pair, list[Matrix]] = {}
        self.pairs: dict[int, set[Pair]] = {}  # of matrices, by label
        self.lost = False
        factors = list(zip(node.operands, operands, node.labels, strict=True))
        self.enter_merges([labels for o, _, labels in factors if isinstance(o, Merge)])
        parts = {part for _, own in self.merges for part in own}
        for operand, form, labels in factors:
            if isinstance(operand, Merge):
                continue
            if isinstance(operand, LeviCivita) and operand.rank == 3:
                self.signs.append(labels)
                continue
            if isinstance(operand, Basis) and labels[0] >= node.rank and labels[0] not in parts:
                self.fixed[labels[0]] = operand
                if form is not None:
                    self.units[labels[0]] = form
                continue
            if form is None or operand.rank > 2:
                self.lost = True
                return
            match labels:
                case ():
                    self.scalars.append(form)
                case (a,):
                    self.add_vector(a, form)
                case (a, b) if form.shape == "column" and self.is_single(b):
                    self.add_vector(a, form)
                case (a, b):
                    self.add_matrix(a, b, form)

    def is_single(self, label: int) -> bool:
        """Whether a label is summed over one index only."""
        return label >= self.node.rank and self.sizes[label] == Dim.of(1)

    @staticmethod
    def rows(form: Matrix) -> Matrix:
        """The sums of the rows of a matrix."""
        return m.product(ONE, [], [form, m.ones("column")])

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
        done: set[int] = set()
        while True:
            merged = {label for whole, parts in self.merges for label in (whole, *parts)}
            merged |= {label for labels in self.signs for label in labels}
            ready = [label for label in self.fixed if label not in merged]
            if not all(self.fix_entry(label) for label in ready):
                return None
            waiting = self.vectors.keys() | self.pairs.keys()
            waiting = {label for label in waiting if label >= self.node.rank} - done
            waiting -= merged | self.fixed.keys()
            if waiting:
                choice = min(waiting, key=self.effort)
                if len(self.ends(choice)) > 2:
                    return None
                done.add(choice)
                self.eliminate(choice)
            elif any(self.cross(labels) for labels in list(self.signs)):
                continue
            elif self.signs:
                return None
            elif not self.merges:
                return None if self.fixed else self.output()
            elif not any(self.merge(*merge) for merge in list(self.merges)):
                return None

    def fix_entry(self, label: int) -> bool:
        """Entries at a fixed label become scalars; beside a matrix a unit vector stays one."""
        for form in self.vectors.pop(label, []):
            self.scalars.append(m.entry(form, (self.fixed[label].position,)))
        for pair in self.ends(label):
            if sum(pair) - label in self.fixed:
                places = [self.fixed[end].position for end in pair]
                self.scalars += [m.entry(f, (places[0], places[1])) for f in self.take(pair)]
        if self.ends(label):
            if self.units.get(label) is None:
                return False
            self.add_vector(label, self.units[label])
        del self.fixed[label]
        return True

    def cross(self, labels: tuple[int, ...]) -> bool:
        """Replace an antisymmetric factor by the cross product of the vectors at two labels."""
        for turn in range(3):  # turning all three around keeps the sign
            a, b, c = labels[turn:] + labels[:turn]
            if min(b, c) < self.node.rank or self.ends(b) or self.ends(c):
                continue
            if b in self.vectors and c in self.vectors:
                sides = [m.hadamard(self.vectors.pop(label)) for label in (b, c)]
                self.signs.remove(labels)
                self.add_vector(a, m.call("cross", sides, "column"))
                return True
        return False

    # ── merged axes ──────────────────────────────────────────────────────────────────────────

    def enter_merges(self, merges: list[tuple[int, ...]]) -> None:
        """Give every merge parts of its own: one that is used elsewhere is joined by a unit."""
        used = set(range(self.node.rank))
        for whole, *parts in merges:
            own = []
            for part in parts:
                label = part
                if part in used:
                    label = len(self.sizes)
                    self.sizes[label] = self.sizes[part]
                    self.add_matrix(part, label, m.eye(self.size_text(self.sizes[part])))
                used.add(part)
                own.append(label)
            self.merges.append((whole, tuple(own)))

    def merge(self, whole: int, parts: tuple[int, ...]) -> bool:
        """Replace a merged axis by what its parts are of; whether that could be done."""
        ends = [self.ends(part) for part in parts]
        if len(parts) == 2 and any(len(pairs) > 1 for pairs in ends):
            self.enter_between(whole, parts)
            ends = [self.ends(part) for part in parts]
        if any(len(pairs) > 1 for pairs in ends):
            return False
        if not any(ends):
            self.merges.remove((whole, parts))
            self.add_vector(whole, m.call("kron", [self.column(part) for part in parts], "column"))
            return True
        if len(parts) == 2 and ends[0] == ends[1]:
            columns, rows = parts
            pair = ends[0][0]
            _, form = self.ending(pair, columns)
            chain = [self.beside(rows), form, self.beside(columns)]
            product = m.product(ONE, [], [f for f in chain if f is not None])
            self.merges.remove((whole, parts))
            self.add_vector(whole, m.call("vec", [product], "column"))
            return True
        others = [
            sum(pairs[0]) - part if pairs else None for part, pairs in zip(parts, ends, strict=True)
        ]
        match = next((other for other in self.merges if set(others) == set(other[1])), None)
        if match is not None and len(parts) == len(match[1]):
            # what stands between the parts of the other is not to be summed away
            if any(len(self.ends(part)) > 1 for part in match[1]):
                self.enter_between(*match)
            if any(len(self.ends(part)) > 1 for part in match[1]):
                return False
            return self.kron(whole, parts, others, match)
        if len(parts) == 2 and others[0] == others[1] and others[0] is not None:
            return self.khatri_rao(whole, parts, others[0])
        outside = [other for other in others if other is not None]
        inner = {part for _, own in self.merges for part in own}
        if len(outside) != 1 or outside[0] in inner:
            return False
        forms = []
        for part, pairs in zip(parts, ends, strict=True):
            forms.append(self.toward(part, pairs[0]) if pairs else self.column(part))
        self.merges.remove((whole, parts))
        self.add_matrix(whole, outside[0], m.call("kron", forms, "matrix"))
        return True

    def enter_between(self, whole: int, parts: tuple[int, ...]) -> None:
        """Turn a matrix between the two parts of a merged axis into a vector along the axis."""
        for column, row in product(*[self.twins(part) for part in parts]):
            pair = (min(column, row), max(column, row))
            if pair in self.matrices:
                _, form = self.ending(pair, column)
                self.add_vector(whole, m.call("vec", [form], "column"))
                return

    def twins(self, label: int) -> list[int]:
        """A label and those that a unit makes equal to it."""
        joined = [pair for pair in self.ends(label) if self.matrices[pair][0].op == "eye"]
        return [label, *[sum(pair) - label for pair in joined]]

    def khatri_rao(self, whole: int, parts: tuple[int, ...], other: int) -> bool:
        """Two parts joined to one label: ``kron(A, vector(1)).*kron(vector(1), B)``."""
        first, second = (self.toward(part, self.ends(part)[0]) for part in parts)
        above, below = (self.ones(part) for part in parts)
        forms = [
            m.call("kron", [first, below], "matrix"),
            m.call("kron", [above, second], "matrix"),
        ]
        self.merges.remove((whole, parts))
        self.add_matrix(whole, other, m.hadamard(forms))
        return True

    def kron(
        self,
        whole: int,
        parts: tuple[int, ...],
        others: list[int | None],
        match: tuple[int, tuple[int, ...]],
    ) -> bool:
        """Two merged axes whose parts are joined one by one, perhaps in another order."""
        order = [match[1].index(other) for other in others if other is not None]
        straight = order == sorted(order)
        sizes = [self.size_text(self.sizes[part]) for part in match[1]]
        if not straight and (len(order) != 2 or None in sizes):
            return False
        forms = []
        for part, other in zip(parts, others, strict=True):
            pair = self.ends(part)[0]
            middle = self.toward(part, pair)
            after = self.beside(other) if other is not None else None
            forms.append(middle if after is None else m.product(ONE, [], [middle, after]))
        self.merges.remove((whole, parts))
        self.merges.remove(match)
        symmetric = all(form.symmetric for form in forms)
        form = m.call("kron", forms, "matrix", symmetric=symmetric)
        if not straight:
            ends = [m.name(str(size), "scalar") for size in sizes[::-1]]
            turned = m.call("commutation", ends, "matrix", symmetric=ends[0] == ends[1])
            every = all(f.op == "eye" for f in forms)
            form = turned if every else m.product(ONE, [], [form, turned])
        self.add_matrix(whole, match[0], form)
        return True

    def toward(self, part: int, pair: Pair) -> Matrix:
        """What stands between a part and the other label, with rows of the part."""
        before = self.beside(part)
        _, form = self.ending(pair, sum(pair) - part)
        return form if before is None else m.product(ONE, [], [before, form])

    def beside(self, part: int) -> Matrix | None:
        """The vectors at a part as a diagonal matrix."""
        vectors = self.vectors.pop(part, [])
        return m.diag(m.hadamard(vectors)) if vectors else None

    def column(self, part: int) -> Matrix:
        """The vectors at a part as one."""
        vectors = self.vectors.pop(part, [])
        return m.hadamard(vectors) if vectors else self.ones(part)

    def ones(self, part: int) -> Matrix:
        """Ones along a part."""
        size = self.size_text(self.sizes[part])
        return m.call("vector", [m.number(ONE), m.name(size or "?", "scalar")], "column")

    # ── summed labels ────────────────────────────────────────────────────────────────────────

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
    first, *rest = sorted(vectors, key=lambda x: (-x.cost, *_reading(x)))
    form = m.product(ONE, [], [m.transpose(first), m.hadamard(rest)])
    coefficient, scalars, chain = m.parts(form)
    turned = m.product(coefficient, scalars, [m.transpose(f) for f in reversed(chain)])
    return min(form, turned, key=lambda f: (f.cost, *_reading(f)))


def _reading(form: Matrix) -> tuple[int, str]:
    """What decides between forms of the same cost: which names come first in the user's text."""
    words = m.sketch(form)
    return m.appearance(words), words


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
    whole = _total_of_term(vector)
    if vector.op != "sum" or vector.shape not in ("column", "row"):
        return whole
    apart = m.sum_([(c, _total_of_term(term)) for c, term in m.terms(vector)])
    more = -1 if any(term.op == "spread" for _, term in m.terms(vector)) else 3
    return apart if apart.cost <= whole.cost + more else whole


def _is_two(exponent: Matrix) -> bool:
    number = exponent.args[0] if exponent.op == "spread" else exponent
    return number.op == "number" and number.data == 2


def _total_of_term(vector: Matrix) -> Matrix:
    coefficient, scalars, chain = m.parts(vector)
    if len(chain) == 1 and chain[0].op == "power" and _is_two(chain[0].args[1]):
        base = chain[0].args[0]
        return m.product(coefficient, scalars, [m.transpose(base), base])
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


def _of_trace(form: Matrix) -> tuple[object, ...]:
    """What decides between the products under a trace: powers and quadratic forms are preferred."""
    _, _, chain = m.parts(form)
    repeated = sum(left.cost for left, right in pairwise(chain) if left == right)
    is_quadratic = len(chain) > 2 and chain[0] == m.transpose(chain[-1])
    first = chain[0] if chain else form
    first = first.args[0] if first.op == "transpose" else first
    is_plain = first.data == "inv" or (first.op == "name" and "/" not in str(first.data))
    return form.cost - repeated, not is_quadratic, not is_plain, *_reading(form)


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
    best = min(forms, key=_of_trace)
    own, more, chain = m.parts(best)
    trace = m.call("tr", [m.product(ONE, [], chain)], "scalar")
    return m.product(coefficient * own, [*scalars, *more, trace], [])
