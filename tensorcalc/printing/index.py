"""IR -> index notation: entries and Einstein's summation, with an arrow that names the axes.

Every node has this form. A label is summed silently only where the language would sum it at
exactly that place; else an explicit ``sum[k](…)`` binds it. Shared parts of a long result are
defined first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count, islice

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.functions import OPERATORS
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    Size,
    Variable,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.printing import latex, text
from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM, Text
from tensorcalc.traverse import Steps, fold, postorder, trampoline, users, variables

LETTERS = "ijklpqrstuvmnabcdefgh"
MAX_TREE = 400  # nodes of a result that repeats its shared parts


@dataclass(frozen=True, slots=True)
class IndexStyle:
    """What tells one index notation from another."""

    group: Callable[[str], str]
    times: str
    number: Callable[[Fraction], Text]
    entry: Callable[[str, Sequence[str]], str]
    delta: Callable[[str, str], str]
    total: Callable[[Sequence[str], str], str]
    power: Callable[[str, str], str]
    quotient: Callable[[str, str], str]
    call: Callable[[str, Sequence[str]], str]
    compare: dict[str, str]
    arrow: Callable[[str, Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class Entry:
    """The text of a node's entry.

    `counts` are the occurrences of index names that an enclosing product sees; `closed` are the
    names that it must bind explicitly.
    """

    text: Text
    counts: Counter[str]
    closed: frozenset[str] = frozenset()


class IndexPrinter:
    """Writes entries of nodes; `helpers` collects definitions of shared parts, in order."""

    def __init__(
        self,
        roots: Sequence[Node],
        style: IndexStyle,
        size_text: Callable[[Dim], str | None],
        whole_text: Callable[[Node], str | None] | None = None,
        names: dict[Node, str] | None = None,
    ) -> None:
        self.style, self.size_text, self.whole_text = style, size_text, whole_text
        taken = set(variables(*roots)) | {
            n for node in postorder(roots) for d in node.dims for n in d.names
        }
        self.taken = taken
        self.names = dict(names or {})
        self.helpers: list[tuple[str, Node]] = []
        self._plan_helpers(roots, taken | set(self.names.values()))

    def _plan_helpers(self, roots: Sequence[Node], taken: set[str]) -> None:
        def weigh(node: Node, sizes: tuple[int, ...]) -> int:
            return 1 if node in self.names else 1 + sum(sizes)

        weights = fold(roots, weigh)
        if sum(weights[root] for root in roots) <= MAX_TREE:
            return
        counts = users(roots)
        capitals = (c for c in (f"T{k}" for k in count(1)) if c not in taken)
        memo: dict[Node, int] = {}

        def shorten(node: Node, sizes: tuple[int, ...]) -> int:
            weight = weigh(node, sizes)
            if weight > 12 and counts[node] > 1 and node.operands and node not in self.names:
                self.names[node] = next(capitals)
                self.helpers.append((self.names[node], node))
                return 1
            return weight

        fold(roots, shorten, memo)

    def axes(self, node: Node) -> list[str]:
        """Names for the axes of a root."""
        return self.free(frozenset(), node.rank)

    def free(self, used: frozenset[str], number: int) -> list[str]:
        """Index names that stand neither around nor for a variable."""
        letters = (c + suffix for suffix in chain([""], map(str, count(1))) for c in LETTERS)
        return list(islice((c for c in letters if c not in used and c not in self.taken), number))

    def definition(self, name: str, node: Node) -> str:
        """A helper's definition as a program line."""
        axes = self.axes(node)
        left = self.style.entry(name, axes)
        return f"{left} = {self.line(node, axes, skip=True)}"

    def line(self, node: Node, axes: Sequence[str], *, skip: bool = False) -> str:
        """The entry of `node` at `axes`; with `skip`, its own definition is not referred to."""
        entry = trampoline(self.entry(node, tuple(axes), frozenset(axes), skip))
        missing = [a for a in axes if a not in entry.counts]
        shown = entry.text
        if missing:
            units = [self.unit(node.dims[list(axes).index(a)], a) for a in missing]
            shown = self.style.times.join([self.fit(shown, NEGATION), *units]), PRODUCT
        return shown[0]

    def unit(self, dim: Dim, axis: str) -> str:
        size = self.size_text(dim)
        return self.style.entry(f"vector(1, {size})" if size else "vector(1)", [axis])

    def fit(self, shown: Text, place: int) -> str:
        return shown[0] if shown[1] >= place else self.style.group(shown[0])

    def entry(
        self, node: Node, axes: tuple[str, ...], used: frozenset[str], skip: bool = False
    ) -> Steps[Entry]:
        """The entry at `axes`; `used` are the names that stand around it."""
        style = self.style
        found: Entry
        if node in self.names and not skip:
            return Entry((style.entry(self.names[node], axes), ATOM), _names(axes))
        value = canonical.as_number(node)
        if value is not None:
            return Entry(style.number(value), Counter())
        match node:
            case Variable() | Constant():
                return Entry((style.entry(node.name, axes), ATOM), _names(axes))
            case Size():
                return Entry((self.size_text(node.dim) or f"dim({node.dim})", ATOM), Counter())
            case Delta():
                return Entry((style.delta(*axes), ATOM), _names(axes))
            case Basis():
                return Entry((style.delta(axes[0], str(node.position)), ATOM), _names(axes))
            case Einsum():
                found = yield self.product(node, axes, used)
                return found
            case Add():
                found = yield self.sum(node, axes, used)
                return found
            case Map():
                found = yield self.map(node, axes, used)
                return found
            case MatrixFunction():
                found = yield self.matrix_function(node, axes, used)
                return found
        raise TypeError(f"no such node: {node!r}")

    def product(self, node: Einsum, axes: tuple[str, ...], used: frozenset[str]) -> Steps[Entry]:
        names = [*axes, *self.free(used, len(node.sizes) - node.rank)]
        used |= set(names)
        fixed = _fixed(node)  # summed with a unit vector: an integer subscript
        for label, position in fixed.items():
            names[label] = str(position)
        counts: Counter[str] = Counter()
        divided: Counter[str] = Counter()
        closed: frozenset[str] = frozenset()
        above: list[str] = []
        below: list[str] = []
        for operand, labels, times in _grouped(node):
            if isinstance(operand, Basis) and labels[0] in fixed:
                continue
            place = tuple([names[a] for a in labels])
            divisor = _divisor(operand)
            inner = yield self.entry(divisor or operand, place, used)
            if times == 2:
                inner = self.squared(inner)
            elif isinstance(operand, Einsum):  # a product in parentheses is part of this product
                used |= set(inner.counts)
            if divisor:
                divided += inner.counts
            else:
                counts += inner.counts
            closed |= inner.closed
            (below if divisor else above).append(self.fit(inner.text, NEGATION))
        counts += Counter(set(divided))  # all divisors stand in one place of their own
        closed |= {n for n, c in divided.items() if c > 1}
        for label in range(node.rank, len(node.sizes)):
            if label not in fixed and names[label] not in counts:  # only a constant has it
                above.append(self.unit(node.sizes[label], names[label]))
                counts[names[label]] += 1
        shown = self.style.times.join(above) or "1"
        if below:
            grouped = (
                below[0] if len(below) == 1 else self.style.group(self.style.times.join(below))
            )
            shown = self.style.quotient(shown, grouped)
        place_of = PRODUCT if len(above) + len(below) > 1 or below else POSTFIX
        summed = [names[a] for a in range(node.rank, len(names)) if a not in fixed]
        explicit = [n for n in summed if counts[n] < 2 or n in closed]
        if explicit:
            shown, place_of = self.style.total(explicit, shown), ATOM
            closed |= {n for n, c in counts.items() if c > 1}
            counts = Counter(set(counts) - set(summed))
            closed -= set(summed)
        return Entry((shown, place_of), counts, closed)

    def squared(self, inner: Entry) -> Entry:
        """A factor that stands twice: a square, which is a place of its own."""
        counts, closed = self.places([inner])
        shown = self.style.power(self.fit(inner.text, ATOM), "2"), POSTFIX
        return Entry(shown, counts, closed)

    def places(self, entries: Sequence[Entry]) -> tuple[Counter[str], frozenset[str]]:
        """What an enclosing product sees of entries that are places of their own."""
        counts = Counter({name for entry in entries for name in entry.counts})
        repeated = {name for entry in entries for name, c in entry.counts.items() if c > 1}
        return counts, frozenset(repeated).union(*(entry.closed for entry in entries))

    def sum(self, node: Add, axes: tuple[str, ...], used: frozenset[str]) -> Steps[Entry]:
        pieces: list[str] = []
        entries: list[Entry] = []
        for coefficient, operand in zip(node.coefficients, node.operands, strict=True):
            inner = yield self.entry(operand, axes, used)
            entries.append(inner)
            magnitude = abs(coefficient)
            shown = inner.text
            if canonical.as_number(operand) == 1:
                shown = self.style.number(magnitude)
            elif magnitude != 1:
                number = self.fit(self.style.number(magnitude), PRODUCT)
                shown = f"{number}{self.style.times}{self.fit(shown, PRODUCT)}", PRODUCT
            if pieces:
                pieces.append(" - " if coefficient < 0 else " + ")
            elif coefficient < 0:
                pieces.append("-")
            pieces.append(self.fit(shown, PRODUCT))
        counts, closed = self.places(entries)
        if len(entries) == 1:
            counts, closed = entries[0].counts, entries[0].closed
            return Entry(("".join(pieces), PRODUCT), counts, closed)
        sets = {frozenset(entry.counts) for entry in entries if entry.counts}
        if len(sets) > 1:  # terms with different indices need them bound
            closed |= frozenset().union(*sets)
        return Entry(("".join(pieces), SUM), counts, closed)

    def map(self, node: Map, axes: tuple[str, ...], used: frozenset[str]) -> Steps[Entry]:
        entries: list[Entry] = []
        for operand in node.operands:
            entries.append((yield self.entry(operand, axes, used)))
        counts, closed = self.places(entries)
        texts = [entry.text for entry in entries]
        if node.function == "pow":
            return Entry(self.power(node, texts), counts, closed)
        if node.function in OPERATORS:
            operator = self.style.compare[node.function]
            shown = f"{self.fit(texts[0], SUM)} {operator} {self.fit(texts[1], SUM)}"
            return Entry((shown, COMPARE), counts, closed)
        shown = self.style.call(node.function, [shown for shown, _ in texts])
        return Entry((shown, ATOM), counts, closed)

    def power(self, node: Map, texts: list[Text]) -> Text:
        exponent = canonical.as_number(node.operands[1])
        if exponent == Fraction(1, 2):
            return self.style.call("sqrt", [texts[0][0]]), ATOM
        if exponent is not None and exponent < 0:
            base = texts[0]
            if exponent == Fraction(-1, 2):
                base = self.style.call("sqrt", [base[0]]), ATOM
            elif exponent != -1:
                shown = self.fit(self.style.number(-exponent), ATOM)
                base = self.style.power(self.fit(base, ATOM), shown), POSTFIX
            return self.style.quotient("1", self.fit(base, NEGATION)), PRODUCT
        return self.style.power(self.fit(texts[0], ATOM), self.fit(texts[1], ATOM)), POSTFIX

    def matrix_function(
        self, node: MatrixFunction, axes: tuple[str, ...], used: frozenset[str]
    ) -> Steps[Entry]:
        (operand,) = node.operands
        count = operand.rank - MATRIX_FUNCTIONS[node.function].rank
        batch, rest = axes[:count], axes[count:]
        whole = self.whole_text(operand) if self.whole_text and not batch else None
        counts = _names(rest)
        if whole is None:
            inner_axes = self.free(used, operand.rank - count)
            names = (*batch, *inner_axes)
            inner = yield self.entry(operand, names, used | set(names))
            units = [
                self.unit(dim, name)
                for dim, name in zip(operand.dims, names, strict=True)
                if name not in inner.counts and name in inner_axes
            ]
            entry = inner.text[0]
            if units:
                entry = self.style.times.join([self.fit(inner.text, NEGATION), *units])
            whole = self.style.arrow(entry, inner_axes)
            counts += Counter(set(inner.counts) - set(inner_axes))
        shown = self.style.call(node.function, [whole])
        # what is inside an arrow must be bound further out
        return Entry((self.style.entry(shown, rest), ATOM), counts, frozenset(batch))


def _names(axes: Sequence[str]) -> Counter[str]:
    """The index names among subscripts."""
    return Counter([axis for axis in axes if not axis.isdigit()])


def _fixed(node: Einsum) -> dict[int, int]:
    """Summed labels that a unit vector fixes, and where."""
    return {
        labels[0]: operand.position
        for operand, labels in zip(node.operands, node.labels, strict=True)
        if isinstance(operand, Basis) and labels[0] >= node.rank
    }


def _grouped(node: Einsum) -> list[tuple[Node, tuple[int, ...], int]]:
    """The factors of a product; a function or sum that stands twice at one place, once."""
    groups: dict[tuple[Node, tuple[int, ...]], int] = {}
    result: list[tuple[Node, tuple[int, ...], int]] = []
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Add | Map):
            groups[operand, labels] = groups.get((operand, labels), 0) + 1
        else:
            result.append((operand, labels, 1))
    return result + [(operand, labels, times) for (operand, labels), times in groups.items()]


def _divisor(node: Node) -> Node | None:
    """The base of a reciprocal."""
    if isinstance(node, Map) and node.function == "pow":
        exponent = canonical.as_number(node.operands[1])
        if exponent is not None and exponent < 0:
            return canonical.power(node.operands[0], -exponent)
    return None


def _text_entry(name: str, axes: Sequence[str]) -> str:
    return f"{name}[{','.join(axes)}]" if axes else name


TEXT = IndexStyle(
    group=lambda shown: f"({shown})",
    times="*",
    number=text.number,
    entry=_text_entry,
    delta=lambda i, j: f"delta[{i},{j}]",
    total=lambda names, shown: f"sum[{','.join(names)}]({shown})",
    power=lambda base, exponent: f"{base}^{exponent}",
    quotient=lambda top, bottom: f"{top}/{bottom}",
    call=text.call,
    compare=OPERATORS,
    arrow=lambda shown, axes: f"{shown} -> [{','.join(axes)}]",
)


def _latex_entry(name: str, axes: Sequence[str]) -> str:
    shown = latex.symbol(name, "matrix") if name.replace("_", "").isalnum() else name
    return f"{shown}_{{{' '.join(axes)}}}" if axes else shown


def _latex_call(function: str, args: Sequence[str]) -> str:
    return rf"\sqrt{{{args[0]}}}" if function == "sqrt" else latex.call(function, args)


LATEX = IndexStyle(
    group=lambda shown: rf"\left({shown}\right)",
    times=r"\,",
    number=latex.number,
    entry=_latex_entry,
    delta=lambda i, j: rf"\delta_{{{i} {j}}}",
    total=lambda names, shown: rf"\sum_{{{','.join(names)}}} {{{shown}}}",
    power=lambda base, exponent: rf"{base}^{{{exponent}}}",
    quotient=lambda top, bottom: rf"\frac{{{top}}}{{{bottom}}}",
    call=_latex_call,
    compare=latex.COMPARE,
    arrow=lambda shown, axes: rf"\left({shown}\right)_{{{' '.join(axes)}}}",
)
