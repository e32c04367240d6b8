"""SymPy's matrices and arrays -> IR: one method a class of SymPy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from tensorcalc import canonical
from tensorcalc.array_constants import constant
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import DomainError, quote
from tensorcalc.interop.sympy_reader import Index, Reader, Reading, Scope, unsupported
from tensorcalc.ir import Basis, Delta, Merge, Section
from tensorcalc.traverse import Steps

MAX_WRITTEN = 64  # entries of an explicit array of numbers; a larger one becomes data
ROW: Hashable = ("row",)
COLUMN: Hashable = ("column",)


class Arrays(Reader):
    """Reads all that SymPy has of matrices and arrays."""

    # ── leaves ────────────────────────────────────────────────────────────────────────────────────

    def read_MatrixSymbol(self, expr: Any, scope: Scope) -> Reading:
        return self.variable(expr.name, self.dims(expr.shape))

    def read_ArraySymbol(self, expr: Any, scope: Scope) -> Reading:
        kept, self.vectors = self.vectors, False
        found = self.variable(str(expr.name), self.dims(expr.shape))
        self.vectors = kept
        return found

    def read_Identity(self, expr: Any, scope: Scope) -> Reading:
        return Reading(Delta.of(self.dim(expr.rows)))

    def read_ZeroMatrix(self, expr: Any, scope: Scope) -> Reading:
        return Reading(canonical.zeros(self.dims(expr.shape)))

    def read_OneMatrix(self, expr: Any, scope: Scope) -> Reading:
        return Reading(canonical.ones(self.dims(expr.shape)))

    def read_MatrixBase(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.explicit(expr, list(expr.flat()), expr.shape, scope)
        return found

    def read_NDimArray(self, expr: Any, scope: Scope) -> Steps[Reading]:
        entries = [expr[place] for place in product(*[range(n) for n in expr.shape])]
        found: Reading = yield self.explicit(expr, entries, expr.shape, scope)
        return found

    def explicit(
        self, expr: Any, entries: Sequence[Any], shape: Sequence[int], scope: Scope
    ) -> Steps[Reading]:
        """An array written out: the sum of its entries at their places."""
        dims = self.dims(shape)
        if len(entries) > MAX_WRITTEN and all(
            entry.is_Rational or entry.is_Float for entry in entries
        ):
            import numpy as np

            found = constant(np.array([float(entry) for entry in entries]).reshape(shape))
            if found is not None:
                return Reading(found)
        axes: list[Hashable] = [("own", k) for k in range(len(dims))]
        sizes = dict(zip(axes, dims, strict=True))
        total: list[Reading] = [Reading(canonical.zeros(dims))]
        for place, entry in zip(product(*[range(n) for n in shape]), entries, strict=True):
            if entry == 0:
                continue
            value: Reading = yield self.read(entry, scope)
            if value.own:
                raise unsupported(expr, "of arrays is not supported")
            units = [
                (Reading(Basis.of(dim, k)), [axis])
                for dim, k, axis in zip(dims, place, axes, strict=True)
                if dim != Dim.of(1)
            ]
            total.append(self.product([(value, ()), *units], axes, expr, sizes=sizes))
        return self.sum(total, expr)

    def sum(self, readings: Sequence[Reading], what: Any) -> Reading:
        nodes, labels = self.aligned(readings, what)
        return Reading(canonical.add(nodes[0].dims, [(Fraction(1), n) for n in nodes]), labels)

    def read_PermutationMatrix(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.read(expr.as_explicit(), scope)
        return found

    # ── products ──────────────────────────────────────────────────────────────────────────────────

    def read_MatMul(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        factors: list[tuple[Reading, Sequence[Hashable]]] = []
        count = 0
        for part in parts:
            factors.append((part, [("chain", count), ("chain", count + 1)] if part.own else []))
            count += bool(part.own)
        return self.product(factors, [("chain", 0), ("chain", count)], expr)

    def read_DotProduct(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        flat = [
            self.product(
                [(part, [ROW, COLUMN])], [ROW if part.own[1] == Dim.of(1) else COLUMN], expr
            )
            for part in parts
        ]
        return self.product([(part, [ROW]) for part in flat], [], expr)

    def read_HadamardProduct(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        factors = [(part, [ROW, COLUMN] if part.own else []) for part in parts]
        return self.product(factors, [ROW, COLUMN], expr)

    def read_HadamardPower(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        return self.mapped("pow", parts, expr)

    def read_KroneckerProduct(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        factors: list[tuple[Reading, Sequence[Hashable]]] = []
        matrices = [part for part in parts if part.own]
        for k, part in enumerate(matrices):
            factors.append((part, [("row", k), ("column", k)]))
        for axis, name in enumerate(("row", "column")):
            merge = Merge.of(tuple([part.own[axis] for part in matrices]))
            factors.append((Reading(merge), [(name,), *[(name, k) for k in range(len(matrices))]]))
        factors += [(part, []) for part in parts if not part.own]
        return self.product(factors, [ROW, COLUMN], expr)

    def read_MatPow(self, expr: Any, scope: Scope) -> Steps[Reading]:
        base, exponent = expr.args
        if exponent.is_number and not exponent.is_Integer:
            if exponent != self.sympy.Rational(1, 2):
                raise unsupported(expr, "with this exponent has no counterpart in tensorcalc")
            found: Reading = yield self.whole_function("sqrtm", base, expr, scope)
            return found
        parts: list[Reading] = yield self.parts([base, exponent], scope)
        (matrix, power) = parts
        self.equate(matrix.own[0], matrix.own[1], expr)
        if power.labels or matrix.labels:
            raise unsupported(expr, "that depends on an index is not supported")
        return Reading(canonical.matrix_function("power", matrix.node, power.node))

    # ── functions of one matrix ───────────────────────────────────────────────────────────────────

    def whole_function(self, name: str, arg: Any, expr: Any, scope: Scope) -> Steps[Reading]:
        matrix: Reading = yield self.read(arg, scope)
        self.equate(matrix.own[0], matrix.own[1], expr)
        return Reading(canonical.matrix_function(name, matrix.node), matrix.labels)

    def read_Inverse(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.whole_function("inv", expr.arg, expr, scope)
        return found

    def read_Determinant(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.whole_function("det", expr.arg, expr, scope)
        return found

    def viewed(
        self, arg: Any, labels: Sequence[Hashable], output: Sequence[Hashable], scope: Scope
    ) -> Steps[Reading]:
        """A matrix with its axes exchanged, summed or made one."""
        matrix: Reading = yield self.read(arg, scope)
        return self.product([(matrix, labels)], output, arg)

    def read_Trace(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.viewed(expr.arg, [ROW, ROW], [], scope)
        return found

    def read_Transpose(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.viewed(expr.arg, [ROW, COLUMN], [COLUMN, ROW], scope)
        return found

    def read_DiagMatrix(self, expr: Any, scope: Scope) -> Steps[Reading]:
        vector: Reading = yield self.read(expr.args[0], scope)
        kept = 0 if vector.own[1] == Dim.of(1) else 1
        labels = [ROW, ROW]
        labels[1 - kept] = COLUMN
        flat = self.product([(vector, labels)], [ROW], expr)
        unit = Reading(Delta.of(vector.own[kept]))
        return self.product([(flat, [ROW]), (unit, [ROW, COLUMN])], [ROW, COLUMN], expr)

    def read_DiagonalMatrix(self, expr: Any, scope: Scope) -> Steps[Reading]:
        matrix: Reading = yield self.read(expr.args[0], scope)
        rows, columns = matrix.own
        unit = Reading(Delta.of(rows) if rows == columns else Section.of(rows, columns, Dim.of(0)))
        factors = [(matrix, [ROW, COLUMN]), (unit, [ROW, COLUMN])]
        return self.product(factors, [ROW, COLUMN], expr)

    def read_DiagonalOf(self, expr: Any, scope: Scope) -> Steps[Reading]:
        matrix: Reading = yield self.read(expr.args[0], scope)
        sizes = {COLUMN: Dim.of(1)}
        return self.product([(matrix, [ROW, ROW])], [ROW, COLUMN], expr, sizes=sizes)

    def read_ElementwiseApplyFunction(self, expr: Any, scope: Scope) -> Steps[Reading]:
        array: Reading = yield self.read(expr.expr, scope)
        opened, keys = self.opened(array)
        (symbol,) = expr.function.variables
        value: Reading = yield self.read(expr.function.expr, {**scope, symbol: opened})
        return self.closed(value, keys, array.own, expr)

    def read_FunctionMatrix(self, expr: Any, scope: Scope) -> Steps[Reading]:
        dims = self.dims(expr.shape)
        self.fresh += 1
        keys: list[Hashable] = [("axis", self.fresh, k) for k in range(2)]
        zero = Dim.of(0)
        bound = {
            symbol: Index(key, dim, zero)
            for symbol, key, dim in zip(expr.lamda.variables, keys, dims, strict=True)
        }
        value: Reading = yield self.read(expr.lamda.expr, {**scope, **bound})
        return self.closed(value, keys, dims, expr)

    # ── blocks ────────────────────────────────────────────────────────────────────────────────────

    def read_BlockMatrix(self, expr: Any, scope: Scope) -> Steps[Reading]:
        blocks = expr.blocks
        parts: list[Reading] = yield self.parts(list(blocks), scope)
        columns = blocks.shape[1]
        heights = [part.own[0] for part in parts[::columns]]
        widths = [part.own[1] for part in parts[:columns]]
        placed = [Reading(canonical.zeros(self.dims(expr.shape)))]
        for k, part in enumerate(parts):
            row, column = divmod(k, columns)
            where: list[tuple[Reading, Sequence[Hashable]]] = []
            labels: list[Hashable] = []
            for name, sizes, at in (("row", heights, row), ("column", widths, column)):
                labels.append((name,) if len(sizes) == 1 else (name, "block"))
                if len(sizes) > 1:
                    place = Section.of(total(sizes), sizes[at], total(sizes[:at]))
                    where.append((Reading(place), [(name,), (name, "block")]))
            placed.append(self.product([(part, labels), *where], [ROW, COLUMN], expr))
        return self.sum(placed, expr)

    def read_MatrixSlice(self, expr: Any, scope: Scope) -> Steps[Reading]:
        matrix: Reading = yield self.read(expr.parent, scope)
        factors: list[tuple[Reading, Sequence[Hashable]]] = [(matrix, [("outer", 0), ("outer", 1)])]
        for k, (start, stop, step) in enumerate((expr.rowslice, expr.colslice)):
            if step != 1:
                raise unsupported(expr, "with steps is not supported")
            place = Section.of(matrix.own[k], self.dim(stop - start), self.dim(start))
            factors.append((Reading(place), [("outer", k), ("inner", k)]))
        return self.product(factors, [("inner", 0), ("inner", 1)], expr)

    # ── arrays ────────────────────────────────────────────────────────────────────────────────────

    def read_ArrayTensorProduct(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        axes = iter(range(sum(len(part.own) for part in parts)))
        factors = [(part, [next(axes) for _ in part.own]) for part in parts]
        return self.product(factors, [axis for _, own in factors for axis in own], expr)

    def read_ArrayContraction(self, expr: Any, scope: Scope) -> Steps[Reading]:
        array: Reading = yield self.read(expr.expr, scope)
        labels: list[Hashable] = list(range(len(array.own)))
        for group in expr.contraction_indices:
            for axis in group:
                labels[int(axis)] = ("summed", int(group[0]))
        return self.product([(array, labels)], [a for a in labels if isinstance(a, int)], expr)

    def read_ArrayDiagonal(self, expr: Any, scope: Scope) -> Steps[Reading]:
        array: Reading = yield self.read(expr.expr, scope)
        labels: list[Hashable] = list(range(len(array.own)))
        groups: list[Hashable] = []
        for group in expr.diagonal_indices:
            groups.append(("diagonal", int(group[0])))
            for axis in group:
                labels[int(axis)] = groups[-1]
        kept = [label for label in labels if isinstance(label, int)]
        return self.product([(array, labels)], [*kept, *groups], expr)

    def read_PermuteDims(self, expr: Any, scope: Scope) -> Steps[Reading]:
        array: Reading = yield self.read(expr.expr, scope)
        order = list(expr.permutation.array_form)
        return self.product([(array, list(range(len(array.own))))], order, expr)

    def read_Reshape(self, expr: Any, scope: Scope) -> Steps[Reading]:
        array: Reading = yield self.read(expr.expr, scope)
        new = self.dims(expr.shape)
        factors: list[tuple[Reading, Sequence[Hashable]]] = []
        old_labels: list[Hashable] = [("old", k) for k in range(len(array.own))]
        new_labels: list[Hashable] = [("new", k) for k in range(len(new))]
        for left, right in matching(array.own, new, expr):
            if len(left) == len(right) == 1:
                new_labels[right[0]] = old_labels[left[0]]
            elif len(left) == 1:
                merge = Merge.of(tuple([new[k] for k in right]))
                factors.append((Reading(merge), [("old", left[0]), *[("new", k) for k in right]]))
            else:
                whole: Hashable = ("new", right[0]) if len(right) == 1 else ("whole", left[0])
                merge = Merge.of(tuple([array.own[k] for k in left]))
                factors.append((Reading(merge), [whole, *[("old", k) for k in left]]))
                if len(right) > 1:
                    merge = Merge.of(tuple([new[k] for k in right]))
                    factors.append((Reading(merge), [whole, *[("new", k) for k in right]]))
        return self.product([(array, old_labels), *factors], new_labels, expr)


def total(sizes: Sequence[Dim]) -> Dim:
    """The sum of sizes."""
    result = Dim.of(0)
    for size in sizes:
        result = result + size
    return result


def matching(old: Dims, new: Dims, what: Any) -> list[tuple[list[int], list[int]]]:
    """Groups of axes of the same number of entries, the smallest there are.

    >>> matching((Dim.of("n"), Dim.of("m")), (Dim.of("n") * Dim.of("m"),), "")
    [([0, 1], [0])]
    """
    groups = []
    i = j = 0
    while i < len(old) or j < len(new):
        left, right = [i] if i < len(old) else [], [j] if j < len(new) else []
        i, j = i + len(left), j + len(right)
        while _product(old, left) != _product(new, right) or not left or not right:
            small = _product(old, left).constant <= _product(new, right).constant
            more_left = i < len(old) and (j == len(new) or _divides(old, left, new, right) or small)
            if more_left:
                left.append(i)
                i += 1
            elif j < len(new):
                right.append(j)
                j += 1
            else:
                raise DomainError(f"the axes of {quote(str(what))} do not fit together")
        groups.append((left, right))
    return groups


def _product(dims: Dims, axes: Sequence[int]) -> Dim:
    result = Dim.of(1)
    for axis in axes:
        result = result * dims[axis]
    return result


def _divides(old: Dims, left: Sequence[int], new: Dims, right: Sequence[int]) -> bool:
    """Whether the right group has more names, so that the left one must grow."""
    return len(_product(new, right).names) > len(_product(old, left).names)
