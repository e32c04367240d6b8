"""The index IR: immutable, interned nodes that form a DAG.

Every later pass is a dispatch over the kinds of nodes. A node holds facts and nothing else: the
sizes of its axes (`dims`), its `operands`, and what its kind needs. Two nodes with equal facts
are one object, so ``is`` is equality and a pass may use nodes as dictionary keys. Nodes have no
operators and no passes; `canonical.py` builds them in normal form, and only it (and tests) should
call the ``of`` constructors directly.

======================  =================================================================
node                    meaning
======================  =================================================================
`Variable`              a named tensor with properties
`Constant`              a named number, such as ``pi``
`Size`                  the size of an axis, as a number
`Delta`                 the unit tensor: 1 where its two axes agree, else 0
`Basis`                 the unit vector with its 1 at a given position
`Einsum`                a product over operands, summed over labels not in the output
`Add`                   a linear combination of equal-shaped operands
`Map`                   an elementwise function of equal-shaped operands
`MatrixFunction`        a function of whole arrays: operands' last axes are its arguments
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
from typing import TypeVar
from weakref import WeakValueDictionary

from tensorcalc.dims import Dim, Dims

Labels = tuple[int, ...]


class Node:
    """A tensor-valued expression; the base of every kind."""

    __slots__ = ("__weakref__", "dims", "key", "operands")

    dims: Dims
    operands: tuple[Node, ...]
    key: bytes  # a digest of all facts: the same in every process, so it also orders nodes

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
    table entry says) and is repeated over the axes before them, which all operands share.
    """

    __slots__ = ("function",)
    function: str

    def facts(self) -> tuple[object, ...]:
        return (self.function,)

    @staticmethod
    def of(function: str, dims: Dims, operands: tuple[Node, ...]) -> MatrixFunction:
        node = MatrixFunction()
        node.dims, node.operands, node.function = dims, operands, function
        return _intern(node)


def sizes_of(node: Node) -> Dims:
    """Every size that the node itself names: of its axes, its labels, its number."""
    if isinstance(node, Einsum):
        return node.sizes
    return (node.dim,) if isinstance(node, Size) else node.dims


NodeT = TypeVar("NodeT", bound=Node)
_interned: WeakValueDictionary[bytes, Node] = WeakValueDictionary()
_lock = threading.Lock()


def _intern(node: NodeT) -> NodeT:
    """The one node with these facts. Keys hold no nodes, so a dropped chain frees itself flat."""
    text = f"{type(node).__name__}{node.dims}{node.facts()}".encode()
    digest = blake2b(text, digest_size=16)
    for operand in node.operands:
        digest.update(operand.key)
    node.key = digest.digest()
    with _lock:
        return _interned.setdefault(node.key, node)  # type: ignore[return-value]
