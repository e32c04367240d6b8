"""The user's wording in; the order of factors and terms, and the sums to keep, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from tensorcalc.matrix_algebra.expression import Matrix, Term

MAX_FACTORED = 24  # longer sums are printed as they are
MAX_SKETCHED = 200  # parts of a term that are looked through for its first names


@dataclass(frozen=True, slots=True)
class Wording:
    """How the user's text writes: which names come first, and the sums, by key, that it has."""

    order: Mapping[str, int] = field(default_factory=dict)
    sums: frozenset[bytes] = frozenset()
    # sums that have been factored in this wording, by their terms
    factored: dict[frozenset[tuple[Fraction, bytes]], Matrix] = field(
        default_factory=dict, compare=False, repr=False
    )


PLAIN = Wording()  # where nothing is said; it remembers nothing, as formulas come and go
_WORDING = ContextVar("wording", default=PLAIN)


@contextmanager
def worded(wording: Wording) -> Iterator[None]:
    """Within, expressions are built in the user's wording where there is a choice."""
    token = _WORDING.set(wording)
    try:
        yield
    finally:
        _WORDING.reset(token)


def current_wording() -> Wording:
    """The wording that expressions are built in."""
    return _WORDING.get()


def is_written(x: Matrix) -> bool:
    """Whether the user's text has the sum, in this sign and this way round."""
    return x.key in current_wording().sums


@lru_cache(maxsize=4096)
def sketch(term: Matrix) -> str:
    """A short text to order terms by: the first names, transposed ones later."""
    words: list[str] = []
    stack = [term]
    for _ in range(MAX_SKETCHED):
        if not stack or len(words) == 6:
            break
        x = stack.pop()
        if x.op == "name":
            words.append(str(x.data))
        elif x.op == "transpose":
            words.append("~")
        elif x.op == "entry" and x.args[0].op == "name":
            words.append(f"{x.args[0].data}[{x.data}]")
            continue
        stack.extend(reversed(x.args))
    return " ".join(words)


def appearance(words: str) -> int:
    """Where the first name of a sketch stands in the user's text."""
    order = current_wording().order
    name_, _, _ = words.replace("~ ", "").partition(" ")[0].partition("[")
    return order.get(name_, len(order))


def order_of_term(item: Term) -> tuple[object, ...]:
    """Positive terms first, numbers before them, then as the names stand in the user's text."""
    coefficient, term = item
    flat = term.args[0] if term.op == "spread" else term
    place = 0 if flat.op == "number" and coefficient > 0 else 1 if coefficient > 0 else 2
    words = sketch(term)
    first = appearance(words)
    turned = term.op == "product" and words.startswith("~")
    return place, first, turned, (term.op == "transpose") - term.cost, words


def order_of_scalar(scalar: Matrix) -> tuple[object, ...]:
    """Cheap factors first, then as the names stand in the user's text."""
    words = sketch(scalar)
    return scalar.cost, appearance(words), str(scalar.data), words
