"""IR -> index notation: entries and Einstein's summation, with an arrow that names the axes.

Every node has this form. A label is summed silently only where the language would sum it at
exactly that place; else an explicit ``sum[k](…)`` binds it. Shared parts of a long result are
defined first.

The text, read again, is equal to the node. A constant says its size where nothing beside it does,
and stands only for an axis that occurs nowhere else. `index_form.py` prepares nodes for it; this is
the last of three layers, upon `index_writer.py` and `index_products.py`.
"""

from __future__ import annotations

import re
from collections import Counter as Counts
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.functions import OPERATORS
from tensorcalc.ir import (
    Add,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    RangeSum,
    Unknown,
)
from tensorcalc.printing.axes import repeated_over
from tensorcalc.printing.index_entry import (
    Entry,
    Place,
    is_call,
    is_enclosed,
    is_read_back,
    shown_length,
)
from tensorcalc.printing.index_factor import is_matrix_sum
from tensorcalc.printing.index_helpers import planned_helpers
from tensorcalc.printing.index_order import in_term_order
from tensorcalc.printing.index_parts import Part
from tensorcalc.printing.index_products import IndexProducts
from tensorcalc.printing.index_style import (
    LATEX as LATEX,
    TEXT as TEXT,
    IndexStyle as IndexStyle,
)
from tensorcalc.printing.products import divisor, has_one_term_each, is_one_over_square
from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM, Text
from tensorcalc.recognize import unknown_text
from tensorcalc.reductions import REDUCTIONS
from tensorcalc.traverse import Steps, trampoline
from tensorcalc.views import free_axes

ATOMIC = re.compile(r"\\?\w+(\{\w+\})?")  # a name, also in LaTeX
BARE_EYE = re.compile(r"\beye\b(?!\()")


class IndexPrinter(IndexProducts):
    """Writes entries of nodes; `helpers` collects definitions of shared parts, in order."""

    def __init__(
        self,
        roots: Sequence[Node],
        style: IndexStyle,
        size_text: Callable[[Dim], str | None],
        whole_text: Callable[[Node], str | None] | None = None,
        names: dict[Node, str] | None = None,
        part: Part | None = None,
    ) -> None:
        super().__init__(roots, style, size_text, whole_text, names)
        self.part, self.roots = part, frozenset(roots)
        self.helpers = planned_helpers(roots, self.names, self.taken, part)
        self.names.update({node: name for name, node in self.helpers})

    def axes(self, node: Node) -> list[str]:
        """Names for the axes of a root."""
        return self.free(frozenset(), node.rank)

    def definition(self, name: str, node: Node) -> str:
        """A helper's definition as a program line."""
        axes = self.axes(node)
        place = Place(frozenset(axes))
        entry = trampoline(self.argument(node, axes, axes, place, skip=True))
        return f"{self.style.entry(name, axes)} = {entry.text[0]}"

    def line(self, node: Node, axes: Sequence[str]) -> str:
        """The entry of `node` at `axes`."""
        place = Place(frozenset(axes), order=tuple(axes))
        entry = trampoline(self.entry(node, tuple(axes), place))
        return self.complete(entry, node.dims, axes)[0]

    # ── entries ──────────────────────────────────────────────────────────────────────────────

    def entry(
        self, node: Node, axes: tuple[str, ...], place: Place, skip: bool = False
    ) -> Steps[Entry]:
        """The entry at `axes`: as a product of entries, or of the whole where this is shorter."""
        whole = None if skip or node in self.names else self.of_whole(node, axes)
        if whole is not None and isinstance(node, Einsum):
            return whole
        found: Entry = yield self.by_entries(node, axes, place, skip)
        if whole is None or shown_length(whole.text[0]) >= shown_length(found.text[0]):
            return found
        return whole

    def of_whole(self, node: Node, axes: tuple[str, ...]) -> Entry | None:
        """The entry of a function of whole arrays, or of a product of them: ``(A*x)[i]``."""
        if self.part is None or not node.operands or node in self.roots:
            return None
        if isinstance(node, Add) and not self.is_whole_sum(node):
            return None
        if isinstance(node, Einsum) and len(node.sizes) == node.rank > 0:
            return None
        shown = self.part(node)
        if shown is None:
            return None
        is_name = ATOMIC.fullmatch(shown) or is_call(shown)
        if not axes:
            return Entry((shown, ATOM if is_name else COMPARE), Counts())
        grouped = shown if is_name else self.style.group(shown)
        return self.one(self.style.entry(grouped, self.at(axes)), axes)

    def is_whole_sum(self, node: Add) -> bool:
        """Whether a sum is written whole: one of products, as a residual is."""
        is_plain = not any(isinstance(operand, Einsum) for operand in node.operands)
        return not is_plain and is_matrix_sum(node)

    def is_bracketed(self, node: Node) -> bool:
        """Whether a factor is a sum of entries, or a function of sums or products of entries."""
        if node in self.names:
            return False
        if isinstance(node, Map) and self.part is not None:
            return self.part(node) is None and not divisor(node)[1] and bool(node.rank)
        if not isinstance(node, Add) or len(node.operands) < 2:
            return False
        return self.part is None or not self.is_whole_sum(node) or self.part(node) is None

    def by_entries(
        self, node: Node, axes: tuple[str, ...], place: Place, skip: bool
    ) -> Steps[Entry]:
        """The entry at `axes` as entries of operands."""
        style = self.style
        found: Entry
        if node in self.names and not skip:
            return self.one(style.entry(self.names[node], self.at(axes)), axes)
        value = canonical.as_number(node)
        if value is not None:
            return Entry(style.number(value), Counts())
        if isinstance(node, Add):
            rows = self.rows(node)
            if rows is not None:
                return self.one(style.entry(rows, self.at(axes)), axes)
        outer = axes[: repeated_over(node)]
        is_nested, place = isinstance(node, Einsum) and place.is_factor, place.whole()
        # such as a diagonal, or a product that stays one
        if style.is_read_back and (is_nested or not self.is_plain(outer)):
            letters = tuple(self.free(place.used, node.rank))
            here = place.inside(letters)
            found = yield self.argument(node, letters, letters, here, skip=skip)
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
        if shown is None or not is_enclosed(shown, *self.style.brackets):
            return None
        return shown if is_read_back(shown) and not BARE_EYE.search(shown) else None

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
            terms = in_term_order(terms, axes)
            entries = [entry for _, _, entry in terms]
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
        place: Place,
        *,
        skip: bool = False,
    ) -> Steps[Entry]:
        """The entry at `axes` with all their names, as far as that goes in such an `order`."""
        here = replace(place, order=tuple(order))
        inner: Entry = yield self.entry(node, tuple(axes), here, skip)
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
            if shown is not None and is_read_back(shown):
                return Entry((shown, ATOM if ATOMIC.fullmatch(shown) else COMPARE), Counts())
        inner: Entry
        inner = yield self.argument(node, axes, [*others, *own], place.inside(own))
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
            body = yield self.argument(operand, all_axes, all_axes, here.inside(inner))
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
        shown = self.style.unknown(name, [entry.text[0] for entry in arguments], self.at(rest))
        is_quotient = "/" in name and (not rest or self.style.is_read_back)
        binds = NEGATION if is_quotient else ATOM
        entry = self.enclosed(shown, arguments, batch, binds)
        return replace(entry, counts=entry.counts + self.named(rest))

    def range_sum(self, node: RangeSum, axes: tuple[str, ...], place: Place) -> Steps[Entry]:
        ends: list[Entry] = []
        for end in node.counter.operands:
            ends.append((yield self.entry(end, (), place)))
        body: Entry = yield self.entry(node.operands[0], axes, replace(place, order=axes))
        low, high = [end.text[0] for end in ends]
        letter = self.counters[node.counter.level]
        shown = self.style.range_total(letter, low, high, body.text[0])
        return self.enclosed(shown, [*ends, body], axes)
