"""SymPy expression -> IR, the walk: what every part becomes, sizes, products and sums of parts.

Every part becomes a `Reading`: a node whose first axes are the indices that it depends on and whose
other axes are its own (none of a scalar, two of a matrix). Matrices have two axes throughout, also
columns; axes of one entry are only dropped from the variables and from the whole. What a class of
SymPy means is a method ``read_`` and its name, in `sympy_scalars`, `sympy_entries`, `sympy_arrays`.

The walk is done twice: the first finds which sizes are equal, the second builds with them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorcalc import canonical
from tensorcalc.declarations import check_name
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import DomainError, ShapeError, UnknownNameError, quote
from tensorcalc.interop.sympy_functions import READ
from tensorcalc.ir import (
    Node,
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
            if not str(kind.__module__).startswith("sympy."):  # a function that a user named
                continue
            name = SAME.get(kind.__name__, kind.__name__)
            name = "function" if name in READ else "relation" if name in RELATIONS else name
            method = getattr(self, f"read_{name}", None)
            if method is not None:
                made: Reading | Steps[Reading] = method(expr, scope)
                if isinstance(made, Reading):
                    return made
                found: Reading = yield made
                return found
        raise unsupported(expr)

    def parts(self, args: Sequence[Any], scope: Scope) -> Steps[list[Reading]]:
        found = []
        for arg in args:
            reading: Reading = yield self.read(arg, scope)
            found.append(reading)
        return found

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
                for symbol, *ends in part.limits:
                    if isinstance(part, sympy.Product) or self.is_subscript(symbol, part.function):
                        found += ends
            for size in found:
                self.sizes |= {symbol.name for symbol in getattr(size, "free_symbols", ())}

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

    # ── sizes and names ───────────────────────────────────────────────────────────────────────────

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

    def variable(self, given: str, dims: Dims, words: Sequence[str] = ()) -> Reading:
        """A variable; of a column or row without the axis of one entry."""
        name = check_name(given)
        if dims and name in self.sizes:
            raise UnknownNameError(f"{name} is a size and also an array")
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

    def check_known(self, index: Index) -> None:
        """Refuse an index without a range; what tells it may come later in the first walk."""
        if self.is_second and any(name.startswith(".") for name in index.size.names):
            raise ShapeError(
                f"nothing tells what {index.key} runs over",
                hint=f'use sympy.Idx("{index.key}", n)',
            )

    # ── products and sums of readings ─────────────────────────────────────────────────────────────

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
