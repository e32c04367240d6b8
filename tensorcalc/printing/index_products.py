"""Products in index notation: the factors of a contraction, in the order of the reader.

The second of three layers, between `index_writer.py` and `index.py`.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain

from tensorcalc.dims import Dim
from tensorcalc.elaborate.range_calls import MAX_WRITTEN_SUM
from tensorcalc.ir import Basis, Delta, Einsum, Labels, Merge, Node, Range, Section
from tensorcalc.printing.axes import counted_axes, counted_labels, is_shift, told_labels
from tensorcalc.printing.index_entry import Entry, Place, names_of
from tensorcalc.printing.index_order import in_reading_order
from tensorcalc.printing.index_writer import IndexWriter
from tensorcalc.printing.products import (
    Merged,
    divisor,
    fixed_labels,
    grouped_factors,
    lone_units,
    merged_factors,
)
from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM
from tensorcalc.traverse import Steps, fold

HALF = Fraction(1, 2)
Grouped = tuple[Node, Labels, int]  # a factor, its labels, how often it stands there


class IndexProducts(IndexWriter):
    """Writes contractions; `entry` writes their factors."""

    def entry(
        self, node: Node, axes: tuple[str, ...], place: Place, skip: bool = False
    ) -> Steps[Entry]:
        """The entry of any node at `axes`."""
        raise NotImplementedError

    def is_bracketed(self, node: Node) -> bool:
        """Whether a factor is a sum of entries in brackets."""
        raise NotImplementedError

    def whole(
        self, node: Node, axes: Sequence[str], own: Sequence[str], place: Place
    ) -> Steps[Entry]:
        """A whole argument: of the node at `axes`, the axes `own` in this order."""
        raise NotImplementedError

    def product(self, node: Einsum, axes: tuple[str, ...], place: Place) -> Steps[Entry]:
        """The entry of a contraction."""
        style = self.style
        fixed = fixed_labels(node)  # summed with a unit vector: an integer subscript
        pieces = merged_factors(node)
        inside = {k for piece in pieces for part in piece.parts for k in part.members}
        gone = {a for piece in pieces for part in piece.parts for a in part.gone}.union(fixed)
        alone = lone_units(node)  # a scalar among blocks
        gone.update(alone)
        factors = grouped_factors(node, inside, place.order == axes != ())
        factors = [f for f in factors if not (isinstance(f[0], Basis) and f[1][0] in fixed)]
        factors, dividing, pieces = self.sorted_factors(node, factors, pieces, axes, place)
        own = [labels for _, labels, _ in (*factors, *dividing)]
        names = self.named_labels(node, axes, own, place, fixed, alone)
        counted = self.count_along(node, names, gone)
        hidden = self.shift(node, names, gone)
        told = told_labels(node, [self.told_axes(operand) for operand in node.operands])
        here = place.inside(names, place.order)
        here = here.knowing(self.told_names(names[label] for label in told))
        above: list[Entry] = []
        below: list[Entry] = []
        sums: list[Entry] = []  # divisors that are sums over indices
        inner: Entry
        for operand, labels, times in factors:
            if any(node.operands[k] is operand and node.labels[k] == labels for k in hidden):
                continue
            if isinstance(operand, Merge):  # where it stands in the order
                above.append((yield self.merged(pieces.pop(0), names, here)))
                continue
            at = tuple([names[a] for a in labels])
            inner = yield self.entry(operand, at, replace(here, is_factor=True))
            inner = self.raised(inner, Fraction(times), at)
            above.append(inner)
            here = here.knowing(self.told_names(inner.counts))
        for operand, labels, times in dividing:
            at = tuple([names[a] for a in labels])
            base, exponent = divisor(operand)
            inner = yield self.entry(base, at, replace(here, order=at))
            is_alone = isinstance(base, Einsum) and style.is_read_back
            (sums if is_alone else below).append(self.raised(inner, exponent * times, at))
        covered = {name for entry in (*above, *below, *sums) for name in entry.counts}
        summed = [a for a in range(node.rank, len(names)) if a not in gone]
        for label in summed:
            if names[label] not in (self.subscripts if label in counted else covered):
                text = self.unit(node.sizes[label], names[label])
                above.append(Entry.of(text, names_of([names[label]])))
        divisors = [[*below]] * bool(below) + [[entry] for entry in sums]
        lone = [names[a] for a in summed if a not in counted]
        if len(above) > 1:
            above = self.summed_alone(above, [*below, *sums], lone)
        entry = self.summed_over(lone, self.joined(above, divisors), axes)
        for label, start in counted.items():
            shown = self.counted(names[label], start, node.sizes[label], entry.text[0])
            entry = self.enclosed(shown, [entry], axes)
        for label in (*counted, *gone):
            self.shifted.pop(names[label], None)
            self.counting.pop(names[label], None)
        return entry

    def sorted_factors(
        self,
        node: Einsum,
        factors: Sequence[Grouped],
        pieces: Sequence[Merged],
        axes: Sequence[str],
        place: Place,
    ) -> tuple[list[Grouped], list[Grouped], list[Merged]]:
        """The factors and the merged axes among them as they are read, and the divisors."""
        above = [factor for factor in factors if not divisor(factor[0])[1]]
        below = [factor for factor in factors if divisor(factor[0])[1]]
        merges: list[Grouped] = [(node.operands[p.merges[0]], p.labels, 1) for p in pieces]
        wanted = [axis for axis in place.order if axis in axes] or list(axes)
        places = {k: wanted.index(axis) for k, axis in enumerate(axes) if axis in wanted}
        every = [*above, *merges]
        order = in_reading_order(
            [(o, labels, self.is_bracketed(o)) for o, labels, _ in every], places
        )
        sorted_pieces = [pieces[k - len(above)] for k in order if k >= len(above)]
        return [every[k] for k in order], below, sorted_pieces

    def named_labels(
        self,
        node: Einsum,
        axes: Sequence[str],
        factors: Sequence[Labels],
        place: Place,
        fixed: Mapping[int, int],
        alone: Sequence[int],
    ) -> list[str]:
        """Names for all labels: of axes, of what is summed in the order of the factors."""
        names = [*axes, *[""] * (len(node.sizes) - node.rank)]
        for label, position in fixed.items():
            names[label] = str(position)
        counts = Counts(label for labels in node.labels for label in labels)
        pairs = zip(node.operands, node.labels, strict=True)
        shifts = {labels[0] for o, labels in pairs if is_shift(node, o, labels, counts)}
        order = [*chain.from_iterable(factors), *range(len(names))]
        order = sorted(order, key=shifts.__contains__)  # what is written as k+1 needs no letter
        order = [a for a in dict.fromkeys(order) if not names[a] and a >= node.rank]
        order = [a for a in order if a not in alone]
        for label, letter in zip(order, self.free(place.used, len(order)), strict=True):
            names[label] = letter
        return names

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
        first = next((entry for entry in above if entry.counts), None)
        head, width = first.leads if first else ((), 0)
        is_delta = first is not None and first.is_delta
        deltas = sum(entry.deltas for entry in above)
        return Entry((shown, binds), counts, closed, head, width, deltas, is_delta)

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
            elif part.factor is not None and (len(own) > 1 or not own[0].isdigit()):
                at = tuple([names[label] for label in part.labels])
                shown: Entry = yield self.whole(part.factor, at, own, place)
                if piece.is_row and len(own) == 1:
                    row = self.style.transpose(self.fit(shown.text, ATOM))
                    shown = replace(shown, text=(row, POSTFIX))
                parts.append(shown)
            else:  # a unit vector, scaled by the entry at its place
                counts = names_of(own)
                unit = self.unit_vector(part.size, own[0], place)
                shown = Entry((unit, SUM), counts, frozenset(counts))
                if part.factor is not None and not isinstance(part.factor, Basis):
                    at = tuple([names[label] for label in part.labels])
                    scale: Entry = yield self.entry(part.factor, at, place)
                    scaled = self.fit(scale.text, PRODUCT) + self.style.times + unit
                    closed = scale.closed.union(counts)
                    shown = Entry((scaled, SUM), scale.counts + counts, closed)
                parts.append(shown)
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
