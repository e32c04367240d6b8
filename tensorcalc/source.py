"""What a program's text tells the printers: an expression is printed in its user's wording.

The index IR is in normal form and does not know it: ``y - X*w`` and ``X*w - y`` are the same up to
their sign. `scope.py` collects this, `printing/document.py` uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorcalc.ir import Node


@dataclass(frozen=True, slots=True)
class Source:
    """The names in order of appearance, the sums as written, and the definitions by name."""

    order: tuple[str, ...] = ()
    sums: tuple[Node, ...] = ()
    definitions: tuple[tuple[str, Node], ...] = ()


NO_SOURCE = Source()
