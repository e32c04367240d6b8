"""The index IR: immutable, interned nodes that form a DAG.

Every later pass is a dispatch over the kinds of nodes. A node holds facts and nothing else: the
sizes of its axes (`dims`), its `operands`, and what its kind needs. Two nodes with equal facts
are one object, so ``is`` is equality and a pass may use nodes as dictionary keys. Nodes have no
operators and no passes; `canonical/` builds them in normal form, and only it (and tests) should
call the ``of`` constructors directly.

======================  =================================================================
node                    meaning
======================  =================================================================
`Variable`              a named tensor with properties
`Constant`              a named number, such as ``pi``
`Size`                  the size of an axis, as a number
`Delta`                 the unit tensor: 1 where its two axes agree, else 0
`Basis`                 the unit vector with its 1 at a given position
`LeviCivita`            the sign of a permutation: 1, -1, or 0 where an index repeats
`Merge`                 1 where its first axis runs over all others at once, as in ``vec``
`Section`               1 where its axes agree but for an offset: a block's place in a matrix
`Range`                 the vector of consecutive integers
`Data`                  an array of numbers given from Python
`Einsum`                a product over operands, summed over labels not in the output
`Add`                   a linear combination of equal-shaped operands
`Map`                   an elementwise function of equal-shaped operands
`MatrixFunction`        a function of whole arrays: operands' last axes are its arguments
`Unknown`               a function that only its name is known of, or a derivative of it
`RangeSum`              the sum over the integers that a `Counter` stands for
======================  =================================================================

The labels of an Einsum are small integers: ``0 … rank-1`` are the axes of the output in order,
the rest are summed. An output label that no operand has is a broadcast; the sum over a label
that no operand has is written as a `Size` factor. A number ``c`` is the Add of ``c`` times the
Einsum without operands; zero is the Add without terms.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from hashlib import blake2b
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from tensorcalc.dims import Dim, Dims
from tensorcalc.limits import spend

Labels = tuple[int, ...]


class Node:
    """A tensor-valued expression; the base of every kind."""

    __slots__ = ("__weakref__", "counters", "dims", "height", "is_complex", "key", "operands")

    dims: Dims
    operands: tuple[Node, ...]
    key: bytes  # a digest of all facts: the same in every process, so it also orders nodes
    is_complex: bool  # whether an entry may be complex
    counters: frozenset[Counter]  # those whose sum the node stands inside of
    height: int  # how many sums over integers nest inside

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.dims)

    def facts(self) -> tuple[object, ...]:
        """What tells this node from others of its kind with the same dims and operands."""
        return ()

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        from tensorcalc.pickling import pack, unpack

        return unpack, pack(self)

    def __repr__(self) -> str:
        facts = "".join(f" {fact}" for fact in self.facts())
        return f"<{type(self).__name__}{facts} {self.dims}, {len(self.operands)} operands>"


class Variable(Node):
    """A named tensor. `properties` are the words of its declaration, such as ``symmetric``."""

    __slots__ = ("name", "properties")
    name: str
    properties: frozenset[str]

    def facts(self) -> tuple[object, ...]:
        return (self.name, *sorted(self.properties))

    @staticmethod
    def of(name: str, dims: Dims, properties: frozenset[str] = frozenset()) -> Variable:
        node = Variable()
        node.dims, node.operands, node.name, node.properties = dims, (), name, properties
        return _intern(node)


class Constant(Node):
    """A named number, such as ``pi``; dims ``()``."""

    __slots__ = ("name",)
    name: str

    def facts(self) -> tuple[object, ...]:
        return (self.name,)

    @staticmethod
    def of(name: str) -> Constant:
        node = Constant()
        node.dims, node.operands, node.name = (), (), name
        return _intern(node)


class Size(Node):
    """The size `dim` of an axis as a number; dims ``()``."""

    __slots__ = ("dim",)
    dim: Dim

    def facts(self) -> tuple[object, ...]:
        return (self.dim,)

    @staticmethod
    def of(dim: Dim) -> Size:
        node = Size()
        node.dims, node.operands, node.dim = (), (), dim
        return _intern(node)


class Delta(Node):
    """The unit matrix; dims ``(dim, dim)``."""

    __slots__ = ()

    @staticmethod
    def of(dim: Dim) -> Delta:
        node = Delta()
        node.dims, node.operands = (dim, dim), ()
        return _intern(node)


class Basis(Node):
    """The unit vector whose entry at `position` (from 0) is 1; dims ``(dim,)``."""

    __slots__ = ("position",)
    position: int

    def facts(self) -> tuple[object, ...]:
        return (self.position,)

    @staticmethod
    def of(dim: Dim, position: int) -> Basis:
        node = Basis()
        node.dims, node.operands, node.position = (dim,), (), position
        return _intern(node)


class LeviCivita(Node):
    """The sign of the permutation that the indices are; as many axes as each is long."""

    __slots__ = ()

    @staticmethod
    def of(rank: int) -> LeviCivita:
        node = LeviCivita()
        node.dims, node.operands = (Dim.of(rank),) * rank, ()
        return _intern(node)


class Merge(Node):
    """1 where the first index numbers the others, the last fastest; dims ``(product, *parts)``."""

    __slots__ = ()

    @staticmethod
    def of(parts: Dims) -> Merge:
        node = Merge()
        total = Dim.of(1)
        for part in parts:
            total = total * part
        node.dims, node.operands = (total, *parts), ()
        return _intern(node)


class Section(Node):
    """1 where the first index is the second plus `offset`; dims ``(outer, inner)``."""

    __slots__ = ("offset",)
    offset: Dim

    def facts(self) -> tuple[object, ...]:
        return (self.offset,)

    @staticmethod
    def of(outer: Dim, inner: Dim, offset: Dim) -> Section:
        node = Section()
        node.dims, node.operands, node.offset = (outer, inner), (), offset
        return _intern(node)


class Range(Node):
    """The integers from `start` on; dims ``(dim,)``."""

    __slots__ = ("start",)
    start: Dim

    def facts(self) -> tuple[object, ...]:
        return (self.start,)

    @staticmethod
    def of(dim: Dim, start: Dim) -> Range:
        node = Range()
        node.dims, node.operands, node.start = (dim,), (), start
        return _intern(node)


class Data(Node):
    """An array of numbers; integer dims. `array` is read-only and nobody else's."""

    __slots__ = ("array", "digest")
    array: Any
    digest: str

    def facts(self) -> tuple[object, ...]:
        return (self.digest,)

    @staticmethod
    def of(array: Any) -> Data:
        node = Data()
        node.dims, node.operands, node.array = tuple(map(Dim.of, array.shape)), (), array
        digest = blake2b(str(array.dtype).encode(), digest_size=16)
        digest.update(array.tobytes())
        node.digest = digest.hexdigest()
        return _intern(node)


class Einsum(Node):
    """The product of `operands`, entry by entry under `labels`, summed over labels ≥ the rank.

    `labels` holds one tuple per operand, a label per axis. A label may repeat inside one operand
    (a diagonal). `sizes` are the dims of all labels; the first ``rank`` of them are the dims.
    """

    __slots__ = ("labels", "sizes")
    labels: tuple[Labels, ...]
    sizes: Dims

    def facts(self) -> tuple[object, ...]:
        return (self.labels, self.sizes)

    @staticmethod
    def of(
        rank: int, sizes: Dims, operands: tuple[Node, ...], labels: tuple[Labels, ...]
    ) -> Einsum:
        node = Einsum()
        node.dims, node.operands = sizes[:rank], operands
        node.labels, node.sizes = labels, sizes
        return _intern(node)


class Add(Node):
    """The sum of `coefficients[k]` times `operands[k]`; exact rational coefficients."""

    __slots__ = ("coefficients",)
    coefficients: tuple[Fraction, ...]

    def facts(self) -> tuple[object, ...]:
        return tuple(map(str, self.coefficients))

    @staticmethod
    def of(dims: Dims, coefficients: tuple[Fraction, ...], operands: tuple[Node, ...]) -> Add:
        node = Add()
        node.dims, node.operands, node.coefficients = dims, operands, coefficients
        return _intern(node)


class Map(Node):
    """The elementwise function `function` (a name of `functions.py`) of equal-shaped operands."""

    __slots__ = ("function",)
    function: str

    def facts(self) -> tuple[object, ...]:
        return (self.function,)

    @staticmethod
    def of(function: str, operands: tuple[Node, ...]) -> Map:
        node = Map()
        node.dims, node.operands, node.function = operands[0].dims, operands, function
        return _intern(node)


class MatrixFunction(Node):
    """The function `function` (a name of `matrix_functions.py`) of whole arrays.

    The function takes the last axes of each operand as its argument (as many as the function's
    table entry says) and is repeated over the axes before them, which all operands share. Of a
    power series `order` > 0 is the tensor of its derivatives of that order: axes of the value,
    then those of the argument, `order` times.
    """

    __slots__ = ("function", "order")
    function: str
    order: int

    def facts(self) -> tuple[object, ...]:
        return (self.function, self.order)

    @staticmethod
    def of(function: str, dims: Dims, operands: tuple[Node, ...], order: int = 0) -> MatrixFunction:
        node = MatrixFunction()
        node.dims, node.operands, node.function, node.order = dims, operands, function, order
        return _intern(node)


class Unknown(Node):
    """A function of which the name is all that is known, or a derivative of it.

    Each operand has the axes of the batch, which all share, then those of an argument. The dims
    are the batch, then the function's own, then those of the argument for each entry of
    `derivatives`, positions in ascending order. `is_applied` tells ``g(x)`` from ``u``, declared
    to depend on x. `properties` are the words of its declaration.
    """

    __slots__ = ("batch", "derivatives", "is_applied", "name", "properties")
    name: str
    batch: int
    derivatives: tuple[int, ...]
    is_applied: bool
    properties: frozenset[str]

    def facts(self) -> tuple[object, ...]:
        facts = (self.name, self.batch, self.derivatives, self.is_applied)
        return (*facts, *sorted(self.properties))

    @property
    def result(self) -> int:
        """The number of axes of the function's value."""
        more = sum(self.operands[k].rank - self.batch for k in self.derivatives)
        return self.rank - self.batch - more

    @staticmethod
    def of(
        name: str,
        dims: Dims,
        operands: tuple[Node, ...],
        batch: int,
        derivatives: tuple[int, ...],
        is_applied: bool,
        properties: frozenset[str] = frozenset(),
    ) -> Unknown:
        node = Unknown()
        node.dims, node.operands, node.name, node.batch = dims, operands, name, batch
        node.derivatives, node.is_applied = derivatives, is_applied
        node.properties = properties
        return _intern(node)


class Counter(Node):
    """The integer that a `RangeSum` counts with; operands are its first and last value.

    `level` tells it from the counters of the sums inside; see `canonical.range_sum`.
    """

    __slots__ = ("level",)
    level: int

    def facts(self) -> tuple[object, ...]:
        return (self.level,)

    @staticmethod
    def of(level: int, operands: tuple[Node, ...]) -> Counter:
        node = Counter()
        node.dims, node.operands, node.level = (), operands, level
        return _intern(node)


class RangeSum(Node):
    """The sum of the first operand over the values of the second, a `Counter`."""

    __slots__ = ()

    @property
    def counter(self) -> Counter:
        """What counts."""
        counter = self.operands[1]
        if not isinstance(counter, Counter):
            raise TypeError("a RangeSum counts with a Counter")
        return counter

    @staticmethod
    def of(operands: tuple[Node, ...]) -> RangeSum:
        node = RangeSum()
        node.dims, node.operands = operands[0].dims, operands
        return _intern(node)


def sizes_of(node: Node) -> Dims:
    """Every size that the node itself names: of its axes, its labels, its number."""
    match node:
        case Einsum():
            return node.sizes
        case Size():
            return (node.dim,)
        case Section():
            return (*node.dims, node.offset)
        case Range():
            return (*node.dims, node.start)
    return node.dims


REAL_VALUED = frozenset({"abs", "sign", "lt", "le", "gt", "ge"})


def _derive(node: Node) -> None:
    """Enter the facts that follow from those of the operands."""
    operands = node.operands
    node.height = max((operand.height for operand in operands), default=-1)
    node.counters = frozenset().union(*[operand.counters for operand in operands])
    node.is_complex = any(operand.is_complex for operand in operands)
    match node:
        case Variable():
            node.is_complex = "complex" in node.properties
        case Unknown():
            node.is_complex |= "complex" in node.properties
        case Data():
            node.is_complex = node.array.dtype.kind == "c"
        case Map() if node.function in REAL_VALUED:
            node.is_complex = False
        case Counter():
            node.counters |= {node}
        case RangeSum():
            node.counters -= {node.counter}
            node.height = max(node.height, node.counter.level)


NodeT = TypeVar("NodeT", bound=Node)
_interned: WeakValueDictionary[bytes, Node] = WeakValueDictionary()
_lock = threading.Lock()


def _intern(node: NodeT) -> NodeT:
    """The one node with these facts. Keys hold no nodes, so a dropped chain frees itself flat."""
    text = f"{type(node).__name__}{node.dims}{node.facts()}".encode()
    spend(1 + len(node.operands) // 4 + len(text) // 256)
    digest = blake2b(text, digest_size=16)
    for operand in node.operands:
        digest.update(operand.key)
    node.key = digest.digest()
    known = _interned.get(node.key)
    if known is not None:
        return known  # type: ignore[return-value]
    _derive(node)
    with _lock:
        return _interned.setdefault(node.key, node)  # type: ignore[return-value]
