"""An entry as text, and where it stands: what the writers of index notation hand one another."""

from __future__ import annotations

import re
from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from tensorcalc.printing.render import ATOM, Text

MARKS = re.compile(r"\\[a-z]+|[{}\\]")  # of LaTeX, which take no room
UNSIZED = re.compile(r"\b(vector|matrix)\([^,()]*\)")


@dataclass(frozen=True, slots=True)
class Entry:
    """The text of a node's entry.

    `counts` are the occurrences of index names that an enclosing product sees, in the order of
    the text; `closed` are the names that it must bind explicitly. By the names in the first factor
    that has any, `head`, by its length, `width`, and by the number of deltas terms are sorted.
    """

    text: Text
    counts: Counts[str]
    closed: frozenset[str] = frozenset()
    head: tuple[str, ...] = ()
    width: int = 0
    deltas: int = 0
    is_delta: bool = False  # whether the first factor is one

    @staticmethod
    def of(shown: str, named: Counts[str], closed: Iterable[str] = (), deltas: int = 0) -> Entry:
        """An entry that is one name with its subscripts."""
        return Entry(
            (shown, ATOM), named, frozenset(closed), tuple(named), len(shown), deltas, deltas > 0
        )

    @property
    def leads(self) -> tuple[tuple[str, ...], int]:
        """The names in the first factor that has any, and its length."""
        return (self.head, self.width) if self.head else (tuple(self.counts), len(self.text[0]))

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


def names_of(axes: Iterable[str]) -> Counts[str]:
    """The index names among subscripts."""
    return Counts([axis for axis in axes if axis.isidentifier()])


def is_enclosed(shown: str, opening: str, closing: str) -> bool:
    """Whether a text starts with an opening bracket that its end closes."""
    marks = re.findall(f"{re.escape(opening)}|{re.escape(closing)}", shown)
    depths = list(accumulate([1 if mark == opening else -1 for mark in marks]))
    is_whole = shown.startswith(opening) and shown.endswith(closing)
    return is_whole and 0 not in depths[:-1]


def is_read_back(shown: str) -> bool:
    """Whether a whole text says the sizes of all its constants."""
    return not UNSIZED.search(shown)


def is_call(shown: str) -> bool:
    """Whether a text is a function of something, and nothing beside it."""
    name, bracket, rest = shown.partition("(")
    return name.isidentifier() and is_enclosed(bracket + rest, "(", ")")


def shown_length(shown: str) -> int:
    r"""How long a text looks, in every notation about the same.

    >>> shown_length(r"X^{-1}"), shown_length(r"\left(X\right)")
    (4, 3)
    """
    return len(MARKS.sub("", shown))
