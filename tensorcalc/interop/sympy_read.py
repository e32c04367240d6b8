"""SymPy expression -> IR: matrix expressions, indexed sums, arrays and scalars, by one walk.

Every part becomes a `Reading`: a node whose first axes are the indices that it depends on and whose
other axes are its own (none of a scalar, two of a matrix). Matrices have two axes throughout, also
columns; axes of one entry are only dropped from the variables and from the whole.

The walk is done twice: the first finds which sizes are equal, the second builds with them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tensorcalc import canonical
from tensorcalc.declarations import check_name
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import DomainError, ShapeError, UnknownNameError, quote
from tensorcalc.interop.sympy_functions import READ
from tensorcalc.ir import (
    Basis,
    Constant,
    Counter,
    Delta,
    LeviCivita,
    Merge,
    Node,
    Range,
    Section,
    Variable,
)
from tensorcalc.shapes import Shapes
from tensorcalc.templates import lift, scalar_formula
from tensorcalc.traverse import Steps, trampoline

ONE = Dim.of(1)
RELATIONS = {
    "StrictLessThan": ["lt"],
    "LessThan": ["le"],
    "StrictGreaterThan": ["gt"],
    "GreaterThan": ["ge"],
    "Equality": ["le", "ge"],
}
# classes that are read as others are; everything is real
SAME = {
    "MatAdd": "Add",
    "ArrayAdd": "Add",
    "Idx": "Symbol",
    "Infinity": "NaN",
    "NegativeInfinity": "NaN",
    "ComplexInfinity": "NaN",
    "ZeroArray": "ZeroMatrix",
    "OneArray": "OneMatrix",
    "CompanionMatrix": "PermutationMatrix",
    "Adjoint": "Transpose",
    "ArrayElementwiseApplyFunc": "ElementwiseApplyFunction",
}
# what has subscripts, and where they start among its arguments
SUBSCRIPTED = {
    "Indexed": 1,
    "MatrixElement": 1,
    "ArrayElement": 1,
    "KroneckerDelta": 0,
    "LeviCivita": 0,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A node with the axes of `labels` first, then its own."""

    node: Node
    labels: tuple[Hashable, ...] = ()

    @property
    def own(self) -> Dims:
        """The sizes of its own axes."""
        return self.node.dims[len(self.labels) :]


@dataclass(frozen=True, slots=True)
class Index:
    """What an index runs over: `size` integers from `start`, as the label `key`."""

    key: Hashable
    size: Dim
    start: Dim


Scope = Mapping[Any, Index | Reading]


def unsupported(expr: Any, why: str = "has no counterpart in tensorcalc") -> DomainError:
    """The error for a part that cannot be read."""
    return DomainError(f"{type(expr).__name__} {why}: {quote(str(expr))}")


def is_positive(dim: Dim) -> bool:
    """Whether a number made of sizes is certainly not negative; a size is at least 1."""
    signs = [number for names, number in dim.terms if names]
    return all(number > 0 for number in signs) and sum(signs) + dim.constant >= 0


def is_inside(inner: Dim, offset: Dim, outer: Dim) -> bool:
    """Whether a stretch certainly lies within an axis."""
    return is_positive(offset) and is_positive(outer - inner - offset)


class Reader:
    """The names and sizes of one expression."""

    def __init__(
        self, sympy: Any, vectors: bool, first: int, properties: Mapping[str, str]
    ) -> None:
        self.sympy, self.vectors, self.first = sympy, vectors, first
        self.properties = properties
        self.shapes = Shapes()
        self.sizes: set[str] = set()
        self.variables: dict[str, Variable] = {}
        self.free: dict[Any, Index] = {}  # by symbol, those that nothing binds
        self.fresh = 0
        self.is_second = False  # of the two walks

    def whole(self, expr: Any) -> Reading:
        """The reading of a whole expression."""
        self.collect(expr)
        trampoline(self.read(expr, {}))
        solved = self.shapes.resolve
        self.free = {s: Index(i.key, solved(i.size), solved(i.start)) for s, i in self.free.items()}
        self.variables, self.is_second = {}, True
        return trampoline(self.read(expr, {}))

    def read(self, expr: Any, scope: Scope) -> Steps[Reading]:
        """The reading of a part; `scope` are the names that something around it binds."""
        for kind in type(expr).__mro__:
            name = SAME.get(kind.__name__, kind.__name__)
            method = getattr(self, f"read_{name}", None)
            if method is not None:
                made: Reading | Steps[Reading] = method(expr, scope)
                if isinstance(made, Reading):
                    return made
                found: Reading = yield made
                return found
            if name in READ:
                found = yield self.function(name, expr, scope)
                return found
            if name in RELATIONS:
                found = yield self.relation(name, expr, scope)
                return found
        raise unsupported(expr)

    def collect(self, expr: Any) -> None:
        """Enter the names that are sizes: those in shapes and in the ranges of subscripts."""
        sympy = self.sympy
        for part in sympy.preorder_traversal(expr):
            found: list[Any] = []
            if isinstance(part, sympy.Indexed):
                continue
            if isinstance(part, sympy.Idx):
                found = [part.lower, part.upper]
            elif isinstance(getattr(part, "shape", None), tuple | sympy.Tuple):
                found = list(part.shape)
            elif isinstance(part, sympy.Sum | sympy.Product):
                for symbol, low, high in part.limits:
                    if isinstance(part, sympy.Product) or self.is_subscript(symbol, part.function):
                        found += [low, high]
            for size in found:
                self.sizes |= {symbol.name for symbol in getattr(size, "free_symbols", ())}

    # ── sizes ────────────────────────────────────────────────────────────────────────────────

    def dim(self, size: Any) -> Dim:
        """A size: integers and symbols, added and multiplied."""
        sympy = self.sympy
        total = Dim.of(0)
        for term in sympy.Add.make_args(sympy.expand(size)):
            part = Dim.of(1)
            for factor in sympy.Mul.make_args(term):
                base, power = factor.as_base_exp()
                whole = power.is_Integer and 0 < power <= 64
                if factor.is_Integer:
                    part = part * int(factor)
                elif isinstance(base, sympy.Symbol) and whole:
                    for _ in range(int(power)):
                        part = part * Dim.of(check_name(base.name))
                else:
                    raise DomainError(f"{quote(str(size))} is no size: integers and names are")
            total = total + part
        return self.shapes.resolve(total)

    def dims(self, sizes: Sequence[Any]) -> Dims:
        return tuple([self.dim(size) for size in sizes])

    def equate(self, left: Dim, right: Dim, what: Any) -> Dim:
        """One size for two that must be equal."""
        if not self.shapes.equate(left, right):
            raise ShapeError(f"sizes {left} and {right} do not fit in {quote(str(what))}")
        return self.shapes.resolve(left)

    # ── products and sums of readings ────────────────────────────────────────────────────────

    def product(
        self,
        factors: Sequence[tuple[Reading, Sequence[Hashable]]],
        output: Sequence[Hashable],
        what: Any,
        *,
        gone: Sequence[Hashable] = (),
        sizes: Mapping[Hashable, Dim] | None = None,
    ) -> Reading:
        """The contraction of readings, each under labels for its own axes.

        Indices are kept but for those in `gone`; of the labels of own axes `output` is kept.
        `sizes` are those of labels that no factor has.
        """
        known: dict[Hashable, Dim] = dict(sizes or {})
        indices: dict[Hashable, None] = {}
        for reading, own in factors:
            indices.update(dict.fromkeys(reading.labels))
            for label, dim in zip((*reading.labels, *own), reading.node.dims, strict=True):
                known[label] = self.equate(known.get(label, dim), dim, what)
        kept = [label for label in indices if label not in gone]
        made = [(reading.node, (*reading.labels, *own)) for reading, own in factors]
        return Reading(canonical.contract([*kept, *output], known, made), tuple(kept))

    def aligned(self, readings: Sequence[Reading], what: Any) -> tuple[list[Node], tuple[Any, ...]]:
        """The nodes with all indices and all own axes of each; scalars are repeated."""
        labels = tuple(dict.fromkeys(label for r in readings for label in r.labels))
        rank = max([len(reading.own) for reading in readings])
        axes = [("own", k) for k in range(rank)]
        sizes: dict[Hashable, Dim] = {}
        for reading in readings:
            own = axes if reading.own else []
            if reading.own and len(reading.own) != rank:
                raise ShapeError(f"the ranks do not fit in {quote(str(what))}")
            for label, dim in zip((*reading.labels, *own), reading.node.dims, strict=True):
                sizes[label] = self.equate(sizes.get(label, dim), dim, what)
        nodes = [
            canonical.contract(
                [*labels, *axes],
                sizes,
                [(reading.node, (*reading.labels, *(axes if reading.own else [])))],
            )
            for reading in readings
        ]
        return nodes, labels

    def mapped(self, function: str, readings: Sequence[Reading], what: Any) -> Reading:
        """An elementwise function of ours."""
        nodes, labels = self.aligned(readings, what)
        return Reading(canonical.elementwise(function, nodes), labels)

    def formula(self, text: str, readings: Sequence[Reading], what: Any) -> Reading:
        """A formula of ours in ``x`` and ``y``, entry by entry."""
        nodes, labels = self.aligned(readings, what)
        arguments = dict(zip("xyz", nodes, strict=False))
        return Reading(lift(scalar_formula(text), arguments, nodes[0].dims, {}), labels)

    def opened(self, reading: Reading) -> tuple[Reading, list[Hashable]]:
        """The reading with its own axes made indices; those of one entry are dropped."""
        self.fresh += 1
        keys: list[Hashable] = [("axis", self.fresh, k) for k in range(len(reading.own))]
        kept = [key for key, dim in zip(keys, reading.own, strict=True) if dim != ONE]
        found = self.product([(reading, keys)], kept, "")
        return Reading(found.node, (*found.labels, *kept)), keys

    def closed(self, reading: Reading, keys: Sequence[Hashable], dims: Dims, what: Any) -> Reading:
        """The reading with indices made own axes again; one that it has not is a repetition."""
        sizes = dict(zip(keys, dims, strict=True))
        return self.product([(reading, ())], keys, what, gone=keys, sizes=sizes)

    def number(self, value: Fraction | int) -> Reading:
        return Reading(canonical.number(value))

    def parts(self, args: Sequence[Any], scope: Scope) -> Steps[list[Reading]]:
        found = []
        for arg in args:
            reading: Reading = yield self.read(arg, scope)
            found.append(reading)
        return found

    # ── scalars ──────────────────────────────────────────────────────────────────────────────

    def read_Rational(self, expr: Any, scope: Scope) -> Reading:
        return self.number(Fraction(int(expr.p), int(expr.q)))

    def read_Float(self, expr: Any, scope: Scope) -> Reading:
        return self.number(Fraction(repr(float(expr))))

    def read_NaN(self, expr: Any, scope: Scope) -> Reading:
        raise unsupported(expr, "is no number")

    def read_Pi(self, expr: Any, scope: Scope) -> Reading:
        return Reading(Constant.of("pi"))

    def read_Exp1(self, expr: Any, scope: Scope) -> Reading:
        return self.formula("exp(x)", [self.number(1)], expr)

    def read_Symbol(self, expr: Any, scope: Scope) -> Reading:
        bound = scope.get(expr, self.free.get(expr))
        if isinstance(expr, self.sympy.Idx):
            bound = self.index(expr, scope)
        if isinstance(bound, Index):  # the index as a number
            return Reading(Range.of(bound.size, bound.start), (bound.key,))
        if bound is not None:
            return bound
        name = check_name(expr.name)
        if name in self.sizes and name not in self.variables:
            return Reading(canonical.size(Dim.of(name)))
        words = ("positive",) if expr.is_positive else ("nonnegative",) * bool(expr.is_nonnegative)
        words += ("integer",) * bool(expr.is_integer)
        return self.variable(name, (), words)

    def variable(self, given: str, dims: Dims, words: Sequence[str] = ()) -> Reading:
        """A variable; of a column or row without the axis of one entry."""
        name = check_name(given)
        kept = [axis for axis, dim in enumerate(dims) if not (self.vectors and dim == ONE)]
        inner = tuple([dims[axis] for axis in kept])
        properties = frozenset([*words, *self.properties.get(name, "").split()])
        made = Variable.of(name, inner, properties)
        if self.variables.setdefault(name, made) is not made:
            known = self.variables[name]
            if known.rank != made.rank or known.properties != made.properties:
                raise UnknownNameError(f"{name} is used for two different things")
            for left, right in zip(known.dims, made.dims, strict=True):
                self.equate(left, right, name)
        axes = tuple(range(len(dims)))
        return Reading(canonical.einsum(len(dims), dims, [(made, tuple(kept))]) if axes else made)

    def read_Mul(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        arrays = [part for part in parts if part.own]
        if len(arrays) > 1:
            raise unsupported(expr, "of several arrays has no meaning")
        axes = [("own", k) for k in range(len(arrays[0].own))] if arrays else []
        return self.product([(part, axes if part.own else ()) for part in parts], axes, expr)

    def read_Add(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        if len({len(part.own) for part in parts}) > 1:
            raise ShapeError(f"a scalar is added to an array in {quote(str(expr))}")
        nodes, labels = self.aligned(parts, expr)
        terms = [(Fraction(1), node) for node in nodes]
        return Reading(canonical.add(nodes[0].dims, terms), labels)

    def read_Pow(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        return self.mapped("pow", parts, expr)

    def function(self, name: str, expr: Any, scope: Scope) -> Steps[Reading]:
        """A function of the table; of more arguments than two, one after the other."""
        parts: list[Reading] = yield self.parts(expr.args, scope)
        if name in ("Max", "Min"):
            total = parts[0]
            for part in parts[1:]:
                total = self.formula(READ[name], [total, part], expr)
            return total
        if name == "log" and len(parts) > 1:
            raise unsupported(expr)
        return self.formula(READ[name], parts, expr)

    # ── conditions ───────────────────────────────────────────────────────────────────────────

    def read_Piecewise(self, expr: Any, scope: Scope) -> Steps[Reading]:
        if expr.args[-1].cond != self.sympy.true:
            raise unsupported(expr, "without a last case for all else has no value there")
        total: Reading = yield self.read(expr.args[-1].expr, scope)
        for value, condition in reversed(expr.args[:-1]):
            holds: Reading = yield self.read(condition, scope)
            found: Reading = yield self.read(value, scope)
            total = self.mapped("where", [holds, found, total], expr)
        return total

    def relation(self, name: str, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        factors = [self.mapped(function, parts, expr) for function in RELATIONS[name]]
        return self.product([(factor, ()) for factor in factors], (), expr)

    def read_Unequality(self, expr: Any, scope: Scope) -> Steps[Reading]:
        equal: Reading = yield self.relation("Equality", expr, scope)
        return self.formula("1 - x", [equal], expr)

    def read_And(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        return self.product([(part, ()) for part in parts], (), expr)

    def read_Or(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        total = parts[0]
        for part in parts[1:]:
            total = self.mapped("max", [total, part], expr)
        return total

    def read_ITE(self, expr: Any, scope: Scope) -> Steps[Reading]:
        parts: list[Reading] = yield self.parts(expr.args, scope)
        return self.mapped("where", parts, expr)

    def read_Not(self, expr: Any, scope: Scope) -> Steps[Reading]:
        inner: Reading = yield self.read(expr.args[0], scope)
        return self.formula("1 - x", [inner], expr)

    def read_BooleanTrue(self, expr: Any, scope: Scope) -> Reading:
        return self.number(1)

    def read_BooleanFalse(self, expr: Any, scope: Scope) -> Reading:
        return self.number(0)

    # ── indices ──────────────────────────────────────────────────────────────────────────────

    def index(self, symbol: Any, scope: Scope) -> Index | None:
        """What a subscript runs over; a symbol that nothing binds is free."""
        found = scope.get(symbol, self.free.get(symbol))
        if found is None and isinstance(symbol, self.sympy.Idx):
            if symbol.lower is None or symbol.upper is None:
                found = self.free[symbol] = Index(symbol, self.shapes.fresh(), Dim.of(self.first))
            else:
                size = self.dim(symbol.upper - symbol.lower + 1)
                found = self.free[symbol] = Index(symbol, size, self.dim(symbol.lower))
        elif found is None and symbol.name not in self.sizes:
            found = self.free[symbol] = Index(symbol, self.shapes.fresh(), Dim.of(self.first))
        return found if isinstance(found, Index) else None

    def entry(self, array: Reading, subscripts: Sequence[Any], scope: Scope, what: Any) -> Reading:
        """An array's entry: an index is a label of it, a number or a shift a 0-1 matrix beside."""
        if len(subscripts) != len(array.own):
            raise ShapeError(f"{len(array.own)} subscripts are needed in {quote(str(what))}")
        labels: list[Hashable] = []
        factors: list[tuple[Reading, Sequence[Hashable]]] = []
        diagonal: dict[Hashable, Hashable] = {}
        sizes: dict[Hashable, Dim] = {}
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
                diagonal |= {key: key for key in keys}
                continue
            (index,) = found
            offset = index.start + shift
            if offset == Dim.of(0) and self.shapes.equate(dim, index.size):
                labels[-1] = index.key
                sizes[index.key] = self.shapes.resolve(index.size)
                diagonal[index.key] = index.key
                continue
            if any(index is free for free in self.free.values()):
                self.check_range(subscript, index, dim, offset, what)
            place = Section.of(dim, index.size, offset)
            factors.append((Reading(place), [label, index.key]))
            sizes[index.key] = index.size
            diagonal[index.key] = index.key
        kept = [key for key in diagonal if key not in array.labels]
        made = self.product([(array, labels), *factors], kept, what, sizes=sizes)
        return Reading(made.node, (*made.labels, *kept))

    def check_range(self, subscript: Any, index: Index, dim: Dim, offset: Dim, what: Any) -> None:
        """Refuse a free index of two sizes, or of none."""
        if offset == Dim.of(0) and self.is_second:
            raise ShapeError(
                f"{subscript} runs over {index.size} and over {dim} entries in {quote(str(what))}"
            )
        self.check_known(index)

    def check_known(self, index: Index) -> None:
        """Refuse an index without a range; what tells it may come later in the first walk."""
        if self.is_second and any(name.startswith(".") for name in index.size.names):
            raise ShapeError(
                f"nothing tells what {index.key} runs over",
                hint=f'use sympy.Idx("{index.key}", n)',
            )

    def position(self, dim: Dim, position: Dim) -> Reading:
        """The unit vector of a place."""
        if dim == ONE:
            return Reading(canonical.ones((ONE,)))
        if position.is_integer:
            if position.constant < 0:
                raise ShapeError(f"the position {position.constant} is before the first entry")
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
        for symbol, low, high in reversed(expr.limits):  # the outermost is the last
            if product or self.is_subscript(symbol, expr.function):
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

    def is_subscript(self, symbol: Any, expr: Any) -> bool:
        """Whether a symbol stands in a subscript."""
        for part in self.sympy.preorder_traversal(expr):
            name = type(part).__name__
            if name in SUBSCRIPTED and any(
                symbol in subscript.free_symbols | {subscript}
                for subscript in part.args[SUBSCRIPTED[name] :]
            ):
                return True
        return False
