"""A value of the language: a node with index names and an orientation, a factor of a product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tensorcalc.dims import Dim
from tensorcalc.errors import Span, quote
from tensorcalc.ir import Node, Variable
from tensorcalc.shapes import Shapes
from tensorcalc.source import NO_SOURCE, Source

NO_SUMS: Mapping[str, Span | None] = {}


@dataclass(frozen=True, slots=True)
class Value:
    """A node with names for its first axes.

    `indices` may name an index twice in a factor that still waits for its product. `row` says
    that a rank-1 whole part stands as a row. `summed` are the indices that Einstein's convention
    has summed inside, with the place. `span` is where the value was written.
    """

    node: Node
    indices: tuple[str, ...] = ()
    row: bool = False
    span: Span | None = None
    summed: Mapping[str, Span | None] = field(default_factory=lambda: NO_SUMS)
    note: str = ""  # why an undeclared name has its kind
    variables: Mapping[str, Variable] | None = None  # of the node, where they are known
    origin: Source = NO_SOURCE  # of a node made elsewhere

    @property
    def rank(self) -> int:
        """The number of whole axes."""
        return self.node.rank - len(self.indices)

    @property
    def whole(self) -> tuple[Dim, ...]:
        """The sizes of the whole axes."""
        return self.node.dims[len(self.indices) :]

    @property
    def source(self) -> str:
        """The value as it was written."""
        if self.span is not None and self.span.text:
            return self.span.source
        return quote(self.node.name) if isinstance(self.node, Variable) else "an operand"

    def describe(self, shapes: Shapes) -> str:
        """What a message says of this value: ``X is 3×4``, ``y has 5 entries``."""
        dims = [str(d) if not d.is_inferred else "?" for d in shapes.resolve_all(self.whole)]
        kind = ("scalar", "row" if self.row else "vector", "matrix", "tensor")[min(self.rank, 3)]
        if self.rank > 1 and set(dims) != {"?"}:
            return f"{self.source} is {'×'.join(dims)}"
        if self.rank != 1 or dims == ["?"]:
            return f"{self.source} is a {kind}"
        entries = f"{dims[0]} {'entry' if dims == ['1'] else 'entries'}"
        return f"{self.source} {'is a row of' if self.row else 'has'} {entries}"


@dataclass(frozen=True, slots=True)
class Factor:
    """A value in a product, joined to what stands before it by `operator`."""

    operator: str
    value: Value


def notes_of(values: Sequence[Value]) -> str | None:
    """Why undeclared names have the kinds that they have, each reason once."""
    notes = [v.note for v in values if v.note]
    return "; ".join(dict.fromkeys(notes)) or None
