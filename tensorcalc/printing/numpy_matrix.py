"""Matrix expression -> NumPy code as a person writes it: ``X.T @ (X @ w - y)``, solves, no einsum.

Vectors have one axis, so columns and rows are the same array. What has no such form raises
`NoCodeError`, and the caller falls back on the nodes of the IR (`numpy_nodes.py`).
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from tensorcalc.dims import Dim
from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_sizes import Place
from tensorcalc.printing.code import Code, Codes
from tensorcalc.printing.render import ATOM, POSTFIX, PRODUCT, SUM
from tensorcalc.traverse import Steps, trampoline

HALF, ONE = Fraction(1, 2), Fraction(1)
COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
CALLS = {
    "inv": "np.linalg.inv({0})",
    "det": "np.linalg.det({0})",
    "logdet": "np.linalg.slogdet({0})[1]",
    "pinv": "np.linalg.pinv({0})",
    "adj": "adjugate({0})",
    "tr": "np.trace({0})",
    "diag": "np.diag({0})",
    "sum": "np.sum({0})",
    "mean": "np.mean({0})",
    "max": "np.max({0})",
    "min": "np.min({0})",
    "prod": "np.prod({0})",
    "norm1": "np.sum(np.abs({0}))",
    "norm2": "np.linalg.norm({0})",
    "normF": "np.linalg.norm({0})",
    "logsumexp": "scipy.special.logsumexp({0})",
    "softmax": "scipy.special.softmax({0})",
    **{name: f"scipy.linalg.{name}({{0}})" for name in "expm logm sqrtm sinm cosm".split()},
}
ALONG = {
    "sum": "np.sum({0}, axis=%d)",
    "mean": "np.mean({0}, axis=%d)",
    "max": "np.max({0}, axis=%d)",
    "min": "np.min({0}, axis=%d)",
    "logsumexp": "scipy.special.logsumexp({0}, axis=%d)",
    "softmax": "scipy.special.softmax({0}, axis=%d)",
}


class NoCodeError(Exception):
    """A matrix expression has no code of its own."""


def number_text(value: Fraction) -> str:
    """A number that is not negative, as Python writes it."""
    if value.denominator == 1 and value.numerator < 2**53:
        return str(value.numerator)
    return repr(float(value))


def matrix_code(
    whole: Place, codes: Codes, names: Mapping[str, Code], size: Callable[[Dim], Code]
) -> Code:
    """The code of a placed expression; `names` are those that may stand in it.

    Raises
    ------
    NoCodeError
        There is no such code.
    """
    inverses = Counts[bytes]()
    stack = [whole]
    while stack:
        place = stack.pop()
        stack += place.parts
        if place.x.op == "call" and place.x.data == "inv":
            inverses[place.x.key] += 1
    return trampoline(_Writer(codes, names, size, inverses).code(whole))


class _Writer:
    def __init__(
        self,
        codes: Codes,
        names: Mapping[str, Code],
        size: Callable[[Dim], Code],
        inverses: Counts[bytes],
    ) -> None:
        self.codes, self.names, self.size = codes, names, size
        self.inverses = inverses  # how often each stands; one that is used again is computed once
        self.counters: dict[str, Code] = {}

    def code(self, place: Place) -> Steps[Code]:
        x, codes = place.x, self.codes
        match x.op:
            case "name":
                return self.name(str(x.data))
            case "number":
                return self.number(x.data)
            case "eye":
                return codes.call("np.eye({0})", self.sized(place.shape[0]))
            case "spread":
                found: Code = yield self.spread(place)
                return found
            case "sum":
                found = yield self.sum(place)
                return found
            case "product":
                found = yield self.product(place)
                return found
            case "hadamard":
                found = yield self.hadamard(place.parts)
                return found
            case "power":
                found = yield self.hadamard([place])
                return found
            case "transpose" | "hermitian":
                inner: Code = yield self.code(place.parts[0])
                inner = inner if x.op == "transpose" else codes.method(inner, ".conj()")
                return self.turned(inner, x.shape)
            case "matrixpower":
                base: Code = yield self.code(place.parts[0])
                exponent: Code = yield self.code(place.parts[1])
                return codes.call("np.linalg.matrix_power({0}, {1})", base, self.integer(exponent))
            case "rangesum":
                found = yield self.range_sum(place)
                return found
            case "entry":
                inner = yield self.code(place.parts[0])
                return codes.method(inner, f"[{', '.join(map(str, x.data))}]")
            case "rows":
                found = yield self.rows(place)
                return found
            case "compare":
                found = yield self.condition(place)
                return codes.make(["1.0 * (", (found, 0), ")"], PRODUCT)
            case "call":
                found = yield self.call(place)
                return found
        raise NoCodeError(x.op)

    # ── leaves ───────────────────────────────────────────────────────────────────────────────

    def name(self, text: str) -> Code:
        found = self.counters.get(text) or self.names.get(text)
        if found is None:
            raise NoCodeError(text)
        return found

    def number(self, value: Fraction) -> Code:
        shown = self.codes.word(number_text(abs(value)))
        return self.codes.negative(shown) if value < 0 else shown

    def sized(self, dim: Dim) -> Code:
        if any(name.startswith(".") for name in dim.names):
            raise NoCodeError("a size is not told")
        return self.size(dim)

    def shape(self, place: Place) -> Code:
        rows, columns = (place.shape[0], place.shape[1])
        match place.x.shape:
            case "column":
                return self.sized(rows)
            case "row":
                return self.sized(columns)
        return self.codes.listed("(", [self.sized(rows), self.sized(columns)], ")")

    def spread(self, place: Place) -> Steps[Code]:
        scalar = place.parts[0]
        if scalar.x.op == "number" and scalar.x.data in (0, 1):
            name = "ones" if scalar.x.data else "zeros"
            return self.codes.call(f"np.{name}({{0}})", self.shape(place))
        value: Code = yield self.code(scalar)
        shown = (value.word or "").removeprefix("-")
        if shown.isdigit():
            value = self.codes.word(f"{value.word}.0")
        return self.codes.call("np.full({0}, {1})", self.shape(place), value)

    def turned(self, x: Code, shape: str) -> Code:
        """The transpose; a vector's is the vector."""
        if shape != "matrix":
            return x
        last = x.pieces[-1]
        if last == ".T" and not isinstance(x.pieces[0], str):
            return x.pieces[0][0]
        return self.codes.method(x, ".T")

    def integer(self, x: Code) -> Code:
        """A number where Python wants an integer."""
        is_integer = (x.word or "").isdigit()
        return x if is_integer else self.codes.call("int({0})", x)

    # ── sums and products ────────────────────────────────────────────────────────────────────

    def sum(self, place: Place) -> Steps[Code]:
        codes = self.codes
        total: Code | None = None
        is_spread = all(part.x.shape == "scalar" for part in place.parts)
        if is_spread and place.x.shape != "scalar":
            raise NoCodeError("a sum of scalars that is no scalar")
        for coefficient, part in zip(place.x.data, place.parts, strict=True):
            term: Code = yield self.code(part)
            if abs(coefficient) != 1:
                term = self.scaled(abs(coefficient), term)
            if total is None:
                total = codes.negative(term) if coefficient < 0 else term
            else:
                total = codes.plus(total, term, " - " if coefficient < 0 else " + ")
        if total is None:
            raise NoCodeError("an empty sum")
        return total

    def scaled(self, coefficient: Fraction, x: Code) -> Code:
        """A positive number times an expression."""
        above, below = self.sides(coefficient)
        for first in above:
            x = first if x.word == "1" else self.codes.times(first, x)
        return self.divided(x, below)

    def sides(self, coefficient: Fraction) -> tuple[list[Code], list[Code]]:
        """What of a positive number stands above and below the line."""
        above, below = coefficient.numerator, coefficient.denominator
        if below >= 2**53:
            return [self.number(coefficient)], []
        shown = [[self.number(Fraction(part))] if part != 1 else [] for part in (above, below)]
        return shown[0], shown[1]

    def product(self, place: Place) -> Steps[Code]:
        codes = self.codes
        coefficient, count = place.x.data
        chain = place.parts[count:]
        above: list[Code] = []
        below: list[Code] = []
        for scalar in place.parts[:count]:
            yield self.sided(scalar, above, below)
        if chain:
            above += yield self.chain(chain)
        first, last = self.sides(abs(coefficient))
        total: Code | None = None
        for factor in [*first, *above]:
            total = factor if total is None else codes.times(total, factor)
        total = self.divided(total or codes.word("1"), [*last, *below])
        return codes.negative(total) if coefficient < 0 else total

    def divided(self, x: Code, below: Sequence[Code]) -> Code:
        for divisor in below:
            x = self.codes.times(x, divisor, " / ")
        return x

    def sided(self, place: Place, above: list[Code], below: list[Code]) -> Steps[None]:
        """Put a factor above the line, or its reciprocal below if its power is negative."""
        if place.x.op != "power":
            above.append((yield self.code(place)))
            return
        base: Code = yield self.code(place.parts[0])
        exponent = place.parts[1]
        if exponent.x.op == "number":
            value = exponent.x.data
            (above if value > 0 else below).append(self.raised(base, abs(value)))
            return
        power: Code = yield self.code(exponent)
        above.append(self.codes.make([(base, ATOM), " ** ", (power, ATOM)], POSTFIX))

    def raised(self, base: Code, exponent: Fraction) -> Code:
        if exponent == 1:
            return base
        if exponent == HALF:
            return self.codes.call("np.sqrt({0})", base)
        return self.codes.make([(base, ATOM), f" ** {number_text(exponent)}"], POSTFIX)

    def hadamard(self, factors: Sequence[Place]) -> Steps[Code]:
        above: list[Code] = []
        below: list[Code] = []
        for factor in factors:
            yield self.sided(factor, above, below)
        total = above[0] if above else self.codes.word("1")
        for factor_code in above[1:]:
            total = self.codes.times(total, factor_code)
        return self.divided(total, below)

    # ── chains ───────────────────────────────────────────────────────────────────────────────

    def chain(self, chain: Sequence[Place]) -> Steps[list[Code]]:
        """A product of vectors and matrices, split where a column meets a row."""
        groups: list[list[Place]] = [[]]
        for place in chain:
            if groups[-1] and groups[-1][-1].x.shape == "column" and place.x.shape == "row":
                groups.append([])
            groups[-1].append(place)
        scalars: list[Code] = []
        sides: list[Code] = []
        for group in groups:
            made: Code = yield self.group(group)
            is_scalar = group[0].x.shape == "row" and group[-1].x.shape == "column"
            (scalars if is_scalar else sides).append(made)
        if len(sides) == 2:
            sides = [self.codes.call("np.outer({0}, {1})", *sides)]
        elif len(sides) > 2:
            raise NoCodeError("a product of many vectors")
        return [*scalars, *sides]

    def group(self, group: Sequence[Place]) -> Steps[Code]:
        """A product of matrices, with a row before or a column behind it."""
        if group[0].x.shape == "row":
            made: Code = yield self.code(group[0])
            for place in group[1:]:
                made = yield self.joined(made, place, from_left=True, is_vector=True)
            return made
        solved = self.solved(group[-1])
        if solved is not None and len(group) > 1:  # B*inv(A), the transpose of inv(A')*B'
            matrix: Code = yield self.code(solved[0])
            made = yield self.group(group[:-1])
            if not solved[0].x.symmetric and not solved[1]:
                matrix = self.turned(matrix, "matrix")
            made = self.codes.call("np.linalg.solve({0}, {1})", matrix, self.turned(made, "matrix"))
            return self.turned(made, "matrix")
        made = yield self.code(group[-1])
        is_vector = group[-1].x.shape == "column"
        for place in reversed(group[:-1]):
            made = yield self.joined(made, place, from_left=False, is_vector=is_vector)
        return made

    def solved(self, place: Place) -> tuple[Place, bool] | None:
        """The matrix whose inverse a factor is, and whether that is transposed.

        None of other factors, and of an inverse that stands elsewhere too.
        """
        is_turned = place.x.op == "transpose"
        inner = place.parts[0] if is_turned else place
        is_inverse = inner.x.op == "call" and inner.x.data == "inv"
        if not is_inverse or self.inverses[inner.x.key] > 1:
            return None
        return inner.parts[0], is_turned

    def joined(self, done: Code, place: Place, *, from_left: bool, is_vector: bool) -> Steps[Code]:
        """A product with one more factor: an inverse is solved with, a diagonal scales."""
        codes, x = self.codes, place.x
        solved = self.solved(place)
        if solved is not None:
            matrix: Code = yield self.code(solved[0])
            if solved[1] != from_left and not solved[0].x.symmetric:
                matrix = self.turned(matrix, "matrix")
            return codes.call("np.linalg.solve({0}, {1})", matrix, done)
        if x.op == "call" and x.data == "diag" and x.shape == "matrix":
            diagonal: Code = yield self.code(place.parts[0])
            if not is_vector and not from_left:
                diagonal = codes.method(diagonal, "[:, None]")
            return codes.times(diagonal, done)
        if x.op == "eye":
            return done
        factor: Code = yield self.code(place)
        pair = (done, factor) if from_left else (factor, done)
        return codes.times(*pair, " @ ")

    # ── the rest ─────────────────────────────────────────────────────────────────────────────

    def range_sum(self, place: Place) -> Steps[Code]:
        codes = self.codes
        body, low, high = place.parts
        counter = str(place.x.data)
        first: Code = yield self.code(low)
        last: Code = yield self.code(high)
        self.counters[counter] = codes.make((counter,), ATOM, counts=counter)
        term: Code = yield self.code(body)
        del self.counters[counter]
        end = codes.plus(self.integer(last), codes.word("1"))
        pieces: list[str | tuple[Code, int]] = ["sum((", (term, 0), f" for {counter} in range("]
        pieces += [(self.integer(first), 0), ", ", (end, 0), ")), "]
        if place.x.shape == "scalar":
            return codes.make([*pieces, "0.0)"], ends=counter)
        start = codes.call("np.zeros({0})", self.shape(place))
        return codes.make([*pieces, (start, 0), ")"], ends=counter)

    def rows(self, place: Place) -> Steps[Code]:
        """A matrix written out, or one of blocks."""
        columns = int(place.x.data)
        entries: list[Code] = []
        plain = all(part.x.shape == "scalar" for part in place.parts)
        for part in place.parts:
            entry: Code = yield self.code(part)
            if not plain and place.x.shape == "matrix":
                mark = {"column": "[:, None]", "row": "[None, :]"}.get(part.x.shape, "")
                entry = self.codes.method(entry, mark) if mark else entry
            elif not plain and part.x.shape == "scalar":
                entry = self.codes.listed("[", [entry], "]")
            entries.append(entry)
        if place.x.shape != "matrix":
            opening = "np.array([" if plain else "np.concatenate(["
            return self.codes.listed(opening, entries, "])")
        table = [
            self.codes.listed("[", entries[k : k + columns], "]")
            for k in range(0, len(entries), columns)
        ]
        return self.codes.listed("np.array([" if plain else "np.block([", table, "])")

    def condition(self, place: Place) -> Steps[Code]:
        """A comparison as Python's truth values."""
        left: Code = yield self.code(place.parts[0])
        right: Code = yield self.code(place.parts[1])
        sign = COMPARE[str(place.x.data)]
        return self.codes.make([(left, SUM), f" {sign} ", (right, SUM)], 0)

    def call(self, place: Place) -> Steps[Code]:
        x, codes = place.x, self.codes
        function = str(x.data)
        if function == "where" and place.parts[0].x.op == "compare":
            args: list[Code] = [(yield self.condition(place.parts[0]))]
            if [part.x.data for part in place.parts[1:]] == [1, 0]:
                return codes.make(["1.0 * (", (args[0], 0), ")"], PRODUCT)
            for part in place.parts[1:]:
                args.append((yield self.code(part)))
                if part.x.op == "number":
                    args[-1] = codes.word(
                        repr(float(part.x.data)), ATOM if part.x.data >= 0 else SUM
                    )
            return codes.call("np.where({0}, {1}, {2})", *args)
        if function in ("kron", "cross"):
            found: Code = yield self.pair(place)
            return found
        if function in ("vector", "matrix"):
            return codes.call(
                "np.full({0}, {1})", self.shape(place), (yield self.code(place.parts[0]))
            )
        along = place.parts[1].x if len(place.parts) == 2 else None
        is_along = along is not None and along.op == "number" and along.data in (1, 2)
        if function in ALONG and is_along and along and place.parts[0].x.shape != "scalar":
            argument: Code = yield self.code(place.parts[0])
            return codes.call(ALONG[function] % (int(along.data) - 1), argument)
        args = []
        for part in place.parts:
            args.append((yield self.code(part)))
        if function in FUNCTIONS and FUNCTIONS[function].arity == len(args):
            return codes.call(FUNCTIONS[function].numpy, *args)
        if function == "vec":
            return codes.method(args[0], '.ravel(order="F")')
        if function in CALLS and len(args) == 1:
            return codes.call(CALLS[function], *args)
        if function in self.names:
            if any(arg.op == "spread" for arg in x.args):
                raise NoCodeError("an argument that is not broadcast")
            opening = f"{self.names[function].word}("
            return codes.listed(opening, args, ")")
        raise NoCodeError(function)

    def pair(self, place: Place) -> Steps[Code]:
        """A Kronecker or cross product of two; vectors with matrices as matrices."""
        sides: list[Code] = []
        for part in place.parts:
            side: Code = yield self.code(part)
            mark = {"column": "[:, None]", "row": "[None, :]"}.get(part.x.shape, "")
            shapes = {other.x.shape for other in place.parts}
            sides.append(self.codes.method(side, mark) if mark and len(shapes) > 1 else side)
        made = sides[0]
        for side in sides[1:]:
            made = self.codes.call(f"np.{place.x.data}({{0}}, {{1}})", made, side)
        return made
