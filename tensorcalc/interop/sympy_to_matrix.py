"""IR -> SymPy's matrix expressions, through the matrix form that the printers have, too.

Vectors are matrices of one column. A product of one row and one column is a number for us and a 1×1
matrix for SymPy: its trace makes it a number there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorcalc.dims import Dim
from tensorcalc.functions import FUNCTIONS
from tensorcalc.interop.sympy_functions import written
from tensorcalc.interop.sympy_names import Names, refused
from tensorcalc.ir import Node
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.matrix_sizes import Place, placed
from tensorcalc.properties import use_properties
from tensorcalc.recognize import recognize
from tensorcalc.traverse import Steps, trampoline

TOTALS = ("sum", "mean", "norm1", "norm2", "normF", "logsumexp")
ALONG = ("sum", "mean", "logsumexp", "softmax")
POINTWISE = ("compare", "power", "hadamard", "spread")


def matrix_of(root: Node, names: Names, form: str = "matrix", *, row: bool = False) -> Any:
    """The matrix expression of a node of rank ≤ 2; of a scalar a scalar expression.

    Raises
    ------
    DomainError
        It has none; the error names what has not, and `form`, the one that was asked for.
    """
    sizes: dict[str, Dim] = {}

    def size_text(dim: Dim) -> str:
        if dim.is_integer:
            return str(dim)
        text = f"{dim}#"
        sizes[text] = dim
        return text

    if root.rank > 2:
        raise refused(f"an array of {root.rank} axes", form)
    (node,) = use_properties([root])
    found = recognize(node, size_text)
    if found.result is None:
        raise refused("a contraction that is no matrix product", form)
    values: dict[str, Any] = {"pi": names.sympy.pi, "e": names.sympy.E}
    dims = {name: variable.dims for name, variable in names.variables.items()}
    for name, variable in names.variables.items():
        if variable.rank in (1, 2):
            values[name] = names.array(variable, "matrix")
        elif not variable.rank:
            values[name] = names.scalar(variable)
    made: Any = None
    for name, helper, shape in [*found.helpers, ("", node, found.result)]:
        place = None if shape is None else placed(shape, helper.dims, dims)
        if place is None:
            raise refused("a contraction that is no matrix product", form)
        values |= {text: names.size(dim) for text, dim in sizes.items()}
        made = trampoline(_Writer(names, values, form).value(place))
        if name:
            values[name], dims[name] = made, helper.dims
    return made.T if row and node.rank == 1 else made


class _Writer:
    def __init__(self, names: Names, values: dict[str, Any], form: str) -> None:
        self.names, self.values, self.form = names, values, form
        self.sympy = names.sympy

    def value(self, place: Place) -> Steps[Any]:
        """A part as SymPy has it; of a scalar a scalar, of anything else a matrix."""
        x, sympy = place.x, self.sympy
        if x.op in ("name", "number", "eye"):
            return self.leaf(place)
        if x.op in ("sum", "product", "rows", "rangesum", "call"):
            found: Any = yield getattr(self, x.op)(place)
            return found
        if x.op in POINTWISE and x.shape != "scalar" and x.op != "spread":
            found = yield self.entrywise(place)
            return found
        parts: list[Any] = yield self.values_of(place.parts)
        match x.op:
            case "spread":
                return self.spread(parts[0], place)
            case "hadamard":
                return sympy.Mul(*parts)
            case "power":
                return sympy.Pow(*parts)
            case "compare":
                return written(str(x.data), parts)
            case "transpose" | "hermitian":
                return parts[0].T
            case "matrixpower":
                return sympy.MatPow(*parts)
            case "entry":
                return parts[0][(*x.data, 0)[:2]]
        raise refused(x.op, self.form)

    def values_of(self, places: Sequence[Place]) -> Steps[list[Any]]:
        found = []
        for place in places:
            found.append((yield self.value(place)))
        return found

    def leaf(self, place: Place) -> Any:
        x = place.x
        if x.op == "number":
            return self.names.number(x.data)
        if x.op == "eye":
            return self.sympy.Identity(self.size(place.shape[0]))
        if x.data in self.values:
            return self.values[str(x.data)]
        if str(x.data).isdigit():
            return self.sympy.Integer(str(x.data))
        raise refused(str(x.data), self.form)

    def size(self, dim: Dim) -> Any:
        if any(name.startswith(".") for name in dim.names):
            raise refused("a size that nothing tells", self.form)
        return self.names.size(dim)

    def ones(self, rows: Dim, columns: Dim) -> Any:
        return self.sympy.OneMatrix(self.size(rows), self.size(columns))

    def spread(self, scalar: Any, place: Place) -> Any:
        """A number at every entry."""
        if scalar == 0:
            return self.sympy.ZeroMatrix(*map(self.size, place.shape))
        return scalar * self.ones(*place.shape)

    # ── sums and products ─────────────────────────────────────────────────────────────────────────

    def sum(self, place: Place) -> Steps[Any]:
        terms = []
        for coefficient, part in zip(place.x.data, place.parts, strict=True):
            term: Any = yield self.value(part)
            if part.x.shape == "scalar" != place.x.shape:
                term = self.spread(term, place)
            terms.append(self.names.number(coefficient) * term)
        if place.x.shape == "scalar":
            return self.sympy.Add(*terms)
        return self.sympy.MatAdd(*terms)

    def product(self, place: Place) -> Steps[Any]:
        coefficient, count = place.x.data
        parts: list[Any] = yield self.values_of(place.parts)
        scalar = self.sympy.Mul(self.names.number(coefficient), *parts[:count])
        chain = parts[count:]
        if not chain:
            return scalar
        matrix = self.sympy.MatMul(*chain) if len(chain) > 1 else chain[0]
        return scalar * (self.number(matrix) if place.x.shape == "scalar" else matrix)

    def number(self, matrix: Any) -> Any:
        """What a 1×1 matrix holds."""
        return self.sympy.Trace(matrix)

    def rows(self, place: Place) -> Steps[Any]:
        """A matrix written out, or one of blocks."""
        parts: list[Any] = yield self.values_of(place.parts)
        columns = int(place.x.data)
        table = [parts[k : k + columns] for k in range(0, len(parts), columns)]
        if all(part.x.shape == "scalar" for part in place.parts):
            return self.sympy.ImmutableMatrix(table)
        blocks = [
            [
                part if getattr(part, "is_Matrix", False) else self.sympy.ImmutableMatrix([[part]])
                for part in row
            ]
            for row in table
        ]
        return self.sympy.BlockMatrix(blocks)

    def rangesum(self, place: Place) -> Steps[Any]:
        if place.x.shape != "scalar":
            raise refused("a sum of matrices over integers", self.form)
        body, low, high = place.parts
        ends: list[Any] = yield self.values_of([low, high])
        counter = str(place.x.data)
        symbol = self.names.index(counter)
        self.values[counter] = symbol
        term: Any = yield self.value(body)
        del self.values[counter]
        return self.sympy.Sum(term, (symbol, *ends))

    # ── entry by entry ────────────────────────────────────────────────────────────────────────────

    def entrywise(self, place: Place) -> Steps[Any]:
        """What is computed entry by entry: SymPy has products, powers, functions of one matrix."""
        x, sympy = place.x, self.sympy
        if x.op == "hadamard":
            parts: list[Any] = yield self.values_of(place.parts)
            pairs = list(zip(place.parts, parts, strict=True))
            scalars = [value for part, value in pairs if part.x.shape == "scalar"]
            arrays = [value for part, value in pairs if part.x.shape != "scalar"]
            made = sympy.HadamardProduct(*arrays) if len(arrays) > 1 else arrays[0]
            return sympy.Mul(*scalars) * made if scalars else made
        if x.op == "power":
            parts = yield self.values_of(place.parts)
            return sympy.HadamardPower(*parts)
        leaves: dict[Matrix, tuple[Any, Place]] = {}
        body: Any = yield self.body(place, leaves)
        if not leaves:
            return self.spread(body, place)
        if len(leaves) > 1:
            raise refused(f"{x.data} of several matrices, entry by entry", self.form)
        ((symbol, leaf),) = leaves.values()
        inner: Any = yield self.value(leaf)
        return inner.applyfunc(self.names.function(symbol, body))

    def body(self, place: Place, leaves: dict[Matrix, tuple[Any, Place]]) -> Steps[Any]:
        """One entry in terms of entries of `leaves`."""
        x, sympy = place.x, self.sympy
        if x.shape == "scalar":
            found: Any = yield self.value(place)
            return found
        chain = x.op == "product" and len(place.parts) == x.data[1] + 1
        inside = x.op in (*POINTWISE, "sum") or chain or _is_entrywise(x)
        if not inside:
            if x not in leaves:
                leaves[x] = sympy.Dummy(), place
            return leaves[x][0]
        parts = []
        for part in place.parts:
            parts.append((yield self.body(part, leaves)))
        match x.op:
            case "spread":
                return parts[0]
            case "hadamard":
                return sympy.Mul(*parts)
            case "product":
                return sympy.Mul(self.names.number(x.data[0]), *parts)
            case "sum":
                pairs = zip(x.data, parts, strict=True)
                return sympy.Add(*[self.names.number(c) * part for c, part in pairs])
            case "power":
                return sympy.Pow(*parts)
        return written(str(x.data), parts)

    # ── functions ─────────────────────────────────────────────────────────────────────────────────

    def call(self, place: Place) -> Steps[Any]:
        x, sympy = place.x, self.sympy
        name = str(x.data)
        if _is_entrywise(x):
            if x.shape != "scalar":
                found: Any = yield self.entrywise(place)
                return found
            parts: list[Any] = yield self.values_of(place.parts)
            return written(name, parts)
        if name in ("vector", "matrix"):
            scalar: Any = yield self.value(place.parts[0])
            return self.spread(scalar, place)
        parts = yield self.values_of(place.parts)
        shape = place.parts[0].x.shape
        if name in ALONG and len(parts) == 2:
            return self.along(name, parts[0], place.parts[0], int(parts[1]))
        if len(parts) == 1 and shape != "scalar":
            if name in TOTALS:
                return self.total(name, parts[0], place.parts[0])
            if name == "softmax" and shape != "matrix":
                grown = self.applied("exp", parts[0])
                return grown / self.total("sum", grown, place.parts[0])
        match name:
            case "tr":
                return sympy.Trace(parts[0])
            case "inv":
                return sympy.Inverse(parts[0])
            case "det":
                return sympy.Determinant(parts[0])
            case "logdet":
                return sympy.log(sympy.Determinant(parts[0]))
            case "sqrtm":
                return sympy.MatPow(parts[0], sympy.Rational(1, 2))
            case "kron":
                return sympy.KroneckerProduct(*parts)
            case "diag" if shape == "matrix":
                return self.names.diagonal.DiagonalOf(parts[0])
            case "diag":
                return self.names.diagonal.DiagMatrix(parts[0])
        raise refused(name, self.form)

    def applied(self, function: str, matrix: Any) -> Any:
        """A function of ours of one argument, entry by entry."""
        symbol = self.sympy.Dummy()
        return matrix.applyfunc(self.names.function(symbol, written(function, [symbol])))

    def total(self, name: str, matrix: Any, place: Place) -> Any:
        """A reduction of all entries."""
        sympy = self.sympy
        if name in ("norm2", "normF"):
            return sympy.sqrt(self.number(matrix.T * matrix))
        if name == "norm1":
            matrix = self.applied("abs", matrix)
        if name == "logsumexp":
            matrix = self.applied("exp", matrix)
        rows, columns = place.shape
        one = Dim.of(1)
        chain = [matrix]
        if rows != one:
            chain.insert(0, self.ones(one, rows))
        if columns != one:
            chain.append(self.ones(columns, one))
        found = self.number(sympy.MatMul(*chain) if len(chain) > 1 else matrix)
        if name == "mean":
            return found / (self.size(rows) * self.size(columns))
        return sympy.log(found) if name == "logsumexp" else found

    def along(self, name: str, matrix: Any, place: Place, axis: int) -> Any:
        """A reduction of every column (axis 1) or row (axis 2)."""
        rows, columns = place.shape
        one = Dim.of(1)
        if name in ("logsumexp", "softmax"):
            matrix = self.applied("exp", matrix)
        sums = self.ones(one, rows) * matrix if axis == 1 else matrix * self.ones(columns, one)
        if name == "softmax":
            size = rows if axis == 1 else columns
            spread = self.ones(size, one) * sums if axis == 1 else sums * self.ones(one, size)
            power = self.sympy.HadamardPower(spread, -1)
            return self.sympy.HadamardProduct(matrix, power)
        if name == "mean":
            return sums / self.size(rows if axis == 1 else columns)
        return self.applied("log", sums) if name == "logsumexp" else sums


def _is_entrywise(x: Matrix) -> bool:
    """Whether a call is one of the elementwise functions."""
    known = FUNCTIONS.get(str(x.data)) if x.op == "call" else None
    return known is not None and known.arity == len(x.args)
