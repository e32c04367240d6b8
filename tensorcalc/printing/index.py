"""IR -> index notation: entries and Einstein's summation, with an arrow that names the axes.

Every node has this form. A label is summed silently only where the language would sum it at
exactly that place; else an explicit ``sum[k](…)`` binds it. Shared parts of a long result are
defined first.

The text says the very node, not only its value: index names come in the order of the axes wherever
the parser makes axes of them, and a constant says its size where nothing beside it does.
"""

from __future__ import annotations

import re
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, chain, islice

from tensorcalc import canonical
from tensorcalc.dims import Dim, Dims
from tensorcalc.elaborate import MAX_WRITTEN_SUM
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
from tensorcalc.printing.axes import (
    Counted,
    counted_axes,
    counted_labels,
    is_shift,
    repeated_over,
    told_axes,
    told_labels,
)
from tensorcalc.printing.index_style import (
    LATEX as LATEX,
    TEXT as TEXT,
    IndexStyle as IndexStyle,
    letters,
    numbered,
    shown_size,
)
from tensorcalc.printing.products import (
    Merged,
    divisor,
    fixed_labels,
    grouped_factors,
    has_one_term_each,
    is_one_over_square,
    is_product,
    lone_units,
    merged_factors,
)
from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM, Text
from tensorcalc.recognize import unknown_text
from tensorcalc.reductions import REDUCTIONS
from tensorcalc.traverse import Steps, fold, postorder, trampoline, users, variables
from tensorcalc.views import free_axes

LETTERS = "ijklpqrstuvmnabcdefgh"
COUNTERS = "rstuvpqijkl"
MAX_TREE = 400  # nodes of a result that repeats its shared parts
ATOMIC = re.compile(r"\\?\w+(\{\w+\})?")  # a name, also in LaTeX
UNSIZED = re.compile(r"\b(vector|matrix)\([^,()]*\)")
BARE_EYE = re.compile(r"\beye\b(?!\()")
HALF = Fraction(1, 2)
UNIT = Dim.of(1)


@dataclass(frozen=True, slots=True)
class Entry:
    """The text of a node's entry.

    `counts` are the occurrences of index names that an enclosing product sees, in the order of
    the text; `closed` are the names that it must bind explicitly.
    """

    text: Text
    counts: Counts[str]
    closed: frozenset[str] = frozenset()

    def order(self, axes: Sequence[str]) -> list[str]:
        """Those of the names `axes` that stand in the text, in its order."""
        return [name for name in self.counts if name in axes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands.

    `used` are the names that stand around it, `known` those whose sizes are told there, `order`
    those that should come in this order. `is_factor` is said of a place in a product.
    """

    used: frozenset[str]
    known: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    is_factor: bool = False

    def inside(self, names: Iterable[str], order: Sequence[str] = ()) -> Place:
        """A place inside, where new `names` stand around."""
        return Place(self.used | frozenset(names), self.known, tuple(order))

    def whole(self) -> Place:
        """The same place, but not in a product."""
        return replace(self, is_factor=False) if self.is_factor else self

    def knowing(self, names: Iterable[str]) -> Place:
        """The same place, where the sizes of these names are told too."""
        return replace(self, known=self.known | frozenset(names))


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
        order = postorder(roots)
        taken = set(variables(*roots)) | {
            n for node in order for d in sizes_of(node) for n in d.names
        }
        taken |= {node.name for node in order if isinstance(node, Unknown)}
        levels = max([node.level + 1 for node in order if isinstance(node, Counter)], default=0)
        self.counters = list(islice(letters(COUNTERS, taken), levels))
        self.taken = taken | set(self.counters)
        constants = dict.fromkeys(node for node in order if isinstance(node, Data))
        self.data = dict(zip(constants, numbered("C", taken), strict=False))
        self.told: dict[Node, frozenset[int]] = {}
        self.along: dict[Node, Counted] = {}
        self.counting: dict[str, Range] = {}  # indices that stand for numbers, too
        # indices that an explicit sum counts, and the subscripts that they stand for
        self.shifted: dict[str, tuple[str, int]] = {}
        self.subscripts: set[str] = set()  # names that have stood in a subscript
        self.names = dict(names or {})
        self.helpers: list[tuple[str, Node]] = []
        self._plan_helpers(roots, taken | set(self.names.values()))

    def _plan_helpers(self, roots: Sequence[Node], taken: set[str]) -> None:
        def weigh(node: Node, sizes: tuple[int, ...]) -> int:
            return 1 if node in self.names else 1 + sum(sizes)

        weights, counts = fold(roots, weigh), users(roots)
        is_long = sum(weights[root] for root in roots) > MAX_TREE
        nested = {
            operand for node in postorder(roots) if isinstance(node, Einsum)
            for operand in node.operands if isinstance(operand, Einsum)
        }  # fmt: skip
        if not is_long and not nested:
            return
        capitals = numbered("T", taken)
        memo: dict[Node, int] = {}

        def shorten(node: Node, sizes: tuple[int, ...]) -> int:
            weight = weigh(node, sizes)
            is_shared = is_long and counts[node] > 1 and bool(node.operands) and weight > 12
            is_helper = (is_shared or node in nested) and not node.counters
            if is_helper and node not in self.names:
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
        return list(islice(letters(LETTERS, used | self.taken), number))

    def definition(self, name: str, node: Node) -> str:
        """A helper's definition as a program line."""
        axes = self.axes(node)
        place = Place(frozenset(axes))
        entry = trampoline(self.argument(node, axes, axes, node.rank, place, skip=True))
        return f"{self.style.entry(name, axes)} = {entry.text[0]}"

    def line(self, node: Node, axes: Sequence[str]) -> str:
        """The entry of `node` at `axes`."""
        entry = trampoline(self.entry(node, tuple(axes), Place(frozenset(axes))))
        return self.complete(entry, node.dims, axes)[0]

    # ── sizes, subscripts, parentheses ───────────────────────────────────────────────────────

    def fit(self, shown: Text, place: int) -> str:
        return shown[0] if shown[1] >= place else self.style.group(shown[0])

    def exponent(self, shown: Text) -> str:
        return self.fit(shown, ATOM) if self.style.is_read_back else shown[0]

    def size(self, dim: Dim) -> str | None:
        return shown_size(dim, self.size_text)

    def unit(self, dim: Dim, axis: str) -> str:
        return self.style.entry(self.style.ones(self.size(dim)), self.at([axis]))

    def complete(self, entry: Entry, dims: Dims, axes: Sequence[str]) -> Text:
        """The text with a factor of ones for each axis whose name it lacks."""
        missing = [k for k, axis in enumerate(axes) if axis not in entry.counts]
        if not missing:
            return entry.text
        units = [self.unit(dims[k], axes[k]) for k in missing]
        shown = [self.fit(entry.text, NEGATION)] * (entry.text[0] != "1")
        return self.style.times.join([*shown, *units]), PRODUCT

    def at(self, axes: Sequence[str]) -> list[str]:
        """The subscripts for index names."""
        return [self.subscript(axis) for axis in axes]

    def subscript(self, axis: str, more: int = 0) -> str:
        """The subscript for an index name: that of one that counts, with its shift."""
        letter, shift = self.shifted.get(axis, (axis, 0))
        self.subscripts.add(letter)
        return f"{letter}{shift + more:+d}" if shift + more else letter

    def named(self, axes: Iterable[str]) -> Counts[str]:
        """The index names that stand in subscripts."""
        return _names(self.shifted.get(axis, (axis, 0))[0] for axis in axes)

    def is_plain(self, names: Sequence[str]) -> bool:
        """Whether names are different indices, none of them a number or a shifted one."""
        letters = [self.shifted.get(name, (name, 0))[0] for name in names]
        return letters == list(names) and len(_names(names)) == len(names)

    def told_by(self, node: Node, axes: Sequence[str]) -> list[str]:
        """Those of the axes whose sizes the text of a node tells."""
        told = self.told_axes(node)
        return self.told_names(axis for k, axis in enumerate(axes) if k in told)

    def told_axes(self, node: Node) -> frozenset[int]:
        if node not in self.told:
            fold([node], told_axes, self.told)
        return self.told[node]

    def told_names(self, names: Iterable[str]) -> list[str]:
        """Those names whose size is told by what stands there: no numbers, nor what counts."""
        return [name for name in names if name.isidentifier() and name not in self.shifted]

    def framed(self, entry: Entry, dims: Dims, names: Sequence[str], axes: Sequence[str]) -> Entry:
        """The entry with its axes `names` in order, then under the subscripts `axes`."""
        shown = self.style.group(self.style.arrow(self.complete(entry, dims, names)[0], names))
        text = self.style.entry(shown, self.at(axes)), ATOM
        return Entry(text, self.named(axes), entry.closed.difference(names))

    def settled(
        self, nodes: Sequence[Node], entries: Sequence[Entry], dims: Dims, axes: Sequence[str]
    ) -> list[Entry]:
        """Entries of one shape, so that the parser finds their axes in order.

        Ones before the first entry put its names in order. If the products with the axes the other
        way round are many, the parser would take the whole for a transpose; so they get ones, too.
        """
        result = list(entries)
        if not self.style.is_read_back:
            return result
        found = list(dict.fromkeys(name for entry in entries for name in entry.order(axes)))
        result[0] = self.led(entries[0], dims, axes, _misplaced(found, axes))
        turned = [k for k, entry in enumerate(result) if entry.order(axes) == [*axes[:-3:-1]]]
        straight = [node for node in nodes if not isinstance(node, Einsum)]
        if len(axes) == 2 and len(turned) >= len(straight) and len(nodes) > 1:
            for k in turned:
                if is_product(nodes[k]):
                    result[k] = self.led(result[k], dims, axes, 1)
        return result

    def led(self, entry: Entry, dims: Dims, axes: Sequence[str], number: int) -> Entry:
        """The entry with ones before it that name the first axes."""
        if not number:
            return entry
        units = [self.unit(dim, axis) for dim, axis in zip(dims, axes[:number], strict=False)]
        inner, binds = entry.text
        inner = self.fit((inner, binds), NEGATION if inner.startswith("-") else PRODUCT)
        text = self.style.times.join([*units, inner]), PRODUCT
        return replace(entry, text=text, counts=_names(axes[:number]) + entry.counts)

    def enclosed(
        self, text: str, entries: Sequence[Entry], axes: Sequence[str], place: int = ATOM
    ) -> Entry:
        """A text around entries at `axes` that are places of their own."""
        counts = Counts(dict.fromkeys([n for entry in entries for n in entry.order(axes)], 1))
        repeated = {n for entry in entries for n in entry.order(axes) if entry.counts[n] > 1}
        closed = frozenset(repeated).union(*[entry.closed for entry in entries])
        return Entry((text, place), counts, closed)

    # ── entries ──────────────────────────────────────────────────────────────────────────────

    def entry(
        self, node: Node, axes: tuple[str, ...], place: Place, skip: bool = False
    ) -> Steps[Entry]:
        """The entry at `axes`."""
        style = self.style
        found: Entry
        if node in self.names and not skip:
            return Entry((style.entry(self.names[node], self.at(axes)), ATOM), self.named(axes))
        value = canonical.as_number(node)
        if value is not None:
            return Entry(style.number(value), Counts())
        if isinstance(node, Add):
            rows = self.rows(node)
            if rows is not None:
                return Entry((style.entry(rows, self.at(axes)), ATOM), self.named(axes))
        outer = axes[: repeated_over(node)]
        is_nested, place = isinstance(node, Einsum) and place.is_factor, place.whole()
        # such as a diagonal, or a product that stays one
        if style.is_read_back and (is_nested or not self.is_plain(outer)):
            letters = tuple(self.free(place.used, node.rank))
            here = place.inside(letters)
            found = yield self.argument(node, letters, letters, node.rank, here, skip=skip)
            return self.framed(found, node.dims, letters, axes)
        match node:
            case Einsum():
                found = yield self.product(node, axes, place)
            case Add():
                found = yield self.sum(node, axes, place)
            case Map():
                found = yield self.map(node, axes, place)
            case MatrixFunction():
                found = yield self.matrix_function(node, axes, place)
            case Unknown():
                found = yield self.unknown(node, axes, place)
            case RangeSum():
                found = yield self.range_sum(node, axes, place)
            case _:
                return self.leaf(node, axes, place)
        return found

    def rows(self, node: Add) -> str | None:
        """An explicit or block matrix, whole; None if it is none."""
        if self.whole_text is None or node.rank not in (1, 2) or node.counters:
            return None
        if not has_one_term_each(node):
            return None
        shown = self.whole_text(node)
        if shown is None or not _is_enclosed(shown, *self.style.brackets):
            return None
        return shown if _is_read_back(shown, node) and not BARE_EYE.search(shown) else None

    def leaf(self, node: Node, axes: tuple[str, ...], place: Place) -> Entry:
        style = self.style
        text, closed = "", frozenset[str]()
        match node:
            case Variable() | Constant():
                text = style.entry(node.name, self.at(axes))
            case Data():
                text = style.entry(self.data[node], self.at(axes))
            case Size():
                text = self.size(node.dim) or f"dim({node.dim})"
            case Counter():
                text = self.counters[node.level]
            case Delta():
                text = self.delta(node.dims[0], axes, place)
            case Basis():
                text = self.delta(node.dims[0], (axes[0], str(node.position)), place)
            case LeviCivita():
                text, closed = self.levi_civita(axes, place)
            case Merge():
                parts = zip(node.dims[1:], axes[1:], strict=True)
                units = [self.unit_vector(dim, axis, place) for dim, axis in parts]
                text = style.entry(style.call("kron", units), self.at(axes[:1]))
                closed = frozenset(_names(axes[1:]))
            case Section():
                text, closed = self.section(node, axes, place)
            case Range():
                text = self.range(node, axes[0], place)
            case _:
                raise TypeError(f"no such node: {node!r}")
        return Entry((text, ATOM), self.named(axes), closed)

    def delta(self, dim: Dim, axes: Sequence[str], place: Place) -> str:
        """Kronecker's delta, with its size where nothing else tells it."""
        if place.known.isdisjoint(axes) or "delta" in self.taken:
            return self.style.eye(self.size(dim), *self.at(axes))
        return self.style.delta(*self.at(axes))

    def unit_vector(self, dim: Dim, axis: str, place: Place) -> str:
        """A unit vector, whole."""
        (letter,) = self.free(place.used, 1)
        return self.style.unit(self.size(dim), letter, *self.at([axis]))

    def levi_civita(self, axes: Sequence[str], place: Place) -> tuple[str, frozenset[str]]:
        if "eps" not in self.taken or len(axes) != 3:
            return self.style.levi_civita(self.at(axes)), frozenset()
        units = [self.unit_vector(Dim.of(3), axis, place) for axis in axes[1:]]
        shown = self.style.entry(self.style.call("cross", units), self.at(axes[:1]))
        return shown, frozenset(_names(axes[1:]))

    def section(
        self, node: Section, axes: Sequence[str], place: Place
    ) -> tuple[str, frozenset[str]]:
        outer, inner = node.dims
        if axes[1] in self.shifted and node.offset.is_integer:
            place_of = self.subscript(axes[1], node.offset.constant)
            return self.style.eye(self.size(outer), self.subscript(axes[0]), place_of), frozenset()
        heights = [self.size(dim) for dim in (node.offset, inner, outer - node.offset - inner)]
        if not axes[1]:  # the place of a scalar
            return self.style.entry(
                self.style.section(heights, "1"), self.at(axes[:1])
            ), frozenset()
        if inner != UNIT or not self.style.is_read_back:
            return self.style.entry(self.style.section(heights, ""), self.at(axes)), frozenset()
        column = self.style.group(self.unit_vector(inner, axes[1], place))
        shown = self.style.entry(self.style.section(heights, column), self.at(axes[:1]))
        return shown, frozenset(_names(axes[1:]))

    def range(self, node: Range, axis: str, place: Place) -> str:
        """The integers along an axis: the index itself, where a sum counts with it."""
        if self.counting.get(axis) is node:
            return axis
        if not self.style.is_read_back:
            start = self.size(node.start)
            return axis if start == "0" else self.style.group(f"{axis} + {start}")
        (letter,) = self.free(place.used, 1)
        size = self.size(node.dims[0])
        shift, unit = "", self.style.identity(size)
        if node.start.is_integer and node.start.constant:
            shift = f"{-node.start.constant:+d}"
        elif node.start.names:  # counting from a size on
            unit = self.style.section([self.size(node.start), size, "0"], "")
        chosen = self.style.entry(unit, [letter + shift, *self.at([axis])])
        shown = f"{letter}{self.style.times}{chosen}"
        return self.counted(letter, node.start, node.dims[0], shown)

    def counted(self, letter: str, start: Dim, size: Dim, shown: str) -> str:
        """The sum of a text over so many integers from `start` on."""
        ends = self.size(start), self.size(start + size - 1)
        low, high = [end or "?" for end in ends]
        return self.style.range_total(letter, low, high, shown)

    # ── products ─────────────────────────────────────────────────────────────────────────────

    def product(self, node: Einsum, axes: tuple[str, ...], place: Place) -> Steps[Entry]:
        style = self.style
        names = [*axes, *self.free(place.used, len(node.sizes) - node.rank)]
        fixed = fixed_labels(node)  # summed with a unit vector: an integer subscript
        for label, position in fixed.items():
            names[label] = str(position)
        pieces = merged_factors(node)
        inside = {k for piece in pieces for part in piece.parts for k in part.members}
        gone = {a for piece in pieces for part in piece.parts for a in part.gone}.union(fixed)
        for label in lone_units(node):  # a scalar among blocks
            names[label] = ""
            gone.add(label)
        counted = self.count_along(node, names, gone)
        inside |= self.shift(node, names, gone)
        told = told_labels(node, [self.told_axes(operand) for operand in node.operands])
        here = place.inside(names, place.order)
        here = here.knowing(self.told_names(names[label] for label in told))
        above: list[Entry] = []
        below: list[Entry] = []
        sums: list[Entry] = []  # divisors that are sums over indices
        for operand, labels, times in grouped_factors(node, inside, place.order == axes != ()):
            if isinstance(operand, Basis) and labels[0] in fixed:
                continue
            at = tuple([names[a] for a in labels])
            base, exponent = divisor(operand)
            inner: Entry
            if exponent:
                inner = yield self.entry(base, at, replace(here, order=at))
                (inner,) = self.settled([base], [inner], base.dims, at)
                is_alone = isinstance(base, Einsum) and style.is_read_back
                (sums if is_alone else below).append(self.raised(inner, exponent, at))
                continue
            inner = yield self.entry(operand, at, replace(here, is_factor=True))
            if times == 2:
                inner = self.raised(inner, Fraction(2), at)
            above.append(inner)
            here = here.knowing(self.told_names(inner.counts))
        for piece in pieces:
            above.append((yield self.merged(piece, names, here)))
        covered = {name for entry in (*above, *below, *sums) for name in entry.counts}
        summed = [a for a in range(node.rank, len(names)) if a not in gone]
        for label in summed:
            if names[label] not in (self.subscripts if label in counted else covered):
                text = self.unit(node.sizes[label], names[label]), ATOM
                above.append(Entry(text, _names([names[label]])))
        divisors = [[*below]] * bool(below) + [[entry] for entry in sums]
        lone = [names[a] for a in summed if a not in counted]
        if len(above) > 1:
            above = self.summed_alone(above, [*below, *sums], lone)
        if place.order:
            above = _in_order(above, place.order)
        entry = self.summed_over(lone, self.joined(above, divisors), axes)
        for label, start in counted.items():
            shown = self.counted(names[label], start, node.sizes[label], entry.text[0])
            entry = self.enclosed(shown, [entry], axes)
        for label in (*counted, *gone):
            self.shifted.pop(names[label], None)
            self.counting.pop(names[label], None)
        return entry

    def count_along(self, node: Einsum, names: Sequence[str], gone: set[int]) -> dict[int, Dim]:
        """The summed labels whose positions stand as numbers, and where an explicit sum starts."""
        found: dict[int, Dim] = {}
        if node not in self.along:
            fold([node], counted_axes, self.along)
        items = counted_labels(node, [self.along[operand] for operand in node.operands])
        for label, item in sorted(items, key=lambda i: (i[0], isinstance(i[1], Section), i[1].key)):
            start = item.start if isinstance(item, Range) else Dim.of(0)
            is_written_out = (
                node.sizes[label].is_integer and node.sizes[label].constant < MAX_WRITTEN_SUM
            )
            if label < node.rank or label in gone or label in found or is_written_out:
                continue
            if start.is_integer:
                name, found[label] = names[label], start
                self.shifted[name] = name, -start.constant
                self.subscripts.discard(name)
                if isinstance(item, Range):
                    self.counting[name] = item
        return found

    def shift(self, node: Einsum, names: Sequence[str], gone: set[int]) -> set[int]:
        """Factors that only shift a subscript that counts, which is then written so."""
        counts = Counts(label for own in node.labels for label in own)
        found: set[int] = set()
        for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
            if not is_shift(node, operand, labels, counts) or labels[0] in gone:
                continue
            if isinstance(operand, Section) and names[labels[1]] in self.shifted:
                letter, start = self.shifted[names[labels[1]]]
                self.shifted[names[labels[0]]] = letter, start + operand.offset.constant
                found.add(k)
                gone.add(labels[0])
        return found

    def joined(self, above: Sequence[Entry], below: Sequence[Sequence[Entry]]) -> Entry:
        """Factors over divisors, each group of which stands in a place of its own."""
        counts: Counts[str] = Counts()
        for entry in above:
            counts.update(entry.counts)
        shown, binds = above[0].text if above else ("1", ATOM)
        if len(above) > 1:
            factors = [self.fit(entry.text, NEGATION) for entry in above]
            shown, binds = self.style.times.join(factors), PRODUCT
        elif below and self.style.is_read_back:
            shown = self.fit((shown, binds), PRODUCT)
        closed = frozenset[str]()
        for group in below:
            is_whole = len(group) == 1 and not self.style.is_read_back
            divisors = [self.fit(entry.text, COMPARE if is_whole else POSTFIX) for entry in group]
            grouped = self.style.times.join(divisors)
            if len(group) > 1 and self.style.is_read_back:
                grouped = self.style.group(grouped)
            shown, binds = self.style.quotient(shown, grouped), PRODUCT
            divided = Counts(name for entry in group for name in entry.counts.elements())
            counts.update(divided.keys())
            closed |= {name for name, c in divided.items() if c > 1}
        entries = [*above, *chain.from_iterable(below)]
        closed = closed.union(*[entry.closed for entry in entries])
        return Entry((shown, binds), counts, closed)

    def summed_alone(
        self, above: Sequence[Entry], below: Sequence[Entry], names: Sequence[str]
    ) -> list[Entry]:
        """The factors, each summed over those of the names that stand in no other."""
        total: Counts[str] = Counts()
        for entry in (*above, *below):
            total.update(entry.counts)
        alone = {name for name in names if total[name] == 1}
        result: list[Entry] = []
        for entry in above:
            own = [name for name in entry.counts if name in alone]
            if own:
                left = [name for name in entry.counts if name not in alone]
                found = self.enclosed(self.style.total(own, entry.text[0]), [entry], left)
                entry = replace(found, closed=found.closed.difference(own))
            result.append(entry)
        return result

    def summed_over(self, names: Sequence[str], entry: Entry, axes: Sequence[str]) -> Entry:
        """The product with those sums said that the language would not make by itself."""
        names = [name for name in names if name in entry.counts]
        explicit = [n for n in names if entry.counts[n] < 2 or n in entry.closed]
        if not explicit:
            return entry
        return self.enclosed(self.style.total(explicit, entry.text[0]), [entry], axes)

    def merged(self, piece: Merged, names: Sequence[str], place: Place) -> Steps[Entry]:
        """Merged axes with what stands at their parts."""
        heads = [names[label] for label in piece.labels]
        if len(heads) == 2 and [name for name in place.order if name in heads] == heads[::-1]:
            piece, heads = piece.transposed, heads[::-1]
        parts: list[Entry] = []
        for part in piece.parts:
            own = tuple([names[label] for label in part.own])
            if isinstance(part.factor, Delta):
                parts.append(Entry((self.style.identity(self.size(part.size)), ATOM), Counts()))
            elif part.factor is not None:
                at = tuple([names[label] for label in part.labels])
                shown: Entry = yield self.whole(part.factor, at, own, place)
                if piece.is_row and len(own) == 1:
                    row = self.style.transpose(self.fit(shown.text, ATOM))
                    shown = replace(shown, text=(row, POSTFIX))
                parts.append(shown)
            else:
                counts = _names(own)
                text = self.unit_vector(part.size, own[0], place), SUM
                parts.append(Entry(text, counts, frozenset(counts)))
        call = self.style.call(piece.function, [part.text[0] for part in parts])
        text = self.style.entry(call, self.at(heads)), ATOM
        counts = Counts(dict.fromkeys([n for part in parts for n in part.counts], 1))
        closed = frozenset[str]().union(*[part.closed for part in parts])
        return Entry(text, counts + self.named(heads), closed)

    def raised(self, base: Entry, exponent: Fraction, axes: Sequence[str]) -> Entry:
        """A factor to a positive power other than 1, which is a place of its own."""
        if exponent == 1:
            return base
        if exponent == HALF:
            return self.enclosed(self.style.call("sqrt", [base.text[0]]), [base], axes)
        shown = self.exponent(self.style.number(exponent))
        text = self.style.power(self.fit(base.text, ATOM), shown)
        return self.enclosed(text, [base], axes, POSTFIX)

    # ── sums and functions ───────────────────────────────────────────────────────────────────

    def sum(self, node: Add, axes: tuple[str, ...], place: Place) -> Steps[Entry]:
        alone = len(node.operands) == 1
        here = place.knowing(n for operand in node.operands for n in self.told_by(operand, axes))
        entries: list[Entry] = []
        for operand in node.operands:
            inner = yield self.entry(operand, axes, here if alone else replace(here, order=axes))
            entries.append(inner)
            here = here.knowing(self.told_names(inner.counts))
        terms = list(zip(node.coefficients, node.operands, entries, strict=True))
        if not alone:
            # a term whose names come in the order of the axes stands first
            found = list(dict.fromkeys(n for entry in entries for n in entry.order(axes)))
            if found != list(axes):
                terms.sort(key=lambda term: _misplaced(term[2].order(axes), axes))
            nodes, entries = [o for _, o, _ in terms], [entry for _, _, entry in terms]
            entries = self.settled(nodes, entries, node.dims, axes)
            terms = [(c, o, entry) for (c, o, _), entry in zip(terms, entries, strict=True)]
        pieces = [self.term(c, o, entry.text, k) for k, (c, o, entry) in enumerate(terms)]
        if alone:
            return replace(entries[0], text=("".join(pieces), PRODUCT))
        entry = self.enclosed("".join(pieces), entries, axes, SUM)
        sets = {frozenset(term.order(axes)) for term in entries if term.order(axes)}
        if len(sets) > 1:  # terms with different indices need them bound
            entry = replace(entry, closed=entry.closed.union(*sets))
        return entry

    def term(self, coefficient: Fraction, operand: Node, shown: Text, place: int) -> str:
        """A term of a sum, after its sign."""
        magnitude = abs(coefficient)
        if canonical.as_number(operand) == 1:
            shown = self.style.number(magnitude)
        elif magnitude != 1:
            number = self.fit(self.style.number(magnitude), PRODUCT)
            shown = f"{number}{self.style.times}{self.fit(shown, PRODUCT)}", PRODUCT
        if place:
            return (" - " if coefficient < 0 else " + ") + self.fit(shown, PRODUCT)
        # a sign must not tear the names of a derivative apart
        torn = coefficient == -1 and isinstance(operand, Unknown)
        return "-" * (coefficient < 0) + self.fit(shown, NEGATION if torn else PRODUCT)

    def map(self, node: Map, axes: tuple[str, ...], place: Place) -> Steps[Entry]:
        here = place.inside((), axes).knowing(
            n for operand in node.operands for n in self.told_by(operand, axes)
        )
        entries: list[Entry] = []
        for operand in node.operands:
            entries.append((yield self.entry(operand, axes, here)))
        entries = self.settled(node.operands, entries, node.dims, axes)
        texts = [entry.text for entry in entries]
        if node.function == "pow":
            return self.power(node, entries, axes)
        if node.function in OPERATORS:
            operator = self.style.compare[node.function]
            shown = f"{self.fit(texts[0], SUM)} {operator} {self.fit(texts[1], SUM)}"
            return self.enclosed(shown, entries, axes, COMPARE)
        shown = self.style.call(node.function, [shown for shown, _ in texts])
        return self.enclosed(shown, entries, axes)

    def power(self, node: Map, entries: Sequence[Entry], axes: Sequence[str]) -> Entry:
        base, exponent = entries
        number = canonical.as_number(node.operands[1])
        if number is None or is_one_over_square(node):
            text = self.style.power(self.fit(base.text, ATOM), self.exponent(exponent.text))
            return self.enclosed(text, entries, axes, POSTFIX)
        if number > 0:
            return self.raised(base, number, axes)
        below = self.raised(base, -number, axes)
        divisor = below.text[0]
        if self.style.is_read_back:
            divisor = self.fit(below.text, POSTFIX)
        text = self.style.quotient("1", divisor)
        return self.enclosed(text, [below], axes, PRODUCT)

    def argument(
        self,
        node: Node,
        axes: Sequence[str],
        order: Sequence[str],
        batch: int,
        place: Place,
        *,
        skip: bool = False,
    ) -> Steps[Entry]:
        """The entry at `axes` with all names, in such an `order` that the parser finds the node.

        It turns the axes of what is no product as it needs, except for those of the `batch`.
        """
        here = replace(place, order=tuple(order))
        inner: Entry = yield self.entry(node, tuple(axes), here, skip)
        if not is_product(node):
            order = order[:batch]
        dims = [node.dims[axes.index(axis)] for axis in order]
        (inner,) = self.settled([node], [inner], tuple(dims), order)
        return replace(inner, text=self.complete(inner, node.dims, axes))

    def whole(
        self, node: Node, axes: Sequence[str], own: Sequence[str], place: Place
    ) -> Steps[Entry]:
        """A whole argument: of the node at `axes`, the axes `own` in this order.

        The other axes stay indices, which must be bound further out.
        """
        constant = free_axes(node) & {k for k, axis in enumerate(axes) if axis not in own}
        node = canonical.without_axes(node, constant)
        axes = [axis for k, axis in enumerate(axes) if k not in constant]
        others = [axis for axis in axes if axis not in own]
        rows = self.rows(node) if isinstance(node, Add) and list(axes) == list(own) else None
        if rows is not None:
            return Entry((rows, ATOM), Counts())
        if not others and not node.counters and len(self.told_by(node, axes)) == node.rank:
            labels = tuple([own.index(axis) for axis in axes])
            dims = [node.dims[axes.index(axis)] for axis in own]
            turned = canonical.einsum(node.rank, dims, [(node, labels)])
            shown = self.whole_text(turned) if self.whole_text else None
            if shown is not None and _is_read_back(shown, node):
                return Entry((shown, ATOM if ATOMIC.fullmatch(shown) else COMPARE), Counts())
        inner: Entry
        inner = yield self.argument(node, axes, [*others, *own], len(others), place.inside(own))
        result = self.enclosed(self.style.arrow(inner.text[0], own), [inner], others, COMPARE)
        return replace(result, closed=result.closed.difference(own).union(others))

    def matrix_function(
        self, node: MatrixFunction, axes: tuple[str, ...], place: Place
    ) -> Steps[Entry]:
        batch, rest = axes[: repeated_over(node)], axes[repeated_over(node) :]
        here = place.inside(axes, batch).knowing(
            n for operand in node.operands for n in self.told_by(operand, axes) if n in batch
        )
        operand, *parameters = node.operands
        inner = tuple(self.free(here.used, operand.rank - len(batch)))
        if node.function in REDUCTIONS:
            all_axes = (*batch, *inner)
            body: Entry
            body = yield self.argument(operand, all_axes, all_axes, len(batch), here.inside(inner))
            text = body.text[0]
            found = self.enclosed(
                self.style.reduction(node.function, inner[0], text), [body], batch
            )
            return replace(found, closed=found.closed.difference(inner))
        argument: Entry = yield self.whole(operand, (*batch, *inner), inner, here)
        shown = self.style.call(node.function + "'" * node.order, [argument.text[0]])
        entries = [argument]
        for parameter in parameters:  # an exponent
            exponent: Entry = yield self.entry(parameter, batch, here)
            entries.append(exponent)
            power = self.style.power(self.fit(argument.text, ATOM), self.exponent(exponent.text))
            shown = self.style.group(power)
        entry = self.enclosed(self.style.entry(shown, self.at(rest)), entries, batch)
        return replace(entry, counts=entry.counts + self.named(rest))

    def unknown(self, node: Unknown, axes: tuple[str, ...], place: Place) -> Steps[Entry]:
        batch, rest = axes[: node.batch], axes[node.batch :]
        name, is_applied = unknown_text(node)
        arguments: list[Entry] = []
        here = place.inside(axes, batch).knowing(
            n for operand in node.operands for n in self.told_by(operand, axes) if n in batch
        )
        for operand in node.operands if is_applied else ():
            inner = tuple(self.free(here.used, operand.rank - len(batch)))
            if inner:
                arguments.append((yield self.whole(operand, (*batch, *inner), inner, here)))
            else:
                arguments.append((yield self.entry(operand, batch, here)))
        if all(operand.rank == node.batch for operand in node.operands) and arguments:
            arguments = self.settled(node.operands, arguments, node.dims, batch)
        shown = self.style.unknown(name, [entry.text[0] for entry in arguments], self.at(rest))
        binds = PRODUCT if "/" in name and not rest else ATOM
        entry = self.enclosed(shown, arguments, batch, binds)
        return replace(entry, counts=entry.counts + self.named(rest))

    def range_sum(self, node: RangeSum, axes: tuple[str, ...], place: Place) -> Steps[Entry]:
        ends: list[Entry] = []
        for end in node.counter.operands:
            ends.append((yield self.entry(end, (), place)))
        body: Entry = yield self.entry(node.operands[0], axes, replace(place, order=axes))
        (body,) = self.settled(node.operands[:1], [body], node.dims, axes)
        low, high = [end.text[0] for end in ends]
        letter = self.counters[node.counter.level]
        shown = self.style.range_total(letter, low, high, body.text[0])
        return self.enclosed(shown, [*ends, body], axes)


def _names(axes: Iterable[str]) -> Counts[str]:
    """The index names among subscripts."""
    return Counts([axis for axis in axes if axis.isidentifier()])


def _is_enclosed(shown: str, opening: str, closing: str) -> bool:
    """Whether a text starts with an opening bracket that its end closes."""
    marks = re.findall(f"{re.escape(opening)}|{re.escape(closing)}", shown)
    depths = list(accumulate([1 if mark == opening else -1 for mark in marks]))
    is_whole = shown.startswith(opening) and shown.endswith(closing)
    return is_whole and 0 not in depths[:-1]


def _is_read_back(shown: str, node: Node) -> bool:
    """Whether a whole text says sizes, and neither transposes a product nor squares a sum."""
    if UNSIZED.search(shown) or (shown.endswith(")'") and is_product(node)):
        return False
    powers = [p for p in postorder([node]) if isinstance(p, Map) and p.function == "pow"]
    return not any(map(is_one_over_square, powers))


def _misplaced(found: Sequence[str], axes: Sequence[str]) -> int:
    """How many of the first axes must be named before the names `found` for the right order."""
    return next(
        k for k in range(len(axes) + 1)
        if [*axes[:k], *[name for name in found if name not in axes[:k]]] == list(axes)
    )  # fmt: skip


def _in_order(entries: Sequence[Entry], axes: Sequence[str]) -> list[Entry]:
    """Factors in an order in which the names of axes come in theirs, as far as there is one."""
    result: list[Entry] = []
    left = list(entries)
    waiting = list(axes)
    while left:
        found = [[n for n in entry.order(axes) if n in waiting] for entry in left]
        fits = [k for k, new in enumerate(found) if new == waiting[: len(new)]]
        k = fits[0] if fits else min(range(len(left)), key=lambda k: waiting.index(found[k][0]))
        waiting = [name for name in waiting if name not in found[k]]
        result.append(left.pop(k))
    return result
