"""SymPy's entries and sums over them -> IR: `Indexed`, `KroneckerDelta`, `Sum`, `Product`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError, ShapeError, quote
from tensorcalc.interop.sympy_reader import (
    ONE,
    Index,
    Reader,
    Reading,
    Scope,
    is_inside,
    is_positive,
    unsupported,
)
from tensorcalc.ir import Basis, Counter, Delta, LeviCivita, Merge, Section
from tensorcalc.traverse import Steps


class Entries(Reader):
    """Reads what has subscripts."""

    def entry(self, array: Reading, subscripts: Sequence[Any], scope: Scope, what: Any) -> Reading:
        """An array's entry: an index is a label of it, a number or a shift a 0-1 matrix beside."""
        if len(subscripts) != len(array.own):
            raise ShapeError(f"{len(array.own)} subscripts are needed in {quote(str(what))}")
        labels: list[Hashable] = []
        factors: list[tuple[Reading, Sequence[Hashable]]] = []
        sizes: dict[Hashable, Dim] = {}  # of the indices, in order
        for axis, (dim, subscript) in enumerate(zip(array.own, subscripts, strict=True)):
            label: Hashable = ("axis", axis)
            labels.append(label)
            found, shift = self.subscript(subscript, scope)
            if not found:
                factors.append((self.position(dim, shift), [label]))
                continue
            if len(found) > 1:
                keys = [index.key for index in found]
                factors.append((self.merged(dim, found, shift, what), [label, *keys]))
                sizes |= {index.key: index.size for index in found}
                continue
            (index,) = found
            offset = index.start + shift
            if offset == Dim.of(0) and self.shapes.equate(dim, index.size):
                labels[-1] = index.key
                sizes[index.key] = self.shapes.resolve(index.size)
                continue
            if any(index is free for free in self.free.values()):
                self.check_range(subscript, index, dim, offset, what)
            place = Section.of(dim, index.size, offset)
            factors.append((Reading(place), [label, index.key]))
            sizes[index.key] = index.size
        kept = [key for key in sizes if key not in array.labels]
        made = self.product([(array, labels), *factors], kept, what, sizes=sizes)
        return Reading(made.node, (*made.labels, *kept))

    def check_range(self, subscript: Any, index: Index, dim: Dim, offset: Dim, what: Any) -> None:
        """Refuse a free index of two sizes, or of none."""
        if offset == Dim.of(0) and self.is_second:
            raise ShapeError(
                f"{subscript} runs over {index.size} and over {dim} entries in {quote(str(what))}"
            )
        self.check_known(index)

    def position(self, dim: Dim, position: Dim) -> Reading:
        """The unit vector of a place."""
        if position.is_integer:
            inside = position.constant < dim.constant or not dim.is_integer
            if position.constant < 0 or not inside:
                raise ShapeError(f"position {position} is outside of an axis of size {dim}")
            if dim == ONE:
                return Reading(canonical.ones((ONE,)))
            return Reading(Basis.of(dim, position.constant))
        place = Section.of(dim, ONE, position)
        return Reading(canonical.contract(["a"], {"a": dim, "b": ONE}, [(place, ["a", "b"])]))

    def merged(self, dim: Dim, indices: Sequence[Index], shift: Dim, what: Any) -> Reading:
        """1 where a subscript is the number that several indices make, the last fastest."""
        merge = Merge.of(tuple([index.size for index in indices]))
        zero = shift == Dim.of(0) and all(index.start == Dim.of(0) for index in indices)
        if not zero or not self.shapes.equate(dim, merge.dims[0]):
            raise unsupported(what, "with such a subscript is not supported")
        return Reading(merge)

    def subscript(self, expr: Any, scope: Scope) -> tuple[list[Index], Dim]:
        """The indices in a subscript, and what is added to them to count from 0.

        Several stand as in ``i*m + j``, each times the sizes of those after it.
        """
        sympy = self.sympy
        expr = sympy.sympify(expr)
        if isinstance(expr, sympy.Idx):
            terms = [expr]
        else:
            terms = list(sympy.Add.make_args(sympy.expand(expr)))
        found: list[tuple[Index, Dim]] = []
        rest = sympy.Integer(0)
        for term in terms:
            factors = [term] if isinstance(term, sympy.Idx) else sympy.Mul.make_args(term)
            names = [f for f in factors if isinstance(f, sympy.Symbol | sympy.Idx)]
            here = [(name, index) for name in names if (index := self.index(name, scope))]
            if len(here) == 1:
                ((name, index),) = here
                stride = sympy.Mul(*[factor for factor in factors if factor is not name])
                found.append((index, self.dim(stride)))
            else:
                rest += term
        if not {symbol.name for symbol in rest.free_symbols} <= self.sizes:
            raise DomainError(f"the subscript {quote(str(expr))} is no index plus an integer")
        found.sort(key=lambda pair: (len(pair[1].names), pair[1].constant))
        stride = ONE
        for index, times in found:
            if stride != times:
                raise DomainError(f"the subscript {quote(str(expr))} is no index plus an integer")
            stride = stride * index.size
        return [index for index, _ in reversed(found)], self.dim(rest) - self.first

    def read_Indexed(self, expr: Any, scope: Scope) -> Reading:
        base = expr.base
        name = str(base.label)
        if base.shape is None:
            dims = tuple(
                [self.shapes.resolve(Dim.of(f"{name}.{k}")) for k in range(len(expr.indices))]
            )
        else:
            dims = self.dims(base.shape)
        kept, self.vectors = self.vectors, False  # subscripts count every axis
        array = self.variable(name, dims)
        self.vectors = kept
        return self.entry(array, expr.indices, scope, expr)

    def read_MatrixElement(self, expr: Any, scope: Scope) -> Steps[Reading]:
        array: Reading = yield self.read(expr.args[0], scope)
        return self.entry(array, expr.args[1:], scope, expr)

    def read_ArrayElement(self, expr: Any, scope: Scope) -> Steps[Reading]:
        array: Reading = yield self.read(expr.name, scope)
        return self.entry(array, expr.indices, scope, expr)

    def read_KroneckerDelta(self, expr: Any, scope: Scope) -> Reading:
        if len(expr.args) > 2:
            raise unsupported(expr, "with a range is not supported")
        sides = [self.subscript(side, scope) for side in expr.args[:2]]
        sides.sort(key=lambda side: len(side[0]))
        (lefts, shift), (rights, other) = sides
        free = [index for index in self.free.values() if index in (*lefts, *rights)]
        for index in free:
            self.check_known(index)
        if not rights or {i.key for i in lefts} & {i.key for i in rights}:
            raise unsupported(expr, "of these is not supported")
        shift, other = shift + self.first, other + self.first
        right = rights[0]
        if len(rights) > 1:
            if len(lefts) != 1 or shift != Dim.of(0) or lefts[0].start != Dim.of(0):
                raise unsupported(expr, "with such a subscript is not supported")
            keys = (lefts[0].key, *[index.key for index in rights])
            return Reading(self.merged(lefts[0].size, rights, other, expr).node, keys)
        if not lefts:
            return Reading(
                self.position(right.size, shift - other - right.start).node, (right.key,)
            )
        left = lefts[0]
        offset = right.start + other - left.start - shift  # left = right + offset
        if offset == Dim.of(0) and left.size == right.size:
            return Reading(Delta.of(left.size), (left.key, right.key))
        if not is_inside(right.size, offset, left.size):
            zero = Dim.of(0)
            if is_inside(left.size, zero - offset, right.size) or not is_positive(offset):
                left, right, offset = right, left, zero - offset
        return Reading(Section.of(left.size, right.size, offset), (left.key, right.key))

    def read_LeviCivita(self, expr: Any, scope: Scope) -> Reading:
        array = Reading(LeviCivita.of(len(expr.args)))
        return self.entry(array, expr.args, scope, expr)

    # ── sums and products ─────────────────────────────────────────────────────────────────────────

    def read_Sum(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.counted(expr, scope, product=False)
        return found

    def read_Product(self, expr: Any, scope: Scope) -> Steps[Reading]:
        found: Reading = yield self.counted(expr, scope, product=True)
        return found

    def counted(self, expr: Any, scope: Scope, *, product: bool) -> Steps[Reading]:
        """A sum or product over integers: over an axis if its index is a subscript."""
        inner: dict[Any, Index | Reading] = dict(scope)
        bound: list[Index | Counter] = []
        for symbol, *limits in reversed(expr.limits):  # the outermost is the last
            if len(limits) != 2:
                raise unsupported(expr, "without limits is not supported")
            low, high = limits
            on_axis = product or self.is_subscript(symbol, expr.function)
            if on_axis and not (low.free_symbols | high.free_symbols).isdisjoint(inner):
                raise unsupported(expr, "with limits that depend on an index is not supported")
            if on_axis:
                self.fresh += 1
                size = self.dim(high - low + 1)
                index = Index((str(symbol), self.fresh), size, self.dim(low))
                inner[symbol] = index
                bound.append(index)
                continue
            ends: list[Reading] = yield self.parts([low, high], inner)
            if any(end.labels for end in ends):
                raise unsupported(expr, "with limits that depend on an index is not supported")
            self.fresh += 1
            counter = Counter.of(-self.fresh, tuple([end.node for end in ends]))
            inner[symbol] = Reading(counter)
            bound.append(counter)
        body: Reading = yield self.read(expr.function, inner)
        for binding in reversed(bound):
            axes = [("own", k) for k in range(len(body.own))]
            if isinstance(binding, Counter):
                body = Reading(canonical.range_sum(body.node, binding), body.labels)
            else:
                sizes = {binding.key: binding.size}
                last = [binding.key] if product else []
                body = self.product(
                    [(body, axes)], [*axes, *last], expr, gone=[binding.key], sizes=sizes
                )
                if product:
                    body = Reading(canonical.matrix_function("prod", body.node), body.labels)
        return body
