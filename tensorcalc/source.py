"""What a program's text tells the printers: an expression is printed in its user's wording.

The index IR is in normal form and does not know it: ``y - X*w`` and ``X*w - y`` are the same up to
their sign. `scope.py` collects this, `printing/document.py` uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorcalc.ir import Node, Variable


@dataclass(frozen=True, slots=True)
class Source:
    """The names in order of appearance, the sums as written, and the definitions by name.

    `asserted` are the definitions that are declared with properties, as variables that have them.
    """

    order: tuple[str, ...] = ()
    sums: tuple[Node, ...] = ()
    definitions: tuple[tuple[str, Node], ...] = ()
    asserted: tuple[tuple[Variable, Node], ...] = ()


NO_SOURCE = Source()
