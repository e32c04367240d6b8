"""Which sizes are equal: pairs of dims in, a substitution for the inferred ones out.

Sizes that the user named are fixed; sizes of undeclared variables (`Dim.is_inferred`) are
unknowns, solved by unification. The name left for a class of equal unknowns is the smallest, so
the result does not depend on the order of the formula.
"""

from __future__ import annotations

from collections import Counter

from tensorcalc.dims import Dim, Dims
from tensorcalc.ir import Variable


def _order(name: str) -> tuple[bool, str]:
    # an anonymous size (of `eye` or `vector(1)`) never stands for a variable's
    return name.startswith("."), name


def _without_common(left: Dim, right: Dim) -> tuple[Dim, Dim]:
    """Two products without the names that stand in both."""
    if left.product is None or right.product is None:
        return left, right
    (a, names), (b, others) = left.product, right.product
    common = Counter(names) & Counter(others)
    sides = [
        (tuple(sorted((Counter(own) - common).elements())), number)
        for own, number in ((names, a), (others, b))
    ]
    return Dim((sides[0],)), Dim((sides[1],))


class Shapes:
    """The equalities found so far."""

    def __init__(self) -> None:
        self._bound: dict[str, Dim] = {}
        self._fresh = 0

    @property
    def has_unknowns(self) -> bool:
        """Whether an anonymous size was made."""
        return self._fresh > 0

    def fresh(self) -> Dim:
        """A new unknown size."""
        self._fresh += 1
        return Dim.of(f".{self._fresh}")

    def resolve(self, dim: Dim) -> Dim:
        """The dim with every solved unknown replaced."""
        while any(name in self._bound for name in dim.names):
            dim = dim.substitute(self._bound)
        return dim

    def resolve_all(self, dims: Dims) -> Dims:
        """`resolve` of every dim."""
        return tuple([self.resolve(dim) for dim in dims])

    def equate(self, left: Dim, right: Dim) -> bool:
        """Make two sizes equal; False if they cannot be."""
        left, right = self.resolve(left), self.resolve(right)
        if left == right:
            return True
        left, right = _without_common(left, right)
        difference = (left - right).primitive
        unknowns = [
            (names[0], number)
            for names, number in difference.terms
            if len(names) == 1 and abs(number) == 1 and "." in names[0]
            and difference.names.count(names[0]) == 1
        ]  # fmt: skip
        if not unknowns:
            return False
        name, sign = max(unknowns, key=lambda unknown: _order(unknown[0]))
        other = (Dim.of(name) * sign - difference) * sign
        if not other.terms or all(number < 0 for _, number in other.terms):
            return other.is_integer and not other.constant and self._bind(name, other)
        return self._bind(name, other)

    def _bind(self, name: str, other: Dim) -> bool:
        self._bound[name] = other
        return True

    def same_dims(self, left: Dims, right: Dims) -> bool:
        """Make all sizes of two shapes equal; False if they cannot be."""
        return len(left) == len(right) and all(
            self.equate(a, b) for a, b in zip(left, right, strict=True)
        )

    def same(self, left: Variable, right: Variable) -> bool:
        """Make two variables of one name the same; False if they are declared differently."""
        return left.properties == right.properties and self.same_dims(left.dims, right.dims)

    def solution(self) -> dict[str, Dim]:
        """What every solved unknown is."""
        return {name: self.resolve(dim) for name, dim in self._bound.items()}
