"""Symbolic sizes of axes: names and integers in, sums of products of them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from math import gcd

from tensorcalc.errors import LimitError
from tensorcalc.lazy import Lazy
from tensorcalc.limits import current as limits, spend

Monomial = tuple[str, ...]  # sorted


@dataclass(frozen=True, order=True)
class Dim:
    """The size of an axis: a sum of integers times products of names, as ``3``, ``2*m*n``, ``m+1``.

    A name written by the user is an identifier. The size of an axis of an undeclared variable is
    called after that axis, ``x.0``; the dot keeps the two kinds of names apart. `terms` are the
    products with their integers, sorted and none of them zero.
    """

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def of(value: int | str | Dim) -> Dim:
        """The size named or numbered by `value`.

        >>> Dim.of("n") * 3 + 1
        1+3*n
        """
        if isinstance(value, Dim):
            return value
        if isinstance(value, int):
            return Dim((((), value),) if value else ())
        return Dim((((value,), 1),))

    @Lazy
    def names(self) -> tuple[str, ...]:
        """Every name in the size, as often as it occurs."""
        return tuple([name for names, _ in self.terms for name in names])

    @property
    def is_integer(self) -> bool:
        """Whether the size is a plain number."""
        return not self.names

    @property
    def constant(self) -> int:
        """The number in the sum; of a plain number, its value."""
        return self.terms[0][1] if self.terms and not self.terms[0][0] else 0

    @property
    def is_inferred(self) -> bool:
        """Whether the size is only known as that of an undeclared variable's axis."""
        return any("." in name for name in self.names)

    @property
    def product(self) -> tuple[int, Monomial] | None:
        """Integer and names of a size that is one product; None of a sum."""
        if len(self.terms) > 1:
            return None
        names, number = self.terms[0] if self.terms else ((), 0)
        return number, names

    def __add__(self, other: int | Dim) -> Dim:
        return _collected(self.terms + Dim.of(other).terms)

    def __sub__(self, other: int | Dim) -> Dim:
        return self + Dim.of(other) * -1

    def __mul__(self, other: int | Dim) -> Dim:
        return _collected(
            (tuple(sorted(left + right)), a * b)
            for left, a in self.terms
            for right, b in Dim.of(other).terms
        )

    @property
    def primitive(self) -> Dim:
        """The size without the integer that divides all of it."""
        divisor = gcd(*[number for _, number in self.terms]) or 1
        return Dim(tuple([(names, number // divisor) for names, number in self.terms]))

    def substitute(self, sizes: Mapping[str, Dim]) -> Dim:
        """The size with names replaced by other sizes."""
        if not any(name in sizes for name in self.names):
            return self
        total = Dim(())
        for names, number in self.terms:
            part = Dim.of(number)
            for name in names:
                part = part * sizes.get(name, Dim.of(name))
            total = total + part
        return total

    def value(self, sizes: Mapping[str, int]) -> int:
        """The size as a number, given the number of every name in it."""
        total = 0
        for names, number in self.terms:
            for name in names:
                number *= sizes[name]
            total += number
        return total

    def split(self, name: str) -> tuple[Dim, Dim] | None:
        """``(a, b)`` with the size equal to ``a*name + b``; None unless it is linear in the name.

        >>> (Dim.of("m") * Dim.of("n") + 2).split("n")
        (m, 2)
        """
        slope: list[tuple[Monomial, int]] = []
        rest: list[tuple[Monomial, int]] = []
        for names, number in self.terms:
            if names.count(name) > 1:
                return None
            if name in names:
                slope.append((tuple([other for other in names if other != name]), number))
            else:
                rest.append((names, number))
        return _collected(slope), _collected(rest)

    def __str__(self) -> str:
        text = ""
        for names, number in self.terms:
            size = "*".join((*(str(abs(number)),) * (abs(number) != 1 or not names), *names))
            text += ("-" if number < 0 else "+" * bool(text)) + size
        return text or "0"

    __repr__ = __str__


def _collected(terms: Iterable[tuple[Monomial, int]]) -> Dim:
    merged: dict[Monomial, int] = {}
    for names, number in terms:
        merged[names] = merged.get(names, 0) + number
    found = Dim(tuple(sorted((names, number) for names, number in merged.items() if number)))
    if len(found.names) > limits().size_names:
        raise LimitError(f"more than {limits().size_names} names in a size (limit size_names)")
    if any(abs(number) > limits().size for _, number in found.terms):
        raise LimitError(f"a size is over {limits().size} (limit size)")
    spend(len(found.names) // 16)
    return found


Dims = tuple[Dim, ...]


def display_names(dims: Iterable[Dim], taken: Iterable[str] = ()) -> dict[str, str]:
    """Readable letters for inferred sizes, in the order given, avoiding the names `taken`.

    >>> display_names([Dim.of("x.0"), Dim.of("n"), Dim.of("A.1")])
    {'x.0': 'm', 'A.1': 'p'}
    """
    dims = list(dims)
    used = set(taken) | {name for dim in dims for name in dim.names}
    letters = (c + suffix for suffix in chain([""], map(str, count(1))) for c in "nmpqrstkl")
    result: dict[str, str] = {}
    for dim in dims:
        for name in dim.names:
            if "." in name and name not in result:
                result[name] = next(c for c in letters if c not in used)
    return result
