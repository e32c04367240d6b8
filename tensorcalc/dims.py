"""Symbolic sizes of axes: names and integers in, products of them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count


@dataclass(frozen=True, slots=True, order=True)
class Dim:
    """The size of an axis: an integer times a product of names, such as ``3``, ``n`` or ``2*m*n``.

    A name written by the user is an identifier. The size of an axis of an undeclared variable is
    called after that axis, ``x.0``; the dot keeps the two kinds of names apart.
    """

    coefficient: int
    names: tuple[str, ...] = ()

    @staticmethod
    def of(value: int | str | Dim) -> Dim:
        """The size named or numbered by `value`.

        >>> Dim.of("n") * Dim.of(3)
        3*n
        """
        if isinstance(value, Dim):
            return value
        return Dim(value) if isinstance(value, int) else Dim(1, (value,))

    @property
    def is_integer(self) -> bool:
        """Whether the size is a plain number."""
        return not self.names

    @property
    def is_inferred(self) -> bool:
        """Whether the size is only known as that of an undeclared variable's axis."""
        return any("." in name for name in self.names)

    def __mul__(self, other: Dim) -> Dim:
        return Dim(self.coefficient * other.coefficient, tuple(sorted(self.names + other.names)))

    def substitute(self, sizes: Mapping[str, Dim]) -> Dim:
        """The size with names replaced by other sizes."""
        if not any(name in sizes for name in self.names):
            return self
        result = Dim(self.coefficient)
        for name in self.names:
            result = result * sizes.get(name, Dim(1, (name,)))
        return result

    def value(self, sizes: Mapping[str, int]) -> int:
        """The size as a number, given the number of every name in it."""
        result = self.coefficient
        for name in self.names:
            result *= sizes[name]
        return result

    def __str__(self) -> str:
        if not self.names:
            return str(self.coefficient)
        names = "*".join(self.names)
        return names if self.coefficient == 1 else f"{self.coefficient}*{names}"

    __repr__ = __str__


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
