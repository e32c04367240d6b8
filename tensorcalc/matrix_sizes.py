"""Matrix expression -> the same with sizes said where a reader could not infer them.

`eye` and `vector(1)` take their sizes from what stands beside them. Here the sizes of an expression
are inferred as the language does it (`shapes.py`); a constant whose size stays open gets it from
the shape of the whole, so that what is printed reads back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tensorcalc.dims import Dim, Dims
from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_algebra import ENTRYWISE, Matrix
from tensorcalc.shapes import Shapes
from tensorcalc.traverse import Steps, trampoline

SQUARE = frozenset("inv adj expm logm sqrtm sinm cosm det logdet tr".split())
SCALAR = frozenset("det logdet tr norm1 norm2 normF sum mean max min prod logsumexp".split())
ALONG = frozenset("sum mean max min logsumexp".split())  # with an axis: a row or a column
ONE = Dim.of(1)
MAX_COST = 2000  # beyond, nobody reads the result back by eye
Shape = tuple[Dim, Dim]  # rows and columns; a scalar is 1×1


@dataclass(slots=True)
class Place:
    """An expression at one place, and the sizes it has there."""

    x: Matrix
    shape: Shape
    parts: list[Place]


def say_sizes(
    x: Matrix,
    root: Dims,
    names: Mapping[str, Dims],
    size_text: Callable[[Dim], str | None],
) -> Matrix:
    """The expression with sizes for those constants whose sizes cannot be inferred.

    `root` is the shape of the whole (of a vector as a column or row, as it stands), `names` those
    of the names in it.
    """
    if x.cost > MAX_COST:
        return x
    sizes = _Sizes(names)
    whole = trampoline(sizes.visit(x))
    inferred = {
        name
        for name in sizes.fresh
        if not _is_open(sizes.shapes.resolve(Dim.of(name))) and name not in sizes.said
    }
    if len(inferred) == len(sizes.fresh):
        return x
    for known, dim in zip(whole.shape, _shape(x.shape, root), strict=True):
        sizes.shapes.equate(known, dim)
    return trampoline(_rebuilt(whole, sizes.shapes, inferred, size_text))


def own_sizes(x: Matrix, names: Mapping[str, Dims]) -> Dims | None:
    """The sizes of an expression, if it tells them and those of all its constants by itself."""
    if x.cost > MAX_COST:
        return None
    sizes = _Sizes(names)
    whole = trampoline(sizes.visit(x))
    if any(_is_open(sizes.shapes.resolve(Dim.of(name))) for name in sizes.fresh):
        return None
    rows, columns = (sizes.shapes.resolve(dim) for dim in whole.shape)
    if _is_open(rows) or _is_open(columns):
        return None
    return {"scalar": (), "column": (rows,), "row": (columns,)}.get(x.shape, (rows, columns))


def spreads_arguments(x: Matrix) -> bool:
    """Whether a call takes a scalar for an array with equal entries."""
    return x.op == "call" and x.data in FUNCTIONS and FUNCTIONS[x.data].arity > 1


def _shape(kind: str, dims: Dims) -> Shape:
    match kind:
        case "column":
            return dims[0], ONE
        case "row":
            return ONE, dims[-1]
        case "matrix":
            return dims[0], dims[1]
    return ONE, ONE


def _is_open(dim: Dim) -> bool:
    return any(name.startswith(".") for name in dim.names)


class _Sizes:
    """The sizes of every part of an expression, made equal as the language says."""

    def __init__(self, names: Mapping[str, Dims]) -> None:
        self.names = names
        self.shapes = Shapes()
        self.fresh: list[str] = []
        self.said: set[str] = set()  # sizes that only the surroundings of a sum would tell

    def new(self) -> Dim:
        dim = self.shapes.fresh()
        self.fresh.append(dim.names[0])
        return dim

    def open(self, kind: str) -> Shape:
        """Sizes that nothing is known of yet, which need not be said."""
        return _shape(kind, (self.shapes.fresh(), self.shapes.fresh()))

    def equate(self, left: Shape, right: Shape) -> None:
        for a, b in zip(left, right, strict=True):
            self.shapes.equate(a, b)

    def visit(self, x: Matrix) -> Steps[Place]:
        parts: list[Place] = []
        for arg in self.written(x):
            parts.append((yield self.visit(arg)))
        return Place(x, self.shape(x, parts), parts)

    def written(self, x: Matrix) -> tuple[Matrix, ...]:
        """The operands as they are printed: a scalar that is broadcast stands bare."""
        if x.op not in ("sum", "power", "compare") and not spreads_arguments(x):
            return x.args
        return tuple([arg.args[0] if arg.op == "spread" else arg for arg in x.args])

    def shape(self, x: Matrix, parts: list[Place]) -> Shape:
        shapes = [part.shape for part in parts]
        match x.op:
            case "name":
                dims = x.dims if x.dims is not None else self.names.get(str(x.data))
                return self.open(x.shape) if dims is None else _shape(x.shape, dims)
            case "eye":
                size = self.new() if x.data is None else self.shapes.fresh()
                return size, size
            case "spread":
                return _shape(
                    x.shape, tuple([self.new() for _ in range(1 + (x.shape == "matrix"))])
                )
            case "product":
                chain = shapes[x.data[1] :]
                for (_, left), (right, _) in pairwise(chain):
                    self.shapes.equate(left, right)
                return (chain[0][0], chain[-1][1]) if chain else (ONE, ONE)
            case "sum" | "hadamard" | "power" | "compare":
                return self.alike(x.shape, parts)
            case "transpose" | "hermitian":
                return shapes[0][1], shapes[0][0]
            case "matrixpower":
                self.shapes.equate(*shapes[0])
                return shapes[0]
            case "rangesum":
                return shapes[0]
            case "call":
                return self.call(x, parts)
        return self.open(x.shape)

    def alike(self, kind: str, parts: list[Place]) -> Shape:
        """The one shape of all parts that are no scalars."""
        shaped = [part.shape for part in parts if part.x.shape != "scalar"]
        known = [[self.shapes.resolve(dim) for dim in shape] for shape in shaped]
        if all(any(map(_is_open, dims)) for dims in known):
            self.said |= {name for dims in known for dim in dims for name in dim.names}
        for other in shaped[1:]:
            self.equate(shaped[0], other)
        return shaped[0] if shaped else self.open(kind)

    def call(self, x: Matrix, parts: list[Place]) -> Shape:
        function = str(x.data)
        shape = parts[0].shape
        if function in SQUARE:
            self.shapes.equate(*shape)
        if x.dims is not None:
            return _shape(x.shape, x.dims)
        if function in SCALAR and len(parts) == 1:
            return ONE, ONE
        if function == "pinv":
            return shape[1], shape[0]
        if function == "diag":
            if x.shape == "matrix":
                return shape[0], shape[0]
            self.shapes.equate(*shape)
            return shape[0], ONE
        if function in ALONG and len(parts) > 1:
            return (ONE, shape[1]) if x.shape == "row" else (shape[0], ONE)
        if function in ENTRYWISE or function in ("inv", "adj", "softmax") or function in SQUARE:
            return shape
        if function in ("max", "min", "where") and x.shape != "scalar":
            return self.alike(x.shape, parts)
        return self.open(x.shape)


def _rebuilt(
    place: Place, shapes: Shapes, inferred: set[str], size_text: Callable[[Dim], str | None]
) -> Steps[Matrix]:
    x = place.x
    if x.op in ("eye", "spread"):
        wanted = place.shape[:1] if x.shape in ("column", "eye") or x.op == "eye" else place.shape
        wanted = place.shape[1:] if x.shape == "row" else wanted
        if x.data is None and any(name not in inferred for dim in wanted for name in dim.names):
            told = [shapes.resolve(dim) for dim in wanted]
            texts = [None if _is_open(dim) else size_text(dim) for dim in told]
            if all(text is not None for text in texts):
                args: list[Matrix] = []
                for part in place.parts:
                    args.append((yield _rebuilt(part, shapes, inferred, size_text)))
                return Matrix(x.op, x.shape, tuple(args), ", ".join(map(str, texts)), cost=2)
    if not place.parts:
        return x
    args = []
    for arg, part in zip(x.args, place.parts, strict=True):
        made: Matrix = yield _rebuilt(part, shapes, inferred, size_text)
        args.append(arg if made is part.x else made)
    if all(a is b for a, b in zip(args, x.args, strict=True)):
        return x
    return x.with_args(tuple(args))


def placed(x: Matrix, root: Dims, names: Mapping[str, Dims]) -> Place | None:
    """The expression with the sizes that every part of it has where it stands.

    A size that nothing tells has a name that starts with a dot. None if the expression is too long.
    """
    if x.cost > MAX_COST:
        return None
    sizes = _Sizes(names)
    whole = trampoline(sizes.visit(x))
    for known, dim in zip(whole.shape, _shape(x.shape, root), strict=True):
        sizes.shapes.equate(known, dim)
    stack = [whole]
    while stack:
        place = stack.pop()
        rows, columns = place.shape
        place.shape = sizes.shapes.resolve(rows), sizes.shapes.resolve(columns)
        stack += place.parts
    return whole
