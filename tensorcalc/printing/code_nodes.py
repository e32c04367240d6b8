"""Nodes of the IR -> code: einsum where no plainer product will do. Used by `code_function.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import permutations, product
from typing import Any

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.functions import COMPARISONS
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Counter,
    Data,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Range,
    RangeSum,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.printing import program
from tensorcalc.printing.axes import repeated_over
from tensorcalc.printing.code import Code, commas
from tensorcalc.printing.code_matrix import number_text
from tensorcalc.printing.render import ATOM
from tensorcalc.printing.target import Spoken, lacking
from tensorcalc.recognize import unknown_text
from tensorcalc.traverse import postorder

SERIES = ("expm", "logm", "sqrtm", "sinm", "cosm")
OF_LAST_AXIS = ("logsumexp", "max", "min", "prod", "norm2")
MAX_LABELS = 52  # of an einsum string
MAX_PERMUTED = 4  # axes of the symbol of Levi and Civita
# whole products of two, by their labels
PLAIN: dict[tuple[int, tuple[tuple[int, ...], ...]], tuple[str, int, int]] = {
    (1, ((0, 1), (1,))): ("matmul", 0, 1),
    (1, ((1,), (0, 1))): ("matmul", 1, 0),
    (1, ((1,), (1, 0))): ("vecmat", 0, 1),
    (1, ((1, 0), (1,))): ("vecmat", 1, 0),
    (2, ((0, 2), (2, 1))): ("matmul", 0, 1),
    (2, ((2, 1), (0, 2))): ("matmul", 1, 0),
    (2, ((0,), (1,))): ("outer", 0, 1),
    (2, ((1,), (0,))): ("outer", 1, 0),
    (0, ((0,), (0,))): ("dot", 0, 1),
}


def node_code(
    root: Node, spoken: Spoken, names: Mapping[str, Code], counters: list[str],
    size: Callable[[Dim], Code],
) -> Code:  # fmt: skip
    """The code of a node; `names` are those of variables and unknown functions."""
    writer = _Writer(spoken, names, counters, size)
    for node in postorder([root]):
        writer.made[node] = writer.code(node, [writer.made[o] for o in node.operands])
    return writer.made[root]


def is_entrywise(node: Unknown) -> bool:
    """Whether an unknown function takes and gives numbers, one for each place."""
    return all(other.rank == node.batch for other in (node, *node.operands))


class _Writer:
    def __init__(
        self,
        spoken: Spoken,
        names: Mapping[str, Code],
        counters: list[str],
        size: Callable[[Dim], Code],
    ) -> None:
        self.spoken, self.codes = spoken, spoken.codes
        self.names, self.counters, self.size = names, counters, size
        self.ends: dict[Node, tuple[Code, Code]] = {}
        self.made: dict[Node, Code] = {}

    def sizes(self, node: Node) -> list[Code]:
        return [self.size(dim) for dim in node.dims]

    def number(self, value: Fraction) -> Code:
        shown = self.codes.word(number_text(abs(value)))
        return self.spoken.negative(shown) if value < 0 else shown

    def code(self, node: Node, operands: list[Code]) -> Code:
        codes = self.codes
        value = canonical.as_number(node)
        if value is not None:
            return self.filled(node, value)
        match node:
            case Variable():
                return self.names[node.name]
            case Constant():
                return self.spoken.say(node.name, rank=-1)
            case Size():
                return self.size(node.dim)
            case Einsum():
                return self.einsum(node, operands)
            case Add():
                return self.sum(node, operands)
            case Map():
                return self.map(node, operands)
            case MatrixFunction():
                return self.matrix_function(node, operands)
            case Unknown():
                return self.unknown(node, operands)
            case Counter():
                self.ends[node] = operands[0], operands[1]
                letter = self.counters[node.level]
                return codes.make((letter,), ATOM, counts=letter)
            case RangeSum():
                return self.range_sum(node, operands)
        return self.constant(node)

    def filled(self, node: Node, value: Fraction) -> Code:
        if not node.rank:
            return self.number(value)
        if value in (0, 1):
            return self.spoken.filled("ones" if value else "zeros", self.sizes(node))
        return self.spoken.filled("full", self.sizes(node), self.codes.word(repr(float(value))))

    def constant(self, node: Node) -> Code:
        spoken = self.spoken
        sizes = self.sizes(node)
        match node:
            case Delta():
                return spoken.say("eye", sizes[0], rank=2)
            case Basis():
                position = self.codes.word(str(node.position + spoken.target.base))
                return spoken.say("unit", sizes[0], position, rank=1)
            case LeviCivita():
                return self.signs(node)
            case Merge():
                turned = [sizes[0], *sizes[:0:-1]]
                lists = [commas(sizes), commas(turned), commas(self.turned_axes(node.rank))]
                return spoken.say("merge", sizes[0], rank=node.rank, lists=lists)
            case Section():
                return spoken.say("section", *sizes, self.size(node.offset), rank=2)
            case Range():
                start = self.size(node.start)
                whole = spoken.say("range", sizes[0], rank=1)
                return whole if start.word == "0" else spoken.plus(whole, start)
            case Data():
                return self.data(node.array.tolist(), node.array.shape)
        raise TypeError(f"no such node: {node!r}")

    def turned_axes(self, rank: int) -> list[Code]:
        """The first axis, then the others from behind, as numbers."""
        base = self.spoken.target.base
        return [self.codes.word(str(k + base)) for k in (0, *range(rank - 1, 0, -1))]

    def signs(self, node: LeviCivita) -> Code:
        """The symbol of Levi and Civita, entry by entry."""
        n = node.rank
        if self.spoken.known("signs"):
            return self.spoken.say("signs", rank=n, lists=[[str(n)], commas(self.sizes(node))])
        if n > MAX_PERMUTED:
            raise DomainError(f"eps of {n} indices is not written out (at most {MAX_PERMUTED})")
        flat = dict.fromkeys(product(range(n), repeat=n), 0.0)
        for order in permutations(range(n)):
            inversions = sum(order[a] > order[b] for b in range(n) for a in range(b))
            flat[order] = (-1.0) ** inversions
        nested: Any = list(flat.values())
        for _ in range(n - 1):
            nested = [nested[k : k + n] for k in range(0, len(nested), n)]
        return self.data(nested, (n,) * n)

    def data(self, nested: Any, shape: Sequence[int]) -> Code:
        """An array of given numbers."""
        spoken, rank = self.spoken, len(shape)
        entries = [nested]
        for _ in shape:
            entries = [entry for row in entries for entry in row]
        if any(isinstance(entry, complex) for entry in entries) and not spoken.known(
            "complex data"
        ):
            raise lacking("an array of complex numbers", spoken.target)
        if spoken.known("data"):
            return spoken.say("data", self.codes.word(repr(nested)), rank=rank)
        strides = [1] * (rank + 1)  # these languages number the first axis fastest
        for k in range(rank - 1, -1, -1):
            strides[k] = strides[k + 1] * shape[k]
        places = product(*[range(size) for size in reversed(shape)])
        turned = [
            entries[sum(p * s for p, s in zip(reversed(place), strides[1:], strict=True))]
            for place in places
        ]
        shown = commas([self.codes.word(repr(float(entry))) for entry in turned])
        sizes = [self.codes.word(str(size)) for size in shape]
        return spoken.say("flat data", rank=rank, lists=[shown, spoken.shape(sizes)])

    # ── sums and products ────────────────────────────────────────────────────────────────────

    def sum(self, node: Add, operands: list[Code]) -> Code:
        spoken = self.spoken
        total: Code | None = None
        for coefficient, operand, code in zip(
            node.coefficients, node.operands, operands, strict=True
        ):
            magnitude = abs(coefficient)
            if canonical.as_number(operand) == 1 and len(operands) > 1:
                term = self.number(magnitude)  # a number is added to every entry
            elif magnitude == 1:
                term = code
            else:
                term = spoken.times(self.number(magnitude), code)
            if total is None:
                total = spoken.negative(term) if coefficient < 0 else term
            else:
                total = spoken.plus(total, term, "-" if coefficient < 0 else "+")
        return total or self.filled(node, Fraction(0))

    def einsum(self, node: Einsum, operands: list[Code]) -> Code:
        spoken = self.spoken
        parts = list(zip(operands, node.labels, strict=True))
        scalars = [code for code, own in parts if not own]
        tensors = [(code, own) for code, own in parts if own]
        units = program.uncovered(node)
        extra = set(range(node.rank, len(node.sizes))) - {a for _, own in tensors for a in own}
        scalars += [self.size(node.sizes[a]) for a in sorted(extra)]
        tensors += [(spoken.filled("ones", [self.size(node.dims[a])]), (a,)) for a in units]
        whole = self.contracted(node.rank, tensors) if tensors else None
        for scalar in scalars[::-1]:
            whole = scalar if whole is None else spoken.times(scalar, whole)
        return whole or self.codes.word("1.0")

    def contracted(self, rank: int, parts: list[tuple[Code, tuple[int, ...]]]) -> Code:
        """The contraction of arrays, none of them a scalar."""
        spoken = self.spoken
        output = tuple(range(rank))
        if all(own == output for _, own in parts):
            total = parts[0][0]
            for code, _ in parts[1:]:
                total = spoken.times(total, code)
            return total
        if len(parts) == 1 and parts[0][1] == output[::-1] and rank == 2:
            return spoken.say("transpose", parts[0][0], rank=2)
        plain = PLAIN.get((rank, tuple([own for _, own in parts])))
        if plain is not None:
            word, left, right = plain
            return spoken.say(word, parts[left][0], parts[right][0], rank=rank)
        count = len({label for _, own in parts for label in own}.union(output))
        if count > MAX_LABELS:
            raise DomainError(f"a contraction over {count} indices has no einsum string")
        names: dict[int, str] = dict(enumerate(program.alphabet(rank)))
        more = iter(program.alphabet(rank + sum(len(own) for _, own in parts))[rank:])
        for _, own in parts:
            for label in own:
                if label not in names:
                    names[label] = next(more)
        terms = ",".join("".join(names[a] for a in own) for _, own in parts)
        string = f"{terms}->{''.join(names[a] for a in output)}"
        lists = [[string], commas([code for code, _ in parts])]
        word = "einsum of many" if len(parts) > 2 and spoken.known("einsum of many") else "einsum"
        return spoken.say(word, rank=rank, lists=lists)

    def map(self, node: Map, operands: list[Code]) -> Code:
        spoken = self.spoken
        values = [canonical.as_number(operand) for operand in node.operands]
        if any(value is None for value in values):  # numbers are broadcast
            operands = [
                code if value is None else self.number(value)
                for code, value in zip(operands, values, strict=True)
            ]
        if node.function == "pow":
            return self.power(operands[0], operands[1], values[1])
        if node.function in COMPARISONS.values():
            return spoken.say("truth", spoken.compare(node.function, *operands), rank=node.rank)
        if node.function == "where":
            return spoken.where(spoken.is_true(operands[0]), *operands[1:])
        return spoken.apply(node.function, *operands)

    def power(self, base: Code, exponent: Code, value: Fraction | None) -> Code:
        spoken = self.spoken
        if value is None:
            return spoken.power(base, exponent)
        shown = base
        if abs(value) == Fraction(1, 2):
            shown = spoken.apply("sqrt", base)
        elif abs(value) != 1:
            shown = spoken.power(base, self.codes.word(number_text(abs(value))))
        return spoken.times(self.codes.word("1"), shown, "/") if value < 0 else shown

    # ── functions ────────────────────────────────────────────────────────────────────────────

    def matrix_function(self, node: MatrixFunction, operands: list[Code]) -> Code:
        spoken, function, batch = self.spoken, node.function, repeated_over(node)
        x = operands[0]
        if function == "power":
            if batch and not spoken.known("powers"):
                raise lacking("a power of each of a stack of matrices", spoken.target)
            if batch:
                return spoken.say("powers", *operands, rank=node.rank)
            return spoken.say("matrix_power", x, self.integer(operands[1]), rank=node.rank)
        if function in SERIES and (node.order or (batch and spoken.target.is_batched)):
            if not spoken.known(f"series {function}"):
                raise lacking(f"a derivative of {function}", spoken.target)
            order = self.codes.word(str(node.order))
            return spoken.say(f"series {function}", x, order, rank=node.rank)
        if function in OF_LAST_AXIS:
            return spoken.reduced(function, x, node.operands[0].rank - 1)
        if not batch:
            return spoken.whole(function, x) if not node.rank else spoken.say(
                function, x, rank=node.rank
            )  # fmt: skip
        if spoken.target.is_batched:
            word = f"{function} batched"
            return spoken.say(word if spoken.known(word) else function, x, rank=node.rank)
        inner = self.codes.word(re.sub(r"\{0(:\w)?\}", "x", spoken.template(function)))
        last = self.codes.word(str(MATRIX_FUNCTIONS[function].rank))
        return spoken.say("each", inner, last, x, rank=node.rank)

    def unknown(self, node: Unknown, operands: list[Code]) -> Code:
        text, is_applied = unknown_text(node)
        if not is_applied:
            return self.names[text]
        word = self.codes.word(str(self.names[text].word))
        if not node.batch or is_entrywise(node):
            called = "apply_to_entries" if node.batch else "apply"
            return self.spoken.say(called, word, rank=node.rank, lists=[commas(operands)])
        batch = self.codes.word(str(node.batch))
        return self.spoken.say(
            "a function of stacks", word, batch, rank=node.rank, lists=[commas(operands)]
        )

    def range_sum(self, node: RangeSum, operands: list[Code]) -> Code:
        spoken = self.spoken
        low, high = self.ends[node.counter]
        letter = self.counters[node.counter.level]
        counts = self.codes.make((letter,), ATOM, counts=letter)
        zero = spoken.tensor(self.codes.word("0.0"))
        start = spoken.filled("zeros", self.sizes(node)) if node.rank else zero
        is_power = any(
            isinstance(inner, MatrixFunction)
            and inner.function == "power"
            and node.counter in inner.operands[1].counters
            for inner in postorder([node.operands[0]])
        )
        args = [counts, operands[0], self.integer(low), self.integer(high), start]
        word = "range_of_powers" if is_power else "range_sum"
        return spoken.say(word, *args, rank=node.rank, ends=letter)

    def integer(self, x: Code) -> Code:
        return x if (x.word or "").isdigit() else self.spoken.say("integer", x, rank=-1)
