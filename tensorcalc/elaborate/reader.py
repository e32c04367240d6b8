"""What is known while a program is read, and the rules by which its constructs are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tensorcalc.counting import Counted
from tensorcalc.scope import Scope
from tensorcalc.shapes import Shapes
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.unknowns import UnknownFunction
from tensorcalc.value import Value

Rule = Callable[["Reader", Syntax, frozenset[str]], Steps[Value]]


@dataclass(slots=True)
class Reader:
    """Reads expressions in the names of one program.

    `values` and `opened` are the rules by kind of construct: how it is read as a closed value, and
    how as a factor, where that is another way.
    """

    scope: Scope
    values: Mapping[str, Rule]
    opened: Mapping[str, Rule]
    counted: dict[str, Counted] = field(default_factory=dict)  # the integers that sums count with
    counters: int = 0
    around: list[tuple[Syntax, Syntax]] = field(default_factory=list)  # products, the factor read

    @property
    def shapes(self) -> Shapes:
        """Which sizes are equal."""
        return self.scope.shapes

    @property
    def unknowns(self) -> dict[str, UnknownFunction]:
        """The unknown functions that are declared."""
        return self.scope.unknowns

    def value(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """The closed value: every repeated index summed or bound."""
        return self.values[syntax.kind](self, syntax, bound)

    def open(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """The value as a factor: repeated indices wait for the product around it."""
        return self.opened.get(syntax.kind, Reader.value)(self, syntax, bound)


def leaf(read: Callable[[Reader, Syntax], Value]) -> Rule:
    """The rule of a construct without parts that are read for themselves."""

    def rule(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        yield from ()
        return read(reader, syntax)

    return rule
