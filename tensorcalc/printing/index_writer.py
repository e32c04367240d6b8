"""Names, sizes and subscripts of index notation, and the entries of nodes without operands.

The first of three layers: `index_products.py` and `index.py` are written upon it.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice

from tensorcalc.dims import Dim, Dims
from tensorcalc.ir import (
    Basis,
    Constant,
    Counter,
    Data,
    Delta,
    LeviCivita,
    Merge,
    Node,
    Range,
    Section,
    Size,
    Unknown,
    Variable,
    sizes_of,
)
from tensorcalc.printing.axes import Counted, told_axes
from tensorcalc.printing.index_entry import Entry, Place, names_of
from tensorcalc.printing.index_style import IndexStyle, letters, numbered, shown_size
from tensorcalc.printing.products import UNIT
from tensorcalc.printing.render import ATOM, NEGATION, PRODUCT, Text
from tensorcalc.traverse import fold, postorder, variables

LETTERS = "ijklpqrstuvmnabcdefgh"
COUNTERS = "rstuvpqijkl"


class IndexWriter:
    """What all entries of one text share: its notation, its names, what is known of nodes."""

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
        self.taken = taken | set(self.counters) | set((names or {}).values())
        constants = dict.fromkeys(node for node in order if isinstance(node, Data))
        self.data = dict(zip(constants, numbered("C", taken), strict=False))
        self.told: dict[Node, frozenset[int]] = {}
        self.along: dict[Node, Counted] = {}
        self.counting: dict[str, Range] = {}  # indices that stand for numbers, too
        # indices that an explicit sum counts, and the subscripts that they stand for
        self.shifted: dict[str, tuple[str, int]] = {}
        self.subscripts: set[str] = set()  # names that have stood in a subscript
        self.names = dict(names or {})

    def free(self, used: frozenset[str], number: int) -> list[str]:
        """Index names that stand neither around nor for a variable."""
        return list(islice(letters(LETTERS, used | self.taken), number))

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
        return names_of(self.shifted.get(axis, (axis, 0))[0] for axis in axes)

    def one(self, shown: str, axes: Iterable[str], closed: Iterable[str] = ()) -> Entry:
        """The entry of one name, or of a whole expression, with these subscripts."""
        return Entry.of(shown, self.named(axes), closed)

    def is_plain(self, names: Sequence[str]) -> bool:
        """Whether names are different indices, none of them a number or a shifted one."""
        letters = [self.shifted.get(name, (name, 0))[0] for name in names]
        return letters == list(names) and len(names_of(names)) == len(names)

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
        return replace(self.one(text[0], axes), closed=entry.closed.difference(names))

    def enclosed(
        self, text: str, entries: Sequence[Entry], axes: Sequence[str], place: int = ATOM
    ) -> Entry:
        """A text around entries at `axes` that are places of their own."""
        counts = Counts(dict.fromkeys([n for entry in entries for n in entry.order(axes)], 1))
        repeated = {n for entry in entries for n in entry.order(axes) if entry.counts[n] > 1}
        closed = frozenset(repeated).union(*[entry.closed for entry in entries])
        return Entry((text, place), counts, closed)

    # ── nodes without operands ───────────────────────────────────────────────────────────────

    def leaf(self, node: Node, axes: tuple[str, ...], place: Place) -> Entry:
        style = self.style
        text, closed = "", frozenset[str]()
        match node:
            case Variable() | Constant():
                text = style.entry(node.name, self.at(axes))
            case Data():
                text = style.entry(self.data[node], self.at(axes))
            case Size():
                text = style.entry(self.size(node.dim) or f"dim({node.dim})", [])
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
                closed = frozenset(names_of(axes[1:]))
            case Section():
                text, closed = self.section(node, axes, place)
            case Range():
                text = self.range(node, axes[0], place)
            case _:
                raise TypeError(f"no such node: {node!r}")
        return Entry.of(text, self.named(axes), closed, isinstance(node, Delta))

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
        return shown, frozenset(names_of(axes[1:]))

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
        return shown, frozenset(names_of(axes[1:]))

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
