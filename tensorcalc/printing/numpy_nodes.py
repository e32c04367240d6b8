"""Nodes of the IR -> NumPy code: einsum where no plainer product will do. Used by `numpy.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.functions import COMPARISONS, FUNCTIONS
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
from tensorcalc.printing import program
from tensorcalc.printing.axes import repeated_over
from tensorcalc.printing.code import Code, Codes
from tensorcalc.printing.numpy_matrix import number_text
from tensorcalc.printing.render import ATOM, POSTFIX, PRODUCT, SUM
from tensorcalc.recognize import unknown_text
from tensorcalc.traverse import postorder

SERIES = ("expm", "logm", "sqrtm", "sinm", "cosm")
MATRIX_FUNCTIONS = {
    "inv": "np.linalg.inv({0})",
    "det": "np.linalg.det({0})",
    "logdet": "np.linalg.slogdet({0})[1]",
    "norm2": "np.linalg.norm({0}, axis=-1)",
    "normF": "np.linalg.norm({0}, axis=(-2, -1))",
    "adj": "adjugate({0})",
    "pinv": "np.linalg.pinv({0})",
    "logsumexp": "scipy.special.logsumexp({0}, axis=-1)",
    "max": "np.max({0}, axis=-1)",
    "min": "np.min({0}, axis=-1)",
    "prod": "np.prod({0}, axis=-1)",
    **{name: f"scipy.linalg.{name}({{0}})" for name in SERIES},
}
# whole products of two, by their labels
PLAIN: dict[tuple[int, tuple[tuple[int, ...], ...]], tuple[int, int]] = {
    (1, ((0, 1), (1,))): (0, 1),
    (1, ((1,), (0, 1))): (1, 0),
    (2, ((0, 2), (2, 1))): (0, 1),
    (2, ((2, 1), (0, 2))): (1, 0),
    (0, ((0,), (0,))): (0, 1),
}


def node_code(
    root: Node, codes: Codes, names: Mapping[str, Code], counters: list[str],
    size: Callable[[Dim], Code],
) -> Code:  # fmt: skip
    """The code of a node; `names` are those of variables and unknown functions."""
    writer = _Writer(codes, names, counters, size)
    for node in postorder([root]):
        writer.made[node] = writer.code(node, [writer.made[o] for o in node.operands])
    return writer.made[root]


class _Writer:
    def __init__(
        self,
        codes: Codes,
        names: Mapping[str, Code],
        counters: list[str],
        size: Callable[[Dim], Code],
    ) -> None:
        self.codes, self.names, self.counters, self.size = codes, names, counters, size
        self.ends: dict[Node, tuple[Code, Code]] = {}
        self.made: dict[Node, Code] = {}

    def shape(self, node: Node) -> Code:
        sizes = [self.size(dim) for dim in node.dims]
        return sizes[0] if len(sizes) == 1 else self.codes.listed("(", sizes, ")")

    def number(self, value: Fraction) -> Code:
        shown = self.codes.word(number_text(abs(value)))
        return self.codes.negative(shown) if value < 0 else shown

    def code(self, node: Node, operands: list[Code]) -> Code:
        codes = self.codes
        value = canonical.as_number(node)
        if value is not None:
            return self.filled(node, value)
        match node:
            case Variable():
                return self.names[node.name]
            case Constant():
                return codes.word(f"np.{node.name}")
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
            return self.codes.call("np.ones({0})" if value else "np.zeros({0})", self.shape(node))
        return self.codes.call(
            "np.full({0}, {1})", self.shape(node), self.codes.word(repr(float(value)))
        )

    def constant(self, node: Node) -> Code:
        codes = self.codes
        sizes = [self.size(dim) for dim in node.dims]
        match node:
            case Delta():
                return codes.call("np.eye({0})", sizes[0])
            case Basis():
                return codes.call(f"np.eye({{0}})[{node.position}]", sizes[0])
            case LeviCivita():  # each entry is the determinant of unit vectors
                vectors = codes.call("np.moveaxis(np.indices({0}), 0, -1)", self.shape(node))
                return codes.call(f"np.linalg.det(np.eye({node.rank})[{{0}}])", vectors)
            case Merge():
                return codes.make(
                    ["np.eye(", (sizes[0], 0), ").reshape(", (self.shape(node), 0), ")"]
                )
            case Section():
                offset = self.size(node.offset)
                return codes.make(
                    ["np.eye(", (sizes[0], 0), ", ", (sizes[1], 0), ", -", (offset, ATOM), ")"]
                )
            case Range():
                start = self.size(node.start)
                whole = codes.call("np.arange({0}, dtype=float)", sizes[0])
                return whole if start.word == "0" else codes.plus(whole, start)
            case Data():
                return codes.word(f"np.array({node.array.tolist()!r})")
        raise TypeError(f"no such node: {node!r}")

    # ── sums and products ────────────────────────────────────────────────────────────────────

    def sum(self, node: Add, operands: list[Code]) -> Code:
        codes = self.codes
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
                term = codes.times(self.number(magnitude), code)
            if total is None:
                total = codes.negative(term) if coefficient < 0 else term
            else:
                total = codes.plus(total, term, " - " if coefficient < 0 else " + ")
        return total or self.filled(node, Fraction(0))

    def einsum(self, node: Einsum, operands: list[Code]) -> Code:
        codes = self.codes
        parts = list(zip(operands, node.labels, strict=True))
        scalars = [code for code, own in parts if not own]
        tensors = [(code, own) for code, own in parts if own]
        units = program.uncovered(node)
        extra = set(range(node.rank, len(node.sizes))) - {a for _, own in tensors for a in own}
        scalars += [self.size(node.sizes[a]) for a in sorted(extra)]
        tensors += [(codes.call("np.ones({0})", self.size(node.dims[a])), (a,)) for a in units]
        whole = self.contracted(node.rank, tensors) if tensors else None
        for scalar in scalars[::-1]:
            whole = scalar if whole is None else codes.times(scalar, whole)
        return whole or codes.word("1.0")

    def contracted(self, rank: int, parts: list[tuple[Code, tuple[int, ...]]]) -> Code:
        """The contraction of arrays, none of them a scalar."""
        codes = self.codes
        output = tuple(range(rank))
        if all(own == output for _, own in parts):
            total = parts[0][0]
            for code, _ in parts[1:]:
                total = codes.times(total, code)
            return total
        if len(parts) == 1 and parts[0][1] == output[::-1] and rank == 2:
            return codes.method(parts[0][0], ".T")
        order = PLAIN.get((rank, tuple([own for _, own in parts])))
        if order is not None:
            return codes.times(parts[order[0]][0], parts[order[1]][0], " @ ")
        if rank == len(parts) == 2 and [own for _, own in parts] in ([(0,), (1,)], [(1,), (0,)]):
            first, second = sorted(parts, key=lambda part: part[1])
            return codes.call("np.outer({0}, {1})", first[0], second[0])
        names: dict[int, str] = dict(enumerate(program.alphabet(rank)))
        more = iter(program.alphabet(rank + sum(len(own) for _, own in parts))[rank:])
        for _, own in parts:
            for label in own:
                if label not in names:
                    names[label] = next(more)
        terms = ",".join("".join(names[a] for a in own) for _, own in parts)
        string = f'np.einsum("{terms}->{"".join(names[a] for a in output)}", '
        closing = ", optimize=True)" if len(parts) > 2 else ")"
        return codes.listed(string, [code for code, _ in parts], closing)

    def map(self, node: Map, operands: list[Code]) -> Code:
        codes = self.codes
        values = [canonical.as_number(operand) for operand in node.operands]
        if any(value is None for value in values):  # numbers are broadcast
            operands = [
                code if value is None else self.number(value)
                for code, value in zip(operands, values, strict=True)
            ]
        if node.function == "pow":
            return self.power(operands[0], operands[1], values[1])
        if node.function in COMPARISONS.values():
            sign = {name: shown for shown, name in COMPARISONS.items()}[node.function]
            pieces: list[str | tuple[Code, int]] = [
                "1.0 * (",
                (operands[0], SUM),
                f" {sign} ",
                (operands[1], SUM),
                ")",
            ]
            return codes.make(pieces, PRODUCT)
        if node.function == "where":
            return codes.make(
                ["np.where(", (operands[0], SUM), " != 0, ", (operands[1], 0), ", ",
                 (operands[2], 0), ")"]
            )  # fmt: skip
        return codes.call(FUNCTIONS[node.function].numpy, *operands)

    def power(self, base: Code, exponent: Code, value: Fraction | None) -> Code:
        codes = self.codes
        if value is None:
            return codes.make([(base, ATOM), " ** ", (exponent, ATOM)], POSTFIX)
        shown = base
        if abs(value) == Fraction(1, 2):
            shown = codes.call("np.sqrt({0})", base)
        elif abs(value) != 1:
            shown = codes.make([(base, ATOM), f" ** {number_text(abs(value))}"], POSTFIX)
        return codes.times(codes.word("1"), shown, " / ") if value < 0 else shown

    # ── functions ────────────────────────────────────────────────────────────────────────────

    def matrix_function(self, node: MatrixFunction, operands: list[Code]) -> Code:
        codes = self.codes
        if node.function == "power":
            if repeated_over(node):
                return codes.call("power({0}, {1})", *operands)
            if (operands[1].word or "").isdigit():
                return codes.call("np.linalg.matrix_power({0}, {1})", *operands)
            return codes.call("np.linalg.matrix_power({0}, int({1}))", *operands)
        if node.function in SERIES and (node.order or repeated_over(node)):
            return codes.call(
                f"series(scipy.linalg.{node.function}, {{0}}, {node.order})", operands[0]
            )
        return codes.call(MATRIX_FUNCTIONS[node.function], *operands)

    def unknown(self, node: Unknown, operands: list[Code]) -> Code:
        text, is_applied = unknown_text(node)
        if not is_applied:
            return self.names[text]
        word = self.names[text].word
        is_elementwise = all(o.rank == node.batch for o in (node, *node.operands))
        if not node.batch or is_elementwise:
            return self.codes.listed(f"{word}(", operands, ")")
        return self.codes.listed(f"each({word}, {node.batch}, ", operands, ")")

    def range_sum(self, node: RangeSum, operands: list[Code]) -> Code:
        codes = self.codes
        low, high = self.ends[node.counter]
        letter = self.counters[node.counter.level]
        pieces: list[str | tuple[Code, int]] = [
            "sum((",
            (operands[0], 0),
            f" for {letter} in range(",
        ]
        pieces += [(self.integer(low), 0), ", "]
        pieces += [(codes.plus(self.integer(high), codes.word("1")), 0), ")), "]
        if not node.rank:
            return codes.make([*pieces, "0.0)"], ends=letter)
        start = codes.call("np.zeros({0})", self.shape(node))
        return codes.make([*pieces, (start, 0), ")"], ends=letter)

    def integer(self, x: Code) -> Code:
        return x if (x.word or "").isdigit() else self.codes.call("int({0})", x)
