"""Matrix expression -> code as a person writes it: ``X.T @ (X @ w - y)``, solves, no einsum.

Vectors have one axis, so columns and rows are the same array. The words are those of a target
(`target.py`). What has no such form raises `NoCodeError`, and the caller falls back on the nodes of
the IR (`code_nodes.py`).
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from tensorcalc.dims import Dim
from tensorcalc.functions import FUNCTIONS
from tensorcalc.matrix_sizes import Place
from tensorcalc.printing.code import Code, commas
from tensorcalc.printing.render import ATOM
from tensorcalc.printing.target import Spoken
from tensorcalc.traverse import Steps, trampoline

HALF, ONE = Fraction(1, 2), Fraction(1)
RANKS = {"scalar": 0, "column": 1, "row": 1, "matrix": 2}
SAME_SHAPE = ("inv", "pinv", "adj", "expm", "logm", "sqrtm", "sinm", "cosm")
WHOLE = "tr det logdet sum mean max min prod norm1 norm2 normF logsumexp".split()
ALONG = ("sum", "mean", "max", "min", "logsumexp", "softmax")


class NoCodeError(Exception):
    """A matrix expression has no code of its own."""


def number_text(value: Fraction) -> str:
    """A number that is not negative, as Python writes it."""
    if value.denominator == 1 and value.numerator < 2**53:
        return str(value.numerator)
    return repr(float(value))


def matrix_code(
    whole: Place, spoken: Spoken, names: Mapping[str, Code], size: Callable[[Dim], Code]
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
    return trampoline(_Writer(spoken, names, size, inverses).code(whole))


class _Writer:
    def __init__(
        self,
        spoken: Spoken,
        names: Mapping[str, Code],
        size: Callable[[Dim], Code],
        inverses: Counts[bytes],
    ) -> None:
        self.spoken, self.codes, self.names, self.size = spoken, spoken.codes, names, size
        self.inverses = inverses  # how often each stands; one that is used again is computed once
        self.counters: dict[str, Code] = {}

    def code(self, place: Place) -> Steps[Code]:
        x, spoken = place.x, self.spoken
        match x.op:
            case "name":
                return self.name(str(x.data))
            case "number":
                return self.number(x.data)
            case "eye":
                return spoken.say("eye", self.sized(place.shape[0]), rank=2)
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
                inner = inner if x.op == "transpose" else spoken.apply("conj", inner)
                return self.turned(inner, x.shape)
            case "matrixpower":
                base: Code = yield self.code(place.parts[0])
                exponent: Code = yield self.code(place.parts[1])
                return spoken.say("matrix_power", base, self.integer(exponent), rank=2)
            case "rangesum":
                found = yield self.range_sum(place)
                return found
            case "entry":
                inner = yield self.code(place.parts[0])
                return self.entry(inner, x.data)
            case "rows":
                found = yield self.rows(place)
                return found
            case "compare":
                found = yield self.condition(place)
                return spoken.say("truth", found, rank=RANKS[x.shape])
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
        return self.spoken.negative(shown) if value < 0 else shown

    def sized(self, dim: Dim) -> Code:
        if any(name.startswith(".") for name in dim.names):
            raise NoCodeError("a size is not told")
        return self.size(dim)

    def shape(self, place: Place) -> list[Code]:
        rows, columns = place.shape
        wanted = {"column": [rows], "row": [columns]}.get(place.x.shape, [rows, columns])
        return [self.sized(dim) for dim in wanted]

    def entry(self, x: Code, subscripts: Sequence[int]) -> Code:
        base = self.spoken.target.base
        shown = [self.codes.word(str(position + base)) for position in subscripts]
        word = "entry" if x.word or not self.spoken.known("entry@") else "entry@"
        return self.spoken.say(word, x, rank=0, lists=[commas(shown)])

    def spread(self, place: Place) -> Steps[Code]:
        scalar = place.parts[0]
        if scalar.x.op == "number" and scalar.x.data in (0, 1):
            return self.spoken.filled("ones" if scalar.x.data else "zeros", self.shape(place))
        value: Code = yield self.code(scalar)
        return self.full(place, value)

    def full(self, place: Place, value: Code) -> Code:
        """An array of which every entry is a value."""
        shown = (value.word or "").removeprefix("-")
        if shown.isdigit():
            value = self.codes.word(f"{value.word}.0")
        return self.spoken.filled("full", self.shape(place), value)

    def turned(self, x: Code, shape: str) -> Code:
        """The transpose; a vector's is the vector."""
        return self.spoken.say("transpose", x, rank=2) if shape == "matrix" else x

    def integer(self, x: Code) -> Code:
        """A number where the language wants an integer."""
        is_integer = (x.word or "").isdigit()
        return x if is_integer else self.spoken.say("integer", x, rank=-1)

    # ── sums and products ────────────────────────────────────────────────────────────────────

    def sum(self, place: Place) -> Steps[Code]:
        spoken = self.spoken
        total: Code | None = None
        is_spread = all(part.x.shape == "scalar" for part in place.parts)
        if is_spread and place.x.shape != "scalar":
            raise NoCodeError("a sum of scalars that is no scalar")
        for coefficient, part in zip(place.x.data, place.parts, strict=True):
            term: Code = yield self.code(part)
            if abs(coefficient) != 1:
                term = self.scaled(abs(coefficient), term)
            if total is None:
                total = spoken.negative(term) if coefficient < 0 else term
            else:
                total = spoken.plus(total, term, "-" if coefficient < 0 else "+")
        if total is None:
            raise NoCodeError("an empty sum")
        return total

    def scaled(self, coefficient: Fraction, x: Code) -> Code:
        """A positive number times an expression."""
        above, below = self.sides(coefficient)
        for first in above:
            x = first if x.word == "1" else self.spoken.times(first, x)
        return self.divided(x, below)

    def sides(self, coefficient: Fraction) -> tuple[list[Code], list[Code]]:
        """What of a positive number stands above and below the line."""
        above, below = coefficient.numerator, coefficient.denominator
        if below >= 2**53:
            return [self.number(coefficient)], []
        shown = [[self.number(Fraction(part))] if part != 1 else [] for part in (above, below)]
        return shown[0], shown[1]

    def product(self, place: Place) -> Steps[Code]:
        spoken = self.spoken
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
            total = factor if total is None else spoken.times(total, factor)
        total = self.divided(total or self.codes.word("1"), [*last, *below])
        return spoken.negative(total) if coefficient < 0 else total

    def divided(self, x: Code, below: Sequence[Code]) -> Code:
        for divisor in below:
            x = self.spoken.times(x, divisor, "/")
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
        above.append(self.spoken.power(base, power))

    def raised(self, base: Code, exponent: Fraction) -> Code:
        if exponent == 1:
            return base
        if exponent == HALF:
            return self.spoken.apply("sqrt", base)
        return self.spoken.power(base, self.codes.word(number_text(exponent)))

    def hadamard(self, factors: Sequence[Place]) -> Steps[Code]:
        above: list[Code] = []
        below: list[Code] = []
        for factor in factors:
            yield self.sided(factor, above, below)
        total = above[0] if above else self.codes.word("1")
        for factor_code in above[1:]:
            total = self.spoken.times(total, factor_code)
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
            sides = [self.spoken.say("outer", *sides, rank=2)]
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
            made = self.spoken.say("solve", matrix, self.turned(made, "matrix"), rank=2)
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
        spoken, x = self.spoken, place.x
        solved = self.solved(place)
        if solved is not None:
            matrix: Code = yield self.code(solved[0])
            if solved[1] != from_left and not solved[0].x.symmetric:
                matrix = self.turned(matrix, "matrix")
            return spoken.say("solve", matrix, done, rank=done.rank)
        if x.op == "call" and x.data == "diag" and x.shape == "matrix":
            diagonal: Code = yield self.code(place.parts[0])
            if is_vector or from_left:
                return spoken.times(diagonal, done)
            return spoken.say("scale_rows", diagonal, done)
        if x.op == "eye":
            return done
        factor: Code = yield self.code(place)
        if not from_left:
            return spoken.say("matmul", factor, done, rank=done.rank)
        word, rank = ("dot", 0) if x.shape == "column" else ("vecmat", 1)
        return spoken.say(word, done, factor, rank=rank)

    # ── the rest ─────────────────────────────────────────────────────────────────────────────

    def range_sum(self, place: Place) -> Steps[Code]:
        codes, spoken = self.codes, self.spoken
        body, low, high = place.parts
        counter = str(place.x.data)
        first: Code = yield self.code(low)
        last: Code = yield self.code(high)
        counts = codes.make((counter,), ATOM, counts=counter)
        self.counters[counter] = counts
        term: Code = yield self.code(body)
        del self.counters[counter]
        rank = RANKS[place.x.shape]
        start = spoken.tensor(codes.word("0.0"))
        if rank:
            start = spoken.filled("zeros", self.shape(place))
        word = "range_of_powers" if self.has_power(body, counter) else "range_sum"
        args = [counts, term, self.integer(first), self.integer(last), start]
        return spoken.say(word, *args, rank=rank, ends=counter)

    def has_power(self, place: Place, counter: str) -> bool:
        """Whether powers of matrices, with what counts in their exponents, stand in a place."""
        stack, found = [(place, False)], False
        while stack:
            here, is_exponent = stack.pop()
            found |= is_exponent and here.x.op == "name" and here.x.data == counter
            power = here.x.op == "matrixpower"
            stack += [(part, is_exponent or (power and k == 1))
                      for k, part in enumerate(here.parts)]  # fmt: skip
        return found

    def rows(self, place: Place) -> Steps[Code]:
        """A matrix written out, or one of blocks."""
        columns = int(place.x.data)
        spoken, entries = self.spoken, list[Code]()
        plain = all(part.x.shape == "scalar" for part in place.parts)
        for part in place.parts:
            entry: Code = yield self.code(part)
            if plain:
                entry = spoken.tensor(entry)
            elif place.x.shape == "matrix":
                entry = self.as_matrix(spoken.tensor(entry), part.x.shape)
            elif part.x.shape == "scalar":
                entry = spoken.say("single", spoken.tensor(entry), rank=1)
            entries.append(entry)
        if place.x.shape != "matrix":
            return spoken.say("entries" if plain else "joined", rank=1, lists=[commas(entries)])
        opening, comma, between, closing = spoken.template(
            "signs of rows" if plain else "signs of blocks"
        ).split("|")
        pieces: list[str | tuple[Code, int]] = []
        for k, entry in enumerate(entries):
            starts = k % columns == 0
            pieces.append(opening if not k else between if starts else comma)
            pieces.append((entry, 0))
        count = self.codes.word(str(columns))
        return spoken.say(
            "rows" if plain else "blocks", count, rank=2, lists=[[*pieces, closing]]
        )  # fmt: skip

    def as_matrix(self, x: Code, shape: str) -> Code:
        """A vector as a matrix of one column or row."""
        return self.spoken.say(shape, x, rank=2) if self.spoken.known(shape) else x

    def condition(self, place: Place) -> Steps[Code]:
        """A comparison as a truth value."""
        left: Code = yield self.code(place.parts[0])
        right: Code = yield self.code(place.parts[1])
        return self.spoken.compare(str(place.x.data), left, right)

    def call(self, place: Place) -> Steps[Code]:
        x, spoken = place.x, self.spoken
        function = str(x.data)
        if function == "where" and place.parts[0].x.op == "compare":
            condition: Code = yield self.condition(place.parts[0])
            if [part.x.data for part in place.parts[1:]] == [1, 0]:
                return spoken.say("truth", condition, rank=RANKS[x.shape])
            choices: list[Code] = []
            for part in place.parts[1:]:
                choices.append((yield self.choice(part)))
            return spoken.where(condition, *choices)
        if function in ("kron", "cross"):
            found: Code = yield self.pair(place)
            return found
        if function in ("vector", "matrix"):
            return self.full(place, (yield self.code(place.parts[0])))
        along = place.parts[1].x if len(place.parts) == 2 else None
        is_along = along is not None and along.op == "number" and along.data in (1, 2)
        if function in ALONG and is_along and along and place.parts[0].x.shape != "scalar":
            argument: Code = yield self.code(place.parts[0])
            axis = int(along.data) - 1
            if function == "softmax":
                return spoken.say(f"softmax axis {axis}", argument, rank=2)
            return spoken.reduced(function, argument, axis)
        args: list[Code] = []
        for part in place.parts:
            args.append((yield self.code(part)))
        if function == "where":
            return spoken.where(spoken.is_true(args[0]), *args[1:])
        if function in FUNCTIONS and FUNCTIONS[function].arity == len(args):
            return spoken.apply(function, *args)
        if len(args) == 1:
            argument, rank = args[0], RANKS[x.shape]
            if function == "vec":
                return spoken.say("vec", argument, rank=1) if argument.rank == 2 else argument
            if function == "diag":
                return spoken.say("diag_matrix" if rank == 2 else "diag", argument, rank=rank)
            if function in SAME_SHAPE or function == "softmax":
                special = f"{function}@{argument.rank}"
                word = special if spoken.known(special) else function
                return spoken.say(word, argument, rank=rank)
            if function in WHOLE:
                return spoken.whole(function, argument)
        if function in self.names:
            if any(arg.op == "spread" for arg in x.args):
                raise NoCodeError("an argument that is not broadcast")
            name = self.codes.word(str(self.names[function].word))
            called = "apply_to_entries" if function in spoken.entrywise else "apply"
            return spoken.say(called, name, rank=RANKS[x.shape], lists=[commas(args)])
        raise NoCodeError(function)

    def choice(self, place: Place) -> Steps[Code]:
        """One of the two that `where` chooses from; a number as one with a decimal point."""
        made: Code = yield self.code(place)
        if place.x.op == "number":
            return self.codes.word(repr(float(place.x.data)), made.binds)
        return made

    def pair(self, place: Place) -> Steps[Code]:
        """A Kronecker or cross product of two; vectors with matrices as matrices."""
        sides: list[Code] = []
        shapes = {part.x.shape for part in place.parts}
        for part in place.parts:
            side: Code = yield self.code(part)
            sides.append(self.as_matrix(side, part.x.shape) if len(shapes) > 1 else side)
        made = sides[0]
        for side in sides[1:]:
            made = self.spoken.say(str(place.x.data), made, side, rank=RANKS[place.x.shape])
        return made
