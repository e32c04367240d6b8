"""A matrix expression: an operator on smaller ones, made as it is told, not tidied."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from tensorcalc.dims import Dims
from tensorcalc.limits import spend

ONE = Fraction(1)
TRANSPOSED = {"scalar": "scalar", "column": "row", "row": "column", "matrix": "matrix"}


class Matrix:
    """An expression in matrix notation; equal expressions compare equal. `cost` counts symbols.

    `dims` are the sizes of a value that nothing in the expression tells.
    """

    __slots__ = ("args", "cost", "data", "dims", "is_complex", "key", "op", "shape", "symmetric")
    cost: int
    is_complex: bool
    key: bytes
    data: Any

    def __init__(
        self,
        op: str,
        shape: str,
        args: tuple[Matrix, ...] = (),
        data: object = None,
        *,
        cost: int = 1,
        symmetric: bool = False,
        dims: Dims | None = None,
        is_complex: bool = False,
    ) -> None:
        spend(1 + len(args) // 8)
        self.is_complex = is_complex or any(arg.is_complex for arg in args)
        self.dims = dims
        self.op, self.shape, self.args, self.data = op, shape, args, data
        self.cost = cost + sum(arg.cost for arg in args)
        self.symmetric = symmetric
        digest = blake2b(f"{op} {shape} {data}".encode(), digest_size=16)
        for arg in args:
            digest.update(arg.key)
        self.key = digest.digest()

    def with_args(self, args: tuple[Matrix, ...]) -> Matrix:
        """The same operator on other operands, not tidied."""
        own = self.cost - sum(arg.cost for arg in self.args)
        return Matrix(
            self.op, self.shape, args, self.data, cost=own, symmetric=self.symmetric, dims=self.dims
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matrix) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


Term = tuple[Fraction, Matrix]  # coefficient and expression


def number(value: Fraction) -> Matrix:
    """A number."""
    return Matrix("number", "scalar", (), value)


def name(
    text: str,
    shape: str,
    *,
    symmetric: bool = False,
    dims: Dims | None = None,
    is_complex: bool = False,
) -> Matrix:
    """A variable, a constant or a defined name."""
    return Matrix("name", shape, (), text, symmetric=symmetric, dims=dims, is_complex=is_complex)


def eye(size: str | None = None) -> Matrix:
    """The unit matrix; it costs more than other names, so that it is not made for brevity."""
    return Matrix("eye", "matrix", (), size, symmetric=True, cost=3)


def ones(shape: str) -> Matrix:
    """A vector or matrix of ones."""
    return number(ONE) if shape == "scalar" else spread(number(ONE), shape)


def spread(scalar: Matrix, shape: str) -> Matrix:
    """A scalar at every entry of `shape`."""
    if shape == "scalar":
        return scalar
    return Matrix("spread", shape, (scalar,), symmetric=shape == "matrix", cost=2)


def call(
    function: str,
    args: Sequence[Matrix],
    shape: str,
    *,
    symmetric: bool = False,
    dims: Dims | None = None,
) -> Matrix:
    """A function applied."""
    return Matrix("call", shape, tuple(args), function, cost=2, symmetric=symmetric, dims=dims)


def primed(x: Matrix) -> Matrix:
    """``x'``: the transpose of an expression that stays as it is."""
    return Matrix("transpose", TRANSPOSED[x.shape], (x,), cost=1 + (x.op not in ("name", "call")))


def matrix_power(base: Matrix, exponent: Matrix) -> Matrix:
    """``base^exponent`` of a square matrix."""
    if exponent.op == "number" and exponent.data == 1:
        return base
    return Matrix("matrixpower", "matrix", (base, exponent), symmetric=base.symmetric)


def range_sum(body: Matrix, low: Matrix, high: Matrix, counter: str) -> Matrix:
    """The sum of the body over the integers from `low` to `high`."""
    return Matrix("rangesum", body.shape, (body, low, high), counter, cost=4)


def entry(x: Matrix, subscripts: tuple[int, ...]) -> Matrix:
    """One entry of a vector or matrix."""
    if x.op == "transpose":
        return entry(x.args[0], subscripts[::-1])
    return Matrix("entry", "scalar", (x,), subscripts)


def rows(table: Sequence[Sequence[Matrix]], sizes: Dims | None = None) -> Matrix:
    """A matrix written out; of one column a column, of one row a row.

    `sizes` are the numbers of rows of its blocks, then the numbers of columns.
    """
    columns = len(table[0])
    shape = "matrix"
    if all(entry.shape in ("scalar", "column") for entry in [row[0] for row in table]):
        shape = "column" if columns == 1 else shape
    if len(table) == 1 and all(entry.shape in ("scalar", "row") for entry in table[0]):
        shape = "row" if columns > 1 else shape
    entries = tuple(entry for row in table for entry in row)
    return Matrix("rows", shape, entries, columns, dims=sizes)


def is_identity(x: Matrix) -> bool:
    """Whether a matrix written out is the identity."""
    if x.op != "rows" or x.shape != "matrix" or x.data**2 != len(x.args):
        return False
    return all(
        entry.op == "number" and entry.data == (k % (x.data + 1) == 0)
        for k, entry in enumerate(x.args)
    )


def is_row_of_ones(x: Matrix) -> bool:
    """Whether an expression is ``vector(1)'``."""
    return x.op == "spread" and x.shape == "row" and x.args[0].data == ONE and x.data is None


def parts(x: Matrix) -> tuple[Fraction, list[Matrix], list[Matrix]]:
    """Coefficient, scalars and chain of an expression as a product."""
    if x.op == "number":
        value: Fraction = x.data
        return value, [], []
    if x.op == "product":
        coefficient, count = x.data
        return coefficient, list(x.args[:count]), list(x.args[count:])
    return (ONE, [x], []) if x.shape == "scalar" else (ONE, [], [x])


def terms(x: Matrix) -> list[Term]:
    """The terms of a sum with their coefficients; of anything else, itself."""
    if x.op == "sum":
        coefficients: tuple[Fraction, ...] = x.data
        return list(zip(coefficients, x.args, strict=True))
    return [(ONE, x)]
