"""IR -> einsum strings, which the parser reads back: `einsum("ij,j->i", A, x)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.functions import OPERATORS
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
    sizes_of,
)
from tensorcalc.printing import program
from tensorcalc.printing.axes import repeated_over
from tensorcalc.printing.index_style import TEXT, letters, numbered, shown_size
from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM, Text, fit
from tensorcalc.printing.text import number
from tensorcalc.recognize import unknown_text
from tensorcalc.reductions import REDUCTIONS
from tensorcalc.traverse import postorder, variables

INDICES = "ijklmnopquvwxyzabcdefgh"
COUNTERS = "rst"


def to_einsum(root: Node, size_text: Callable[[Dim], str | None]) -> str:
    """The node as nested einsum calls; shared parts are defined first, one a line."""
    taken = set(variables(root))
    printer = _Printer(root, size_text, taken)
    definitions, result = program.lines(root, printer.spell, taken | printer.names, "T")
    return "\n".join([*(f"{name} = {text}" for name, text in definitions), result])


class _Printer:
    """Spells nodes; `names` are those that are neither variables nor sizes."""

    def __init__(self, root: Node, size_text: Callable[[Dim], str | None], taken: set[str]) -> None:
        self.size_text = size_text
        order = postorder([root])
        used = taken | {name for node in order for dim in sizes_of(node) for name in dim.names}
        levels = max([node.level + 1 for node in order if isinstance(node, Counter)], default=0)
        self.counters = list(islice(letters(COUNTERS, used), levels + 1))
        constants = dict.fromkeys(node for node in order if isinstance(node, Data))
        self.data = dict(zip(constants, numbered("C", used), strict=False))
        self.ends: dict[Node, tuple[str, str]] = {}
        self.names = {node.name for node in order if isinstance(node, Unknown)}
        self.names |= {*self.counters, *self.data.values()}

    def indices(self, number: int) -> list[str]:
        """Names for indices."""
        return list(islice(letters(INDICES, self.counters), number))

    def size(self, dim: Dim) -> str | None:
        return shown_size(dim, self.size_text)

    def eye(self, dim: Dim) -> str:
        size = self.size(dim)
        return f"eye({size})" if size else "eye"

    def ones(self, dim: Dim) -> str:
        return TEXT.ones(self.size(dim))

    def spell(self, node: Node, texts: Sequence[Text]) -> Text:
        value = canonical.as_number(node)
        if value is not None and node.rank == 0:
            return number(value)
        match node:
            case Variable() | Constant():
                return node.name, ATOM
            case Data():
                return self.data[node], ATOM
            case Size():
                return self.size(node.dim) or f"dim({node.dim})", ATOM
            case Einsum():
                return self.einsum(node, texts)
            case Add():
                return self.sum(node, texts)
            case Map():
                return _map(node, texts)
            case MatrixFunction():
                return self.matrix_function(node, texts)
            case Unknown():
                return self.unknown(node, texts)
            case Counter():
                self.ends[node] = texts[0][0], texts[1][0]
                return self.counters[node.level], ATOM
            case RangeSum():
                low, high = self.ends[node.counter]
                return TEXT.range_total(texts[1][0], low, high, texts[0][0]), ATOM
        return self.constant(node), ATOM

    def constant(self, node: Node) -> str:
        """A constant tensor, whole."""
        names = self.indices(node.rank)
        match node:
            case Delta():
                return self.eye(node.dims[0])
            case Basis():
                return f"({self.eye(node.dims[0])}[i,{node.position}] -> [i])"
            case LeviCivita():
                return _framed(TEXT.levi_civita(names), names)
            case Merge():
                units = [TEXT.unit(self.size(dim), "x", name)
                         for dim, name in zip(node.dims[1:], names[1:], strict=True)]  # fmt: skip
                return _framed(f"kron({', '.join(units)})[{names[0]}]", names)
            case Section():
                outer, inner = node.dims
                parts = (node.offset, inner, outer - node.offset - inner)
                heights = [self.size(dim) for dim in parts]
                if inner != Dim.of(1):
                    return TEXT.section(heights, "")
                unit = f"({TEXT.unit('1', 'x', names[1])})"
                return _framed(f"{TEXT.section(heights, unit)}[{names[0]}]", names)
            case Range():
                return self.range(node)
        raise TypeError(f"no such node: {node!r}")

    def range(self, node: Range) -> str:
        name, (size, start) = self.counters[-1], (node.dims[0], node.start)
        shift, unit = name, self.eye(size)
        if start.is_integer and start.constant:
            shift = f"{name}{-start.constant:+d}"
        elif start.names:  # counting from a size on
            unit = TEXT.section([self.size(start), self.size(size), "0"], "")
        low, high = [self.size(end) or "?" for end in (start, start + size - 1)]
        return _framed(TEXT.range_total(name, low, high, f"{name}*{unit}[{shift},i]"), ["i"])

    def einsum(self, node: Einsum, texts: Sequence[Text]) -> Text:
        free = program.uncovered(node)
        units = [self.ones(node.dims[a]) for a in free]
        if len(node.operands) == 0 and len(units) == 1:
            return units[0], ATOM
        operands = ", ".join([*(text for text, _ in texts), *units])
        return f'einsum("{program.subscripts(node, free)}", {operands})', ATOM

    def sum(self, node: Add, texts: Sequence[Text]) -> Text:
        pieces: list[str] = []
        for coefficient, operand, text in zip(node.coefficients, node.operands, texts, strict=True):
            if pieces:
                pieces.append(" - " if coefficient < 0 else " + ")
            elif coefficient < 0:
                pieces.append("-")
            torn = isinstance(operand, Unknown) and text[1] == PRODUCT  # see index.py
            spread = canonical.as_number(operand) == 1 and len(node.operands) > 1
            if spread:  # a number is added to every entry
                pieces.append(fit(number(abs(coefficient)), PRODUCT))
            elif abs(coefficient) == 1:
                pieces.append(fit(text, NEGATION if torn else PRODUCT))
            else:
                pieces.append(f"{fit(number(abs(coefficient)), NEGATION)}*{fit(text, NEGATION)}")
        if not pieces:
            units = ", ".join(self.ones(dim) for dim in node.dims)
            names = "ijklmnopqrstuvwxyzabcdefgh"[: node.rank]
            return f'0*einsum("{",".join(names)}->{names}", {units})', PRODUCT
        return "".join(pieces), SUM if len(node.operands) > 1 else PRODUCT

    def matrix_function(self, node: MatrixFunction, texts: Sequence[Text]) -> Text:
        """A function of arrays; one that is repeated over leading axes names its axes."""
        count, rank = repeated_over(node), node.operands[0].rank
        axes = self.indices(max(rank, node.rank))
        if node.function in REDUCTIONS and count:
            body = TEXT.entry(fit(texts[0], ATOM), axes[:rank])
            return _framed(TEXT.reduction(node.function, axes[count], body), axes[:count]), ATOM
        argument = _argument(texts[0], axes[:rank], count)
        if node.function == "power":
            exponent = TEXT.entry(fit(texts[1], ATOM), axes[:count])
            call = TEXT.power(fit(argument, ATOM), exponent), POSTFIX
        else:
            call = TEXT.call(node.function + "'" * node.order, [argument[0]]), ATOM
        if not count:
            return call
        entry = TEXT.entry(fit(call, ATOM), axes[count : node.rank])
        return _framed(entry, axes[: node.rank]), ATOM

    def unknown(self, node: Unknown, texts: Sequence[Text]) -> Text:
        name, is_applied = unknown_text(node)
        count = node.batch
        binds = PRODUCT if "/" in name else ATOM
        if not is_applied:
            return name, binds
        if not count or all(operand.rank == count for operand in (node, *node.operands)):
            return TEXT.call(name, [text for text, _ in texts]), binds
        axes = self.indices(max([node.rank, *[operand.rank for operand in node.operands]]))
        shown = [
            _argument(text, axes[: operand.rank], count)[0]
            for operand, text in zip(node.operands, texts, strict=True)
        ]
        call = TEXT.unknown(name, shown, axes[count : node.rank])
        return _framed(call, axes[: node.rank]), ATOM


def _framed(entry: str, axes: Sequence[str]) -> str:
    """An entry as the whole."""
    return f"({TEXT.arrow(entry, axes)})"


def _argument(text: Text, axes: Sequence[str], count: int) -> Text:
    """A whole argument, for each place along the first axes."""
    if not count:
        return text
    entry = TEXT.entry(fit(text, ATOM), axes)
    own = axes[count:]
    return (TEXT.arrow(entry, own), COMPARE) if own else (entry, ATOM)


def _map(node: Map, texts: Sequence[Text]) -> Text:
    shown = [_bare(o, t) for o, t in zip(node.operands, texts, strict=True)]
    if all(canonical.as_number(o) is not None for o in node.operands):
        shown = list(texts)
    if node.function in OPERATORS:
        operator = OPERATORS[node.function]
        return f"{fit(shown[0], SUM)} {operator} {fit(shown[1], SUM)}", COMPARE
    if node.function == "pow":
        operator = "^" if node.rank == 0 else ".^"
        return f"{fit(shown[0], ATOM)}{operator}{fit(shown[1], ATOM)}", POSTFIX
    return f"{node.function}({', '.join(text for text, _ in shown)})", ATOM


def _bare(node: Node, text: Text) -> Text:
    """A number without its shape: scalars are broadcast."""
    value = canonical.as_number(node)
    return text if value is None else number(value)
