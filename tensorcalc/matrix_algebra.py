"""The matrix-expression algebra: what `recognize.py` makes and all printers of matrix form render.

A `Matrix` is an operator on smaller ones, with an orientation (`shape`) that the IR does not have.
The functions here build expressions tidily: double transposes vanish, transposes go where they
cost least, equal scalars become powers, common factors of sums are taken out when that is shorter.

===========  ===================================  =============================================
op           args                                 data
===========  ===================================  =============================================
name         –                                    text
number       –                                    Fraction
eye          –                                    its size as text, where it must be said
spread       a scalar, repeated at every entry    its size as text, where it must be said
product      scalars, then the chain of factors   (coefficient, number of scalars)
sum          terms                                coefficients
hadamard     factors                              –
power        base, exponent                       –
transpose    operand                              –
hermitian    operand                              –
matrixpower  base, exponent                       –
rangesum     body, first and last value           name of the counter
entry        operand                              integer subscripts
rows         entries or blocks, row by row        number of columns
call         arguments                            function name
compare      left, right                          function name (`lt` …)
===========  ===================================  =============================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from tensorcalc.dims import Dims
from tensorcalc.functions import FUNCTIONS
from tensorcalc.limits import spend

ONE = Fraction(1)
ENTRYWISE = frozenset(name for name, entry in FUNCTIONS.items() if entry.arity == 1)
TRANSPOSABLE = frozenset("inv adj pinv expm logm sqrtm sinm cosm".split()) | ENTRYWISE
MAX_PUSHED = 250  # symbols of what a transpose is pushed into
MIN_SAVED = 4  # symbols that taking a factor out of some terms of a sum, not of all, must save
MAX_TRIED = 4  # factors that may be taken out, those that save most at first sight
MAX_KNOWN = 4096  # sums that are remembered
MAX_FACTORED = 24  # longer sums are printed as they are
MAX_SKETCHED = 200  # parts of a term that are looked through for its first names
TRANSPOSED = {"scalar": "scalar", "column": "row", "row": "column", "matrix": "matrix"}


@dataclass(frozen=True, slots=True)
class Wording:
    """How the user's text writes: which names come first, and the sums, by key, that it has."""

    order: Mapping[str, int] = field(default_factory=dict)
    sums: frozenset[bytes] = frozenset()
    # sums that have been factored in this wording, by their terms
    factored: dict[frozenset[tuple[Fraction, bytes]], Matrix] = field(
        default_factory=dict, compare=False, repr=False
    )


_PLAIN = Wording()  # where nothing is said; it remembers nothing, as formulas come and go
_WORDING = ContextVar("wording", default=_PLAIN)


@contextmanager
def worded(wording: Wording) -> Iterator[None]:
    """Within, expressions are built in the user's wording where there is a choice."""
    token = _WORDING.set(wording)
    try:
        yield
    finally:
        _WORDING.reset(token)


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


def diag(vector: Matrix) -> Matrix:
    """The diagonal matrix of a column."""
    if vector.op == "spread":
        return product(ONE, [*vector.args], [eye()])
    return call("diag", [vector], "matrix", symmetric=True)


def entrywise(function: str, args: Sequence[Matrix]) -> Matrix:
    """An elementwise function; its scalar arguments may be spread."""
    shaped = [arg for arg in args if arg.op != "spread" and arg.shape != "scalar"]
    shape = next((arg.shape for arg in args if arg.shape != "scalar"), "scalar")
    bare = [arg.args[0] if arg.op == "spread" else arg for arg in args]
    if function in ("max", "min"):  # max(X, 1) would be along an axis
        bare.sort(key=lambda arg: arg.shape != "scalar")
    inner = shape if shaped else "scalar"
    if function == "pow":
        result = power(bare[0], bare[1])
    elif function in ("lt", "le", "gt", "ge"):
        result = Matrix("compare", inner, tuple(bare), function)
    else:
        symmetric = inner == "matrix" and all(arg.symmetric for arg in shaped)
        result = call(function, bare, inner, symmetric=symmetric)
    return result if shaped else spread(result, shape)


def power(base: Matrix, exponent: Matrix) -> Matrix:
    """``base^exponent``, entry by entry."""
    if exponent.op == "number" and exponent.data == 1:
        return base
    shape = base.shape if base.shape != "scalar" else exponent.shape
    even = exponent.op == "number" and exponent.data.denominator == 1 and exponent.data % 2 == 0
    if even and written_sign(base) == -1:
        base = _times(-ONE, base)
    symmetric = base.symmetric and (exponent.shape == "scalar" or exponent.symmetric)
    return Matrix("power", shape, (base, exponent), symmetric=symmetric)


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


def _is_identity(x: Matrix) -> bool:
    """Whether a matrix written out is the identity."""
    if x.op != "rows" or x.shape != "matrix" or x.data**2 != len(x.args):
        return False
    return all(
        entry.op == "number" and entry.data == (k % (x.data + 1) == 0)
        for k, entry in enumerate(x.args)
    )


def _added_rows(items: Sequence[tuple[Fraction, Matrix]]) -> list[tuple[Fraction, Matrix]]:
    """The terms with matrices written out added entry by entry."""
    groups: dict[tuple[object, ...], list[tuple[Fraction, Matrix]]] = {}
    for coefficient, term in items:
        own, scalars, chain = parts(term)
        if not scalars and len(chain) == 1 and chain[0].op == "rows":
            shapes = tuple(part.shape for part in chain[0].args)
            key = (chain[0].shape, chain[0].data, shapes, chain[0].dims)
            groups.setdefault(key, []).append((coefficient * own, chain[0]))
        else:
            groups[term.key, len(groups)] = [(coefficient, term)]
    result = []
    for group in groups.values():
        if len(group) == 1:
            result += group
            continue
        columns = group[0][1].data
        entries = [
            sum_(_without_zeros([(c, term.args[k]) for c, term in group]))
            for k in range(len(group[0][1].args))
        ]
        table = [entries[k : k + columns] for k in range(0, len(entries), columns)]
        result.append((ONE, rows(table, group[0][1].dims)))
    return result


def _without_zeros(items: list[tuple[Fraction, Matrix]]) -> list[tuple[Fraction, Matrix]]:
    """The terms of a sum that are not blocks of zeros; one, if all are."""
    kept = [
        (c, x)
        for c, x in items
        if not (x.op == "call" and x.data in ("vector", "matrix") and x.args[0].data == 0)
    ]
    return kept or items[:1]


def _added_diagonals(items: list[tuple[Fraction, Matrix]]) -> list[tuple[Fraction, Matrix]]:
    """``diag(x) + diag(y)`` as ``diag(x + y)``."""
    vectors: list[tuple[Fraction, Matrix]] = []
    rest: list[tuple[Fraction, Matrix]] = []
    for coefficient, term in items:
        own, scalars, chain = parts(term)
        if len(chain) == 1 and chain[0].data == "diag" and chain[0].shape == "matrix":
            vectors.append((coefficient * own, product(ONE, scalars, [chain[0].args[0]])))
        else:
            rest.append((coefficient, term))
    return items if len(vectors) < 2 else [*rest, (ONE, diag(sum_(vectors)))]


# ── transposes ───────────────────────────────────────────────────────────────────────────────


def transpose(x: Matrix) -> Matrix:
    """The transpose, written in the way that costs least."""
    if x.shape == "scalar" or x.symmetric:
        return x
    if x.op == "transpose":
        return x.args[0]
    shape = TRANSPOSED[x.shape]
    if x.op == "spread":
        return spread(x.args[0], shape)
    if x.op == "rows":
        table = [x.args[k :: x.data] for k in range(x.data)]
        cut = len(table[0])
        sizes = None if x.dims is None else x.dims[cut:] + x.dims[:cut]
        return rows([[transpose(entry) for entry in row] for row in table], sizes)
    if x.op == "call" and x.data == "matrix":
        value, rows_, columns = x.args
        return call("matrix", [value, columns, rows_], shape)
    if x.op == "call" and x.data == "commutation":
        return call("commutation", x.args[::-1], shape, symmetric=x.symmetric)
    if x.op == "hermitian":
        return call("conj", [x.args[0]], shape, symmetric=x.args[0].symmetric)
    if x.op == "call" and x.data == "conj":
        return Matrix("hermitian", shape, x.args)
    wrapped = Matrix("transpose", shape, (x,), cost=1 + (x.op not in ("name", "call")))
    pushed: Matrix | None = None
    if x.cost > MAX_PUSHED or _is_written(x):
        return wrapped
    if x.op == "product":
        coefficient, scalars, chain = parts(x)
        pushed = product(coefficient, scalars, [transpose(f) for f in reversed(chain)])
    elif x.op == "sum" and len(x.args) <= MAX_FACTORED:
        pushed = _plain_sum([(c, transpose(t)) for c, t in terms(x)])
    elif x.op == "hadamard":
        pushed = hadamard([transpose(f) for f in x.args])
    elif x.op == "matrixpower":
        pushed = matrix_power(transpose(x.args[0]), x.args[1])
    elif x.op == "rangesum":
        pushed = range_sum(transpose(x.args[0]), x.args[1], x.args[2], str(x.data))
    elif x.op == "call" and x.data == "kron":
        pushed = call("kron", [transpose(arg) for arg in x.args], shape)
    elif x.op == "call" and x.data in TRANSPOSABLE:
        pushed = call(str(x.data), [transpose(x.args[0])], shape)
    return wrapped if pushed is None or pushed.cost >= wrapped.cost else pushed


# ── products ─────────────────────────────────────────────────────────────────────────────────


def parts(x: Matrix) -> tuple[Fraction, list[Matrix], list[Matrix]]:
    """Coefficient, scalars and chain of an expression as a product."""
    if x.op == "number":
        return _fraction(x.data), [], []
    if x.op == "product":
        coefficient, count = x.data
        return coefficient, list(x.args[:count]), list(x.args[count:])
    return (ONE, [x], []) if x.shape == "scalar" else (ONE, [], [x])


def _fraction(data: object) -> Fraction:
    return data if isinstance(data, Fraction) else ONE


def product(coefficient: Fraction, scalars: Iterable[Matrix], chain: Iterable[Matrix]) -> Matrix:
    """``coefficient * scalars * chain``; units vanish, nested products open."""
    counts: dict[Matrix, list[Matrix]] = {}
    flat: list[Matrix] = []
    for scalar in scalars:
        c, inner, own = parts(scalar)
        coefficient *= c
        if own:
            inner.append(_chain(ONE, [], own))
        for s in inner:
            base, exponent = (s.args[0], s.args[1]) if s.op == "power" else (s, number(ONE))
            counts.setdefault(base, []).append(exponent)
    for factor in chain:
        turned = factor.op == "transpose" and factor.args[0].op == "product"
        c, inner, own = parts(factor.args[0] if turned else factor)
        coefficient *= c
        for s in inner:
            base, exponent = (s.args[0], s.args[1]) if s.op == "power" else (s, number(ONE))
            counts.setdefault(base, []).append(exponent)
        flat += [transpose(f) for f in reversed(own)] if turned else own
    units = [factor for factor in flat if factor.op == "eye" or _is_identity(factor)]
    if units:
        flat = [factor for factor in flat if factor not in units] or units[:1]
    flat = _outer_sums(
        [
            transpose(factor) if factor.shape == "matrix" and factor.symmetric else factor
            for factor in flat
        ]
    )
    kept = []
    for base, exponents in counts.items():
        total = exponents[0] if len(exponents) == 1 else sum_([(ONE, e) for e in exponents])
        if total.op == "number" and total.data == 0:
            continue
        kept.append(power(base, total))
    if not flat and len(kept) == 1 and kept[0].op == "product":
        c, kept, flat = parts(kept[0])
        coefficient *= c
    if len(flat) == 1 and flat[0].op == "spread":
        return spread(product(coefficient, [*kept, *flat[0].args], []), flat[0].shape)
    sign, flat = _signs(coefficient, flat)
    coefficient *= sign
    sign, kept = _signs(coefficient, kept)
    coefficient *= sign
    return _chain(coefficient, sorted(kept, key=_scalar_order), _turned(flat))


def _outer_sums(chain: list[Matrix]) -> list[Matrix]:
    """In an outer product ``vector(1)'*X`` is written as the row ``sum(X, 1)``."""
    done: list[Matrix] = []
    for factor in chain:
        is_outer = len(done) > 1 and done[-2].shape == "column" and _is_row_of_ones(done[-1])
        if is_outer and factor.shape == "matrix":
            done[-1] = _column_sums(factor)
        else:
            done.append(factor)
    return done


def _is_row_of_ones(x: Matrix) -> bool:
    return x.op == "spread" and x.shape == "row" and x.args[0].data == ONE and x.data is None


def _column_sums(x: Matrix) -> Matrix:
    if x.op == "transpose" or x.symmetric:
        return Matrix("transpose", "row", (product(ONE, [], [transpose(x), ones("column")]),))
    return call("sum", [x, number(ONE)], "row")


def _turned(chain: list[Matrix]) -> list[Matrix]:
    """``B'*A'*C'`` as ``(C*A*B)'`` where that has fewer symbols."""
    if len(chain) < 2 or _chain_shape(chain[0].shape, chain[-1].shape) != "matrix":
        return chain
    flipped = [transpose(factor) for factor in reversed(chain)]
    if sum(f.cost for f in flipped) + 2 >= sum(f.cost for f in chain):
        return chain
    return [Matrix("transpose", "matrix", (_chain(ONE, [], flipped),), cost=2)]


def _scalar_order(scalar: Matrix) -> tuple[object, ...]:
    words = sketch(scalar)
    return scalar.cost, appearance(words), str(scalar.data), words


def _signs(coefficient: Fraction, chain: list[Matrix]) -> tuple[Fraction, list[Matrix]]:
    """Pull numbers out of sums, and turn signs around where that leaves fewer of them.

    A difference that the user wrote keeps the sign that it has there.
    """
    factor_out = ONE
    balanced = []
    result = list(chain)
    for k, factor in enumerate(chain):
        inner = factor.args[0] if factor.op == "transpose" else factor
        if inner.op != "sum":
            continue
        coefficients = [c for c, _ in terms(inner)]
        common = abs(coefficients[0])
        if any(abs(c) != common for c in coefficients):
            common = ONE
        negative = sum(c < 0 for c in coefficients)
        if (sign := written_sign(_times(1 / common, inner))) is not None:
            common *= sign
        elif 2 * negative > len(coefficients):
            common = -common
        elif 2 * negative == len(coefficients):
            balanced.append(k)
        if common != 1:
            result[k] = _times(1 / common, factor)
            factor_out *= common
    # one difference may turn around; two, as in a quadratic form, are better left alike
    if len(balanced) == 1 and coefficient * factor_out < 0:
        result[balanced[0]] = _times(-ONE, result[balanced[0]])
        factor_out = -factor_out
    for k, factor in enumerate(result):  # an odd power of a difference turns around like it
        if factor.op == "rows" and coefficient * factor_out < 0:
            turned = [product(-ONE, [], [entry]) for entry in factor.args]
            if sum(entry.cost for entry in turned) <= sum(entry.cost for entry in factor.args):
                result[k] = factor.with_args(tuple(turned))
                factor_out = -factor_out
        if factor.op == "power" and _is_odd(factor.args[1]) and factor.args[0].op == "sum":
            base, exponent = factor.args
            sign = written_sign(base)
            negative = sum(c < 0 for c, _ in terms(base))
            free = sign is None and 2 * negative == len(base.args)
            if sign == -1 or (free and coefficient * factor_out < 0):
                result[k] = power(_times(-ONE, base), exponent)
                factor_out = -factor_out
    return factor_out, result


def _is_odd(exponent: Matrix) -> bool:
    return exponent.op == "number" and exponent.data.denominator == 1 and exponent.data % 2 == 1


def _is_written(x: Matrix) -> bool:
    """Whether the user's text has the sum, in this sign and this way round."""
    return x.key in _WORDING.get().sums


def written_sign(x: Matrix) -> int | None:
    """The sign by which a sum becomes one of the user's; None if it is none of them."""
    sums = _WORDING.get().sums
    if not sums or x.op != "sum" or len(x.args) > MAX_FACTORED:
        return None
    if not {x.key, transpose(x).key}.isdisjoint(sums):
        return 1
    turned = _times(-ONE, x)
    return None if {turned.key, transpose(turned).key}.isdisjoint(sums) else -1


def _times(number_: Fraction, factor: Matrix) -> Matrix:
    """A sum, or a transposed sum, with every coefficient multiplied."""
    inner = factor.args[0] if factor.op == "transpose" else factor
    total = _plain_sum([(number_ * c, t) for c, t in terms(inner)])
    return transpose(total) if factor.op == "transpose" else total


def _chain(coefficient: Fraction, scalars: Sequence[Matrix], chain: Sequence[Matrix]) -> Matrix:
    if not scalars and not chain:
        return number(coefficient)
    if coefficient == 1 and len(scalars) + len(chain) == 1:
        return (*scalars, *chain)[0]
    shape, symmetric = "scalar", False
    if chain:
        first, last = chain[0].shape, chain[-1].shape
        shape = _chain_shape(first, last)
        symmetric = shape == "matrix" and _is_palindrome(chain)
    args = (*scalars, *chain)
    wrapped = sum(arg.op in ("sum", "hadamard", "product") for arg in args)
    cost = len(args) - 1 + (abs(coefficient) != 1) + (coefficient < 0) + wrapped
    data = (coefficient, len(scalars))
    return Matrix("product", shape, args, data, cost=cost, symmetric=symmetric)


def _chain_shape(first: str, last: str) -> str:
    rows, columns = first in ("column", "matrix"), last in ("row", "matrix")
    if rows:
        return "matrix" if columns else "column"
    return "row" if columns else "scalar"


def _is_palindrome(chain: Sequence[Matrix]) -> bool:
    """Whether the chain is its own transpose, such as ``X'*D*X`` or ``X*pinv(X)``."""
    if len(chain) == 2 and any(_is_pseudoinverse(*pair) for pair in (chain, chain[::-1])):
        return True
    return all(left == transpose(right) for left, right in zip(chain, reversed(chain), strict=True))


def _is_pseudoinverse(x: Matrix, of: Matrix) -> bool:
    return x.op == "call" and x.data == "pinv" and x.args[0] == of and not of.is_complex


def scaled(coefficient: Fraction, x: Matrix) -> Matrix:
    """A number times an expression."""
    return x if coefficient == 1 else product(coefficient, [], [x])


def times(coefficient: Fraction, x: Matrix) -> Matrix:
    """A number times an expression that is tidy already and stays as it is."""
    own, scalars, chain = parts(x)
    return x if coefficient == 1 else _chain(coefficient * own, scalars, chain)


def hadamard(factors: Iterable[Matrix]) -> Matrix:
    """The entrywise product; numbers and scalars go in front."""
    coefficient = ONE
    scalars: list[Matrix] = []
    flat: list[Matrix] = []
    shape = "scalar"
    for factor in factors:
        if factor.op == "spread":
            scalars += factor.args
            shape = factor.shape
            continue
        c, own, chain = parts(factor)
        if len(chain) == 1 and chain[0].op == "hadamard":
            flat += chain[0].args
        elif chain:
            flat.append(_chain(ONE, [], chain))
        coefficient *= c
        scalars += own
    if not flat:
        return spread(product(coefficient, scalars, []), shape)
    powers: dict[Matrix, list[Matrix]] = {}
    for factor in flat:
        split = factor.op == "power" and factor.args[1].shape == "scalar"
        base = factor.args[0] if split else factor
        powers.setdefault(base, []).append(factor.args[1] if split else number(ONE))
    merged = []
    for base, exponents in powers.items():
        total = exponents[0] if len(exponents) == 1 else sum_([(ONE, e) for e in exponents])
        if not (total.op == "number" and total.data == 0):
            merged.append(power(base, total))
    sign, merged = _signs(coefficient, merged)
    coefficient *= sign
    merged.sort(key=lambda f: (f.op == "power", f.cost, appearance(sketch(f))))
    if not merged:
        return spread(product(coefficient, scalars, []), flat[0].shape)
    if len(merged) == 1:
        return product(coefficient, scalars, merged)
    cost = len(merged) - 1 + sum(f.op in ("sum", "product") for f in merged)
    symmetric = all(f.symmetric for f in merged)
    inner = Matrix("hadamard", merged[0].shape, tuple(merged), cost=cost, symmetric=symmetric)
    return product(coefficient, scalars, [inner])


# ── sums ─────────────────────────────────────────────────────────────────────────────────────


def terms(x: Matrix) -> list[tuple[Fraction, Matrix]]:
    """The terms of a sum with their coefficients; of anything else, itself."""
    if x.op == "sum":
        coefficients: tuple[Fraction, ...] = x.data
        return list(zip(coefficients, x.args, strict=True))
    return [(ONE, x)]


def sum_(items: Iterable[tuple[Fraction, Matrix]]) -> Matrix:
    """The sum, with common factors taken out where that is shorter."""
    return _factored(_merge(_added_diagonals(_added_rows(list(items)))))


def _plain_sum(items: Iterable[tuple[Fraction, Matrix]]) -> Matrix:
    return _build_sum(_merge(items))


def _merge(items: Iterable[tuple[Fraction, Matrix]]) -> list[tuple[Fraction, Matrix]]:
    """Terms without coefficients of their own; equal ones merged."""
    merged: dict[Matrix, Fraction] = {}
    for coefficient, item in items:
        for c, term in terms(item):
            own, scalars, chain = parts(term)
            bare = term if own == 1 else _chain(ONE, scalars, chain)
            own *= coefficient * c
            if own < 0 and len(chain) > 1:  # a difference in it may turn around
                sign, turned = _signs(own, chain)
                if sign < 0:
                    own, bare = own * sign, _chain(ONE, scalars, turned)
            merged[bare] = merged.get(bare, Fraction(0)) + own
    return [(c, t) for t, c in merged.items() if c]


def _order(item: tuple[Fraction, Matrix]) -> tuple[object, ...]:
    """Positive terms first, numbers before them, then as the names stand in the user's text."""
    coefficient, term = item
    flat = term.args[0] if term.op == "spread" else term
    place = 0 if flat.op == "number" and coefficient > 0 else 1 if coefficient > 0 else 2
    words = sketch(term)
    first = appearance(words)
    turned = term.op == "product" and words.startswith("~")
    return place, first, turned, (term.op == "transpose") - term.cost, words


def appearance(words: str) -> int:
    """Where the first name of a sketch stands in the user's text."""
    order = _WORDING.get().order
    name_, _, _ = words.replace("~ ", "").partition(" ")[0].partition("[")
    return order.get(name_, len(order))


@lru_cache(maxsize=4096)
def sketch(term: Matrix) -> str:
    """A short text to order terms by: the first names, transposed ones later."""
    words: list[str] = []
    stack = [term]
    for _ in range(MAX_SKETCHED):
        if not stack or len(words) == 6:
            break
        x = stack.pop()
        if x.op == "name":
            words.append(str(x.data))
        elif x.op == "transpose":
            words.append("~")
        elif x.op == "entry" and x.args[0].op == "name":
            words.append(f"{x.args[0].data}[{x.data}]")
            continue
        stack.extend(reversed(x.args))
    return " ".join(words)


def _build_sum(items: Sequence[tuple[Fraction, Matrix]]) -> Matrix:
    if not items:
        return number(Fraction(0))
    if len(items) == 1:
        return scaled(*items[0])
    shape = next((t.shape for _, t in items if t.shape != "scalar"), "scalar")
    if all(t.op == "spread" or t.shape == "scalar" for _, t in items) and shape != "scalar":
        bare = [(c, t.args[0] if t.op == "spread" else t) for c, t in items]
        return spread(sum_(bare), shape)
    ordered = sorted(items, key=_order)
    keys = {t.key for _, t in ordered}
    symmetric = shape == "matrix" and (
        all(t.symmetric for _, t in ordered)
        or (len(ordered) <= MAX_FACTORED and _mirrored(ordered, keys))
    )
    data = tuple(c for c, _ in ordered)
    cost = len(ordered) - 1 + sum(abs(c) != 1 for c in data) + (data[0] < 0)
    args = tuple(t for _, t in ordered)
    return Matrix("sum", shape, args, data, cost=cost, symmetric=symmetric)


def _mirrored(items: Sequence[tuple[Fraction, Matrix]], keys: set[bytes]) -> bool:
    """Whether every term's transpose is there with the same coefficient, as in ``A + A'``."""
    known = {t.key: c for c, t in items}
    for c, term in items:
        if term.symmetric:
            continue
        flipped = (
            term.args[0]
            if term.op == "transpose"
            else Matrix("transpose", "matrix", (term,), cost=1 + (term.op not in ("name", "call")))
        )
        if term.op == "product":
            flipped = transpose(term)
        if known.get(flipped.key) != c:
            return False
    return bool(keys)


def _factored(items: list[tuple[Fraction, Matrix]]) -> Matrix:
    """The sum with common factors taken out; parts of sums are met again and again."""
    if _WORDING.get() is _PLAIN:
        return _with_factors_out(items)
    known = _WORDING.get().factored
    if len(known) > MAX_KNOWN:
        known.clear()
    key = frozenset([(c, term.key) for c, term in items])
    if key not in known:
        known[key] = _with_factors_out(items)
    return known[key]


def _with_factors_out(items: list[tuple[Fraction, Matrix]]) -> Matrix:
    """Take common scalars, first or last factors out of terms, as long as that saves symbols."""
    best = _build_sum(items)
    while 1 < len(items) <= MAX_FACTORED:
        found: list[tuple[int, int, Matrix, list[int], int]] = []
        for place in (SCALARS, LAST, FIRST):
            groups: dict[Matrix, list[int]] = {}
            for k, (_, term) in enumerate(items):
                for factor in _factors_at(term, place):
                    groups.setdefault(factor, []).append(k)
            for common, members in groups.items():
                # of some terms the common factor may leave a unit matrix only
                apart = [k for k in members if items[k][1] != common and _has_chain(items[k][1])]
                for chosen in (members, apart) if len(apart) < len(members) else (members,):
                    if len(chosen) > 1:
                        rough = common.cost * (1 - len(chosen))
                        found.append((rough, len(found), common, chosen, place))
        improved: list[tuple[int, int, list[tuple[Fraction, Matrix]], Matrix]] = []
        for _, turn, common, members, place in sorted(found, key=lambda f: f[:2])[:MAX_TRIED]:
            new = _take_out(items, common, members, place)
            total = _build_sum(new)
            # terms alike are better left alike, unless much is saved
            alike = len(members) == len(items) or new[-1][1].args[0].symmetric
            least = 1 if alike else MIN_SAVED
            if total.cost <= best.cost - least:
                improved.append((total.cost, turn, new, total))
        if not improved:
            break
        _, _, items, best = min(improved, key=lambda c: c[:2])
    return _turned_sum(items, best)


def _turned_sum(items: list[tuple[Fraction, Matrix]], total: Matrix) -> Matrix:
    """``(A*B)' + (C*D)'`` as ``(A*B + C*D)'`` where that has fewer symbols."""
    if total.op != "sum" or total.shape != "matrix" or total.symmetric or len(items) > MAX_FACTORED:
        return total
    turned = _plain_sum([(c, transpose(t)) for c, t in items])
    outside = Matrix("transpose", "matrix", (turned,), cost=2)
    return outside if outside.cost < total.cost or _is_written(turned) else total


SCALARS, LAST, FIRST = range(3)


def _has_chain(term: Matrix) -> bool:
    """Whether a product has more than one factor beside its scalars."""
    return len(parts(term)[2]) > 1


def _factors_at(term: Matrix, place: int) -> list[Matrix]:
    """The factors of a term that a common one is looked for among."""
    _, scalars, chain = parts(term)
    if place == SCALARS:
        return scalars if chain or len(scalars) > 1 else []
    end = chain[-1:] if place == LAST else chain[:1]
    # units and ones do not say their size, so they may differ where they look alike
    return [factor for factor in end if factor.op not in ("eye", "spread")]


def _take_out(
    items: list[tuple[Fraction, Matrix]], common: Matrix, members: list[int], place: int
) -> list[tuple[Fraction, Matrix]]:
    """The terms with those of `members` made one: a sum times `common`."""
    inner = []
    for k in members:
        coefficient, scalars, chain = parts(items[k][1])
        if place == SCALARS:
            scalars.remove(common)  # one of them: what is left may have it once more
        else:
            chain = chain[:-1] if place == LAST else chain[1:]
            if not chain and (common.shape == "matrix" or place == LAST):
                chain = [eye()]
        inner.append((items[k][0] * coefficient, _chain(ONE, scalars, chain)))
    if any(term.shape != inner[0][1].shape for _, term in inner):
        return items
    total = sum_(inner)
    if place == SCALARS:
        made = (
            product(ONE, [common], [total])
            if total.shape != "scalar"
            else product(ONE, [common, total], [])
        )
    else:
        made = product(ONE, [], [total, common] if place == LAST else [common, total])
    kept = [item for k, item in enumerate(items) if k not in members]
    return _merge([*kept, (ONE, made)])
